package consoletest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"errand/internal/core"
	"errand/internal/stacktest"
)

// run orders a script by an expression and waits for its end.
func run(t *testing.T, s *stacktest.Stack, target, script string) core.Invocation {
	t.Helper()
	root := s.Server.RootCaller()
	v, err := s.Server.Service.Run(t.Context(), root, core.RunSpec{
		Origin: core.OriginNative, Select: core.Selection{Expr: target}, KillTree: true,
		Definition: core.Definition{Type: core.Shell, Content: []byte(script)}, Limits: core.Limits{DefaultTimeout: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	stacktest.Eventually(t, patience, func() error {
		now, err := s.Server.Service.Invocation(t.Context(), root, v.ID)
		if err == nil && now.Counts.Open() > 0 {
			err = fmt.Errorf("%d tasks are open", now.Counts.Open())
		}
		return err
	})
	return v
}

// TestPages walks all pages of a small installation: no page may be one that axe-core finds something wrong with, or that the browser complains
// about, in either theme, also on a telephone.
func TestPages(t *testing.T) {
	t.Parallel()
	s := stacktest.Start(t)
	for i := range 3 {
		s.AddNode(t, fmt.Sprintf("web-%d", i+1))
	}
	// The first one to make the folder is the one that fails.
	script := "printf '\\033[32mkernel\\033[0m '; uname -r\nif mkdir " + t.TempDir() + "/first 2>/dev/null; then\n" +
		"  printf 'bash: \\033[1;31mfatal\\033[0m: no such host\\n' >&2\n  exit 3\nfi\n"
	v := run(t, s, "all", script)
	first, _, err := s.Server.Service.Tasks(t.Context(), s.Server.RootCaller(), core.TaskFilter{
		Invocations: []core.ID{v.ID}, States: []core.State{core.Failed},
	}, core.PageSpec{Limit: 1})
	if err != nil || len(first) != 1 {
		t.Fatalf("%d failed: %v", len(first), err)
	}
	groups, _, err := s.Server.Service.Results(t.Context(), s.Server.RootCaller(), v.ID, core.Merged, core.PageSpec{Limit: 2})
	if err != nil || len(groups.Groups) != 2 {
		t.Fatalf("%d groups: %v", len(groups.Groups), err)
	}
	b := open(t, s.URL)
	b.visit("login")
	b.axe("login")
	b.shot("login")
	b.signIn()
	page := "runs/" + v.ID.String()
	pages := []struct{ name, path string }{
		{"home", ""},
		{"runs", "runs"},
		{"runs-none", "runs?q=nothing"},
		{"compose", "runs/new"},
		{"run", page},
		{"run-nodes", page + "?tab=nodes"},
		{"run-timeline", page + "?tab=timeline"},
		{"run-script", page + "?tab=script"},
		{"diff", page + "/diff?group=" + groups.Groups[1].String()},
		{"run-audit", page + "?tab=audit"},
		{"output", "tasks/" + first[0].ID.String()},
		{"nodes", "nodes"},
		{"node", "nodes/web-1"},
		{"system", "system"},
		{"missing", "runs/nothing"},
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 768, 320} {
			if width == 768 && os.Getenv(shotsEnv) == "" {
				continue // between the two others: only looked at
			}
			b.size(width, 860, scheme)
			for _, p := range pages {
				b.visit(p.path)
				name := fmt.Sprintf("%s-%s-%d", p.name, scheme, width)
				b.axe(name)
				b.shot(name)
			}
		}
	}
	b.quiet()
	if os.Getenv(shotsEnv) != "" {
		pictures(t)
	}
}
