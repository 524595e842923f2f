package core_test

import (
	"testing"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// TestOutputWithoutEnd takes no more of a task's output than the server keeps, whether it is long or in many pieces, and still lets the node come
// to an end with it.
func TestOutputWithoutEnd(t *testing.T) {
	t.Parallel()
	for name, kept := range map[string][]core.Segment{
		"long":   {{Off: 0, Len: 256 << 20}},
		"pieces": pieces(8192),
	} {
		var store core.Store
		s := scene.New(t, func(c *core.Config) { store = c.Store })
		n := s.Node("n")
		s.Online(n)
		v := run(t, s, order("n"))
		id := core.TaskID{Invocation: v.ID}
		err := store.ChangeTasks(t.Context(), []core.TaskID{id}, func(task *core.Task) bool {
			task.Output.Segments = kept
			task.Output.Recent.Off = kept[len(kept)-1].End()
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		have := kept[len(kept)-1].End()
		for i := range 50 {
			data := make([]byte, 64<<10)
			c := core.Chunk{Off: have, Gap: true, Data: data, Spans: []core.Span{{Stream: core.Stdout, Len: uint32(len(data))}}}
			r := core.Report{Task: id, Node: n.Key, Kind: core.ReportOutput, Chunk: c}
			if i == 49 {
				r.Kind, r.State, r.Exited, r.End = core.ReportEnded, core.Succeeded, true, c.End()
			}
			answers, err := s.Service.Report(t.Context(), []core.Report{r})
			if err != nil || len(answers) != 1 {
				t.Fatalf("%s: %v, %+v", name, err, answers)
			}
			if i < 49 && answers[0].Have != c.End() || i == 49 && !answers[0].Final {
				t.Fatalf("%s: piece %d answered with %+v", name, i, answers[0])
			}
			have = c.End()
		}
		rows, _, err := store.ListTasks(t.Context(), core.TaskFilter{IDs: []core.TaskID{id}, Output: true}, core.Page{Limit: 1})
		if err != nil || len(rows) != 1 {
			t.Fatal(err, len(rows))
		}
		if got := rows[0]; len(got.Output.Segments) != len(kept) || len(got.Output.Recent.Data) > 0 || got.State != core.Succeeded {
			t.Errorf("%s: %d segments, %d bytes, %s", name, len(got.Output.Segments), len(got.Output.Recent.Data), got.State)
		}
	}
}

func pieces(n int) (list []core.Segment) {
	for i := range n {
		list = append(list, core.Segment{Off: uint64(2 * i), Len: 1})
	}
	return list
}
