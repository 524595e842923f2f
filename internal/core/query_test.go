package core_test

import (
	"testing"

	"errand/internal/core"
)

// TestCountsOf counts the tasks that are shown, and falls back on what is stored only where not all can be.
func TestCountsOf(t *testing.T) {
	t.Parallel()
	views := func(n int, s core.State) []core.TaskView {
		list := make([]core.TaskView, n)
		for i := range list {
			list[i].State = s
		}
		return list
	}
	var v core.Invocation
	v.Counts[core.Running] = 300 // as read a moment before
	for n, want := range map[int]core.State{1: core.Succeeded, 199: core.Succeeded, 200: core.Running, 299: core.Running, 300: core.Succeeded} {
		got := core.CountsOf(&v, views(n, core.Succeeded))
		if only := got.Of(want); only == 0 || only != got.Total() {
			t.Errorf("%d of 300 shown: %v, want all %v", n, *got, want)
		}
	}
}
