package tat

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/core"
)

// TestRunCommand looks at what the core was told.
func TestRunCommand(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	given, generated := c.node("ins-a"), c.node("")
	resp := ok[runCommandResponse](c.call("RunCommand", object(
		"Content", b64("echo {{a}} {{b}}"), "InstanceIds", []string{"ins-a", "rins-" + generated.ID, "ins-" + generated.ID},
		"CommandName", "n", "Description", "d", "WorkingDirectory", "/tmp", "Timeout", 5, "Username", "ubuntu", "EnableParameter", true,
		"DefaultParameters", `{"a":"1","b":"2"}`, "Parameters", `{"b":"{{a}}"}`, "OutputCOSBucketUrl", "https://b", "OutputCOSKeyPrefix", "p",
	)))
	v, err := c.scene.Service.Invocation(t.Context(), c.scene.Caller, c.invocation(resp.InvocationId))
	if err != nil {
		t.Fatal(err)
	}
	want := core.Definition{
		Name: "n", Description: "d", Type: core.Shell, Content: []byte("echo {{a}} {{b}}"), WorkDir: "/tmp", User: "ubuntu",
		Timeout: 5 * time.Second, ParamsEnabled: true, Defaults: map[string]string{"a": "1", "b": "2"}, Sink: core.Sink{Bucket: "https://b", Prefix: "p"},
	}
	if diff := cmp.Diff(want, v.Definition); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if string(v.Script) != "echo 1 {{a}}" || !v.KillTree || v.DeliverWithin != time.Minute || v.Origin != core.OriginTAT || v.Counts.Total() != 2 {
		t.Errorf("%+v, script %q", v, v.Script)
	}
	// The command behind a run that was not saved has an id and nothing else.
	if resp.CommandId != commandPrefix+v.Command.String() || v.Saved {
		t.Errorf("command %s, saved %v", resp.CommandId, v.Saved)
	}
	if got := ok[describeCommandsResponse](c.call("DescribeCommands", object("CommandIds", []string{resp.CommandId}))); got.TotalCount != 0 {
		t.Errorf("%+v", got)
	}
	c.call("InvokeCommand", object("CommandId", resp.CommandId, "InstanceIds", []string{given.ID})).want("ResourceNotFound.CommandNotFound")
	got := ok[describeInvocationsResponse](c.call("DescribeInvocations", `{}`))
	if ids := []string{got.InvocationSet[0].InvocationTaskBasicInfoSet[0].InstanceId, got.InvocationSet[0].InvocationTaskBasicInfoSet[1].InstanceId}; !cmp.Equal(ids, []string{"ins-a", "rins-" + generated.ID}) {
		t.Errorf("instances %v", ids)
	}
}

func TestSaveCommand(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.node("ins-a")
	run := func(pairs ...any) reply {
		return c.call("RunCommand", object(append([]any{"Content", b64("ls"), "InstanceIds", []string{"ins-a"}, "SaveCommand", true}, pairs...)...))
	}
	run().want("MissingParameter")
	run("CommandName", "").want("MissingParameter")
	resp := ok[runCommandResponse](run("CommandName", "kept", "EnableParameter", true, "DefaultParameterConfs", []map[string]string{
		{"ParameterName": "a", "ParameterValue": "1", "ParameterDescription": "first"},
	}))
	got := ok[describeCommandsResponse](c.call("DescribeCommands", object("CommandIds", []string{resp.CommandId})))
	if got.TotalCount != 1 || got.CommandSet[0].CommandName != "kept" ||
		!cmp.Equal(got.CommandSet[0].DefaultParameterConfs, []shownParameterConf{{"a", "1", "first"}}) {
		t.Errorf("%+v", got)
	}
	before := c.stored()
	run("CommandName", "kept").want("InvalidParameterValue.CommandNameDuplicated")
	if after := c.stored(); after != before {
		t.Errorf("%d rows were stored", after-before)
	}
	c.call("InvokeCommand", object("CommandId", resp.CommandId, "InstanceIds", []string{"ins-a"})).want("")
}

// TestTargets checks all instances before anything is stored.
func TestTargets(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.node("ins-a")
	away := c.node("ins-away")
	c.scene.Advance(core.OnlineWindow)
	c.scene.Online(c.scene.NodeOn(core.Windows, "ins-win"))
	c.scene.Node("ins-new")
	many := make([]string, 201)
	for i := range many {
		many[i] = fmt.Sprintf("ins-%d", i)
		c.scene.Online(c.scene.Node(many[i]))
	}
	fresh := c.scene.Node("ins-b")
	lighthouse := c.scene.Node("lhins-a")
	c.scene.Online(fresh, lighthouse)
	shell := c.create("CommandName", "shell", "Content", b64("ls"))
	bat := c.create("CommandName", "bat", "Content", b64("dir"), "CommandType", "BAT")
	for name, try := range map[string]struct {
		ids  any
		code string
	}{
		"one":               {[]string{"ins-b"}, ""},
		"twice the same":    {[]string{"ins-b", "ins-b"}, ""},
		"200":               {many[:200], ""},
		"201":               {many, "InvalidParameterValue.LimitExceeded"},
		"none":              {[]string{}, "MissingParameter"},
		"not sent":          {nil, "MissingParameter"},
		"malformed":         {[]string{"ins-b", "no such thing"}, "InvalidParameterValue.InvalidInstanceId"},
		"empty":             {[]string{""}, "InvalidParameterValue.InvalidInstanceId"},
		"unknown":           {[]string{"ins-b", "ins-nowhere"}, "ResourceNotFound.InstanceNotFound"},
		"offline":           {[]string{"ins-b", away.ID}, "ResourceUnavailable.AgentStatusNotOnline"},
		"never seen":        {[]string{"ins-b", "ins-new"}, "ResourceUnavailable.AgentNotInstalled"},
		"of the other kind": {[]string{"lhins-a"}, ""},
		"of both kinds":     {[]string{"lhins-a", "ins-b"}, "InvalidParameterValue.InconsistentInstance"},
		"another platform":  {[]string{"ins-b", "ins-win"}, "InvalidParameterValue.AgentUnsupportedCommandType"},
	} {
		t.Run(name, func(t *testing.T) {
			before := c.stored()
			c.call("RunCommand", object("Content", b64("ls"), "InstanceIds", try.ids)).want(try.code)
			c.call("InvokeCommand", object("CommandId", shell, "InstanceIds", try.ids)).want(try.code)
			if after := c.stored(); try.code != "" && after != before {
				t.Errorf("%d rows were stored", after-before)
			}
		})
	}
	c.call("InvokeCommand", object("CommandId", bat, "InstanceIds", []string{"ins-win"})).want("")
	c.call("RunCommand", object("Content", b64("dir"), "CommandType", "POWERSHELL", "InstanceIds", []string{"ins-b"})).
		want("InvalidParameterValue.AgentUnsupportedCommandType")
}

func TestParameters(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.node("ins-a")
	with := c.create("CommandName", "with", "Content", b64("{{a}} {{b}}"), "EnableParameter", true, "DefaultParameters", `{"b":"2"}`)
	without := c.create("CommandName", "without", "Content", b64("{{a}}"))
	twenty := func(n int) string {
		pairs := make([]string, n)
		for i := range pairs {
			pairs[i] = fmt.Sprintf(`"p%d":"v"`, i)
		}
		return `{"a":"1",` + strings.Join(pairs, ",") + `}`
	}
	for name, try := range map[string]struct{ id, parameters, script, code string }{
		"passed":             {with, `{"a":"1"}`, "1 2", ""},
		"over a default":     {with, `{"a":"1","b":"9"}`, "1 9", ""},
		"surplus":            {with, `{"a":"1","z":"9"}`, "1 2", ""},
		"20":                 {with, twenty(19), "1 2", ""},
		"21":                 {with, twenty(20), "", "InvalidParameterValue.ParameterNumberExceeded"},
		"missing":            {with, `{"b":"1"}`, "", "InvalidParameterValue.LackOfParameterInfo"},
		"none":               {with, ``, "", "InvalidParameterValue.LackOfParameterInfo"},
		"no JSON":            {with, `a=1`, "", "InvalidParameterValue.ParameterInvalidJsonFormat"},
		"no string":          {with, `{"a":true}`, "", "InvalidParameterValue.ParameterValueNotString"},
		"twice":              {with, `{"a":"1","a":"1"}`, "", "InvalidParameterValue.ParameterKeyDuplicated"},
		"long name":          {with, `{"` + strings.Repeat("k", 65) + `":"1"}`, "", "InvalidParameterValue.ParameterKeyLenExceeded"},
		"strange name":       {with, `{"a b":"1"}`, "", "InvalidParameterValue.ParameterKeyContainsInvalidChar"},
		"too long in effect": {with, `{"a":"` + strings.Repeat("x", 49152) + `"}`, "", "InvalidParameterValue.TooLong"},
		"though disabled":    {without, `{"a":"1"}`, "", "InvalidParameterValue.ParameterDisabled"},
		"disabled, none":     {without, `{}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.call("InvokeCommand", object("CommandId", try.id, "InstanceIds", []string{"ins-a"}, "Parameters", try.parameters))
			r.want(try.code)
			if r.Code != "" {
				return
			}
			v, err := c.scene.Service.Invocation(t.Context(), c.scene.Caller, c.invocation(ok[invokeCommandResponse](r).InvocationId))
			if err != nil || string(v.Script) != try.script {
				t.Errorf("script %q, want %q (%v)", v.Script, try.script, err)
			}
		})
	}
	c.call("RunCommand", object("Content", b64("{{a}}"), "InstanceIds", []string{"ins-a"}, "Parameters", `{"a":"1"}`)).
		want("InvalidParameterValue.ParameterDisabled")
}

// TestHiddenParameters uses hidden values in clear and never shows them.
func TestHiddenParameters(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.node("ins-a")
	resp := ok[runCommandResponse](c.call("RunCommand", object(
		"Content", b64("{{user}} {{tat-hidden:key}} {{tat-hidden:old}}"), "InstanceIds", []string{"ins-a"}, "EnableParameter", true,
		"DefaultParameters", `{"old":"s3cret","user":"root"}`, "Parameters", `{"key":"s3cret"}`,
	)))
	v, err := c.scene.Service.Invocation(t.Context(), c.scene.Caller, c.invocation(resp.InvocationId))
	if err != nil || string(v.Script) != "root s3cret s3cret" {
		t.Errorf("script %q (%v)", v.Script, err)
	}
	invocations, tasks := c.call("DescribeInvocations", `{}`), c.call("DescribeInvocationTasks", `{"HideOutput":false}`)
	got := ok[describeInvocationsResponse](invocations).InvocationSet[0]
	if want := `{"key":"******","old":"******","user":"root"}`; got.Parameters != want {
		t.Errorf("parameters %s, want %s", got.Parameters, want)
	}
	if want := `{"old":"******","user":"root"}`; got.DefaultParameters != want {
		t.Errorf("defaults %s, want %s", got.DefaultParameters, want)
	}
	for _, secret := range []string{"s3cret", b64("root s3cret s3cret")} {
		if strings.Contains(string(invocations.Raw)+string(tasks.Raw), secret) {
			t.Errorf("%q is shown", secret)
		}
	}
}

func TestInvokeCommand(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.node("ins-a")
	id := c.create("CommandName", "a", "Content", b64("ls"), "WorkingDirectory", "/a", "Timeout", 10, "Username", "u", "OutputCOSBucketUrl", "https://b",
		"OutputCOSKeyPrefix", "p")
	for name, try := range map[string]struct {
		pairs []any
		want  core.Definition
		code  string
	}{
		"as stored": {nil, core.Definition{WorkDir: "/a", User: "u", Timeout: 10 * time.Second, Sink: core.Sink{Bucket: "https://b", Prefix: "p"}}, ""},
		"overridden": {
			[]any{"WorkingDirectory", "/b", "Timeout", 86400, "Username", "v", "OutputCOSBucketUrl", "https://c", "OutputCOSKeyPrefix", "q"},
			core.Definition{WorkDir: "/b", User: "v", Timeout: 24 * time.Hour, Sink: core.Sink{Bucket: "https://c", Prefix: "q"}},
			"",
		},
		"prefix alone": {
			[]any{"OutputCOSKeyPrefix", ""},
			core.Definition{WorkDir: "/a", User: "u", Timeout: 10 * time.Second, Sink: core.Sink{Bucket: "https://b"}},
			"",
		},
		"timeout of 0":     {[]any{"Timeout", 0}, core.Definition{}, "InvalidParameterValue.Range"},
		"timeout of 86401": {[]any{"Timeout", 86401}, core.Definition{}, "InvalidParameterValue.Range"},
		"user":             {[]any{"Username", "a\nb"}, core.Definition{}, "InvalidParameter.InvalidUsername"},
		"long user":        {[]any{"Username", strings.Repeat("u", 257)}, core.Definition{}, "InvalidParameter.InvalidUsername"},
		"directory":        {[]any{"WorkingDirectory", "\x00"}, core.Definition{}, "InvalidParameterValue.InvalidWorkingDirectory"},
		"bucket":           {[]any{"OutputCOSBucketUrl", "b"}, core.Definition{}, "InvalidParameterValue.InvalidOutputCOSBucketUrl"},
		"prefix":           {[]any{"OutputCOSKeyPrefix", ".."}, core.Definition{}, "InvalidParameterValue.InvalidOutputCOSKeyPrefix"},
		"no id":            {[]any{"CommandId", nil}, core.Definition{}, "MissingParameter"},
		"malformed id":     {[]any{"CommandId", "cmd-"}, core.Definition{}, "InvalidParameterValue.InvalidCommandId"},
		"unknown id":       {[]any{"CommandId", "cmd-12345678"}, core.Definition{}, "ResourceNotFound.CommandNotFound"},
		"mistyped id":      {[]any{"CommandId", mistyped(id)}, core.Definition{}, "ResourceNotFound.CommandNotFound"},
		"deleted":          {[]any{"CommandId", commandPrefix + core.ID(1).String()}, core.Definition{}, "ResourceNotFound.CommandNotFound"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.call("InvokeCommand", object(append([]any{"CommandId", id, "InstanceIds", []string{"ins-a"}}, try.pairs...)...))
			r.want(try.code)
			if r.Code != "" {
				return
			}
			v, err := c.scene.Service.Invocation(t.Context(), c.scene.Caller, c.invocation(ok[invokeCommandResponse](r).InvocationId))
			if err != nil {
				t.Fatal(err)
			}
			try.want.Name, try.want.Type, try.want.Content = "a", core.Shell, []byte("ls")
			if diff := cmp.Diff(try.want, v.Definition); diff != "" || !v.Saved || commandPrefix+v.Command.String() != id {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	// Ids of other dialects name the same command; one of theirs may be longer than this API allows.
	foreign, err := c.scene.Service.CreateCommand(t.Context(), c.scene.Caller, core.CommandSpec{Definition: core.Definition{
		Name: strings.Repeat("n", 100), Description: strings.Repeat("d", 200), Type: core.Shell, Content: []byte("ls"),
	}, Limits: core.Limits{DefaultTimeout: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"", "c-", "cmd-"} {
		c.call("InvokeCommand", object("CommandId", prefix+foreign.ID.String(), "InstanceIds", []string{"ins-a"})).want("")
	}
}

// mistyped changes the end of an id, which holds its check code.
func mistyped(id string) string {
	last := "0"
	if strings.HasSuffix(id, last) {
		last = "1"
	}
	return id[:len(id)-1] + last
}

func TestCancelInvocation(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	a, b, other := c.node("ins-a"), c.node("ins-b"), c.node("ins-c")
	c.scene.Service.Gone(a.Key) // what is not connected has not left the server
	c.scene.Service.Gone(b.Key)
	id := c.run("sleep 100", a, b)
	inv := invocationPrefix + id.String()
	for name, try := range map[string]struct{ body, code string }{
		"no id":           {`{}`, "MissingParameter"},
		"malformed id":    {object("InvocationId", "x"), "InvalidParameterValue.InvalidInvocationId"},
		"foreign id":      {object("InvocationId", "inv-12345678"), "ResourceNotFound.InvocationNotFound"},
		"mistyped id":     {object("InvocationId", mistyped(inv)), "ResourceNotFound.InvocationNotFound"},
		"unknown id":      {object("InvocationId", invocationPrefix+core.ID(1).String()), "ResourceNotFound.InvocationNotFound"},
		"malformed node":  {object("InvocationId", inv, "InstanceIds", []string{"?"}), "InvalidParameterValue.InvalidInstanceId"},
		"unknown node":    {object("InvocationId", inv, "InstanceIds", []string{"ins-a", "ins-x"}), "InvalidParameterValue.InstanceIsNotRelatedToInvocation"},
		"uninvolved node": {object("InvocationId", inv, "InstanceIds", []string{other.ID}), "InvalidParameterValue.InstanceIsNotRelatedToInvocation"},
		"no nodes":        {object("InvocationId", inv, "InstanceIds", []string{}), "InvalidParameterValue"},
		"101 nodes":       {object("InvocationId", inv, "InstanceIds", repeat("ins-a", 101)), "InvalidParameterValue.LimitExceeded"},
		"unknown field":   {object("InvocationId", inv, "Force", true), "UnknownParameter"},
	} {
		t.Run(name, func(t *testing.T) { c.call("CancelInvocation", try.body).want(try.code) })
	}
	status := func() (invocationStatus, []taskStatus) {
		t.Helper()
		v := ok[describeInvocationsResponse](c.call("DescribeInvocations", object("InvocationIds", []string{inv}))).InvocationSet[0]
		var words []taskStatus
		for _, info := range v.InvocationTaskBasicInfoSet {
			words = append(words, info.TaskStatus)
		}
		return v.InvocationStatus, words
	}
	if v, tasks := status(); v != "PENDING" || !cmp.Equal(tasks, []taskStatus{"PENDING", "PENDING"}) {
		t.Errorf("before: %s %v", v, tasks)
	}
	c.call("CancelInvocation", object("InvocationId", inv, "InstanceIds", []string{"ins-a"})).want("")
	if v, tasks := status(); v != "RUNNING" || !cmp.Equal(tasks, []taskStatus{"CANCELLED", "PENDING"}) {
		t.Errorf("one: %s %v", v, tasks)
	}
	if _, err := c.scene.Service.Sent(t.Context(), []core.TaskID{c.scene.Task(id, b)}); err != nil {
		t.Fatal(err)
	}
	c.scene.Report(id, b, core.Report{Kind: core.ReportStarted, At: c.scene.Now()})
	c.call("CancelInvocation", object("InvocationId", inv)).want("")
	if v, tasks := status(); v != "CANCELLING" || !cmp.Equal(tasks, []taskStatus{"CANCELLED", "CANCELLING"}) {
		t.Errorf("running: %s %v", v, tasks)
	}
	c.scene.Report(id, b, core.Report{
		Kind: core.ReportEnded, State: core.Terminated, Cause: core.CauseInterrupted, Signal: 15, Started: c.scene.Now(), Ended: c.scene.Now(),
	})
	if v, tasks := status(); v != "CANCELLED" || !cmp.Equal(tasks, []taskStatus{"CANCELLED", "TERMINATED"}) {
		t.Errorf("after: %s %v", v, tasks)
	}
	c.call("CancelInvocation", object("InvocationId", inv)).want("") // over already
	for _, task := range c.tasks(id) {
		if task.TaskResult.ExitCode != -1 || task.ErrorInfo != "" || task.EndTime == nil {
			t.Errorf("%+v", task)
		}
	}
}
