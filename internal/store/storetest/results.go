package storetest

import (
	"crypto/sha256"
	"encoding"
	"fmt"
	"testing"

	"errand/internal/core"
)

// hashStates are states of digests over some bytes.
func hashStates() (out [2][]byte) {
	h := sha256.New()
	for i := range out {
		_, _ = h.Write([]byte("some bytes"))
		out[i], _ = h.(encoding.BinaryMarshaler).MarshalBinary() // a hash of the standard library always has one
	}
	return out
}

func (f *fixture) results(tb reporter, id core.ID) (list []core.Result) {
	tb.Helper()
	is(tb, "scan", f.ScanResults(tb.(*testing.T).Context(), id, func(r *core.Result) error {
		list = append(list, *r)
		return nil
	}), nil)
	return list
}

// testResults keeps a result for each task that has ended, in step with it.
func testResults(t *testing.T, f *fixture) {
	ctx := t.Context()
	a, b := f.invocation(t, mine, keys(4)...), f.invocation(t, other, keys(2)...)
	same(t, "of open tasks", []core.Result(nil), f.results(t, a.ID))
	end := func(v core.Invocation, index uint32, change func(*core.Task)) {
		t.Helper()
		is(t, "change", f.ChangeTasks(ctx, []core.TaskID{{Invocation: v.ID, Index: index}}, func(task *core.Task) bool {
			task.UpdatedAt = epoch
			change(task)
			return true
		}), nil)
	}
	end(a, 0, func(task *core.Task) { task.State = core.Running })
	end(a, 3, func(task *core.Task) {
		task.State, task.Cause, task.Exited, task.ExitCode = core.Failed, core.CauseExitNonzero, true, -3
		task.Output.Recent = core.Chunk{
			Spans: []core.Span{{Stream: core.Stdout, Len: 1}, {Stream: core.Stderr, Len: 1}, {Stream: core.Stdout, Len: 1}}, Data: []byte("aeb"),
		}
	})
	end(a, 1, func(task *core.Task) { task.State, task.Signal = core.Lost, 9 })
	end(b, 0, func(task *core.Task) { task.State, task.Exited = core.Succeeded, true })
	sum := func(text string) core.Digest {
		h := sha256.Sum256([]byte(text))
		return core.Digest(h[:16])
	}
	lost := core.Result{Task: core.TaskID{Invocation: a.ID, Index: 1}, Node: keys(4)[1], Outcome: core.Outcome{State: core.Lost, Signal: 9}}
	failed := core.Result{
		Task: core.TaskID{Invocation: a.ID, Index: 3}, Node: keys(4)[3], Outcome: core.Outcome{
			State: core.Failed, Cause: core.CauseExitNonzero, Exited: true, ExitCode: -3, Stdout: sum("ab"), Stderr: sum("e"),
		},
	}
	same(t, "results", []core.Result{lost, failed}, f.results(t, a.ID))

	// What a presumed end is replaced by.
	end(a, 1, func(task *core.Task) { task.State, task.Signal, task.Exited = core.Succeeded, 0, true })
	lost.Outcome = core.Outcome{State: core.Succeeded, Exited: true}
	same(t, "after a late result", []core.Result{lost, failed}, f.results(t, a.ID))

	// An output of which too little is known has a result once somebody has read it.
	old := core.Output{Segments: []core.Segment{{Len: 70000}}}
	end(a, 2, func(task *core.Task) { task.State, task.Output = core.Succeeded, old })
	missing, err := f.MissingResults(ctx, a.ID, 10)
	is(t, "missing", err, nil)
	same(t, "missing results", []core.TaskID{{Invocation: a.ID, Index: 2}}, missing)
	put := core.Result{Task: missing[0], Node: keys(4)[2], Outcome: core.Outcome{State: core.Succeeded, Stdout: sum("x")}}
	stale, gone := put, put
	stale.Task.Index, gone.Task.Index = 0, 99
	is(t, "put", f.PutResults(ctx, []core.Result{put, stale, gone}), nil)
	same(t, "all results", []core.Result{lost, put, failed}, f.results(t, a.ID))

	few := []core.NodeKey{f.node(t, mine, "a").Key, 12345}
	var many []core.NodeKey
	for i := range 150 {
		many = append(many, f.node(t, mine, fmt.Sprint("n", i)).Key)
	}
	is(t, "name it", f.ChangeNode(ctx, many[7], func(n *core.Node) error { n.ID, n.Name = core.ID(7).String(), "seven"; return nil }), nil)
	names, err := f.NodeNames(ctx, few)
	is(t, "names", err, nil)
	same(t, "names of one node that exists and one that does not", map[core.NodeKey]string{few[0]: "a"}, names)
	names, err = f.NodeNames(ctx, many)
	is(t, "names", err, nil)
	if names[many[7]] != "seven" || names[many[149]] != "n149" || len(names) < 150 {
		t.Errorf("names of many nodes: %v", names)
	}
	names, err = f.NodeNames(ctx, nil)
	is(t, "names", err, nil)
	same(t, "names of no nodes", 0, len(names))
}
