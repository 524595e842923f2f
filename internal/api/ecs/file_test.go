package ecs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/alibaba/caller"
	"errand/internal/core"
)

type files struct {
	TotalCount  int
	Invocations struct{ Invocation []map[string]any }
}

func sending(nodes ...string) caller.Params {
	p := caller.Params{"Name": "motd", "TargetDir": "/etc", "Content": "hello"}
	for i, n := range nodes {
		p["InstanceId."+string(rune('1'+i))] = n
	}
	return p
}

func TestSendFile(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	one, two := s.Node("i-one"), s.Node("i-two")
	s.Online(one, two)
	begun := s.Now()
	var sent struct{ InvokeId string }
	c.Call("SendFile", sending("i-one", "i-two").With(
		"Content", "aGVsbG8=", "ContentType", "Base64", "FileMode", "0600", "FileOwner", "daemon", "Overwrite", "true", "Description", "greeting",
		"Tag.1.Key", "k", "Tag.1.Value", "v", "ClientToken", "tok",
	)).Into(t, &sent)
	id, ok := core.ParseID(strings.TrimPrefix(sent.InvokeId, "f-"))
	if !ok {
		t.Fatalf("id %q", sent.InvokeId)
	}
	s.Exit(id, one, 0, "", "")
	s.Report(id, two, core.Report{Kind: core.ReportEnded, State: core.Failed, Cause: core.CauseFileExists, Ended: s.Now().Add(time.Second)})
	c.Call("SendFile", sending("i-one").With("Name", "other")).Into(t, &struct{}{})

	got := ask[files](t, c, "DescribeSendFileResults", caller.Params{"InvokeId": sent.InvokeId}).Invocations.Invocation
	at := func(d time.Duration) string { return begun.Add(d).Format("2006-01-02T15:04:05Z") }
	instance := func(node, status, code, info, start string) map[string]any {
		return map[string]any{
			"InstanceId": node, "InvocationStatus": status, "ErrorCode": code, "ErrorInfo": info,
			"CreationTime": at(0), "StartTime": start, "FinishTime": at(time.Second), "UpdateTime": at(0),
		}
	}
	want := []map[string]any{{
		"InvokeId": sent.InvokeId, "Name": "motd", "TargetDir": "/etc", "Content": "aGVsbG8=", "ContentType": "Base64", "Description": "greeting",
		"FileOwner": "daemon", "FileGroup": "root", "FileMode": "0600", "Overwrite": "true", "VmCount": 2., "CreationTime": at(0),
		"InvocationStatus": "PartialFailed", "Tags": map[string]any{"Tag": []any{map[string]any{"TagKey": "k", "TagValue": "v"}}},
		"InvokeInstances": map[string]any{"InvokeInstance": []any{
			instance("i-one", "Success", "", "", at(0)), instance("i-two", "Failed", "FileAlreadyExists", "File already exists", ""),
		}},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("file (-want +got):\n%s", d)
	}
	for _, tt := range []struct {
		params caller.Params
		want   int
	}{
		{nil, 2},
		{caller.Params{"Name": "other"}, 1},
		{caller.Params{"InstanceId": "i-two"}, 1},
		{caller.Params{"InstanceId": "i-none"}, 0},
		{caller.Params{"InvocationStatus": "PartialFailed"}, 1},
		{caller.Params{"InvocationStatus": "Pending"}, 1},
		{caller.Params{"Tag.1.Key": "k", "Tag.1.Value": "v"}, 1},
		{caller.Params{"InvokeId": "f-x"}, 0},
	} {
		if got := ask[files](t, c, "DescribeSendFileResults", tt.params); got.TotalCount != tt.want || len(got.Invocations.Invocation) != tt.want {
			t.Errorf("%v: %d files", tt.params, got.TotalCount)
		}
	}
	// A file is no command.
	if got := ask[invocations](t, c, "DescribeInvocations", nil); got.TotalCount != 0 {
		t.Errorf("%d commands", got.TotalCount)
	}
	if got := ask[results](t, c, "DescribeInvocationResults", caller.Params{"InvokeId": sent.InvokeId}); len(got.Invocation.InvocationResults.InvocationResult) != 0 {
		t.Error("a file has a command's results")
	}
	c.Call("StopInvocation", caller.Params{"InvokeId": sent.InvokeId}).Into(t, &struct{}{})
}

func TestSendFileMistakes(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Node("i-one")
	x := func(n int) string { return strings.Repeat("x", n) }
	many := caller.Params{}
	for i := range 51 {
		many["InstanceId."+strings.TrimLeft(string(rune('0'+(i+1)/10))+string(rune('0'+(i+1)%10)), "0")] = "i-one"
	}
	c.Call("SendFile", sending("i-one").With("ClientToken", "used")).Into(t, &struct{}{})
	for _, m := range []struct {
		params []string
		status int
		code   string
	}{
		{[]string{"Name", x(256)}, 403, "FileName.ExceedLimit"},
		{[]string{"TargetDir", "/" + x(255)}, 400, "FileTargetDir.Invalid"},
		{[]string{"TargetDir", "/\n"}, 400, "FileTargetDir.Invalid"},
		{[]string{"Content", x(24577)}, 403, "FileSize.ExceedLimit"},
		{[]string{"Description", x(513)}, 403, "FileDesc.ExceedLimit"},
		{[]string{"Content", "!", "ContentType", "Base64"}, 400, "FileContent.DecodeError"},
		{[]string{"ContentType", "Hex"}, 400, "FileContentType.Invalid"},
		{[]string{"FileMode", "999"}, 400, "FileMode.Invalid"},
		{[]string{"FileMode", "06440"}, 400, "FileMode.Invalid"},
		{[]string{"FileOwner", x(65)}, 400, "InvalidParameter.FileOwner"},
		{[]string{"FileGroup", "a b"}, 400, "InvalidParameter.FileGroup"},
		{[]string{"Timeout", "86401"}, 403, "InvalidTimeout.ExceedLimit"},
		{[]string{"InstanceId.1", ""}, 400, "MissingParam.InstanceId"},
		{[]string{"InstanceId.1", "i-none"}, 404, "InvalidInstance.NotFound"},
		{[]string{"Tag.1.Key", "aliyun"}, 400, "InvalidTagKey.Malformed"},
		{[]string{"ClientToken", x(65)}, 400, "InvalidClientToken.Malformed"},
		{[]string{"ClientToken", "used", "Name", "other"}, 403, "IdempotentParameterMismatch"},
		{[]string{"RegionId", "mars"}, 404, "InvalidRegionId.NotFound"},
	} {
		if a := c.Call("SendFile", sending("i-one").With(m.params...)); a.Status != m.status || a.Code != m.code {
			t.Errorf("%.60q: %d %s %s, want %d %s", m.params, a.Status, a.Code, a.Text, m.status, m.code)
		}
	}
	for name := range many {
		if strings.HasPrefix(name, "InstanceId") {
			s.Node("i-" + name)
			many[name] = "i-" + name
		}
	}
	for k, v := range sending() {
		many[k] = v
	}
	if a := c.Call("SendFile", many); a.Code != "InstanceIds.ExceedLimit" {
		t.Errorf("51 machines: %d %s", a.Status, a.Code)
	}
	for _, works := range [][]string{
		{"Name", x(255)},
		{"TargetDir", "/" + x(254)},
		{"Content", x(24576)},
		{"Description", x(512)},
		{"FileMode", "4755"},
		{"Timeout", "1"},
		{"ClientToken", "used"},
	} {
		c.Call("SendFile", sending("i-one").With(works...)).Into(t, &struct{}{})
	}
	if got := ask[files](t, c, "DescribeSendFileResults", nil); got.TotalCount != 7 {
		t.Errorf("%d files stored", got.TotalCount)
	}
}
