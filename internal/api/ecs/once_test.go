package ecs_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/alibaba/caller"
)

// TestOnce repeats each call that takes a ClientToken and makes something other than an invocation.
func TestOnce(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Node("i-one")
	answer := func(action string, p caller.Params) map[string]any {
		t.Helper()
		var got map[string]any
		c.Call(action, p).Into(t, &got)
		if id, _ := got["RequestId"].(string); len(id) != 36 {
			t.Errorf("%s: request id %q", action, id)
		}
		delete(got, "RequestId")
		return got
	}
	create := caller.Params{"Name": "n", "Type": "RunShellScript", "CommandContent": "ZWNobw==", "ClientToken": "one"}
	for _, call := range []struct {
		action string
		params caller.Params
		other  []string // makes it another call
		counts int      // of what tally counts
	}{
		{"CreateCommand", create, []string{"Name", "m"}, 0},
		{"CreateActivation", caller.Params{"Description": "d", "ClientToken": "one"}, []string{"Description", "e"}, 2},
		{"DeregisterManagedInstance", caller.Params{"InstanceId": "i-one", "ClientToken": "one"}, []string{"InstanceId", "i-two"}, -1},
	} {
		before := tally(t, s)
		first := answer(call.action, call.params)
		c.ACS3 = true // the way a call is signed is no part of it
		again := answer(call.action, call.params)
		c.ACS3 = false
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("%s again (-first +again):\n%s", call.action, diff)
		}
		after := tally(t, s)
		if call.counts >= 0 {
			after[call.counts]--
		}
		if after != before {
			t.Errorf("%s twice: %v before, %v after but one", call.action, before, after)
		}
		a := c.Call(call.action, call.params.With(call.other...))
		if a.Status != 403 || a.Code != "IdempotentParameterMismatch" ||
			a.Text != "The specified parameter has changed while using an already used clientToken." {
			t.Errorf("%s, other parameters: %d %s %s", call.action, a.Status, a.Code, a.Text)
		}
	}

	// Another token, no token and, after a day, the same token make something new.
	for _, p := range []caller.Params{create.With("ClientToken", "two"), create.With("ClientToken", "-"), create.With("ClientToken", "-"), create} {
		if p["ClientToken"] == "one" {
			s.Advance(24 * time.Hour)
		}
		before := tally(t, s)
		answer("CreateCommand", p)
		if after := tally(t, s); after[0] != before[0]+1 {
			t.Errorf("token %q: %d commands before, %d after", p["ClientToken"], before[0], after[0])
		}
	}
}

// TestRefusalIsNotRemembered lets a call succeed that was refused before with the same token.
func TestRefusalIsNotRemembered(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	p := caller.Params{"InstanceId": "i-late", "ClientToken": "one"}
	if a := c.Call("DeregisterManagedInstance", p); a.Code != "InvalidInstance.NotFound" {
		t.Errorf("before it is there: %d %s", a.Status, a.Code)
	}
	s.Node("i-late")
	c.Call("DeregisterManagedInstance", p).Into(t, &struct{}{})
}
