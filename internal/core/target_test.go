package core_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/scene"
	"errand/internal/core"
	"errand/internal/policy"
)

// crowd puts nodes web00000, web00001 and so on straight into the store. Every tenth has role=db.
func crowd(tb testing.TB, store core.Store, now time.Time, n int) {
	tb.Helper()
	var wg sync.WaitGroup
	const writers = 100 // they share transactions
	errs := make([]error, writers)
	for w := range writers {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += writers {
				role := "web"
				if i%10 == 0 {
					role = "db"
				}
				_, errs[w] = store.InsertNode(tb.Context(), core.Node{
					Account: scene.Account, ID: fmt.Sprintf("web%05d", i), Name: fmt.Sprintf("host-%d.example.com", i), PublicKey: fmt.Sprint("key", i), Platform: core.Linux,
					Hostname: fmt.Sprintf("host-%d", i), OSName: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.1.0-38-amd64", Arch: "amd64", Agent: "1.2.3",
					CPUs: 4 << (i % 4), Memory: 16 << 30 << (i % 3), Features: []string{"shell", "schedule", "file", "session"}, LastSeen: now,
					Tags: []core.Tag{{Key: "env", Value: "prod"}, {Key: "role", Value: role}, {Key: "rack", Value: fmt.Sprint("r", i/40)}},
				})
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			tb.Fatal(err)
		}
	}
}

func withStore(store *core.Store) func(*core.Config) {
	return func(c *core.Config) { *store = c.Store }
}

// TestRunOnManyNodes runs something on twenty thousand nodes by one expression: no cap stands in the way, and policies are asked about each node.
func TestRunOnManyNodes(t *testing.T) {
	t.Parallel()
	var store core.Store
	s := scene.New(t, withStore(&store))
	const n = 2_000
	crowd(t, store, s.Now(), n)
	ctx := t.Context()
	spec := core.RunSpec{
		Origin: core.OriginNative, Definition: core.Definition{Type: core.Shell, Content: []byte("true")}, Select: core.Selection{Expr: "env=prod"},
		Limits: core.Limits{DefaultTimeout: time.Minute},
	}
	v, err := s.Service.Run(ctx, s.Caller, spec)
	if err != nil {
		t.Fatal(err)
	}
	if v.Counts.Total() != n || v.Selection.Expr != "env=prod" {
		t.Errorf("%d tasks by %q", v.Counts.Total(), v.Selection.Expr)
	}
	tasks, _, err := s.Service.Tasks(ctx, s.Caller, core.TaskFilter{Invocations: []core.ID{v.ID}}, core.PageSpec{Limit: 3})
	if err != nil || len(tasks) != 3 || tasks[0].Target.ID != "web00000" || tasks[2].Target.ID != "web00002" {
		t.Errorf("the first tasks are %v, %v", tasks, err)
	}

	// Who may not use one of the nodes may not use all of them.
	caller := s.Caller
	caller.Root, caller.Principal = false, "lee"
	doc, err := policy.Parse([]byte(`{"Version":"1","Statement":[{"Effect":"Allow","Action":"invocation.run","Resource":"node/*"},
		{"Effect":"Deny","Action":"*","Resource":"node/web01999"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	caller.Rights = policy.Set{{Name: "most", Document: doc}}
	if _, err := s.Service.Run(ctx, caller, spec); !core.ReasonDenied.Is(err) {
		t.Errorf("a node that is denied: %v", err)
	}
	spec.Select.Exclude = "web01999"
	if v, err := s.Service.Run(ctx, caller, spec); err != nil || v.Counts.Total() != n-1 {
		t.Errorf("without that node: %d, %v", v.Counts.Total(), err)
	}
	spec.Select = core.Selection{Expr: "web01999"}
	if _, err := s.Service.Run(ctx, caller, spec); !core.ReasonDenied.Is(err) {
		t.Errorf("that node alone: %v", err)
	}
	spec.Select = core.Selection{Expr: "nobody"}
	if _, err := s.Service.Run(ctx, caller, spec); !core.ReasonTargetNotFound.Is(err) {
		t.Errorf("no node: %v", err)
	}
	if _, err := s.Service.Preview(ctx, caller, core.Selection{Expr: "web00001"}); !core.ReasonDenied.Is(err) {
		t.Errorf("a preview without the right to list: %v", err)
	}
}

// TestPick draws shares of nodes.
func TestPick(t *testing.T) {
	t.Parallel()
	var store core.Store
	s := scene.New(t, withStore(&store))
	crowd(t, store, s.Now(), 1000)
	draw := func(share string, seed uint64, expr string) []string {
		t.Helper()
		pick, err := core.ParseShare(share)
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Service.Preview(t.Context(), s.Caller, core.Selection{Expr: expr, Pick: pick, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		return p.Names
	}
	first := draw("5%", 7, "all")
	if len(first) != 50 || !slices.IsSorted(first) {
		t.Errorf("5%% of 1000 are %q", first)
	}
	if diff := cmp.Diff(first, draw("5%", 7, "all")); diff != "" {
		t.Errorf("the same seed drew others: %s", diff)
	}
	if cmp.Equal(first, draw("5%", 8, "all")) {
		t.Error("another seed drew the same")
	}
	more := draw("100", 7, "all")
	for _, name := range first {
		if !slices.Contains(more, name) {
			t.Errorf("%s is among 50, but not among 100", name)
		}
	}
	// When nodes go, those that were drawn and stay are drawn again.
	rest := draw("50", 7, "role=web")
	for _, name := range first {
		if !strings.HasSuffix(name, "0") && !slices.Contains(rest, name) {
			t.Errorf("%s is not drawn again", name)
		}
	}
	if all := draw("2000", 1, "all"); len(all) != 1000 {
		t.Errorf("more than there are: %d", len(all))
	}
	if one := draw("1%", 1, "web00001,web00002"); len(one) != 1 {
		t.Errorf("1%% of two: %q", one)
	}
}

// TestSelectedNodesKeepTheirRun repeats a call by its token after the nodes are others.
func TestSelectedNodesKeepTheirRun(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("a")
	spec := core.RunSpec{
		Origin: core.OriginNative, Definition: core.Definition{Type: core.Shell, Content: []byte("true")}, Select: core.Selection{Expr: "a || b*"},
		ClientToken: "token", RequestHash: "hash", Limits: core.Limits{DefaultTimeout: time.Minute},
	}
	v, err := s.Service.Run(t.Context(), s.Caller, spec)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Service.RemoveNode(t.Context(), s.Caller, "a"); err != nil {
		t.Fatal(err)
	}
	if again, err := s.Service.Run(t.Context(), s.Caller, spec); err != nil || again.ID != v.ID {
		t.Errorf("%s, %v, want %s", again.ID, err, v.ID)
	}
}

// TestCordonAndVendors lets the vendors' dialects run on a cordoned node, whose APIs know no such thing.
func TestCordonAndVendors(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("a")
	yes := true
	if _, err := s.Service.ModifyNode(t.Context(), s.Caller, "a", core.NodeChange{Cordoned: &yes, Reason: "disk"}); err != nil {
		t.Fatal(err)
	}
	for origin, refused := range map[core.Origin]bool{
		core.OriginNative: true, core.OriginECS: false, core.OriginEFLO: false, core.OriginTAT: false, core.OriginZOS: false,
	} {
		_, err := s.Service.Run(t.Context(), s.Caller, core.RunSpec{
			Origin: origin, Definition: core.Definition{Type: core.Shell, Content: []byte("true")}, Targets: []string{"a"},
			Limits: core.Limits{DefaultTimeout: time.Minute},
		})
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), "cordoned by root") {
			t.Errorf("%s: %v", origin, err)
		}
	}
}

// TestModifyNodeNeedsEachRight refuses a change of several things for the one that the caller may not make.
func TestModifyNodeNeedsEachRight(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("a")
	caller := s.Caller
	caller.Root, caller.Principal = false, "lee"
	name, yes, tags := "n", true, []core.Tag{{Key: "k", Value: "v"}}
	changes := map[string]core.NodeChange{
		"node.modify": {Name: &name}, "node.cordon": {Cordoned: &yes}, "tag.add": {Tags: tags}, "tag.remove": {Untag: []string{"x"}},
	}
	for verb, change := range changes {
		doc, err := policy.Parse([]byte(`{"Version":"1","Statement":[{"Effect":"Allow","Action":"` + verb + `","Resource":"node/a"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		caller.Rights = policy.Set{{Name: "one", Document: doc}}
		if _, err := s.Service.ModifyNode(t.Context(), caller, "a", change); err != nil {
			t.Errorf("%s: %v", verb, err)
		}
		both := core.NodeChange{Name: &name, Cordoned: &yes, Tags: tags, Untag: []string{"x"}}
		if _, err := s.Service.ModifyNode(t.Context(), caller, "a", both); !core.ReasonDenied.Is(err) {
			t.Errorf("all with %s: %v", verb, err)
		}
	}
}

// TestWhy looks at what is said about nodes in every condition.
func TestWhy(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	features := []string{"shell", "schedule", "file", "dryrun", "policy", "transfer", "container", "secret", "limits", "login", "power"}
	meet := func(id string, features ...string) core.Node {
		t.Helper()
		n := s.Node(id)
		err := s.Service.Introduce(ctx, n.Key, core.Facts{Hostname: id, Platform: core.Linux, Agent: "1.0.0", Features: features})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	check := func(id, code, text string, blocks bool) {
		t.Helper()
		_, list, err := s.Service.Why(ctx, s.Caller, id)
		if err != nil {
			t.Fatal(err)
		}
		if code == "" {
			if len(list) != 0 {
				t.Errorf("%s: %v", id, list)
			}
			return
		}
		if len(list) == 0 || list[0].Code != code || !strings.Contains(list[0].Text, text) || list[0].Blocks != blocks || !strings.HasSuffix(list[0].Text, ".") {
			t.Errorf("%s: %+v, want %s %q", id, list, code, text)
		}
	}
	s.Node("never") // and too old as well, but that comes after
	fine, gone := meet("fine", features...), meet("gone", features...)
	check("fine", "", "", false)
	check("never", core.ConditionNeverSeen, "It enrolled 0 seconds ago and its agent has never connected.", true)
	s.Service.Gone(gone.Key)
	check("gone", core.ConditionUnlinked, "counts as online until it has been silent for 2 minutes", true)
	meet("old", "shell", "file", "schedule")
	check("old", core.ConditionAgentOld, "Its agent 1.0.0 takes no work that needs: dryrun, policy, transfer, container,", false)
	if _, err := s.Service.RotateNodeKey(ctx, s.Caller, "fine"); err != nil {
		t.Fatal(err)
	}
	check("fine", core.ConditionKey, "was asked 0 seconds ago to replace its key", false)
	row, err := s.Service.NodesByID(ctx, s.Caller, []string{"fine"})
	if err != nil {
		t.Fatal(err)
	}
	n := row["fine"]
	if err := s.Service.PrepareKey(ctx, &n, "next"); err != nil {
		t.Fatal(err)
	}
	check("fine", core.ConditionKey, "announced a new key", false)
	if _, err := s.Service.AdmitKey(ctx, "next"); err != nil {
		t.Fatal(err)
	}
	check("fine", "", "", false)
	if err := s.Service.Cloned(ctx, core.Clone{Node: fine.Key, StartID: "x", Machine: "m"}); err != nil {
		t.Fatal(err)
	}
	check("fine", core.ConditionClone, "Another machine came with its key", false)
	s.Advance(3 * time.Hour)
	check("fine", core.ConditionSilent, "nothing was heard of it for 3 hours", true)
	if _, err := s.Service.RemoveNode(ctx, s.Caller, "fine"); err != nil {
		t.Fatal(err)
	}
	s.Advance(72 * time.Hour)
	check("fine", core.ConditionRemoved, "removed from the account 3 days ago", true)
	if _, _, err := s.Service.Why(ctx, s.Caller, "nobody"); !core.ReasonTargetNotFound.Is(err) {
		t.Errorf("a node that never was: %v", err)
	}
}

// TestGroupsNeverMeetThemselves puts two groups at once that would contain each other: one of them is refused.
func TestGroupsNeverMeetThemselves(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	for _, name := range []string{"a", "b"} {
		if _, err := s.Service.PutNodeGroup(ctx, s.Caller, name, "all", ""); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	var errs [2]error
	wg.Go(func() { _, errs[0] = s.Service.PutNodeGroup(ctx, s.Caller, "a", "@b", "") })
	wg.Go(func() { _, errs[1] = s.Service.PutNodeGroup(ctx, s.Caller, "b", "@a", "") })
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("%v, %v", errs[0], errs[1])
	}
	if _, err := s.Service.Preview(ctx, s.Caller, core.Selection{Expr: "@a && @b"}); err != nil {
		t.Error(err)
	}
}

// cpu reports the processor time of an operation, which says more than the clock on a machine that others use.
func cpu(b *testing.B) func() {
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := spent()
	return func() { b.ReportMetric(float64((spent()-before).Milliseconds())/float64(b.N), "cpu-ms/op") }
}

// BenchmarkTargets asks for nodes among 50,000: the first page of a listing with its total, and a preview of all of them.
func BenchmarkTargets(b *testing.B) {
	var store core.Store
	s := scene.New(b, withStore(&store))
	const n = 50_000
	crowd(b, store, s.Now(), n)
	for name, expr := range map[string]string{
		"tag":      "role=web",
		"facts":    "mem_gib>=32 && os~*debian* && online",
		"names":    "web[00001-20000]",
		"versions": "agent>=1.2 && kernel<6.2",
		"all":      "all",
	} {
		b.Run("listing/"+name, func(b *testing.B) {
			defer cpu(b)()
			for b.Loop() {
				rows, info, err := s.Service.NodesMatching(b.Context(), s.Caller, expr, core.PageSpec{Limit: 100, Count: true})
				if err != nil || len(rows) != 100 || info.Total < 10_000 {
					b.Fatal(len(rows), info, err)
				}
			}
		})
		b.Run("preview/"+name, func(b *testing.B) {
			defer cpu(b)()
			for b.Loop() {
				p, err := s.Service.Preview(b.Context(), s.Caller, core.Selection{Expr: expr})
				if err != nil || p.Total < 10_000 {
					b.Fatal(p.Total, err)
				}
			}
		})
	}
}
