package main

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"errand/internal/api/native"
)

func TestEventCommands(t *testing.T) {
	t.Parallel()
	s := openShell(t)
	var answer atomic.Int32
	answer.Store(http.StatusOK)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(answer.Load())) }))
	t.Cleanup(hook.Close)

	var sub native.NewSubscription
	s.json(&sub, "events", "subscribe", hook.URL, "--name", "ci", "--type", "errand.task.*,errand.invocation.ended", "--batch", "5")
	if sub.Secret == "" || sub.Batch != 5 || len(sub.Types) != 2 || !sub.Enabled {
		t.Errorf("%+v", sub)
	}
	s.has(s.ok("events", "subscribe", hook.URL), "SECRET", "whsec_")
	s.has(s.ok("events", "list"), sub.ID, "ci", "enabled", "errand.task.*,errand.invocation.ended", hook.URL)
	s.has(s.ok("events", "show", sub.ID), sub.ID, "ci")
	s.has(s.ok("events", "update", sub.ID, "--enabled=false", "--type", "", "--name", "cd"), "cd", "disabled", "*")
	s.has(s.ok("events", "update", sub.ID, "--rotate-secret"), "whsec_")
	s.has(s.ok("events", "ping", sub.ID), "200")
	answer.Store(http.StatusTeapot)
	if out, code := s.run("events", "ping", sub.ID); code != 1 {
		t.Errorf("an answer that is no success: exit code %d\n%s", code, out)
	}
	s.has(s.ok("events", "dead", sub.ID), "GIVEN-UP")
	s.has(s.ok("events", "log", "--limit", "10"), "EXIT-CODE")
	for _, from := range []string{"now", "7", "2026-01-02T15:04:05Z"} {
		s.has(s.ok("events", "replay", sub.ID, "--from", from), sub.ID)
	}
	s.has(s.ok("events", "replay", sub.ID, "--dead", "all"), "AGAIN")
	for _, args := range [][]string{
		{"events"},
		{"events", "subscribe"},
		{"events", "replay", sub.ID},
		{"events", "replay", sub.ID, "--from", "yesterday"},
		{"events", "replay", sub.ID, "--from", "now", "--dead", "all"},
	} {
		if _, code := s.run(args...); code != int(exitUsage) {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
	if _, code := s.run("events", "replay", sub.ID, "--dead", "7"); code != 1 {
		t.Errorf("a dead letter that is none: exit code %d", code)
	}
	s.ok("events", "delete", sub.ID)
	if _, code := s.run("events", "show", sub.ID); code != 1 {
		t.Errorf("what is deleted: exit code %d", code)
	}
}
