package eflo_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/alibaba/caller"
	"errand/internal/api/scene"
	"errand/internal/core"
)

type taggedList struct {
	NextToken    string
	TagResources struct{ TagResource []map[string]any }
}

// resource is a resource of a type.
func resource(kind string, ids ...string) caller.Params {
	p := caller.Params{"RegionId": "cn-hangzhou", "ResourceType": kind}
	for i, id := range ids {
		p[fmt.Sprint("ResourceId.", i+1)] = id
	}
	return p
}

// tagsOf lists tags as resource:key=value.
func tagsOf(t *testing.T, c *caller.Client, p caller.Params) []string {
	t.Helper()
	list := []string{}
	for _, r := range ask[taggedList](t, c, "ListTagResources", p).TagResources.TagResource {
		if r["ResourceType"] != p["ResourceType"] {
			t.Errorf("%v among the tags of a %s", r, p["ResourceType"])
		}
		list = append(list, fmt.Sprintf("%s:%s=%s", r["ResourceId"], r["TagKey"], r["TagValue"]))
	}
	return list
}

// TestTags leads the tags of nodes and of clusters from beginning to end.
func TestTags(t *testing.T) {
	t.Parallel()
	_, c, generated := fleet(t)
	c.Form = false // where these actions take their parameters
	left, gpu := "e01-"+generated.ID, core.ClusterID(scene.Account, "gpu")
	check := func(what string, p caller.Params, want ...string) {
		t.Helper()
		if diff := cmp.Diff(append([]string{}, want...), tagsOf(t, c, p)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	do := func(action string, p caller.Params) {
		t.Helper()
		c.Call(action, p).Into(t, &struct{}{})
	}
	check("node", resource("Node", "e01-a"), "e01-a:cluster=gpu", "e01-a:env=prod", "e01-a:rack=1")
	check("cluster", resource("Cluster", gpu), gpu+":env=prod")
	check("nodes by tag", resource("Node").With("Tag.1.Key", "env", "Tag.1.Value", "lab"), "e01-c:env=lab")
	check("nodes by key", resource("Node").With("Tag.1.Key", "rack"), "e01-a:cluster=gpu", "e01-a:env=prod", "e01-a:rack=1")
	check("named nodes by key", resource("Node", "e01-b", "e01-c").With("Tag.1.Key", "cluster"), "e01-b:cluster=gpu", "e01-b:env=prod")
	check("clusters by key", resource("Cluster").With("Tag.1.Key", "env"), gpu+":env=prod")
	check("clusters by a key of one node", resource("Cluster").With("Tag.1.Key", "rack"))

	do("TagResources", resource("Cluster", gpu).With("Tag.1.Key", "owner", "Tag.1.Value", "ops"))
	check("cluster, labelled", resource("Cluster", gpu), gpu+":env=prod", gpu+":owner=ops")
	check("its node", resource("Node", "e01-b"), "e01-b:cluster=gpu", "e01-b:env=prod", "e01-b:owner=ops")
	do("UntagResources", resource("Cluster", gpu).With("TagKey.1", "env", "TagKey.2", "absent"))
	check("one key less", resource("Cluster", gpu), gpu+":owner=ops")
	do("UntagResources", resource("Cluster", gpu).With("All", "true"))
	check("all gone", resource("Cluster", gpu))
	check("its node keeps its own", resource("Node", "e01-a"), "e01-a:cluster=gpu", "e01-a:rack=1")
	do("UntagResources", resource("Cluster", gpu).With("All", "true")) // nothing is left to take off

	// Nodes move by the tag that names their cluster.
	do("TagResources", resource("Node", left, "e01-c").With("Tag.1.Key", "cluster", "Tag.1.Value", "gpu"))
	if diff := cmp.Diff([]string{left, "e01-c", "e01-b", "e01-a"}, ids(t, c, "ListClusterNodes", caller.Params{"ClusterId": gpu})); diff != "" {
		t.Errorf("after two joined (-want +got):\n%s", diff)
	}
	do("UntagResources", resource("Node", "e01-c").With("All", "true"))
	if diff := cmp.Diff([]string{"e01-c"}, ids(t, c, "ListFreeNodes", nil)); diff != "" {
		t.Errorf("after one left (-want +got):\n%s", diff)
	}
}

func TestTagPages(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	for i := range 51 {
		id := fmt.Sprint("e01-", i)
		s.Node(id)
		label(t, s, id, "cluster", fmt.Sprint("c", i), "k", "v")
	}
	for _, kind := range []string{"Node", "Cluster"} {
		p := resource(kind).With("Tag.1.Key", "k")
		first := ask[taggedList](t, c, "ListTagResources", p)
		second := ask[taggedList](t, c, "ListTagResources", p.With("NextToken", first.NextToken))
		per := map[string]int{"Node": 2, "Cluster": 1}[kind] // a cluster's own name is no tag of it
		if len(first.TagResources.TagResource) != 50*per || len(second.TagResources.TagResource) != per || second.NextToken != "" {
			t.Errorf("%s: pages of %d and %d, next %q", kind, len(first.TagResources.TagResource), len(second.TagResources.TagResource), second.NextToken)
		}
		if a := c.Call("ListTagResources", resource(kind, "e01-1").With("NextToken", first.NextToken)); a.Code != "InvalidParameter.NextToken" {
			t.Errorf("%s: token of another list: %d %s", kind, a.Status, a.Code)
		}
	}
}

func TestTagMistakes(t *testing.T) {
	t.Parallel()
	s, c, _ := fleet(t)
	gpu := core.ClusterID(scene.Account, "gpu")
	s.Node("e01-full")
	c.Call("TagResources", resource("Node", "e01-full").With(numbered("Tag.%d.Key", 20)...)).Into(t, &struct{}{})
	works := map[string]caller.Params{
		"TagResources":     resource("Node", "e01-a").With("Tag.1.Key", "k"),
		"UntagResources":   resource("Node", "e01-a").With("TagKey.1", "k"),
		"ListTagResources": resource("Node", "e01-a"),
	}
	many := func(n int) (pairs []string) {
		for i := range n {
			pairs = append(pairs, fmt.Sprint("ResourceId.", i+1), "e01-a")
		}
		return pairs
	}
	type mistake struct {
		action        string
		params        []string
		status        int
		code, message string
	}
	const notFound = "The specified ResourceIds are not found in our records."
	var all []mistake
	for action := range works {
		all = append(
			all,
			mistake{action, nil, 200, "", ""},
			mistake{action, many(50), 200, "", ""},
			mistake{action, many(51), 400, "NumberExceed.ResourceIds", "The ResourceIds parameter's number is exceed , Valid : 50"},
			mistake{action, []string{"RegionId", "-"}, 400, "MissingRegionId", "RegionId is mandatory for this action."},
			mistake{action, []string{"RegionId", "atlantis"}, 404, "InvalidRegionId.NotFound", "The RegionId provided does not exist in our records."},
			mistake{action, []string{"ResourceType", "-"}, 400, "MissingResourceType", "ResourceType is mandatory for this action."},
			mistake{action, []string{"ResourceType", "disk"}, 404, "InvalidResourceType.NotFound", "The ResourceType provided does not exist in our records."},
			mistake{action, []string{"ResourceId.1", "-"}, 400, "MissingResourceId", "ResourceId is mandatory for this action."},
			mistake{action, []string{"ResourceId.2", "e01-nobody"}, 404, "InvalidResourceId.NotFound", notFound},
			mistake{action, []string{"ResourceType", "Cluster", "ResourceId.1", gpu, "ResourceId.2", "i0"}, 404, "InvalidResourceId.NotFound", notFound},
		)
	}
	for _, action := range []string{"TagResources", "ListTagResources"} {
		all = append(
			all,
			mistake{action, []string{"Tag.1.Key", "k", "Tag.2.Key", "k"}, 400, "Duplicate.TagKey", "The Tag.N.Key contain duplicate key."},
			mistake{action, []string{"Tag.1.Key", "acs:x"}, 400, "InvalidTagKey.Malformed", "The specified Tag.n.Key is not valid."},
			mistake{action, []string{"Tag.1.Key", strings.Repeat("x", 128)}, 200, "", ""},
			mistake{action, []string{"Tag.1.Key", strings.Repeat("x", 129)}, 400, "InvalidTagKey.Malformed", "The specified Tag.n.Key is not valid."},
			mistake{
				action,
				[]string{"Tag.1.Key", "k", "Tag.1.Value", strings.Repeat("x", 129)},
				400, "InvalidTagValue.Malformed", "The specified Tag.n.Value is not valid.",
			},
		)
	}
	all = append(
		all,
		mistake{"TagResources", []string{"Tag.1.Key", "-"}, 400, "MissingTag", "Tag is mandatory for this action."},
		mistake{"TagResources", []string{"Tag.1.Key", "", "Tag.1.Value", "v"}, 400, "MissingParameter.TagKey", "You must specify Tag.N.Key."},
		mistake{"TagResources", numbered("Tag.%d.Key", 21), 400, "NumberExceed.Tags", "The Tags parameter number is exceed."},
		mistake{"TagResources", []string{"ResourceId.1", "e01-full", "Tag.1.Key", "k0"}, 200, "", ""}, // it replaces one
		mistake{
			"TagResources",
			[]string{"ResourceId.1", "e01-full", "Tag.1.Key", "another"},
			403, "QuotaExceed.Tags", "The quota of tags on resource is beyond permitted range.",
		},
		mistake{"UntagResources", []string{"TagKey.1", "-"}, 400, "MissingParameter.TagKey", "You must specify Tag.N.Key."},
		mistake{"UntagResources", []string{"TagKey.1", ""}, 400, "MissingParameter.TagKey", "You must specify Tag.N.Key."},
		mistake{
			"UntagResources",
			[]string{"ResourceType", "Cluster", "ResourceId.1", "i0", "TagKey.1", "-", "All", "true"},
			404, "InvalidResourceId.NotFound", notFound,
		},
		mistake{"ListTagResources", []string{"NextToken", "AAAAAdDWBF2"}, 400, "InvalidParameter.NextToken", "The specified parameter NextToken is not valid."},
	)
	for _, m := range all {
		if a := c.Call(m.action, works[m.action].With(m.params...)); a.Status != m.status || a.Code != m.code || a.Text != m.message {
			t.Errorf("%s %.80q:\ngot  %d %s %s\nwant %d %s %s", m.action, m.params, a.Status, a.Code, a.Text, m.status, m.code, m.message)
		}
	}
}
