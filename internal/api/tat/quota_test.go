package tat

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/core"
)

func TestDescribeQuotas(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	n := c.node("ins-a") // with a register code of its own
	c.run("echo unsaved", n)
	for _, name := range []string{"a", "b"} {
		c.create("CommandName", name, "Content", b64("ls"))
	}
	for range 2 {
		ok[createRegisterCodeResponse](c.call("CreateRegisterCode", `{}`))
	}
	if _, err := c.scene.Service.CreateCommand(t.Context(), core.Caller{Account: 42, Root: true}, core.CommandSpec{
		Definition: core.Definition{Name: "a stranger's", Type: core.Shell, Content: []byte("ls")}, Limits: limits(), Style: style,
	}); err != nil {
		t.Fatal(err)
	}
	const (
		commands = `{"ResourceName": "COMMAND", "ResourceQuotaUsed": 2, "ResourceQuotaTotal": 500}`
		codes    = `{"ResourceName": "REGISTER_CODE", "ResourceQuotaUsed": 3, "ResourceQuotaTotal": 5000}`
	)
	for name, try := range map[string]struct{ body, want, code string }{
		"commands":          {`{"ResourceNames":["COMMAND"]}`, commands, ""},
		"codes":             {`{"ResourceNames":["REGISTER_CODE"]}`, codes, ""},
		"both":              {`{"ResourceNames":["REGISTER_CODE","COMMAND"]}`, codes + "," + commands, ""},
		"repeated":          {`{"ResourceNames":["COMMAND","REGISTER_CODE","COMMAND"]}`, commands + "," + codes, ""},
		"no names":          {`{}`, "", "MissingParameter"},
		"empty list":        {`{"ResourceNames":[]}`, "", "MissingParameter"},
		"unknown":           {`{"ResourceNames":["COMMAND","INVOKER"]}`, "", "ResourceUnavailable.InvalidResourceQuotaResourceCode"},
		"lower case":        {`{"ResourceNames":["command"]}`, "", "ResourceUnavailable.InvalidResourceQuotaResourceCode"},
		"empty name":        {`{"ResourceNames":[""]}`, "", "ResourceUnavailable.InvalidResourceQuotaResourceCode"},
		"no list":           {`{"ResourceNames":"COMMAND"}`, "", "InvalidParameter"},
		"unknown parameter": {`{"ResourceName":"COMMAND"}`, "", "UnknownParameter"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.call("DescribeQuotas", try.body)
			r.known(try.code)
			if r.Code != "" {
				return
			}
			if diff := cmp.Diff(golden(t, `{"GeneralResourceQuotaSet": [`+try.want+`]}`), raw(r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	c.create("CommandName", "c", "Content", b64("ls"))
	got := ok[describeQuotasResponse](c.call("DescribeQuotas", `{"ResourceNames":["COMMAND"]}`))
	if diff := cmp.Diff([]quota{{"COMMAND", 3, 500}}, got.GeneralResourceQuotaSet); diff != "" {
		t.Errorf("after one more (-want +got):\n%s", diff)
	}
}
