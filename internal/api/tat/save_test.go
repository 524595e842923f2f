package tat

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api"
)

// TestSavedTags runs a command and keeps it with its tags.
func TestSavedTags(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.node("ins-a")
	ran := ok[runCommandResponse](c.call("RunCommand", object(
		"CommandName", "kept", "Content", b64("ls"), "InstanceIds", []string{"ins-a"}, "SaveCommand", true,
		"Tags", []tag{{"env", "prod"}, {"team", "db"}},
	)))
	got := ok[describeCommandsResponse](c.call("DescribeCommands", object("CommandIds", []string{ran.CommandId}))).CommandSet
	if len(got) != 1 {
		t.Fatalf("%d commands", len(got))
	}
	if diff := cmp.Diff([]tag{{"env", "prod"}, {"team", "db"}}, got[0].Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

// TestInvocationPages lists three invocations in pages.
func TestInvocationPages(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	n := c.node("ins-a")
	var ids []string // newest first
	for range 3 {
		ids = append([]string{invocationPrefix + c.run("ls", n).String()}, ids...)
	}
	for body, want := range map[string][]string{
		`{}`: ids, `{"Limit":2}`: ids[:2], `{"Limit":2,"Offset":2}`: ids[2:], `{"Limit":1,"Offset":1}`: ids[1:2], `{"Offset":3}`: {},
	} {
		resp := ok[describeInvocationsResponse](c.call("DescribeInvocations", body))
		got := []string{}
		for _, v := range resp.InvocationSet {
			if _, known := api.InvocationID(v.InvocationId); !known {
				t.Errorf("id %q", v.InvocationId)
			}
			got = append(got, v.InvocationId)
		}
		if diff := cmp.Diff(want, got); diff != "" || resp.TotalCount != 3 {
			t.Errorf("%s: %d in all (-want +got):\n%s", body, resp.TotalCount, diff)
		}
	}
}
