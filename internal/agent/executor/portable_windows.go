package executor

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// apart is how a supervisor is started: without the agent's console, so that nothing typed there reaches it.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.DETACHED_PROCESS}
}

// hold takes the lock file at path, which the system gives back when this process ends. held says that somebody else has it.
func hold(path string) (unlock func(), held bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, err
	}
	const how = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err = windows.LockFileEx(windows.Handle(f.Fd()), how, 0, 1, 0, new(windows.Overlapped))
	switch {
	case errors.Is(err, windows.ERROR_LOCK_VIOLATION):
		f.Close()
		return nil, true, nil
	case err != nil:
		f.Close()
		return nil, false, err
	}
	return func() { f.Close() }, false, nil
}

// jail is a job that this process is in, and with it everything that it starts. The system ends its members when this process is killed.
type jail struct{ job windows.Handle }

func newJail() (jail, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return jail{}, os.NewSyscallError("CreateJobObject", err)
	}
	j := jail{job}
	if err := j.limit(windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE); err != nil {
		return jail{}, err
	}
	if err := windows.AssignProcessToJobObject(job, windows.CurrentProcess()); err != nil {
		return jail{}, os.NewSyscallError("AssignProcessToJobObject", err)
	}
	return j, nil
}

func (j jail) limit(flags uint32) error {
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{LimitFlags: flags}}
	_, err := windows.SetInformationJobObject(
		j.job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info))) //nolint:gosec // how the call wants it
	return os.NewSyscallError("SetInformationJobObject", err)
}

// release lets what the command left behind on purpose outlive this process.
func (j jail) release() { _ = j.limit(0) }

func (jail) attributes(name string) (*syscall.SysProcAttr, error) {
	return &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}, sameUser(name)
}

// sameUser refuses other users: Windows wants their passwords.
func sameUser(name string) error {
	if name == "" {
		return nil
	}
	own, err := user.Current()
	if err != nil {
		return err
	}
	if _, account, ok := strings.Cut(own.Username, `\`); strings.EqualFold(own.Username, name) || ok && strings.EqualFold(account, name) {
		return nil
	}
	return &StartError{Reason: NotApplicable, Path: name, Detail: "commands run as the agent's own user on Windows"}
}

// terminate does nothing: there is no request to end that every program would understand, and kill follows.
func (jail) terminate(int, bool) {}

func (j jail) kill(pid int, tree bool) {
	pids := []uintptr{uintptr(pid)}
	if tree {
		pids = j.members()
	}
	for _, pid := range pids {
		h, err := windows.OpenProcess(windows.PROCESS_TERMINATE, false, uint32(pid))
		if err != nil {
			continue // gone already
		}
		_ = windows.TerminateProcess(h, 1)
		_ = windows.CloseHandle(h)
	}
}

// maxMembers is how many processes of a job are seen at a time.
const maxMembers = 1024

// members lists the processes in the job but this one.
func (j jail) members() []uintptr {
	var list struct {
		assigned, listed uint32
		pids             [maxMembers]uintptr
	}
	err := windows.QueryInformationJobObject(
		j.job, windows.JobObjectBasicProcessIdList, uintptr(unsafe.Pointer(&list)), uint32(unsafe.Sizeof(list)), nil) //nolint:gosec // how the call wants it
	if err != nil && !errors.Is(err, windows.ERROR_MORE_DATA) {
		return nil
	}
	var pids []uintptr
	for _, pid := range list.pids[:min(list.listed, maxMembers)] {
		if pid != uintptr(os.Getpid()) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (j jail) empty(int) bool { return len(j.members()) == 0 }

// killLeft has nothing to do: the job ended with its supervisor.
func killLeft(int) {}

// endOf returns the exit code of a process. There are no signals.
func endOf(p *os.ProcessState) (code, signal int) { return p.ExitCode(), 0 }

// portableLogin returns the environment of the agent's own user, without what is meant for the agent, and the user's home.
func portableLogin(name string) (env map[string]string, home string, err error) {
	if err := sameUser(name); err != nil {
		return nil, "", err
	}
	env = map[string]string{}
	for _, e := range os.Environ() {
		k, v, ok := strings.Cut(e, "=")
		if ok && k != "" && !strings.HasPrefix(strings.ToUpper(k), "ERRAND_") {
			if strings.EqualFold(k, "PATH") {
				k = "PATH"
			}
			env[k] = v
		}
	}
	if home, err = os.UserHomeDir(); err != nil {
		home = filepath.VolumeName(os.Getenv("SystemRoot")) + `\`
	}
	return env, home, nil
}

func portableWrite(path string, script []byte, _ string) error {
	return os.WriteFile(path, script, 0o600)
}

// portableBoot returns nothing: Windows does not name its starts. A supervisor's lock is enough to know that it is gone.
func portableBoot() string { return "" }
