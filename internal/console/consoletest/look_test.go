package consoletest

import (
	"fmt"
	"os"
	"testing"

	"errand/internal/core"
	"errand/internal/stacktest"
)

// TestPages walks all pages of a small installation: no page may be one that axe-core finds something wrong with, or that the browser complains
// about, in either theme, also on a telephone.
func TestPages(t *testing.T) {
	t.Parallel()
	s := stacktest.Start(t)
	for i := range 3 {
		s.AddNode(t, fmt.Sprintf("web-%d", i+1))
	}
	root := s.Server.RootCaller()
	v, err := s.Server.Service.Run(t.Context(), root, core.RunSpec{
		Origin: core.OriginNative, Targets: []string{"web-1", "web-2", "web-3"}, KillTree: true,
		Definition: core.Definition{Type: core.Shell, Content: []byte("uname -r\nexit 3\n")},
		Limits:     core.Limits{DefaultTimeout: 60e9},
	})
	if err != nil {
		t.Fatal(err)
	}
	task := core.TaskID{Invocation: v.ID}
	b := open(t, s.URL)
	b.visit("login")
	b.axe("login")
	b.shot("login")
	b.signIn()
	run := "runs/" + v.ID.String()
	pages := []struct{ name, path string }{
		{"home", ""}, {"runs", "runs"}, {"runs-none", "runs?q=nothing"}, {"compose", "runs/new"}, {"run", run}, {"run-nodes", run + "?tab=nodes"},
		{"run-script", run + "?tab=script"}, {"run-audit", run + "?tab=audit"}, {"output", "tasks/" + task.String()}, {"nodes", "nodes"},
		{"node", "nodes/web-1"}, {"system", "system"}, {"missing", "runs/nothing"},
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 768, 320} {
			if width == 768 && os.Getenv(shotsEnv) == "" {
				continue // between the two others: only looked at
			}
			b.size(width, 860, scheme)
			for _, page := range pages {
				b.visit(page.path)
				name := fmt.Sprintf("%s-%s-%d", page.name, scheme, width)
				b.axe(name)
				b.shot(name)
			}
		}
	}
	b.quiet()
}
