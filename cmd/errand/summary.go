package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"errand/internal/api/native"
)

// endedWell, stillOpen and notRun are kinds of states.
func endedWell(state string) bool { return state == "succeeded" }

func stillOpen(state string) bool {
	return slices.Contains([]string{"scheduled", "queued", "delivering", "deferred", "running", "stopping"}, state)
}

// bad is how many tasks ended otherwise than well.
func bad(states map[string]int) (n int) {
	for s, k := range states {
		if !stillOpen(s) && !endedWell(s) {
			n += k
		}
	}
	return n
}

// tally is the counts of states in words, the good ones first: 409 ok  1 failed  2 delivery failed.
func tally(states map[string]int, s style) string {
	type count struct {
		state string
		n     int
	}
	var list []count
	for state, n := range states {
		list = append(list, count{state, n})
	}
	rank := func(state string) int {
		switch {
		case endedWell(state):
			return 0
		case stillOpen(state):
			return 2
		default:
			return 1
		}
	}
	slices.SortFunc(list, func(a, b count) int {
		return cmp.Or(cmp.Compare(rank(a.state), rank(b.state)), cmp.Compare(b.n, a.n), cmp.Compare(a.state, b.state))
	})
	var parts []string
	for _, c := range list {
		word := strings.ReplaceAll(c.state, "_", " ")
		if endedWell(c.state) {
			word = "ok"
		}
		parts = append(parts, s.state(c.state, fmt.Sprintf("%d %s", c.n, word)))
	}
	return strings.Join(parts, "  ")
}

// paceState is what has become of a run's pace, as far as it is told of.
type paceState struct {
	State string `json:"state"`
	Why   string `json:"why,omitempty"`
	Step  int    `json:"step"`
	Steps int    `json:"steps_total"`
}

func paceOf(v *native.Invocation) (p paceState) {
	if v.Pace != nil {
		p = paceState{State: v.Pace.State, Why: v.Pace.Why, Step: v.Pace.Step, Steps: v.Pace.StepsTotal}
	}
	return p
}

// aborted reports whether a run was ended before its end: by its budget, or by somebody.
func aborted(v *native.Invocation) bool {
	return paceOf(v).State == "aborted" || v.States["cancelled"]+v.States["terminated"] > 0
}

// result shows the outcome and returns the exit code. shown says that the output is out already.
func (f *runWatch) result(ctx context.Context, c *connection, shown bool) error {
	if c != nil {
		if err := f.w.outcome(ctx, f.cmd, c, f.runAPI, &f.last, shown); err != nil {
			return err
		}
	}
	return f.w.code(ctx, f.runAPI, &f.last)
}

// code is the exit code of a run.
func (w *watching) code(ctx context.Context, r *runAPI, v *native.Invocation) error {
	if w.rc == "max" {
		all, err := r.groups(ctx)
		if err != nil {
			return err
		}
		most := int32(0)
		for i := range all.Groups {
			if g := &all.Groups[i]; g.ExitCode != nil {
				most = max(most, *g.ExitCode)
			} else if !stillOpen(g.State) && !endedWell(g.State) {
				most = max(most, int32(exitSome))
			}
		}
		if most != 0 {
			return exitCode(most)
		}
		return nil
	}
	switch {
	case aborted(v):
		return exitStopped
	case bad(v.States) > 0:
		return exitSome
	default:
		return nil
	}
}
