package apitest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
	"github.com/google/go-cmp/cmp"
)

// Joining makes an activation of ECS, lets a machine join with it, shows both, closes the activation to others, renames the machine, takes it
// out again, and only then can delete the activation.
func Joining(t *testing.T, target Target) {
	t.Helper()
	c := must(newRPC(target))(t)
	create := ecs.CreateCreateActivationRequest()
	create.RegionId, create.InstanceName, create.Description = alibabaRegion, "story", "machines of the story"
	create.InstanceCount, create.TimeToLiveInHours, create.IpAddressRange = requests.NewInteger(20), requests.NewInteger(2), "127.0.0.0/8"
	create.Tag = &[]ecs.CreateActivationTag{{Key: "story", Value: "joining"}}
	made := must(c.CreateActivation(create))(t)
	if err := target.Enrol(t, "joins-1", made.ActivationId, made.ActivationCode); err != nil {
		t.Fatal(err)
	}

	activation := func() []ecs.Activation {
		t.Helper()
		r := ecs.CreateDescribeActivationsRequest()
		r.RegionId, r.ActivationId = alibabaRegion, made.ActivationId
		list := must(c.DescribeActivations(r))(t).ActivationList
		for i := range list {
			parseTime(t, list[i].CreationTime)
			list[i].CreationTime = ""
		}
		return list
	}
	want := ecs.Activation{
		ActivationId: made.ActivationId, InstanceName: "story", Description: "machines of the story", IpAddressRange: "127.0.0.0/8",
		InstanceCount: 20, RegisteredCount: 1, TimeToLiveInHours: 2, Tags: []ecs.Tag{{TagKey: "story", TagValue: "joining"}},
	}
	if diff := cmp.Diff([]ecs.Activation{want}, activation()); diff != "" {
		t.Errorf("activation (-want +got):\n%s", diff)
	}

	managed := func() []ecs.InstanceInDescribeManagedInstances {
		t.Helper()
		r := ecs.CreateDescribeManagedInstancesRequest()
		r.RegionId, r.ActivationId = alibabaRegion, made.ActivationId
		return must(c.DescribeManagedInstances(r))(t).Instances
	}
	list := managed()
	if len(list) != 1 {
		t.Fatalf("%d machines joined", len(list))
	}
	m := list[0]
	if m.InstanceId != "joins-1" || m.InstanceName != "story-01" || m.ActivationId != made.ActivationId || !m.Connected || m.OsType != "Linux" ||
		m.Hostname == "" || m.AgentVersion == "" || m.InternetIp != "127.0.0.1" {
		t.Errorf("machine: %+v", m)
	}
	parseTime(t, m.RegistrationTime)

	remove := ecs.CreateDeleteActivationRequest()
	remove.RegionId, remove.ActivationId = alibabaRegion, made.ActivationId
	if _, err := c.DeleteActivation(remove); refusal(t, err) != "ActivationId.InUse" {
		t.Errorf("deleted with a machine: %v", err)
	}
	disable := ecs.CreateDisableActivationRequest()
	disable.RegionId, disable.ActivationId = alibabaRegion, made.ActivationId
	if got := must(c.DisableActivation(disable))(t).Activation; !got.Disabled || got.ActivationId != made.ActivationId {
		t.Errorf("disabled: %+v", got)
	}
	if !activation()[0].Disabled {
		t.Error("the activation is listed as open")
	}
	if err := target.Enrol(t, "joins-2", made.ActivationId, made.ActivationCode); err == nil {
		t.Error("a machine joined with a closed activation")
	}

	rename := ecs.CreateModifyManagedInstanceRequest()
	rename.RegionId, rename.InstanceId, rename.InstanceName = alibabaRegion, "joins-1", "renamed"
	if got := must(c.ModifyManagedInstance(rename))(t).Instance; got.InstanceId != "joins-1" || got.InstanceName != "renamed" {
		t.Errorf("renamed: %+v", got)
	}
	if got := managed()[0].InstanceName; got != "renamed" {
		t.Errorf("the machine is called %s", got)
	}
	leave := ecs.CreateDeregisterManagedInstanceRequest()
	leave.RegionId, leave.InstanceId = alibabaRegion, "joins-1"
	gone := must(c.DeregisterManagedInstance(leave))(t).Instance
	if gone.InstanceId != "joins-1" || gone.InstanceName != "renamed" || gone.ActivationId != made.ActivationId || gone.OsType != "Linux" {
		t.Errorf("deregistered: %+v", gone)
	}
	if _, err := c.DeregisterManagedInstance(leave); refusal(t, err) != "InvalidInstance.NotFound" {
		t.Errorf("deregistered twice: %v", err)
	}
	if list := managed(); len(list) != 0 {
		t.Errorf("machines after it left: %+v", list)
	}

	deleted := must(c.DeleteActivation(remove))(t).Activation
	if deleted.ActivationId != made.ActivationId || deleted.DeregisteredCount != 1 {
		t.Errorf("deleted: %+v", deleted)
	}
	if left := activation(); len(left) != 0 {
		t.Errorf("after it was deleted: %+v", left)
	}
	if _, err := c.DisableActivation(disable); refusal(t, err) != "ActivationId.NotFound" {
		t.Errorf("disabled after it was deleted: %v", err)
	}
}

// Machines lists the machines as ECS instances, and the regions that they can be in.
func Machines(t *testing.T, target Target) {
	t.Helper()
	c := must(newRPC(target))(t)
	ids := must(json.Marshal(target.Nodes))(t)
	r := ecs.CreateDescribeInstancesRequest()
	r.RegionId, r.InstanceIds, r.Status = alibabaRegion, string(ids), "Running"
	resp := must(c.DescribeInstances(r))(t)
	if resp.TotalCount != len(target.Nodes) {
		t.Errorf("%d instances run, want %d", resp.TotalCount, len(target.Nodes))
	}
	for _, i := range resp.Instances.Instance {
		if !slices.Contains(target.Nodes, i.InstanceId) || i.InstanceName == "" || i.HostName == "" || i.Status != "Running" || i.OSType != "linux" ||
			i.OSName == "" || i.RegionId != alibabaRegion {
			t.Errorf("instance: %+v", i)
		}
		if age := time.Since(parseTime(t, i.CreationTime)); age < -time.Second || age > time.Hour {
			t.Errorf("%s was made at %s", i.InstanceId, i.CreationTime)
		}
	}
	r.Status = "Stopped"
	if n := must(c.DescribeInstances(r))(t).TotalCount; n != 0 {
		t.Errorf("%d instances are stopped", n)
	}

	s := ecs.CreateDescribeInstanceStatusRequest()
	s.RegionId, s.InstanceId = alibabaRegion, &target.Nodes
	var want []ecs.InstanceStatus
	for _, id := range target.Nodes {
		want = append(want, ecs.InstanceStatus{InstanceId: id, Status: "Running"})
	}
	got := must(c.DescribeInstanceStatus(s))(t).InstanceStatuses.InstanceStatus
	slices.SortFunc(got, func(a, b ecs.InstanceStatus) int { return strings.Compare(a.InstanceId, b.InstanceId) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}

	regions := ecs.CreateDescribeRegionsRequest()
	regions.AcceptLanguage = "en-US"
	here := slices.IndexFunc(must(c.DescribeRegions(regions))(t).Regions.Region, func(r ecs.Region) bool {
		return r.RegionId == alibabaRegion && r.LocalName == "China (Hangzhou)" && r.Status == "available" && r.RegionEndpoint != ""
	})
	if here < 0 {
		t.Errorf("%s is not among the regions", alibabaRegion)
	}
}
