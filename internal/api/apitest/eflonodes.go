package apitest

import (
	"slices"
	"testing"

	"github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"
	"github.com/google/go-cmp/cmp"
)

// callSplit is call for the lists of nodes, which take labels in the query and the rest in a form.
func (a *acs3) callSplit(action string, query, body map[string]any, into any) error {
	resp, err := a.client.CallApi(&utils.Params{
		Action: &action, Version: &a.version, Protocol: tea.String("HTTPS"), Pathname: tea.String("/"), Method: tea.String("POST"),
		AuthType: tea.String("AK"), Style: tea.String("RPC"), ReqBodyType: tea.String("formData"), BodyType: tea.String("json"),
	}, &utils.OpenApiRequest{Query: utils.Query(query), Body: utils.ParseToMap(body)}, &dara.RuntimeOptions{})
	if err != nil {
		return err
	}
	return recode(resp["body"], into)
}

// Clusters puts the first of the nodes into a cluster, finds it there and by its labels, and takes it out again.
func Clusters(t *testing.T, target Target) {
	t.Helper()
	inBody, err := newACS3(target, efloVersion, true)
	if err != nil {
		t.Fatal(err)
	}
	inQuery, err := newACS3(target, efloVersion, false)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	node := target.Nodes[0]
	labels := []map[string]any{{"Key": "cluster", "Value": "story"}, {"Key": "told", "Value": "yes"}}
	tagged := func(more map[string]any) map[string]any {
		params := map[string]any{"RegionId": alibabaRegion, "ResourceType": "Node", "ResourceId": []string{node}}
		for name, value := range more {
			params[name] = value
		}
		return params
	}
	must(inQuery.call("TagResources", tagged(map[string]any{"Tag": labels}), &struct{}{}))

	var list struct {
		TagResources struct {
			TagResource []struct{ ResourceId, ResourceType, TagKey, TagValue string }
		}
	}
	must(inQuery.call("ListTagResources", tagged(nil), &list))
	var keys []string
	for _, r := range list.TagResources.TagResource {
		keys = append(keys, r.TagKey)
	}
	if !slices.Contains(keys, "cluster") || !slices.Contains(keys, "told") {
		t.Errorf("labels of %s: %v", node, keys)
	}

	var clusters struct {
		Clusters []struct {
			ClusterId, ClusterName, OperatingState string
			NodeCount                              int64
		}
	}
	told := map[string]any{"Tags": []map[string]any{{"Key": "told", "Value": "yes"}}}
	must(inBody.callSplit("ListClusters", told, map[string]any{"MaxResults": 20}, &clusters))
	if len(clusters.Clusters) != 1 || clusters.Clusters[0].ClusterName != "story" || clusters.Clusters[0].NodeCount != 1 ||
		clusters.Clusters[0].OperatingState != "running" {
		t.Fatalf("clusters: %+v", clusters.Clusters)
	}
	id := clusters.Clusters[0].ClusterId

	var shown struct{ NodeId, ClusterId, ClusterName, OperatingState string }
	must(inBody.call("DescribeNode", map[string]any{"NodeId": node}, &shown))
	want := shown
	want.NodeId, want.ClusterId, want.ClusterName, want.OperatingState = node, id, "story", "Using"
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("node (-want +got):\n%s", diff)
	}

	type nodes struct {
		Nodes []struct{ NodeId, OperatingState string }
	}
	var inside, free nodes
	body := map[string]any{"ClusterId": id, "OperatingStates": []string{"Using"}, "MaxResults": 20}
	must(inBody.callSplit("ListClusterNodes", told, body, &inside))
	if len(inside.Nodes) != 1 || inside.Nodes[0].NodeId != node {
		t.Errorf("nodes of the cluster: %+v", inside.Nodes)
	}
	must(inBody.call("ListFreeNodes", map[string]any{"OperatingStates": []string{"Unused"}}, &free))
	for _, n := range free.Nodes {
		if n.NodeId == node || n.OperatingState != "Unused" {
			t.Errorf("a free node: %+v", n)
		}
	}

	must(inQuery.call("UntagResources", tagged(map[string]any{"TagKey": []string{"cluster", "told"}}), &struct{}{}))
	inside = nodes{}
	must(inBody.call("ListClusterNodes", map[string]any{"ClusterId": id}, &inside))
	if len(inside.Nodes) != 0 {
		t.Errorf("after it left: %+v", inside.Nodes)
	}
	if code := codeOf(t, inBody.call("DescribeNode", map[string]any{"NodeId": "e01-nobody"}, &shown)); code != "InvalidNode.NotFound" {
		t.Errorf("a node that is not there: %s", code)
	}

	var regions struct {
		Regions []struct{ RegionId, LocalName string }
	}
	must(inBody.call("DescribeRegions", map[string]any{"AcceptLanguage": "en-US"}, &regions))
	if len(regions.Regions) == 0 || regions.Regions[0].LocalName == "" {
		t.Errorf("regions: %+v", regions.Regions)
	}
}
