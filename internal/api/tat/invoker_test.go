package tat

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/core"
)

// recurring runs at midnight of the first of each month in China, and once runs at a time that is not over.
func recurring() map[string]string {
	return map[string]string{"Policy": "RECURRENCE", "Recurrence": "0 0 1 * *"}
}

func once() map[string]string {
	return map[string]string{"Policy": "ONCE", "InvokeTime": "2026-11-22T13:42:00+08:00"}
}

// invoker makes an invoker of a command on ins-a with what else is given, and returns its id.
func (c *client) invoker(command string, pairs ...any) string {
	c.tb.Helper()
	all := append([]any{
		"Name", "nightly", "Type", "SCHEDULE", "CommandId", command, "InstanceIds", []string{"ins-a"}, "ScheduleSettings", recurring(),
	}, pairs...)
	return ok[createInvokerResponse](c.call("CreateInvoker", object(all...))).InvokerId
}

// fire does what the server does when schedules are due.
func (c *client) fire() {
	c.tb.Helper()
	due, err := c.scene.Service.ClaimSchedules(c.tb.Context(), 100)
	if err != nil {
		c.tb.Fatal(err)
	}
	for i := range due {
		if _, err := c.scene.Service.Fire(c.tb.Context(), &due[i]); err != nil {
			c.tb.Fatal(err)
		}
	}
}

func (c *client) showInvoker(id string) invoker {
	c.tb.Helper()
	set := ok[describeInvokersResponse](c.call("DescribeInvokers", object("InvokerIds", []string{id}))).InvokerSet
	if len(set) != 1 {
		c.tb.Fatalf("%d invokers", len(set))
	}
	return set[0]
}

// TestInvokerRoundTrip reads back everything that was written.
func TestInvokerRoundTrip(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.node("ins-a")
	n := c.node("")
	command := c.create("CommandName", "x", "Content", b64("echo {{a}} {{tat-hidden:b}}"), "EnableParameter", true)
	id := c.invoker(command, "Name", strings.Repeat("名", 120), "InstanceIds", []string{"ins-a", showInstance(n.ID)}, "Username", "ubuntu",
		"Parameters", `{"a":"<1>","b":"secret"}`, "Tags", []map[string]string{{"Key": "env", "Value": "prod"}})
	want := golden(t, `{"TotalCount": 1, "InvokerSet": [{
		"InvokerId": "`+id+`", "Name": "`+strings.Repeat("名", 120)+`", "Type": "SCHEDULE", "CommandId": "`+command+`", "Username": "ubuntu",
		"Parameters": "{\"a\":\"<1>\",\"b\":\"******\"}", "InstanceIds": ["ins-a", "`+showInstance(n.ID)+`"], "Enable": true,
		"ScheduleSettings": {"Policy": "RECURRENCE", "Recurrence": "0 0 1 * *", "InvokeTime": "2026-11-30T16:00:00Z"},
		"CreatedTime": "2026-11-22T05:41:40Z", "UpdatedTime": "2026-11-22T05:41:40Z", "Tags": [{"Key": "env", "Value": "prod"}]
	}]}`)
	if diff := cmp.Diff(want, raw(c.call("DescribeInvokers", object("InvokerIds", []string{id})))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	plain := c.create("CommandName", "plain", "Content", b64("ls"))
	id = c.invoker(plain, "ScheduleSettings", once())
	want = golden(t, `{"TotalCount": 1, "InvokerSet": [{
		"InvokerId": "`+id+`", "Name": "nightly", "Type": "SCHEDULE", "CommandId": "`+plain+`", "Username": "", "Parameters": "",
		"InstanceIds": ["ins-a"], "Enable": true, "ScheduleSettings": {"Policy": "ONCE", "Recurrence": "", "InvokeTime": "2026-11-22T05:42:00Z"},
		"CreatedTime": "2026-11-22T05:41:40Z", "UpdatedTime": "2026-11-22T05:41:40Z", "Tags": []
	}]}`)
	if diff := cmp.Diff(want, raw(c.call("DescribeInvokers", object("Filters", filters("command-id", plain))))); diff != "" {
		t.Errorf("once (-want +got):\n%s", diff)
	}
}

// TestInvokerRuns follows an invoker from its moment to the result.
func TestInvokerRuns(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	n := c.node("ins-a")
	command := c.create("CommandName", "x", "Content", b64("echo {{a}}"), "EnableParameter", true)
	id := c.invoker(command, "ScheduleSettings", once(), "Parameters", `{"a":"1"}`, "Username", "me")
	records := func() []invokerRecord {
		t.Helper()
		resp := ok[describeInvokerRecordsResponse](c.call("DescribeInvokerRecords", object("InvokerIds", []string{id})))
		if resp.TotalCount != len(resp.InvokerRecordSet) || resp.InvokerRecordSet == nil {
			t.Errorf("%d of %d records", len(resp.InvokerRecordSet), resp.TotalCount)
		}
		return resp.InvokerRecordSet
	}
	c.fire()
	if got := records(); len(got) != 0 {
		t.Errorf("before its time: %+v", got)
	}
	c.scene.Advance(20 * time.Second)
	c.fire()
	got := records()
	if len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	want := invokerRecord{
		InvokerId: id, InvokeTime: "2026-11-22T05:42:00Z", Reason: "Start an invocation at scheduled time",
		InvocationId: got[0].InvocationId, Result: "PENDING",
	}
	if got[0] != want {
		t.Errorf("%+v, want %+v", got[0], want)
	}
	run := c.invocation(want.InvocationId)
	c.scene.Exit(run, n, 3, "out", "")
	if got := records(); len(got) != 1 || got[0].Result != "FAILED" {
		t.Errorf("%+v", got)
	}
	shown := ok[describeInvocationsResponse](c.call("DescribeInvocations", object("InvocationIds", []string{want.InvocationId}))).InvocationSet[0]
	if shown.InvocationSource != "INVOKER" || shown.CommandId != command || shown.Parameters != `{"a":"1"}` || shown.Username != "me" {
		t.Errorf("%+v", shown)
	}
	if task := c.tasks(run)[0]; task.InvocationSource != "INVOKER" || task.TaskStatus != "FAILED" || task.TaskResult.Output != b64("out") {
		t.Errorf("%+v", task)
	}
	byHand := c.run("ls", n)
	if task := c.tasks(byHand)[0]; task.InvocationSource != "USER" {
		t.Errorf("%+v", task)
	}
	if still := c.showInvoker(id); !still.Enable || still.ScheduleSettings.InvokeTime != "2026-11-22T05:42:00Z" {
		t.Errorf("what has run stays listed: %+v", still)
	}
	// Switching it off and on again does not bring back what is over.
	c.call("DisableInvoker", object("InvokerId", id)).want("")
	c.call("EnableInvoker", object("InvokerId", id)).want("")
	c.scene.Advance(time.Hour)
	c.fire()
	if got := records(); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

// TestInvokerOffline runs on an instance that is away: the task cannot be delivered, and the record says so.
func TestInvokerOffline(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.node("ins-a")
	id := c.invoker(c.create("CommandName", "x", "Content", b64("ls")), "ScheduleSettings", map[string]string{"Policy": "RECURRENCE", "Recurrence": "0 14 * * *"})
	c.scene.Advance(19 * time.Minute)
	c.fire()
	record := ok[describeInvokerRecordsResponse](c.call("DescribeInvokerRecords", `{}`)).InvokerRecordSet[0]
	run := c.invocation(record.InvocationId)
	v, err := c.scene.Service.Invocation(t.Context(), c.scene.Caller, run)
	if err != nil {
		t.Fatal(err)
	}
	c.scene.Advance(time.Minute)
	if _, err := c.scene.Service.Expire(t.Context(), &v, []core.TaskID{{Invocation: run}}); err != nil {
		t.Fatal(err)
	}
	if task := c.tasks(run)[0]; task.TaskStatus != "DELIVER_FAILED" {
		t.Errorf("%+v", task)
	}
	// Then the instance is gone altogether.
	c.call("DeleteRegisterInstance", object("InstanceId", "ins-a")).want("")
	c.scene.Advance(24*time.Hour - 90*time.Second)
	c.fire()
	resp := ok[describeInvokerRecordsResponse](c.call("DescribeInvokerRecords", object("Limit", 2)))
	want := []invokerRecord{
		{InvokerId: id, InvokeTime: "2026-11-23T06:00:00Z", Reason: "none of its nodes is there any more", Result: "FAILED"},
		{InvokerId: id, InvokeTime: "2026-11-22T06:00:00Z", Reason: onTime, InvocationId: record.InvocationId, Result: "FAILED"},
	}
	if diff := cmp.Diff(want, resp.InvokerRecordSet); diff != "" || resp.TotalCount != 2 {
		t.Errorf("%d records (-want +got):\n%s", resp.TotalCount, diff)
	}
}

// TestCreateInvoker tries each limit below, at and above its edge, and every way to be refused.
func TestCreateInvoker(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.node("ins-a")
	c.node("lhins-a")
	c.scene.Node("ins-unseen")
	c.scene.Online(c.scene.NodeOn(core.Windows, "ins-win"))
	command := c.create("CommandName", "x", "Content", b64("echo {{a}}"), "EnableParameter", true, "DefaultParameters", `{"a":"1"}`)
	needy := c.create("CommandName", "needy", "Content", b64("echo {{a}}"), "EnableParameter", true)
	plain := c.create("CommandName", "plain", "Content", b64("ls"))
	crowd := repeat("ins-a", 101)
	tags := func(n int) (list []map[string]string) {
		for i := range n {
			list = append(list, map[string]string{"Key": fmt.Sprint("k", i), "Value": "v"})
		}
		return list
	}
	settings := func(policy, key, value string) map[string]string {
		return map[string]string{"Policy": policy, key: value}
	}
	tries := []struct {
		name  string
		pairs []any
		code  string
	}{
		{"all that is needed", nil, ""},
		{"no name", []any{"Name", nil}, "MissingParameter"},
		{"empty name", []any{"Name", ""}, "InvalidParameterValue.Range"},
		{"name of 120", []any{"Name", strings.Repeat("名", 120)}, ""},
		{"name of 121", []any{"Name", strings.Repeat("名", 121)}, "InvalidParameterValue.TooLong"},
		{"no type", []any{"Type", nil}, "MissingParameter"},
		{"unknown type", []any{"Type", "EVENT"}, "InvalidParameterValue.Range"},
		{"no command", []any{"CommandId", nil}, "MissingParameter"},
		{"malformed command", []any{"CommandId", "x"}, "InvalidParameterValue.InvalidCommandId"},
		{"unknown command", []any{"CommandId", "cmd-1vll7hda"}, "ResourceNotFound.CommandNotFound"},
		{"deleted command", []any{"CommandId", commandPrefix + core.ID(1).String()}, "ResourceNotFound.CommandNotFound"},
		{"no instances", []any{"InstanceIds", nil}, "MissingParameter"},
		{"empty instances", []any{"InstanceIds", []string{}}, "MissingParameter"},
		{"100 instances", []any{"InstanceIds", crowd[:100]}, ""},
		{"101 instances", []any{"InstanceIds", crowd}, "InvalidParameterValue.TooLong"},
		{"instance twice", []any{"InstanceIds", []string{"ins-a", "ins-a"}}, ""},
		{"malformed instance", []any{"InstanceIds", []string{"a b"}}, "InvalidParameterValue.InvalidInstanceId"},
		{"unknown instance", []any{"InstanceIds", []string{"ins-b"}}, "ResourceNotFound.InstanceNotFound"},
		{"instances of two kinds", []any{"InstanceIds", []string{"ins-a", "lhins-a"}}, "InvalidParameterValue.InconsistentInstance"},
		{"instance of the other kind", []any{"InstanceIds", []string{"lhins-a"}}, ""},
		{"no agent", []any{"InstanceIds", []string{"ins-unseen"}}, "ResourceUnavailable.AgentNotInstalled"},
		{"other platform", []any{"InstanceIds", []string{"ins-win"}}, "InvalidParameterValue.AgentUnsupportedCommandType"},
		{"user of 256", []any{"Username", strings.Repeat("u", 256)}, ""},
		{"user of 257", []any{"Username", strings.Repeat("u", 257)}, "InvalidParameterValue.TooLong"},
		{"user with a newline", []any{"Username", "a\n"}, "InvalidParameterValue.InvalidUsername"},
		{"parameters", []any{"Parameters", `{"a":"2"}`}, ""},
		{"parameters that are no JSON", []any{"Parameters", `{"a"`}, "InvalidParameterValue.ParameterInvalidJsonFormat"},
		{"parameter that is no text", []any{"Parameters", `{"a":1}`}, "InvalidParameterValue.ParameterValueNotString"},
		{"parameter twice", []any{"Parameters", `{"a":"1","a":"2"}`}, "InvalidParameterValue.ParameterKeyDuplicated"},
		{"parameter without a value", []any{"CommandId", needy}, "InvalidParameterValue.LackOfParameterInfo"},
		{"parameters for nothing", []any{"CommandId", plain, "Parameters", `{"a":"2"}`}, "InvalidParameterValue.ParameterDisabled"},
		{"10 tags", []any{"Tags", tags(10)}, ""},
		{"11 tags", []any{"Tags", tags(11)}, "FailedOperation.TagOperationFailed"},
		{"no settings", []any{"ScheduleSettings", nil}, "MissingParameter"},
		{"no policy", []any{"ScheduleSettings", map[string]string{}}, "MissingParameter"},
		{"unknown policy", []any{"ScheduleSettings", settings("SCHEDULE", "Recurrence", "* * * * *")}, "InvalidParameterValue.Range"},
		{"once, without a time", []any{"ScheduleSettings", settings("ONCE", "Recurrence", "* * * * *")}, "MissingParameter"},
		{"once, no time", []any{"ScheduleSettings", settings("ONCE", "InvokeTime", "tomorrow")}, "InvalidParameterValue.InvalidTimeFormat"},
		{"once, empty time", []any{"ScheduleSettings", settings("ONCE", "InvokeTime", "")}, "InvalidParameterValue.InvalidTimeFormat"},
		{"once, no zone", []any{"ScheduleSettings", settings("ONCE", "InvokeTime", "2027-01-01T00:00:00")}, "InvalidParameterValue.InvalidTimeFormat"},
		{"once, now", []any{"ScheduleSettings", settings("ONCE", "InvokeTime", "2026-11-22T05:41:40Z")}, "InvalidParameterValue.InvokeTimeExpired"},
		{"once, in a second", []any{"ScheduleSettings", settings("ONCE", "InvokeTime", "2026-11-22T05:41:41+00:00")}, ""},
		{"once, in a zone", []any{"ScheduleSettings", settings("ONCE", "InvokeTime", "2026-11-22T13:41:41+08:00")}, ""},
		{"once, over in its zone", []any{"ScheduleSettings", settings("ONCE", "InvokeTime", "2026-11-22T13:41:40+08:00")}, "InvalidParameterValue.InvokeTimeExpired"},
		{"recurring, without a crontab", []any{"ScheduleSettings", settings("RECURRENCE", "InvokeTime", "2027-01-01T00:00:00Z")}, "MissingParameter"},
		{"recurring, empty crontab", []any{"ScheduleSettings", settings("RECURRENCE", "Recurrence", " ")}, "InvalidParameterValue.InvalidCronExpression"},
		{"recurring, four fields", []any{"ScheduleSettings", settings("RECURRENCE", "Recurrence", "* * * *")}, "InvalidParameterValue.InvalidCronExpression"},
		{"recurring, six fields", []any{"ScheduleSettings", settings("RECURRENCE", "Recurrence", "0 * * * * *")}, "InvalidParameterValue.InvalidCronExpression"},
		{"recurring, minute 60", []any{"ScheduleSettings", settings("RECURRENCE", "Recurrence", "60 * * * *")}, "InvalidParameterValue.InvalidCronExpression"},
		{"recurring, backwards", []any{"ScheduleSettings", settings("RECURRENCE", "Recurrence", "30-10 * * * *")}, "InvalidParameterValue.InvalidCronExpression"},
		{"recurring, never", []any{"ScheduleSettings", settings("RECURRENCE", "Recurrence", "0 0 31 4 *")}, "InvalidParameterValue.InvalidCronExpression"},
		{"recurring, Sunday as 7", []any{"ScheduleSettings", settings("RECURRENCE", "Recurrence", "0 0 * * 7")}, ""},
		{"as answers show it", []any{"ScheduleSettings", map[string]string{
			"Policy": "RECURRENCE", "Recurrence": "0 0 1 * *", "InvokeTime": "2020-01-01T00:00:00Z",
		}}, ""},
	}
	made := 0
	for _, try := range tries {
		t.Run(try.name, func(t *testing.T) {
			pairs := map[string]any{
				"Name": "n", "Type": "SCHEDULE", "CommandId": command, "InstanceIds": []string{"ins-a"}, "ScheduleSettings": recurring(),
			}
			for i := 0; i < len(try.pairs); i += 2 {
				pairs[try.pairs[i].(string)] = try.pairs[i+1]
			}
			var all []any
			for name, value := range pairs {
				all = append(all, name, value)
			}
			c.call("CreateInvoker", object(all...)).known(try.code)
		})
		if try.code == "" {
			made++
		}
	}
	if got := ok[describeInvokersResponse](c.call("DescribeInvokers", `{}`)); got.TotalCount != made || len(got.InvokerSet) != made {
		t.Errorf("%d invokers, want %d", got.TotalCount, made)
	}
	c.scene.Advance(time.Hour)
	c.call("CreateInvoker", object(
		"Name", "n", "Type", "SCHEDULE", "CommandId", command, "InstanceIds", []string{"ins-a"}, "ScheduleSettings", recurring(),
	)).known("ResourceUnavailable.AgentStatusNotOnline")
}

func TestModifyInvoker(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, id := range []string{"ins-a", "ins-b", "lhins-a"} {
		c.node(id)
	}
	c.scene.Node("ins-unseen")
	c.scene.NodeOn(core.Windows, "ins-win")
	plain := c.create("CommandName", "plain", "Content", b64("ls"))
	greet := c.create("CommandName", "greet", "Content", b64("echo {{a}}"), "EnableParameter", true)
	bat := c.create("CommandName", "bat", "Content", b64("dir"), "CommandType", "BAT")
	id := c.invoker(plain)
	want := c.showInvoker(id)
	c.scene.Advance(time.Hour) // an instance may be offline by now
	c.call("ModifyInvoker", object("InvokerId", id)).want("")
	want.UpdatedTime = "2026-11-22T06:41:40Z"
	if diff := cmp.Diff(want, c.showInvoker(id)); diff != "" {
		t.Errorf("empty change (-want +got):\n%s", diff)
	}
	c.call("ModifyInvoker", object(
		"InvokerId", id, "Name", "other", "Type", "SCHEDULE", "CommandId", greet, "Username", "me", "Parameters", `{"a":"1"}`,
		"InstanceIds", []string{"ins-b", "ins-a"}, "ScheduleSettings", map[string]string{"Policy": "ONCE", "InvokeTime": "2027-01-01T00:00:00Z"},
	)).want("")
	want.Name, want.CommandId, want.Username, want.Parameters = "other", greet, "me", `{"a":"1"}`
	want.InstanceIds = []string{"ins-b", "ins-a"}
	want.ScheduleSettings = shownScheduleSettings{Policy: "ONCE", InvokeTime: "2027-01-01T00:00:00Z"}
	if diff := cmp.Diff(want, c.showInvoker(id)); diff != "" {
		t.Errorf("full change (-want +got):\n%s", diff)
	}
	c.call("ModifyInvoker", object("InvokerId", id, "CommandId", plain, "Parameters", "", "Username", "")).want("")
	if got := c.showInvoker(id); got.Parameters != "" || got.Username != "" || got.CommandId != plain {
		t.Errorf("emptied: %+v", got)
	}

	many := repeat("ins-a", 101)
	for name, try := range map[string]struct{ body, code string }{
		"no id":                      {object("Name", "x"), "MissingParameter"},
		"malformed id":               {object("InvokerId", "x"), "InvalidParameterValue.InvalidInvokerId"},
		"id of a command":            {object("InvokerId", plain), "InvalidParameterValue.InvalidInvokerId"},
		"unknown id":                 {object("InvokerId", "ivk-1vll7hda"), "ResourceNotFound"},
		"deleted":                    {object("InvokerId", invokerPrefix+core.ID(1).String()), "ResourceNotFound"},
		"empty name":                 {object("InvokerId", id, "Name", ""), "InvalidParameterValue.Range"},
		"name of 120":                {object("InvokerId", id, "Name", strings.Repeat("n", 120)), ""},
		"name of 121":                {object("InvokerId", id, "Name", strings.Repeat("n", 121)), "InvalidParameterValue.TooLong"},
		"type":                       {object("InvokerId", id, "Type", "x"), "InvalidParameterValue.Range"},
		"malformed command":          {object("InvokerId", id, "CommandId", "x"), "InvalidParameterValue.ID"},
		"unknown command":            {object("InvokerId", id, "CommandId", "cmd-1vll7hda"), "ResourceNotFound.CommandNotFound"},
		"deleted command":            {object("InvokerId", id, "CommandId", commandPrefix+core.ID(1).String()), "ResourceNotFound.CommandNotFound"},
		"command for other systems":  {object("InvokerId", id, "CommandId", bat), "InvalidParameterValue.AgentUnsupportedCommandType"},
		"command that needs a value": {object("InvokerId", id, "CommandId", greet), "InvalidParameterValue.LackOfParameterInfo"},
		"parameters for nothing":     {object("InvokerId", id, "Parameters", `{"a":"1"}`), "InvalidParameterValue.ParameterDisabled"},
		"parameters that are none":   {object("InvokerId", id, "Parameters", `[]`), "InvalidParameterValue.ParameterInvalidJsonFormat"},
		"user of 257":                {object("InvokerId", id, "Username", strings.Repeat("u", 257)), "InvalidParameterValue.TooLong"},
		"100 instances":              {object("InvokerId", id, "InstanceIds", many[:100]), ""},
		"101 instances":              {object("InvokerId", id, "InstanceIds", many), "InvalidParameterValue.LimitExceeded"},
		"no instances":               {object("InvokerId", id, "InstanceIds", []string{}), "MissingParameter"},
		"malformed instance":         {object("InvokerId", id, "InstanceIds", []string{""}), "InvalidParameterValue.InvalidInstanceId"},
		"unknown instance":           {object("InvokerId", id, "InstanceIds", []string{"ins-c"}), "ResourceNotFound.InstanceNotFound"},
		"two kinds of instances":     {object("InvokerId", id, "InstanceIds", []string{"lhins-a", "ins-a"}), "InvalidParameterValue.InconsistentInstance"},
		"instance without agent":     {object("InvokerId", id, "InstanceIds", []string{"ins-unseen"}), "ResourceUnavailable.AgentNotInstalled"},
		"instance of another system": {object("InvokerId", id, "InstanceIds", []string{"ins-win"}), "InvalidParameterValue.AgentUnsupportedCommandType"},
		"time that is over": {
			object("InvokerId", id, "ScheduleSettings", map[string]string{"Policy": "ONCE", "InvokeTime": "2026-11-22T06:41:40Z"}),
			"InvalidParameterValue.InvokeTimeExpired",
		},
		"time that is none": {
			object("InvokerId", id, "ScheduleSettings", map[string]string{"Policy": "ONCE", "InvokeTime": "x"}),
			"InvalidParameterValue.InvalidTimeFormat",
		},
		"crontab that is none": {
			object("InvokerId", id, "ScheduleSettings", map[string]string{"Policy": "RECURRENCE", "Recurrence": "x"}),
			"InvalidParameterValue.InvalidCronExpression",
		},
		"tags":   {object("InvokerId", id, "Tags", []string{}), "UnknownParameter"},
		"enable": {object("InvokerId", id, "Enable", false), "UnknownParameter"},
	} {
		t.Run(name, func(t *testing.T) { c.call("ModifyInvoker", try.body).known(try.code) })
	}
}

func TestSwitchInvoker(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.node("ins-a")
	command := c.create("CommandName", "x", "Content", b64("ls"))
	id := c.invoker(command)
	off := c.showInvoker(id)
	off.Enable, off.ScheduleSettings.InvokeTime = false, ""
	for range 2 {
		c.call("DisableInvoker", object("InvokerId", id)).want("")
		if diff := cmp.Diff(off, c.showInvoker(id)); diff != "" {
			t.Errorf("off (-want +got):\n%s", diff)
		}
	}
	c.scene.Advance(10 * 24 * time.Hour)
	c.fire()
	for range 2 {
		c.call("EnableInvoker", object("InvokerId", id)).want("")
	}
	if got := c.showInvoker(id); !got.Enable || got.ScheduleSettings.InvokeTime != "2026-12-31T16:00:00Z" {
		t.Errorf("on: %+v", got)
	}
	if got := ok[describeInvokerRecordsResponse](c.call("DescribeInvokerRecords", `{}`)); got.TotalCount != 0 {
		t.Errorf("it ran while it was off: %+v", got)
	}

	// A command cannot be deleted while an invoker runs it, whether that is on or off.
	for _, action := range []string{"EnableInvoker", "DisableInvoker"} {
		c.call(action, object("InvokerId", id)).want("")
		c.call("DeleteCommand", object("CommandId", command)).known("ResourceUnavailable.CommandInInvoker")
		c.call("DeleteCommands", object("CommandIds", []string{command})).known("ResourceUnavailable.CommandInInvoker")
	}
	c.call("DeleteInvoker", object("InvokerId", id)).want("")
	for _, action := range []string{"EnableInvoker", "DisableInvoker", "DeleteInvoker"} {
		for _, try := range []struct{ body, code string }{
			{`{}`, "MissingParameter"},
			{`{"InvokerId":""}`, "InvalidParameterValue.InvalidInvokerId"},
			{`{"InvokerId":"ivk-"}`, "InvalidParameterValue.InvalidInvokerId"},
			{`{"InvokerId":"ivk-1234567"}`, "InvalidParameterValue.InvalidInvokerId"},
			{`{"InvokerId":"ivk-12345678"}`, "ResourceNotFound"},
			{object("InvokerId", id), "ResourceNotFound"},
			{object("InvokerId", []string{id}), "InvalidParameter"},
			{object("InvokerId", id, "InvokerIds", []string{id}), "UnknownParameter"},
		} {
			c.call(action, try.body).known(try.code)
		}
	}
	c.call("DeleteCommand", object("CommandId", command)).want("")
}

func TestDescribeInvokers(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.node("ins-a")
	var commands, ids []string
	for i := range 2 {
		commands = append(commands, c.create("CommandName", fmt.Sprint("c", i), "Content", b64("ls")))
	}
	for i := range 5 {
		c.scene.Advance(time.Second)
		ids = append(ids, c.invoker(commands[i%2]))
	}
	many := repeat(ids[0], 101)
	for name, try := range map[string]struct {
		body  string
		total int
		want  []int // positions in ids
	}{
		"all":               {`{}`, 5, []int{4, 3, 2, 1, 0}},
		"a page":            {`{"Limit":2,"Offset":1}`, 5, []int{3, 2}},
		"after the last":    {`{"Offset":5}`, 5, nil},
		"by id":             {object("InvokerIds", []string{ids[0], ids[3], "ivk-12345678"}), 2, []int{3, 0}},
		"by 100 ids":        {object("InvokerIds", many[:100]), 1, []int{0}},
		"by filter":         {object("Filters", filters("invoker-id", ids[1], ids[2])), 2, []int{2, 1}},
		"by command":        {object("Filters", filters("command-id", commands[0])), 3, []int{4, 2, 0}},
		"by unknown":        {object("Filters", filters("command-id", "cmd-12345678")), 0, nil},
		"by type":           {object("Filters", filters("invoker-type", "SCHEDULE")), 5, []int{4, 3, 2, 1, 0}},
		"by command and id": {object("Filters", append(filters("command-id", commands[0]), filters("invoker-id", ids[1], ids[2])...)), 1, []int{2}},
		"by two ids":        {object("Filters", append(filters("invoker-id", ids[0]), filters("invoker-id", ids[1])...)), 0, nil},
	} {
		resp := ok[describeInvokersResponse](c.call("DescribeInvokers", try.body))
		var want, got []string
		for _, i := range try.want {
			want = append(want, ids[i])
		}
		for _, v := range resp.InvokerSet {
			got = append(got, v.InvokerId)
		}
		if diff := cmp.Diff(want, got); diff != "" || resp.TotalCount != try.total || resp.InvokerSet == nil {
			t.Errorf("%s: %d in all (-want +got):\n%s", name, resp.TotalCount, diff)
		}
	}
	for name, try := range map[string]struct{ body, code string }{
		"malformed id":        {`{"InvokerIds":["x"]}`, "InvalidParameterValue.InvalidInvokerId"},
		"101 ids":             {object("InvokerIds", many), "InvalidParameterValue.LimitExceeded"},
		"ids and filters":     {object("InvokerIds", ids[:1], "Filters", filters("invoker-type", "SCHEDULE")), "InvalidParameter.ConflictParameter"},
		"unknown filter":      {object("Filters", filters("name", "x")), "InvalidParameterValue.InvalidFilter"},
		"unknown type":        {object("Filters", filters("invoker-type", "x")), "InvalidParameterValue.InvalidFilter"},
		"no values":           {object("Filters", filters("invoker-type")), "InvalidParameterValue.InvalidFilter"},
		"5 values":            {object("Filters", filters("invoker-id", many[:5]...)), ""},
		"6 values":            {object("Filters", filters("invoker-id", many[:6]...)), "InvalidParameterValue.InvalidFilter"},
		"malformed in filter": {object("Filters", filters("invoker-id", "x")), "InvalidParameterValue.InvalidInvokerId"},
		"malformed command":   {object("Filters", filters("command-id", "x")), "InvalidParameterValue.InvalidFilter"},
		"limit 0":             {`{"Limit":0}`, "InvalidParameterValue.TooSmall"},
		"limit 1":             {`{"Limit":1}`, ""},
		"limit 100":           {`{"Limit":100}`, ""},
		"limit 101":           {`{"Limit":101}`, "InvalidParameterValue.TooLarge"},
		"offset below 0":      {`{"Offset":-1}`, "InvalidParameterValue.TooSmall"},
	} {
		t.Run(name, func(t *testing.T) { c.call("DescribeInvokers", try.body).known(try.code) })
	}
}

func TestDescribeInvokerRecords(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.node("ins-a")
	command := c.create("CommandName", "x", "Content", b64("ls"))
	var ids []string
	for range 2 {
		ids = append(ids, c.invoker(command, "ScheduleSettings", map[string]string{"Policy": "RECURRENCE", "Recurrence": "* * * * *"}))
	}
	for range 3 {
		c.scene.Advance(time.Minute)
		c.fire()
	}
	times := func(body string, total int, want ...string) {
		t.Helper()
		resp := ok[describeInvokerRecordsResponse](c.call("DescribeInvokerRecords", body))
		var got []string
		for _, r := range resp.InvokerRecordSet {
			got = append(got, r.InvokeTime[11:16])
		}
		if diff := cmp.Diff(want, got); diff != "" || resp.TotalCount != total || resp.InvokerRecordSet == nil {
			t.Errorf("%s: %d in all (-want +got):\n%s", body, resp.TotalCount, diff)
		}
	}
	times(`{}`, 6, "05:44", "05:44", "05:43", "05:43", "05:42", "05:42")
	times(object("InvokerIds", ids[:1]), 3, "05:44", "05:43", "05:42")
	times(object("InvokerIds", append(ids, "ivk-12345678"), "Limit", 1, "Offset", 5), 6, "05:42")
	times(`{"InvokerIds":["ivk-12345678"]}`, 0)
	c.call("DeleteInvoker", object("InvokerId", ids[1])).want("")
	times(`{}`, 3, "05:44", "05:43", "05:42")

	// A result that is not kept any more is not known any more.
	record := ok[describeInvokerRecordsResponse](c.call("DescribeInvokerRecords", `{"Limit":1}`)).InvokerRecordSet[0]
	nodes, err := c.scene.Service.NodesByID(t.Context(), c.scene.Caller, []string{"ins-a"})
	if err != nil {
		t.Fatal(err)
	}
	c.scene.Exit(c.invocation(record.InvocationId), nodes["ins-a"], 0, "", "")
	c.scene.Online(nodes["ins-a"])
	c.run("ls", nodes["ins-a"])
	if n, err := c.scene.Service.Retain(t.Context(), core.Retention{Invocations: 1}); err != nil || n != 1 {
		t.Fatalf("%d removed, %v", n, err)
	}
	record.Result = ""
	if got := ok[describeInvokerRecordsResponse](c.call("DescribeInvokerRecords", `{"Limit":1}`)).InvokerRecordSet[0]; got != record {
		t.Errorf("%+v, want %+v", got, record)
	}

	many := repeat(ids[0], 101)
	for name, try := range map[string]struct{ body, code string }{
		"100 ids":        {object("InvokerIds", many[:100]), ""},
		"101 ids":        {object("InvokerIds", many), "InvalidParameterValue.TooLong"},
		"malformed id":   {`{"InvokerIds":["x"]}`, "InvalidParameterValue.InvalidInvokerId"},
		"filters":        {object("Filters", filters("invoker-type", "SCHEDULE")), "UnknownParameter"},
		"limit 0":        {`{"Limit":0}`, "InvalidParameterValue.TooSmall"},
		"limit 101":      {`{"Limit":101}`, "InvalidParameterValue.TooLarge"},
		"offset below 0": {`{"Offset":-1}`, "InvalidParameterValue.TooSmall"},
	} {
		t.Run(name, func(t *testing.T) { c.call("DescribeInvokerRecords", try.body).known(try.code) })
	}
}

// TestInvokersOfOthers lets another account neither see nor touch an invoker.
func TestInvokersOfOthers(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.node("ins-a")
	command := c.create("CommandName", "x", "Content", b64("ls"))
	id := c.invoker(command, "ScheduleSettings", once())
	c.scene.Advance(time.Minute)
	c.fire()
	if _, err := c.scene.Service.CreateAccount(t.Context(), 2000000000000002, "other"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.scene.Service.CreateKey(t.Context(), 2000000000000002, "root", "otherid", "othersecret"); err != nil {
		t.Fatal(err)
	}
	other := c.as("otherid", "othersecret")
	for _, action := range []string{"ModifyInvoker", "EnableInvoker", "DisableInvoker", "DeleteInvoker"} {
		other.call(action, object("InvokerId", id)).want("ResourceNotFound")
	}
	for _, body := range []string{`{}`, object("InvokerIds", []string{id})} {
		if got := ok[describeInvokersResponse](other.call("DescribeInvokers", body)); got.TotalCount != 0 || len(got.InvokerSet) != 0 {
			t.Errorf("%+v", got)
		}
		if got := ok[describeInvokerRecordsResponse](other.call("DescribeInvokerRecords", body)); got.TotalCount != 0 || len(got.InvokerRecordSet) != 0 {
			t.Errorf("%+v", got)
		}
	}
	other.call("CreateInvoker", object(
		"Name", "n", "Type", "SCHEDULE", "CommandId", command, "InstanceIds", []string{"ins-a"}, "ScheduleSettings", recurring(),
	)).want("ResourceNotFound.CommandNotFound")
	if got := ok[describeInvokersResponse](c.call("DescribeInvokers", `{}`)); got.TotalCount != 1 {
		t.Errorf("%+v", got)
	}
}
