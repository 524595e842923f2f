package core_test

import (
	"slices"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// TestForeignReportsBesideOwn puts what one node says about another's task into the same batch as what the task's own node says: it changes
// nothing, and the own node is not told to forget what it has not finished.
func TestForeignReportsBesideOwn(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	one, two := s.Node("one"), s.Node("two")
	s.Online(one, two)
	plain := run(t, s, order("one"))
	standing := order("one")
	standing.Repeat, standing.Frequency = core.Period, "rate(5m)"
	repeating := run(t, s, standing)
	chunk := core.Chunk{Data: []byte("out"), Spans: []core.Span{{Stream: core.Stdout, Len: 3}}}
	for name, of := range map[string]core.Report{
		"task": {Task: core.TaskID{Invocation: plain.ID}},
		"run":  {Task: core.TaskID{Invocation: repeating.ID}, Due: s.Now()},
	} {
		own, foreign := of, of
		own.Node, own.Kind, own.Chunk = one.Key, core.ReportOutput, chunk
		foreign.Node, foreign.Kind, foreign.State = two.Key, core.ReportEnded, core.Failed
		for i, batch := range [][]core.Report{{own, foreign}, {foreign, own}} {
			answers, err := s.Service.Report(t.Context(), batch)
			if err != nil {
				t.Fatal(err)
			}
			told := map[core.NodeKey]core.Answer{}
			for _, a := range answers {
				told[a.Node] = a
			}
			if a := told[one.Key]; len(answers) != 2 || a.Final || a.Have != 3 || !told[two.Key].Final {
				t.Errorf("%s, order %d: answers %+v", name, i, answers)
			}
		}
	}
	for _, f := range []core.TaskFilter{{Invocations: []core.ID{plain.ID}}, {Schedules: []core.ID{repeating.ID}}} {
		rows, _, err := s.Service.Tasks(t.Context(), s.Caller, f, core.PageSpec{Limit: 10})
		if err != nil || len(rows) != 1 || rows[0].State != core.Running {
			t.Errorf("tasks %+v, %v", rows, err)
		}
	}
}

// TestManyNodesOneMoment reports one moment of a standing invocation from many nodes in one batch.
func TestManyNodesOneMoment(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	const nodes = 300
	var names []string
	var all []core.Node
	for i := range nodes {
		n := s.Node("n" + string(rune('a'+i/26%26)) + string(rune('a'+i%26)) + string(rune('a'+i/676)))
		all, names = append(all, n), append(names, n.ID)
	}
	s.Online(all...)
	spec := order(names...)
	spec.Repeat, spec.Frequency = core.Period, "rate(5m)"
	v := run(t, s, spec)
	due := s.Now()
	var batch []core.Report
	for i, n := range all {
		batch = append(batch, core.Report{
			Task: core.TaskID{Invocation: v.ID, Index: uint32(i)}, Due: due, Node: n.Key, Kind: core.ReportEnded, State: core.Succeeded,
			Exited: true, Started: due, Ended: due.Add(time.Second),
		})
	}
	answers, err := s.Service.Report(t.Context(), slices.Concat(batch, batch))
	if err != nil || len(answers) != nodes {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	runs, info, err := s.Service.Invocations(t.Context(), s.Caller, core.InvocationFilter{Schedules: []core.ID{v.ID}}, core.PageSpec{Limit: 10, Count: true})
	if err != nil || info.Total != 1 || runs[0].Counts.Of(core.Succeeded) != nodes {
		t.Errorf("%d occurrences, %v: %+v", info.Total, err, runs)
	}
}
