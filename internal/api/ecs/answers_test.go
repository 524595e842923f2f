package ecs_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api"
	"errand/internal/api/alibaba/caller"
	"errand/internal/api/ecs"
	"errand/internal/core"
)

var requestID = regexp.MustCompile(`^[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$`)

// TestRequestIDs calls every action with success; each answer has a RequestId of its own, in the vendor's form.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	n := s.Node("i-one")
	s.Online(n)
	seen, called := map[string]string{}, map[string]bool{}
	call := func(action string, p caller.Params) map[string]string {
		t.Helper()
		all := ask[map[string]any](t, c, action, p)
		id, _ := all["RequestId"].(string)
		if !requestID.MatchString(id) || seen[id] != "" {
			t.Errorf("%s: RequestId %q, which %q had", action, id, seen[id])
		}
		seen[id], called[action] = action, true
		got := map[string]string{}
		for name, value := range all {
			got[name], _ = value.(string)
		}
		return got
	}
	on := caller.Params{"InstanceId.1": "i-one"}
	script := caller.Params{"Type": "RunShellScript", "CommandContent": "ZWNobw==", "ContentEncoding": "Base64"}

	activation := caller.Params{"ActivationId": call("CreateActivation", nil)["ActivationId"]}
	call("DescribeActivations", nil)
	call("DisableActivation", activation)
	call("DeleteActivation", activation)

	command := caller.Params{"CommandId": call("CreateCommand", script.With("Name", "n"))["CommandId"]}
	call("DescribeCommands", nil)
	call("ModifyCommand", command)
	tagged := caller.Params{"ResourceType": "command", "ResourceId.1": command["CommandId"]}
	call("TagResources", tagged.With("Tag.1.Key", "k"))
	call("ListTagResources", tagged)
	call("UntagResources", tagged.With("All", "true"))
	invoked := call("InvokeCommand", command.With(flat(on)...))["InvokeId"]
	id, _ := api.InvocationID(invoked)
	s.Exit(id, n, 0, "", "")
	call("DeleteCommand", command)

	standing := caller.Params{"InvokeId": call("RunCommand", script.With(flat(on)...).With("Frequency", "rate(5m)"))["InvokeId"]}
	call("ModifyInvocationAttribute", standing.With("Frequency", "rate(6m)"))
	call("DescribeInvocations", nil)
	call("DescribeInvocationResults", nil)
	call("StopInvocation", standing)
	call("SendFile", sending("i-one"))
	call("DescribeSendFileResults", nil)

	session := caller.Params{"SessionId": call("StartTerminalSession", on)["SessionId"]}
	call("DescribeTerminalSessions", nil)
	call("EndTerminalSession", session)

	call("DescribeCloudAssistantStatus", nil)
	call("InstallCloudAssistant", on)
	call("ListPluginStatus", on)
	call("DescribeCloudAssistantSettings", caller.Params{"SettingType.1": "SessionManagerConfig"})
	call("ModifyCloudAssistantSettings", caller.Params{"SettingType": "AgentUpgradeConfig", "AgentUpgradeConfig": "{}"})
	call("DescribeRegions", nil)
	call("DescribeInstances", nil)
	call("DescribeInstanceStatus", nil)
	call("DescribeManagedInstances", nil)
	machine := caller.Params{"InstanceId": "i-one"}
	call("ModifyManagedInstance", machine.With("InstanceName", "name"))
	call("DeregisterManagedInstance", machine)

	for name := range ecs.New(s.Env()).Actions {
		if !called[name] {
			t.Errorf("%s was not called", name)
		}
	}
}

// TestRegionOfEveryAction leaves the region out, and names one that is not there.
func TestRegionOfEveryAction(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	delete(c.Common, "RegionId")
	required := caller.Params{
		"CommandId": "c-x", "InvokeId": "t-x", "Type": "RunShellScript", "CommandContent": "x", "Name": "x", "ActivationId": "x", "InstanceName": "x",
		"SessionId": "s-x", "ResourceType": "command", "TargetDir": "/", "Content": "x",
	}
	lists := map[string]caller.Params{
		"ModifyManagedInstance": {"InstanceId": "x"}, "DeregisterManagedInstance": {"InstanceId": "x"},
		"DescribeCloudAssistantSettings": {"SettingType.1": "x"}, "ModifyCloudAssistantSettings": {"SettingType": "x"},
	}
	for action := range ecs.New(s.Env()).Actions {
		if action == "DescribeRegions" {
			continue
		}
		p := required.With(flat(lists[action])...)
		status, code := 400, "MissingRegionId"
		if strings.HasSuffix(action, "TagResources") || action == "UntagResources" { // which have words of their own
			status, code = 404, "MissingParameter.RegionId"
		}
		if a := c.Call(action, p); a.Status != status || a.Code != code {
			t.Errorf("%s without RegionId: %d %s", action, a.Status, a.Code)
		}
		if a := c.Call(action, p.With("RegionId", "nowhere")); a.Status != 404 || a.Code != "InvalidRegionId.NotFound" {
			t.Errorf("%s with RegionId nowhere: %d %s", action, a.Status, a.Code)
		}
	}
}

// TestDefaultsOfOthers shows a command that another vendor's client stored with values of its parameters: they are definitions here, without
// what this vendor alone knows about a parameter.
func TestDefaultsOfOthers(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	stored, err := s.Service.CreateCommand(t.Context(), s.Caller, core.CommandSpec{Definition: core.Definition{
		Name: "n", Type: core.Shell, Content: []byte("echo {{a}} {{b}}"), ParamsEnabled: true, Defaults: map[string]string{"b": "2"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := ask[commands](t, c, "DescribeCommands", caller.Params{"CommandId": "c-" + stored.ID.String()}).Commands.Command[0]
	want := map[string]any{
		"ParameterNames": map[string]any{"ParameterName": []any{"a", "b"}},
		"ParameterDefinitions": map[string]any{"ParameterDefinition": []any{map[string]any{
			"ParameterName": "b", "Description": "", "DefaultValue": "2", "PatternRegex": "", "Required": false,
			"PossibleValues": map[string]any{"PossibleValue": []any{}},
		}}},
	}
	if diff := cmp.Diff(want, only([]map[string]any{got}, "ParameterNames", "ParameterDefinitions")[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFilesOfAGroup lists files by resource group and in pages.
func TestFilesOfAGroup(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Node("i-one")
	for _, f := range []struct{ name, group string }{{"first", "rg-1"}, {"second", ""}, {"third", "rg-1"}} {
		c.Call("SendFile", sending("i-one").With("Name", f.name, "ResourceGroupId", f.group)).Into(t, &struct{}{})
	}
	type page struct {
		files
		PageNumber, PageSize int
		NextToken            string
	}
	list := func(p caller.Params) (page, []string) {
		got := ask[page](t, c, "DescribeSendFileResults", p)
		return got, field(got.Invocations.Invocation, "Name")
	}
	group := caller.Params{"ResourceGroupId": "rg-1"}
	for _, f := range []struct {
		params       caller.Params
		want         []string
		number, size int
	}{
		{nil, []string{"third", "second", "first"}, 1, 10},
		{group, []string{"third", "first"}, 1, 10},
		{caller.Params{"ResourceGroupId": "rg-2"}, []string{}, 1, 10},
		{group.With("PageSize", "1", "PageNumber", "2"), []string{"first"}, 2, 1},
		{group.With("MaxResults", "1"), []string{"third"}, 1, 1},
	} {
		got, names := list(f.params)
		if diff := cmp.Diff(f.want, names); diff != "" || got.PageNumber != f.number || got.PageSize != f.size {
			t.Errorf("%v: page %d of %d (-want +got):\n%s", f.params, got.PageNumber, got.PageSize, diff)
		}
	}
	first, _ := list(group.With("MaxResults", "1"))
	if next, names := list(group.With("MaxResults", "1", "NextToken", first.NextToken)); len(names) != 1 || names[0] != "first" || next.NextToken != "" {
		t.Errorf("second page: %v, then %q", names, next.NextToken)
	}
}

// TestInvokeOverrides runs a stored command in another way than it was stored, once and at every start of the machine.
func TestInvokeOverrides(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	n := s.Node("i-one")
	s.Online(n)
	made := ask[struct{ CommandId string }](t, c, "CreateCommand", caller.Params{
		"Name": "n", "Type": "RunShellScript", "CommandContent": "ZWNobw==", "WorkingDir": "/srv", "Launcher": "sh", "Timeout": "30",
	})
	fields := []string{"CommandId", "Username", "WorkingDir", "Launcher", "Timeout", "RepeatMode", "TerminationMode", "Tags"}
	tagged := map[string]any{"Tag": []any{map[string]any{"TagKey": "k", "TagValue": "v"}}}
	for _, f := range []struct {
		params []string
		want   map[string]any
	}{
		{nil, map[string]any{
			"Username": "", "WorkingDir": "/srv", "Launcher": "sh", "Timeout": 30., "RepeatMode": "Once", "TerminationMode": "ProcessTree",
			"Tags": map[string]any{"Tag": []any{}},
		}},
		{[]string{
			"Username", "bob", "WorkingDir", "/home", "Launcher", "bash -x", "Timeout", "40", "RepeatMode", "EveryReboot", "TerminationMode", "Process",
			"Tag.1.Key", "k", "Tag.1.Value", "v",
		}, map[string]any{
			"Username": "bob", "WorkingDir": "/home", "Launcher": "bash -x", "Timeout": 40., "RepeatMode": "EveryReboot", "TerminationMode": "Process",
			"Tags": tagged,
		}},
	} {
		started := ask[ran](t, c, "InvokeCommand", caller.Params{"CommandId": made.CommandId, "InstanceId.1": "i-one"}.With(f.params...))
		f.want["CommandId"] = made.CommandId
		got := ask[invocations](t, c, "DescribeInvocations", caller.Params{"InvokeId": started.InvokeId}).Invocations.Invocation
		if diff := cmp.Diff([]map[string]any{f.want}, only(got, fields...)); diff != "" {
			t.Errorf("invocation (-want +got):\n%s", diff)
		}
		shown := []string{"CommandId", "Username", "Launcher", "TerminationMode", "Tags"}
		result := ask[results](t, c, "DescribeInvocationResults", caller.Params{"InvokeId": started.InvokeId}).Invocation.InvocationResults.InvocationResult
		if diff := cmp.Diff(only([]map[string]any{f.want}, shown...), only(result, shown...)); diff != "" {
			t.Errorf("result (-want +got):\n%s", diff)
		}
	}
}
