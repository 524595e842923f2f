package ecs_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/alibaba/caller"
	"errand/internal/core"
)

// TestManage leads one activation and the machine that joined with it from beginning to end.
func TestManage(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	var made struct{ ActivationId, ActivationCode string }
	c.Call("CreateActivation", caller.Params{
		"InstanceName": "lab", "Description": "d", "InstanceCount": "5", "TimeToLiveInHours": "2", "IpAddressRange": "192.0.2.0/24",
		"ResourceGroupId": "rg-1", "Tag.1.Key": "k",
	}).Into(t, &made)
	id, _ := core.ParseUUID(made.ActivationId)
	enrolment := core.Enrolment{
		Code: id, Secret: made.ActivationCode, PublicKey: "k", MachineID: "m-1", Source: netip.MustParseAddr("192.0.2.7"),
		Facts: core.Facts{Hostname: "h", Platform: core.Linux, OSName: "Debian", Agent: "1.2.3", PrivateIP: "10.1.1.1"},
	}
	n, err := s.Service.Register(t.Context(), enrolment)
	if err != nil {
		t.Fatal(err)
	}
	s.Online(n)

	type answer struct{ Activation, Instance map[string]any }
	call := func(action string, p caller.Params, want answer) {
		t.Helper()
		if diff := cmp.Diff(want, ask[answer](t, c, action, p)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", action, diff)
		}
	}
	code := func(deregistered float64) map[string]any {
		return map[string]any{
			"ActivationId": made.ActivationId, "InstanceName": "lab", "Description": "d", "IpAddressRange": "192.0.2.0/24",
			"CreationTime": begun, "InstanceCount": 5., "RegisteredCount": 1., "DeregisteredCount": deregistered, "TimeToLiveInHours": 2.,
		}
	}
	activation, machine := caller.Params{"ActivationId": made.ActivationId}, caller.Params{"InstanceId": "mi-" + n.ID}

	disabled := code(0)
	disabled["Disabled"] = true
	call("DisableActivation", activation, answer{Activation: disabled})
	call("DisableActivation", activation.With("ActivationId", strings.ToLower(made.ActivationId)), answer{Activation: disabled})
	enrolment.PublicKey = "another"
	if _, err := s.Service.Register(t.Context(), enrolment); !core.ReasonRegistrationRefused.Is(err) {
		t.Errorf("joining with a disabled activation: %v", err)
	}
	if a := c.Call("DeleteActivation", activation); a.Status != 403 || a.Code != "ActivationId.InUse" {
		t.Errorf("deleting an activation in use: %d %s", a.Status, a.Code)
	}

	name := "web.a_b-c:1"
	call("ModifyManagedInstance", machine.With("InstanceName", name), answer{
		Instance: map[string]any{"InstanceId": "mi-" + n.ID, "InstanceName": name},
	})

	s.Advance(time.Second)
	_, left := run(t, c, shell(n.ID))
	call("DeregisterManagedInstance", machine.With("ClientToken", strings.Repeat("x", 64)), answer{Instance: map[string]any{
		"InstanceId": "mi-" + n.ID, "InstanceName": name, "Hostname": "h", "ActivationId": made.ActivationId, "AgentVersion": "1.2.3",
		"MachineId": "m-1", "OsType": "Linux", "OsVersion": "Debian", "InternetIp": "192.0.2.7", "IntranetIp": "10.1.1.1",
		"RegistrationTime": begun, "LastInvokedTime": "2026-11-22T05:41:41Z", "InvocationCount": 1., "ResourceGroupId": "rg-1",
	}})
	type results struct {
		Invocation struct {
			InvocationResults struct{ InvocationResult []map[string]any }
		}
	}
	rows := ask[results](t, c, "DescribeInvocationResults", caller.Params{"InvokeId": "t-" + left.String()}).Invocation.InvocationResults.InvocationResult
	if len(rows) != 1 || rows[0]["ErrorCode"] != "InstanceReleased" {
		t.Errorf("what was under way: %v", rows)
	}
	for _, p := range []caller.Params{machine, machine.With("InstanceId", n.ID)} {
		if a := c.Call("DeregisterManagedInstance", p); a.Status != 404 || a.Code != "InvalidInstance.NotFound" {
			t.Errorf("%v a second time: %d %s", p, a.Status, a.Code)
		}
	}

	call("DeleteActivation", activation, answer{Activation: code(1)})
	if a := c.Call("DeleteActivation", activation); a.Status != 404 || a.Code != "ActivationId.NotFound" {
		t.Errorf("deleting an activation twice: %d %s", a.Status, a.Code)
	}
}
