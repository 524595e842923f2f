package core_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// webs makes nodes web001 to webNNN that are online, and an invocation on all of them.
func webs(t *testing.T, s *scene.Scene, n int) ([]core.Node, core.Invocation) {
	t.Helper()
	nodes, names := make([]core.Node, n), make([]string, n)
	for i := range nodes {
		names[i] = fmt.Sprintf("web%03d", i+1)
		nodes[i] = s.Node(names[i])
	}
	s.Online(nodes...)
	return nodes, run(t, s, order(names...))
}

// TestThreeOfThreeHundredDiffer groups 300 nodes of which 3 print something else.
func TestThreeOfThreeHundredDiffer(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	nodes, v := webs(t, s, 300)
	for i, n := range nodes {
		switch i + 1 {
		case 50, 51, 177:
			s.Exit(v.ID, n, 0, "kernel 6.12\nok 2\nend\n", "")
		default:
			s.Exit(v.ID, n, 0, "kernel 6.12\nok 1\nend\n", "")
		}
	}
	got, info, err := s.Service.Results(t.Context(), s.Caller, v.ID, core.Merged, core.PageSpec{Limit: 10})
	if err != nil || info.Next != "" || got.Total != 2 || got.Ended != 300 || got.Open != 0 || len(got.Groups) != 2 {
		t.Fatalf("%v, %+v", err, got)
	}
	for i, want := range []struct {
		nodes string
		tasks int
	}{{"web[001-049,052-176,178-300]", 297}, {"web[050-051,177]", 3}} {
		g := &got.Groups[i]
		folded, more := g.Folded(1000)
		if folded != want.nodes || more != 0 || g.Tasks != want.tasks || g.Reference != (i == 0) || g.Bytes != 21 || !strings.HasPrefix(string(g.Head), "kernel") {
			t.Errorf("%s: %+v", folded, g)
		}
	}
	odd := got.Groups[1].GroupKey
	c, err := s.Service.Compare(t.Context(), s.Caller, v.ID, odd, nil)
	if err != nil || c.Truncated || len(c.Hunks) != 1 || c.Against != got.Groups[0].GroupKey {
		t.Fatalf("%v, %+v", err, c)
	}
	var diff strings.Builder
	for _, l := range c.Hunks[0].Lines {
		fmt.Fprintf(&diff, "%c%s\n", l.Op, l.Text)
	}
	if d := cmp.Diff(" kernel 6.12\n-ok 1\n+ok 2\n end\n", diff.String()); d != "" {
		t.Errorf("diff (-want +got):\n%s", d)
	}
	tasks, info, err := s.Service.GroupTasks(t.Context(), s.Caller, v.ID, odd, core.PageSpec{Limit: 2})
	if err != nil || len(tasks) != 2 || tasks[0].Target.ID != "web050" || tasks[1].Target.ID != "web051" || info.Next == "" {
		t.Fatalf("%v, %d tasks, %+v", err, len(tasks), info)
	}
	tasks, info, err = s.Service.GroupTasks(t.Context(), s.Caller, v.ID, odd, core.PageSpec{Limit: 2, Token: info.Next})
	if err != nil || len(tasks) != 1 || tasks[0].Target.ID != "web177" || info.Next != "" {
		t.Errorf("%v, %d tasks, %+v", err, len(tasks), info)
	}
}

// TestGroups tells apart by what differs, and by nothing else.
func TestGroups(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	nodes, v := webs(t, s, 10)
	long := strings.Repeat("0123456789abcdef\n", 10_000)
	s.Exit(v.ID, nodes[0], 0, "a\n", "e\n")
	s.Exit(v.ID, nodes[1], 0, "b\n", "e\n")
	s.Exit(v.ID, nodes[2], 3, "a\n", "e\n")
	// The same, interleaved in another way, in other chunks and sent twice.
	id := s.Task(v.ID, nodes[3])
	end := printed(t, s, id, nodes[3].Key, []piece{{core.Stderr, "e", 0}, {core.Stdout, "a", 0}, {core.Stderr, "\n", 0}})
	last := core.Chunk{Off: end, Spans: []core.Span{{Stream: core.Stdout, Len: 1}}, Data: []byte("\n")}
	for range 2 {
		s.Report(v.ID, nodes[3], core.Report{
			Kind: core.ReportEnded, State: core.Succeeded, Exited: true, Chunk: last, Stdout: 2, Stderr: 2, End: end + 1,
		})
	}
	for i, cut := range []int{1000, 40_000} {
		n := nodes[4+i]
		end := printed(t, s, s.Task(v.ID, n), n.Key, []piece{{core.Stdout, long[:cut], 0}, {core.Stdout, long[cut:150_000], 0}, {core.Stdout, long[150_000:], 0}})
		s.Report(v.ID, n, core.Report{Kind: core.ReportEnded, State: core.Succeeded, Exited: true, Stdout: end, End: end})
	}
	if err := s.Service.Stop(t.Context(), s.Caller, v.ID, []string{nodes[6].ID}); err != nil {
		t.Fatal(err)
	}
	s.Report(v.ID, nodes[6], core.Report{Kind: core.ReportEnded, State: core.Cancelled, Cause: core.CauseInterrupted})
	groups := func(stream core.Stream) (list []string) {
		got, _, err := s.Service.Results(t.Context(), s.Caller, v.ID, stream, core.PageSpec{Limit: 100})
		if err != nil || got.Ended != 7 || got.Open != 3 {
			t.Fatalf("%v, %+v", err, got)
		}
		for i := range got.Groups {
			g := &got.Groups[i]
			key, ok := core.ParseGroupKey(g.GroupKey.String())
			if !ok || key != g.GroupKey {
				t.Errorf("%s is read as %+v", g.GroupKey, key)
			}
			list = append(list, fmt.Sprint(g.State, " ", g.ExitCode, " ", strings.ReplaceAll(strings.Join(g.Nodes, " "), "host-", "")))
		}
		return list
	}
	want := []string{"succeeded 0 web001 web004", "succeeded 0 web005 web006", "succeeded 0 web002", "failed 3 web003", "cancelled 0 web007"}
	if d := cmp.Diff(want, groups(core.Merged)); d != "" {
		t.Errorf("both streams (-want +got):\n%s", d)
	}
	want = []string{"succeeded 0 web001 web002 web004", "succeeded 0 web005 web006", "failed 3 web003", "cancelled 0 web007"}
	if d := cmp.Diff(want, groups(core.Stderr)); d != "" {
		t.Errorf("stderr (-want +got):\n%s", d)
	}
	page, info, err := s.Service.Results(t.Context(), s.Caller, v.ID, core.Merged, core.PageSpec{Limit: 2})
	for n := 2; err == nil && info.Next != ""; n += len(page.Groups) {
		page, info, err = s.Service.Results(t.Context(), s.Caller, v.ID, core.Merged, core.PageSpec{Limit: 2, Token: info.Next})
		if n == 4 && (len(page.Groups) != 1 || page.Groups[0].State != core.Cancelled) {
			t.Errorf("last page: %+v", page.Groups)
		}
	}
	if err != nil {
		t.Error(err)
	}
}
