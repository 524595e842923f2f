package apitest

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
)

// Later runs a command of ECS once, at a moment two seconds ahead.
func Later(t *testing.T, target Target) {
	t.Helper()
	c := must(newRPC(target))(t)
	at := time.Now().UTC().Add(2 * time.Second).Truncate(time.Second).Add(time.Second)
	r := ecs.CreateRunCommandRequest()
	r.RegionId, r.Type, r.CommandContent, r.InstanceId = alibabaRegion, "RunShellScript", "date -u +%s", &target.Nodes
	r.Frequency = "at(" + at.Format(time.DateTime) + ")"
	id := must(c.RunCommand(r))(t).InvokeId
	result := await(t, c, id, func(r *Reading) bool { return r.ended(ecsWords.active) })
	if result.Words[0] != "Success" {
		t.Errorf("in the end: %v", result.Words)
	}
	for node, m := range result.Nodes {
		began := parseTime(t, m.Start)
		if began.Before(at) || began.After(at.Add(5*time.Second)) || m.Words[0] != "Success" {
			t.Errorf("%s: %v at %s, due at %s", node, m.Words, m.Start, at.Format(time.RFC3339))
		}
	}
	describe := ecs.CreateDescribeInvocationsRequest()
	describe.RegionId, describe.InvokeId = alibabaRegion, id
	if v := must(c.DescribeInvocations(describe))(t).Invocations.Invocation[0]; v.RepeatMode != "Period" || v.Frequency != r.Frequency || v.Timed {
		t.Errorf("mode %s, frequency %s, will run again: %v", v.RepeatMode, v.Frequency, v.Timed)
	}
}

// Periodic runs a command of ECS every ten seconds on the first of the nodes and reads its history, gives it other content and one more node
// while it stands, and stops it.
func Periodic(t *testing.T, target Target) {
	t.Helper()
	c := must(newRPC(target))(t)
	run := ecs.CreateRunCommandRequest()
	run.RegionId, run.Type, run.InstanceId, run.Frequency = alibabaRegion, "RunShellScript", &[]string{target.Nodes[0]}, "*/10 * * * * ?"
	run.CommandContent, run.Timeout = "echo before {{word}}", requests.NewInteger(10)
	run.EnableParameter, run.Parameters = requests.NewBoolean(true), map[string]any{"word": "one"}
	made := must(c.RunCommand(run))(t)

	history := func() (rows []ecs.InvocationResult) {
		t.Helper()
		r := ecs.CreateDescribeInvocationResultsRequest()
		r.RegionId, r.InvokeId, r.ContentEncoding, r.IncludeHistory = alibabaRegion, made.InvokeId, "PlainText", requests.NewBoolean(true)
		for _, row := range must(c.DescribeInvocationResults(r))(t).Invocation.InvocationResults.InvocationResult {
			if row.InvocationStatus == "Success" {
				rows = append(rows, row)
			}
		}
		return rows
	}
	ran := func(output string, nodes ...string) {
		t.Helper()
		eventually(t, func() error {
			rows := history()
			for _, node := range nodes {
				if !slices.ContainsFunc(rows, func(r ecs.InvocationResult) bool { return r.InstanceId == node && r.Output == output }) {
					return fmt.Errorf("no run on %s printed %q: %+v", node, output, rows)
				}
			}
			return nil
		})
	}
	ran("before one\n", target.Nodes[0])

	modify := ecs.CreateModifyInvocationAttributeRequest()
	modify.RegionId, modify.InvokeId, modify.ContentEncoding = alibabaRegion, made.InvokeId, "Base64"
	modify.CommandContent = base64.StdEncoding.EncodeToString([]byte("echo after {{word}}"))
	modify.EnableParameter, modify.Parameters, modify.InstanceId = requests.NewBoolean(true), map[string]any{"word": "two"}, &target.Nodes
	if changed := must(c.ModifyInvocationAttribute(modify))(t).CommandId; changed == made.CommandId || !strings.HasPrefix(changed, "c-") {
		t.Errorf("the command was %s and is %s", made.CommandId, changed)
	}
	ran("after two\n", target.Nodes...)
	for _, row := range history() {
		// A cron expression names whole tenths of a minute.
		began := parseTime(t, row.StartTime)
		if late := began.Second() % 10; late > 4 || row.InvokeId != made.InvokeId || row.ExitCode != 0 || row.Repeats != 1 {
			t.Errorf("a run at %s: %+v", row.StartTime, row)
		}
	}

	stop := ecs.CreateStopInvocationRequest()
	stop.RegionId, stop.InvokeId = alibabaRegion, made.InvokeId
	must(c.StopInvocation(stop))(t)
	result := await(t, c, made.InvokeId, func(r *Reading) bool { return r.ended(ecsWords.active) })
	if result.Words[0] != "Stopped" {
		t.Errorf("in the end: %v", result.Words)
	}
	modify.Frequency = "0 0 * * * ?"
	if _, err := c.ModifyInvocationAttribute(modify); refusal(t, err) != "InvalidOperation.InvokeAlreadyFinished" {
		t.Errorf("changed after its end: %v", err)
	}
}
