package tat

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/core"
)

// TestStandingInvokers lists what other vendors repeat, mixed with what was made here, in every page.
func TestStandingInvokers(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	n := c.node("ins-a")
	n2 := c.node("")
	command := c.create("CommandName", "x", "Content", b64("ls"))
	stand := func(repeat core.RepeatMode, frequency string) string {
		t.Helper()
		c.scene.Advance(time.Second)
		v, err := c.scene.Service.Run(t.Context(), c.scene.Caller, core.RunSpec{
			Origin: core.OriginECS, Targets: []string{n.ID, n2.ID}, Repeat: repeat, Frequency: frequency, Params: map[string]string{"a": "1"},
			Definition: core.Definition{
				Name: "ecs", Type: core.Shell, Content: []byte("echo {{a}}"), ParamsEnabled: true, User: "me", Timeout: time.Second,
			}, Tags: []core.Tag{{Key: "k", Value: "v"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return invokerPrefix + v.ID.String()
	}
	var ids []string // that are listed, oldest first
	add := func(id string) {
		c.scene.Online(n)
		c.scene.Advance(time.Second)
		ids = append(ids, id)
	}
	add(c.invoker(command))
	cron := stand(core.Period, "0 30 1 ? * MON GMT+1:00")
	add(cron)
	at := stand(core.Period, "at(2027-01-01 00:00:00)")
	add(at)
	stand(core.Period, "rate(1h)")          // has no crontab
	stand(core.Period, "0 0 12 * * ?")      // goes by the clock of each node
	stand(core.Period, "30 0 12 ? * * UTC") // not at a whole minute
	stand(core.EachReboot, "")
	stopped := stand(core.Period, "0 0 12 ? * * UTC")
	if err := c.scene.Service.Stop(t.Context(), c.scene.Caller, mustID(t, stopped), nil); err != nil {
		t.Fatal(err)
	}
	add(c.invoker(command))
	add(stand(core.Period, "0 0 0 1 * ? GMT+8:00"))

	for limit := 1; limit <= len(ids)+1; limit++ {
		for offset := range len(ids) + 2 {
			resp := ok[describeInvokersResponse](c.call("DescribeInvokers", object("Limit", limit, "Offset", offset)))
			var want, got []string
			for i := len(ids) - 1 - offset; i >= 0 && len(want) < limit; i-- {
				want = append(want, ids[i])
			}
			for _, v := range resp.InvokerSet {
				got = append(got, v.InvokerId)
			}
			if diff := cmp.Diff(want, got); diff != "" || resp.TotalCount != len(ids) {
				t.Errorf("%d from %d: %d in all (-want +got):\n%s", limit, offset, resp.TotalCount, diff)
			}
		}
	}
	shown := c.showInvoker(cron)
	want := invoker{
		InvokerId: cron, Name: "ecs", Type: "SCHEDULE", CommandId: shown.CommandId, Username: "me", Parameters: `{"a":"1"}`,
		InstanceIds: []string{"ins-a", showInstance(n2.ID)}, Enable: true,
		ScheduleSettings: shownScheduleSettings{Policy: "RECURRENCE", Recurrence: "30 8 * * 1", InvokeTime: "2026-11-23T00:30:00Z"},
		CreatedTime:      "2026-11-22T05:41:42Z", UpdatedTime: "2026-11-22T05:41:42Z", Tags: []tag{{"k", "v"}},
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := c.showInvoker(at).ScheduleSettings; got != (shownScheduleSettings{Policy: "ONCE", InvokeTime: "2027-01-01T00:00:00Z"}) {
		t.Errorf("%+v", got)
	}
	for _, action := range []string{"ModifyInvoker", "EnableInvoker", "DisableInvoker", "DeleteInvoker"} {
		c.call(action, object("InvokerId", at)).known("OperationDenied")
		c.call(action, object("InvokerId", stopped)).known("ResourceNotFound")
	}
	// None of them is among what ran.
	if got := ok[describeInvocationsResponse](c.call("DescribeInvocations", `{}`)); got.TotalCount != 0 || len(got.InvocationSet) != 0 {
		t.Errorf("%+v", got)
	}
	if got := ok[describeInvocationTasksResponse](c.call("DescribeInvocationTasks", `{}`)); got.TotalCount != 0 || len(got.InvocationTaskSet) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestOccurrences shows what a standing invocation of another vendor comes to, as what it is here: a run that an invoker began.
func TestOccurrences(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	n := c.node("ins-a")
	order := func(spec core.RunSpec) core.Invocation {
		t.Helper()
		spec.Origin, spec.Targets = core.OriginECS, []string{"ins-a"}
		spec.Definition = core.Definition{Type: core.Shell, Content: []byte("ls"), Timeout: time.Second}
		v, err := c.scene.Service.Run(t.Context(), c.scene.Caller, spec)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	standing := order(core.RunSpec{Repeat: core.Period, Frequency: "rate(1h)"})
	order(core.RunSpec{File: &core.File{Name: "f", Dir: "/tmp", Mode: "0644", Owner: "root", Group: "root"}})
	c.scene.Advance(time.Hour)
	c.scene.Report(standing.ID, n, core.Report{
		Task: core.TaskID{Invocation: standing.ID}, Due: c.scene.Now(), Kind: core.ReportStarted, At: c.scene.Now(),
	})
	shown := ok[describeInvocationsResponse](c.call("DescribeInvocations", `{}`))
	if shown.TotalCount != 1 || len(shown.InvocationSet) != 1 {
		t.Fatalf("%+v", shown)
	}
	v := shown.InvocationSet[0]
	if v.InvocationSource != "INVOKER" || v.InvocationStatus != "RUNNING" || v.InvocationId == invocationPrefix+standing.ID.String() {
		t.Errorf("%+v", v)
	}
	tasks := ok[describeInvocationTasksResponse](c.call("DescribeInvocationTasks", `{}`))
	if tasks.TotalCount != 1 || len(tasks.InvocationTaskSet) != 1 || tasks.InvocationTaskSet[0].InvocationId != v.InvocationId ||
		tasks.InvocationTaskSet[0].InvocationSource != "INVOKER" {
		t.Errorf("%+v", tasks)
	}
	hidden := object("InvocationIds", []string{invocationPrefix + standing.ID.String()})
	if got := ok[describeInvocationsResponse](c.call("DescribeInvocations", hidden)); got.TotalCount != 0 || len(got.InvocationSet) != 0 {
		t.Errorf("by its id: %+v", got)
	}
}

func mustID(t *testing.T, invokerID string) core.ID {
	t.Helper()
	id, ok := core.ParseID(strings.TrimPrefix(invokerID, invokerPrefix))
	if !ok {
		t.Fatal(invokerID)
	}
	return id
}
