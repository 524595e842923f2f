package apitest

import (
	"strings"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
	"github.com/google/go-cmp/cmp"
)

// Doors opens terminals on the machines through ECS and through Lingjun, reads both from the list of ECS, and closes each the way it came.
func Doors(t *testing.T, target Target) {
	t.Helper()
	c := must(newRPC(target))(t)
	start := ecs.CreateStartTerminalSessionRequest()
	start.RegionId, start.InstanceId, start.Username = alibabaRegion, &target.Nodes, "root"
	first := must(c.StartTerminalSession(start))(t)
	if want := "ws://" + target.HostPort + "/session?sessionId=" + first.SessionId + "&token=" + first.SecurityToken; first.WebSocketUrl != want {
		t.Errorf("the terminal is at %s, want %s", first.WebSocketUrl, want)
	}

	eflo := must(newACS3(target, efloVersion, true))(t)
	var second struct{ SessionId, SessionToken, WssEndpoint, ServerSn string }
	if err := eflo.call("CreateSession", map[string]any{"NodeId": target.Nodes[0], "SessionType": "shell"}, &second); err != nil {
		t.Fatal(err)
	}
	if second.SessionToken == "" || second.WssEndpoint != "ws://"+target.HostPort+"/session" {
		t.Errorf("Lingjun's terminal: %+v", second)
	}

	shown := "s-" + strings.TrimPrefix(second.SessionId, "i") // as ECS writes it

	describe := func(id string) ecs.Session {
		t.Helper()
		r := ecs.CreateDescribeTerminalSessionsRequest()
		r.RegionId, r.SessionId = alibabaRegion, id
		list := must(c.DescribeTerminalSessions(r))(t).Sessions.Session
		if len(list) != 1 {
			t.Fatalf("%d sessions", len(list))
		}
		return list[0]
	}
	check := func(id, user, status string, nodes ...string) {
		t.Helper()
		got := describe(id)
		parseTime(t, got.CreationTime)
		want := ecs.Session{
			SessionId: id, CreationTime: got.CreationTime, Username: user, ClientIP: "127.0.0.1", IdentityType: "Account",
			PrincipalId: got.PrincipalId, Connections: ecs.Connections{Connection: []ecs.Connection{}},
		}
		for i, node := range nodes {
			conn := ecs.Connection{InstanceId: node, Status: status}
			if i < len(got.Connections.Connection) {
				was := got.Connections.Connection[i]
				conn.StartTime, conn.EndTime, conn.ClosedReason = was.StartTime, was.EndTime, was.ClosedReason
			}
			want.Connections.Connection = append(want.Connections.Connection, conn)
		}
		if diff := cmp.Diff(want, got); diff != "" || got.PrincipalId == "" {
			t.Errorf("session of %q (-want +got):\n%s", got.PrincipalId, diff)
		}
	}
	check(first.SessionId, "root", "Connecting", target.Nodes...)
	check(shown, "", "Connecting", target.Nodes[0])

	end := ecs.CreateEndTerminalSessionRequest()
	end.RegionId, end.SessionId = alibabaRegion, first.SessionId
	must(c.EndTerminalSession(end))(t)
	door := map[string]any{"SessionId": second.SessionId, "SessionToken": "wrong"}
	if code := refusal(t, eflo.call("CloseSession", door, &struct{}{})); code != "InvalidSessionId.NotFound" {
		t.Errorf("closed with a wrong token: %s", code)
	}
	door["SessionToken"] = second.SessionToken
	var closed struct{ SessionId, State string }
	if err := eflo.call("CloseSession", door, &closed); err != nil || closed.SessionId != second.SessionId || closed.State != "Inactive" {
		t.Errorf("closed: %+v, %v", closed, err)
	}
	check(first.SessionId, "root", "Terminated", target.Nodes...)
	check(shown, "", "Terminated", target.Nodes[0])

	end = ecs.CreateEndTerminalSessionRequest()
	end.RegionId, end.SessionId = alibabaRegion, "s-0000000000000000"
	if _, err := c.EndTerminalSession(end); refusal(t, err) != "InvalidSessionId.NotFound" {
		t.Errorf("a session that is not there: %v", err)
	}
}
