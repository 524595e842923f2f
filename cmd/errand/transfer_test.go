package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"errand/internal/api/native"
)

func TestTransferUsage(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"push", "push a", "push a /b", "push -t n --tag a=b a /b", "push --tag a a /b", "push -t n --timeout 0s a /b", "push -t n --no-such a /b",
		"fetch", "fetch /a", "fetch -t n /a", "fetch -t n /a/x /b/x --into d", "fetch -t n --invocation i --into d", "fetch --invocation i",
		"fetch -t n --tag a=b /a --into d",
	} {
		root := newRoot()
		root.SetOut(new(bytes.Buffer))
		root.SetErr(new(bytes.Buffer))
		root.SetArgs(strings.Fields(args))
		var wrong usageError
		if err := root.ExecuteContext(t.Context()); !errors.As(err, &wrong) || codeOf(err) != 2 {
			t.Errorf("errand %s: %v", args, err)
		}
	}
}

func TestSplitPath(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][2]string{
		"/srv/a": {"/srv", "a"}, "/a": {"/", "a"}, "a": {"", "a"}, `C:\x\a`: {`C:\x`, "a"}, "/srv/": {"/srv", ""},
	} {
		if dir, name := splitPath(in); dir != want[0] || name != want[1] {
			t.Errorf("%s is %q in %q", in, name, dir)
		}
	}
}

// TestTransferred gives each node its line, and a code of its own to what some nodes did not do.
func TestTransferred(t *testing.T) {
	t.Parallel()
	began, over := time.Unix(100, 0), time.Unix(102, 5e8)
	good := native.Carriage{Task: native.Task{Node: "a", State: "succeeded", Started: &began, Ended: &over}, Done: 7}
	bad := native.Carriage{Task: native.Task{Node: "b", State: "failed", Cause: "no_space", Detail: "full", Ended: &over}}
	for _, tt := range []struct {
		tasks []native.Carriage
		want  error
		lines []string
	}{
		{[]native.Carriage{good}, nil, []string{"i a succeeded 7 ab 2.5 -"}},
		{[]native.Carriage{good, bad}, exitSome, []string{"i a succeeded 7 ab 2.5 -", "i b failed 0 - 0.0 no_space: full"}},
		{nil, nil, []string{"i - started 7 ab - -"}},
	} {
		cmd := newPush()
		var out bytes.Buffer
		cmd.SetOut(&out)
		err := (&connection{format: format{name: "table"}}).transferred(cmd, []transferResult{{Invocation: "i", Hash: "ab", Size: 7, Tasks: tt.tasks}})
		if !errors.Is(err, tt.want) {
			t.Errorf("%v, want %v", err, tt.want)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")[1:]
		for i := range lines {
			lines[i] = strings.Join(strings.Fields(lines[i]), " ")
		}
		if strings.Join(lines, "|") != strings.Join(tt.lines, "|") {
			t.Errorf("%q, want %q", lines, tt.lines)
		}
	}
}

// TestProgress draws one line for all nodes, and nothing where there is no terminal.
func TestProgress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newProgress(&out, "push f")
	over := time.Unix(1, 0)
	tasks := []native.Carriage{
		{Task: native.Task{State: "running"}, Done: 1 << 20, Total: 4 << 20},
		{Task: native.Task{State: "succeeded", Ended: &over}, Done: 4 << 20, Total: 4 << 20},
		{Task: native.Task{State: "failed", Ended: &over}, Total: 4 << 20},
	}
	if open := p.tasks(tasks); open != 1 {
		t.Errorf("%d are open", open)
	}
	p.end()
	if out.Len() > 0 {
		t.Errorf("%q without a terminal", out.String())
	}
	p.w = &out
	p.tasks(tasks)
	p.tasks(tasks) // too soon
	p.end()
	if want := "\rpush f  5.0 MiB of 12.0 MiB  nodes: 1 done, 1 failed, 1 to go\x1b[K\r\x1b[K"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
