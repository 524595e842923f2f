package ecs_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/alibaba/caller"
)

// listed is one page of any listing.
type listed struct {
	TotalCount, PageNumber, PageSize int
	NextToken                        string
	ids                              []string
}

// TestEveryListing goes through three things of each kind in both of the vendor's ways to page.
func TestEveryListing(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	for i := range 3 {
		id := fmt.Sprint("i-", i)
		s.Online(s.Node(id))
		run(t, c, shell(id).With("KeepCommand", "true", "Name", "n"))
		c.Call("SendFile", sending(id)).Into(t, &struct{}{})
		c.Call("CreateActivation", caller.Params{"InstanceName": "lab"}).Into(t, &struct{}{})
	}
	for action, l := range map[string]struct {
		path   []string // to the rows
		id     string
		filter caller.Params // leaves three
	}{
		"DescribeCommands":             {[]string{"Commands", "Command"}, "CommandId", nil},
		"DescribeInvocations":          {[]string{"Invocations", "Invocation"}, "InvokeId", nil},
		"DescribeInvocationResults":    {[]string{"Invocation", "InvocationResults", "InvocationResult"}, "InvokeId", nil},
		"DescribeSendFileResults":      {[]string{"Invocations", "Invocation"}, "InvokeId", nil},
		"DescribeActivations":          {[]string{"ActivationList"}, "ActivationId", caller.Params{"InstanceName": "lab"}},
		"DescribeManagedInstances":     {[]string{"Instances"}, "InstanceId", nil},
		"DescribeInstances":            {[]string{"Instances", "Instance"}, "InstanceId", nil},
		"DescribeInstanceStatus":       {[]string{"InstanceStatuses", "InstanceStatus"}, "InstanceId", nil},
		"DescribeCloudAssistantStatus": {[]string{"InstanceCloudAssistantStatusSet", "InstanceCloudAssistantStatus"}, "InstanceId", nil},
		"ListPluginStatus":             {[]string{"InstancePluginStatusSet", "InstancePluginStatus"}, "InstanceId", caller.Params{"Name": "errand-agent"}},
	} {
		get := func(pairs ...string) listed {
			t.Helper()
			tree := ask[map[string]any](t, c, action, l.filter.With(pairs...))
			top := tree
			if action == "DescribeInvocationResults" { // it has all of this one level down
				top, _ = tree["Invocation"].(map[string]any)
			}
			var page listed
			page.NextToken, _ = top["NextToken"].(string)
			for name, n := range map[string]*int{"TotalCount": &page.TotalCount, "PageNumber": &page.PageNumber, "PageSize": &page.PageSize} {
				v, ok := top[name].(float64)
				if !ok {
					t.Fatalf("%s: no %s in %v", action, name, top)
				}
				*n = int(v)
			}
			var rows any = tree
			for _, name := range l.path {
				rows = rows.(map[string]any)[name]
			}
			for _, row := range rows.([]any) {
				page.ids = append(page.ids, row.(map[string]any)[l.id].(string))
			}
			return page
		}
		all := get()
		if len(all.ids) != 3 || all.NextToken != "" || all.TotalCount != 3 || all.PageNumber != 1 || all.PageSize != 10 ||
			len(slices.Compact(slices.Sorted(slices.Values(all.ids)))) != 3 {
			t.Errorf("%s: %+v", action, all)
			continue
		}
		first, second := get("PageSize", "2"), get("PageSize", "2", "PageNumber", "2")
		if first.NextToken == "" {
			t.Errorf("%s: no token beside the first of two pages", action)
		}
		first.NextToken = ""
		want := []listed{{3, 1, 2, "", all.ids[:2]}, {3, 2, 2, "", all.ids[2:]}}
		if diff := cmp.Diff(want, []listed{first, second}, cmp.AllowUnexported(listed{})); diff != "" {
			t.Errorf("%s by number (-want +got):\n%s", action, diff)
		}
		if action == "DescribeInstances" {
			continue // its pages by token have ten rows at least
		}
		first = get("MaxResults", "2")
		second = get("MaxResults", "2", "NextToken", first.NextToken)
		if first.NextToken == "" || second.NextToken != "" || !slices.Equal(slices.Concat(first.ids, second.ids), all.ids) {
			t.Errorf("%s by token: %+v, then %+v, want %q", action, first, second, all.ids)
		}
	}
}

// TestContentEncoding stores a command from both encodings; Base64 is what is meant without a word.
func TestContentEncoding(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	for encoding, content := range map[string]string{"": "ZWNobw==", "Base64": "ZWNobw==", "base64": "ZWNobw==", "PlainText": "echo", "plaintext": "echo", "Hex": "ZWNobw=="} {
		made := ask[struct{ CommandId string }](t, c, "CreateCommand", caller.Params{
			"Name": "n", "Type": "RunShellScript", "CommandContent": content, "ContentEncoding": encoding,
		})
		for shown, want := range map[string]string{"": "ZWNobw==", "Base64": "ZWNobw==", "PlainText": "echo"} {
			got := ask[commands](t, c, "DescribeCommands", caller.Params{"CommandId": made.CommandId, "ContentEncoding": shown}).Commands.Command[0]
			if got["CommandContent"] != want {
				t.Errorf("stored from %q, shown in %q: %v", encoding, shown, got["CommandContent"])
			}
		}
	}
}
