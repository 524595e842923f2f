package apitest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tatCommand is a command as TAT lists it.
type tatCommand struct {
	CommandId, CommandName, Description, CommandType, WorkingDirectory, Username, DefaultParameters, CreatedBy string

	Content         []byte // from Base64
	Timeout         int64
	EnableParameter bool
	Tags            []struct{ Key, Value string }
}

// Prepared follows a stored command of TAT through its life: it is made, found by each filter, previewed, run with parameters, changed, kept
// from being deleted while it runs, and deleted, alone and together with another.
func Prepared(t *testing.T, target Target) {
	t.Helper()
	c := newTAT(target, methodTC3)
	ask := func(action string, params map[string]any, into any) {
		t.Helper()
		if err := c.ask(action, params, into); err != nil {
			t.Fatalf("%s: %v", action, err)
		}
	}
	text := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	var made, other struct{ CommandId string }
	ask("CreateCommand", map[string]any{
		"CommandName": "prepared", "Content": text("echo {{greeting}} {{tat-hidden:secret}}; sleep {{seconds}}"), "Description": "greets",
		"CommandType": "SHELL", "WorkingDirectory": "/", "Timeout": 30, "EnableParameter": true, "Username": "root",
		"DefaultParameters": `{"greeting":"hello","secret":"none","seconds":"0"}`, "Tags": []map[string]string{{"Key": "story", "Value": "prepared"}},
	}, &made)
	ask("CreateCommand", map[string]any{"CommandName": "prepared-too", "Content": text("true")}, &other)

	find := func(params map[string]any) []tatCommand {
		t.Helper()
		var resp struct {
			TotalCount int
			CommandSet []tatCommand
		}
		ask("DescribeCommands", params, &resp)
		if resp.TotalCount != len(resp.CommandSet) {
			t.Errorf("%d commands, %d in all", len(resp.CommandSet), resp.TotalCount)
		}
		return resp.CommandSet
	}
	byID := map[string]any{"CommandIds": []string{made.CommandId}}
	by := func(name, value string) map[string]any { return map[string]any{"Filters": filterBy(name, value)} }
	want := tatCommand{
		CommandId: made.CommandId, CommandName: "prepared", Description: "greets", CommandType: "SHELL", WorkingDirectory: "/", Username: "root",
		DefaultParameters: `{"greeting":"hello","secret":"none","seconds":"0"}`, CreatedBy: "USER", Timeout: 30, EnableParameter: true,
		Content: []byte("echo {{greeting}} {{tat-hidden:secret}}; sleep {{seconds}}"), Tags: []struct{ Key, Value string }{{"story", "prepared"}},
	}
	for name, params := range map[string]map[string]any{
		"ids": byID, "command-id": by("command-id", made.CommandId), "command-name": by("command-name", "prepared"), "tag": by("tag:story", "prepared"),
	} {
		list := find(params)
		if len(list) != 1 {
			t.Fatalf("by %s: %d commands", name, len(list))
		}
		want.DefaultParameters = list[0].DefaultParameters // compared as JSON below
		if diff := cmp.Diff(want, list[0]); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", name, diff)
		}
		sameJSON(t, `{"greeting":"hello","secret":"none","seconds":"0"}`, list[0].DefaultParameters)
	}

	var preview struct{ ReplacedContent []byte }
	ask("PreviewReplacedCommandContent", map[string]any{"CommandId": made.CommandId, "Parameters": `{"greeting":"good day"}`}, &preview)
	if got := string(preview.ReplacedContent); got != "echo good day none; sleep 0" {
		t.Errorf("preview %q", got)
	}

	run := func(params string) string {
		t.Helper()
		var v struct{ InvocationId string }
		ask("InvokeCommand", map[string]any{"CommandId": made.CommandId, "InstanceIds": target.Nodes, "Parameters": params}, &v)
		return v.InvocationId
	}
	id := run(`{"greeting":"hi","secret":"sesame"}`)
	for node, m := range await(t, c, id, func(r *Reading) bool { return r.ended(tatWords.active) }).Nodes {
		if m.Output != "hi sesame\n" {
			t.Errorf("%s printed %q", node, m.Output)
		}
	}
	var shown struct {
		InvocationSet []struct{ Parameters, InvocationSource, CommandName string }
	}
	ask("DescribeInvocations", map[string]any{"InvocationIds": []string{id}}, &shown)
	if v := shown.InvocationSet; len(v) != 1 || v[0].InvocationSource != "USER" || v[0].CommandName != "prepared" {
		t.Fatalf("invocation: %+v", v)
	}
	sameJSON(t, `{"greeting":"hi","secret":"******","seconds":"0"}`, shown.InvocationSet[0].Parameters)

	ask("ModifyCommand", map[string]any{"CommandId": made.CommandId, "CommandName": "prepared-anew", "Timeout": 600}, &struct{}{})
	if got := find(byID)[0]; got.CommandName != "prepared-anew" || got.Timeout != 600 || got.WorkingDirectory != "/" {
		t.Errorf("after the change: %+v", got)
	}

	remove := map[string]any{"CommandId": made.CommandId}
	id = run(`{"seconds":"300"}`)
	await(t, c, id, func(r *Reading) bool { return r.all(tatWords.running) })
	if code := refusal(t, c.ask("DeleteCommand", remove, &struct{}{})); code != "ResourceUnavailable.CommandInExecuting" {
		t.Errorf("deleted while it runs: %s", code)
	}
	ask("CancelInvocation", map[string]any{"InvocationId": id, "InstanceIds": target.Nodes[:1]}, &struct{}{})
	ask("CancelInvocation", map[string]any{"InvocationId": id}, &struct{}{})
	if got := await(t, c, id, func(r *Reading) bool { return r.ended(tatWords.active) }); !got.all("TERMINATED") {
		t.Errorf("cancelled: %+v", got)
	}
	ask("DeleteCommand", remove, &struct{}{})
	if code := refusal(t, c.ask("DeleteCommand", remove, &struct{}{})); code != "ResourceNotFound.CommandNotFound" {
		t.Errorf("deleted twice: %s", code)
	}
	ask("DeleteCommands", map[string]any{"CommandIds": []string{other.CommandId}}, &struct{}{})
	if left := find(map[string]any{"CommandIds": []string{made.CommandId, other.CommandId}}); len(left) != 0 {
		t.Errorf("after they were deleted: %+v", left)
	}
}

// Surroundings asks TAT for its regions, quotas and scenes.
func Surroundings(t *testing.T, target Target) {
	t.Helper()
	c := newTAT(target, methodTC3)
	type region struct{ Region, RegionName, RegionState string }
	var regions struct {
		TotalCount int
		RegionSet  []region
	}
	var quotas struct {
		GeneralResourceQuotaSet []struct {
			ResourceName                          string
			ResourceQuotaUsed, ResourceQuotaTotal int64
		}
	}
	var scenes struct {
		TotalCount *int
		SceneSet   []any
	}
	var made struct{ CommandId string }
	for action, call := range map[string]struct {
		params map[string]any
		into   any
	}{
		"CreateCommand":   {map[string]any{"CommandName": "counted", "Content": "dHJ1ZQ=="}, &made},
		"DescribeRegions": {map[string]any{}, &regions},
		"DescribeScenes":  {map[string]any{"Filters": filterBy("created-by", "TAT")}, &scenes},
	} {
		if err := c.ask(action, call.params, call.into); err != nil {
			t.Fatalf("%s: %v", action, err)
		}
	}
	if err := c.ask("DescribeQuotas", map[string]any{"ResourceNames": []string{"COMMAND", "REGISTER_CODE"}}, &quotas); err != nil {
		t.Fatal(err)
	}
	if regions.TotalCount != len(regions.RegionSet) || !slices.Contains(regions.RegionSet, region{tatRegion, "Guangzhou", "AVAILABLE"}) {
		t.Errorf("%d regions: %+v", regions.TotalCount, regions.RegionSet)
	}
	if q := quotas.GeneralResourceQuotaSet; len(q) != 2 || q[0].ResourceName != "COMMAND" || q[0].ResourceQuotaUsed < 1 || q[0].ResourceQuotaTotal != 500 ||
		q[1].ResourceName != "REGISTER_CODE" || q[1].ResourceQuotaUsed < 1 || q[1].ResourceQuotaTotal != 5000 {
		t.Errorf("quotas: %+v", q)
	}
	if scenes.TotalCount == nil || *scenes.TotalCount != 0 || scenes.SceneSet == nil {
		t.Errorf("scenes: %+v", scenes)
	}
}

// sameJSON compares two JSON objects of texts.
func sameJSON(t *testing.T, want, got string) {
	t.Helper()
	var w, g map[string]string
	if err := errors.Join(json.Unmarshal([]byte(want), &w), json.Unmarshal([]byte(got), &g)); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
