package ecs_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/alibaba"
	"errand/internal/api/alibaba/caller"
	"errand/internal/api/ecs"
	"errand/internal/api/scene"
	"errand/internal/core"
)

type instances struct {
	TotalCount, PageNumber, PageSize int
	NextToken                        string
	Instances                        struct{ Instance []map[string]any }
}

type statuses struct {
	TotalCount, PageNumber, PageSize int
	InstanceStatuses                 struct{ InstanceStatus []map[string]any }
}

// join lets a machine join with a fresh code; the enrolment's code, key and source are filled in.
func join(t *testing.T, s *scene.Scene, spec core.RegistrationSpec, e core.Enrolment) core.Node {
	t.Helper()
	spec.Limit = 9
	code, secret, err := s.Service.CreateRegistration(t.Context(), s.Caller, spec)
	if err != nil {
		t.Fatal(err)
	}
	e.Code, e.Secret, e.PublicKey = code.ID, secret, core.NewSecret()
	n, err := s.Service.Register(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestInstances(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	web := join(t, s, core.RegistrationSpec{Region: "cn-beijing", ResourceGroup: "rg-1"}, core.Enrolment{
		Name: "web-1", Source: netip.MustParseAddr("192.0.2.7"), Tags: []core.Tag{{Key: "env", Value: "lab"}},
		Facts: core.Facts{Hostname: "h", Platform: core.Linux, OSName: "Debian", Zone: "CST", PrivateIP: "10.1.1.1"},
	})
	s.NodeOn(core.Windows, "i-windows")
	join(t, s, core.RegistrationSpec{}, core.Enrolment{NodeID: "i-bare", Name: "bare"})
	s.Online(web)

	empty := map[string]any{"IpAddress": []any{}}
	want := []map[string]any{
		{
			"InstanceId": "i-bare", "InstanceName": "bare", "HostName": "", "RegionId": "cn-hangzhou", "ZoneId": "", "Status": "Stopped",
			"OSType": "", "OSName": "", "CreationTime": begun, "StartTime": begun, "InstanceType": "", "ResourceGroupId": "", "Cpu": 0.,
			"Memory": 0., "VpcAttributes": map[string]any{"VpcId": "", "VSwitchId": "", "PrivateIpAddress": empty},
			"PublicIpAddress": empty, "InnerIpAddress": empty, "Tags": map[string]any{"Tag": []any{}},
		},
		{
			"InstanceId": "mi-" + web.ID, "InstanceName": "web-1", "HostName": "h", "RegionId": "cn-beijing", "ZoneId": "",
			"Status": "Running", "OSType": "linux", "OSName": "Debian", "CreationTime": begun, "StartTime": begun, "InstanceType": "",
			"ResourceGroupId": "rg-1", "Cpu": 0., "Memory": 0.,
			"VpcAttributes": map[string]any{
				"VpcId": "", "VSwitchId": "", "PrivateIpAddress": map[string]any{"IpAddress": []any{"10.1.1.1"}},
			},
			"PublicIpAddress": map[string]any{"IpAddress": []any{"192.0.2.7"}}, "InnerIpAddress": empty,
			"Tags": map[string]any{"Tag": []any{map[string]any{"TagKey": "env", "TagValue": "lab"}}},
		},
	}
	got := ask[instances](t, c, "DescribeInstances", caller.Params{"InstanceIds": `["mi-` + web.ID + `","i-bare","i-nobody","i-bare"]`})
	if diff := cmp.Diff(want, got.Instances.Instance); diff != "" || got.TotalCount != 2 || got.PageNumber != 1 || got.PageSize != 10 {
		t.Errorf("%d in all, page %d of %d (-want +got):\n%s", got.TotalCount, got.PageNumber, got.PageSize, diff)
	}

	for _, f := range []struct {
		params caller.Params
		want   []string
	}{
		{nil, []string{"bare", "host-i-windows", "web-1"}},
		{caller.Params{"InstanceIds": "", "PrivateIpAddresses": "", "InstanceName": "", "Status": ""}, []string{"bare", "host-i-windows", "web-1"}},
		{caller.Params{"InstanceIds": "[]"}, []string{}},
		{caller.Params{"InstanceName": "web-1"}, []string{"web-1"}},
		{caller.Params{"InstanceName": "web"}, []string{}},
		{caller.Params{"InstanceName": "web*"}, []string{"web-1"}},
		{caller.Params{"InstanceName": "*e*"}, []string{"bare", "web-1"}},
		{caller.Params{"InstanceName": "*"}, []string{"bare", "host-i-windows", "web-1"}},
		{caller.Params{"InstanceName": "nothing*"}, []string{}},
		{caller.Params{"InstanceName": "*-1", "InstanceIds": `["i-bare"]`}, []string{}},
		{caller.Params{"Status": "Running"}, []string{"web-1"}},
		{caller.Params{"Status": "Stopped"}, []string{"bare", "host-i-windows"}},
		{caller.Params{"Status": "Stopped", "InstanceName": "*w*"}, []string{"host-i-windows"}},
		{caller.Params{"Status": "Starting"}, []string{}},
		{caller.Params{"Status": "Starting", "InstanceName": "*"}, []string{}},
		{caller.Params{"Status": "running"}, []string{}},
		{caller.Params{"PrivateIpAddresses": `["10.1.1.1","10.9.9.9"]`}, []string{"web-1"}},
		{caller.Params{"PrivateIpAddresses": `["192.0.2.7"]`}, []string{}},
		{caller.Params{"PrivateIpAddresses": "[]"}, []string{}},
		{caller.Params{"ZoneId": "cn-beijing-a"}, []string{}},
		{caller.Params{"ZoneId": "CST"}, []string{}}, // the machine's time zone is no such zone
		{caller.Params{"ResourceGroupId": "rg-1"}, []string{"web-1"}},
		{caller.Params{"Tag.1.Key": "env", "Tag.1.Value": "lab"}, []string{"web-1"}},
		{caller.Params{"Tag.1.Key": "env", "Tag.1.Value": "lab", "Tag.2.Key": "x"}, []string{}},
		{caller.Params{"PageSize": "1", "PageNumber": "2"}, []string{"host-i-windows"}},
	} {
		got := ask[instances](t, c, "DescribeInstances", f.params)
		if diff := cmp.Diff(f.want, field(got.Instances.Instance, "InstanceName")); diff != "" {
			t.Errorf("%v (-want +got):\n%s", f.params, diff)
		}
	}

	s.Advance(core.OnlineWindow)
	if got := ask[instances](t, c, "DescribeInstances", caller.Params{"Status": "Running"}); got.TotalCount != 0 {
		t.Errorf("two minutes after the heartbeat: %+v", got)
	}
}

// TestInstancePages goes through more machines than one page and one scan can hold, with a condition that leaves half of them.
func TestInstancePages(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	const all = 520
	code, secret, err := s.Service.CreateRegistration(t.Context(), s.Caller, core.RegistrationSpec{Limit: all})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range all {
		name := fmt.Sprintf("web-%03d", i)
		if i%2 == 0 {
			name = fmt.Sprintf("db-%03d", i)
			want = append(want, name)
		}
		_, err := s.Service.Register(t.Context(), core.Enrolment{Code: code.ID, Secret: secret, PublicKey: core.NewSecret(), Name: name})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Reverse(want)

	for sent, size := range map[string]int{"-": 10, "-3": 10, "0": 10, "9": 10, "11": 11, "100": 100, "101": 100} {
		got := ask[instances](t, c, "DescribeInstances", caller.Params{"InstanceName": "db-*", "NextToken": ""}.With("MaxResults", sent))
		if len(got.Instances.Instance) != size || got.PageSize != size {
			t.Errorf("MaxResults %s: %d machines, page size %d, want %d", sent, len(got.Instances.Instance), got.PageSize, size)
		}
	}

	var byToken, byNumber []string
	p := caller.Params{"InstanceName": "db-*", "MaxResults": "100"}
	for {
		got := ask[instances](t, c, "DescribeInstances", p)
		byToken = append(byToken, field(got.Instances.Instance, "InstanceName")...)
		if got.NextToken == "" {
			break
		}
		p = p.With("NextToken", got.NextToken)
	}
	if diff := cmp.Diff(want, byToken); diff != "" {
		t.Errorf("by token (-want +got):\n%s", diff)
	}
	for page := 1; ; page++ {
		got := ask[instances](t, c, "DescribeInstances", caller.Params{
			"InstanceName": "db-*", "PageSize": "100", "PageNumber": strconv.Itoa(page),
		})
		if got.TotalCount != all/2 || got.PageNumber != page || got.PageSize != 100 {
			t.Errorf("page %d: number %d, size %d, %d in all", page, got.PageNumber, got.PageSize, got.TotalCount)
		}
		byNumber = append(byNumber, field(got.Instances.Instance, "InstanceName")...)
		if got.NextToken == "" {
			break
		}
	}
	if diff := cmp.Diff(want, byNumber); diff != "" {
		t.Errorf("by number (-want +got):\n%s", diff)
	}
}

func TestInstanceStatus(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	first := join(t, s, core.RegistrationSpec{}, core.Enrolment{Name: "z", Facts: core.Facts{Zone: "a"}})
	s.Node("i-two")
	s.Online(first)
	want := []map[string]any{{"InstanceId": "i-two", "Status": "Stopped"}, {"InstanceId": "mi-" + first.ID, "Status": "Running"}}
	for _, f := range []struct {
		params      caller.Params
		want        []map[string]any
		total, page int
	}{
		{nil, want, 2, 1},
		{caller.Params{"InstanceId.1": "mi-" + first.ID, "InstanceId.2": "i-nobody"}, want[1:], 1, 1},
		{caller.Params{"ZoneId": "a"}, []map[string]any{}, 0, 1},
		{caller.Params{"ZoneId": "a", "InstanceId.1": "i-two"}, []map[string]any{}, 0, 1},
		{caller.Params{"PageSize": "1", "PageNumber": "2"}, want[1:], 2, 2},
	} {
		got := ask[statuses](t, c, "DescribeInstanceStatus", f.params)
		if diff := cmp.Diff(f.want, got.InstanceStatuses.InstanceStatus); diff != "" || got.TotalCount != f.total || got.PageNumber != f.page {
			t.Errorf("%v: %d in all, page %d (-want +got):\n%s", f.params, got.TotalCount, got.PageNumber, diff)
		}
	}
}

// TestInstanceRegion shows machines without a region in the installation's own.
func TestInstanceRegion(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	env := s.Env()
	env.Regions = []string{"rack-1"}
	c := caller.New(t, s, alibaba.VersionECS, ecs.New(env))
	s.Node("i-one")
	got := ask[instances](t, c, "DescribeInstances", caller.Params{"RegionId": "cn-hangzhou"})
	if diff := cmp.Diff([]string{"rack-1"}, field(got.Instances.Instance, "RegionId")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
