package zos_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/core"
)

type listed struct {
	DataSet    []map[string]any
	TotalCount int
}

// names are the names on a page, in order.
func (l *listed) names() []string {
	out := []string{}
	for _, c := range l.DataSet {
		out = append(out, c["name"].(string))
	}
	return out
}

func TestCommandLife(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	var made struct{ CommandID string }
	c.do("CreateCommand", `{"name":"Größe","content":"echo <&> ü","type":"SHELL","description":"d","resourceGroupId":"rg-1",
		"tags":{"tags":[{"key":"env","value":"prod"},{"key":"team","value":"a"}]}}`, &made)

	show := func() map[string]any {
		t.Helper()
		var l listed
		c.do("DescribeCommands", body(map[string]any{"commandIds": []string{made.CommandID}}), &l)
		if len(l.DataSet) != 1 || l.TotalCount != 1 {
			t.Fatalf("%d commands of %d", len(l.DataSet), l.TotalCount)
		}
		return l.DataSet[0]
	}
	want := map[string]any{
		"commandId": made.CommandID, "name": "Größe", "content": "echo <&> ü", "type": "SHELL", "description": "d",
		"createTime": "2026-11-22 05:41:40", "latestInvocationTime": nil,
		"tags": map[string]any{"tags": []any{
			map[string]any{"key": "env", "value": "prod"}, map[string]any{"key": "team", "value": "a"},
		}},
		"resourceGroup": map[string]any{"resourceGroupId": "rg-1", "resourceGroupName": "rg-1"},
	}
	if diff := cmp.Diff(want, show()); diff != "" {
		t.Errorf("after creation (-want +got):\n%s", diff)
	}

	c.do("ModifyCommand", body(map[string]any{"commandId": made.CommandID, "content": "echo 2"}), &struct{}{})
	want["content"] = "echo 2"
	if diff := cmp.Diff(want, show()); diff != "" {
		t.Errorf("after one change (-want +got):\n%s", diff)
	}
	c.do("ModifyCommand", body(map[string]any{"commandId": made.CommandID, "name": "b", "description": ""}), &struct{}{})
	want["name"], want["description"] = "b", nil
	if diff := cmp.Diff(want, show()); diff != "" {
		t.Errorf("after more changes (-want +got):\n%s", diff)
	}

	c.Advance(90 * time.Second)
	c.online("web-1")
	c.invoke(made.CommandID, "web-1")
	want["latestInvocationTime"] = "2026-11-22 05:43:10"
	if diff := cmp.Diff(want, show()); diff != "" {
		t.Errorf("after a run (-want +got):\n%s", diff)
	}

	plain := c.create("plain", "true")
	c.do("DeleteCommand", body(map[string]any{"commandId": plain}), &struct{}{})
	c.fails("DeleteCommand", body(map[string]any{"commandId": plain}), 404, "INVALID_COMMAND_NOT_FOUND")
}

// TestRunningCommandIsKept refuses changes while the command runs and allows them afterwards; the run keeps its own copy.
func TestRunningCommandIsKept(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	id := c.create("job", "sleep 1")
	n := c.online("web-1")
	run := c.invoke(id, "web-1")
	for _, action := range []string{"ModifyCommand", "DeleteCommand"} {
		c.fails(action, body(map[string]any{"commandId": id, "name": "x"}), 400, "INVALID_COMMAND_INVOCATION_RUNNING_EXIST")
	}
	c.Exit(run, n, 0, "", "")
	c.do("ModifyCommand", body(map[string]any{"commandId": id, "name": "later", "content": "true"}), &struct{}{})
	c.do("DeleteCommand", body(map[string]any{"commandId": id}), &struct{}{})
	v := c.describe(t, run)
	if v.CommandName != "job" || v.Content != "sleep 1" || v.CommandID != id {
		t.Errorf("history changed: %+v", v)
	}
}

// TestForeignCommand changes a command that another dialect made with a longer name than this one allows.
func TestForeignCommand(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	cmd, err := c.Service.CreateCommand(t.Context(), c.Caller, core.CommandSpec{
		Definition: core.Definition{
			Name: strings.Repeat("n", 100), Type: core.Shell, Content: []byte("echo {{word}}"), ParamsEnabled: true, Timeout: time.Hour,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.online("web-1")
	change := func(m map[string]any) string {
		m["commandId"] = "c-" + cmd.ID.String()
		return body(m)
	}
	c.do("ModifyCommand", change(map[string]any{"description": "known"}), &struct{}{})
	c.fails("ModifyCommand", change(map[string]any{"name": cmd.Name}), 400, "INVALID_PARAMETER_EXCEED_LENGTH")
	c.fails("InvokeCommand", change(map[string]any{"instanceIds": []string{"web-1"}}), 400, "MISSING_PARAMETER")
}

func TestDescribeCommandsFilters(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	ids := map[string]string{}
	for _, cmd := range []struct{ name, kind, tags string }{
		{"alpha", "SHELL", `[{"key":"env","value":"prod"}]`},
		{"beta", "BAT", `[{"key":"env","value":"test"}]`},
		{"Alphabet", "POWERSHELL", `[{"key":"team","value":"a"},{"key":"env","value":"dev"}]`},
		{"gamma", "SHELL", `[]`},
	} {
		var r struct{ CommandID string }
		c.do("CreateCommand", fmt.Sprintf(`{"name":%q,"content":"x","type":%q,"tags":{"tags":%s}}`, cmd.name, cmd.kind, cmd.tags), &r)
		ids[cmd.name] = r.CommandID
		c.Advance(time.Second)
	}
	tests := map[string]struct {
		body string
		want []string
	}{
		"all, newest first":    {`{}`, []string{"gamma", "Alphabet", "beta", "alpha"}},
		"null is absent":       {`{"commandIds":null,"name":null,"pageSize":null}`, []string{"gamma", "Alphabet", "beta", "alpha"}},
		"ids":                  {body(map[string]any{"commandIds": []string{ids["beta"], "cmd-" + ids["gamma"]}}), []string{"gamma", "beta"}},
		"unknown id":           {`{"commandIds":["1234567890"]}`, []string{}},
		"part of the name":     {`{"name":"lpha"}`, []string{"Alphabet", "alpha"}},
		"name in any case":     {`{"name":"ALPHA"}`, []string{"Alphabet", "alpha"}},
		"percent is a letter":  {`{"name":"%"}`, []string{}},
		"types":                {`{"types":["BAT","POWERSHELL"]}`, []string{"Alphabet", "beta"}},
		"key":                  {`{"tagKeys":["team"]}`, []string{"Alphabet"}},
		"keys are choices":     {`{"tagKeys":["team","env"]}`, []string{"Alphabet", "beta", "alpha"}},
		"tag":                  {`{"tags":[{"key":"env","value":"prod"}]}`, []string{"alpha"}},
		"tags are choices":     {`{"tags":[{"key":"env","value":"prod"},{"key":"env","value":"test"}]}`, []string{"beta", "alpha"}},
		"criteria add up":      {`{"types":["SHELL"],"tagKeys":["env"],"name":"a"}`, []string{"alpha"}},
		"choices and criteria": {`{"tagKeys":["team","env"],"tags":[{"key":"env","value":"dev"}]}`, []string{"Alphabet"}},
		"as zeno sends it":     {`{"pageSize":10,"tagKeys":["env"],"tags":[{"key":"env","value":"prod"}]}`, []string{"alpha"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var l listed
			c.do("DescribeCommands", tt.body, &l)
			if diff := cmp.Diff(tt.want, l.names()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if l.TotalCount != len(tt.want) {
				t.Errorf("total %d", l.TotalCount)
			}
		})
	}
}

// TestPages walks both lists as zeno does, until a page is short or everything has come.
func TestPages(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	var want []string
	tags := `{"tags":[{"key":"a","value":"1"}]}`
	for i := range 5 {
		c.do("CreateCommand", fmt.Sprintf(`{"name":"n%d","content":"x","type":"SHELL","tags":%s}`, i, tags), &struct{}{})
		want = append(want, fmt.Sprintf("n%d", i))
		c.Advance(time.Second)
	}
	slices.Reverse(want)
	for _, filter := range []string{``, `,"tagKeys":["a"]`, `,"tagKeys":["a","b"]`} {
		got := []string{}
		for page := 1; page <= 4; page++ {
			var l listed
			c.do("DescribeCommands", fmt.Sprintf(`{"pageSize":2,"pageNum":%d%s}`, page, filter), &l)
			if l.TotalCount != 5 || l.DataSet == nil {
				t.Errorf("page %d: total %d, %v", page, l.TotalCount, l.DataSet)
			}
			got = append(got, l.names()...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages with %q (-want +got):\n%s", filter, diff)
		}
	}
	var l listed
	c.do("DescribeCommands", `{"pageNum":9223372036854775807,"pageSize":1000}`, &l)
	if len(l.DataSet) != 0 || l.TotalCount != 5 {
		t.Errorf("far beyond the end: %d rows of %d", len(l.DataSet), l.TotalCount)
	}
}

// TestEmptyListIsList keeps null out of lists: a client may index them.
func TestEmptyListIsList(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, action := range []string{"DescribeCommands", "DescribeCommandInvocations"} {
		var got map[string]json.RawMessage
		c.do(action, `{}`, &got)
		if string(got["dataSet"]) != "[]" || string(got["totalCount"]) != "0" {
			t.Errorf("%s: %s", action, got)
		}
	}
}
