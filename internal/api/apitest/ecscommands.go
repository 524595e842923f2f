package apitest

import (
	"encoding/base64"
	"slices"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
	"github.com/google/go-cmp/cmp"
)

// StoredCommands follows a stored command of ECS through its life: it is made, found, run with parameters, changed, kept from being deleted
// while it runs, and deleted.
func StoredCommands(t *testing.T, target Target) {
	t.Helper()
	c := must(newRPC(target))(t)
	create := ecs.CreateCreateCommandRequest()
	create.RegionId, create.Name, create.Description, create.Type = alibabaRegion, "stored", "greets, then waits", "RunShellScript"
	create.CommandContent = base64.StdEncoding.EncodeToString([]byte("echo {{greeting}} from $PWD; sleep {{seconds}}"))
	create.WorkingDir, create.Timeout, create.EnableParameter = "/usr", requests.NewInteger(40), requests.NewBoolean(true)
	create.Tag = &[]ecs.CreateCommandTag{{Key: "story", Value: "stored"}}
	id := must(c.CreateCommand(create))(t).CommandId

	describe := func(which func(*ecs.DescribeCommandsRequest)) []ecs.Command {
		t.Helper()
		r := ecs.CreateDescribeCommandsRequest()
		r.RegionId, r.ContentEncoding = alibabaRegion, "PlainText"
		which(r)
		return must(c.DescribeCommands(r))(t).Commands.Command
	}
	byID := func(r *ecs.DescribeCommandsRequest) { r.CommandId = id }
	want := ecs.Command{
		CommandId: id, Name: "stored", Description: "greets, then waits", Type: "RunShellScript", WorkingDir: "/usr", Timeout: 40,
		CommandContent: "echo {{greeting}} from $PWD; sleep {{seconds}}", EnableParameter: true, Provider: "User",
		ParameterNames:       ecs.ParameterNames{ParameterName: []string{"greeting", "seconds"}},
		ParameterDefinitions: ecs.ParameterDefinitions{ParameterDefinition: []ecs.ParameterDefinition{}},
		Tags:                 ecs.TagsInDescribeCommands{Tag: []ecs.Tag{{TagKey: "story", TagValue: "stored"}}},
	}
	for name, which := range map[string]func(*ecs.DescribeCommandsRequest){
		"id":          byID,
		"name":        func(r *ecs.DescribeCommandsRequest) { r.Name = "stor*" },
		"description": func(r *ecs.DescribeCommandsRequest) { r.Description = "greets*" },
		"tag": func(r *ecs.DescribeCommandsRequest) {
			r.Tag = &[]ecs.DescribeCommandsTag{{Key: "story", Value: "stored"}}
		},
	} {
		list := describe(which)
		if len(list) != 1 {
			t.Fatalf("by %s: %d commands", name, len(list))
		}
		parseTime(t, list[0].CreationTime)
		want.CreationTime, want.Category = list[0].CreationTime, list[0].Category
		if diff := cmp.Diff(want, list[0]); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", name, diff)
		}
	}

	invoke := func(greeting, seconds string) (string, error) {
		r := ecs.CreateInvokeCommandRequest()
		r.RegionId, r.CommandId, r.InstanceId = alibabaRegion, id, &target.Nodes
		r.Parameters = map[string]any{"greeting": greeting, "seconds": seconds}
		resp, err := c.InvokeCommand(r)
		return resp.InvokeId, err
	}
	ended := func(r *Reading) bool { return r.ended(ecsWords.active) }
	run := must(invoke("hello", "0"))(t)
	for node, m := range await(t, c, run, ended).Nodes {
		if m.Output != "hello from /usr\n" {
			t.Errorf("%s printed %q", node, m.Output)
		}
	}

	modify := ecs.CreateModifyCommandRequest()
	modify.RegionId, modify.CommandId, modify.Name, modify.WorkingDir = alibabaRegion, id, "stored anew", "/etc"
	must(c.ModifyCommand(modify))(t)
	if got := describe(byID)[0]; got.Name != "stored anew" || got.WorkingDir != "/etc" || got.Timeout != 40 || got.InvokeTimes != 1 {
		t.Errorf("after the change: %+v", got)
	}

	remove := ecs.CreateDeleteCommandRequest()
	remove.RegionId, remove.CommandId = alibabaRegion, id
	run = must(invoke("busy", "300"))(t)
	await(t, c, run, func(r *Reading) bool { return r.all(ecsWords.running) })
	if _, err := c.DeleteCommand(remove); refusal(t, err) != "Operation.Forbidden" {
		t.Errorf("deleted while it runs: %v", err)
	}
	if err := c.stop(run); err != nil {
		t.Fatal(err)
	}
	for node, m := range await(t, c, run, ended).Nodes {
		if m.Output != "busy from /etc\n" {
			t.Errorf("%s printed %q", node, m.Output)
		}
	}
	must(c.DeleteCommand(remove))(t)
	if left := describe(byID); len(left) != 0 {
		t.Errorf("after it was deleted: %+v", left)
	}
	if _, err := invoke("x", "0"); refusal(t, err) != "InvalidCmdId.NotFound" {
		t.Errorf("invoked after it was deleted: %v", err)
	}
}

// Labels puts tags on a command of ECS, finds it by them, and takes them off.
func Labels(t *testing.T, target Target) {
	t.Helper()
	c := must(newRPC(target))(t)
	create := ecs.CreateCreateCommandRequest()
	create.RegionId, create.Name, create.Type, create.CommandContent = alibabaRegion, "labelled", "RunShellScript", "dHJ1ZQ=="
	ids := []string{must(c.CreateCommand(create))(t).CommandId, must(c.CreateCommand(create))(t).CommandId}

	label := func(key, value string, ids ...string) {
		t.Helper()
		r := ecs.CreateTagResourcesRequest()
		r.RegionId, r.ResourceType, r.ResourceId, r.Tag = alibabaRegion, "command", &ids, &[]ecs.TagResourcesTag{{Key: key, Value: value}}
		must(c.TagResources(r))(t)
	}
	label("labels", "both", ids...)
	label("first", "yes", ids[0])

	list := func(which func(*ecs.ListTagResourcesRequest)) []ecs.TagResource {
		t.Helper()
		r := ecs.CreateListTagResourcesRequest()
		r.RegionId, r.ResourceType = alibabaRegion, "command"
		which(r)
		rows := must(c.ListTagResources(r))(t).TagResources.TagResource
		slices.SortFunc(rows, func(a, b ecs.TagResource) int {
			return slices.Compare([]string{a.ResourceId, a.TagKey}, []string{b.ResourceId, b.TagKey})
		})
		return rows
	}
	row := func(n int, key, value string) ecs.TagResource {
		return ecs.TagResource{ResourceId: ids[n], ResourceType: "command", TagKey: key, TagValue: value}
	}
	all := []ecs.TagResource{row(0, "first", "yes"), row(0, "labels", "both"), row(1, "labels", "both")}
	if diff := cmp.Diff(all, list(func(r *ecs.ListTagResourcesRequest) { r.ResourceId = &ids })); diff != "" {
		t.Errorf("by id (-want +got):\n%s", diff)
	}
	byTag := func(r *ecs.ListTagResourcesRequest) {
		r.Tag = &[]ecs.ListTagResourcesTag{{Key: "labels", Value: "both"}, {Key: "first"}}
	}
	if diff := cmp.Diff(all[:2], list(byTag)); diff != "" {
		t.Errorf("by tag (-want +got):\n%s", diff)
	}

	remove := func(id string, which func(*ecs.UntagResourcesRequest)) {
		t.Helper()
		r := ecs.CreateUntagResourcesRequest()
		r.RegionId, r.ResourceType, r.ResourceId = alibabaRegion, "command", &[]string{id}
		which(r)
		must(c.UntagResources(r))(t)
	}
	remove(ids[0], func(r *ecs.UntagResourcesRequest) { r.TagKey = &[]string{"labels"} })
	remove(ids[1], func(r *ecs.UntagResourcesRequest) { r.All = requests.NewBoolean(true) })
	if diff := cmp.Diff(all[:1], list(func(r *ecs.ListTagResourcesRequest) { r.ResourceId = &ids })); diff != "" {
		t.Errorf("after two were taken off (-want +got):\n%s", diff)
	}
}
