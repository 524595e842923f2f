package upgrade

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"errand/internal/protocol"
	"errand/internal/release"
)

// install makes sure that a version lies in its folder, whole and proved.
func (u *Upgrader) install(ctx context.Context, r *believed, p *release.Platform) error {
	f := u.folder
	keys, err := f.loadKeys()
	if err != nil {
		return err
	}
	if err := f.verify(r.Version, keys); err == nil {
		if text, err := os.ReadFile(f.path(r.Version, proofName)); err == nil && bytes.Equal(text, r.text) {
			return nil // a crash came after the last step
		}
	}
	s, err := f.load()
	if err != nil {
		return err
	}
	if err := f.sweep(f.current(), s.Previous, fetchName); err != nil {
		return err
	}
	if err := os.MkdirAll(f.path(fetchName), 0o700); err != nil {
		return err
	}
	for i := range p.Files {
		if err := u.fetch(ctx, r, &p.Files[i]); err != nil {
			return err
		}
	}
	return u.unpack(r, p)
}

// unpack makes the folder of a version out of fetched files. Its name appears when everything in it is on disk.
func (u *Upgrader) unpack(r *believed, p *release.Platform) error {
	f := u.folder
	dir := f.path(fetchName, r.Version)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := u.cfg.step("unpack"); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for i := range p.Files {
		file := &p.Files[i]
		err := unpackFile(f.path(fetchName, file.PackedSHA256), f.path(fetchName, r.Version, file.Name), file)
		if errors.Is(err, release.ErrContent) { // what was fetched is of no use, also next time
			err = errors.Join(err, os.RemoveAll(f.path(fetchName)))
		}
		if err != nil {
			return err
		}
	}
	if err := replace(f.path(fetchName, r.Version, proofName), r.text); err != nil {
		return err
	}
	if err := u.cfg.step("install"); err != nil {
		return err
	}
	if err := os.RemoveAll(f.path(r.Version)); err != nil {
		return err
	}
	if err := os.Rename(dir, f.path(r.Version)); err != nil {
		return err
	}
	return errors.Join(syncDir(string(f)), os.RemoveAll(f.path(fetchName)))
}

func unpackFile(packed, path string, file *release.File) error {
	in, err := os.Open(packed)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700) //nolint:gosec // a program
	if err != nil {
		return err
	}
	err = file.Unpack(out, in)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// How patient a fetch is.
const (
	firstPause = time.Second
	maxPause   = time.Minute
	patience   = 15 * time.Minute // without a single byte
	stall      = time.Minute      // within one answer
)

// fetch gets a packed file, and goes on where an earlier one stopped, also before a restart.
func (u *Upgrader) fetch(ctx context.Context, r *believed, file *release.File) error {
	if err := u.cfg.step("fetch"); err != nil {
		return err
	}
	out, err := os.OpenFile(u.folder.path(fetchName, file.PackedSHA256), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	have, err := out.Seek(0, io.SeekEnd)
	if err == nil && have > file.Packed {
		have, err = 0, out.Truncate(0)
	}
	if err != nil {
		return err
	}
	path := protocol.ReleasePath + r.digest + "/" + file.PackedSHA256
	pause, progress := firstPause, time.Now()
	for have < file.Packed {
		n, final, err := u.piece(ctx, path, have, file.Packed-have, out)
		have += n
		if n > 0 {
			pause, progress = firstPause, time.Now()
		}
		if final || time.Since(progress) > patience {
			return err
		}
		if err == nil {
			continue
		}
		u.cfg.Log.Warn("release not fetched yet", "file", file.Name, "have", have, "of", file.Packed, "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
			pause = min(2*pause, maxPause)
		}
	}
	return out.Sync()
}

// piece fetches as much as one answer holds. A final error will not go away by asking again.
func (u *Upgrader) piece(ctx context.Context, path string, from, most int64, out *os.File) (n int64, final bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := time.AfterFunc(stall, cancel)
	defer timer.Stop()
	body, final, err := u.cfg.Fetch(ctx, path, from)
	if err != nil {
		return 0, final, err
	}
	defer body.Close()
	for buf := make([]byte, 64<<10); n < most; {
		got, err := body.Read(buf[:min(int64(len(buf)), most-n)])
		timer.Reset(stall)
		if _, werr := out.WriteAt(buf[:got], from+n); werr != nil {
			return n, true, werr
		}
		n += int64(got)
		if errors.Is(err, io.EOF) && n < most {
			return n, false, io.ErrUnexpectedEOF
		}
		if err != nil && n < most {
			return n, false, err
		}
	}
	return n, false, nil
}

// checkTime is how long a new program may take to say which version it is.
const checkTime = 20 * time.Second

// selfCheck runs the programs of a version and believes neither before both have answered.
func selfCheck(ctx context.Context, f folder, version string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	out, err := runProgram(ctx, f.program(version), "--version")
	if err != nil {
		return fmt.Errorf("%s does not run here: %w", release.AgentProgram, err)
	}
	if want := release.AgentProgram + " " + version; strings.TrimSpace(out) != want {
		return fmt.Errorf("the program calls itself %.80q instead of %q", strings.TrimSpace(out), want)
	}
	supervise := f.path(version, release.ProgramName(release.SuperviseProgram, runtime.GOOS))
	if _, err := os.Stat(supervise); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var exit *exec.ExitError
	if _, err := runProgram(ctx, supervise); !errors.As(err, &exit) || exit.ExitCode() != wrongUse {
		return fmt.Errorf("%s does not run here: %w", release.SuperviseProgram, err)
	}
	return nil
}

// wrongUse is what the supervisor exits with when it is told nothing.
const wrongUse = 2

// runProgram runs a program that may still be held open for writing by a process that is just being forked.
func runProgram(ctx context.Context, path string, args ...string) (string, error) {
	for pause := 10 * time.Millisecond; ; pause *= 2 {
		cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // verified
		cmd.Env, cmd.WaitDelay = []string{}, time.Second
		out, err := cmd.Output()
		if !errors.Is(err, syscall.ETXTBSY) || pause > time.Second {
			return string(out[:min(len(out), 1<<10)]), err
		}
		time.Sleep(pause)
	}
}
