package ecs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/alibaba/caller"
	"errand/internal/api/ecs"
	"errand/internal/api/scene"
	"errand/internal/core"
)

// deliveryFields are those in which a delivery shows.
var deliveryFields = []string{"OssOutputUri", "OssOutputStatus", "OssOutputErrorCode", "OssOutputErrorInfo"}

// delivered reads them from both actions that have them, which must agree. Those that are left out are not in the map.
func delivered(t *testing.T, c *caller.Client, id, place string) map[string]any {
	t.Helper()
	result := ask[results](t, c, "DescribeInvocationResults", caller.Params{"InvokeId": id}).Invocation.InvocationResults.InvocationResult[0]
	v := ask[invocations](t, c, "DescribeInvocations", caller.Params{"InvokeId": id}).Invocations.Invocation[0]
	instance := v["InvokeInstances"].(map[string]any)["InvokeInstance"].([]any)[0].(map[string]any)
	if v["OssOutputDelivery"] != place || result["OssOutputDelivery"] != place {
		t.Errorf("OssOutputDelivery %v, %v, want %s", v["OssOutputDelivery"], result["OssOutputDelivery"], place)
	}
	got := map[string]any{}
	for _, name := range deliveryFields {
		if result[name] != instance[name] {
			t.Errorf("%s is %v and %v", name, result[name], instance[name])
		}
		if value, ok := result[name]; ok {
			got[name] = value
		}
	}
	return got
}

// TestOutputDelivery has the words for each thing that can become of a delivery.
func TestOutputDelivery(t *testing.T) {
	t.Parallel()
	s, c := open(t, scene.Buckets())
	n := s.Node("i-one")
	const place = "oss://bucket/a/b/"
	create := caller.Params{"Name": "n", "Type": "RunShellScript", "CommandContent": "ZWNobw=="}
	stored := ask[struct{ CommandId string }](t, c, "CreateCommand", create).CommandId
	shown := func(uri, status, code, info string) map[string]any {
		want := map[string]any{"OssOutputUri": uri, "OssOutputStatus": status}
		if code != "" {
			want["OssOutputErrorCode"], want["OssOutputErrorInfo"] = code, info
		}
		return want
	}
	for fault, want := range map[core.DeliveryFault]map[string]any{
		core.NoFault:     shown("oss://bucket/a/b/x.log", "Finished", "", ""),
		core.FaultDenied: shown("", "Failed", "OSS.AccessDenied", "You have no right to access this object."),
		core.FaultUnreachable: shown("", "Failed", "OSS.RequestTimeout",
			"The connection to the server was not read from or written to within the timeout period."),
		core.FaultNoBucket:   shown("", "Failed", "OSS.NoSuchBucket", "The specified bucket does not exist."),
		core.FaultImmutable:  shown("", "Failed", "OSS.FileImmutable", "The object you specified is immutable."),
		core.FaultObjectName: shown("", "Failed", "OSS.InvalidObjectName", "The specified object is not valid."),
		core.FaultOther:      shown("", "Failed", "OSS.InternalError", "We encountered an internal error. Please try again."),
	} {
		id := ask[ran](t, c, "InvokeCommand", caller.Params{"CommandId": stored, "InstanceId.1": "i-one", "OssOutputDelivery": place}).InvokeId
		v := invocation(t, id)
		if diff := cmp.Diff(shown("", "", "", ""), delivered(t, c, id, place)); diff != "" {
			t.Errorf("%v, waiting (-want +got):\n%s", fault, diff)
		}
		s.Exit(v, n, 0, "out", "")
		if diff := cmp.Diff(shown("", "InProgress", "", ""), delivered(t, c, id, place)); diff != "" {
			t.Errorf("%v, ended (-want +got):\n%s", fault, diff)
		}
		s.Settle(s.Task(v, n), fault, "oss://bucket/a/b/x.log")
		if diff := cmp.Diff(want, delivered(t, c, id, place)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", fault, diff)
		}
	}

	// A command that is kept does not keep the place; one that never ran has nothing to deliver.
	kept, id := run(t, c, shell("i-one").With("KeepCommand", "true", "OssOutputDelivery", "oss://bucket"))
	c.Call("StopInvocation", caller.Params{"InvokeId": kept.InvokeId}).Into(t, &struct{}{})
	want := shown("", "Failed", "CloudAssistant.UnsupportedInvocationStatus", "The output of a command that was not run cannot be delivered.")
	if diff := cmp.Diff(want, delivered(t, c, kept.InvokeId, "oss://bucket")); diff != "" {
		t.Errorf("%s, stopped (-want +got):\n%s", id, diff)
	}
	again := ask[ran](t, c, "InvokeCommand", caller.Params{"CommandId": kept.CommandId, "InstanceId.1": "i-one"}).InvokeId
	s.Exit(invocation(t, again), n, 0, "out", "")
	if diff := cmp.Diff(shown("", "", "", ""), delivered(t, c, again, "")); diff != "" {
		t.Errorf("without a place (-want +got):\n%s", diff)
	}
}

// invocation reads an InvokeId.
func invocation(t *testing.T, id string) core.ID {
	t.Helper()
	v, ok := core.ParseID(strings.TrimPrefix(id, "t-"))
	if !ok {
		t.Fatalf("InvokeId %q", id)
	}
	return v
}

// TestDeliveryOfHistory delivers each run of a schedule.
func TestDeliveryOfHistory(t *testing.T) {
	t.Parallel()
	s, c := open(t, scene.Buckets())
	n := s.Node("i-one")
	s.Online(n)
	started, id := run(t, c, shell("i-one").With("Frequency", "rate(5m)", "OssOutputDelivery", "oss://bucket/p"))
	planned(s, id, n, 0)
	s.Advance(5 * time.Minute)
	exitRun(s, id, n, 0, s.Now(), 0, "first")
	s.Advance(5 * time.Minute)
	exitRun(s, id, n, 0, s.Now(), 3, "second")
	history := ask[results](t, c, "DescribeInvocationResults", caller.Params{"InvokeId": started.InvokeId, "IncludeHistory": "true"})
	rows := history.Invocation.InvocationResults.InvocationResult
	if diff := cmp.Diff([]string{"InProgress", "InProgress"}, field(rows, "OssOutputStatus")); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"oss://bucket/p", "oss://bucket/p"}, field(rows, "OssOutputDelivery")); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	if got := delivered(t, c, started.InvokeId, "oss://bucket/p"); got["OssOutputStatus"] != "InProgress" {
		t.Errorf("the latest run: %v", got)
	}
}

// TestPlaces tries what is no place; nothing runs then.
func TestPlaces(t *testing.T) {
	t.Parallel()
	s, c := open(t, scene.Buckets())
	s.Node("i-one")
	stored := ask[struct{ CommandId string }](t, c, "CreateCommand", caller.Params{
		"Name": "n", "Type": "RunShellScript", "CommandContent": "ZWNobw==",
	}).CommandId
	for place, valid := range map[string]bool{
		"oss://bucket": true, "oss://bucket/": true, "oss://bucket/日志/b": true, "oss://0" + strings.Repeat("b", 62): true,
		"oss://": false, "bucket/prefix": false, "OSS://bucket/prefix": false, "https://bucket.oss-cn-hangzhou.aliyuncs.com": false,
		"oss://bu": false, "oss://" + strings.Repeat("b", 64): false, "oss://Bucket/p": false, "oss://bu_cket/p": false, "oss://bucket//p": false,
		"oss://bucket/a/../b": false, "oss://bucket/" + strings.Repeat("p", 1024): false, " oss://bucket/p": false,
	} {
		for action, p := range map[string]caller.Params{
			"RunCommand": shell("i-one"), "InvokeCommand": {"CommandId": stored, "InstanceId.1": "i-one"},
		} {
			before := tally(t, s)
			a := c.Call(action, p.With("OssOutputDelivery", place))
			switch after := tally(t, s); {
			case valid && a.Code != "":
				t.Errorf("%s to %s: %s", action, place, a.Code)
			case !valid && (a.Status != 400 || a.Code != "InvalidParameter.OssOutputDelivery" || after != before ||
				a.Text != "The specified parameter OssOutputDelivery is not valid."):
				t.Errorf("%s to %s: %d %s %s, %v stored after %v", action, place, a.Status, a.Code, a.Text, after, before)
			}
		}
	}
}

// TestObjectName: the names are those that callers know, and a history has one for each run.
func TestObjectName(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 5, 41, 40, 0, time.UTC)
	task := &core.Task{ID: core.TaskID{Invocation: 5, Index: 2}}
	for want, tt := range map[string]struct {
		v core.Invocation
		n core.Node
	}{
		"t-" + core.ID(5).String() + "/i-web":                     {core.Invocation{ID: 5}, core.Node{ID: "i-web"}},
		"t-" + core.ID(5).String() + "/mi-" + core.ID(8).String(): {core.Invocation{ID: 5}, core.Node{ID: core.ID(8).String()}},
		"t-" + core.ID(3).String() + "/i-web-20261122T054140Z":    {core.Invocation{ID: 5, Kind: core.KindOccurrence, Schedule: 3, Due: at}, core.Node{ID: "i-web"}},
	} {
		invocation, name := ecs.ObjectName(&tt.v, task, &tt.n)
		if got := invocation + "/" + name; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
