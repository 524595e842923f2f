package ecs_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/alibaba/caller"
)

type commands struct {
	TotalCount, PageNumber, PageSize int
	NextToken                        string
	Commands                         struct{ Command []map[string]any }
}

func names(list commands) []string {
	got := []string{}
	for _, c := range list.Commands.Command {
		got = append(got, c["Name"].(string))
	}
	return got
}

func TestCommandRoundTrip(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Node("i-linux")
	var made struct{ CommandId string }
	c.Call("CreateCommand", caller.Params{
		"Name": "deploy", "Type": "RunShellScript", "CommandContent": "ZWNobyB7e3ZlcnNpb259fQ", "Description": "two\nlines",
		"WorkingDir": "/srv", "Launcher": "bash -x", "Timeout": "90", "EnableParameter": "true", "ResourceGroupId": "rg-1",
		"Tag.1.Key": "team", "Tag.1.Value": "", "ClientToken": "once",
	}).Into(t, &made)
	c.Call("InvokeCommand", caller.Params{
		"CommandId": made.CommandId, "InstanceId.1": "i-linux", "Parameters": `{"VERSION":"1"}`,
	}).Into(t, &struct{}{})

	var got commands
	c.Call("DescribeCommands", caller.Params{"CommandId": made.CommandId}).Into(t, &got)
	want := commands{TotalCount: 1, PageNumber: 1, PageSize: 10}
	want.Commands.Command = []map[string]any{{
		"CommandId": made.CommandId, "Name": "deploy", "Type": "RunShellScript", "CommandContent": "ZWNobyB7e3ZlcnNpb259fQ==",
		"Description": "two\nlines", "WorkingDir": "/srv", "Launcher": "bash -x", "Timeout": 90., "EnableParameter": true,
		"ParameterNames":       map[string]any{"ParameterName": []any{"version"}},
		"ParameterDefinitions": map[string]any{"ParameterDefinition": []any{}},
		"InvokeTimes":          1., "CreationTime": "2026-11-22T05:41:40Z", "Provider": "User", "Category": "User", "ResourceGroupId": "rg-1",
		"Tags": map[string]any{"Tag": []any{map[string]any{"TagKey": "team", "TagValue": ""}}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}

	c.Call("ModifyCommand", caller.Params{
		"CommandId": made.CommandId, "Name": "deploy2", "Timeout": "5", "CommandContent": "ignored",
	}).Into(t, &struct{}{})
	c.Call("DescribeCommands", caller.Params{"CommandId": made.CommandId, "ContentEncoding": "plaintext"}).Into(t, &got)
	want.Commands.Command[0]["Name"], want.Commands.Command[0]["Timeout"] = "deploy2", 10.
	want.Commands.Command[0]["CommandContent"] = "echo {{version}}"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modified command (-want +got):\n%s", diff)
	}
}

func TestDeleteCommand(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	n := s.Node("i-linux")
	r, id := run(t, c, shell("i-linux").With("KeepCommand", "true", "Name", "kept"))
	if a := c.Call("DeleteCommand", caller.Params{"CommandId": r.CommandId}); a.Status != 403 || a.Code != "Operation.Forbidden" {
		t.Errorf("deleting a running command: %d %s", a.Status, a.Code)
	}
	s.Exit(id, n, 0, "", "")
	c.Call("DeleteCommand", caller.Params{"CommandId": r.CommandId}).Into(t, &struct{}{})
	if a := c.Call("DeleteCommand", caller.Params{"CommandId": r.CommandId}); a.Code != "InvalidCmdId.NotFound" {
		t.Errorf("deleting twice: %d %s", a.Status, a.Code)
	}
	var got struct {
		Invocation struct {
			InvocationResults struct{ InvocationResult []struct{ CommandId string } }
		}
	}
	c.Call("DescribeInvocationResults", caller.Params{"CommandId": r.CommandId}).Into(t, &got)
	if n := len(got.Invocation.InvocationResults.InvocationResult); n != 1 {
		t.Errorf("%d results of the deleted command, want 1", n)
	}
}

func TestDescribeCommandsFilters(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	for _, p := range []caller.Params{
		{"Name": "test-a", "Description": "alpha", "ResourceGroupId": "rg-1", "Tag.1.Key": "k", "Tag.1.Value": "v"},
		{"Name": "a-test", "Description": "beta", "Type": "RunPowerShellScript"},
		{"Name": "my-test-b", "Description": "alphabet", "Tag.1.Key": "k", "Tag.1.Value": "w"},
	} {
		c.Call("CreateCommand", caller.Params{"Type": "RunShellScript", "CommandContent": "ZWNobw=="}.With(flat(p)...)).Into(t, &struct{}{})
	}
	for _, f := range []struct {
		params caller.Params
		want   []string
	}{
		{nil, []string{"my-test-b", "a-test", "test-a"}}, // newest first
		{caller.Params{"Name": "test-a"}, []string{"test-a"}},
		{caller.Params{"Name": "test"}, []string{}},
		{caller.Params{"Name": "test*"}, []string{"test-a"}},
		{caller.Params{"Name": "*test"}, []string{"a-test"}},
		{caller.Params{"Name": "*test*"}, []string{"my-test-b", "a-test", "test-a"}},
		{caller.Params{"Name": "*"}, []string{"my-test-b", "a-test", "test-a"}},
		{caller.Params{"Description": "alpha*"}, []string{"my-test-b", "test-a"}},
		{caller.Params{"Description": "alpha"}, []string{"test-a"}},
		{caller.Params{"Type": "RunPowerShellScript"}, []string{"a-test"}},
		{caller.Params{"ResourceGroupId": "rg-1"}, []string{"test-a"}},
		{caller.Params{"Tag.1.Key": "k", "Tag.1.Value": "v"}, []string{"test-a"}},
		{caller.Params{"CommandId": "c-unknown"}, []string{}},
		{caller.Params{"Provider": "AlibabaCloud"}, []string{}},
		{caller.Params{"Latest": "true", "OwnerId": "7", "Whatever": "x"}, []string{"my-test-b", "a-test", "test-a"}},
	} {
		var got commands
		c.Call("DescribeCommands", f.params).Into(t, &got)
		if diff := cmp.Diff(f.want, names(got)); diff != "" || got.TotalCount != len(f.want) {
			t.Errorf("%v: total %d (-want +got):\n%s", f.params, got.TotalCount, diff)
		}
	}
}

func flat(p caller.Params) []string {
	var pairs []string
	for k, v := range p {
		pairs = append(pairs, k, v)
	}
	return pairs
}

// TestPages walks one listing in both of the vendor's ways, and by the token that the old way returns too.
func TestPages(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		c.Call("CreateCommand", caller.Params{"Name": name, "Type": "RunShellScript", "CommandContent": "ZWNobw=="}).Into(t, &struct{}{})
	}
	get := func(p caller.Params) commands {
		t.Helper()
		var got commands
		c.Call("DescribeCommands", p).Into(t, &got)
		return got
	}
	first := get(caller.Params{"MaxResults": "2", "PageNumber": "99", "PageSize": "1"})
	second := get(caller.Params{"MaxResults": "2", "NextToken": first.NextToken})
	third := get(caller.Params{"MaxResults": "2", "NextToken": second.NextToken})
	if diff := cmp.Diff([][]string{{"e", "d"}, {"c", "b"}, {"a"}}, [][]string{names(first), names(second), names(third)}); diff != "" {
		t.Errorf("token pages (-want +got):\n%s", diff)
	}
	if first.NextToken == "" || second.NextToken == "" || third.NextToken != "" || first.TotalCount != 5 || first.PageSize != 2 {
		t.Errorf("tokens %q %q %q, total %d, size %d", first.NextToken, second.NextToken, third.NextToken, first.TotalCount, first.PageSize)
	}
	byNumber := get(caller.Params{"PageNumber": "2", "PageSize": "2"})
	if diff := cmp.Diff([]string{"c", "b"}, names(byNumber)); diff != "" {
		t.Errorf("second page (-want +got):\n%s", diff)
	}
	if byNumber.PageNumber != 2 || byNumber.PageSize != 2 || byNumber.TotalCount != 5 || byNumber.NextToken == "" {
		t.Errorf("second page says %+v", byNumber)
	}
	if diff := cmp.Diff([]string{"a"}, names(get(caller.Params{"NextToken": byNumber.NextToken}))); diff != "" {
		t.Errorf("after the second page (-want +got):\n%s", diff)
	}
	if last := get(caller.Params{"PageNumber": "3", "PageSize": "2"}); last.NextToken != "" || len(names(last)) != 1 {
		t.Errorf("last page %+v", last)
	}
	if beyond := get(caller.Params{"PageNumber": "9"}); len(names(beyond)) != 0 || beyond.TotalCount != 5 {
		t.Errorf("page beyond the end %+v", beyond)
	}
}
