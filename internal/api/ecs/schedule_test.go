package ecs_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/alibaba/caller"
	"errand/internal/api/scene"
	"errand/internal/core"
)

// planned lets a node say that it holds the task of a standing invocation.
func planned(s *scene.Scene, id core.ID, n core.Node, index uint32) core.Answer {
	return s.Report(id, n, core.Report{Task: core.TaskID{Invocation: id, Index: index}, Kind: core.ReportPlanned})
}

// exitRun lets a node report one run of its task of a standing invocation.
func exitRun(s *scene.Scene, id core.ID, n core.Node, index uint32, due time.Time, code int32, output string) core.Answer {
	r := core.Report{
		Task: core.TaskID{Invocation: id, Index: index}, Due: due, Kind: core.ReportEnded, State: core.Succeeded, Exited: true, ExitCode: code,
		Started: due, Ended: due.Add(time.Second), Stdout: uint64(len(output)), End: uint64(len(output)),
		Chunk: core.Chunk{Data: []byte(output), Spans: []core.Span{{Stream: core.Stdout, Len: uint32(len(output))}}},
	}
	if code != 0 {
		r.State, r.Cause = core.Failed, core.CauseExitNonzero
	}
	return s.Report(id, n, r)
}

func only(rows []map[string]any, names ...string) []map[string]any {
	out := make([]map[string]any, len(rows))
	for i, r := range rows {
		out[i] = map[string]any{}
		for _, name := range names {
			out[i][name] = r[name]
		}
	}
	return out
}

// TestStandingTask follows a periodic task on two machines from acceptance to its stop, as this vendor shows it and, run by run, as the
// core's other callers see it.
func TestStandingTask(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	one, two := s.Node("i-one"), s.Node("i-two")
	s.Online(one, two)
	started, id := run(t, c, shell("i-one", "i-two").With("Frequency", "rate(5m)", "RepeatMode", "Once"))
	look := func() map[string]any {
		t.Helper()
		got := ask[invocations](t, c, "DescribeInvocations", caller.Params{"InvokeId": started.InvokeId}).Invocations.Invocation
		if len(got) != 1 {
			t.Fatalf("%d invocations", len(got))
		}
		return got[0]
	}
	status := func(overall, invoke string, timed bool, each ...string) {
		t.Helper()
		v := look()
		nodes := v["InvokeInstances"].(map[string]any)["InvokeInstance"].([]any)
		var shown []string
		for _, n := range nodes {
			shown = append(shown, n.(map[string]any)["InvocationStatus"].(string))
		}
		want := map[string]any{
			"InvocationStatus": overall, "InvokeStatus": invoke, "Timed": timed, "RepeatMode": "Period", "Frequency": "rate(5m)",
		}
		if d := cmp.Diff(want, only([]map[string]any{v}, "InvocationStatus", "InvokeStatus", "Timed", "RepeatMode", "Frequency")[0]); d != "" {
			t.Errorf("invocation (-want +got):\n%s", d)
		}
		if d := cmp.Diff(each, shown); d != "" {
			t.Errorf("instances (-want +got):\n%s", d)
		}
	}
	status("Pending", "Running", true, "Pending", "Pending")
	planned(s, id, one, 0)
	status("Pending", "Running", true, "Scheduled", "Pending")
	planned(s, id, two, 1)
	status("Scheduled", "Running", true, "Scheduled", "Scheduled")

	due := s.Now().Add(5 * time.Minute)
	s.Advance(5 * time.Minute)
	s.Report(id, one, core.Report{Task: core.TaskID{Invocation: id}, Due: due, Kind: core.ReportStarted, At: due})
	status("Scheduled", "Running", true, "Running", "Scheduled")
	if a := exitRun(s, id, one, 0, due, 3, "first"); !a.Final || a.Of.Due != due {
		t.Errorf("answer to the node: %+v", a)
	}
	exitRun(s, id, two, 1, due, 0, "second")
	status("Scheduled", "Running", true, "Scheduled", "Scheduled")
	if a := exitRun(s, id, one, 0, due, 3, "first"); !a.Final {
		t.Errorf("answer to the same report again: %+v", a)
	}
	s.Advance(5 * time.Minute)
	exitRun(s, id, one, 0, due.Add(5*time.Minute), 0, "third")

	// The latest run of each, or all of them.
	fields := []string{"InstanceId", "InvokeId", "InvocationStatus", "ExitCode", "Output", "Repeats"}
	latest := ask[results](t, c, "DescribeInvocationResults", caller.Params{"InvokeId": started.InvokeId, "ContentEncoding": "PlainText"})
	want := []map[string]any{
		{"InstanceId": "i-one", "InvokeId": started.InvokeId, "InvocationStatus": "Scheduled", "ExitCode": 0., "Output": "third", "Repeats": 2.},
		{"InstanceId": "i-two", "InvokeId": started.InvokeId, "InvocationStatus": "Scheduled", "ExitCode": 0., "Output": "second", "Repeats": 1.},
	}
	if d := cmp.Diff(want, only(latest.Invocation.InvocationResults.InvocationResult, fields...)); d != "" {
		t.Errorf("latest runs (-want +got):\n%s", d)
	}
	history := ask[results](t, c, "DescribeInvocationResults", caller.Params{
		"InvokeId": started.InvokeId, "ContentEncoding": "PlainText", "IncludeHistory": "true",
	})
	want = []map[string]any{
		{"InstanceId": "i-one", "InvokeId": started.InvokeId, "InvocationStatus": "Success", "ExitCode": 0., "Output": "third", "Repeats": 1.},
		{"InstanceId": "i-one", "InvokeId": started.InvokeId, "InvocationStatus": "Failed", "ExitCode": 3., "Output": "first", "Repeats": 1.},
		{"InstanceId": "i-two", "InvokeId": started.InvokeId, "InvocationStatus": "Success", "ExitCode": 0., "Output": "second", "Repeats": 1.},
	}
	if d := cmp.Diff(want, only(history.Invocation.InvocationResults.InvocationResult, fields...)); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	if got := history.Invocation.TotalCount; got != 3 {
		t.Errorf("history counts %d", got)
	}
	// Runs are no tasks of their own in listings of this vendor.
	if got := ask[invocations](t, c, "DescribeInvocations", nil); got.TotalCount != 1 {
		t.Errorf("%d invocations listed", got.TotalCount)
	}
	for _, tt := range []struct {
		params caller.Params
		want   int
	}{
		{caller.Params{"RepeatMode": "Period"}, 1},
		{caller.Params{"RepeatMode": "Once"}, 0},
		{caller.Params{"Timed": "true"}, 1},
		{caller.Params{"Timed": "false"}, 0},
		{caller.Params{"InvokeStatus": "Scheduled"}, 1},
		{caller.Params{"InvokeStatus": "Running"}, 1},
		{caller.Params{"InvokeStatus": "Finished"}, 0},
		{caller.Params{"InstanceId": "i-one", "InvokeStatus": "Running"}, 1},
	} {
		if got := ask[invocations](t, c, "DescribeInvocations", tt.params); got.TotalCount != tt.want {
			t.Errorf("%v: %d invocations", tt.params, got.TotalCount)
		}
	}
	runs, info, err := s.Service.Invocations(t.Context(), s.Caller, core.InvocationFilter{Kinds: core.Runs}, core.PageSpec{Limit: 10, Count: true})
	if err != nil || info.Total != 2 {
		t.Errorf("%d runs (%v)", info.Total, err)
	}
	for i := range runs {
		if runs[i].Kind != core.KindOccurrence || runs[i].Schedule != id {
			t.Errorf("run %+v", runs[i])
		}
	}

	c.Call("StopInvocation", caller.Params{"InvokeId": started.InvokeId}).Into(t, &struct{}{})
	status("Stopping", "Stopping", true, "Stopping", "Stopping")
	s.Report(id, one, core.Report{Task: core.TaskID{Invocation: id}, Kind: core.ReportEnded, State: core.Terminated, Cause: core.CauseInterrupted})
	s.Report(id, two, core.Report{
		Task: core.TaskID{Invocation: id, Index: 1}, Kind: core.ReportEnded, State: core.Terminated, Cause: core.CauseInterrupted,
	})
	status("Stopped", "Stopped", false, "Terminated", "Terminated")
	if a := planned(s, id, one, 0); !a.Stop {
		t.Errorf("a node that still holds the plan is told %+v", a)
	}
}

// TestScheduleEnds shows the end of a task that has no run left: that of its last run.
func TestScheduleEnds(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	n := s.Node("i-one")
	s.Online(n)
	started, id := run(t, c, shell("i-one").With("RepeatMode", "NextRebootOnly"))
	planned(s, id, n, 0)
	exitRun(s, id, n, 0, s.Now(), 3, "out")
	s.Report(id, n, core.Report{
		Task: core.TaskID{Invocation: id}, Kind: core.ReportEnded, State: core.Failed, Cause: core.CauseExitNonzero, Exited: true, ExitCode: 3,
	})
	got := ask[results](t, c, "DescribeInvocationResults", caller.Params{"InvokeId": started.InvokeId, "ContentEncoding": "PlainText"})
	want := []map[string]any{{
		"InvocationStatus": "Failed", "InvokeRecordStatus": "Finished", "ErrorCode": "ExitCodeNonzero", "ExitCode": 3., "Output": "out", "Repeats": 1.,
	}}
	rows := only(got.Invocation.InvocationResults.InvocationResult,
		"InvocationStatus", "InvokeRecordStatus", "ErrorCode", "ExitCode", "Output", "Repeats")
	if d := cmp.Diff(want, rows); d != "" {
		t.Errorf("result (-want +got):\n%s", d)
	}
	if a := c.Call("DescribeInvocationResults", caller.Params{"InvokeId": started.InvokeId, "IncludeHistory": "true"}); a.Status != 403 {
		t.Errorf("history of a task that runs once: %d %s", a.Status, a.Code)
	}
}

// TestMadeUpRuns lets a node report runs that cannot be.
func TestMadeUpRuns(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	one, two := s.Node("i-one"), s.Node("i-two")
	s.Online(one, two)
	_, id := run(t, c, shell("i-one").With("Frequency", "0 0 3 * * ?"))
	_, plain := run(t, c, shell("i-one"))
	task := core.TaskID{Invocation: id}
	for name, r := range map[string]core.Report{
		"of another node":        {Task: task, Due: s.Now(), Node: two.Key},
		"of a task that is none": {Task: core.TaskID{Invocation: id, Index: 7}, Due: s.Now(), Node: one.Key},
		"of nothing":             {Task: core.TaskID{Invocation: 9}, Due: s.Now(), Node: one.Key},
		"of a one-time task":     {Task: core.TaskID{Invocation: plain}, Due: s.Now(), Node: one.Key},
		"of the far future":      {Task: task, Due: s.Now().Add(25 * time.Hour), Node: one.Key},
		"of the past":            {Task: task, Due: s.Now().Add(-25 * time.Hour), Node: one.Key},
	} {
		r.Kind = core.ReportEnded
		answers, err := s.Service.Report(t.Context(), []core.Report{r})
		if err != nil || len(answers) != 1 || !answers[0].Final || answers[0].Of.Task != r.Task {
			t.Errorf("%s: %+v, %v", name, answers, err)
		}
	}
	for i := range 100 {
		exitRun(s, id, one, 0, s.Now().Add(time.Duration(i)*time.Microsecond), 0, "")
	}
	_, info, err := s.Service.Invocations(t.Context(), s.Caller, core.InvocationFilter{Schedules: []core.ID{id}}, core.PageSpec{Limit: 1, Count: true})
	if err != nil || info.Total > 70 {
		t.Errorf("%d runs within a moment (%v)", info.Total, err)
	}
}

// TestModifyInvocationAttribute changes a standing task in each way.
func TestModifyInvocationAttribute(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	one, two := s.Node("i-one"), s.Node("i-two")
	windows := s.NodeOn(core.Windows, "i-win")
	s.Online(one, two, windows)
	started, id := run(t, c, shell("i-one").With("Frequency", "rate(5m)", "EnableParameter", "true", "CommandContent", "echo {{a}}", "Parameters", `{"a":"1"}`))
	planned(s, id, one, 0)
	var events []core.Event
	s.Feed.Listen(func(e core.Event) { events = append(events, e) })
	modify := func(params ...string) string {
		t.Helper()
		var got struct{ CommandId string }
		c.Call("ModifyInvocationAttribute", caller.Params{"InvokeId": started.InvokeId}.With(params...)).Into(t, &got)
		return got.CommandId
	}
	if got := modify("Frequency", "0 */10 * * * ?"); got != started.CommandId {
		t.Errorf("command %s, was %s", got, started.CommandId)
	}
	modify("Parameters", `{"a":2}`, "EnableParameter", "true")
	fresh := modify("CommandContent", "ZWNobyB7e2F9fSBuZXc=", "ContentEncoding", "Base64", "ClientToken", "t1")
	if again := modify("CommandContent", "ZWNobyB7e2F9fSBuZXc=", "ContentEncoding", "Base64", "ClientToken", "t1"); fresh == started.CommandId || again != fresh {
		t.Errorf("commands: %s at first, then %s and %s", started.CommandId, fresh, again)
	}
	modify("InstanceId.1", "i-one", "InstanceId.2", "i-two")
	v, err := s.Service.Invocation(t.Context(), s.Caller, id)
	if err != nil || string(v.Script) != "echo 2 new" || v.Frequency != "0 */10 * * * ?" || v.Revision != 4 || v.Counts.Total() != 2 {
		t.Errorf("invocation %+v, %v", v, err)
	}
	if last := events[len(events)-1]; !last.Revised || last.New.Revision != 4 || len(last.Tasks) != 2 {
		t.Errorf("last event %+v", last)
	}

	finished, done := run(t, c, shell("i-one").With("RepeatMode", "NextRebootOnly"))
	planned(s, done, one, 0)
	s.Report(done, one, core.Report{Task: core.TaskID{Invocation: done}, Kind: core.ReportEnded, State: core.Cancelled})
	reboot, _ := run(t, c, shell("i-one").With("RepeatMode", "EveryReboot"))
	once, _ := run(t, c, shell("i-one"))
	x := func(n int) string { return string(make([]byte, n)) }
	for _, m := range []struct {
		params []string
		status int
		code   string
	}{
		{[]string{"InvokeId", "t-" + core.ID(9).String()}, 404, "InvalidInvokeId.NotFound"},
		{[]string{"InvokeId", "x"}, 404, "InvalidInvokeId.NotFound"},
		{[]string{"InvokeId", once.InvokeId, "Frequency", "rate(5m)"}, 403, "InvalidOperation.RepeatModeUnsupported"},
		{[]string{"InvokeId", reboot.InvokeId, "Frequency", "rate(5m)"}, 403, "InvalidOperation.RepeatModeUnsupported"},
		{[]string{"InvokeId", finished.InvokeId, "CommandContent", "x"}, 403, "InvalidOperation.InvokeAlreadyFinished"},
		{[]string{"Frequency", "rate(5s)"}, 400, "InvalidParameter.Frequency"},
		{[]string{"CommandContent", "!", "ContentEncoding", "Base64"}, 400, "InvalidCommandContent.DecodeError"},
		{[]string{"CommandContent", "#" + x(18<<10)}, 403, "InvalidCommandContent.LengthLimitExceeded"},
		{[]string{"Parameters", `{"b":"1"}`}, 400, "InvalidParameters.KeyNotMatch"},
		{[]string{"Parameters", `{"":"1"}`}, 400, "InvalidParameters.KeyEmpty"},
		{[]string{"Parameters", `{"a b":"1"}`}, 400, "InvalidParameters.KeyMalformed"},
		{[]string{"Parameters", `{"a":"1","A":"2"}`}, 400, "InvalidParameters.KeyDuplicate"},
		{[]string{"Parameters", `{"a":[]}`}, 403, "InvalidParameters.ValueTypeUnsupported"},
		{[]string{"InstanceId.1", "i-none"}, 404, "InvalidInstanceId.NotFound"},
		{[]string{"InstanceId.1", "i-win"}, 403, "InvalidInstanceId.OSTypeUnsupported"},
		{[]string{"RegionId", "mars"}, 404, "InvalidRegionId.NotFound"},
		{[]string{"ClientToken", "t1", "Frequency", "rate(7m)"}, 403, "IdempotentParameterMismatch"},
	} {
		if a := c.Call("ModifyInvocationAttribute", caller.Params{"InvokeId": started.InvokeId}.With(m.params...)); a.Status != m.status || a.Code != m.code {
			t.Errorf("%.60q: %d %s %s, want %d %s", m.params, a.Status, a.Code, a.Text, m.status, m.code)
		}
	}
	if after, err := s.Service.Invocation(t.Context(), s.Caller, id); err != nil || after.Revision != 4 {
		t.Errorf("refused changes left revision %d (%v)", after.Revision, err)
	}
}

// TestOldAgent asks for what an agent does not know: it is never sent, and the caller is told at once.
func TestOldAgent(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	n := s.Node("i-old")
	if err := s.Service.Introduce(t.Context(), n.Key, core.Facts{Hostname: "old", Platform: core.Linux, Agent: "0.0.1", Features: []string{"shell"}}); err != nil {
		t.Fatal(err)
	}
	s.Online(n)
	for name, p := range map[string]caller.Params{
		"schedule":  shell("i-old").With("RepeatMode", "EveryReboot"),
		"dry run":   shell("i-old").With("RepeatMode", "DryRun"),
		"container": shell("i-old").With("ContainerName", "web"),
	} {
		started, id := run(t, c, p)
		got := ask[results](t, c, "DescribeInvocationResults", caller.Params{"InvokeId": started.InvokeId}).Invocation.InvocationResults.InvocationResult
		if d := cmp.Diff([]map[string]any{{"InvocationStatus": "Aborted", "ErrorCode": "ClientNeedUpgrade"}}, only(got, "InvocationStatus", "ErrorCode")); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if v, err := s.Service.Invocation(t.Context(), s.Caller, id); err != nil || v.EndedAt.IsZero() {
			t.Errorf("%s: ended at %v (%v)", name, v.EndedAt, err)
		}
	}
	if _, id := run(t, c, shell("i-old")); id == 0 {
		t.Error("a plain command has no id")
	}
}
