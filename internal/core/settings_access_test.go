package core_test

import (
	"context"
	"testing"

	"errand/internal/api/scene"
	"errand/internal/core"
	"errand/internal/policy"
)

// may is a caller with the rights of one policy and no others.
func may(t *testing.T, s *scene.Scene, document string) core.Caller {
	t.Helper()
	doc, err := policy.Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return core.Caller{Account: scene.Account, Principal: "bo", Rights: policy.Set{{Name: "test", Document: doc}}}
}

func statement(verb, resource string) string {
	return `{"Version":"1","Statement":[{"Effect":"Allow","Action":"errand:` + verb + `","Resource":"` + resource + `"}]}`
}

// TestRightsForSettingsAndClusters lets nobody in whose rights do not say so.
func TestRightsForSettingsAndClusters(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("in")
	s.Node("out")
	tag(t, s, "in", core.ClusterTag, "gpu")
	gpu := core.ClusterID(scene.Account, "gpu")
	ctx := t.Context()
	calls := map[string]func(core.Caller) error{
		"settings.read": func(c core.Caller) error { _, err := s.Service.Settings(ctx, c); return err },
		"settings.modify": func(c core.Caller) error {
			return s.Service.ChangeSettings(ctx, c, func(a *core.AccountSettings) error {
				a.Sessions.Enabled = false
				return nil
			})
		},
		"agent.install": func(c core.Caller) error { return s.Service.AskInstall(ctx, c, []string{"in"}) },
		"node.list": func(c core.Caller) error {
			_, _, err := s.Service.Clusters(ctx, c, core.ClusterFilter{}, core.PageSpec{Limit: 1})
			return err
		},
	}
	for verb, call := range calls {
		for other := range calls {
			err := call(may(t, s, statement(other, "*")))
			if other == verb && err != nil || other != verb && !core.ReasonDenied.Is(err) {
				t.Errorf("%s with a right to %s: %v", verb, other, err)
			}
		}
	}
	for resource, allowed := range map[string]bool{"node/in": true, "node/out": false} {
		if err := s.Service.AskInstall(ctx, may(t, s, statement("agent.install", resource)), []string{"in"}); (err == nil) != allowed {
			t.Errorf("install with rights on %s: %v", resource, err)
		}
		if _, err := s.Service.NodesOfClusters(ctx, may(t, s, statement("node.list", resource)), []string{gpu}); (err == nil) != allowed {
			t.Errorf("nodes of the cluster with rights on %s: %v", resource, err)
		}
	}
	if _, _, err := s.Service.ClusterName(ctx, may(t, s, statement("agent.install", "*")), gpu); !core.ReasonDenied.Is(err) {
		t.Errorf("name of the cluster: %v", err)
	}
}

// TestOnceOfAnotherUser keeps the answer to one user's order from another, who knows both token and order.
func TestOnceOfAnotherUser(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	answer := func(context.Context) ([]byte, error) { return []byte("secret"), nil }
	if _, err := s.Service.Once(t.Context(), s.Caller, "a", "t", "h", answer); err != nil {
		t.Fatal(err)
	}
	other := s.Caller
	other.Principal = "bo"
	if got, err := s.Service.Once(t.Context(), other, "a", "t", "h", answer); !core.ReasonTokenMismatch.Is(err) {
		t.Errorf("%q, %v", got, err)
	}
}
