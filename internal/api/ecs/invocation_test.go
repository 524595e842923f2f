package ecs_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/alibaba/caller"
	"errand/internal/api/scene"
	"errand/internal/core"
)

type invocations struct {
	TotalCount, PageNumber, PageSize int
	NextToken                        string
	Invocations                      struct{ Invocation []map[string]any }
}

type results struct {
	Invocation struct {
		TotalCount, PageNumber, PageSize int
		NextToken                        string
		InvocationResults                struct{ InvocationResult []map[string]any }
	}
}

// field lists one field of all rows.
func field(rows []map[string]any, name string) []string {
	got := []string{}
	for _, r := range rows {
		s, _ := r[name].(string)
		got = append(got, s)
	}
	return got
}

func ask[T any](t *testing.T, c *caller.Client, action string, p caller.Params) T {
	t.Helper()
	var v T
	c.Call(action, p).Into(t, &v)
	return v
}

// life leads the task of an invocation on a node to a state. The times are those of the scene: started now, ended five seconds later.
type life struct {
	name string
	lead func(t *testing.T, s *scene.Scene, c *caller.Client, id core.ID, n core.Node)
	want map[string]any // of the result, besides what all have
}

func report(state core.State, cause core.Cause, signal uint8) func(*testing.T, *scene.Scene, *caller.Client, core.ID, core.Node) {
	return func(t *testing.T, s *scene.Scene, _ *caller.Client, id core.ID, n core.Node) {
		t.Helper()
		r := core.Report{Kind: core.ReportEnded, State: state, Cause: cause, Signal: signal, Ended: s.Now().Add(5 * time.Second)}
		if state != core.StartFailed {
			r.Started = s.Now()
		}
		if a := s.Report(id, n, r); !a.Final {
			t.Fatalf("%v was not taken", state)
		}
	}
}

func start(_ *testing.T, s *scene.Scene, _ *caller.Client, id core.ID, n core.Node) {
	s.Report(id, n, core.Report{Kind: core.ReportStarted, At: s.Now()})
}

func stop(t *testing.T, _ *scene.Scene, c *caller.Client, id core.ID, _ core.Node) {
	t.Helper()
	c.Call("StopInvocation", caller.Params{"InvokeId": "t-" + id.String()}).Into(t, &struct{}{})
}

const (
	begun = "2026-11-22T05:41:40Z"
	ended = "2026-11-22T05:41:45Z"
)

var lives = []life{
	{"pending", nil, map[string]any{"InvocationStatus": "Pending", "InvokeRecordStatus": "Running"}},
	{"running", start, map[string]any{"InvocationStatus": "Running", "InvokeRecordStatus": "Running", "StartTime": begun}},
	{
		"stopping", func(t *testing.T, s *scene.Scene, c *caller.Client, id core.ID, n core.Node) {
			start(t, s, c, id, n)
			stop(t, s, c, id, n)
		},
		map[string]any{"InvocationStatus": "Stopping", "InvokeRecordStatus": "Stopping", "StartTime": begun, "StopTime": begun},
	},
	{
		"success", func(_ *testing.T, s *scene.Scene, _ *caller.Client, id core.ID, n core.Node) {
			s.Exit(id, n, 0, "", "")
		},
		map[string]any{
			"InvocationStatus": "Success", "InvokeRecordStatus": "Finished", "StartTime": begun,
			"FinishedTime": "2026-11-22T05:41:41Z", "ExitCode": 0., "Repeats": 1.,
		},
	},
	{
		"failed", func(_ *testing.T, s *scene.Scene, _ *caller.Client, id core.ID, n core.Node) {
			s.Exit(id, n, 3, "", "")
		},
		map[string]any{
			"InvocationStatus": "Failed", "InvokeRecordStatus": "Finished", "ErrorCode": "ExitCodeNonzero",
			"ErrorInfo": "The command execution exit code is not zero", "StartTime": begun,
			"FinishedTime": "2026-11-22T05:41:41Z", "ExitCode": 3., "Repeats": 1.,
		},
	},
	{"timeout", report(core.TimedOut, core.CauseExecTimeout, 9), map[string]any{
		"InvocationStatus": "Timeout", "InvokeRecordStatus": "Failed", "ErrorCode": "ExecutionTimeout",
		"ErrorInfo": "The command execution has been timeout", "StartTime": begun,
		"FinishedTime": "2026-11-22T05:42:00Z", "ExitCode": 137., "Repeats": 1., // start plus 20 seconds
	}},
	{"exception", report(core.Exception, core.CauseRebooted, 0), map[string]any{
		"InvocationStatus": "Error", "InvokeRecordStatus": "Failed", "ErrorCode": "ExecutionException",
		"ErrorInfo": "The command execution got an exception", "StartTime": begun, "FinishedTime": ended, "Repeats": 1.,
	}},
	{"no user", report(core.StartFailed, core.CauseUserNotFound, 0), map[string]any{
		"InvocationStatus": "Invalid", "InvokeRecordStatus": "Failed", "ErrorCode": "AccountNotExists",
		"ErrorInfo": "The specified account does not exist", "FinishedTime": ended,
	}},
	{"no interpreter", report(core.StartFailed, core.CauseNoInterpreter, 0), map[string]any{
		"InvocationStatus": "Error", "InvokeRecordStatus": "Failed", "ErrorCode": "ExecutionException",
		"ErrorInfo": "The command execution got an exception", "FinishedTime": ended,
	}},
	{"cancelled", stop, map[string]any{
		"InvocationStatus": "Cancelled", "InvokeRecordStatus": "Stopped", "ErrorCode": "ExecutionInterrupted",
		"ErrorInfo": "The command execution has been interrupted", "FinishedTime": begun, "StopTime": begun,
	}},
	{
		"terminated", func(t *testing.T, s *scene.Scene, c *caller.Client, id core.ID, n core.Node) {
			start(t, s, c, id, n)
			stop(t, s, c, id, n)
			report(core.Terminated, core.CauseInterrupted, 15)(t, s, c, id, n)
		},
		map[string]any{
			"InvocationStatus": "Terminated", "InvokeRecordStatus": "Stopped", "ErrorCode": "ExecutionInterrupted",
			"ErrorInfo": "The command execution has been interrupted", "StartTime": begun, "FinishedTime": ended, "StopTime": begun,
			"ExitCode": 143., "Repeats": 1.,
		},
	},
	{
		"aborted", func(t *testing.T, s *scene.Scene, _ *caller.Client, id core.ID, n core.Node) {
			t.Helper()
			v, err := s.Service.Invocation(t.Context(), s.Caller, id)
			if err != nil {
				t.Fatal(err)
			}
			s.Advance(time.Minute)
			changed, err := s.Service.Expire(t.Context(), &v, []core.TaskID{s.Task(id, n)})
			s.Advance(-time.Minute)
			if err != nil || len(changed) != 1 {
				t.Fatalf("%d given up: %v", len(changed), err)
			}
		},
		map[string]any{
			"InvocationStatus": "Aborted", "InvokeRecordStatus": "Failed", "ErrorCode": "ClientNotRunning",
			"ErrorInfo": "The aliyun service is not running on the instance", "FinishedTime": "2026-11-22T05:42:40Z",
		},
	},
}

// enact runs one command for each life, on a machine named after it, and returns the invocations' ids by the life's name.
func enact(t *testing.T, s *scene.Scene, c *caller.Client) map[string]string {
	t.Helper()
	ids := map[string]string{}
	for _, l := range lives {
		name := "i-" + strings.ReplaceAll(l.name, " ", "-")
		n := s.Node(name)
		if l.want["InvokeRecordStatus"] == "Stopping" || l.want["InvocationStatus"] == "Terminated" {
			s.Online(n) // else the stop would find the command still here
		}
		r, id := run(t, c, shell(name).With("Timeout", "20", "Name", l.name))
		if l.lead != nil {
			l.lead(t, s, c, id, n)
		}
		ids[l.name] = r.InvokeId
	}
	return ids
}

func TestResultOfEveryStatus(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	ids := enact(t, s, c)
	for _, l := range lives {
		got := ask[results](t, c, "DescribeInvocationResults", caller.Params{"InvokeId": ids[l.name]})
		if len(got.Invocation.InvocationResults.InvocationResult) != 1 {
			t.Fatalf("%s: %+v", l.name, got)
		}
		row := got.Invocation.InvocationResults.InvocationResult[0]
		want := map[string]any{
			"InvokeId": ids[l.name], "CommandId": row["CommandId"], "InstanceId": "i-" + strings.ReplaceAll(l.name, " ", "-"),
			"ErrorCode": "", "ErrorInfo": "", "Output": "", "Dropped": 0., "Repeats": 0., "StartTime": "", "FinishedTime": "", "StopTime": "",
			"Username": "", "Launcher": "", "TerminationMode": "ProcessTree", "ContainerId": "", "ContainerName": "",
			"OssOutputDelivery": "", "OssOutputUri": "", "OssOutputStatus": "", "Tags": map[string]any{"Tag": []any{}},
		}
		for k, v := range l.want {
			want[k] = v
		}
		if diff := cmp.Diff(want, row); diff != "" {
			t.Errorf("%s (-want +got):\n%s", l.name, diff)
		}
	}
}

// TestStatusFilters asks by every documented word of both filters.
func TestStatusFilters(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	ids := enact(t, s, c)
	all := slices.Sorted(func(yield func(string) bool) {
		for _, l := range lives {
			if !yield(l.name) {
				return
			}
		}
	})
	failed := []string{"aborted", "exception", "no interpreter", "no user", "timeout"}
	for word, want := range map[string][]string{
		"":          all,
		"Running":   {"pending", "running"},
		"Finished":  {"failed", "success"},
		"Success":   {"success"},
		"Failed":    failed,
		"Stopped":   {"cancelled", "terminated"},
		"Stopping":  {"stopping"},
		"Scheduled": {},
		"Nonsense":  {},
		"Pending":   {"pending"},
	} {
		got := ask[invocations](t, c, "DescribeInvocations", caller.Params{"InvokeStatus": word, "MaxResults": "50"})
		names := slices.Sorted(slices.Values(field(got.Invocations.Invocation, "CommandName")))
		if diff := cmp.Diff(want, names, cmp.Transformer("", func(s []string) string { return strings.Join(s, ",") })); diff != "" || got.TotalCount != len(want) {
			t.Errorf("InvokeStatus %q: total %d (-want +got):\n%s", word, got.TotalCount, diff)
		}
		if word == "Pending" {
			continue // not a word of the other filter
		}
		byRecord := ask[results](t, c, "DescribeInvocationResults", caller.Params{"InvokeRecordStatus": word, "MaxResults": "50"}).Invocation
		wantIDs := []string{}
		for _, name := range want {
			wantIDs = append(wantIDs, ids[name])
		}
		gotIDs := field(byRecord.InvocationResults.InvocationResult, "InvokeId")
		slices.Sort(wantIDs)
		slices.Sort(gotIDs)
		if diff := cmp.Diff(wantIDs, gotIDs); diff != "" || byRecord.TotalCount != len(want) {
			t.Errorf("InvokeRecordStatus %q: total %d (-want +got):\n%s", word, byRecord.TotalCount, diff)
		}
	}
	if got := ask[results](t, c, "DescribeInvocationResults", caller.Params{"InvokeRecordStatus": "PartialFailed"}); got.Invocation.TotalCount != 0 {
		t.Errorf("%d records failed in part", got.Invocation.TotalCount)
	}
}

// TestStatusOfOneInstance looks at an invocation that failed in part from each of its machines.
func TestStatusOfOneInstance(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	good, bad := s.Node("i-good"), s.Node("i-bad")
	r, id := run(t, c, shell("i-good", "i-bad"))
	s.Exit(id, good, 0, "", "")
	report(core.TimedOut, core.CauseExecTimeout, 9)(t, s, c, id, bad)
	for _, q := range []struct {
		params            caller.Params
		status, old       string
		machines, matches int
	}{
		{caller.Params{"InvokeId": r.InvokeId}, "PartialFailed", "PartialFailed", 2, 1},
		{caller.Params{"InvokeStatus": "PartialFailed"}, "PartialFailed", "PartialFailed", 2, 1},
		{caller.Params{"InvokeStatus": "Failed"}, "", "", 0, 0},
		{caller.Params{"InstanceId": "i-good"}, "Success", "Finished", 1, 1},
		{caller.Params{"InstanceId": "i-bad"}, "Failed", "Failed", 1, 1},
		{caller.Params{"InstanceId": "i-bad", "InvokeStatus": "Failed"}, "Failed", "Failed", 1, 1},
		{caller.Params{"InstanceId": "i-good", "InvokeStatus": "Success", "InvokeId": r.InvokeId}, "Success", "Finished", 1, 1},
		{caller.Params{"InstanceId": "i-good", "InvokeStatus": "Failed"}, "", "", 0, 0},
		{caller.Params{"InstanceId": "i-good", "InvokeStatus": "PartialFailed"}, "Success", "Finished", 1, 1}, // ignored
		{caller.Params{"InstanceId": "i-nobody"}, "", "", 0, 0},
	} {
		got := ask[invocations](t, c, "DescribeInvocations", q.params)
		if len(got.Invocations.Invocation) != q.matches {
			t.Errorf("%v: %d matches, want %d", q.params, len(got.Invocations.Invocation), q.matches)
			continue
		}
		if q.matches == 0 {
			continue
		}
		row := got.Invocations.Invocation[0]
		machines := row["InvokeInstances"].(map[string]any)["InvokeInstance"].([]any)
		if row["InvocationStatus"] != q.status || row["InvokeStatus"] != q.old || len(machines) != q.machines {
			t.Errorf("%v: %v, %v, %d machines; want %s, %s, %d", q.params, row["InvocationStatus"], row["InvokeStatus"], len(machines), q.status, q.old, q.machines)
		}
	}
}

func TestInvocationRoundTrip(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	n := s.Node("i-one")
	r, id := run(t, c, shell("i-one").With(
		"CommandContent", "ZWNobyB7e2F9fSB7e0J9fQ==", "ContentEncoding", "base64", "Name", "n", "Description", "d", "WorkingDir", "/tmp",
		"Username", "bob", "Launcher", "bash", "Timeout", "30", "EnableParameter", "true", "Parameters", `{ "A": 1, "b": "<x>" }`,
		"TerminationMode", "Process", "ResourceGroupId", "rg-1",
		"Tag.1.Key", "k", "Tag.1.Value", "v", "WindowsPasswordName", "pw", "RepeatMode", "Once", "Timed", "nonsense",
	))
	s.Exit(id, n, 0, "out", "err")
	want := map[string]any{
		"InvokeId": r.InvokeId, "CommandId": r.CommandId, "CommandName": "n", "CommandDescription": "d", "CommandType": "RunShellScript",
		"CommandContent": "echo {{a}} {{B}}", "Parameters": `{ "A": 1, "b": "<x>" }`, "InvocationStatus": "Success", "InvokeStatus": "Finished",
		"RepeatMode": "Once", "Frequency": "", "Timed": false, "Timeout": 30., "Username": "bob", "WorkingDir": "/tmp", "Launcher": "bash",
		"TerminationMode": "Process", "ContainerId": "", "ContainerName": "", "OssOutputDelivery": "", "CreationTime": begun,
		"Tags": map[string]any{"Tag": []any{map[string]any{"TagKey": "k", "TagValue": "v"}}},
		"InvokeInstances": map[string]any{"InvokeInstance": []any{map[string]any{
			"InstanceId": "i-one", "InvocationStatus": "Success", "InstanceInvokeStatus": "Finished", "ErrorCode": "", "ErrorInfo": "",
			"ExitCode": 0., "Output": "outerr", "Dropped": 0., "Repeats": 1., "Timed": false, "CreationTime": begun, "StartTime": begun,
			"FinishTime": "2026-11-22T05:41:41Z", "StopTime": "", "UpdateTime": begun, "OssOutputUri": "", "OssOutputStatus": "",
		}}},
	}
	got := ask[invocations](t, c, "DescribeInvocations", caller.Params{
		"InvokeId": r.InvokeId, "IncludeOutput": "true", "ContentEncoding": "PlainText",
	})
	if diff := cmp.Diff([]map[string]any{want}, got.Invocations.Invocation); diff != "" {
		t.Errorf("invocation (-want +got):\n%s", diff)
	}
	v, err := s.Service.Invocation(t.Context(), s.Caller, id)
	if err != nil {
		t.Fatal(err)
	}
	if string(v.Script) != "echo 1 <x>" || v.KillTree || v.DeliverWithin != time.Minute || v.Region != "cn-hangzhou" || v.Origin != core.OriginECS {
		t.Errorf("script %q, tree %v, within %v, region %s, origin %s", v.Script, v.KillTree, v.DeliverWithin, v.Region, v.Origin)
	}
}

// TestOutputIsAskedFor: without a name nobody gets output, and without IncludeOutput neither.
func TestOutputIsAskedFor(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	n := s.Node("i-one")
	r, id := run(t, c, shell("i-one"))
	s.Exit(id, n, 0, "out", "")
	for _, q := range []struct {
		params caller.Params
		want   string
	}{
		{caller.Params{"InvokeId": r.InvokeId}, ""},
		{caller.Params{"IncludeOutput": "true"}, ""},
		{caller.Params{"IncludeOutput": "true", "InvokeId": r.InvokeId}, "b3V0"},
		{caller.Params{"IncludeOutput": "True", "InstanceId": "i-one"}, "b3V0"},
		{caller.Params{"IncludeOutput": "true", "InvokeId": r.InvokeId, "ContentEncoding": "PlainText"}, "out"},
	} {
		got := ask[invocations](t, c, "DescribeInvocations", q.params).Invocations.Invocation[0]
		machine := got["InvokeInstances"].(map[string]any)["InvokeInstance"].([]any)[0].(map[string]any)
		if machine["Output"] != q.want {
			t.Errorf("%v: output %q, want %q", q.params, machine["Output"], q.want)
		}
	}
}

// TestOutputWindow prints around the vendor's 24 KB.
func TestOutputWindow(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	for _, total := range []int{24576, 24577, 30000, 100_000} {
		n := s.Node("")
		r, id := run(t, c, shell("mi-"+n.ID))
		text := make([]byte, total)
		for i := range text {
			text[i] = byte('a' + i%26)
		}
		s.Exit(id, n, 0, string(text), "")
		want, dropped := text, 0
		if total > 24576 {
			want, dropped = slices.Concat(text[:6000], text[total-18576:]), total-24576
		}
		row := ask[results](t, c, "DescribeInvocationResults", caller.Params{"InvokeId": r.InvokeId}).Invocation.InvocationResults.InvocationResult[0]
		got, err := base64.StdEncoding.DecodeString(row["Output"].(string))
		if err != nil || string(got) != string(want) || row["Dropped"] != float64(dropped) || row["InstanceId"] != "mi-"+n.ID {
			t.Errorf("%d bytes: %d shown, %v dropped on %v, want %d and %d (%v)", total, len(got), row["Dropped"], row["InstanceId"], len(want), dropped, err)
		}
		brief := ask[invocations](t, c, "DescribeInvocations", caller.Params{"InvokeId": r.InvokeId}).Invocations.Invocation[0]
		machine := brief["InvokeInstances"].(map[string]any)["InvokeInstance"].([]any)[0].(map[string]any)
		if machine["Dropped"] != float64(dropped) {
			t.Errorf("%d bytes: DescribeInvocations says %v dropped", total, machine["Dropped"])
		}
	}
}

// TestBinaryOutput must be valid in every form of answer.
func TestBinaryOutput(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	n := s.Node("i-one")
	r, id := run(t, c, shell("i-one"))
	s.Exit(id, n, 0, "a\xff\xfeb\x00c", "")
	row := ask[results](t, c, "DescribeInvocationResults", caller.Params{"ContentEncoding": "PlainText"}).Invocation.InvocationResults.InvocationResult[0]
	if row["Output"] != "a\uFFFDb\x00c" {
		t.Errorf("plain output is %q", row["Output"])
	}
	row = ask[results](t, c, "DescribeInvocationResults", nil).Invocation.InvocationResults.InvocationResult[0]
	if row["Output"] != "Yf/+YgBj" {
		t.Errorf("encoded output is %q", row["Output"])
	}
	a := c.Call("DescribeInvocationResults", caller.Params{"InvokeId": r.InvokeId, "ContentEncoding": "PlainText", "Format": "xml"})
	if !strings.Contains(string(a.Body), "<Output>a\uFFFDb\uFFFDc</Output>") {
		t.Errorf("XML output in %s", a.Body)
	}
}

func TestInvocationFilters(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Node("i-a")
	s.Node("i-b")
	s.NodeOn(core.Windows, "i-w")
	one, _ := run(t, c, shell("i-a").With("Name", "one", "ResourceGroupId", "rg-1", "Tag.1.Key", "k", "Tag.1.Value", "v"))
	two, _ := run(t, c, shell("i-a", "i-b").With("Name", "two", "Tag.1.Key", "k", "Tag.1.Value", "v", "Tag.2.Key", "l"))
	run(t, c, caller.Params{"Type": "RunPowerShellScript", "CommandContent": "dir", "InstanceId.1": "i-w", "Name": "three"})
	for _, f := range []struct {
		params caller.Params
		want   []string
	}{
		{nil, []string{"three", "two", "one"}},
		{caller.Params{"InvokeId": one.InvokeId}, []string{"one"}},
		{caller.Params{"InvokeId": "inv-" + one.InvokeId[2:]}, []string{"one"}}, // another vendor's prefix
		{caller.Params{"InvokeId": "t-unknown"}, []string{}},
		{caller.Params{"CommandId": two.CommandId}, []string{"two"}},
		{caller.Params{"CommandId": "c-unknown"}, []string{}},
		{caller.Params{"InstanceId": "i-a"}, []string{"two", "one"}},
		{caller.Params{"ResourceGroupId": "rg-1"}, []string{"one"}},
		{caller.Params{"Tag.1.Key": "k", "Tag.1.Value": "v"}, []string{"two", "one"}},
		{caller.Params{"Tag.1.Key": "k", "Tag.1.Value": "v", "Tag.2.Key": "l"}, []string{"two"}},
		{caller.Params{"Tag.1.Key": "k"}, []string{}},
	} {
		got := ask[invocations](t, c, "DescribeInvocations", f.params)
		if diff := cmp.Diff(f.want, field(got.Invocations.Invocation, "CommandName")); diff != "" {
			t.Errorf("DescribeInvocations %v (-want +got):\n%s", f.params, diff)
		}
		records := 0
		for _, name := range f.want {
			records += map[string]int{"one": 1, "two": 2, "three": 1}[name]
		}
		if f.params["InstanceId"] != "" {
			records = len(f.want)
		}
		if got := ask[results](t, c, "DescribeInvocationResults", f.params); got.Invocation.TotalCount != records {
			t.Errorf("DescribeInvocationResults %v: %d records, want %d", f.params, got.Invocation.TotalCount, records)
		}
	}
	for _, f := range []struct {
		params caller.Params
		want   []string
	}{
		{caller.Params{"CommandName": "two"}, []string{"two"}},
		{caller.Params{"CommandName": "two", "InstanceId": "i-a"}, []string{"two", "one"}}, // ignored
		{caller.Params{"CommandType": "RunPowerShellScript"}, []string{"three"}},
		{caller.Params{"CommandType": "RunShellScript", "InstanceId": "i-a", "InvokeStatus": "Running"}, []string{"two", "one"}},
		{caller.Params{"CommandType": "RunCobol"}, []string{}},
		{caller.Params{"RepeatMode": "Once"}, []string{"three", "two", "one"}},
		{caller.Params{"RepeatMode": "Period"}, []string{}},
		{caller.Params{"RepeatMode": "Period", "InstanceId": "i-b"}, []string{"two"}}, // ignored
		{caller.Params{"Timed": "true"}, []string{}},
		{caller.Params{"Timed": "false"}, []string{"three", "two", "one"}},
	} {
		got := ask[invocations](t, c, "DescribeInvocations", f.params)
		if diff := cmp.Diff(f.want, field(got.Invocations.Invocation, "CommandName")); diff != "" {
			t.Errorf("DescribeInvocations %v (-want +got):\n%s", f.params, diff)
		}
	}
}

// TestFilteredPages pages through a filter that goes by the derived status.
func TestFilteredPages(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	n := s.Node("i-a")
	var want []string
	for i := range 7 {
		_, id := run(t, c, shell("i-a").With("Name", string(rune('a'+i))))
		if i%2 == 0 {
			s.Exit(id, n, 0, "", "")
			want = append([]string{string(rune('a' + i))}, want...)
		}
	}
	for _, base := range []caller.Params{{"InvokeStatus": "Success"}, {"InvokeStatus": "Success", "InstanceId": "i-a"}} {
		var got []string
		p := base.With("MaxResults", "3")
		for range 5 {
			page := ask[invocations](t, c, "DescribeInvocations", p)
			got = append(got, field(page.Invocations.Invocation, "CommandName")...)
			if page.NextToken == "" {
				break
			}
			p = p.With("NextToken", page.NextToken)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", base, diff)
		}
		second := ask[invocations](t, c, "DescribeInvocations", base.With("PageSize", "2", "PageNumber", "2"))
		if diff := cmp.Diff(want[2:4], field(second.Invocations.Invocation, "CommandName")); diff != "" || second.TotalCount != 4 {
			t.Errorf("%v, second page, total %d (-want +got):\n%s", base, second.TotalCount, diff)
		}
	}
}

func TestResultPages(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	ids := []string{"i-a", "i-b", "i-c"}
	for _, id := range ids {
		s.Node(id)
	}
	run(t, c, shell(ids...))
	first := ask[results](t, c, "DescribeInvocationResults", caller.Params{"MaxResults": "2"}).Invocation
	second := ask[results](t, c, "DescribeInvocationResults", caller.Params{"MaxResults": "2", "NextToken": first.NextToken}).Invocation
	got := append(field(first.InvocationResults.InvocationResult, "InstanceId"), field(second.InvocationResults.InvocationResult, "InstanceId")...)
	if diff := cmp.Diff(ids, got); diff != "" || first.TotalCount != 3 || second.NextToken != "" {
		t.Errorf("total %d, token %q (-want +got):\n%s", first.TotalCount, second.NextToken, diff)
	}
	empty := ask[results](t, c, "DescribeInvocationResults", caller.Params{"IncludeHistory": "true", "InvokeId": "t-unknown"}).Invocation
	if empty.TotalCount != 0 || empty.PageNumber != 1 || empty.PageSize != 10 || empty.InvocationResults.InvocationResult == nil {
		t.Errorf("history of nothing: %+v", empty)
	}
}

func TestStopNamedInstance(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Node("i-a")
	s.Node("i-b")
	r, _ := run(t, c, shell("i-a", "i-b"))
	c.Call("StopInvocation", caller.Params{"InvokeId": r.InvokeId, "InstanceId.1": "i-b"}).Into(t, &struct{}{})
	got := ask[results](t, c, "DescribeInvocationResults", caller.Params{"InvokeId": r.InvokeId}).Invocation.InvocationResults.InvocationResult
	if diff := cmp.Diff([]string{"Pending", "Cancelled"}, field(got, "InvocationStatus")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Stopping what is over changes nothing and is no mistake; the prefix of a file transfer is understood.
	stop := caller.Params{"InvokeId": "f-" + strings.TrimPrefix(r.InvokeId, "t-")}
	c.Call("StopInvocation", stop).Into(t, &struct{}{})
	c.Call("StopInvocation", stop).Into(t, &struct{}{})
}

func TestRunOnTaggedInstances(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	code, secret, err := s.Service.CreateRegistration(t.Context(), s.Caller, core.RegistrationSpec{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	for id, tags := range map[string][]core.Tag{
		"i-a": {{Key: "env", Value: "prod"}, {Key: "role", Value: "web"}}, "i-b": {{Key: "env", Value: "prod"}}, "i-c": nil,
	} {
		if _, err := s.Service.Register(t.Context(), core.Enrolment{
			Code: code.ID, Secret: secret, PublicKey: id, NodeID: id, Tags: tags, Facts: core.Facts{Platform: core.Linux},
		}); err != nil {
			t.Fatal(err)
		}
	}
	r, _ := run(t, c, caller.Params{
		"Type": "RunShellScript", "CommandContent": "x", "ResourceTag.1.Key": "env", "ResourceTag.1.Value": "prod",
	})
	got := ask[results](t, c, "DescribeInvocationResults", caller.Params{"InvokeId": r.InvokeId}).Invocation.InvocationResults.InvocationResult
	if diff := cmp.Diff([]string{"i-a", "i-b"}, slices.Sorted(slices.Values(field(got, "InstanceId")))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestClientToken(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Node("i-a")
	p := shell("i-a").With("ClientToken", "t1", "KeepCommand", "true", "Name", "n")
	first, _ := run(t, c, p)
	c.ACS3 = true // the repetition may be signed in another way and sent from another place
	c.Form = true
	again, _ := run(t, c, p)
	if first.InvokeId != again.InvokeId || first.CommandId != again.CommandId || first.RequestId == again.RequestId {
		t.Errorf("first %+v, again %+v", first, again)
	}
	if got := tally(t, s); got[0] != 1 || got[1] != 1 {
		t.Errorf("%d commands and %d invocations after two calls with one token", got[0], got[1])
	}
	if a := c.Call("RunCommand", p.With("Timeout", "70")); a.Status != 403 || a.Code != "IdempotentParameterMismatch" {
		t.Errorf("another request with the token: %d %s", a.Status, a.Code)
	}
}
