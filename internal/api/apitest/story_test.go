package apitest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"testing"
	"time"

	"errand/internal/agent/program"
	"errand/internal/api"
	"errand/internal/api/apitest"
	"errand/internal/api/ecs"
	"errand/internal/api/eflo"
	"errand/internal/api/tat"
	"errand/internal/api/zos"
	"errand/internal/stacktest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// TestStories tells every story to one product with two machines. Together they call every action.
func TestStories(t *testing.T) {
	t.Parallel()
	stack := stacktest.Start(t)
	target := apitest.Target{HostPort: stack.HostPort, KeyID: stack.KeyID, Secret: stack.Secret, Nodes: []string{"web-1", "web-2"}, Enrol: enroller(stack)}
	for _, id := range target.Nodes {
		stack.AddNode(t, id)
	}
	t.Run("stories", func(t *testing.T) {
		for name, story := range map[string]func(*testing.T, apitest.Target){
			"tell": apitest.Tell, "long output": apitest.LongOutput, "timeout": apitest.Timeout, "agents": apitest.Agents, "pages": apitest.Pages,
			"invokers":        apitest.Invokers,
			"stored commands": apitest.StoredCommands, "labels": apitest.Labels, "joining": apitest.Joining, "machines": apitest.Machines,
			"files": apitest.Files, "later": apitest.Later, "periodic": apitest.Periodic, "prepared": apitest.Prepared,
			"surroundings": apitest.Surroundings, "registering": apitest.Registering, "shelved": apitest.Shelved, "doors": apitest.Doors, "terminal": apitest.Terminal,
			"settings": apitest.Settings, "assistants": apitest.Assistants, "repeated": apitest.Repeated, "clusters": apitest.Clusters,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				story(t, target)
			})
		}
	})
	t.Run("every action was called", func(t *testing.T) {
		done := callsOf(t, stack)
		env := api.Env{}
		for dialect, actions := range map[string]map[string]api.Action{
			"ecs": ecs.New(env).Actions, "eflo": eflo.New(env).Actions, "tat": tat.New(env).Actions, "zos": zos.New(env).Actions,
		} {
			for name := range actions {
				if !done[dialect+" "+name] {
					t.Errorf("no SDK called %s of %s with success", name, dialect)
				}
			}
		}
	})
}

var succeeded = regexp.MustCompile(`(?m)^errand_api_calls_total\{action="(\w+)",code="",dialect="(\w+)"\}`)

// callsOf reads from the product's own metrics which actions it carried out.
func callsOf(t *testing.T, stack *stacktest.Stack) map[string]bool {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, stack.URL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	done := map[string]bool{}
	for _, call := range succeeded.FindAllSubmatch(text, -1) {
		done[string(call[2])+" "+string(call[1])] = true
	}
	return done
}

// enroller starts agents that join with a code that a story made.
func enroller(stack *stacktest.Stack) func(*testing.T, string, string, string) error {
	return func(t *testing.T, node, code, secret string) error {
		t.Helper()
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		a, err := program.Start(ctx, program.Options{
			Server: stack.URL, ActivationID: code, ActivationCode: secret, Data: t.TempDir(), NodeID: node, Version: "0.1.0-test", Log: stacktest.Log(t),
		})
		if err != nil {
			cancel()
			return err
		}
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Logf("the agent of %s ended: %v", node, err)
			}
		})
		stacktest.Eventually(t, 30*time.Second, func() error {
			found, err := stack.Server.Service.NodesByID(ctx, stack.Server.RootCaller(), []string{node})
			if err == nil && !stack.Server.Service.Connected(found[node].Key) {
				err = fmt.Errorf("%s does not connect", node)
			}
			return err
		})
		return nil
	}
}
