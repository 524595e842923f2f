package apitest

import (
	"errors"
	"testing"
	"time"

	alierrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
	"github.com/google/go-cmp/cmp"
)

// upgradeSettings is what both of the vendor's Go SDKs read of the settings for upgrades.
type upgradeSettings struct {
	Enabled               bool
	TimeZone              string
	AllowedUpgradeWindows struct{ AllowedUpgradeWindow []string }
}

// Settings changes the settings of an account through both of the vendor's Go SDKs, of which one sends structures as JSON and the other as
// dotted fields, and each reads what the other wrote.
func Settings(t *testing.T, target Target) {
	t.Helper()
	current, err := newACS3(target, ecsVersion, false)
	if err != nil {
		t.Fatal(err)
	}
	older, err := newRPC(target)
	if err != nil {
		t.Fatal(err)
	}

	err = current.call("ModifyCloudAssistantSettings", map[string]any{
		"RegionId": alibabaRegion, "SettingType": "AgentUpgradeConfig",
		"AgentUpgradeConfig": `{"Enabled":true,"AllowedUpgradeWindow":["02:00-03:00","05:00-06:30"],"TimeZone":"Asia/Shanghai"}`,
	}, &struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	describe := ecs.CreateDescribeCloudAssistantSettingsRequest()
	describe.RegionId, describe.SettingType = alibabaRegion, &[]string{"AgentUpgradeConfig", "InvocationDelivery"}
	got, err := older.DescribeCloudAssistantSettings(describe)
	if err != nil {
		t.Fatal(err)
	}
	u := got.AgentUpgradeConfig
	if diff := cmp.Diff([]string{"02:00-03:00", "05:00-06:30"}, u.AllowedUpgradeWindows.AllowedUpgradeWindow); diff != "" || !u.Enabled ||
		u.TimeZone != "Asia/Shanghai" {
		t.Errorf("the older client reads %+v (-want +got):\n%s", u, diff)
	}
	if d := got.OssDeliveryConfigs.OssDeliveryConfig; len(d) != 1 || d[0].DeliveryType != "Invocation" || d[0].Enabled || d[0].EncryptionType != "Inherit" {
		t.Errorf("deliveries: %+v", d)
	}

	modify := ecs.CreateModifyCloudAssistantSettingsRequest()
	modify.RegionId, modify.SettingType = alibabaRegion, "AgentUpgradeConfig"
	modify.AgentUpgradeConfig.TimeZone, modify.AgentUpgradeConfig.AllowedUpgradeWindow = "GMT-7:00", &[]string{"23:00-00:00"}
	if _, err := older.ModifyCloudAssistantSettings(modify); err != nil {
		t.Fatal(err)
	}
	var resp struct{ AgentUpgradeConfig upgradeSettings }
	read := map[string]any{"RegionId": alibabaRegion, "SettingType": []string{"AgentUpgradeConfig"}}
	if err := current.call("DescribeCloudAssistantSettings", read, &resp); err != nil {
		t.Fatal(err)
	}
	want := upgradeSettings{Enabled: true, TimeZone: "GMT-7:00"}
	want.AllowedUpgradeWindows.AllowedUpgradeWindow = []string{"23:00-00:00"}
	if diff := cmp.Diff(want, resp.AgentUpgradeConfig); diff != "" {
		t.Errorf("the current client reads (-want +got):\n%s", diff)
	}

	modify.AgentUpgradeConfig.AllowedUpgradeWindow = &[]string{"23:00-23:59"}
	_, err = older.ModifyCloudAssistantSettings(modify)
	var refused *alierrors.ServerError
	if !errors.As(err, &refused) || refused.ErrorCode() != "InvalidAllowedUpgradeWindow.DurationTooShort" {
		t.Errorf("a window of 59 minutes: %v", err)
	}
}

// Assistants asks for the agent to be installed, and lists it as the plugin that it is.
func Assistants(t *testing.T, target Target) {
	t.Helper()
	a, err := newACS3(target, ecsVersion, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.call("InstallCloudAssistant", map[string]any{"RegionId": alibabaRegion, "InstanceId": target.Nodes}, &struct{}{}); err != nil {
		t.Error(err)
	}
	var resp struct {
		TotalCount              int64
		InstancePluginStatusSet struct {
			InstancePluginStatus []struct {
				InstanceId      string
				PluginStatusSet struct {
					PluginStatus []struct{ PluginName, PluginVersion, PluginStatus, FirstHeartbeatTime, LastHeartbeatTime string }
				}
			}
		}
	}
	err = a.call("ListPluginStatus", map[string]any{"RegionId": alibabaRegion, "InstanceId": target.Nodes, "Name": "errand-agent"}, &resp)
	list := resp.InstancePluginStatusSet.InstancePluginStatus
	if err != nil || len(list) != len(target.Nodes) || resp.TotalCount != int64(len(list)) {
		t.Fatalf("%d plugins, %d in all, %v", len(list), resp.TotalCount, err)
	}
	for i, node := range target.Nodes {
		p := list[i].PluginStatusSet.PluginStatus[0]
		if list[i].InstanceId != node || p.PluginStatus != "PERSIST_RUNNING" || p.PluginVersion == "" {
			t.Errorf("%s: %+v", list[i].InstanceId, p)
		}
		if age := time.Since(parseTime(t, p.LastHeartbeatTime)); age < -2*time.Second || age > 2*time.Minute {
			t.Errorf("%s was last heard of at %s", node, p.LastHeartbeatTime)
		}
	}
}

// Repeated makes the same calls twice with a token; only the first of each has an effect.
func Repeated(t *testing.T, target Target) {
	t.Helper()
	a, err := newACS3(target, ecsVersion, false)
	if err != nil {
		t.Fatal(err)
	}
	for action, params := range map[string]map[string]any{
		"CreateCommand":    {"Name": "repeated", "Type": "RunShellScript", "CommandContent": "dHJ1ZQ=="},
		"CreateActivation": {"Description": "repeated"},
	} {
		params["RegionId"], params["ClientToken"] = alibabaRegion, "story"
		var first, again struct{ RequestId, CommandId, ActivationId, ActivationCode string }
		if err := errors.Join(a.call(action, params, &first), a.call(action, params, &again)); err != nil {
			t.Fatal(err)
		}
		if first.RequestId == again.RequestId {
			t.Errorf("%s: both have request id %s", action, first.RequestId)
		}
		again.RequestId = first.RequestId
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("%s (-first +again):\n%s", action, diff)
		}
		params["Description"] = "another"
		if code := codeOf(t, a.call(action, params, &again)); code != "IdempotentParameterMismatch" {
			t.Errorf("%s, other parameters: %s", action, code)
		}
	}
}
