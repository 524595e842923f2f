package eflo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/api/alibaba/caller"
	"errand/internal/api/eflo"
	"errand/internal/api/scene"
	"errand/internal/core"
)

// open sets a scene with the dialect and a caller.
func open(t *testing.T) (*scene.Scene, *caller.Client) {
	t.Helper()
	s := scene.New(t)
	c := caller.New(t, s, alibaba.VersionEFLO, eflo.New(s.Env()))
	c.Form = true
	return s, c
}

func run(t *testing.T, c *caller.Client, p caller.Params) (string, core.ID) {
	t.Helper()
	var made struct{ InvokeId string }
	c.Call("RunCommand", p).Into(t, &made)
	id, ok := api.InvocationID(made.InvokeId)
	if !ok || !strings.HasPrefix(made.InvokeId, "t-") {
		t.Fatalf("invocation %q", made.InvokeId)
	}
	return made.InvokeId, id
}

type invocations struct {
	Invocations struct{ Invocation []map[string]any }
}

func describe(t *testing.T, c *caller.Client, p caller.Params) []map[string]any {
	t.Helper()
	var got invocations
	c.Call("DescribeInvocations", p).Into(t, &got)
	return got.Invocations.Invocation
}

func nodesOf(row map[string]any) []map[string]any {
	var nodes []map[string]any
	for _, n := range row["InvokeNodes"].(map[string]any)["InvokeNode"].([]any) {
		nodes = append(nodes, n.(map[string]any))
	}
	return nodes
}

const begun = "2026-11-22T05:41:40Z"

// TestDescribeInvocations reads every documented field.
func TestDescribeInvocations(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	one, two := s.Node("e01-cn-1"), s.Node("")
	invoke, id := run(t, c, caller.Params{
		"NodeIdList": `["e01-cn-1","` + two.ID + `"]`, "CommandContent": "ZWNobyB7e259fQ==", "ContentEncoding": "Base64", "Name": "n",
		"Description": "d", "WorkingDir": "/home", "Timeout": "20", "EnableParameter": "true", "Parameters": `{"N":3}`, "Username": "bob",
		"Launcher": "bash", "TerminationMode": "ProcessTree", "RepeatMode": "Once",
	})
	s.Exit(id, one, 3, "out", "err")
	s.Report(id, two, core.Report{
		Kind: core.ReportEnded, State: core.TimedOut, Cause: core.CauseExecTimeout, Signal: 9, Started: s.Now(), Ended: s.Now().Add(time.Minute),
	})
	want := map[string]any{
		"InvokeId": invoke, "CommandName": "n", "CommandDescription": "d", "CommandContent": "ZWNobyB7e259fQ==", "Parameters": `{"N":3}`,
		"RepeatMode": "Once", "Frequency": "", "Timeout": 20., "Username": "bob", "WorkingDir": "/home", "CreationTime": begun,
		"InvocationStatus": "Failed", "InvokeStatus": "PartialFailed",
		"InvokeNodes": map[string]any{"InvokeNode": []any{
			map[string]any{
				"NodeId": "e01-cn-1", "InvocationStatus": "Failed", "NodeInvokeStatus": "Finished", "ErrorCode": "ExitCodeNonzero",
				"ErrorInfo": "the command execution exit code is not zero", "ExitCode": 3., "Output": "", "Dropped": 0., "Repeats": 1.,
				"Timed": "false", "CreationTime": begun, "StartTime": begun, "FinishTime": "2026-11-22T05:41:41Z", "StopTime": "",
				"UpdateTime": begun,
			},
			map[string]any{
				"NodeId": "e01-" + two.ID, "InvocationStatus": "Timeout", "NodeInvokeStatus": "Failed", "ErrorCode": "ExecutionTimeout",
				"ErrorInfo": "the command execution has been timeout", "ExitCode": 137., "Output": "", "Dropped": 0., "Repeats": 1.,
				"Timed": "false", "CreationTime": begun, "StartTime": begun, "FinishTime": "2026-11-22T05:42:00Z", "StopTime": "",
				"UpdateTime": begun,
			},
		}},
	}
	if diff := cmp.Diff([]map[string]any{want}, describe(t, c, caller.Params{"InvokeId": invoke})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	alone := describe(t, c, caller.Params{"InvokeId": invoke, "NodeId": "e01-cn-1", "IncludeOutput": "true", "ContentEncoding": "PlainText"})[0]
	nodes := nodesOf(alone)
	if alone["InvocationStatus"] != "Failed" || alone["InvokeStatus"] != "Finished" || alone["CommandContent"] != "echo {{n}}" ||
		len(nodes) != 1 || nodes[0]["Output"] != "outerr" {
		t.Errorf("one node: %v", alone)
	}
	if got := nodesOf(describe(t, c, caller.Params{"InvokeId": invoke, "IncludeOutput": "true"})[0])[0]["Output"]; got != "b3V0ZXJy" {
		t.Errorf("encoded output %v", got)
	}
	for _, p := range []caller.Params{{"InvokeId": "t-unknown"}, {"InvokeId": "t-" + core.ID(9).String()}, {"InvokeId": invoke, "NodeId": "e01-x"}} {
		if got := describe(t, c, p); len(got) != 0 {
			t.Errorf("%v: %v", p, got)
		}
	}
}

// TestOneNodeAmongSuccess never shows a node the failure of another.
func TestOneNodeAmongSuccess(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	good, bad := s.Node("e01-a"), s.Node("e01-b")
	invoke, id := run(t, c, caller.Params{"NodeIdList": `["e01-a","e01-b"]`, "CommandContent": "x"})
	s.Exit(id, good, 0, "", "")
	s.Report(id, bad, core.Report{Kind: core.ReportEnded, State: core.StartFailed, Cause: core.CauseUserNotFound, Ended: s.Now()})
	for node, want := range map[string][2]string{"": {"PartialFailed", "PartialFailed"}, "e01-a": {"Success", "Finished"}, "e01-b": {"Failed", "Failed"}} {
		row := describe(t, c, caller.Params{"InvokeId": invoke, "NodeId": node})[0]
		if got := [2]string{row["InvocationStatus"].(string), row["InvokeStatus"].(string)}; got != want {
			t.Errorf("node %q: %v, want %v", node, got, want)
		}
	}
	if n := nodesOf(describe(t, c, caller.Params{"InvokeId": invoke, "NodeId": "e01-b"})[0])[0]; n["InvocationStatus"] != "Invalid" || n["ErrorCode"] != "AccountNotExists" {
		t.Errorf("no such user: %v", n)
	}
}

func TestRunStoredCommand(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Node("e01-a")
	cmd, err := s.Service.CreateCommand(t.Context(), s.Caller, core.CommandSpec{Definition: core.Definition{
		Name: "stored", Type: core.Shell, Content: []byte("echo {{who}}"), WorkDir: "/srv", Timeout: time.Minute, ParamsEnabled: true,
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, id := run(t, c, caller.Params{
		"NodeIdList.1": "e01-a", "CommandId": "c-" + cmd.ID.String(), "Parameters": `{"who":"me"}`, "Timeout": "5", "Username": "bob",
	})
	v, err := s.Service.Invocation(t.Context(), s.Caller, id)
	if err != nil {
		t.Fatal(err)
	}
	if string(v.Script) != "echo me" || v.WorkDir != "/srv" || v.User != "bob" || v.Timeout != 10*time.Second || v.Command != cmd.ID || !v.KillTree {
		t.Errorf("%+v", v)
	}
}

func TestRegionIsALabel(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Node("e01-a")
	for sent, want := range map[string]string{"cn-wulanchabu": "cn-wulanchabu", "": "cn-hangzhou", "nowhere": "cn-hangzhou"} {
		_, id := run(t, c, caller.Params{"NodeIdList": `["e01-a"]`, "CommandContent": "x", "RegionId": sent})
		v, err := s.Service.Invocation(t.Context(), s.Caller, id)
		if err != nil || v.Region != want || v.Origin != core.OriginEFLO {
			t.Errorf("sent %q: region %s, origin %s (%v)", sent, v.Region, v.Origin, err)
		}
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Node("e01-a")
	s.Node("e01-b")
	invoke, _ := run(t, c, caller.Params{"NodeIdList": `["e01-a","e01-b"]`, "CommandContent": "x"})
	for _, step := range []struct {
		params caller.Params
		want   [2]any
	}{
		{caller.Params{"NodeIdList": `["e01-b"]`}, [2]any{"Pending", "Cancelled"}},
		{caller.Params{"NodeIdList": `null`}, [2]any{"Cancelled", "Cancelled"}},
		{nil, [2]any{"Cancelled", "Cancelled"}},
	} {
		c.Call("StopInvocation", step.params.With("InvokeId", "f-"+invoke[2:])).Into(t, &struct{}{})
		nodes := nodesOf(describe(t, c, caller.Params{"InvokeId": invoke})[0])
		if got := [2]any{nodes[0]["InvocationStatus"], nodes[1]["InvocationStatus"]}; got != step.want {
			t.Errorf("%v: %v, want %v", step.params, got, step.want)
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Node("e01-a")
	s.NodeOn(core.Windows, "e01-w")
	invoke, _ := run(t, c, caller.Params{"NodeIdList": `["e01-a"]`, "CommandContent": "x", "ClientToken": "used"})
	x := func(n int) string { return strings.Repeat("x", n) }
	works := map[string]caller.Params{
		"RunCommand":     {"NodeIdList": `["e01-a"]`, "CommandContent": "x"},
		"StopInvocation": {"InvokeId": invoke},
	}
	for _, m := range []struct {
		action string
		params []string
		status int
		code   string
	}{
		{"RunCommand", []string{"NodeIdList", "-"}, 400, "MissingParam.NodeIdList"},
		{"RunCommand", []string{"NodeIdList", "[]"}, 400, "MissingParam.NodeIdList"},
		{"RunCommand", []string{"NodeIdList", `[""]`}, 400, "MissingParam.NodeIdList"},
		{"RunCommand", []string{"NodeIdList", "e01-a"}, 400, "InvalidParameter.NodeIdList"},
		{"RunCommand", []string{"NodeIdList", `[1]`}, 400, "InvalidParameter.NodeIdList"},
		{"RunCommand", []string{"NodeIdList", `["e01-a"`}, 400, "InvalidParameter.NodeIdList"},
		{"RunCommand", []string{"NodeIdList", `["e01-x"]`}, 404, "InvalidNode.NotFound"},
		{"RunCommand", []string{"NodeIdList", `["e01-w"]`}, 400, "InvalidNode.NotMatch"},
		{"RunCommand", []string{"NodeIdList", `["` + strings.Repeat(`e01-a","`, 100) + `e01-a"]`}, 403, "NodeIdList.ExceedLimit"},
		{"RunCommand", []string{"CommandContent", "-"}, 400, "MissingParam.CommandContent"},
		{"RunCommand", []string{"CommandContent", "====", "ContentEncoding", "Base64"}, 400, "MissingCommandContent"},
		{"RunCommand", []string{"CommandContent", "!", "ContentEncoding", "Base64"}, 400, "CmdContent.DecodeError"},
		{"RunCommand", []string{"CommandContent", x(18433)}, 403, "CmdContent.ExceedLimit"},
		{"RunCommand", []string{"CommandId", "c-x"}, 400, "InvalidParameter.CommandId"},
		{"RunCommand", []string{"CommandId", "c-x", "CommandContent", "-"}, 404, "InvalidCmdId.NotFound"},
		{"RunCommand", []string{"CommandId", core.ID(9).String(), "CommandContent", "-"}, 404, "InvalidCmdId.NotFound"},
		{"RunCommand", []string{"Name", x(129)}, 403, "CmdName.ExceedLimit"},
		{"RunCommand", []string{"Name", "\x00"}, 400, "InvalidParameter.Name"},
		{"RunCommand", []string{"Description", x(513)}, 403, "CmdDesc.ExceedLimit"},
		{"RunCommand", []string{"WorkingDir", x(201)}, 400, "InvalidParameter.WorkingDir"},
		{"RunCommand", []string{"WorkingDir", "\n"}, 400, "InvalidParameter.WorkingDir"},
		{"RunCommand", []string{"Username", x(256)}, 403, "Username.ExceedLimit"},
		{"RunCommand", []string{"Username", "\n"}, 400, "InvalidParameter.Username"},
		{"RunCommand", []string{"Launcher", x(1025)}, 403, "InvalidLauncher.LengthLimitExceeded"},
		{"RunCommand", []string{"Timeout", "86401"}, 403, "InvalidTimeout.ExceedLimit"},
		{"RunCommand", []string{"Timeout", "1.5"}, 400, "InvalidParameter.Timeout"},
		{"RunCommand", []string{"TerminationMode", "x"}, 404, "InvalidTerminationMode.NotFound"},
		{"RunCommand", []string{"RepeatMode", "DryRun"}, 404, "InvalidRepeatMode.NotFound"},
		{"RunCommand", []string{"RepeatMode", "Period"}, 400, "MissingParam.Frequency"},
		{"RunCommand", []string{"Frequency", "rate(1s)"}, 400, "InvalidParam.Frequency"},
		{"RunCommand", []string{"Parameters", `{"a":1}`}, 400, "Parameter.Disabled"},
		{"RunCommand", []string{"Parameters", `x`}, 400, "InvalidParameter.Parameters"},
		{"RunCommand", []string{"EnableParameter", "true", "Parameters", `{"a":1}`}, 403, "Parameter.NotMatched"},
		{"RunCommand", []string{"EnableParameter", "true", "Parameters", `{"":1}`}, 403, "Parameter.NotMatched"},
		{"RunCommand", []string{"EnableParameter", "true", "Parameters", `{"a b":1}`}, 403, "Parameter.NotMatched"},
		{"RunCommand", []string{"EnableParameter", "true", "Parameters", `{"a":1,"A":2}`}, 403, "ParameterKey.Duplicate"},
		{"RunCommand", []string{"EnableParameter", "true", "Parameters", `{"a":[]}`}, 403, "ParameterType.NotSupported"},
		{"RunCommand", []string{"EnableParameter", "true", "Parameters", `{"` + x(65) + `":1}`}, 403, "ParameterKey.ExceedLimit"},
		{"RunCommand", []string{"ClientToken", x(65)}, 400, "InvalidClientToken.Malformed"},
		{"RunCommand", []string{"ClientToken", "used", "Timeout", "61"}, 403, "IdempotentParameterMismatch"},
		{"StopInvocation", []string{"InvokeId", "-"}, 400, "MissingInvokeId"},
		{"StopInvocation", []string{"InvokeId", "t-x"}, 404, "InvalidInvokeId.NotFound"},
		{"StopInvocation", []string{"InvokeId", "t-" + core.ID(9).String()}, 404, "InvalidInvokeId.NotFound"},
		{"StopInvocation", []string{"NodeIdList", `["e01-x"]`}, 404, "InvalidNode.NotFound"},
		{"StopInvocation", []string{"NodeIdList", `["e01-w"]`}, 404, "InvalidNode.NotFound"},
		{"DescribeInvocations", nil, 400, "MissingInvokeId"},
		{"DescribeInvocations", []string{"InvokeId", "x", "IncludeOutput", "x"}, 400, "InvalidParameter.IncludeOutput"},
		{"DescribeCommands", nil, 404, "InvalidAction.NotFound"}, // the other product's
	} {
		if a := c.Call(m.action, works[m.action].With(m.params...)); a.Status != m.status || a.Code != m.code || a.Text == "" {
			t.Errorf("%s %.60q: %d %s, want %d %s", m.action, m.params, a.Status, a.Code, m.status, m.code)
		}
	}
	_, all, err := s.Service.Invocations(t.Context(), s.Caller, core.InvocationFilter{}, core.PageSpec{Limit: 1, Count: true})
	if err != nil || all.Total != 1 {
		t.Errorf("%d invocations stored (%v)", all.Total, err)
	}
}

func TestClientToken(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Node("e01-a")
	p := caller.Params{"NodeIdList": `["e01-a"]`, "CommandContent": "x", "ClientToken": "t"}
	first, _ := run(t, c, p)
	c.ACS3 = true
	if again, _ := run(t, c, p); again != first {
		t.Errorf("%s, then %s", first, again)
	}
}
