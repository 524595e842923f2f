package eflo_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/alibaba"
	"errand/internal/api/alibaba/caller"
	"errand/internal/api/eflo"
	"errand/internal/api/scene"
	"errand/internal/core"
)

type nodeList struct {
	NextToken       string
	Nodes, Clusters []map[string]any
}

// ask calls an action and decodes its answer.
func ask[T any](t *testing.T, c *caller.Client, action string, p caller.Params) (got T) {
	t.Helper()
	c.Call(action, p).Into(t, &got)
	return got
}

// ids lists nodes and returns their ids.
func ids(t *testing.T, c *caller.Client, action string, p caller.Params) []string {
	t.Helper()
	list := []string{}
	for _, n := range ask[nodeList](t, c, action, p).Nodes {
		list = append(list, n["NodeId"].(string))
	}
	return list
}

// label puts tags on nodes, given as key, value, key, value.
func label(t *testing.T, s *scene.Scene, id string, pairs ...string) {
	t.Helper()
	var tags []core.Tag
	for i := 0; i < len(pairs); i += 2 {
		tags = append(tags, core.Tag{Key: pairs[i], Value: pairs[i+1]})
	}
	if err := s.Service.Tag(t.Context(), s.Caller, core.KindNode, []string{id}, tags); err != nil {
		t.Fatal(err)
	}
}

// fleet sets a scene with the cluster gpu of e01-a (heard of) and e01-b, the free e01-c (heard of) and a free node whose id was left to
// us, oldest first.
func fleet(t *testing.T) (s *scene.Scene, c *caller.Client, generated core.Node) {
	t.Helper()
	s, c = open(t)
	a := s.Node("e01-a")
	s.Advance(time.Minute)
	s.Node("e01-b")
	s.Advance(time.Minute)
	free := s.Node("e01-c")
	generated = s.Node("")
	s.Online(a, free)
	label(t, s, "e01-a", "cluster", "gpu", "env", "prod", "rack", "1")
	label(t, s, "e01-b", "cluster", "gpu", "env", "prod")
	label(t, s, "e01-c", "env", "lab")
	return s, c, generated
}

const (
	secondJoin = "2026-11-22T05:42:40Z"
	thirdJoin  = "2026-11-22T05:43:40Z"
)

// TestDescribeNode reads every documented field of a node in a cluster and of a free one.
func TestDescribeNode(t *testing.T) {
	t.Parallel()
	_, c, generated := fleet(t)
	want := map[string]any{
		"NodeId": "e01-a", "Hostname": "host-e01-a", "Sn": "", "ClusterId": core.ClusterID(scene.Account, "gpu"), "ClusterName": "gpu",
		"NodeGroupId": "", "NodeGroupName": "", "MachineType": "", "NodeType": "", "OperatingState": "Using", "ImageId": "",
		"ImageName": "Debian GNU/Linux 12", "HpnZone": "", "ZoneId": "", "HyperNodeId": "", "ResourceGroupId": "", "SavingsPlanId": "",
		"UserData": "", "CreateTime": begun, "ExpiredTime": "", "FileSystemMountEnabled": false,
		"Networks": []any{map[string]any{
			"BondName": "", "Ip": "10.0.0.1", "SubnetId": "", "VpdId": "", "VSwitchId": "", "SecurityGroupId": "",
		}},
		"Disks": []any{},
	}
	got := ask[map[string]any](t, c, "DescribeNode", caller.Params{"NodeId": "e01-a"})
	delete(got, "RequestId")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for id, want := range map[string][3]any{
		"e01-b": {"e01-b", "Stopped", "gpu"}, "e01-c": {"e01-c", "Unused", ""}, "e01-" + generated.ID: {"e01-" + generated.ID, "Stopped", ""},
		"i-" + generated.ID: {"e01-" + generated.ID, "Stopped", ""},
	} {
		got := ask[map[string]any](t, c, "DescribeNode", caller.Params{"NodeId": id})
		if got := [3]any{got["NodeId"], got["OperatingState"], got["ClusterName"]}; got != want {
			t.Errorf("%s: %v, want %v", id, got, want)
		}
	}
}

func TestListClusterNodes(t *testing.T) {
	t.Parallel()
	_, c, _ := fleet(t)
	gpu := caller.Params{"ClusterId": core.ClusterID(scene.Account, "gpu")}
	want := map[string]any{
		"NodeId": "e01-b", "Hostname": "host-e01-b", "Sn": "", "NodeGroupId": "", "NodeGroupName": "", "MachineType": "", "NodeType": "",
		"OperatingState": "Stopped", "ImageId": "", "ImageName": "Debian GNU/Linux 12", "HpnZone": "", "ZoneId": "", "HyperNodeId": "",
		"VpcId": "", "VSwitchId": "", "TaskId": "", "CommodityCode": "", "CreateTime": secondJoin, "ExpiredTime": "",
		"FileSystemMountEnabled": false,
		"Networks":               []any{map[string]any{"BondName": "", "Ip": "10.0.0.1", "SubnetId": "", "VpdId": ""}},
		"Tags":                   []any{map[string]any{"Key": "cluster", "Value": "gpu"}, map[string]any{"Key": "env", "Value": "prod"}},
	}
	if diff := cmp.Diff(want, ask[nodeList](t, c, "ListClusterNodes", gpu).Nodes[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, f := range []struct {
		params []string
		want   []string
	}{
		{nil, []string{"e01-b", "e01-a"}},
		{[]string{"ClusterId", "i15b480fbd2fcdbc2869cd80"}, []string{}},
		{[]string{"NodeGroupId", "ng-1"}, []string{}},
		{[]string{"ResourceGroupId", "rg-1"}, []string{}},
		{[]string{"OperatingStates.1", "Using"}, []string{"e01-a"}},
		{[]string{"OperatingStates.1", "Stopped"}, []string{"e01-b"}},
		{[]string{"OperatingStates", `["Using","Stopped"]`}, []string{"e01-b", "e01-a"}},
		{[]string{"OperatingStates.1", "Extending", "OperatingStates.2", "Using"}, []string{"e01-a"}},
		{[]string{"OperatingStates.1", "Extending"}, []string{}},
		{[]string{"Tags.1.Key", "env", "Tags.1.Value", "prod"}, []string{"e01-b", "e01-a"}},
		{[]string{"Tags.1.Key", "env", "Tags.1.Value", "prod", "Tags.2.Key", "rack", "Tags.2.Value", "1"}, []string{"e01-a"}},
		{[]string{"MaxResults", "1"}, []string{"e01-b"}},
	} {
		if diff := cmp.Diff(f.want, ids(t, c, "ListClusterNodes", gpu.With(f.params...))); diff != "" {
			t.Errorf("%v (-want +got):\n%s", f.params, diff)
		}
	}
}

func TestListFreeNodes(t *testing.T) {
	t.Parallel()
	_, c, generated := fleet(t)
	left := "e01-" + generated.ID
	want := map[string]any{
		"NodeId": "e01-c", "Sn": "", "MachineType": "", "OperatingState": "Unused", "HpnZone": "", "ZoneId": "", "HyperNodeId": "",
		"ResourceGroupId": "", "CommodityCode": "", "CreateTime": thirdJoin, "ExpiredTime": "",
		"Tags": []any{map[string]any{"Key": "env", "Value": "lab"}},
	}
	if diff := cmp.Diff(want, ask[nodeList](t, c, "ListFreeNodes", nil).Nodes[1]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, f := range []struct {
		params caller.Params
		want   []string
	}{
		{nil, []string{left, "e01-c"}},
		{caller.Params{"OperatingStates.1": "Unused"}, []string{"e01-c"}},
		{caller.Params{"OperatingStates.1": "Stopped"}, []string{left}},
		{caller.Params{"OperatingStates.1": "Using"}, []string{}},
		{caller.Params{"HpnZone": "A1"}, []string{}},
		{caller.Params{"MachineType": "efg1.nvga1n"}, []string{}},
		{caller.Params{"ResourceGroupId": "rg-1"}, []string{}},
		{caller.Params{"Tags.1.Key": "env", "Tags.1.Value": "lab"}, []string{"e01-c"}},
		{caller.Params{"Tags.1.Key": "env", "Tags.1.Value": "prod"}, []string{}}, // in a cluster
		{caller.Params{"MaxResults": "1"}, []string{left}},
	} {
		if diff := cmp.Diff(f.want, ids(t, c, "ListFreeNodes", f.params)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", f.params, diff)
		}
	}
}

func TestListClusters(t *testing.T) {
	t.Parallel()
	s, c, _ := fleet(t)
	want := map[string]any{
		"ClusterId": core.ClusterID(scene.Account, "gpu"), "ClusterName": "gpu", "ClusterDescription": "", "ClusterType": "",
		"OperatingState": "running", "HpnZone": "", "VpcId": "", "ComputingIpVersion": "", "ResourceGroupId": "", "TaskId": "",
		"CreateTime": begun, "UpdateTime": secondJoin, "NodeCount": 2., "NodeGroupCount": 0.,
		"Tags": []any{map[string]any{"Key": "env", "Value": "prod"}},
	}
	if diff := cmp.Diff([]map[string]any{want}, ask[nodeList](t, c, "ListClusters", nil).Clusters); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, f := range []struct {
		params caller.Params
		want   int
	}{
		{caller.Params{"Tags.1.Key": "env", "Tags.1.Value": "prod"}, 1},
		{caller.Params{"Tags.1.Key": "rack", "Tags.1.Value": "1"}, 0}, // one of its nodes alone has it
		{caller.Params{"ResourceGroupId": "rg-1"}, 0},
	} {
		if got := ask[nodeList](t, c, "ListClusters", f.params); len(got.Clusters) != f.want {
			t.Errorf("%v: %d clusters, want %d", f.params, len(got.Clusters), f.want)
		}
	}
	s.Advance(core.OnlineWindow)
	if got := ask[nodeList](t, c, "ListClusters", nil).Clusters[0]["OperatingState"]; got != "stopped" {
		t.Errorf("with silent nodes: %v", got)
	}
}

// TestNodePages walks through each list, whose default page is 20 long.
func TestNodePages(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	for i := range 21 {
		inside, alone := fmt.Sprint("e01-in", i), fmt.Sprint("e01-alone", i)
		for _, id := range []string{inside, alone, fmt.Sprint("e01-free", i)} {
			s.Node(id)
		}
		label(t, s, inside, "cluster", "big")
		label(t, s, alone, "cluster", fmt.Sprint("small", i))
	}
	for action, p := range map[string]caller.Params{
		"ListClusterNodes": {"ClusterId": core.ClusterID(scene.Account, "big")}, "ListFreeNodes": nil,
		"ListClusters": {"Tags.1.Key": "none"}, // none has it
	} {
		if action == "ListClusters" {
			if got := ask[nodeList](t, c, action, p); len(got.Clusters) != 0 || got.NextToken != "" {
				t.Errorf("%s: %d, next %q", action, len(got.Clusters), got.NextToken)
			}
			continue
		}
		first := ask[nodeList](t, c, action, p)
		second := ask[nodeList](t, c, action, p.With("NextToken", first.NextToken))
		if len(first.Nodes) != 20 || len(second.Nodes) != 1 || second.NextToken != "" {
			t.Errorf("%s: pages of %d and %d, next %q", action, len(first.Nodes), len(second.Nodes), second.NextToken)
		}
		if all := ask[nodeList](t, c, action, p.With("MaxResults", "100")); len(all.Nodes) != 21 || all.NextToken != "" {
			t.Errorf("%s: a page of %d", action, len(all.Nodes))
		}
	}
	first := ask[nodeList](t, c, "ListClusters", nil)
	second := ask[nodeList](t, c, "ListClusters", caller.Params{"NextToken": first.NextToken})
	if len(first.Clusters) != 20 || len(second.Clusters) != 2 || second.NextToken != "" {
		t.Errorf("clusters: pages of %d and %d", len(first.Clusters), len(second.Clusters))
	}
	if a := c.Call("ListFreeNodes", caller.Params{"NextToken": first.NextToken}); a.Status != 400 || a.Code != "InvalidParameter.NextToken" {
		t.Errorf("token of another list: %d %s", a.Status, a.Code)
	}
}

// TestNodeIsolation shows another account nothing.
func TestNodeIsolation(t *testing.T) {
	t.Parallel()
	s, c, _ := fleet(t)
	const stranger = core.AccountID(2000000000000002)
	if _, err := s.Service.CreateAccount(t.Context(), stranger, "stranger"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Service.CreateKey(t.Context(), stranger, "root", "strangerid", c.Secret); err != nil {
		t.Fatal(err)
	}
	c.Key = "strangerid"
	gpu := core.ClusterID(scene.Account, "gpu")
	if a := c.Call("DescribeNode", caller.Params{"NodeId": "e01-a"}); a.Status != 404 || a.Code != "InvalidNode.NotFound" {
		t.Errorf("another account's node: %d %s", a.Status, a.Code)
	}
	for action, p := range map[string]caller.Params{"ListClusterNodes": {"ClusterId": gpu}, "ListFreeNodes": nil, "ListClusters": nil} {
		if got := ask[nodeList](t, c, action, p); len(got.Nodes)+len(got.Clusters) != 0 {
			t.Errorf("%s: %v", action, got)
		}
	}
	for kind, id := range map[string]string{"Node": "e01-a", "Cluster": gpu} {
		for action, more := range map[string][]string{
			"TagResources": {"Tag.1.Key", "k"}, "UntagResources": {"All", "true"}, "ListTagResources": nil,
		} {
			p := caller.Params{"RegionId": "cn-hangzhou", "ResourceType": kind, "ResourceId.1": id}.With(more...)
			if a := c.Call(action, p); a.Status != 404 || a.Code != "InvalidResourceId.NotFound" {
				t.Errorf("%s of another account's %s: %d %s", action, kind, a.Status, a.Code)
			}
		}
	}
}

func TestRegions(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	env := s.Env()
	env.Regions = []string{"rack-1"}
	c := caller.New(t, s, alibaba.VersionEFLO, eflo.New(env))
	type regions struct{ Regions []map[string]any }
	for language, want := range map[string]string{"": "华东1（杭州）", "zh-CN": "华东1（杭州）", "en-US": "China (Hangzhou)"} {
		got := ask[regions](t, c, "DescribeRegions", caller.Params{"AcceptLanguage": language}).Regions
		if diff := cmp.Diff([]map[string]any{
			{"RegionId": "rack-1", "LocalName": "rack-1"}, {"RegionId": "cn-hangzhou", "LocalName": want},
		}, got[:2]); diff != "" {
			t.Errorf("in %q (-want +got):\n%s", language, diff)
		}
	}
}

// TestNodeMistakes has the errors of the actions that describe nodes.
func TestNodeMistakes(t *testing.T) {
	t.Parallel()
	_, c, _ := fleet(t)
	for _, m := range []struct {
		action        string
		params        caller.Params
		status        int
		code, message string
	}{
		{"DescribeNode", nil, 400, "MissingNodeId", "NodeId is mandatory for this action."},
		{"DescribeNode", caller.Params{"NodeId": "e01-x"}, 404, "InvalidNode.NotFound", "The specified node does not exist."},
		{"ListClusterNodes", nil, 400, "MissingClusterId", "ClusterId is mandatory for this action."},
	} {
		if a := c.Call(m.action, m.params); a.Status != m.status || a.Code != m.code || a.Text != m.message {
			t.Errorf("%s %v: %d %s %s, want %d %s", m.action, m.params, a.Status, a.Code, a.Text, m.status, m.code)
		}
	}
	for _, action := range []string{"ListClusterNodes", "ListFreeNodes", "ListClusters"} {
		for _, m := range []struct {
			params []string
			code   string // empty: it is fine
		}{
			{[]string{"MaxResults", "0"}, "InvalidParameter.MaxResults"},
			{[]string{"MaxResults", "1"}, ""},
			{[]string{"MaxResults", "100"}, ""},
			{[]string{"MaxResults", "101"}, "InvalidParameter.MaxResults"},
			{[]string{"MaxResults", "ten"}, "InvalidParameter.MaxResults"},
			{[]string{"NextToken", "AAAAAdDWBF2"}, "InvalidParameter.NextToken"},
			{[]string{"Tags.1.Value", "v"}, "MissingParameter.TagKey"},
			{[]string{"Tags.1.Key", "k", "Tags.2.Key", "k"}, "Duplicate.TagKey"},
			{[]string{"Tags.1.Key", "acs:k"}, "InvalidTagKey.Malformed"},
			{[]string{"Tags.1.Key", "k", "Tags.1.Value", "http://v"}, "InvalidTagValue.Malformed"},
			{numbered("Tags.%d.Key", 20), ""},
			{numbered("Tags.%d.Key", 21), "NumberExceed.Tags"},
		} {
			status := 400
			if m.code == "" {
				status = 200
			}
			p := caller.Params{"ClusterId": core.ClusterID(scene.Account, "gpu")}.With(m.params...)
			if a := c.Call(action, p); a.Status != status || a.Code != m.code {
				t.Errorf("%s %.60q: %d %s, want %s", action, m.params, a.Status, a.Code, m.code)
			}
		}
	}
}

// numbered is a list of parameters with different values.
func numbered(form string, n int) []string {
	var pairs []string
	for i := range n {
		pairs = append(pairs, fmt.Sprintf(form, i+1), fmt.Sprint("k", i))
	}
	return pairs
}
