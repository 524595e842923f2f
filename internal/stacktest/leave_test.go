package stacktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"errand/internal/agent/identity"
	agentprogram "errand/internal/agent/program"
	"errand/internal/core"
)

// away waits until a node has no connection.
func (s *Stack) away(t *testing.T, key core.NodeKey) {
	t.Helper()
	Eventually(t, soon, func() error {
		if s.Server.Service.Connected(key) {
			return fmt.Errorf("node %d is connected", key)
		}
		return nil
	})
}

// keyOf returns the key of a node.
func (s *Stack) keyOf(t *testing.T, id string) core.NodeKey {
	t.Helper()
	found, err := s.Server.Service.NodesByID(t.Context(), s.Server.RootCaller(), []string{id})
	if err != nil {
		t.Fatal(err)
	}
	return found[id].Key
}

// TestRemovedNode takes a node out of its account while it is connected and a command runs on it. Its connection ends, its key opens neither
// door any more, the command is reported as lost, and goes on on the machine, where nobody but its own time limit ends it.
func TestRemovedNode(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(*testing.T, *Stack) error{
		"core": func(t *testing.T, s *Stack) error {
			_, err := s.Server.Service.RemoveNode(t.Context(), s.Server.RootCaller(), "i-one")
			return err
		},
		"native": func(t *testing.T, s *Stack) error {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.URL+"/api/v1/nodes/i-one", http.NoBody)
			if err != nil {
				return err
			}
			req.SetBasicAuth(KeyID, Secret)
			resp, err := http.DefaultClient.Do(req)
			if err == nil && resp.StatusCode != http.StatusOK {
				err = errors.New(resp.Status)
			}
			if resp != nil {
				resp.Body.Close()
			}
			return err
		},
		"ecs": func(t *testing.T, s *Stack) error {
			return s.Client().Call(t.Context(), "DeregisterManagedInstance", url.Values{"InstanceId": {"i-one"}}, &struct{}{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			removeWhileRunning(t, remove)
		})
	}
}

func removeWhileRunning(t *testing.T, remove func(*testing.T, *Stack) error) {
	t.Helper()
	s := Start(t, QuietServer)
	s.AddNode(t, "i-one")
	key := s.keyOf(t, "i-one")
	c := s.Client()
	goes := filepath.Join(t.TempDir(), "goes-on")
	task := c.Run(t, fmt.Sprintf("sleep 2; touch %s", goes), url.Values{"Timeout": {"60"}}, "i-one")
	Eventually(t, soon, func() error {
		if got, err := c.Results(t.Context(), task); err != nil || len(got) != 1 || got[0].StartTime == "" {
			return fmt.Errorf("not started: %+v, %w", got, err)
		}
		return nil
	})
	id, err := identity.Load(filepath.Join(s.dir, "agent-i-one"))
	if err != nil {
		t.Fatal(err)
	}
	if err := remove(t, s); err != nil {
		t.Fatal(err)
	}
	s.away(t, key)
	client, err := id.NewClient(http.DefaultClient, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Standing(t.Context(), "x"); !identity.Refused(err) {
		t.Errorf("its key is still good for the door: %v", err)
	}
	if _, err := s.Server.Service.NodeByPublicKey(t.Context(), mustKey(t, id)); err == nil {
		t.Error("its key is still good for the bus")
	}
	Eventually(t, soon, func() error { _, err := os.Stat(goes); return err })
	if got := c.Await(t, task, soon)[0]; got.InvocationStatus != "Error" || got.ErrorCode != "InstanceReleased" {
		t.Errorf("%+v", got)
	}
}

func mustKey(t *testing.T, i identity.Identity) string {
	t.Helper()
	public, err := i.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return public
}

// TestDeregister lets a machine leave by itself. The server refuses its key, the machine forgets it, and enrols as another node.
func TestDeregister(t *testing.T) {
	t.Parallel()
	s := Start(t)
	stop := s.AddNode(t, "i-one")
	key := s.keyOf(t, "i-one")
	dir := filepath.Join(s.dir, "agent-i-one")
	id, err := identity.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	deregister := func() (int, string) {
		var out bytes.Buffer
		e := agentprogram.Env{Name: "errand-agent", Version: "test", Stdout: &out, Stderr: &out}
		return agentprogram.Main(context.WithoutCancel(t.Context()), e, []string{"deregister", "--data", dir}), out.String()
	}
	if code, out := deregister(); code != 1 {
		t.Errorf("beside a running agent: %d, %s", code, out)
	}
	stop()
	s.away(t, key)
	Eventually(t, soon, func() error {
		if code, out := deregister(); code != 0 {
			return fmt.Errorf("%d, %s", code, out)
		}
		return nil
	})
	if _, err := s.Server.Service.NodeByPublicKey(t.Context(), mustKey(t, id)); err == nil {
		t.Error("its key is still good for the bus")
	}
	if _, err := identity.Load(dir); err == nil {
		t.Error("the machine still has its identity")
	}
	for _, name := range []string{"identity", "journal", "tasks"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
	if r := s.audited(t, "Leave"); r[0].Resources[0] != "node/i-one" {
		t.Errorf("%+v", r[0])
	}
	s.AddNode(t, "i-one") // the id is free
	if again := s.keyOf(t, "i-one"); again == key {
		t.Error("the same node again")
	}
	c := s.Client()
	if got := c.Await(t, c.Run(t, "echo new", nil, "i-one"), soon); got[0].Output != "new\n" {
		t.Errorf("%+v", got)
	}
}
