package executor

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// loginWrapper makes a login shell read the profiles and then become the command.
const loginWrapper = `exec "$0" "$@"`

// draft is what a Spec comes to before anything is written.
type draft struct {
	plan
	script []byte
	group  int     // that must reach the script, or -1
	hidden *hidden // nil if the Spec has no secrets
}

// draw looks up everything the Spec refers to by name.
func draw(ctx context.Context, spec Spec, dir string) (draft, error) {
	spec = spec.withDefaults()
	if err := spec.validate(); err != nil {
		return draft{}, err
	}
	if spec.Kind != KindShell {
		return draft{}, &StartError{Reason: NotApplicable, Detail: spec.Kind.String() + " script"}
	}
	boot, err := bootID()
	if err != nil {
		return draft{}, err
	}
	d := draft{group: -1, plan: plan{
		ID: spec.ID, Mark: rand.Text(), BootID: boot, Dir: spec.WorkDir,
		Timeout: spec.Timeout, TimeoutGrace: spec.TimeoutGrace, Grace: spec.Grace, Tree: spec.Tree,
		OutputCap: spec.OutputCap, Limits: spec.Limits, Hidden: spec.Hidden,
	}}
	if err := d.setUser(ctx, spec); err != nil {
		return draft{}, err
	}
	d.script = NormalizeScript(spec.Script, spec.KeepCRLF)
	d.Normalized = !bytes.Equal(d.script, spec.Script)
	return d, d.setCommand(spec, dir)
}

// setUser decides who runs the command, in which environment.
func (d *draft) setUser(ctx context.Context, spec Spec) error {
	who, user, err := identify(ctx, spec.User)
	if err != nil {
		return err
	}
	if user != nil {
		d.User, d.group = user, int(who.gid)
	}
	d.Home = who.home
	extra := spec.Env
	if spec.Hidden {
		d.hidden, extra = &hidden{Env: sorted(spec.Env)}, nil
	}
	d.Env, err = environment(who, spec.ID, d.Mark, extra)
	return err
}

// identify finds a user, or this process's own for an empty name, and what it takes to become that one; nil if nothing.
func identify(ctx context.Context, name string) (account, *credential, error) {
	if name == "" {
		who, err := ownAccount()
		return who, nil, err
	}
	who, err := accountOf(ctx, name)
	switch {
	case err != nil:
		return account{}, nil, err
	case os.Geteuid() == 0:
		return who, &credential{UID: who.uid, GID: who.gid, Groups: who.groups}, nil
	case int(who.uid) != os.Geteuid():
		return account{}, nil, &StartError{Reason: ExecFailed, Path: name, Errno: unix.EPERM, Detail: "only root can run commands as another user"}
	}
	return who, nil, nil
}

// setCommand decides what is executed to run the script.
func (d *draft) setCommand(spec Spec, dir string) error {
	shell := defaultShell()
	var argv []string
	if spec.Launcher != "" {
		l, err := parseLauncher(spec.Launcher)
		if err != nil {
			return &StartError{Reason: InvalidContent, Detail: err.Error()}
		}
		d.Script = filepath.Join(dir, scriptBase+l.suffix)
		argv = l.argv(d.Script)
	} else {
		d.Script = filepath.Join(dir, scriptBase+".sh")
		argv = interpreterLine(d.script)
		if argv == nil {
			argv = []string{shell}
		}
		argv = append(argv, d.Script)
	}
	if spec.Login {
		if strings.ContainsRune(argv[0], '/') { // other words depend on what the profile makes of PATH
			d.Inner = argv[0]
		}
		argv = append([]string{shell, "-l", "-c", loginWrapper}, argv...)
	}
	d.Argv = slices.Concat(argv, spec.Args)
	return nil
}

// defaultShell runs scripts that name no interpreter.
func defaultShell() string {
	for _, shell := range []string{"/bin/bash", "/usr/bin/bash"} {
		if _, err := os.Stat(shell); err == nil {
			return shell
		}
	}
	return "/bin/sh"
}

// occupy claims dir and puts everything into it that the supervisor will need, the space for its records included.
func (d *draft) occupy(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil { //nolint:gosec // other users pass through to their scripts
		return storeError(dir, err)
	}
	if err := os.Mkdir(dir, 0o700); errors.Is(err, fs.ErrExist) {
		if used, err := os.ReadDir(dir); err != nil || len(used) > 0 {
			return errors.Join(ErrExists, err)
		}
	} else if err != nil {
		return storeError(dir, err)
	}
	claim, err := os.OpenFile(filepath.Join(dir, planFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return ErrExists
	}
	if err != nil {
		return storeError(dir, err)
	}
	defer claim.Close()
	if d.groups, err = makeGroups(d.ID, d.Limits); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	if err := d.fill(dir, claim); err != nil {
		d.release()
		err = storeError(dir, err) // before the space is given back
		return errors.Join(err, os.RemoveAll(dir))
	}
	return nil
}

func (d *draft) fill(dir string, claim *os.File) error {
	if d.group >= 0 {
		// The user may pass through the folder to the script, and neither list nor change it.
		if err := os.Chown(dir, -1, d.group); err != nil {
			return err
		}
		if err := os.Chmod(dir, 0o710); err != nil { //nolint:gosec // so that the group can pass
			return err
		}
	}
	if d.hidden != nil {
		d.hidden.Script = d.script
	} else if err := d.writeScript(); err != nil {
		return err
	}
	if err := overwriteJSON(filepath.Join(dir, exitTemp), struct{}{}, recordSize, false); err != nil {
		return err
	}
	if err := overwriteJSON(filepath.Join(dir, stateFile), state{}, stateSize, false); err != nil {
		return err
	}
	for _, name := range []string{aliveFIFO, controlFIFO} {
		if err := unix.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			return &fs.PathError{Op: "mkfifo", Path: filepath.Join(dir, name), Err: err}
		}
	}
	if err := json.NewEncoder(claim).Encode(d.plan); err != nil {
		return err
	}
	return claim.Close()
}

func (d *draft) writeScript() error {
	f, err := os.OpenFile(d.plan.Script, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o500) //nolint:gosec // a script
	if err != nil {
		return err
	}
	defer f.Close()
	if d.User != nil {
		if err := f.Chown(int(d.User.UID), int(d.User.GID)); err != nil {
			return err
		}
	}
	if _, err := f.Write(d.script); err != nil {
		return err
	}
	return f.Close()
}

// storeError tells a full or read-only disk from other trouble with the task's folder.
func storeError(dir string, err error) error {
	e := &StartError{Path: dir, Errno: errnoOf(err)}
	switch e.Errno {
	case unix.ENOSPC, unix.EDQUOT:
		e.Reason = NoSpace
	case unix.EROFS:
		e.Reason = ReadOnlyFS
	default:
		return fmt.Errorf("task folder: %w", err)
	}
	var fs unix.Statfs_t
	for probe := dir; ; probe = filepath.Dir(probe) { // the folder itself may not exist
		if unix.Statfs(probe, &fs) == nil || probe == filepath.Dir(probe) {
			break
		}
	}
	e.Detail = fmt.Sprintf("%d bytes and %d inodes free", fs.Bavail*uint64(fs.Bsize), fs.Ffree)
	return e
}
