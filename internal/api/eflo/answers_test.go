package eflo_test

import (
	"regexp"
	"testing"

	"errand/internal/api/alibaba/caller"
	"errand/internal/api/eflo"
	"errand/internal/api/scene"
	"errand/internal/core"
)

var requestID = regexp.MustCompile(`^[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$`)

// TestRequestIDs calls every action with success; each answer has a RequestId of its own, in the vendor's form.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	s, c, _ := fleet(t)
	seen, called := map[string]string{}, map[string]bool{}
	call := func(action string, p caller.Params) map[string]string {
		t.Helper()
		all := ask[map[string]any](t, c, action, p)
		id, _ := all["RequestId"].(string)
		if !requestID.MatchString(id) || seen[id] != "" {
			t.Errorf("%s: RequestId %q, which %q had", action, id, seen[id])
		}
		seen[id], called[action] = action, true
		got := map[string]string{}
		for name, value := range all {
			got[name], _ = value.(string)
		}
		return got
	}
	ran := caller.Params{"InvokeId": call("RunCommand", caller.Params{"NodeIdList": `["e01-a"]`, "CommandContent": "x"})["InvokeId"]}
	call("DescribeInvocations", ran)
	call("StopInvocation", ran)
	call("DescribeSendFileResults", caller.Params{"InvokeId": call("SendFile", motd)["InvokeId"]})
	session := call("CreateSession", caller.Params{"NodeId": "e01-a"})
	call("CloseSession", caller.Params{"SessionId": session["SessionId"], "SessionToken": session["SessionToken"]})
	call("DescribeNode", caller.Params{"NodeId": "e01-a"})
	call("ListClusterNodes", caller.Params{"ClusterId": core.ClusterID(scene.Account, "gpu")})
	call("ListFreeNodes", nil)
	call("ListClusters", nil)
	call("DescribeRegions", nil)
	call("TagResources", resource("Node", "e01-a").With("Tag.1.Key", "k"))
	call("ListTagResources", resource("Node", "e01-a"))
	call("UntagResources", resource("Node", "e01-a").With("All", "true"))

	for name := range eflo.New(s.Env()).Actions {
		if !called[name] {
			t.Errorf("%s was not called", name)
		}
	}
}

// TestServerSn shows what a machine calls itself to whoever opens a terminal on it.
func TestServerSn(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	code, secret, err := s.Service.CreateRegistration(t.Context(), s.Caller, core.RegistrationSpec{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	n, err := s.Service.Register(t.Context(), core.Enrolment{
		Code: code.ID, Secret: secret, PublicKey: "k", NodeID: "e01-a", MachineID: "sn-1", Facts: core.Facts{Platform: core.Linux, Features: []string{"session"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Online(n)
	if got := ask[map[string]any](t, c, "CreateSession", caller.Params{"NodeId": "e01-a"})["ServerSn"]; got != "sn-1" {
		t.Errorf("ServerSn %v", got)
	}
}
