package eflo_test

import (
	"strings"
	"testing"

	"errand/internal/api"
	"errand/internal/api/alibaba/caller"
	"errand/internal/core"
)

type createdSession struct{ RequestId, SessionId, SessionToken, WssEndpoint, ServerSn string }

// TestSessions opens a terminal of each type and closes it.
func TestSessions(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Online(s.Node("e01-cn-1"))
	for _, kind := range []string{"-", "Sol", "Shell", "shell"} {
		var got createdSession
		c.Call("CreateSession", caller.Params{"NodeId": "e01-cn-1", "StartTime": "1669340937156"}.With("SessionType", kind)).Into(t, &got)
		id, ok := api.SessionID(got.SessionId)
		if !ok || !strings.HasPrefix(got.SessionId, "i") || len(got.SessionToken) != 64 ||
			!strings.HasPrefix(got.WssEndpoint, "ws://127.0.0.1:") || !strings.HasSuffix(got.WssEndpoint, "/session") {
			t.Errorf("created %+v", got)
		}
		joined, err := s.Service.JoinSession(t.Context(), id, got.SessionToken, false)
		if err != nil || joined.Mode != core.SessionShell || joined.Origin != core.OriginEFLO || joined.Connections[0].Status != core.ConnectionConnecting {
			t.Errorf("joined %+v, %v", joined, err)
		}
		wrong := c.Call("CloseSession", caller.Params{"SessionId": got.SessionId, "SessionToken": "03f53c71"})
		if wrong.Status != 404 || wrong.Code != "InvalidSessionId.NotFound" {
			t.Errorf("closed with another token: %d %s", wrong.Status, wrong.Code)
		}
		for range 2 {
			var closed struct{ SessionId, State string }
			c.Call("CloseSession", caller.Params{"SessionId": got.SessionId, "SessionToken": got.SessionToken}).Into(t, &closed)
			if closed.SessionId != got.SessionId || closed.State != "Inactive" {
				t.Errorf("closed %+v", closed)
			}
		}
		if _, err := s.Service.JoinSession(t.Context(), id, got.SessionToken, true); err == nil {
			t.Error("joined after it was closed")
		}
	}
}

func TestSessionMistakes(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Online(s.Node("e01-cn-1"), s.NodeOn(core.Windows, "e01-win"))
	good := caller.Params{"NodeId": "e01-cn-1"}
	for _, m := range []struct {
		action string
		params caller.Params
		status int
		code   string
	}{
		{"CreateSession", caller.Params{}, 400, "MissingNodeId"},
		{"CreateSession", good.With("NodeId", "e01-nobody"), 404, "InvalidNode.NotFound"},
		{"CreateSession", good.With("SessionType", "Telnet"), 400, "InvalidParameter.SessionType"},
		{"CreateSession", good.With("StartTime", "166934093715"), 400, "InvalidParameter.StartTime"},
		{"CreateSession", good.With("StartTime", "2026-01-01T00:00:00Z"), 400, "InvalidParameter.StartTime"},
		{"CloseSession", caller.Params{"SessionToken": "x"}, 400, "MissingSessionId"},
		{"CloseSession", caller.Params{"SessionId": "i207023871669364793713"}, 400, "MissingSessionToken"},
		{"CloseSession", caller.Params{"SessionId": "i207023871669364793713", "SessionToken": "x"}, 404, "InvalidSessionId.NotFound"},
		{"CloseSession", caller.Params{"SessionId": "i" + s.Service.NewID().String(), "SessionToken": "x"}, 404, "InvalidSessionId.NotFound"},
	} {
		if a := c.Call(m.action, m.params); a.Status != m.status || a.Code != m.code {
			t.Errorf("%s %v: %d %s, want %d %s", m.action, m.params, a.Status, a.Code, m.status, m.code)
		}
	}
	if a := c.Call("CreateSession", good.With("NodeId", "e01-win")); a.Status == 200 {
		t.Error("a terminal on Windows")
	}
	err := s.Service.ChangeSettings(t.Context(), s.Caller, func(settings *core.AccountSettings) error {
		settings.Sessions.Enabled = false
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if a := c.Call("CreateSession", good); a.Status != 403 || a.Code != "UserBehavior.SessionManagerDisabled" {
		t.Errorf("switched off: %d %s", a.Status, a.Code)
	}
	if rows, _, err := s.Service.Sessions(t.Context(), s.Caller, core.SessionFilter{}, core.PageSpec{Limit: 1}); err != nil || len(rows) != 0 {
		t.Errorf("%d sessions, %v", len(rows), err)
	}
}
