package apitest

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"
)

type (
	createCommandRequest struct {
		*tchttp.BaseRequest
		CommandName *string `json:"CommandName,omitempty" name:"CommandName"`
		Content     *string `json:"Content,omitempty"     name:"Content"`
	}
	commandRequest struct {
		*tchttp.BaseRequest
		CommandId *string `json:"CommandId,omitempty" name:"CommandId"`
	}
	changeInvokerRequest struct {
		*tchttp.BaseRequest
		InvokerId        *string              `json:"InvokerId,omitempty"        name:"InvokerId"`
		Name             *string              `json:"Name,omitempty"             name:"Name"`
		Type             *string              `json:"Type,omitempty"             name:"Type"`
		CommandId        *string              `json:"CommandId,omitempty"        name:"CommandId"`
		InstanceIds      []*string            `json:"InstanceIds,omitempty"      name:"InstanceIds"`
		ScheduleSettings *tatScheduleSettings `json:"ScheduleSettings,omitempty" name:"ScheduleSettings"`
	}
	tatScheduleSettings struct {
		Policy     *string `json:"Policy,omitempty"     name:"Policy"`
		Recurrence *string `json:"Recurrence,omitempty" name:"Recurrence"`
		InvokeTime *string `json:"InvokeTime,omitempty" name:"InvokeTime"`
	}
	describeInvokersRequest struct {
		*tchttp.BaseRequest
		InvokerIds []*string `json:"InvokerIds,omitempty" name:"InvokerIds"`
	}
)

// tatInvoker is what the SDK reads about an invoker.
type tatInvoker struct {
	Name, Type, CommandId string
	InstanceIds           []string
	Enable                bool
	ScheduleSettings      struct{ Policy, Recurrence, InvokeTime string }
}

// tatRecord is what the SDK reads about a run of an invoker.
type tatRecord struct{ InvokerId, InvokeTime, Reason, InvocationId, Result string }

// Invokers tells about schedules, which only Tencent's clients can make: a command that runs once, some seconds from now, on real machines, and
// is then switched to run every month.
func Invokers(t *testing.T, target Target) {
	for _, method := range []string{methodTC3, "HmacSHA256"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			tellInvoker(t, newTAT(target, method), target)
		})
	}
}

func tellInvoker(t *testing.T, s *tatSDK, target Target) {
	t.Helper()
	call := func(action string, req tchttp.Request, into any) {
		t.Helper()
		if err := s.call(action, req, into); err != nil {
			t.Fatalf("%s: %v", action, err)
		}
	}
	var command struct{ CommandId string }
	call("CreateCommand", &createCommandRequest{
		BaseRequest: base("CreateCommand"), CommandName: common.StringPtr("later-" + s.method),
		Content: common.StringPtr(base64.StdEncoding.EncodeToString([]byte("echo later"))),
	}, &command)
	at := time.Now().Add(3 * time.Second).Truncate(time.Second)
	var made struct{ InvokerId string }
	call("CreateInvoker", &changeInvokerRequest{
		BaseRequest: base("CreateInvoker"), Name: common.StringPtr("once"), Type: common.StringPtr("SCHEDULE"), CommandId: &command.CommandId,
		InstanceIds:      common.StringPtrs(s.nodes),
		ScheduleSettings: &tatScheduleSettings{Policy: common.StringPtr("ONCE"), InvokeTime: common.StringPtr(at.Format(time.RFC3339))},
	}, &made)
	show := func() tatInvoker {
		t.Helper()
		var resp struct{ InvokerSet []tatInvoker }
		call("DescribeInvokers", &describeInvokersRequest{
			BaseRequest: base("DescribeInvokers"), InvokerIds: common.StringPtrs([]string{made.InvokerId}),
		}, &resp)
		if len(resp.InvokerSet) != 1 {
			t.Fatalf("%d invokers", len(resp.InvokerSet))
		}
		return resp.InvokerSet[0]
	}
	want := tatInvoker{Name: "once", Type: "SCHEDULE", CommandId: command.CommandId, InstanceIds: target.Nodes, Enable: true}
	want.ScheduleSettings.Policy, want.ScheduleSettings.InvokeTime = "ONCE", at.UTC().Format(time.RFC3339)
	if diff := cmp.Diff(want, show()); diff != "" {
		t.Errorf("invoker (-want +got):\n%s", diff)
	}

	ran := s.waitForRecord(t, made.InvokerId)
	if ran.InvokeTime != want.ScheduleSettings.InvokeTime {
		t.Errorf("record %+v, due at %v", ran, at)
	}
	for d, reader := range readers(t, target) {
		r := mustRead(t, reader, ran.InvocationId)
		for _, id := range target.Nodes {
			if m := r.Nodes[id]; m.ExitCode != 0 || m.Output != "later\n" {
				t.Errorf("read as %s: %+v", d.name, m)
			}
		}
	}

	use := func(action string) {
		t.Helper()
		call(action, &changeInvokerRequest{BaseRequest: base(action), InvokerId: &made.InvokerId}, &struct{}{})
	}
	use("DisableInvoker")
	call("ModifyInvoker", &changeInvokerRequest{
		BaseRequest: base("ModifyInvoker"), InvokerId: &made.InvokerId, Name: common.StringPtr("monthly"),
		ScheduleSettings: &tatScheduleSettings{Policy: common.StringPtr("RECURRENCE"), Recurrence: common.StringPtr("0 0 1 * *")},
	}, &struct{}{})
	want.Name, want.Enable = "monthly", false
	want.ScheduleSettings.Policy, want.ScheduleSettings.Recurrence, want.ScheduleSettings.InvokeTime = "RECURRENCE", "0 0 1 * *", ""
	if diff := cmp.Diff(want, show()); diff != "" {
		t.Errorf("modified (-want +got):\n%s", diff)
	}
	use("EnableInvoker")
	if next := parseTime(t, show().ScheduleSettings.InvokeTime).In(time.FixedZone("UTC+8", 8*60*60)); next.Day() != 1 || next.Hour() != 0 {
		t.Errorf("next run at %v", next)
	}
	remove := &commandRequest{BaseRequest: base("DeleteCommand"), CommandId: &command.CommandId}
	if code := codeOf(t, s.call("DeleteCommand", remove, &struct{}{})); code != "ResourceUnavailable.CommandInInvoker" {
		t.Errorf("deleting its command: %q", code)
	}
	use("DeleteInvoker")
	call("DeleteCommand", remove, &struct{}{})
}

// waitForRecord waits until the only run of an invoker has succeeded.
func (s *tatSDK) waitForRecord(t *testing.T, id string) tatRecord {
	t.Helper()
	deadline, tick := time.After(30*time.Second), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for {
		var resp struct{ InvokerRecordSet []tatRecord }
		req := &describeInvokersRequest{BaseRequest: base("DescribeInvokerRecords"), InvokerIds: common.StringPtrs([]string{id})}
		if err := s.call("DescribeInvokerRecords", req, &resp); err != nil {
			t.Fatal(err)
		}
		if set := resp.InvokerRecordSet; len(set) == 1 && set[0].Result == "SUCCESS" {
			return set[0]
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still %+v", resp.InvokerRecordSet)
		}
	}
}
