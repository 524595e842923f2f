package server_test

import (
	"strings"
	"testing"
	"time"

	"errand/internal/core"
)

// TestAccountsAreApart gives two accounts the same names and lets each look for the other's things, through every dialect.
func TestAccountsAreApart(t *testing.T) {
	t.Parallel()
	s := start(t, config(t))
	defer stop(t, s)
	ctx := t.Context()
	type account struct {
		*caller
		core.Caller
		command, run string
		code         core.RegistrationCode
	}
	tag := []core.Tag{{Key: "secret", Value: "of both"}}
	open := func(name string) *account {
		t.Helper()
		_, k, err := s.Service.AddAccount(ctx, s.RootCaller(), name)
		if err != nil {
			t.Fatal(err)
		}
		a := &account{caller: as(t, s, k)}
		if a.Caller, err = s.Service.Caller(ctx, k.AccessKey); err != nil {
			t.Fatal(err)
		}
		code, secret, err := s.Service.CreateRegistration(ctx, a.Caller, core.RegistrationSpec{Limit: 5, Tags: tag})
		if err != nil {
			t.Fatal(err)
		}
		a.code = code
		n, err := s.Service.Register(ctx, core.Enrolment{
			Code: code.ID, Secret: secret, PublicKey: core.NewSecret(), NodeID: "web1", Tags: tag, Facts: core.Facts{Platform: core.Linux, Hostname: name},
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Service.Seen(n.Key, time.Now())
		s.Service.Gone(n.Key)
		d := core.Definition{Name: "same", Description: "of " + name, Type: core.Shell, Content: []byte("true"), Timeout: time.Minute}
		for range 2 {
			c, err := s.Service.CreateCommand(ctx, a.Caller, core.CommandSpec{Definition: d, Tags: tag})
			if err != nil {
				t.Fatal(err)
			}
			a.command = c.ID.String()
		}
		for i := range 2 {
			v, err := s.Service.Run(ctx, a.Caller, core.RunSpec{
				Origin: core.OriginECS, Targets: []string{"web1"}, Definition: d, KillTree: true, Tags: tag, ClientToken: strings.Repeat("x", i),
			})
			if err != nil {
				t.Fatal(err)
			}
			a.run = v.ID.String()
		}
		return a
	}
	first, second := open("first"), open("second")
	for _, pair := range [][2]*account{{first, second}, {second, first}} {
		me, them := pair[0], pair[1]
		theirs := []string{them.command, them.run, them.code.ID.UUID(), strings.ToUpper(them.code.ID.UUID())}
		see := func(what, got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %s, want %s: %s", what, got, want, me.raw)
			}
			for _, id := range theirs {
				if got == ran && strings.Contains(me.raw, id) {
					t.Errorf("%s shows %s of the other account: %s", what, id, me.raw)
				}
			}
			if got == ran && strings.Contains(me.raw, `:"`+map[*account]string{first: "second", second: "first"}[me]+`"`) {
				t.Errorf("%s shows the other account: %s", what, me.raw)
			}
		}
		// By id.
		see("modify command", me.ecs("ModifyCommand", "CommandId", "c-"+them.command, "Name", "x"), "404 InvalidCmdId.NotFound")
		see("invoke command", me.ecs("InvokeCommand", "CommandId", "c-"+them.command, "InstanceId.1", "web1"), "404 InvalidCmdId.NotFound")
		see("stop", me.ecs("StopInvocation", "InvokeId", "t-"+them.run), "404 InvalidInvokeId.NotFound")
		see("stop, eflo", me.eflo("StopInvocation", "InvokeId", "t-"+them.run), "404 InvalidInvokeId.NotFound")
		see("read, eflo", me.eflo("DescribeInvocations", "InvokeId", "t-"+them.run), ran)
		see("cancel, TAT", me.tat("CancelInvocation", `{"InvocationId":"inv-`+them.run+`"}`), "200 ResourceNotFound.InvocationNotFound")
		see("delete, TAT", me.tat("DeleteCommand", `{"CommandId":"cmd-`+them.command+`"}`), "200 ResourceNotFound.CommandNotFound")
		see("invoke, ZOS", me.zos("InvokeCommand", `{"commandId":"`+them.command+`","instanceIds":["web1"]}`), "404 INVALID_COMMAND_NOT_FOUND")
		see("read, native", me.native("GET", "invocations/"+them.run, ""), "404 Not Found")
		see("disable code", me.ecs("DisableActivation", "ActivationId", them.code.ID.UUID()), "404 ActivationId.NotFound")
		see("tag", me.ecs("TagResources", "ResourceType", "command", "ResourceId.1", "c-"+them.command, "Tag.1.Key", "a"), "404 InvalidResourceId.NotFound")
		// By filter.
		see("commands by id", me.ecs("DescribeCommands", "CommandId", "c-"+them.command), ran)
		see("commands by name", me.ecs("DescribeCommands", "Name", "same"), ran)
		see("commands by tag", me.ecs("DescribeCommands", "Tag.1.Key", "secret", "Tag.1.Value", "of both"), ran)
		see("invocations by id", me.ecs("DescribeInvocations", "InvokeId", "t-"+them.run), ran)
		see("invocations by node", me.ecs("DescribeInvocations", "InstanceId", "web1", "IncludeOutput", "true"), ran)
		see("results by command", me.ecs("DescribeInvocationResults", "CommandId", "c-"+them.command), ran)
		see("results by node", me.ecs("DescribeInvocationResults", "InstanceId", "web1"), ran)
		see("machines", me.ecs("DescribeManagedInstances"), ran)
		see("machines by tag", me.ecs("DescribeManagedInstances", "Tag.1.Key", "secret", "Tag.1.Value", "of both"), ran)
		see("codes", me.ecs("DescribeActivations"), ran)
		see("tagged", me.ecs("ListTagResources", "ResourceType", "command", "Tag.1.Key", "secret"), ran)
		see("commands, TAT", me.tat("DescribeCommands", `{}`), ran)
		see("commands by id, TAT", me.tat("DescribeCommands", `{"CommandIds":["cmd-`+them.command+`"]}`), ran)
		see("invocations, TAT", me.tat("DescribeInvocations", `{}`), ran)
		see("tasks, TAT", me.tat("DescribeInvocationTasks", `{"Filters":[{"Name":"instance-id","Values":["web1"]}]}`), ran)
		see("machines, TAT", me.tat("DescribeRegisterInstances", `{}`), ran)
		see("codes, TAT", me.tat("DescribeRegisterCodes", `{}`), ran)
		see("commands, ZOS", me.zos("DescribeCommands", `{}`), ran)
		see("invocations, ZOS", me.zos("DescribeCommandInvocations", `{}`), ran)
		// By the other account's page.
		if got := them.ecs("DescribeCommands", "MaxResults", "1"); got != ran {
			t.Fatal(got, them.raw)
		}
		var page struct{ NextToken string }
		them.decode([]byte(them.raw), &page)
		if page.NextToken == "" {
			t.Fatal(them.raw)
		}
		see("next page", me.ecs("DescribeCommands", "MaxResults", "1", "NextToken", page.NextToken), "400 InvalidParameter.NextToken")
		// By the other account's client token: each has its own.
		see("client token", me.ecs("RunCommand", "Type", "RunShellScript", "CommandContent", "true", "InstanceId.1", "web1", "ClientToken", "mine"), ran)
	}
}
