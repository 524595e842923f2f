package executor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// What follows runs commands where the means of Linux are missing. It keeps the same promises with the means that all systems have: a supervisor
// as a process of its own, its folder, and a lock that the system takes back when the supervisor ends. It ends a command's process group (a
// job on Windows), not what left it; limits by control groups, and deadlines that count the time asleep, are not to be had.
//
// Linux has better and uses this in tests only.

// lookEvery is how often a supervisor looks for requests, and the agent for the end.
const lookEvery = 100 * time.Millisecond

// lateLooks is how many looks later a supervisor may end than it has written down how the command ended; nobody waits for it longer.
const lateLooks = 20

// portablePlan is a Spec with everything looked up that can be looked up beforehand. It is all the supervisor knows.
type portablePlan struct {
	ID      string        `json:"id"`
	Boot    string        `json:"boot,omitempty"` // of the machine when the task was started, where that is known
	Argv    []string      `json:"argv"`
	Env     []string      `json:"env"`
	Dir     string        `json:"dir"`
	User    string        `json:"user,omitempty"` // if not the agent's own
	Timeout time.Duration `json:"timeout_ns,omitempty"`

	TimeoutGrace time.Duration `json:"timeout_grace_ns"`
	Grace        time.Duration `json:"grace_ns"`
	Tree         bool          `json:"tree"`
	OutputCap    int64         `json:"output_cap"`
	Normalized   bool          `json:"normalized,omitempty"`
}

// portableState names the command's process once it runs.
type portableState struct {
	PID       int       `json:"pid"`        // of the supervisor
	ScriptPID int       `json:"script_pid"` // also its process group
	StartedAt time.Time `json:"started_at"`
}

// portableTask is a command that was started, by this process or by an earlier one.
type portableTask struct {
	dir   string
	plan  portablePlan
	state portableState

	mu sync.Mutex // held while a vanished supervisor's record is made up for
}

// drawPortable looks up everything the Spec refers to by name, for a script in dir.
func drawPortable(spec Spec, dir string) (p portablePlan, file string, script []byte, err error) {
	spec = spec.withDefaults()
	if err := spec.validate(); err != nil {
		return p, "", nil, err
	}
	if spec.Limits != nil {
		return p, "", nil, &StartError{Reason: LimitUnavailable, Path: runtime.GOOS, Detail: "no limits on this platform"}
	}
	argv, file, err := portableCommand(runtime.GOOS, spec, dir)
	if err != nil {
		return p, "", nil, err
	}
	env, home, err := portableLogin(spec.User)
	if err != nil {
		return p, "", nil, err
	}
	script = portableScript(spec)
	p = portablePlan{
		ID: spec.ID, Boot: portableBoot(), Argv: slices.Concat(argv, spec.Args), Dir: spec.WorkDir, User: spec.User,
		Timeout: spec.Timeout, TimeoutGrace: spec.TimeoutGrace, Grace: spec.Grace, Tree: spec.Tree, OutputCap: spec.OutputCap,
		Normalized: !bytes.Equal(script, spec.Script),
	}
	if p.Dir == "" {
		p.Dir = home
	}
	maps.Copy(env, spec.Env)
	env["ERRAND_TASK_ID"] = spec.ID
	for _, name := range slices.Sorted(maps.Keys(env)) {
		p.Env = append(p.Env, name+"="+env[name])
	}
	return p, file, script, p.check(env["PATH"])
}

// portableCommand decides what is executed to run the script on an operating system, and what its file is called.
func portableCommand(goos string, spec Spec, dir string) (argv []string, file string, err error) {
	windows := goos == "windows"
	path := func(suffix string) string { return filepath.Join(dir, scriptBase+suffix) }
	suffix := map[Kind]string{KindShell: ".sh", KindPowerShell: ".ps1", KindBat: ".bat"}[spec.Kind]
	if windows == (spec.Kind == KindShell) {
		return nil, "", &StartError{Reason: NotApplicable, Detail: spec.Kind.String() + " script"}
	}
	if spec.Launcher != "" {
		l, err := parseLauncher(spec.Launcher)
		if err != nil {
			return nil, "", &StartError{Reason: InvalidContent, Detail: err.Error()}
		}
		if l.suffix != "" {
			suffix = l.suffix
		}
		return l.argv(path(suffix)), path(suffix), nil
	}
	switch spec.Kind {
	case KindPowerShell:
		argv = []string{"powershell.exe", "-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File"}
	case KindBat:
		argv = []string{"cmd.exe", "/D", "/C"}
	case KindShell:
		if argv = interpreterLine(NormalizeScript(spec.Script, spec.KeepCRLF)); argv == nil {
			argv = []string{portableShell()}
		}
	}
	return append(argv, path(suffix)), path(suffix), nil
}

func portableShell() string {
	if _, err := os.Stat("/bin/bash"); err == nil {
		return "/bin/bash"
	}
	return "/bin/sh"
}

// portableScript makes a script fit for its interpreter: line ends, and for Windows PowerShell the mark without which it takes UTF-8 for the
// local code page.
func portableScript(spec Spec) []byte {
	if spec.Kind == KindShell {
		return NormalizeScript(spec.Script, spec.KeepCRLF)
	}
	script := bytes.TrimPrefix(spec.Script, byteOrderMark)
	if !bytes.Contains(script, []byte("\r\n")) {
		script = bytes.ReplaceAll(script, []byte("\n"), []byte("\r\n"))
	}
	if spec.Kind == KindPowerShell {
		script = slices.Concat(byteOrderMark, script)
	}
	return script
}

// check finds the interpreter and looks at the working directory.
func (p *portablePlan) check(path string) error {
	found, err := portableLook(p.Argv[0], path)
	if err != nil {
		return &StartError{Reason: InterpreterNotFound, Path: p.Argv[0], Errno: errnoOf(err)}
	}
	p.Argv[0] = found
	info, err := os.Stat(p.Dir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return &StartError{Reason: DirectoryPermissionDenied, Path: p.Dir, Errno: errnoOf(err)}
	case err != nil:
		return &StartError{Reason: DirectoryNotFound, Path: p.Dir, Errno: errnoOf(err)}
	case !info.IsDir():
		return &StartError{Reason: DirectoryNotFound, Path: p.Dir, Detail: "not a directory"}
	}
	return nil
}

// portableLook finds a program, in the command's PATH rather than the agent's.
func portableLook(name, path string) (string, error) {
	if strings.ContainsAny(name, `/\`) {
		return exec.LookPath(name)
	}
	for _, dir := range filepath.SplitList(path) {
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil && filepath.IsAbs(found) {
			return found, nil
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}

// startPortable is Start by the means that all systems have.
func startPortable(ctx context.Context, spec Spec, dir, selfExe string) (*portableTask, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	p, file, script, err := drawPortable(spec, dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // commands of other users pass through to their scripts
		return nil, fmt.Errorf("task folder: %w", err)
	}
	claim, err := os.OpenFile(filepath.Join(dir, planFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, ErrExists
	}
	if err != nil {
		return nil, fmt.Errorf("task folder: %w", err)
	}
	t := &portableTask{dir: dir, plan: p}
	err = json.NewEncoder(claim).Encode(p)
	err = errors.Join(err, claim.Close())
	if err == nil {
		err = portableWrite(file, script, p.User)
	}
	if err == nil {
		err = t.launch(ctx, selfExe)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return t, nil
}

// launch starts the supervisor and waits for its word, which comes through its standard output.
func (t *portableTask) launch(ctx context.Context, selfExe string) error {
	ready, report, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("supervisor: %w", err)
	}
	defer ready.Close()
	cmd := exec.Command(selfExe, SuperviseArg, t.dir) //nolint:gosec,noctx // ourselves, and it must outlive every context
	cmd.Dir, cmd.Stdout, cmd.SysProcAttr = t.dir, report, apart()
	err = cmd.Start()
	report.Close()
	if err != nil {
		return fmt.Errorf("supervisor: %w", err)
	}
	go func() { _ = cmd.Wait() }() // how it ends stands in the folder
	word := make(chan error, 1)    // with room, for nobody may listen
	go func() {
		_, err := ready.Read(make([]byte, 1))
		word <- err
	}()
	select {
	case <-ctx.Done():
		_ = cmd.Process.Kill()
		return context.Cause(ctx)
	case err = <-word:
	}
	if err == nil {
		t.state = portableStateIn(t.dir)
		return nil
	}
	if exit, failed := readExit(t.dir); failed == nil && exit.Cause == StartFailed {
		return exit.Start
	}
	return fmt.Errorf("supervisor did not start the command: %w", err)
}

func portableStateIn(dir string) (s portableState) {
	if err := readJSON(filepath.Join(dir, stateFile), &s); err != nil {
		return portableState{}
	}
	return s
}

// attachPortable is Attach by the means that all systems have.
func attachPortable(dir string) (*portableTask, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	t := &portableTask{dir: dir}
	written, err := os.ReadFile(filepath.Join(dir, planFile))
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(written, &t.plan) != nil {
		t.plan = portablePlan{} // the agent or the machine died while writing it
	}
	t.state = portableStateIn(dir)
	return t, nil
}

// ID returns the task's id.
func (t *portableTask) ID() string { return t.plan.ID }

// Dir returns the task's folder.
func (t *portableTask) Dir() string { return t.dir }

// StartedAt returns when the command began to run, or zero if that is not known.
func (t *portableTask) StartedAt() time.Time { return t.state.StartedAt }

// Supervisor returns the supervisor's process id, or 0 if it is not known.
func (t *portableTask) Supervisor() int { return t.state.PID }

// ThisBoot reports whether the task was started since the machine was.
func (t *portableTask) ThisBoot() bool { return t.plan.Boot == portableBoot() }

// Running reports whether the result is still to come.
func (t *portableTask) Running() bool { return portableRunning(t.dir) }

// portableRunning reports whether a supervisor holds the folder's lock.
func portableRunning(dir string) bool {
	path := filepath.Join(dir, aliveFIFO)
	if _, err := os.Stat(path); err != nil {
		return false
	}
	unlock, held, err := hold(path)
	if err == nil && !held {
		unlock()
	}
	return held
}

// Wait returns how the task ended, as soon as that is known and on disk; see Task on Linux.
func (t *portableTask) Wait(ctx context.Context) (Exit, error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for late := 0; ; {
		alive := t.Running()
		exit, err := readExit(t.dir)
		switch {
		case err == nil && (!alive || late == lateLooks):
			return exit, nil
		case err == nil: // the supervisor is about to let go of the folder, which can be removed after that
			late++
		case !missing(err):
			return Exit{}, fmt.Errorf("wait for task %s: %w", t.plan.ID, err)
		case !alive:
			if exit, err = t.makeUp(); err != nil {
				return Exit{}, fmt.Errorf("wait for task %s: %w", t.plan.ID, err)
			}
			return exit, nil
		}
		select {
		case <-ctx.Done():
			return Exit{}, fmt.Errorf("wait for task %s: %w", t.plan.ID, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// makeUp writes the record that a vanished supervisor owes, after ending what is left of the command.
func (t *portableTask) makeUp() (Exit, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if exit, err := readExit(t.dir); !missing(err) {
		return exit, err
	}
	st := portableStateIn(t.dir)
	exit := Exit{
		Cause: SupervisorKilled, Code: -1, StartedAt: st.StartedAt, EndedAt: portableNow(), OutputCap: t.plan.OutputCap, Normalized: t.plan.Normalized,
	}
	if boot := portableBoot(); t.plan.Boot != boot {
		exit.Cause = Rebooted
	} else if st.ScriptPID != 0 {
		killLeft(st.ScriptPID)
	}
	var err error
	if exit.Totals, err = storedTotals(t.dir); err != nil {
		return Exit{}, err
	}
	return exit, writeExit(t.dir, exit)
}

func portableNow() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Requests to stop, as the content of the control file.
const (
	portableStopTree    = "tree"
	portableStopProcess = "process"
)

// Stop asks the supervisor to end the command; see Task on Linux.
func (t *portableTask) Stop(tree bool) error {
	if _, err := readExit(t.dir); err == nil || !t.Running() {
		return fmt.Errorf("stop task %s: %w", t.plan.ID, ErrFinished)
	}
	request := portableStopProcess
	if tree {
		request = portableStopTree
	}
	temp := filepath.Join(t.dir, controlFIFO+".new")
	if err := os.WriteFile(temp, []byte(request), 0o600); err != nil {
		return fmt.Errorf("stop task %s: %w", t.plan.ID, err)
	}
	if err := os.Rename(temp, filepath.Join(t.dir, controlFIFO)); err != nil {
		return fmt.Errorf("stop task %s: %w", t.plan.ID, err)
	}
	return nil
}

// removePortable is Remove by the means that all systems have.
func removePortable(dir string) error {
	if portableRunning(dir) {
		return ErrRunning
	}
	return os.RemoveAll(dir)
}
