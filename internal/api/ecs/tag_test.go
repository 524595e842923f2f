package ecs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/alibaba/caller"
	"errand/internal/core"
)

type tagged struct {
	NextToken    string
	TagResources struct{ TagResource []map[string]any }
}

// resource is a resource of a type.
func resource(kind string, ids ...string) caller.Params {
	return caller.Params{"ResourceType": kind}.With(list("ResourceId", ids...)...)
}

// TestTagResources leads the tags of one resource of each type from beginning to end.
func TestTagResources(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	generated, given := s.Node(""), s.Node("i-given")
	s.Online(given)
	var code struct{ ActivationId string }
	c.Call("CreateActivation", nil).Into(t, &code)
	r, id := run(t, c, shell("i-given").With("KeepCommand", "true"))
	bare := strings.TrimPrefix(r.CommandId, "c-")
	for _, tt := range []struct {
		kind, id string
		other    []string // ways to write the same id
	}{
		{"command", r.CommandId, []string{bare, "cmd-" + bare}},
		{"invocation", r.InvokeId, []string{id.String(), "f-" + id.String(), "inv-" + id.String()}},
		{"activation", code.ActivationId, []string{strings.ToLower(code.ActivationId)}},
		{"managedinstance", "mi-" + generated.ID, []string{generated.ID, "i-" + generated.ID, "ins-" + generated.ID}},
		{"instance", "i-given", nil},
	} {
		row := func(key, value string) map[string]any {
			return map[string]any{"ResourceId": tt.id, "ResourceType": tt.kind, "TagKey": key, "TagValue": value}
		}
		check := func(what string, p caller.Params, want ...map[string]any) {
			t.Helper()
			got := ask[tagged](t, c, "ListTagResources", p)
			if diff := cmp.Diff(append([]map[string]any{}, want...), got.TagResources.TagResource); diff != "" || got.NextToken != "" {
				t.Errorf("%s, %s: next %q (-want +got):\n%s", tt.kind, what, got.NextToken, diff)
			}
		}
		of, all := resource(tt.kind, tt.id), resource(tt.kind)
		check("none yet", of)
		c.Call("TagResources", of.With("Tag.1.Key", "env", "Tag.1.Value", "lab", "Tag.2.Key", "empty")).Into(t, &struct{}{})
		c.Call("TagResources", of.With("Tag.1.Key", "env", "Tag.1.Value", "prod", "Tag.2.Key", strings.Repeat("中", 128))).Into(t, &struct{}{})
		long := row(strings.Repeat("中", 128), "")
		check("two calls", of, row("env", "prod"), row("empty", ""), long)
		for _, form := range tt.other {
			check("as "+form, resource(tt.kind, form, tt.id), row("env", "prod"), row("empty", ""), long)
		}
		check("by tag", all.With("Tag.1.Key", "env", "Tag.1.Value", "prod"), row("env", "prod"), row("empty", ""), long)
		check("by keys", all.With("Tag.1.Key", "env", "Tag.2.Key", "empty", "Tag.2.Value", ""), row("env", "prod"), row("empty", ""), long)
		check("by filters", all.With("TagFilter.1.TagKey", "env", "TagFilter.1.TagValues.1", "lab", "TagFilter.1.TagValues.2", "prod",
			"TagFilter.2.TagKey", "empty"), row("env", "prod"), row("empty", ""), long)
		check("by a filter and its id", of.With("TagFilter.1.TagKey", "env", "TagFilter.1.TagValues.1", "lab"))
		check("by the old value", all.With("Tag.1.Key", "env", "Tag.1.Value", "lab"))
		check("one of two tags", of.With("Tag.1.Key", "env", "Tag.2.Key", "absent"))

		c.Call("UntagResources", of.With("TagKey.1", "empty", "TagKey.2", "absent", "All", "true")).Into(t, &struct{}{})
		check("one key less", of, row("env", "prod"), long)
		c.Call("UntagResources", of.With("All", "true")).Into(t, &struct{}{})
		check("all gone", of)
	}
}

// TestTagFile shows a file that was sent under its own id.
func TestTagFile(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Online(s.Node("i-one"))
	var sent struct{ InvokeId string }
	c.Call("SendFile", caller.Params{"Name": "f", "TargetDir": "/tmp", "Content": "x", "InstanceId.1": "i-one"}).Into(t, &sent)
	r, _ := run(t, c, shell("i-one"))
	c.Call("TagResources", resource("invocation", sent.InvokeId, r.InvokeId).With("Tag.1.Key", "k")).Into(t, &struct{}{})
	for _, p := range []caller.Params{resource("invocation").With("Tag.1.Key", "k"), resource("invocation", r.InvokeId, "t-"+sent.InvokeId[2:])} {
		got := field(ask[tagged](t, c, "ListTagResources", p).TagResources.TagResource, "ResourceId")
		if diff := cmp.Diff([]string{r.InvokeId, sent.InvokeId}, got); diff != "" || !strings.HasPrefix(sent.InvokeId, "f-") {
			t.Errorf("%v (-want +got):\n%s", p, diff)
		}
	}
}

// TestTagsAreShown finds tags put on later where the resources are described.
func TestTagsAreShown(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Online(s.Node("i-one"))
	r, _ := run(t, c, shell("i-one").With("KeepCommand", "true"))
	for kind, id := range map[string]string{"invocation": r.InvokeId, "instance": "i-one", "command": r.CommandId} {
		c.Call("TagResources", resource(kind, id).With("Tag.1.Key", "k", "Tag.1.Value", kind)).Into(t, &struct{}{})
	}
	for action, kind := range map[string]string{
		"DescribeInvocations": "invocation", "DescribeManagedInstances": "instance", "DescribeCommands": "command",
	} {
		if n := ask[struct{ TotalCount int }](t, c, action, caller.Params{"Tag.1.Key": "k", "Tag.1.Value": kind}).TotalCount; n != 1 {
			t.Errorf("%s by tag: %d rows", action, n)
		}
	}
}

func TestTagPages(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	var want []string
	for i := range 51 {
		n := s.Node(fmt.Sprintf("i-%02d", i))
		want = append([]string{n.ID}, want...)
	}
	c.Call("TagResources", resource("instance", want[:50]...).With("Tag.1.Key", "k")).Into(t, &struct{}{})
	c.Call("TagResources", resource("instance", want[50]).With("Tag.1.Key", "k", "Tag.2.Key", "l")).Into(t, &struct{}{})
	p := resource("instance").With("Tag.1.Key", "k")
	first := ask[tagged](t, c, "ListTagResources", p)
	if diff := cmp.Diff(want[:50], field(first.TagResources.TagResource, "ResourceId")); diff != "" {
		t.Errorf("first page (-want +got):\n%s", diff)
	}
	second := ask[tagged](t, c, "ListTagResources", p.With("NextToken", first.NextToken))
	if got := field(second.TagResources.TagResource, "TagKey"); !cmp.Equal(got, []string{"k", "l"}) || second.NextToken != "" {
		t.Errorf("second page: %v, next %q", got, second.NextToken)
	}
	for _, p := range []caller.Params{resource("command").With("Tag.1.Key", "k"), resource("instance", "i-00")} {
		if a := c.Call("ListTagResources", p.With("NextToken", first.NextToken)); a.Status != 400 || a.Code != "InvalidParameter.NextToken" {
			t.Errorf("token of another listing: %d %s", a.Status, a.Code)
		}
	}
}

// TestTagIsolation tries every tag action on another account's resources, alone and beside one's own.
func TestTagIsolation(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Online(s.Node("i-mine"))
	r, _ := run(t, c, shell("i-mine").With("KeepCommand", "true"))
	var code struct{ ActivationId string }
	c.Call("CreateActivation", nil).Into(t, &code)
	theirs := map[string]string{
		"command": r.CommandId, "invocation": r.InvokeId, "activation": code.ActivationId, "instance": "i-mine", "managedinstance": "i-mine",
	}
	for kind, id := range theirs {
		c.Call("TagResources", resource(kind, id).With("Tag.1.Key", "secret")).Into(t, &struct{}{})
	}
	const stranger = core.AccountID(2000000000000002)
	if _, err := s.Service.CreateAccount(t.Context(), stranger, "stranger"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Service.CreateKey(t.Context(), stranger, "root", "strangerid", c.Secret); err != nil {
		t.Fatal(err)
	}
	c.Key = "strangerid"
	var own struct{ ActivationId string }
	c.Call("CreateActivation", nil).Into(t, &own)
	for kind, id := range theirs {
		named := resource(kind, id)
		if kind == "activation" {
			named = resource(kind, own.ActivationId, id)
		}
		for action, p := range map[string]caller.Params{
			"TagResources": named.With("Tag.1.Key", "k"), "UntagResources": named.With("All", "true"), "ListTagResources": named,
		} {
			if a := c.Call(action, p); a.Status != 404 || a.Code != "InvalidResourceId.NotFound" {
				t.Errorf("%s of another account's %s: %d %s", action, kind, a.Status, a.Code)
			}
		}
		if got := ask[tagged](t, c, "ListTagResources", resource(kind).With("Tag.1.Key", "secret")); len(got.TagResources.TagResource) > 0 {
			t.Errorf("tags of another account's %s: %v", kind, got)
		}
	}
	if got := ask[tagged](t, c, "ListTagResources", resource("activation", own.ActivationId)); len(got.TagResources.TagResource) > 0 {
		t.Errorf("a refused call left tags: %v", got)
	}
}

// TestTagMistakes has the codes of the tag actions: those for parameters that are not there differ from the other actions'.
func TestTagMistakes(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	full := s.Node("i-full")
	s.Node("i-free")
	c.Call("TagResources", resource("instance", full.ID).With(tags("Tag", 20)...)).Into(t, &struct{}{})
	works := map[string]caller.Params{
		"TagResources":     resource("instance", "i-free").With("Tag.1.Key", "k"),
		"UntagResources":   resource("instance", "i-free").With("TagKey.1", "k"),
		"ListTagResources": resource("instance", "i-free"),
	}
	const malformedKey, malformedValue = "The specified Tag.n.Key is not valid.", "The specified Tag.n.Value is not valid."
	const notFound = "The specified ResourceIds are not found in our records."
	type mistake struct {
		action        string
		params        []string
		status        int
		code, message string
	}
	var all []mistake
	for action := range works {
		all = append(
			all,
			mistake{action, []string{"RegionId", ""}, 404, "MissingParameter.RegionId", "You must specify RegionId."},
			mistake{action, []string{"RegionId", "atlantis"}, 404, "InvalidRegionId.NotFound", "The RegionId provided does not exist in our records."},
			mistake{action, []string{"ResourceType", "-"}, 404, "MissingParameter.ResourceType", "You must specify ResourceType."},
			mistake{action, []string{"ResourceType", "disk"}, 404, "InvalidResourceType.NotFound", "The ResourceType provided does not exist in our records."},
			mistake{action, list("ResourceId", many(51)...), 400, "NumberExceed.ResourceIds", "The ResourceIds parameter's number is exceed , Valid : 50"},
			mistake{action, []string{"ResourceId.1", "i-nobody"}, 404, "InvalidResourceId.NotFound", notFound},
			mistake{action, []string{"ResourceId.2", ""}, 404, "InvalidResourceId.NotFound", notFound},
			mistake{action, []string{"ResourceType", "command"}, 404, "InvalidResourceId.NotFound", notFound},
			mistake{action, []string{"ResourceType", "invocation", "ResourceId.1", "t-" + core.ID(9).String()}, 404, "InvalidResourceId.NotFound", notFound},
			mistake{action, []string{"ResourceType", "activation", "ResourceId.1", nobody}, 404, "InvalidResourceId.NotFound", notFound},
		)
	}
	for _, action := range []string{"TagResources", "ListTagResources"} {
		all = append(
			all,
			mistake{action, tags("Tag", 21), 400, "NumberExceed.Tags", "The Tags parameter number is exceed."},
			mistake{action, []string{"Tag.1.Key", "k", "Tag.2.Key", "k"}, 400, "Duplicate.TagKey", "The Tag.N.Key contain duplicate key."},
			mistake{action, []string{"Tag.1.Key", "acs:x"}, 400, "InvalidTagKey.Malformed", malformedKey},
			mistake{action, []string{"Tag.1.Key", strings.Repeat("x", 129)}, 400, "InvalidTagKey.Malformed", malformedKey},
			mistake{action, []string{"Tag.1.Key", "k", "Tag.1.Value", "https://x"}, 400, "InvalidTagValue.Malformed", malformedValue},
			mistake{action, []string{"Tag.1.Key", "k", "Tag.1.Value", strings.Repeat("x", 129)}, 400, "InvalidTagValue.Malformed", malformedValue},
		)
	}
	keys := func(n int) (pairs []string) {
		for i := range n {
			pairs = append(pairs, fmt.Sprint("TagKey.", i+1), fmt.Sprint("k", i))
		}
		return pairs
	}
	all = append(
		all,
		mistake{"TagResources", []string{"ResourceId.1", "-"}, 404, "MissingParameter.ResourceId", "You must specify ResourceId."},
		mistake{"TagResources", []string{"Tag.1.Key", "-"}, 404, "MissingParameter.Tags", "You must specify Tags."},
		mistake{"TagResources", []string{"Tag.1.Key", "", "Tag.1.Value", "v"}, 400, "MissingParameter.TagKey", "You must specify Tag.N.Key."},
		mistake{"TagResources", []string{"ResourceId.2", "i-full"}, 403, "QuotaExceed.Tags", "The quota of tags on resource is beyond permitted range."},
		mistake{"UntagResources", []string{"ResourceId.1", "-"}, 404, "MissingParameter.ResourceId", "You must specify ResourceId."},
		mistake{"UntagResources", []string{"TagKey.1", "-"}, 400, "MissingParameter.TagKey", "You must specify Tag.N.Key."},
		mistake{"UntagResources", []string{"TagKey.1", "-", "All", "false"}, 400, "MissingParameter.TagKey", "You must specify Tag.N.Key."},
		mistake{"UntagResources", []string{"TagKey.1", "-", "All", "some"}, 400, "InvalidParameter.All", "The specified parameter All is not valid."},
		mistake{"UntagResources", []string{"TagKey.2", "k"}, 400, "Duplicate.TagKey", "The Tag.N.Key contain duplicate key."},
		mistake{"UntagResources", []string{"TagKey.1", "aliyun"}, 400, "InvalidTagKey.Malformed", malformedKey},
		mistake{"UntagResources", keys(21), 400, "NumberExceed.Tags", "The Tags parameter number is exceed."},
		mistake{"ListTagResources", []string{"ResourceId.1", "-"}, 404, "MissingParameter.Tags", "You must specify Tags."},
		mistake{
			"ListTagResources",
			[]string{"Tag.1.Value", "v"},
			400,
			"InvalidTag.Mismatch", "The specified Tag.n.Key and Tag.n.Value are not match.",
		},
		mistake{
			"ListTagResources",
			[]string{"TagFilter.1.TagValues.1", "v"},
			400,
			"InvalidTag.Mismatch", "The specified Tag.n.Key and Tag.n.Value are not match.",
		},
		mistake{
			"ListTagResources",
			[]string{"TagFilter.1.TagKey", "k", "TagFilter.1.TagValues.1", "v", "TagFilter.1.TagValues.2", "http://v"},
			400, "InvalidTagValue.Malformed", malformedValue,
		},
		mistake{
			"ListTagResources",
			[]string{"TagFilter.1.TagKey", "k", "TagFilter.2.TagKey", "k"},
			400, "Duplicate.TagKey", "The Tag.N.Key contain duplicate key.",
		},
		mistake{
			"ListTagResources",
			[]string{"NextToken", "AAAAAdDWBF2"},
			400,
			"InvalidParameter.NextToken", "The specified parameter NextToken is not valid.",
		},
		mistake{
			"ListTagResources",
			[]string{"ResourceId.1", "-", "Tag.1.Key", "k", "NextToken", "AAAAAdDWBF2"},
			400,
			"InvalidParameter.NextToken", "The specified parameter NextToken is not valid.",
		},
	)
	for _, m := range all {
		a := c.Call(m.action, works[m.action].With(m.params...))
		if a.Status != m.status || a.Code != m.code || a.Text != m.message {
			t.Errorf("%s %.80q:\ngot  %d %s %s\nwant %d %s %s", m.action, m.params, a.Status, a.Code, a.Text, m.status, m.code, m.message)
		}
	}
	if got := ask[tagged](t, c, "ListTagResources", works["ListTagResources"]); len(got.TagResources.TagResource) > 0 {
		t.Errorf("refused calls left tags: %v", got)
	}
}
