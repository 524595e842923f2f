package eflo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/alibaba/caller"
	"errand/internal/core"
)

type sentFiles struct {
	TotalCount  string
	Invocations struct{ Invocation []map[string]any }
}

// send sends a file and returns its id.
func send(t *testing.T, c *caller.Client, p caller.Params) (string, core.ID) {
	t.Helper()
	sent := ask[struct{ InvokeId string }](t, c, "SendFile", p).InvokeId
	id, ok := core.ParseID(strings.TrimPrefix(sent, "f-"))
	if !ok || !strings.HasPrefix(sent, "f-") {
		t.Fatalf("file %q", sent)
	}
	return sent, id
}

// motd is a file that can be sent to the node e01-a.
var motd = caller.Params{"NodeIdList": `["e01-a"]`, "Name": "motd", "TargetDir": "/etc", "Content": "hello"}

// TestSendFile sends a file with every parameter, as text and encoded, and reads every documented field.
func TestSendFile(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	one, two := s.Node("e01-a"), s.Node("e01-b")
	sent, id := send(t, c, motd.With(
		"NodeIdList", `["e01-a","e01-b"]`, "Content", "aGVsbG8=", "ContentType", "Base64", "FileOwner", "daemon", "FileGroup", "adm", "FileMode", "0600",
		"Overwrite", "true", "Timeout", "5", "Description", "greeting", "RegionId", "cn-wulanchabu", "ClientToken", "tok",
	))
	v, err := s.Service.Invocation(t.Context(), s.Caller, id)
	if err != nil {
		t.Fatal(err)
	}
	if v.Timeout != 10*time.Second || v.Region != "cn-wulanchabu" || string(v.Content) != "hello" || v.Origin != core.OriginEFLO {
		t.Errorf("stored: %+v", v)
	}
	s.Exit(id, one, 0, "", "")
	s.Report(id, two, core.Report{Kind: core.ReportEnded, State: core.Failed, Cause: core.CauseFileExists, Ended: s.Now().Add(time.Second)})

	node := func(id, status, code, info, start string) map[string]any {
		return map[string]any{
			"NodeId": id, "InvocationStatus": status, "ErrorCode": code, "ErrorInfo": info, "CreationTime": begun, "StartTime": start,
			"FinishTime": "2026-11-22T05:41:41Z", "UpdateTime": begun,
		}
	}
	good, bad := node("e01-a", "Success", "", "", begun), node("e01-b", "Failed", "FileAlreadyExists", "File already exists", "")
	want := map[string]any{
		"Name": "motd", "TargetDir": "/etc", "Content": "aGVsbG8=", "ContentType": "Base64", "Description": "greeting", "FileOwner": "daemon",
		"FileGroup": "adm", "FileMode": "0600", "Overwrite": true, "NodeCount": 2., "CreationTime": begun, "InvocationStatus": "PartialFailed",
		"InvokeNodes": map[string]any{"InvokeNode": []any{good, bad}},
	}
	check := func(p caller.Params, want ...map[string]any) {
		t.Helper()
		got := ask[sentFiles](t, c, "DescribeSendFileResults", p)
		count := "0"
		if len(want) == 1 {
			count = "1"
		}
		if diff := cmp.Diff(append([]map[string]any{}, want...), got.Invocations.Invocation); diff != "" || got.TotalCount != count {
			t.Errorf("%v: %s files (-want +got):\n%s", p, got.TotalCount, diff)
		}
	}
	check(caller.Params{"InvokeId": sent}, want)
	alone := map[string]any{}
	for name, value := range want {
		alone[name] = value
	}
	alone["InvocationStatus"], alone["InvokeNodes"] = "Failed", map[string]any{"InvokeNode": []any{bad}}
	check(caller.Params{"InvokeId": sent, "NodeId": "e01-b"}, alone)
	check(caller.Params{"InvokeId": sent, "NodeId": "e01-x"})
	check(caller.Params{"InvokeId": "f-" + core.ID(9).String()})
	check(caller.Params{"InvokeId": "nonsense"})
	ran, _ := run(t, c, caller.Params{"NodeIdList": `["e01-a"]`, "CommandContent": "x"})
	check(caller.Params{"InvokeId": ran}) // a command is no file

	plain, id := send(t, c, motd)
	if v, err := s.Service.Invocation(t.Context(), s.Caller, id); err != nil || v.Timeout != time.Minute || v.Region != "cn-hangzhou" {
		t.Errorf("stored: %+v, %v", v, err)
	}
	got := ask[sentFiles](t, c, "DescribeSendFileResults", caller.Params{"InvokeId": plain}).Invocations.Invocation[0]
	for name, value := range map[string]any{
		"Content": "hello", "ContentType": "PlainText", "FileOwner": "root", "FileGroup": "root", "FileMode": "0644", "Overwrite": false,
		"Description": "", "InvocationStatus": "Pending",
	} {
		if got[name] != value {
			t.Errorf("%s is %v, want %v", name, got[name], value)
		}
	}
	c.Call("StopInvocation", caller.Params{"InvokeId": plain}).Into(t, &struct{}{})
	if got := ask[sentFiles](t, c, "DescribeSendFileResults", caller.Params{"InvokeId": plain}).Invocations.Invocation[0]["InvocationStatus"]; got != "Failed" {
		t.Errorf("stopped: %v", got)
	}
}

func TestSendFileMistakes(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Node("e01-a")
	x := func(n int) string { return strings.Repeat("x", n) }
	first, _ := send(t, c, motd.With("ClientToken", "used"))
	if again, _ := send(t, c, motd.With("ClientToken", "used")); again != first {
		t.Errorf("%s, then %s", first, again)
	}
	for _, m := range []struct {
		params []string
		status int
		code   string
	}{
		{[]string{"NodeIdList", "-"}, 400, "MissingParam.NodeIdList"},
		{[]string{"NodeIdList", `["e01-x"]`}, 404, "InvalidNode.NotFound"},
		{[]string{"NodeIdList", `e01-a`}, 400, "InvalidParameter.NodeIdList"},
		{[]string{"Name", "-"}, 400, "MissingName"},
		{[]string{"Name", x(256)}, 403, "FileName.ExceedLimit"},
		{[]string{"TargetDir", "-"}, 400, "MissingTargetDir"},
		{[]string{"TargetDir", "/" + x(255)}, 400, "FileTargetDir.Invalid"},
		{[]string{"Content", "-"}, 400, "MissingContent"},
		{[]string{"Content", x(24577)}, 403, "FileSize.ExceedLimit"},
		{[]string{"Content", "!", "ContentType", "Base64"}, 400, "FileContent.DecodeError"},
		{[]string{"ContentType", "Hex"}, 400, "FileContentType.Invalid"},
		{[]string{"FileMode", "999"}, 400, "FileMode.Invalid"},
		{[]string{"FileOwner", x(65)}, 400, "InvalidParameter.FileOwner"},
		{[]string{"FileGroup", "a b"}, 400, "InvalidParameter.FileGroup"},
		{[]string{"Overwrite", "perhaps"}, 400, "InvalidParameter.Overwrite"},
		{[]string{"Timeout", "86401"}, 403, "InvalidTimeout.ExceedLimit"},
		{[]string{"Description", x(513)}, 403, "FileDesc.ExceedLimit"},
		{[]string{"ClientToken", x(65)}, 400, "InvalidClientToken.Malformed"},
		{[]string{"ClientToken", "used", "Name", "other"}, 403, "IdempotentParameterMismatch"},
	} {
		if a := c.Call("SendFile", motd.With(m.params...)); a.Status != m.status || a.Code != m.code {
			t.Errorf("%.60q: %d %s %s, want %d %s", m.params, a.Status, a.Code, a.Text, m.status, m.code)
		}
	}
	if a := c.Call("DescribeSendFileResults", nil); a.Status != 400 || a.Code != "MissingInvokeId" {
		t.Errorf("no id: %d %s", a.Status, a.Code)
	}
	for _, works := range [][]string{
		{"Name", x(255)}, {"TargetDir", "/" + x(254)}, {"Content", x(24576)}, {"Description", x(512)}, {"FileMode", "4755"}, {"Timeout", "1"},
	} {
		send(t, c, motd.With(works...))
	}
	_, all, err := s.Service.Invocations(t.Context(), s.Caller, core.InvocationFilter{Kinds: []core.InvocationKind{core.KindFile}}, core.PageSpec{Limit: 1, Count: true})
	if err != nil || all.Total != 7 {
		t.Errorf("%d files stored (%v)", all.Total, err)
	}
}
