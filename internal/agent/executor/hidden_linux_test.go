package executor

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// find returns the names of the files below dir that hold a text.
func find(t *testing.T, dir, text string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Neither a secret variable nor a secret in the script gets to the disk, into a command line or the supervisor's environment; the command
// has both, whoever runs it, and its output is masked.
func TestHidden(t *testing.T) {
	t.Parallel()
	const variable, parameter = "variable-7f3a9c", "parameter-51d0be"
	for name, user := range map[string]string{"own user": "", "another user": "nobody"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := shell("[ \"$TOKEN\" = variable-$(echo 7f3a9c) ] && echo equal; echo $TOKEN; echo oh $TOKEN >&2; printf %s " + parameter + " | wc -c; sleep 300")
			spec.Env, spec.Hidden, spec.User = map[string]string{"TOKEN": variable, "SHORT": "abc"}, true, user
			task := begin(t, spec)
			awaitOutput(t, task, "equal\n***\noh ***\n16\n")
			for _, secret := range []string{variable, parameter} {
				if files := find(t, task.Dir(), secret); len(files) > 0 {
					t.Errorf("%s is in %v", secret, files)
				}
				for _, pid := range []int{task.Supervisor(), task.state.ScriptPID} {
					if b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline"); err != nil || bytes.Contains(b, []byte(secret)) {
						t.Errorf("command line of %d: %q, %v", pid, b, err)
					}
				}
				if b, err := os.ReadFile("/proc/" + strconv.Itoa(task.Supervisor()) + "/environ"); err != nil || bytes.Contains(b, []byte(secret)) {
					t.Errorf("environment of the supervisor: %q, %v", b, err)
				}
			}
			if err := task.Stop(true); err != nil {
				t.Fatal(err)
			}
			exit := wait(t, task)
			if stdout, stderr := outputOfTask(t, task.Dir()); exit.Cause != Stopped || exit.Merged() != int64(len("equal\n***\noh ***\n16\n")) || stdout != "equal\n***\n16\n" || stderr != "oh ***\n" {
				t.Errorf("%+v", exit)
			}
		})
	}
}

// What could have been the beginning of a secret is shown at the end.
func TestHiddenHeldBack(t *testing.T) {
	t.Parallel()
	spec := shell("printf secre; printf secret-wor >&2")
	spec.Env, spec.Hidden = map[string]string{"A": "secret-word"}, true
	task := begin(t, spec)
	wait(t, task)
	if stdout, stderr := outputOfTask(t, task.Dir()); stdout != "secre" || stderr != "secret-wor" {
		t.Errorf("%q %q", stdout, stderr)
	}
}

// A command with secrets is taken up by a later agent like any other, and cleaned up after.
func TestHiddenSupervisorKilled(t *testing.T) {
	t.Parallel()
	spec := shell("echo $A; sleep 300")
	spec.Env, spec.Hidden = map[string]string{"A": "secret-word"}, true
	task := begin(t, spec)
	awaitOutput(t, task, "***\n")
	if err := syscall.Kill(task.Supervisor(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	again, err := Attach(task.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if exit := wait(t, again); exit.Cause != SupervisorKilled || exit.Survivors != 0 {
		t.Errorf("%+v", exit)
	}
	noMembers(t, task)
}

func awaitOutput(t *testing.T, task *Task, want string) {
	t.Helper()
	await(t, "output", func() bool {
		stdout, stderr := outputOfTask(t, task.Dir())
		return len(stdout)+len(stderr) >= len(want)
	})
}
