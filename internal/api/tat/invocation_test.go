package tat

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/core"
)

// TestTaskFields reads every field of a task: at rest, running and ended.
func TestTaskFields(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	n := c.node("ins-a")
	c.scene.Service.Gone(n.Key)
	resp := ok[runCommandResponse](c.call("RunCommand", object(
		"Content", b64("whoami"), "InstanceIds", []string{"ins-a"}, "CommandName", "who", "Timeout", 7, "Description", "asks",
		"OutputCOSBucketUrl", "https://b", "OutputCOSKeyPrefix", "datalog", "EnableParameter", true, "Parameters", `{"x":"<y>"}`,
	)))
	id := c.invocation(resp.InvocationId)
	task := c.scene.Task(id, n)
	wantTask := golden(t, `{"TotalCount": 1, "InvocationTaskSet": [{
		"InvocationId": "`+resp.InvocationId+`", "InvocationTaskId": "invt-`+task.String()+`", "CommandId": "`+resp.CommandId+`",
		"TaskStatus": "PENDING", "InstanceId": "ins-a", "StartTime": null, "EndTime": null,
		"CreatedTime": "2026-11-22T05:41:40Z", "UpdatedTime": "2026-11-22T05:41:40Z",
		"TaskResult": {"ExitCode": 0, "Output": "", "ExecStartTime": null, "ExecEndTime": null, "Dropped": 0, "OutputUrl": "",
			"OutputUploadCOSErrorInfo": ""},
		"CommandDocument": {"Content": "`+b64("whoami")+`", "CommandType": "SHELL", "Timeout": 7, "Username": "root", "WorkingDirectory": "/root",
			"OutputCOSBucketUrl": "https://b", "OutputCOSKeyPrefix": "datalog"},
		"ErrorInfo": "", "InvocationSource": "USER", "CommandName": "who"
	}]}`)
	wantInvocation := golden(t, `{"TotalCount": 1, "InvocationSet": [{
		"InvocationId": "`+resp.InvocationId+`", "CommandId": "`+resp.CommandId+`", "InvocationStatus": "PENDING",
		"InvocationTaskBasicInfoSet": [{"InvocationTaskId": "invt-`+task.String()+`", "TaskStatus": "PENDING", "InstanceId": "ins-a"}],
		"Description": "asks", "StartTime": null, "EndTime": null, "CreatedTime": "2026-11-22T05:41:40Z", "UpdatedTime": "2026-11-22T05:41:40Z",
		"Parameters": "{\"x\":\"<y>\"}", "DefaultParameters": "", "InstanceKind": "CVM", "Username": "root", "InvocationSource": "USER",
		"CommandContent": "`+b64("whoami")+`", "CommandType": "SHELL", "Timeout": 7, "WorkingDirectory": "/root",
		"OutputCOSBucketUrl": "https://b", "OutputCOSKeyPrefix": "datalog", "CommandName": "who"
	}]}`)
	taskSet := wantTask["InvocationTaskSet"].([]any)[0].(map[string]any)
	result := taskSet["TaskResult"].(map[string]any)
	invocationSet := wantInvocation["InvocationSet"].([]any)[0].(map[string]any)
	info := invocationSet["InvocationTaskBasicInfoSet"].([]any)[0].(map[string]any)
	check := func(when string) {
		t.Helper()
		if diff := cmp.Diff(wantTask, raw(c.call("DescribeInvocationTasks", `{"HideOutput":false}`))); diff != "" {
			t.Errorf("task, %s (-want +got):\n%s", when, diff)
		}
		if diff := cmp.Diff(wantInvocation, raw(c.call("DescribeInvocations", `{}`))); diff != "" {
			t.Errorf("invocation, %s (-want +got):\n%s", when, diff)
		}
	}
	at := func(seconds int) string { return fmt.Sprintf("2026-11-22T05:41:%02dZ", seconds) }
	check("waiting")

	c.scene.Advance(time.Second)
	if _, err := c.scene.Service.Sent(t.Context(), []core.TaskID{task}); err != nil {
		t.Fatal(err)
	}
	taskSet["TaskStatus"], taskSet["UpdatedTime"], info["TaskStatus"] = "DELIVERING", at(41), "DELIVERING"
	invocationSet["UpdatedTime"] = at(41)
	check("delivering")

	if err := c.scene.Service.Defer(t.Context(), []core.TaskID{task}); err != nil {
		t.Fatal(err)
	}
	taskSet["TaskStatus"], info["TaskStatus"], taskSet["ErrorInfo"] = "DELIVER_DELAYED", "DELIVER_DELAYED", "AgentOffline: the agent is offline"
	check("deferred")

	c.scene.Advance(time.Second)
	c.scene.Report(id, n, core.Report{Kind: core.ReportStarted, At: c.scene.Now()})
	c.scene.Report(id, n, core.Report{Kind: core.ReportOutput, Chunk: core.Chunk{
		Data: []byte("ro"), Spans: []core.Span{{Stream: core.Stdout, Len: 2}},
	}})
	taskSet["TaskStatus"], info["TaskStatus"], invocationSet["InvocationStatus"] = "RUNNING", "RUNNING", "RUNNING"
	taskSet["StartTime"], taskSet["UpdatedTime"], taskSet["ErrorInfo"] = at(42), at(42), ""
	result["ExecStartTime"], result["Output"] = at(42), b64("ro")
	invocationSet["StartTime"], invocationSet["UpdatedTime"] = at(42), at(42)
	check("running")

	started := c.scene.Now()
	c.scene.Advance(2 * time.Second)
	c.scene.Report(id, n, core.Report{
		Kind: core.ReportEnded, State: core.Failed, Cause: core.CauseExitNonzero, Exited: true, ExitCode: 3, Started: started,
		Ended: c.scene.Now().Add(-time.Second), Stdout: 5, Stderr: 4, End: 9,
		Chunk: core.Chunk{Off: 2, Data: []byte("ot\nERR\n"), Spans: []core.Span{{Stream: core.Stdout, Len: 3}, {Stream: core.Stderr, Len: 4}}},
	})
	taskSet["TaskStatus"], info["TaskStatus"], invocationSet["InvocationStatus"] = "FAILED", "FAILED", "FAILED"
	taskSet["EndTime"], taskSet["UpdatedTime"] = at(43), at(44)
	result["ExecEndTime"], result["Output"], result["ExitCode"] = at(43), b64("root\nERR\n"), float64(3)
	result["OutputUploadCOSErrorInfo"] = "no object storage is connected to this server"
	invocationSet["EndTime"], invocationSet["UpdatedTime"] = at(44), at(44)
	check("ended")

	// Output is hidden unless asked for; the rest stays.
	result["Output"] = ""
	for _, body := range []string{`{}`, `{"HideOutput":true}`} {
		if diff := cmp.Diff(wantTask, raw(c.call("DescribeInvocationTasks", body))); diff != "" {
			t.Errorf("hidden by %s (-want +got):\n%s", body, diff)
		}
	}
}

// TestOutputWindow shows the first 24 KB of both streams and counts the rest to the byte.
func TestOutputWindow(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	n := c.node("ins-a")
	for _, try := range []struct{ length, dropped int }{{0, 0}, {1, 0}, {24575, 0}, {24576, 0}, {24577, 1}, {30000, 5424}, {100000, 75424}} {
		t.Run(fmt.Sprint(try.length), func(t *testing.T) {
			id := c.run("x", n)
			var b strings.Builder
			for b.Len() < try.length {
				fmt.Fprintf(&b, "%07d\n", b.Len())
			}
			text := b.String()[:try.length]
			c.scene.Exit(id, n, 0, text[:try.length/2], text[try.length/2:])
			got := c.tasks(id)[0].TaskResult
			shown, err := base64.StdEncoding.DecodeString(got.Output)
			if err != nil {
				t.Fatal(err)
			}
			if string(shown) != text[:min(try.length, 24576)] || got.Dropped != uint64(try.dropped) {
				t.Errorf("%d bytes shown, %d dropped, want %d dropped", len(shown), got.Dropped, try.dropped)
			}
			hidden := ok[describeInvocationTasksResponse](c.call("DescribeInvocationTasks", object(
				"Filters", filters("invocation-id", invocationPrefix+id.String()))))
			if r := hidden.InvocationTaskSet[0].TaskResult; r.Output != "" || r.Dropped != got.Dropped {
				t.Errorf("hidden: %+v", r)
			}
		})
	}
	t.Run("any bytes", func(t *testing.T) {
		id := c.run("x", n)
		c.scene.Exit(id, n, 0, "\x00\xff\xfe字", "")
		if got := c.tasks(id)[0].TaskResult.Output; got != b64("\x00\xff\xfe字") {
			t.Error(got)
		}
	})
}

// TestEnds lets tasks end in every way and reads the vendor's words for it.
func TestEnds(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	n := c.node("ins-a")
	for name, try := range map[string]struct {
		report core.Report
		task   taskStatus
		whole  invocationStatus
		exit   int64
		info   string
	}{
		"success": {core.Report{State: core.Succeeded, Exited: true}, "SUCCESS", "SUCCESS", 0, ""},
		"killed from within": {
			core.Report{State: core.Failed, Cause: core.CauseExitNonzero, Signal: 9}, "FAILED", "FAILED", -1, "",
		},
		"timeout": {core.Report{State: core.TimedOut, Cause: core.CauseExecTimeout, Signal: 15}, "TIMEOUT", "TIMEOUT", -1, ""},
		"no user": {
			core.Report{State: core.StartFailed, Cause: core.CauseUserNotFound, Detail: "user nobody2 not exists"},
			"START_FAILED", "FAILED", -1,
			"InvalidUser: user nobody2 not exists",
		},
		"no directory": {
			core.Report{State: core.StartFailed, Cause: core.CauseDirNotFound},
			"START_FAILED", "FAILED", -1,
			"InvalidWorkingDirectory: the working directory does not exist",
		},
		"refused on the node": {
			core.Report{State: core.Invalid, Cause: core.CauseNotApplicable},
			"START_FAILED", "FAILED", -1,
			"InvalidCommand: the instance cannot run commands of this type",
		},
		"broken": {
			core.Report{State: core.Exception, Cause: core.CauseJournalGap},
			"FAILED", "FAILED", -1,
			"AgentException: the agent was interrupted while starting the process",
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := c.run("x", n)
			try.report.Kind = core.ReportEnded
			c.scene.Report(id, n, try.report)
			task := c.tasks(id)[0]
			if task.TaskStatus != try.task || task.TaskResult.ExitCode != try.exit || task.ErrorInfo != try.info {
				t.Errorf("%s %d %q, want %s %d %q", task.TaskStatus, task.TaskResult.ExitCode, task.ErrorInfo, try.task, try.exit, try.info)
			}
			v := ok[describeInvocationsResponse](c.call("DescribeInvocations", object("InvocationIds", []string{invocationPrefix + id.String()})))
			if got := v.InvocationSet[0].InvocationStatus; got != try.whole {
				t.Errorf("invocation is %s, want %s", got, try.whole)
			}
		})
	}
	expire := func(id core.ID) {
		t.Helper()
		v, err := c.scene.Service.Invocation(t.Context(), c.scene.Caller, id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.scene.Service.Expire(t.Context(), &v, []core.TaskID{c.scene.Task(id, n)}); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("lost", func(t *testing.T) {
		id := c.run("x", n)
		c.scene.Report(id, n, core.Report{Kind: core.ReportStarted, At: c.scene.Now()})
		c.scene.Advance(2*time.Minute + time.Second)
		expire(id)
		task := c.tasks(id)[0]
		if task.TaskStatus != "TASK_TIMEOUT" || task.EndTime == nil || task.TaskResult.ExecStartTime == nil ||
			task.TaskResult.ExecEndTime != nil || task.TaskResult.ExitCode != -1 || !strings.HasPrefix(task.ErrorInfo, "AgentUnresponsive: ") {
			t.Errorf("%+v", task)
		}
	})
	t.Run("not delivered", func(t *testing.T) {
		c.scene.Online(n)
		id := c.run("x", n)
		c.scene.Advance(61 * time.Second)
		expire(id)
		task := c.tasks(id)[0]
		if task.TaskStatus != "DELIVER_FAILED" || task.StartTime != nil || task.EndTime == nil || task.TaskResult.ExecEndTime != nil ||
			task.TaskResult.ExitCode != -1 || task.ErrorInfo != "DeliverTimeout: the agent did not take the task in time" {
			t.Errorf("%+v", task)
		}
	})
}

// TestResultFilters selects invocations and tasks.
func TestResultFilters(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	a, b := c.node("ins-a"), c.node("")
	cmd := c.create("CommandName", "stored", "Content", b64("ls"))
	x := c.run("x", a, b)
	y := c.invocation(ok[invokeCommandResponse](c.call("InvokeCommand", object("CommandId", cmd, "InstanceIds", []string{"ins-a"}))).InvocationId)
	inv := func(id core.ID) string { return invocationPrefix + id.String() }
	task := func(id core.ID, n core.Node) string { return taskPrefix + c.scene.Task(id, n).String() }
	xa, xb, ya := task(x, a), task(x, b), task(y, a)
	and := func(list ...[]map[string]any) string {
		var all []map[string]any
		for _, l := range list {
			all = append(all, l...)
		}
		return object("Filters", all)
	}
	const (
		badFilter = "InvalidParameterValue.InvalidFilter"
		conflict  = "InvalidParameter.ConflictParameter"
	)
	for name, try := range map[string]struct {
		action, body string
		want         []string
		total        int
		code         string
	}{
		"all":                        {"DescribeInvocationTasks", `{}`, []string{ya, xa, xb}, 3, ""},
		"first page":                 {"DescribeInvocationTasks", `{"Limit":2}`, []string{ya, xa}, 3, ""},
		"second page":                {"DescribeInvocationTasks", `{"Limit":2,"Offset":2}`, []string{xb}, 3, ""},
		"empty list":                 {"DescribeInvocationTasks", `{"InvocationTaskIds":[]}`, []string{ya, xa, xb}, 3, ""},
		"by id":                      {"DescribeInvocationTasks", object("InvocationTaskIds", []string{xb, ya, "invt-08oe5fe2"}), []string{ya, xb}, 2, ""},
		"by unknown id":              {"DescribeInvocationTasks", object("InvocationTaskIds", []string{"invt-08oe5fe2"}), nil, 0, ""},
		"filter by id":               {"DescribeInvocationTasks", and(filters("invocation-task-id", xa, xb)), []string{xa, xb}, 2, ""},
		"ids, twice":                 {"DescribeInvocationTasks", and(filters("invocation-task-id", xa, xb), filters("invocation-task-id", xb)), []string{xb}, 1, ""},
		"ids, nothing left":          {"DescribeInvocationTasks", and(filters("invocation-task-id", xa), filters("invocation-task-id", xb)), nil, 0, ""},
		"by invocation":              {"DescribeInvocationTasks", and(filters("invocation-id", inv(x))), []string{xa, xb}, 2, ""},
		"by unknown invocation":      {"DescribeInvocationTasks", and(filters("invocation-id", "inv-1vll7hda")), nil, 0, ""},
		"by instance":                {"DescribeInvocationTasks", and(filters("instance-id", "ins-a")), []string{ya, xa}, 2, ""},
		"by generated instance":      {"DescribeInvocationTasks", and(filters("instance-id", "rins-"+b.ID)), []string{xb}, 1, ""},
		"by unknown instance":        {"DescribeInvocationTasks", and(filters("instance-id", "ins-zj0f57ex")), nil, 0, ""},
		"instances, nothing left":    {"DescribeInvocationTasks", and(filters("instance-id", "ins-a"), filters("instance-id", b.ID)), nil, 0, ""},
		"by command":                 {"DescribeInvocationTasks", and(filters("command-id", cmd)), []string{ya}, 1, ""},
		"by instance and invocation": {"DescribeInvocationTasks", and(filters("instance-id", "ins-a", b.ID), filters("invocation-id", inv(x))), []string{xa, xb}, 2, ""},
		"bad task id":                {"DescribeInvocationTasks", object("InvocationTaskIds", []string{"inv-08oe5fe2"}), nil, 0, "InvalidParameterValue.InvalidInvocationTaskId"},
		"bad task id in filter":      {"DescribeInvocationTasks", and(filters("invocation-task-id", "")), nil, 0, "InvalidParameterValue.InvalidInvocationTaskId"},
		"bad invocation in filter":   {"DescribeInvocationTasks", and(filters("invocation-id", "inv-1")), nil, 0, "InvalidParameterValue.InvalidInvocationId"},
		"bad command in filter":      {"DescribeInvocationTasks", and(filters("command-id", "cmd-A")), nil, 0, "InvalidParameterValue.InvalidCommandId"},
		"bad instance in filter":     {"DescribeInvocationTasks", and(filters("instance-id", "ins b")), nil, 0, "InvalidParameterValue.InvalidInstanceId"},
		"unknown filter":             {"DescribeInvocationTasks", and(filters("task-status", "SUCCESS")), nil, 0, badFilter},
		"no name":                    {"DescribeInvocationTasks", `{"Filters":[{"Values":["x"]}]}`, nil, 0, badFilter},
		"no values":                  {"DescribeInvocationTasks", `{"Filters":[{"Name":"invocation-id"}]}`, nil, 0, badFilter},
		"5 values":                   {"DescribeInvocationTasks", and(filters("invocation-task-id", xa, xa, xa, xa, xa)), []string{xa}, 1, ""},
		"6 values":                   {"DescribeInvocationTasks", and(filters("invocation-task-id", xa, xa, xa, xa, xa, xa)), nil, 0, badFilter},
		"10 filters":                 {"DescribeInvocationTasks", object("Filters", repeat(filters("invocation-id", inv(x))[0], 10)), []string{xa, xb}, 2, ""},
		"11 filters":                 {"DescribeInvocationTasks", object("Filters", repeat(filters("invocation-id", inv(x))[0], 11)), nil, 0, badFilter},
		"ids and filters":            {"DescribeInvocationTasks", object("InvocationTaskIds", []string{xa}, "Filters", filters("invocation-id", inv(x))), nil, 0, conflict},
		"100 ids":                    {"DescribeInvocationTasks", object("InvocationTaskIds", repeat(xa, 100)), []string{xa}, 1, ""},
		"101 ids":                    {"DescribeInvocationTasks", object("InvocationTaskIds", repeat(xa, 101)), nil, 0, "InvalidParameterValue.LimitExceeded"},
		"limit of 0":                 {"DescribeInvocationTasks", `{"Limit":0}`, nil, 0, "InvalidParameterValue.TooSmall"},
		"limit of 100":               {"DescribeInvocationTasks", `{"Limit":100}`, []string{ya, xa, xb}, 3, ""},
		"limit of 101":               {"DescribeInvocationTasks", `{"Limit":101}`, nil, 0, "InvalidParameterValue.TooLarge"},
		"offset too deep":            {"DescribeInvocationTasks", `{"Offset":100001}`, nil, 0, "InvalidParameterValue"},
		"limit as text":              {"DescribeInvocationTasks", `{"Limit":"10"}`, nil, 0, "InvalidParameter"},

		"invocations":             {"DescribeInvocations", `{}`, []string{inv(y), inv(x)}, 2, ""},
		"one invocation":          {"DescribeInvocations", `{"Limit":1,"Offset":1}`, []string{inv(x)}, 2, ""},
		"invocations by id":       {"DescribeInvocations", object("InvocationIds", []string{inv(x), "inv-1vll7hda"}), []string{inv(x)}, 1, ""},
		"invocations by filter":   {"DescribeInvocations", and(filters("invocation-id", inv(x), inv(y))), []string{inv(y), inv(x)}, 2, ""},
		"invocations of command":  {"DescribeInvocations", and(filters("command-id", cmd)), []string{inv(y)}, 1, ""},
		"of users' commands":      {"DescribeInvocations", and(filters("command-created-by", "USER")), []string{inv(y), inv(x)}, 2, ""},
		"of the vendor's":         {"DescribeInvocations", and(filters("command-created-by", "TAT"), filters("invocation-id", inv(x))), nil, 0, ""},
		"on servers":              {"DescribeInvocations", and(filters("instance-kind", "CVM")), []string{inv(y), inv(x)}, 2, ""},
		"on lighthouses":          {"DescribeInvocations", and(filters("instance-kind", "LIGHTHOUSE")), nil, 0, ""},
		"on spaceships":           {"DescribeInvocations", and(filters("instance-kind", "SPACESHIP")), nil, 0, badFilter},
		"bad invocation id":       {"DescribeInvocations", object("InvocationIds", []string{"x"}), nil, 0, "InvalidParameterValue.InvalidInvocationId"},
		"bad id in filter":        {"DescribeInvocations", and(filters("invocation-id", "x")), nil, 0, "InvalidParameterValue.InvalidInvocationId"},
		"bad command":             {"DescribeInvocations", and(filters("command-id", "x")), nil, 0, "InvalidParameterValue.InvalidCommandId"},
		"unknown":                 {"DescribeInvocations", and(filters("instance-id", "ins-a")), nil, 0, badFilter},
		"6 values of invocations": {"DescribeInvocations", and(filters("invocation-id", repeat(inv(x), 6)...)), nil, 0, "LimitExceeded.FilterValueExceeded"},
		"101 invocations":         {"DescribeInvocations", object("InvocationIds", repeat(inv(x), 101)), nil, 0, "InvalidParameterValue.LimitExceeded"},
		"both":                    {"DescribeInvocations", object("InvocationIds", []string{inv(x)}, "Filters", filters("command-id", cmd)), nil, 0, conflict},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.call(try.action, try.body)
			r.want(try.code)
			if r.Code != "" {
				return
			}
			var got []string
			total := 0
			if try.action == "DescribeInvocations" {
				resp := ok[describeInvocationsResponse](r)
				total = resp.TotalCount
				for _, v := range resp.InvocationSet {
					got = append(got, v.InvocationId)
				}
			} else {
				resp := ok[describeInvocationTasksResponse](r)
				total = resp.TotalCount
				for _, v := range resp.InvocationTaskSet {
					got = append(got, v.InvocationTaskId)
				}
			}
			if diff := cmp.Diff(try.want, got); diff != "" || total != try.total {
				t.Errorf("%d in all, want %d (-want +got):\n%s", total, try.total, diff)
			}
		})
	}
}
