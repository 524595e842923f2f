package ecs_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"errand/internal/api/alibaba/caller"
)

// TestLimits goes to each bound and one step beyond.
func TestLimits(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Online(s.Node("i-linux"))
	x := func(n int) string { return strings.Repeat("x", n) }
	params := func(p caller.Params) caller.Params { return p.With("EnableParameter", "true") }
	run := shell("i-linux")
	kept := run.With("KeepCommand", "true")
	create := caller.Params{"Name": "n", "Type": "RunShellScript", "CommandContent": "ZWNobw=="}
	tagged := run.With("InstanceId.1", "-")
	for _, l := range []struct {
		action   string
		at, over caller.Params
		code     string
	}{
		{"RunCommand", run.With("CommandContent", x(18432)), run.With("CommandContent", x(18433)), "CmdContent.ExceedLimit"},
		{"RunCommand", kept.With("CommandContent", x(13824)), kept.With("CommandContent", x(13825)), "CmdContent.ExceedLimit"},
		{
			"RunCommand", params(run).With("CommandContent", "{{a}}"+x(18000), "Parameters", `{"a":"`+x(432)+`"}`),
			params(run).With("CommandContent", "{{a}}"+x(18000), "Parameters", `{"a":"`+x(433)+`"}`), "CmdContent.ExceedLimit",
		},
		{
			"CreateCommand", create.With("CommandContent", base64.StdEncoding.EncodeToString([]byte(x(13824)))),
			create.With("CommandContent", base64.StdEncoding.EncodeToString([]byte(x(13825)))), "CmdContent.ExceedLimit",
		},
		{"RunCommand", run.With("Name", strings.Repeat("中", 128)), run.With("Name", strings.Repeat("中", 129)), "CmdName.ExceedLimit"},
		{"RunCommand", run.With("Description", strings.Repeat("中", 512)), run.With("Description", strings.Repeat("中", 513)), "CmdDesc.ExceedLimit"},
		{"RunCommand", run.With("WorkingDir", x(200)), run.With("WorkingDir", x(201)), "InvalidParameter.WorkingDir"},
		{"RunCommand", run.With("Username", x(255)), run.With("Username", x(256)), "Username.ExceedLimit"},
		{"RunCommand", run.With("Launcher", x(1024)), run.With("Launcher", x(1025)), "InvalidLauncher.LengthLimitExceeded"},
		{"RunCommand", run.With("WindowsPasswordName", x(255)), run.With("WindowsPasswordName", x(256)), "WindowsPasswordName.ExceedLimit"},
		{"RunCommand", run.With("Timeout", "86400"), run.With("Timeout", "86401"), "InvalidTimeout.ExceedLimit"},
		{"RunCommand", run.With(list("InstanceId", many(100)...)...), run.With(list("InstanceId", many(101)...)...), "InstanceIds.ExceedLimit"},
		{"RunCommand", run.With(tags("Tag", 20)...), run.With(tags("Tag", 21)...), "NumberExceed.Tags"},
		{"RunCommand", run.With("Tag.1.Key", x(64)), run.With("Tag.1.Key", x(65)), "InvalidTagKey.Malformed"},
		{
			"RunCommand", run.With("Tag.1.Key", "k", "Tag.1.Value", x(128)), run.With("Tag.1.Key", "k", "Tag.1.Value", x(129)),
			"InvalidTagValue.Malformed",
		},
		{
			"RunCommand", params(run).With("CommandContent", placeholders(20)), params(run).With("CommandContent", placeholders(21)),
			"CmdParamCount.ExceedLimit",
		},
		{
			"RunCommand", params(run).With("CommandContent", "{{"+x(64)+"}}"), params(run).With("CommandContent", "{{"+x(65)+"}}"),
			"CmdParamName.ExceedLimit",
		},
		{
			"RunCommand", params(run).With("CommandContent", placeholders(11), "Parameters", object(10)),
			params(run).With("CommandContent", placeholders(11), "Parameters", object(11)), "ParameterCount.ExceedLimit",
		},
		{"RunCommand", run.With("ClientToken", x(64)), run.With("ClientToken", x(65)), "InvalidClientToken.Malformed"},
		{"CreateActivation", caller.Params{"InstanceCount": "1000"}, caller.Params{"InstanceCount": "1001"}, "ActivationLimitation.Invalid"},
		{"CreateActivation", caller.Params{"InstanceCount": "1"}, caller.Params{"InstanceCount": "0"}, "ActivationLimitation.Invalid"},
		{"CreateActivation", caller.Params{"TimeToLiveInHours": "4"}, caller.Params{"TimeToLiveInHours": "5"}, "ActivationTTL.ExceedLimit"},
		{"CreateActivation", caller.Params{"InstanceName": x(50)}, caller.Params{"InstanceName": x(51)}, "InstanceName.ExceedLimit"},
		{"CreateActivation", caller.Params{"InstanceName": "ab"}, caller.Params{"InstanceName": "a"}, "InstanceName.ExceedLimit"},
		{"CreateActivation", caller.Params{"Description": x(100)}, caller.Params{"Description": x(101)}, "ActivationDesc.ExceedLimit"},
		{
			"DescribeCloudAssistantStatus", caller.Params(nil).With(list("InstanceId", many(100)...)...),
			caller.Params(nil).With(list("InstanceId", many(101)...)...), "InstanceIds.ExceedLimit",
		},
		{
			"InstallCloudAssistant", caller.Params(nil).With(list("InstanceId", many(50)...)...),
			caller.Params(nil).With(list("InstanceId", many(51)...)...), "InstanceIds.ExceedLimit",
		},
		{
			"ListPluginStatus", caller.Params{"Name": "errand-agent"}.With(list("InstanceId", many(50)...)...),
			caller.Params{"Name": "errand-agent"}.With(list("InstanceId", many(51)...)...), "InstanceIds.ExceedLimit",
		},
		{
			"ListPluginStatus",
			caller.Params{"Name": strings.Repeat("中", 255), "InstanceId.1": "i-linux"},
			caller.Params{"Name": strings.Repeat("中", 256), "InstanceId.1": "i-linux"},
			"InvalidParameter.Name",
		},
		{"DescribeManagedInstances", caller.Params{"MachineId": x(36)}, caller.Params{"MachineId": x(37)}, "InvalidParameter.MachineId"},
		{
			"DescribeManagedInstances", caller.Params(nil).With(list("InstanceId", many(50)...)...),
			caller.Params(nil).With(list("InstanceId", many(51)...)...), "InstanceIds.ExceedLimit",
		},
		{
			"ModifyManagedInstance",
			caller.Params{"InstanceId": "i-linux", "InstanceName": "中" + x(127)},
			caller.Params{"InstanceId": "i-linux", "InstanceName": x(129)},
			"InstanceName.ExceedLimit",
		},
		{
			"ModifyManagedInstance",
			caller.Params{"InstanceId": "i-linux", "InstanceName": "ab"},
			caller.Params{"InstanceId": "i-linux", "InstanceName": "a"},
			"InstanceName.ExceedLimit",
		},
		{"DescribeInstances", caller.Params{"InstanceIds": array(100)}, caller.Params{"InstanceIds": array(101)}, "InstanceIds.ExceedLimit"},
		{
			"DescribeInstances",
			caller.Params{"PrivateIpAddresses": array(100)},
			caller.Params{"PrivateIpAddresses": array(101)},
			"InvalidParameter.PrivateIpAddresses",
		},
		{"DescribeInstances", caller.Params{"PageSize": "100"}, caller.Params{"PageSize": "101"}, "InvalidParam.PageSize"},
		{"DescribeInstances", caller.Params(nil).With(tags("Tag", 20)...), caller.Params(nil).With(tags("Tag", 21)...), "NumberExceed.Tags"},
		{
			"DescribeInstanceStatus", caller.Params(nil).With(list("InstanceId", many(100)...)...),
			caller.Params(nil).With(list("InstanceId", many(101)...)...), "InstanceIds.ExceedLimit",
		},
		{"DescribeInvocations", caller.Params{"PageSize": "50"}, caller.Params{"PageSize": "51"}, "InvalidParam.PageSize"},
		{"DescribeInvocations", caller.Params{"MaxResults": "50"}, caller.Params{"MaxResults": "51"}, "InvalidParameter.MaxResults"},
		{"DescribeInvocations", caller.Params{"PageNumber": "10001"}, caller.Params{"PageNumber": "10002"}, "InvalidParam.PageNumber"},
	} {
		if a := c.Call(l.action, l.at); a.Status != 200 {
			t.Errorf("%s at the limit of %s: %d %s %s", l.action, l.code, a.Status, a.Code, a.Text)
		}
		if a := c.Call(l.action, l.over); a.Code != l.code {
			t.Errorf("%s over the limit: %d %s, want %s", l.action, a.Status, a.Code, l.code)
		}
	}
	for n, code := range map[int]string{20: "InvalidResourceTag.InstanceNotFound", 21: "NumberExceed.ResourceTags"} {
		if a := c.Call("RunCommand", tagged.With(tags("ResourceTag", n)...)); a.Code != code {
			t.Errorf("%d resource tags: %s, want %s", n, a.Code, code)
		}
	}
}

// TestTimeout reads back what becomes of a time limit: the default, the least, and the greatest.
func TestTimeout(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Node("i-linux")
	for sent, want := range map[string]int64{"-": 60, "-5": 10, "0": 10, "9": 10, "10": 10, "11": 11, "86400": 86400} {
		r, _ := run(t, c, shell("i-linux").With("Timeout", sent))
		var got struct {
			Invocations struct{ Invocation []struct{ Timeout int64 } }
		}
		c.Call("DescribeInvocations", caller.Params{"InvokeId": r.InvokeId}).Into(t, &got)
		if got := got.Invocations.Invocation[0].Timeout; got != want {
			t.Errorf("timeout %s became %d, want %d", sent, got, want)
		}
	}
}
