package core

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestDrawing compares the table with the one that people read.
func TestDrawing(t *testing.T) {
	t.Parallel()
	f, err := os.Open("../../docs/state.md")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	drawn := map[string][]string{}
	described := map[string]bool{}
	inside := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```states"
		case inside:
			from, to, ok := strings.Cut(line, "->")
			if !ok {
				t.Fatalf("line %q", line)
			}
			drawn[strings.TrimSpace(from)] = sorted(strings.Fields(to))
		case strings.HasPrefix(line, "| `"):
			described[strings.Split(line, "`")[1]] = true
		}
	}
	table := map[string][]string{}
	for s, to := range next {
		for _, n := range to {
			table[State(s).String()] = append(table[State(s).String()], n.String())
		}
	}
	for s := range table {
		table[s] = sorted(table[s])
	}
	if d := cmp.Diff(table, drawn); d != "" {
		t.Errorf("docs/state.md differs from the table (-table +drawn):\n%s", d)
	}
	for s := range NumStates {
		if name := State(s).String(); !described[name] {
			t.Errorf("docs/state.md does not describe %s", name)
		}
	}
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

func TestEndsAreFinal(t *testing.T) {
	t.Parallel()
	for s := range State(NumStates) {
		leads := len(next[s]) > 0
		if want := !s.Ended() || s.Presumed(); leads != want {
			t.Errorf("%s leads somewhere: %v, want %v", s, leads, want)
		}
		for _, n := range next[s] {
			if s.Presumed() && (!n.Ended() || n.Presumed()) {
				t.Errorf("the presumed end %s can become %s, which is not an end for good", s, n)
			}
		}
	}
}

// TestWalk lets random reports hit a task: it only ever moves along the table, and an end for good never changes.
func TestWalk(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		task := Task{Node: 1}
		now := time.Unix(1e9, 0)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now = now.Add(time.Second)
			before := task
			r := Report{
				Node: 1, Kind: ReportKind(rapid.IntRange(1, 4).Draw(t, "kind")), At: now,
				State: State(rapid.IntRange(int(Succeeded), NumStates-1).Draw(t, "end")),
			}
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				task.become(State(rapid.IntRange(0, NumStates-1).Draw(t, "to")), NoCause, now)
				if before.State != task.State && !before.State.CanBecome(task.State) {
					t.Fatalf("%s became %s", before.State, task.State)
				}
			default:
				var o outcome
				o.apply(&task, &r, now, nil)
			}
			if before.State.Ended() && !before.State.Presumed() {
				if d := cmp.Diff(before, task, cmp.AllowUnexported(Task{})); d != "" {
					t.Fatalf("a task that ended for good changed:\n%s", d)
				}
			}
			if before.State.Presumed() && task.State != before.State && !task.Late {
				t.Fatalf("%s became %s without being marked late", before.State, task.State)
			}
			if task.State.Ended() && task.EndedAt.IsZero() {
				t.Fatalf("%s without an end time", task.State)
			}
		}
	})
}

func TestReach(t *testing.T) {
	t.Parallel()
	tests := []struct {
		from, to State
		ok       bool
	}{
		{Queued, Succeeded, true}, // the server died before it noted that the task was sent
		{Delivering, Failed, true},
		{Deferred, Terminated, true},
		{Running, Terminated, true}, // ended by somebody on the node
		{Stopping, Cancelled, true},
		{Lost, Succeeded, true},
		{DeliveryFailed, TimedOut, true},
		{DeliveryFailed, Cancelled, false}, // the answer to the stop that follows giving up changes nothing
		{Succeeded, Failed, false},
		{Cancelled, Succeeded, false},
	}
	for _, tt := range tests {
		task := Task{State: tt.from}
		if ok := task.reach(tt.to, NoCause, time.Unix(1, 0)); ok != tt.ok {
			t.Errorf("reach %s from %s: %v", tt.to, tt.from, ok)
		}
		want := tt.from
		if tt.ok {
			want = tt.to
		}
		if task.State != want {
			t.Errorf("reach %s from %s ended at %s", tt.to, tt.from, task.State)
		}
	}
}
