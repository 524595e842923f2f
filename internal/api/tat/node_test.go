package tat

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/core"
)

func TestDescribeAutomationAgentStatus(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	away := c.node("ins-away")
	c.scene.Advance(core.OnlineWindow)
	win := c.scene.NodeOn(core.Windows, "lhins-win")
	here := c.scene.Node("")
	c.scene.Online(win)
	if err := c.scene.Service.Introduce(t.Context(), here.Key, core.Facts{Platform: core.Linux, Agent: "1.2.3", Features: []string{"other"}}); err != nil {
		t.Fatal(err)
	}
	unseen := c.scene.Node("ins-unseen")
	want := golden(t, `{"TotalCount": 4, "AutomationAgentSet": [
		{"InstanceId": "ins-unseen", "Version": "1.0.0", "LastHeartbeatTime": "", "AgentStatus": "Offline", "Environment": "Linux", "SupportFeatures": ["SESSION_MANAGER"]},
		{"InstanceId": "rins-`+here.ID+`", "Version": "1.2.3", "LastHeartbeatTime": "2026-11-22T05:43:40Z", "AgentStatus": "Online",
			"Environment": "Linux", "SupportFeatures": []},
		{"InstanceId": "lhins-win", "Version": "1.0.0", "LastHeartbeatTime": "2026-11-22T05:43:40Z", "AgentStatus": "Online", "Environment": "Windows",
			"SupportFeatures": ["SESSION_MANAGER"]},
		{"InstanceId": "ins-away", "Version": "1.0.0", "LastHeartbeatTime": "2026-11-22T05:41:40Z", "AgentStatus": "Offline", "Environment": "Linux",
			"SupportFeatures": ["SESSION_MANAGER"]}
	]}`)
	if diff := cmp.Diff(want, raw(c.call("DescribeAutomationAgentStatus", `{}`))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	u, h, w, a := unseen.ID, "rins-"+here.ID, win.ID, away.ID
	and := func(list ...[]map[string]any) string {
		var all []map[string]any
		for _, l := range list {
			all = append(all, l...)
		}
		return object("Filters", all)
	}
	for name, try := range map[string]struct {
		body  string
		want  []string
		total int
		code  string
	}{
		"page":               {`{"Limit":1,"Offset":1}`, []string{h}, 4, ""},
		"ids":                {object("InstanceIds", []string{h, "ins-other", a}), []string{h, a}, 2, ""},
		"id without prefix":  {object("InstanceIds", []string{here.ID}), []string{h}, 1, ""},
		"filter by id":       {and(filters("instance-id", w, a)), []string{w, a}, 2, ""},
		"id and id":          {and(filters("instance-id", w, a), filters("instance-id", a, u)), []string{a}, 1, ""},
		"id, nothing left":   {and(filters("instance-id", w), filters("instance-id", a)), nil, 0, ""},
		"online":             {and(filters("agent-status", "Online")), []string{h, w}, 2, ""},
		"offline":            {and(filters("agent-status", "Offline")), []string{u, a}, 2, ""},
		"either":             {and(filters("agent-status", "Offline", "Online")), []string{u, h, w, a}, 4, ""},
		"both at once":       {and(filters("agent-status", "Offline"), filters("agent-status", "Online")), nil, 0, ""},
		"linux":              {and(filters("environment", "Linux")), []string{u, h, a}, 3, ""},
		"windows":            {and(filters("environment", "Windows")), []string{w}, 1, ""},
		"any system":         {and(filters("environment", "Windows", "Linux")), []string{u, h, w, a}, 4, ""},
		"linux and windows":  {and(filters("environment", "Windows"), filters("environment", "Linux")), nil, 0, ""},
		"online linux":       {and(filters("environment", "Linux"), filters("agent-status", "Online")), []string{h}, 1, ""},
		"status of no kind":  {and(filters("agent-status", "Maybe")), nil, 0, "InvalidParameterValue.InvalidFilter"},
		"system of no kind":  {and(filters("environment", "BeOS")), nil, 0, "InvalidParameterValue.InvalidFilter"},
		"unknown filter":     {and(filters("colour", "red")), nil, 0, "InvalidParameterValue.InvalidFilter"},
		"bad id":             {object("InstanceIds", []string{"a b"}), nil, 0, "InvalidParameterValue.InvalidInstanceId"},
		"bad id in filter":   {and(filters("instance-id", strings.Repeat("x", 129))), nil, 0, "InvalidParameterValue.InvalidInstanceId"},
		"ids and filters":    {object("InstanceIds", []string{a}, "Filters", filters("environment", "Linux")), nil, 0, "InvalidParameter.ConflictParameter"},
		"101 ids":            {object("InstanceIds", repeat("ins-away", 101)), nil, 0, "InvalidParameterValue.LimitExceeded"},
		"offset too deep":    {`{"Offset":100001}`, nil, 0, "InvalidParameterValue"},
		"limit of 101":       {`{"Limit":101}`, nil, 0, "InvalidParameterValue.TooLarge"},
		"a limit that is no": {`{"Limit":true}`, nil, 0, "InvalidParameter"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.call("DescribeAutomationAgentStatus", try.body)
			r.want(try.code)
			if r.Code != "" {
				return
			}
			resp := ok[describeAgentStatusResponse](r)
			var got []string
			for _, agent := range resp.AutomationAgentSet {
				got = append(got, agent.InstanceId)
			}
			if diff := cmp.Diff(try.want, got); diff != "" || resp.TotalCount != try.total {
				t.Errorf("%d in all, want %d (-want +got):\n%s", resp.TotalCount, try.total, diff)
			}
		})
	}
}
