package zos_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"errand/internal/core"
)

type invocation struct {
	InvocationID, CommandID, CommandName, CommandType, Content, CreateTime, InvocationStatus string

	Timeout             int
	InvocationInstances []instance
}

type instance struct {
	InstanceID, InstanceName, TaskStatus, Output       string
	InstanceExist                                      bool
	ExitCode                                           *int
	ErrorCode, OutputError, ExecStartTime, ExecEndTime *string
}

// describe reads one invocation.
func (c *client) describe(t *testing.T, id core.ID) invocation {
	t.Helper()
	var l struct{ DataSet []invocation }
	c.do("DescribeCommandInvocations", body(map[string]any{"invocationIds": []string{id.String()}}), &l)
	if len(l.DataSet) != 1 {
		t.Fatalf("%d invocations", len(l.DataSet))
	}
	return l.DataSet[0]
}

func ptr[T any](v T) *T { return &v }

// TestVendorSample makes what the vendor's page shows and compares the answer with the page's own.
func TestVendorSample(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.At(time.Date(2025, 10, 17, 14, 31, 25, 0, time.UTC))
	command := c.create("Test Command", "echo 'hello world'")
	n := c.online("web-1")
	run := c.invoke(command, n.ID)
	c.Report(run, n, core.Report{
		Kind: core.ReportEnded, State: core.Succeeded, Exited: true, Stdout: 11, End: 11,
		Started: c.Now().Add(time.Minute), Ended: c.Now().Add(70 * time.Second),
		Chunk: core.Chunk{Data: []byte("hello world"), Spans: []core.Span{{Stream: core.Stdout, Len: 11}}},
	})
	a := c.send(c.request("DescribeCommandInvocations", body(map[string]any{"invocationIds": []string{run.String()}})))
	var got bytes.Buffer
	if err := json.Indent(&got, a.Response, "", "  "); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		a.RequestID, "<requestId>", run.String(), "<invocationId>", command, "<commandId>", n.Name, "Test", n.ID, "<instanceId>",
	).Replace(got.String())
	want, err := os.ReadFile("testdata/DescribeCommandInvocations.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(want)), strings.TrimSpace(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestInvocationLife follows one invocation on two instances from the call to its end.
func TestInvocationLife(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	command := c.create("job", "work")
	a, b := c.online("web-1"), c.online("")
	run := c.invoke(command, a.ID, b.ID, a.ID)
	c.expect(t, run, "Pending", instance{TaskStatus: "Pending"}, instance{TaskStatus: "Pending"})

	started := c.Now().Add(2 * time.Second)
	c.Report(run, a, core.Report{Kind: core.ReportStarted, At: started})
	begun := ptr("2026-11-22 05:41:42")
	c.expect(t, run, "Running", instance{TaskStatus: "Running", ExecStartTime: begun}, instance{TaskStatus: "Pending"})

	c.Report(run, a, core.Report{Kind: core.ReportOutput, Chunk: core.Chunk{
		Data: []byte("one\ntwo\n"), Spans: []core.Span{{Stream: core.Stdout, Len: 4}, {Stream: core.Stderr, Len: 4}},
	}})
	c.expect(t, run, "Running",
		instance{TaskStatus: "Running", ExecStartTime: begun, Output: "one\n", OutputError: ptr("two\n")},
		instance{TaskStatus: "Pending"})

	c.Report(run, a, core.Report{
		Kind: core.ReportEnded, State: core.Failed, Cause: core.CauseExitNonzero, Exited: true, ExitCode: 3,
		Started: started, Ended: started.Add(time.Second), Stdout: 4, Stderr: 4, End: 8,
	})
	failed := instance{
		TaskStatus: "Failed", ErrorCode: ptr("ExecutionExitNoneZero"), ExitCode: ptr(3), Output: "one\n", OutputError: ptr("two\n"),
		ExecStartTime: begun, ExecEndTime: ptr("2026-11-22 05:41:43"),
	}
	c.expect(t, run, "Running", failed, instance{TaskStatus: "Pending"})

	c.Exit(run, b, 0, "", "")
	c.expect(t, run, "PartialFailed", failed, instance{
		TaskStatus: "Success", ExitCode: ptr(0), ExecStartTime: ptr("2026-11-22 05:41:40"), ExecEndTime: ptr("2026-11-22 05:41:41"),
	})
	v := c.describe(t, run)
	if v.CommandID != command || v.CommandType != "SHELL" || v.Content != "work" || v.Timeout != 30 || v.CreateTime != "2026-11-22 05:41:40" {
		t.Errorf("invocation: %+v", v)
	}
	if v.InvocationInstances[0].InstanceID != "web-1" || v.InvocationInstances[1].InstanceID != b.ID {
		t.Errorf("instances: %+v", v.InvocationInstances)
	}
}

// expect compares an invocation with what it should be; ids and names of the instances are left out.
func (c *client) expect(t *testing.T, id core.ID, status string, want ...instance) {
	t.Helper()
	v := c.describe(t, id)
	if v.InvocationStatus != status {
		t.Errorf("status %s, want %s", v.InvocationStatus, status)
	}
	got := v.InvocationInstances
	for i := range got {
		if !got[i].InstanceExist {
			t.Errorf("instance %d is gone", i)
		}
		got[i].InstanceID, got[i].InstanceName, got[i].InstanceExist = "", "", false
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("while %s (-want +got):\n%s", status, diff)
	}
}

// TestEnds shows every way to end that is not an exit.
func TestEnds(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 22, 5, 41, 40, 0, time.UTC)
	tests := map[string]struct {
		report core.Report
		want   instance
	}{
		"timeout": {
			core.Report{State: core.TimedOut, Cause: core.CauseExecTimeout, Signal: 9, Started: began, Ended: began.Add(time.Second)},
			instance{
				TaskStatus: "Timeout", ErrorCode: ptr("ExecutionTimeout"), ExitCode: ptr(137),
				ExecStartTime: ptr("2026-11-22 05:41:40"), ExecEndTime: ptr("2026-11-22 05:41:41"),
			},
		},
		"could not start": {
			core.Report{State: core.StartFailed, Cause: core.CauseUserNotFound, Ended: began},
			instance{TaskStatus: "Error", ErrorCode: ptr("SystemError")},
		},
		"wrong platform": {
			core.Report{State: core.Invalid, Cause: core.CauseNotApplicable, Ended: began},
			instance{TaskStatus: "Error", ErrorCode: ptr("CommandPlatformInvalid")},
		},
		"interrupted": {
			core.Report{State: core.Exception, Cause: core.CauseRebooted, Started: began, Ended: began.Add(time.Second)},
			instance{
				TaskStatus: "Error", ErrorCode: ptr("SystemError"),
				ExecStartTime: ptr("2026-11-22 05:41:40"), ExecEndTime: ptr("2026-11-22 05:41:41"),
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t)
			n := c.online("web-1")
			run := c.invoke(c.create("job", "work"), n.ID)
			tt.report.Kind = core.ReportEnded
			c.Report(run, n, tt.report)
			c.expect(t, run, "Failed", tt.want)
		})
	}
}

// TestStopped shows what another dialect stopped: there is no word for it here.
func TestStopped(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	n := c.online("web-1")
	run := c.invoke(c.create("job", "work"), n.ID)
	if err := c.Service.Stop(t.Context(), c.Caller, run, nil); err != nil {
		t.Fatal(err)
	}
	c.expect(t, run, "Running", instance{TaskStatus: "Running"})
	c.Report(run, n, core.Report{Kind: core.ReportEnded, State: core.Cancelled, Cause: core.CauseInterrupted})
	c.expect(t, run, "Failed", instance{TaskStatus: "Error", ErrorCode: ptr("SystemError")})
}

// TestOutputWindow shows the beginning of each stream, whole characters only, and valid JSON whatever was printed.
func TestOutputWindow(t *testing.T) {
	t.Parallel()
	const shown = 24576
	tests := map[string]struct{ stdout, stderr, wantOut, wantErr string }{
		"fits":       {strings.Repeat("a", shown), "e", strings.Repeat("a", shown), "e"},
		"too long":   {strings.Repeat("a", shown) + "b", "", strings.Repeat("a", shown), ""},
		"each alone": {strings.Repeat("a", 20000), strings.Repeat("e", 20000), strings.Repeat("a", 20000), strings.Repeat("e", 20000)},
		"characters": {strings.Repeat("a", shown-1) + "üü", "", strings.Repeat("a", shown-1), ""},
		"not text":   {"a\xff\xfe\x00b", "\x80", "a\uFFFD\x00b", "\uFFFD"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t)
			n := c.online("web-1")
			run := c.invoke(c.create("job", "work"), n.ID)
			c.Exit(run, n, 0, tt.stdout, tt.stderr)
			got := c.describe(t, run).InvocationInstances[0]
			if got.Output != tt.wantOut || !utf8.ValidString(got.Output) {
				t.Errorf("output has %d bytes, want %d", len(got.Output), len(tt.wantOut))
			}
			stderr := ""
			if got.OutputError != nil {
				stderr = *got.OutputError
			}
			if stderr != tt.wantErr {
				t.Errorf("error output has %d bytes, want %d", len(stderr), len(tt.wantErr))
			}
		})
	}
}

func TestDescribeInvocationsFilters(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	a, b := c.online("web-1"), c.online("web-2")
	build, test := c.create("build", "make"), c.create("test", "make test")
	runs := map[string]core.ID{}
	for _, r := range []struct {
		name, command string
		nodes         []string
	}{
		{"first", build, []string{"web-1"}},
		{"second", test, []string{"web-1", "web-2"}},
		{"third", build, []string{"web-2"}},
	} {
		runs[r.name] = c.invoke(r.command, r.nodes...)
		c.Advance(time.Second)
	}
	c.Exit(runs["first"], a, 0, "", "")
	c.Exit(runs["second"], a, 0, "", "")
	c.Exit(runs["second"], b, 1, "", "")

	id := func(name string) string { return runs[name].String() }
	tests := map[string]struct {
		body string
		want []string
	}{
		"all, newest first":  {`{}`, []string{"third", "second", "first"}},
		"ids":                {body(map[string]any{"invocationIds": []string{id("first"), "t-" + id("third")}}), []string{"third", "first"}},
		"unknown id":         {`{"invocationIds":["987654321"]}`, nil},
		"command":            {body(map[string]any{"commandIds": []string{build}}), []string{"third", "first"}},
		"commands":           {body(map[string]any{"commandIds": []string{build, test}}), []string{"third", "second", "first"}},
		"instance":           {`{"instanceIds":["web-1"]}`, []string{"second", "first"}},
		"unknown instance":   {`{"instanceIds":["web-9"]}`, nil},
		"known and unknown":  {`{"instanceIds":["web-9","web-2"]}`, []string{"third", "second"}},
		"pending":            {`{"invocationStatuses":["Pending"]}`, []string{"third"}},
		"ended in some way":  {`{"invocationStatuses":["Success","Failed","PartialFailed"]}`, []string{"second", "first"}},
		"nothing is running": {`{"invocationStatuses":["Running"]}`, nil},
		"criteria add up":    {body(map[string]any{"commandIds": []string{build}, "instanceIds": []string{"web-1"}}), []string{"first"}},
		"status and page":    {`{"invocationStatuses":["Success","PartialFailed"],"pageSize":1,"pageNum":2}`, []string{"first"}},
		"second page":        {`{"pageSize":2,"pageNum":2}`, []string{"first"}},
	}
	totals := map[string]int{"status and page": 2, "second page": 3}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var l struct {
				DataSet    []invocation
				TotalCount int
			}
			c.do("DescribeCommandInvocations", tt.body, &l)
			var want, got []string
			for _, name := range tt.want {
				want = append(want, id(name))
			}
			for _, v := range l.DataSet {
				got = append(got, v.InvocationID)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			total, ok := totals[name]
			if !ok {
				total = len(want)
			}
			if l.TotalCount != total {
				t.Errorf("total %d, want %d", l.TotalCount, total)
			}
		})
	}
}

// TestHugePage refuses a page whose output would not fit into memory, but never one with a single invocation.
func TestHugePage(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.dialect.LimitAnswer(1000)
	n := c.online("web-1")
	command := c.create("job", "work")
	for range 3 {
		c.Exit(c.invoke(command, n.ID), n, 0, strings.Repeat("o", 200), strings.Repeat("e", 200))
		c.Advance(time.Second)
	}
	c.Exit(c.invoke(command, n.ID), n, 0, strings.Repeat("o", 2000), "")
	c.fails("DescribeCommandInvocations", `{}`, 400, "INVALID_PARAMETER_EXCEED_MAXIMUM")
	for page, want := range map[string]int{`{"pageSize":1}`: 1, `{"pageSize":2,"pageNum":2}`: 2} {
		var l struct{ DataSet []invocation }
		c.do("DescribeCommandInvocations", page, &l)
		if len(l.DataSet) != want {
			t.Errorf("%s: %d invocations", page, len(l.DataSet))
		}
	}
}
