package ecs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api"
	"errand/internal/api/alibaba/caller"
	"errand/internal/api/scene"
	"errand/internal/core"
)

type startedSession struct{ RequestId, SessionId, SecurityToken, WebSocketUrl string }

func startSession(t *testing.T, c *caller.Client, p caller.Params) (startedSession, core.ID) {
	t.Helper()
	var got startedSession
	c.Call("StartTerminalSession", p).Into(t, &got)
	id, ok := api.SessionID(got.SessionId)
	if !ok || !strings.HasPrefix(got.SessionId, "s-") || len(got.SecurityToken) != 64 {
		t.Fatalf("started %+v", got)
	}
	if !strings.HasPrefix(got.WebSocketUrl, "ws://127.0.0.1:") ||
		!strings.HasSuffix(got.WebSocketUrl, "/session?sessionId="+got.SessionId+"&token="+got.SecurityToken) {
		t.Errorf("URL %s", got.WebSocketUrl)
	}
	return got, id
}

// shownSessions asks for sessions and returns them as they came.
func shownSessions(t *testing.T, c *caller.Client, p caller.Params) (list []map[string]any, next string) {
	t.Helper()
	var got struct {
		NextToken string
		Sessions  struct{ Session []map[string]any }
	}
	c.Call("DescribeTerminalSessions", p).Into(t, &got)
	return got.Sessions.Session, got.NextToken
}

func became(t *testing.T, s *scene.Scene, r core.ConnectionReport) {
	t.Helper()
	if err := s.Service.ReportConnection(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// TestSessions starts sessions of every mode and reads them as they go through every status.
func TestSessions(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	one, away := s.Node("i-one"), s.Node("i-away")
	generated := s.Node("")
	s.Online(one, generated)
	shown := func(id string) map[string]any {
		t.Helper()
		list, _ := shownSessions(t, c, caller.Params{"SessionId": id})
		if len(list) != 1 {
			t.Fatalf("%d sessions %s", len(list), id)
		}
		return list[0]
	}
	connection := func(id, status, reason, detail, start, end string) map[string]any {
		conn := map[string]any{"InstanceId": id, "Status": status, "StartTime": start, "EndTime": end}
		if reason != "" {
			conn["ClosedReason"] = reason
		}
		if detail != "" {
			conn["FailedDetail"] = detail
		}
		return conn
	}
	want := func(id, user, host string, port float64, conns ...any) map[string]any {
		return map[string]any{
			"SessionId": id, "CreationTime": "2026-11-22T05:41:40Z", "Username": user, "TargetServer": host, "ClientIP": "127.0.0.1",
			"PrincipalId": scene.Account.String(), "IdentityType": "Account", "PortNumber": port, "Connections": map[string]any{"Connection": conns},
		}
	}
	same := func(id string, want map[string]any) {
		t.Helper()
		if diff := cmp.Diff(want, shown(id)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}

	several := caller.Params{"Username": "admin", "ConnectionType": "Intranet"}.With(list("InstanceId", "i-one", "i-away", "mi-"+generated.ID, "i-one")...)
	got, id := startSession(t, c, several)
	same(got.SessionId, want(got.SessionId, "admin", "", 0,
		connection("i-one", "Connecting", "", "", "", ""),
		connection("i-away", "Failed", "AgentNotOnline", "the agent is not connected", "", "2026-11-22T05:41:40Z"),
		connection("mi-"+generated.ID, "Connecting", "", "", "", ""),
	))
	s.Advance(time.Second)
	became(t, s, core.ConnectionReport{Session: id, Node: one.Key, Status: core.ConnectionConnected})
	s.Advance(time.Second)
	became(t, s, core.ConnectionReport{Session: id, Node: one.Key, Status: core.ConnectionDisconnected, Closed: core.ClosedByAgent, Detail: "x"})
	became(t, s, core.ConnectionReport{Session: id, Node: one.Key, Status: core.ConnectionConnected})                                              // late
	became(t, s, core.ConnectionReport{Session: id, Node: away.Key, Status: core.ConnectionTerminated, Closed: core.ClosedByClient})               // late
	became(t, s, core.ConnectionReport{Session: id, Node: generated.Key, Status: core.ConnectionFailed, Closed: core.ClosedByAgent, Detail: "no"}) // the last one
	same(got.SessionId, want(got.SessionId, "admin", "", 0,
		connection("i-one", "Disconnected", "AgentSocketClosed", "", "2026-11-22T05:41:41Z", "2026-11-22T05:41:42Z"),
		connection("i-away", "Failed", "AgentNotOnline", "the agent is not connected", "", "2026-11-22T05:41:40Z"),
		connection("mi-"+generated.ID, "Failed", "AgentSocketClosed", "no", "", "2026-11-22T05:41:42Z"),
	))
	s.Advance(-2 * time.Second)

	got, _ = startSession(t, c, caller.Params{"InstanceId.1": "i-one", "PortNumber": "5432", "TargetServer": "db.internal"})
	same(got.SessionId, want(got.SessionId, "", "db.internal", 5432, connection("i-one", "Connecting", "", "", "", "")))
	for range 2 { // ending it again changes nothing
		c.Call("EndTerminalSession", caller.Params{"SessionId": got.SessionId}).Into(t, &struct{}{})
		same(got.SessionId, want(got.SessionId, "", "db.internal", 5432, connection("i-one", "Terminated", "ClientClosed", "", "", "2026-11-22T05:41:40Z")))
	}
	for _, encryption := range []caller.Params{
		{"EncryptionOptions": `{"Enabled":true,"Mode":"Auto"}`},
		{"EncryptionOptions.Enabled": "true"},
		{"EncryptionOptions.Enabled": "false", "EncryptionOptions.Mode": "Kms", "EncryptionOptions.KMSKeyId": "k"},
	} {
		startSession(t, c, encryption.With("InstanceId.1", "i-one", "CommandLine", "top", "PasswordName", "p"))
	}

	// Nobody joins for ten minutes.
	late, lateID := startSession(t, c, caller.Params{"InstanceId.1": "i-one"})
	s.Advance(10*time.Minute - time.Second)
	if _, err := s.Service.JoinSession(t.Context(), lateID, late.SecurityToken, false); err != nil {
		t.Errorf("in time: %v", err)
	}
	s.Advance(time.Second)
	for _, live := range []bool{false, true} {
		if _, err := s.Service.JoinSession(t.Context(), lateID, late.SecurityToken, live); (err == nil) != live {
			t.Errorf("too late, live %t: %v", live, err)
		}
	}
	if n, err := s.Service.ExpireSessions(t.Context()); err != nil || n != 4 {
		t.Errorf("%d sessions expired, %v", n, err)
	}
	s.At(time.Date(2026, 11, 22, 5, 51, 40, 0, time.UTC))
	same(late.SessionId, want(late.SessionId, "", "", 0,
		connection("i-one", "Failed", "DeliveryTimeout", "nobody joined in time", "", "2026-11-22T05:51:40Z")))
}

// TestSessionPages lists by node and by page.
func TestSessionPages(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Online(s.Node("i-one"), s.Node("i-two"))
	var ids []string
	for i := range 12 {
		got, _ := startSession(t, c, caller.Params{"InstanceId.1": []string{"i-one", "i-two"}[i%2]})
		ids = append([]string{got.SessionId}, ids...)
	}
	names := func(list []map[string]any) (names []string) {
		for _, session := range list {
			names = append(names, session["SessionId"].(string))
		}
		return names
	}
	first, next := shownSessions(t, c, nil)
	rest, last := shownSessions(t, c, caller.Params{"NextToken": next})
	if diff := cmp.Diff(ids, append(names(first), names(rest)...)); diff != "" || len(first) != 10 || last != "" {
		t.Errorf("%d on the first page, then %q (-want +got):\n%s", len(first), last, diff)
	}
	all, next := shownSessions(t, c, caller.Params{"MaxResults": "100", "InstanceId": "i-one"})
	if len(all) != 6 || next != "" {
		t.Errorf("%d of one node, next %q", len(all), next)
	}
	for _, p := range []caller.Params{{"SessionId": "s-nothing"}, {"InstanceId": "i-nobody"}, {"SessionId": ids[0], "InstanceId": ids[1]}} {
		if none, _ := shownSessions(t, c, p); len(none) != 0 {
			t.Errorf("%v: %d sessions", p, len(none))
		}
	}
	for p, code := range map[string]string{"0": "InvalidParameter.MaxResults", "101": "InvalidParameter.MaxResults", "x": "InvalidParameter.MaxResults"} {
		if a := c.Call("DescribeTerminalSessions", caller.Params{"MaxResults": p}); a.Status != 400 || a.Code != code {
			t.Errorf("MaxResults %s: %d %s", p, a.Status, a.Code)
		}
	}
	if a := c.Call("DescribeTerminalSessions", caller.Params{"NextToken": "x"}); a.Status != 400 || a.Code != "InvalidParameter.NextToken" {
		t.Errorf("a token that was made up: %d %s", a.Status, a.Code)
	}
}

// TestSessionOnce starts one session for one token.
func TestSessionOnce(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Online(s.Node("i-one"))
	p := caller.Params{"InstanceId.1": "i-one", "ClientToken": "one"}
	first, _ := startSession(t, c, p)
	again, _ := startSession(t, c, p)
	if first.RequestId = again.RequestId; first != again {
		t.Errorf("first %+v, again %+v", first, again)
	}
	if a := c.Call("StartTerminalSession", p.With("Username", "other")); a.Code != "IdempotentParameterMismatch" {
		t.Errorf("another request with the token: %s", a.Code)
	}
	if list, _ := shownSessions(t, c, nil); len(list) != 1 {
		t.Errorf("%d sessions", len(list))
	}
}

// TestSessionMistakes has every code that StartTerminalSession can answer with.
func TestSessionMistakes(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Online(s.Node("i-one"), s.NodeOn(core.Windows, "i-win"))
	ids := func(n int) caller.Params {
		p := caller.Params{}
		for i := range n {
			p[fmt.Sprintf("InstanceId.%d", i+1)] = "i-one"
		}
		return p
	}
	one := ids(1)
	long := func(n int) string { return strings.Repeat("中", n) }
	for _, m := range []struct {
		params        caller.Params
		status        int // 200: it is fine
		code, message string
	}{
		{ids(0), 400, "MissingParam.InstanceId", "The parameter instanceId is missing or empty."},
		{ids(10), 200, "", ""},
		{ids(11), 403, "InstanceIds.ExceedLimit", "The number of instance IDs exceeds the upper limit."},
		{one.With("InstanceId.2", "i-nobody"), 404, "InvalidInstance.NotFound", "The specified instances not found."},
		{one.With("RegionId", "atlantis"), 404, "InvalidRegionId.NotFound", "The RegionId provided does not exist in our records."},
		{one.With("RegionId", ""), 400, "MissingRegionId", "RegionId is mandatory for this action."},
		{one.With("PortNumber", "0"), 400, "PortNumber.Invalid", "The port number is invalid."},
		{one.With("PortNumber", "65536"), 400, "PortNumber.Invalid", "The port number is invalid."},
		{one.With("PortNumber", "-9223372036854775808"), 400, "PortNumber.Invalid", "The port number is invalid."},
		{one.With("PortNumber", "ssh"), 400, "PortNumber.Invalid", "The port number is invalid."},
		{one.With("PortNumber", "65535"), 200, "", ""},
		{one.With("ConnectionType", "Carrier"), 400, "InvalidParameter.ConnectionType", "The specified parameter ConnectionType is not valid."},
		{one.With("ConnectionType", "Internet"), 200, "", ""},
		{one.With("TargetServer", "db"), 403, "InvalidTargetServer.MissingPortNumber", "The parameter PortNumber must be specified with parameter TargetServer."},
		{
			one.With("CommandLine", "ls", "PortNumber", "22"), 403, "InvalidCommandLine.Conflict",
			"The parameter PortNumber or TargetServer cannot be specified with parameter CommandLine.",
		},
		{
			one.With("CommandLine", "ls", "TargetServer", "db"), 403, "InvalidCommandLine.Conflict",
			"The parameter PortNumber or TargetServer cannot be specified with parameter CommandLine.",
		},
		{one.With("CommandLine", long(512)), 200, "", ""},
		{
			one.With("CommandLine", long(513)), 403, "InvalidCommandLine.LengthLimitExceeded",
			"The length of the parameter CommandLine exceeded the limit of 512 characters.",
		},
		{one.With("PortNumber", "22", "TargetServer", long(128)), 200, "", ""},
		{
			one.With("PortNumber", "22", "TargetServer", long(129)), 403, "InvalidTargetServer.LengthLimitExceeded",
			"The length of the parameter TargetServer exceeded the limit of 128 characters.",
		},
		{one.With("Username", long(255)), 200, "", ""},
		{one.With("Username", long(256)), 403, "Username.ExceedLimit", "The length of the username exceeds the upper limit."},
		{one.With("Username", "a\nb"), 400, "InvalidParameter.Username", "The specified parameter Username is not valid."},
		{one.With("PasswordName", long(255)), 200, "", ""},
		{
			one.With("PasswordName", long(256)), 403, "InvalidPasswordName.LengthLimitExceeded",
			"The length of the parameter PasswordName exceeds the limit of 255 characters.",
		},
		{ids(2).With("CommandLine", "ls"), 403, "InvalidInstanceIds.CountLimitExceeded", onlyOne},
		{ids(2).With("PortNumber", "22", "TargetServer", "db"), 403, "InvalidInstanceIds.CountLimitExceeded", onlyOne},
		{ids(2).With("PortNumber", "22"), 200, "", ""},
		{one.With("PortNumber", "80", "TargetServer", "169.254.169.254"), 403, "InvalidOperation.SecurityGroupRuleDenied", denied},
		{one.With("PortNumber", "80", "TargetServer", "::ffff:169.254.0.1"), 403, "InvalidOperation.SecurityGroupRuleDenied", denied},
		{one.With("PortNumber", "80", "TargetServer", "fe80::1"), 403, "InvalidOperation.SecurityGroupRuleDenied", denied},
		{one.With("PortNumber", "80", "TargetServer", "0.0.0.0"), 403, "InvalidOperation.SecurityGroupRuleDenied", denied},
		{one.With("PortNumber", "80", "TargetServer", "127.0.0.1"), 200, "", ""},
		{one.With("InstanceId.1", "i-win"), 403, "Operation.Forbidden", "The operation is not permitted."},
		{one.With("InstanceId.1", "i-win", "PortNumber", "3389"), 403, "PortForwarding.NotSupported", "Port forwarding is not supported currently."},
		{one.With("EncryptionOptions", `{"Enabled":true,"Mode":"Kms","KMSKeyId":"k"}`), 403, "Operation.Forbidden", "The operation is not permitted."},
		{one.With("EncryptionOptions.Mode", "ROT13"), 400, "InvalidParameter.EncryptionOptions", "The specified parameter EncryptionOptions is not valid."},
		{one.With("EncryptionOptions", "{"), 400, "InvalidParameter.EncryptionOptions", "The specified parameter EncryptionOptions is not valid."},
		{one.With("ClientToken", "a b"), 400, "InvalidClientToken.Malformed", "The specified parameter clientToken is not valid."},
	} {
		a := c.Call("StartTerminalSession", m.params)
		if a.Status != m.status || a.Code != m.code || a.Text != m.message {
			t.Errorf("%.200v: %d %s %q, want %d %s %q", m.params, a.Status, a.Code, a.Text, m.status, m.code, m.message)
		}
	}
	for params, want := range map[string]string{"": "400 MissingSessionId", "s-nothing": "404 InvalidSessionId.NotFound", "s-" + s.Service.NewID().String(): "404 InvalidSessionId.NotFound"} {
		a := c.Call("EndTerminalSession", caller.Params{"SessionId": params})
		if got := fmt.Sprint(a.Status, " ", a.Code); got != want {
			t.Errorf("end %q: %s, want %s", params, got, want)
		}
	}
	modify(t, c, caller.Params{"SettingType": "SessionManagerConfig", "SessionManagerConfig": `{"SessionManagerEnabled":false}`})
	if a := c.Call("StartTerminalSession", one); a.Status != 403 || a.Code != "UserBehavior.SessionManagerDisabled" ||
		a.Text != "The api is disabled by user behavior." {
		t.Errorf("switched off: %d %s %s", a.Status, a.Code, a.Text)
	}
}

const (
	onlyOne = "The count of Instances exceeded the maximum limit of 1 when TargetServer or CommandLine parameter was specified."
	denied  = "The operation is not allowed by the security group inbound rules of the specified instance."
)

// TestSessionQuotas counts what is open in an account and region, and what is connected to a node.
func TestSessionQuotas(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	one, two := s.Node("i-one"), s.Node("i-two")
	s.Online(one, two)
	var last startedSession
	for i := range 100 {
		got, id := startSession(t, c, caller.Params{"InstanceId.1": "i-one"})
		if last = got; i >= 80 {
			continue
		}
		status := core.ConnectionConnected
		if i >= 19 {
			status = core.ConnectionFailed
		}
		became(t, s, core.ConnectionReport{Session: id, Node: one.Key, Status: status})
	}
	refused := func(when string, p caller.Params) {
		t.Helper()
		a := c.Call("StartTerminalSession", p)
		if a.Status != 403 || a.Code != "SessionCount.ExceedLimit" || a.Text != "The number of sessions exceeds the upper limit." {
			t.Errorf("%s: %d %s %s", when, a.Status, a.Code, a.Text)
		}
	}
	id, _ := api.SessionID(last.SessionId)
	became(t, s, core.ConnectionReport{Session: id, Node: one.Key, Status: core.ConnectionConnected}) // the twentieth
	refused("20 are connected to a node", caller.Params{"InstanceId.1": "i-two", "InstanceId.2": "i-one"})
	for range 61 {
		last, _ = startSession(t, c, caller.Params{"InstanceId.1": "i-two"})
	}
	refused("100 are open", caller.Params{"InstanceId.1": "i-two"})
	startSession(t, c, caller.Params{"InstanceId.1": "i-two", "RegionId": "cn-beijing"})
	c.Call("EndTerminalSession", caller.Params{"SessionId": last.SessionId}).Into(t, &struct{}{})
	startSession(t, c, caller.Params{"InstanceId.1": "i-two"})
}

// TestSessionIsolation keeps the sessions of one account from another.
func TestSessionIsolation(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Online(s.Node("i-one"))
	mine, id := startSession(t, c, caller.Params{"InstanceId.1": "i-one"})
	const stranger = core.AccountID(2000000000000002)
	if _, err := s.Service.CreateAccount(t.Context(), stranger, "stranger"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Service.CreateKey(t.Context(), stranger, "root", "strangerid", c.Secret); err != nil {
		t.Fatal(err)
	}
	c.Key = "strangerid"
	if list, _ := shownSessions(t, c, caller.Params{"SessionId": mine.SessionId}); len(list) != 0 {
		t.Errorf("sees %v", list)
	}
	for action, p := range map[string]caller.Params{
		"EndTerminalSession": {"SessionId": mine.SessionId}, "StartTerminalSession": {"InstanceId.1": "i-one"},
	} {
		if a := c.Call(action, p); a.Status != 404 {
			t.Errorf("%s: %d %s", action, a.Status, a.Code)
		}
	}
	if _, err := s.Service.JoinSession(t.Context(), id, mine.SecurityToken, false); err != nil {
		t.Errorf("the session is not what it was: %v", err)
	}
	if _, err := s.Service.JoinSession(t.Context(), id, mine.SecurityToken[1:]+"0", false); err == nil {
		t.Error("joined with another token")
	}
}
