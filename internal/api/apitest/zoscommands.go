package apitest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	zos "github.com/zenlayer/zenlayercloud-sdk-go/zenlayercloud/zos20251010"
)

// Shelved follows a stored command of ZOS through its life: it is made, found by each criterion, changed, run, kept from being changed and
// deleted while it runs, and deleted. What ran keeps its own copy.
func Shelved(t *testing.T, target Target) {
	t.Helper()
	opened := must(openZOS(target))(t)
	c := opened.(*zosSDK) //nolint:forcetypeassert // that is what it opens
	label := []*zos.Tag{{Key: ptr("story"), Value: ptr("shelved")}}
	create := zos.NewCreateCommandRequest()
	create.Name, create.Content, create.Type, create.Description = ptr("shelved"), ptr("echo first"), ptr("SHELL"), ptr("prints")
	create.Tags = &zos.TagAssociation{Tags: label}
	id := *must(c.CreateCommand(create))(t).Response.CommandId

	find := func(which func(*zos.DescribeCommandsRequest)) []*zos.Command {
		t.Helper()
		r := zos.NewDescribeCommandsRequest()
		which(r)
		resp := must(c.DescribeCommands(r))(t).Response
		if *resp.TotalCount != len(resp.DataSet) {
			t.Errorf("%d commands, %d in all", len(resp.DataSet), *resp.TotalCount)
		}
		return resp.DataSet
	}
	byID := func(r *zos.DescribeCommandsRequest) { r.CommandIds = []string{id} }
	for name, which := range map[string]func(*zos.DescribeCommandsRequest){
		"id":      byID,
		"name":    func(r *zos.DescribeCommandsRequest) { r.Name = ptr("helv") },
		"tag":     func(r *zos.DescribeCommandsRequest) { r.Tags, r.Types = label, []string{"SHELL"} },
		"tag key": func(r *zos.DescribeCommandsRequest) { r.TagKeys, r.Name = []string{"story"}, ptr("shelved") },
	} {
		list := find(which)
		if len(list) != 1 {
			t.Fatalf("by %s: %d commands", name, len(list))
		}
		parseTime(t, known(list[0].CreateTime))
		want := &zos.Command{
			CommandId: &id, Name: ptr("shelved"), Description: ptr("prints"), Content: ptr("echo first"), Type: ptr("SHELL"),
			CreateTime: list[0].CreateTime, Tags: &zos.Tags{Tags: label}, ResourceGroup: list[0].ResourceGroup,
		}
		if diff := cmp.Diff(want, list[0]); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", name, diff)
		}
	}

	modify := zos.NewModifyCommandRequest()
	modify.CommandId, modify.Name, modify.Content = &id, ptr("changed"), ptr("echo second; sleep 40")
	must(c.ModifyCommand(modify))(t)
	if got := find(byID)[0]; *got.Name != "changed" || *got.Content != "echo second; sleep 40" || *got.Description != "prints" {
		t.Errorf("after the change: %s, %q, %q", *got.Name, *got.Content, *got.Description)
	}

	invoke := zos.NewInvokeCommandRequest()
	invoke.CommandId, invoke.InstanceIds, invoke.Timeout = &id, target.Nodes, ptr(50)
	run := *must(c.InvokeCommand(invoke))(t).Response.InvocationId
	await(t, c, run, func(r *Reading) bool { return r.all(zosWords.running) })
	remove := zos.NewDeleteCommandRequest()
	remove.CommandId = &id
	if _, err := c.DeleteCommand(remove); refusal(t, err) != "INVALID_COMMAND_INVOCATION_RUNNING_EXIST" {
		t.Errorf("deleted while it runs: %v", err)
	}
	if _, err := c.ModifyCommand(modify); refusal(t, err) != "INVALID_COMMAND_INVOCATION_RUNNING_EXIST" {
		t.Errorf("changed while it runs: %v", err)
	}
	if err := c.stop(run); err != nil {
		t.Fatal(err)
	}
	for node, m := range await(t, c, run, func(r *Reading) bool { return r.ended(zosWords.active) }).Nodes {
		if m.Output != "second\n" {
			t.Errorf("%s printed %q", node, m.Output)
		}
	}
	if got := find(byID)[0]; got.LatestInvocationTime == nil {
		t.Error("a command that ran has no time of its latest run")
	}
	must(c.DeleteCommand(remove))(t)
	if left := find(byID); len(left) != 0 {
		t.Errorf("after it was deleted: %d commands", len(left))
	}
	if _, err := c.InvokeCommand(invoke); refusal(t, err) != "INVALID_COMMAND_NOT_FOUND" {
		t.Errorf("invoked after it was deleted: %v", err)
	}

	describe := zos.NewDescribeCommandInvocationsRequest()
	describe.InvocationIds = []string{run}
	kept := must(c.DescribeCommandInvocations(describe))(t).Response.DataSet
	if len(kept) != 1 || *kept[0].CommandName != "changed" || *kept[0].Content != "echo second; sleep 40" || *kept[0].CommandType != "SHELL" ||
		*kept[0].Timeout != 50 {
		t.Errorf("what ran: %+v", kept)
	}
}
