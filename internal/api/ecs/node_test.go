package ecs_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/alibaba"
	"errand/internal/api/alibaba/caller"
	"errand/internal/api/ecs"
	"errand/internal/api/scene"
	"errand/internal/core"
)

type assistants struct {
	TotalCount, PageNumber, PageSize int
	NextToken                        string
	InstanceCloudAssistantStatusSet  struct{ InstanceCloudAssistantStatus []map[string]any }
}

func (a assistants) rows() []map[string]any {
	return a.InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus
}

func TestAssistantStatus(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	n := s.Node("i-one")
	s.Node("i-two")
	s.NodeOn(core.Windows, "i-win")
	s.Online(n)
	_, done := run(t, c, shell("i-one"))
	s.Exit(done, n, 0, "", "")
	s.Advance(time.Second)
	run(t, c, shell("i-one"))

	named := caller.Params(nil).With(list("InstanceId", "i-one", "i-two", "i-one")...)
	got := ask[assistants](t, c, "DescribeCloudAssistantStatus", named.With("PageSize", "999"))
	want := []map[string]any{
		{
			"InstanceId": "i-one", "CloudAssistantStatus": "true", "CloudAssistantVersion": "1.0.0", "LastHeartbeatTime": begun,
			"LastInvokedTime": "2026-11-22T05:41:41Z", "InvocationCount": 1., "ActiveTaskCount": 1., "OSType": "Linux",
			"SupportSessionManager": true,
		},
		{
			"InstanceId": "i-two", "CloudAssistantStatus": "false", "CloudAssistantVersion": "", "LastHeartbeatTime": "",
			"LastInvokedTime": "", "InvocationCount": 0., "ActiveTaskCount": 0., "OSType": "Linux", "SupportSessionManager": true,
		},
	}
	if diff := cmp.Diff(want, got.rows()); diff != "" || got.TotalCount != 2 || got.PageNumber != 1 || got.NextToken != "" {
		t.Errorf("%+v (-want +got):\n%s", got, diff)
	}

	s.Advance(core.OnlineWindow - 2*time.Second)
	if row := ask[assistants](t, c, "DescribeCloudAssistantStatus", named).rows()[0]; row["CloudAssistantStatus"] != "true" {
		t.Errorf("just inside the window: %v", row)
	}
	s.Advance(time.Second)
	row := ask[assistants](t, c, "DescribeCloudAssistantStatus", named).rows()[0]
	if row["CloudAssistantStatus"] != "false" || row["CloudAssistantVersion"] != "" || row["LastHeartbeatTime"] != begun {
		t.Errorf("two minutes after the heartbeat: %v", row)
	}

	for _, f := range []struct {
		params caller.Params
		want   []string
	}{
		{nil, []string{"i-win", "i-two", "i-one"}},
		{caller.Params{"OSType": "Linux"}, []string{"i-two", "i-one"}},
		{caller.Params{"OSType": "Windows"}, []string{"i-win"}},
		{caller.Params{"OSType": "FreeBSD"}, []string{}},
		{caller.Params{"OSType": "Windows", "InstanceId.1": "i-one", "InstanceId.2": "i-win"}, []string{"i-win"}},
		{caller.Params{"PageSize": "1", "PageNumber": "2"}, []string{"i-two"}},
		{caller.Params{"MaxResults": "2"}, []string{"i-win", "i-two"}},
	} {
		got := ask[assistants](t, c, "DescribeCloudAssistantStatus", f.params)
		if diff := cmp.Diff(f.want, field(got.rows(), "InstanceId")); diff != "" {
			t.Errorf("%v (-want +got):\n%s", f.params, diff)
		}
	}
}

// TestGeneratedID shows a machine whose id was left to us, and takes the id back with any vendor's prefix.
func TestGeneratedID(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	n := s.Node("")
	for _, prefix := range []string{"mi-", "i-", "ins-", "e01-", ""} {
		got := ask[assistants](t, c, "DescribeCloudAssistantStatus", caller.Params{"InstanceId.1": prefix + n.ID})
		if diff := cmp.Diff([]string{"mi-" + n.ID}, field(got.rows(), "InstanceId")); diff != "" {
			t.Errorf("asked for %s%s (-want +got):\n%s", prefix, n.ID, diff)
		}
	}
}

type managed struct {
	TotalCount int
	Instances  []map[string]any
}

func TestManagedInstances(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	var made struct{ ActivationId, ActivationCode string }
	c.Call("CreateActivation", caller.Params{
		"InstanceName": "lab", "InstanceCount": "100", "Tag.1.Key": "k", "ResourceGroupId": "rg-1",
	}).Into(t, &made)
	id, ok := core.ParseUUID(made.ActivationId)
	if !ok || strings.ToUpper(made.ActivationId) != made.ActivationId {
		t.Fatalf("activation id %s", made.ActivationId)
	}
	n, err := s.Service.Register(t.Context(), core.Enrolment{
		Code: id, Secret: made.ActivationCode, PublicKey: "k", MachineID: "m-1", Source: netip.MustParseAddr("192.0.2.7"),
		Tags:  []core.Tag{{Key: "env", Value: "lab"}},
		Facts: core.Facts{Hostname: "h", Platform: core.Linux, OSName: "Debian", Agent: "1.2.3", PrivateIP: "10.1.1.1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	other := s.Node("i-other")
	s.Online(n)
	got := ask[managed](t, c, "DescribeManagedInstances", caller.Params{"InstanceId.1": "mi-" + n.ID, "InstanceId.2": "mi-unknown"})
	want := []map[string]any{{
		"InstanceId": "mi-" + n.ID, "InstanceName": "lab-001", "Hostname": "h", "ActivationId": made.ActivationId, "AgentVersion": "1.2.3",
		"MachineId": "m-1", "OsType": "Linux", "OsVersion": "Debian", "InternetIp": "192.0.2.7", "IntranetIp": "10.1.1.1",
		"RegistrationTime": begun, "LastInvokedTime": "", "InvocationCount": 0., "Connected": true, "ResourceGroupId": "rg-1",
		"Tags": []any{map[string]any{"TagKey": "env", "TagValue": "lab"}},
	}}
	if diff := cmp.Diff(want, got.Instances); diff != "" || got.TotalCount != 1 {
		t.Errorf("total %d (-want +got):\n%s", got.TotalCount, diff)
	}
	for _, f := range []struct {
		params caller.Params
		want   int
	}{
		{nil, 2},
		{caller.Params{"InstanceName": "lab-001"}, 1},
		{caller.Params{"InstanceName": "lab"}, 0},
		{caller.Params{"InstanceIp": "192.0.2.7"}, 1},
		{caller.Params{"InstanceIp": "10.1.1.1"}, 1},
		{caller.Params{"OsType": "linux"}, 2},
		{caller.Params{"OsType": "windows"}, 0},
		{caller.Params{"ActivationId": strings.ToLower(made.ActivationId)}, 1},
		{caller.Params{"ActivationId": "nonsense"}, 0},
		{caller.Params{"MachineId": "m-1"}, 1},
		{caller.Params{"Connected": "true"}, 1},
		{caller.Params{"Connected": "false"}, 1},
		{caller.Params{"ResourceGroupId": "rg-1"}, 1},
		{caller.Params{"Tag.1.Key": "env", "Tag.1.Value": "lab"}, 1},
		{caller.Params{"InstanceId.1": other.ID}, 1},
		{caller.Params{"MaxResults": "1"}, 1},
	} {
		if got := ask[managed](t, c, "DescribeManagedInstances", f.params); len(got.Instances) != f.want {
			t.Errorf("%v: %d machines, want %d", f.params, len(got.Instances), f.want)
		}
	}
}

type activations struct {
	TotalCount     int
	NextToken      string
	ActivationList []map[string]any
}

func TestActivations(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	var plain, full struct{ ActivationId, ActivationCode string }
	c.Call("CreateActivation", caller.Params{"ClientToken": "x"}).Into(t, &plain)
	c.Call("CreateActivation", caller.Params{
		"InstanceName": "lab.x_y-z:1", "Description": "d", "InstanceCount": "5", "TimeToLiveInHours": "2", "IpAddressRange": "10.0.0.0/8",
		"ResourceGroupId": "rg-1", "Tag.1.Key": "k", "Tag.1.Value": "v",
	}).Into(t, &full)
	want := []map[string]any{
		{
			"ActivationId": full.ActivationId, "InstanceName": "lab.x_y-z:1", "Description": "d", "IpAddressRange": "10.0.0.0/8",
			"CreationTime": begun, "InstanceCount": 5., "RegisteredCount": 0., "DeregisteredCount": 0., "TimeToLiveInHours": 2.,
			"Disabled": false, "ResourceGroupId": "rg-1", "Tags": []any{map[string]any{"TagKey": "k", "TagValue": "v"}},
		},
		{
			"ActivationId": plain.ActivationId, "InstanceName": "", "Description": "", "IpAddressRange": "", "CreationTime": begun,
			"InstanceCount": 10., "RegisteredCount": 0., "DeregisteredCount": 0., "TimeToLiveInHours": 4., "Disabled": false,
			"ResourceGroupId": "", "Tags": []any{},
		},
	}
	got := ask[activations](t, c, "DescribeActivations", nil)
	if diff := cmp.Diff(want, got.ActivationList); diff != "" || got.TotalCount != 2 {
		t.Errorf("total %d (-want +got):\n%s", got.TotalCount, diff)
	}
	for _, f := range []struct {
		params caller.Params
		want   int
	}{
		{caller.Params{"ActivationId": plain.ActivationId}, 1},
		{caller.Params{"ActivationId": "x"}, 0},
		{caller.Params{"InstanceName": "lab.x_y-z:1"}, 1},
		{caller.Params{"ResourceGroupId": "rg-1"}, 1},
		{caller.Params{"Tag.1.Key": "k", "Tag.1.Value": "v"}, 1},
		{caller.Params{"PageSize": "1", "PageNumber": "2"}, 1},
		{caller.Params{"PageNumber": "2"}, 0},
	} {
		if got := ask[activations](t, c, "DescribeActivations", f.params); len(got.ActivationList) != f.want {
			t.Errorf("%v: %d activations, want %d", f.params, len(got.ActivationList), f.want)
		}
	}
	c.Call("CreateActivation", caller.Params{"IpAddressRange": "2001:db8::1"}).Into(t, &plain)
	if got := ask[activations](t, c, "DescribeActivations", nil).ActivationList[0]["IpAddressRange"]; got != "2001:db8::1" {
		t.Errorf("one address is shown as %v", got)
	}
}

func TestRegions(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	env := s.Env()
	env.Regions = []string{"rack-1"}
	c := caller.New(t, s, alibaba.VersionECS, ecs.New(env))
	type regions struct {
		Regions struct{ Region []map[string]any }
	}
	for language, want := range map[string]string{"": "华东1（杭州）", "zh-CN": "华东1（杭州）", "en-US": "China (Hangzhou)"} {
		rows := ask[regions](t, c, "DescribeRegions", caller.Params{"AcceptLanguage": language}).Regions.Region
		if rows[0]["RegionId"] != "rack-1" || rows[0]["LocalName"] != "rack-1" || rows[0]["Status"] != "available" {
			t.Errorf("first region %v", rows[0])
		}
		if rows[1]["RegionId"] != "cn-hangzhou" || rows[1]["LocalName"] != want {
			t.Errorf("in %q: %v, want %s", language, rows[1], want)
		}
		if endpoint, _ := rows[1]["RegionEndpoint"].(string); !strings.HasPrefix(endpoint, "127.0.0.1:") {
			t.Errorf("endpoint %s is not where the caller called", endpoint)
		}
	}
	if a := c.Call("DescribeInvocations", caller.Params{"RegionId": "rack-1"}); a.Status != 200 {
		t.Errorf("in our own region: %d %s", a.Status, a.Code)
	}
}
