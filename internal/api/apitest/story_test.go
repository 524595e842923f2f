package apitest_test

import (
	"testing"

	"errand/internal/api/apitest"
	"errand/internal/stacktest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// TestStories tells every story to one product with two machines.
func TestStories(t *testing.T) {
	t.Parallel()
	stack := stacktest.Start(t)
	target := apitest.Target{HostPort: stack.HostPort, KeyID: stack.KeyID, Secret: stack.Secret, Nodes: []string{"web-1", "web-2"}}
	for _, id := range target.Nodes {
		stack.AddNode(t, id)
	}
	for name, story := range map[string]func(*testing.T, apitest.Target){
		"tell": apitest.Tell, "long output": apitest.LongOutput, "timeout": apitest.Timeout, "agents": apitest.Agents, "pages": apitest.Pages,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, target)
		})
	}
}
