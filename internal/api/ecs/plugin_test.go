package ecs_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/alibaba/caller"
	"errand/internal/core"
)

func TestInstall(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Node("i-one")
	generated := s.Node("")
	s.NodeOn(core.FreeBSD, "i-bsd")
	s.NodeOn(core.Windows, "i-win")
	asked := func(id string) time.Time {
		t.Helper()
		found, err := s.Service.NodesByID(t.Context(), s.Caller, []string{id})
		if err != nil {
			t.Fatal(err)
		}
		return found[id].InstallAskedAt
	}
	for _, m := range []struct {
		params        caller.Params
		status        int
		code, message string
	}{
		{nil, 400, "MissingParam.InstanceId", "The parameter instanceId is missing or empty."},
		{caller.Params{"InstanceId.1": ""}, 400, "MissingParam.InstanceId", "The parameter instanceId is missing or empty."},
		{caller.Params{"InstanceId.1": "i-one", "InstanceId.2": "i-nobody"}, 404, "InvalidInstance.NotFound", "The specified instance does not exist."},
		{
			caller.Params{"InstanceId.1": "i-one", "InstanceId.2": "i-bsd"},
			403, "InvalidInstanceId.OSTypeUnsupported",
			"The OS type of the instance i-bsd corresponding to the parameter InstanceId does not support the operation.",
		},
		{
			caller.Params(nil).With(list("InstanceId", many(51)...)...), 403, "InstanceIds.ExceedLimit",
			"The number of instance IDs exceeds the upper limit.",
		},
	} {
		if a := c.Call("InstallCloudAssistant", m.params); a.Status != m.status || a.Code != m.code || a.Text != m.message {
			t.Errorf("%.80v: %d %s %s", m.params, a.Status, a.Code, a.Text)
		}
	}
	if at := asked("i-one"); !at.IsZero() {
		t.Errorf("a refused call was noted at %v", at)
	}
	s.Advance(time.Minute)
	p := caller.Params(nil).With(list("InstanceId", "i-one", "mi-"+generated.ID, "i-win", "i-one")...)
	for range 2 {
		s.Advance(time.Second)
		c.Call("InstallCloudAssistant", p).Into(t, &struct{}{})
		for _, id := range []string{"i-one", generated.ID, "i-win"} {
			if at := asked(id); !at.Equal(s.Now()) {
				t.Errorf("%s: noted at %v, want %v", id, at, s.Now())
			}
		}
	}
}

type plugins struct {
	TotalCount, PageNumber, PageSize int
	NextToken                        string
	InstancePluginStatusSet          struct {
		InstancePluginStatus []map[string]any
	}
}

func TestPlugins(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	one := s.Node("i-one")
	s.Advance(time.Minute)
	s.Node("i-two")
	s.Online(one)
	row := func(id, status, first, last string) map[string]any {
		return map[string]any{"InstanceId": id, "PluginStatusSet": map[string]any{"PluginStatus": []any{map[string]any{
			"PluginName": "errand-agent", "PluginVersion": "1.0.0", "PluginStatus": status, "FirstHeartbeatTime": first, "LastHeartbeatTime": last,
		}}}}
	}
	const later = "2026-11-22T05:42:40Z"
	running, silent := row("i-one", "PERSIST_RUNNING", begun, later), row("i-two", "PERSIST_FAIL", later, later)
	named := caller.Params{"Name": "errand-agent"}
	for _, f := range []struct {
		params caller.Params
		want   []map[string]any
		total  int
	}{
		{caller.Params{"InstanceId.1": "i-one"}, []map[string]any{running}, 1},
		{caller.Params{"InstanceId.1": "i-two"}, []map[string]any{silent}, 1},
		{named, []map[string]any{silent, running}, 2},
		{named.With("InstanceId.1", "i-one", "InstanceId.2", "i-two"), []map[string]any{running, silent}, 2},
		{named.With("PageSize", "1", "PageNumber", "2"), []map[string]any{running}, 2},
		{caller.Params{"Name": "testPluginName", "InstanceId.1": "i-one"}, []map[string]any{}, 0},
		{caller.Params{"Name": "testPluginName"}, []map[string]any{}, 0},
	} {
		got := ask[plugins](t, c, "ListPluginStatus", f.params)
		if diff := cmp.Diff(f.want, got.InstancePluginStatusSet.InstancePluginStatus); diff != "" || got.TotalCount != f.total {
			t.Errorf("%v: %d in all (-want +got):\n%s", f.params, got.TotalCount, diff)
		}
	}
	first := ask[plugins](t, c, "ListPluginStatus", named.With("MaxResults", "1"))
	second := ask[plugins](t, c, "ListPluginStatus", named.With("MaxResults", "1", "NextToken", first.NextToken))
	if diff := cmp.Diff([]map[string]any{running}, second.InstancePluginStatusSet.InstancePluginStatus); diff != "" || second.NextToken != "" {
		t.Errorf("second page, then %q (-want +got):\n%s", second.NextToken, diff)
	}
	for _, m := range []struct {
		params caller.Params
		status int
		code   string
	}{
		{nil, 400, "MissingParam.InstanceId"},
		{caller.Params{"InstanceId.1": "i-one", "InstanceId.2": "i-two"}, 400, "MissingName"},
		{caller.Params{"InstanceId.1": "i-nobody"}, 404, "InvalidInstance.NotFound"},
		{named.With(list("InstanceId", many(51)...)...), 403, "InstanceIds.ExceedLimit"},
	} {
		if a := c.Call("ListPluginStatus", m.params); a.Status != m.status || a.Code != m.code {
			t.Errorf("%.80v: %d %s, want %d %s", m.params, a.Status, a.Code, m.status, m.code)
		}
	}
}
