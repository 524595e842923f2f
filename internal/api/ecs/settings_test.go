package ecs_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/alibaba/caller"
	"errand/internal/core"
)

type settings map[string]any

// described asks for some types of settings and returns what came besides the request id.
func described(t *testing.T, c *caller.Client, kinds ...string) settings {
	t.Helper()
	got := ask[settings](t, c, "DescribeCloudAssistantSettings", caller.Params(nil).With(list("SettingType", kinds...)...))
	delete(got, "RequestId")
	return got
}

func modify(t *testing.T, c *caller.Client, p caller.Params) {
	t.Helper()
	c.Call("ModifyCloudAssistantSettings", p).Into(t, &struct{}{})
}

// deliveries are the two structures of one delivery.
func deliveries(kind string, oss, sls map[string]any) settings {
	bucket := map[string]any{
		"DeliveryType": kind, "Enabled": false, "BucketName": "", "Prefix": "", "EncryptionType": "Inherit", "EncryptionAlgorithm": "",
		"EncryptionKeyId": "",
	}
	log := map[string]any{"DeliveryType": kind, "Enabled": false, "ProjectName": "", "LogstoreName": ""}
	for name, value := range oss {
		bucket[name] = value
	}
	for name, value := range sls {
		log[name] = value
	}
	return settings{
		"OssDeliveryConfigs": map[string]any{"OssDeliveryConfig": []any{bucket}},
		"SlsDeliveryConfigs": map[string]any{"SlsDeliveryConfig": []any{log}},
	}
}

func upgrade(enabled bool, zone string, bootstrap, disable bool, windows ...any) settings {
	return settings{"AgentUpgradeConfig": map[string]any{
		"Enabled": enabled, "AllowedUpgradeWindows": map[string]any{"AllowedUpgradeWindow": append([]any{}, windows...)}, "TimeZone": zone,
		"BootstrapUpgrade": bootstrap, "DisableUpgrade": disable,
	}}
}

func usage(cpu float64, memory string, overload, files float64, size string, keep bool) settings {
	return settings{"ResourceUsageConfig": map[string]any{
		"CpuLimit": cpu, "MemoryLimit": memory, "OverloadLimit": overload, "LogFileCountLimit": files, "LogSizeLimit": size,
		"KeepScriptFile": keep,
	}}
}

// TestSettings changes every setting in either form and reads it back; what is not sent stays.
func TestSettings(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	const (
		sessionDelivery, runDelivery      = "SessionManagerDelivery", "InvocationDelivery"
		agent, sessions, resources, whole = "AgentUpgradeConfig", "SessionManagerConfig", "ResourceUsageConfig", ""
	)
	for _, step := range []struct {
		kind   string
		change caller.Params // nil: the defaults
		want   settings
	}{
		{agent, nil, upgrade(false, "UTC", true, false)},
		{sessions, nil, settings{"SessionManagerConfig": map[string]any{"SessionManagerEnabled": true}}},
		{resources, nil, usage(20, "50MB", 3, 30, "100MB", false)},
		{runDelivery, nil, deliveries("Invocation", nil, nil)},
		{sessionDelivery, nil, deliveries("SessionManager", nil, nil)},

		{
			agent,
			caller.Params{agent: `{"Enabled":true,"AllowedUpgradeWindow":["02:00-03:00","23:30-00:30"],"TimeZone":"GMT+8:00"}`},
			upgrade(true, "GMT+8:00", true, false, "02:00-03:00", "23:30-00:30"),
		},
		{
			agent,
			caller.Params{agent + ".TimeZone": "America/Los_Angeles", agent + ".BootstrapUpgrade": "false", agent + ".DisableUpgrade": "True"},
			upgrade(true, "America/Los_Angeles", false, true, "02:00-03:00", "23:30-00:30"),
		},
		{
			agent,
			caller.Params{agent + ".AllowedUpgradeWindow.1": "05:00-06:00", agent + ".Enabled": "true"},
			upgrade(true, "America/Los_Angeles", false, true, "05:00-06:00"),
		},
		{agent, caller.Params{agent: `{"Enabled":false,"AllowedUpgradeWindow":[]}`}, upgrade(false, "America/Los_Angeles", false, true)},
		{agent, caller.Params{agent: `{}`}, upgrade(false, "America/Los_Angeles", false, true)},

		{
			sessions,
			caller.Params{sessions: `{"SessionManagerEnabled":false}`},
			settings{"SessionManagerConfig": map[string]any{"SessionManagerEnabled": false}},
		},
		{
			sessions,
			caller.Params{sessions + ".SessionManagerEnabled": "true"},
			settings{"SessionManagerConfig": map[string]any{"SessionManagerEnabled": true}},
		},

		{
			resources,
			caller.Params{resources: `{"CpuLimit":10,"MemoryLimit":"35MB","OverloadLimit":4,"LogFileCountLimit":7,"LogSizeLimit":"10485761B"}`},
			usage(10, "35MB", 4, 7, "10485761B", false),
		},
		{
			resources,
			caller.Params{resources + ".KeepScriptFile": "true", resources + ".MemoryLimit": "51201 kb", resources + ".CpuLimit": "95"},
			usage(95, "51201KB", 4, 7, "10485761B", true),
		},

		{
			runDelivery,
			caller.Params{"OssDeliveryConfig": `{"Enabled":true,"BucketName":"logs-1","Prefix":"a/b","EncryptionType":"KMS",` +
				`"EncryptionAlgorithm":"AES256","EncryptionKeyId":"key"}`},
			deliveries("Invocation", map[string]any{
				"Enabled": true, "BucketName": "logs-1", "Prefix": "a/b", "EncryptionType": "KMS", "EncryptionAlgorithm": "AES256",
				"EncryptionKeyId": "key",
			}, nil),
		},
		{
			runDelivery,
			caller.Params{"OssDeliveryConfig.Prefix": "", "OssDeliveryConfig.EncryptionType": "OssManaged"},
			deliveries("Invocation", map[string]any{
				"Enabled": true, "BucketName": "logs-1", "EncryptionType": "OssManaged", "EncryptionAlgorithm": "AES256",
			}, nil),
		},
		{
			runDelivery,
			caller.Params{"SlsDeliveryConfig": `{"ProjectName":"project-1","LogstoreName":"store_1"}`},
			deliveries("Invocation", map[string]any{
				"Enabled": true, "BucketName": "logs-1", "EncryptionType": "OssManaged", "EncryptionAlgorithm": "AES256",
			}, map[string]any{"ProjectName": "project-1", "LogstoreName": "store_1"}),
		},
		{
			sessionDelivery,
			caller.Params{
				"OssDeliveryConfig.BucketName": "audit", "OssDeliveryConfig.Enabled": "false", "OssDeliveryConfig.EncryptionAlgorithm": "SM4",
				"SlsDeliveryConfig.Enabled": "false", "SlsDeliveryConfig.ProjectName": "p-1", agent: `{"Enabled":true}`,
			},
			deliveries("SessionManager", map[string]any{"BucketName": "audit", "EncryptionAlgorithm": "SM4"}, map[string]any{"ProjectName": "p-1"}),
		},
		{agent, nil, upgrade(false, "America/Los_Angeles", false, true)}, // which the last change did not mean
	} {
		if step.change != nil {
			modify(t, c, step.change.With("SettingType", step.kind))
		}
		if diff := cmp.Diff(step.want, described(t, c, step.kind)); diff != whole {
			t.Errorf("%s after %v (-want +got):\n%s", step.kind, step.change, diff)
		}
	}

	all := described(t, c, sessionDelivery, agent, runDelivery, sessions, resources, agent, runDelivery)
	if n := len(all["OssDeliveryConfigs"].(map[string]any)["OssDeliveryConfig"].([]any)); len(all) != 5 || n != 2 {
		t.Errorf("all types: %d structures, %d deliveries", len(all), n)
	}
}

// TestSettingsIsolation gives each account its own.
func TestSettingsIsolation(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	modify(t, c, caller.Params{"SettingType": "SessionManagerConfig", "SessionManagerConfig": `{"SessionManagerEnabled":false}`})
	const stranger = core.AccountID(2000000000000002)
	if _, err := s.Service.CreateAccount(t.Context(), stranger, "stranger"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Service.CreateKey(t.Context(), stranger, "root", "strangerid", c.Secret); err != nil {
		t.Fatal(err)
	}
	c.Key = "strangerid"
	if got := described(t, c, "SessionManagerConfig")["SessionManagerConfig"].(map[string]any)["SessionManagerEnabled"]; got != true {
		t.Errorf("another account's terminals: %v", got)
	}
}

// TestSettingsInXML reads the lists in the other form.
func TestSettingsInXML(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	modify(t, c, caller.Params{
		"SettingType": "AgentUpgradeConfig", "AgentUpgradeConfig": `{"Enabled":true,"AllowedUpgradeWindow":["01:00-02:00","03:00-04:00"]}`,
	})
	body := string(c.Call("DescribeCloudAssistantSettings", caller.Params{"Format": "XML", "SettingType.1": "AgentUpgradeConfig"}).Body)
	const want = "<AllowedUpgradeWindows><AllowedUpgradeWindow>01:00-02:00</AllowedUpgradeWindow>" +
		"<AllowedUpgradeWindow>03:00-04:00</AllowedUpgradeWindow></AllowedUpgradeWindows>"
	if !strings.Contains(body, want) || strings.Contains(body, "SessionManagerConfig") {
		t.Error(body)
	}
}

// TestSettingMistakes has every code that a request for settings can provoke, at the edge and beyond it.
func TestSettingMistakes(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	x := func(n int) string { return strings.Repeat("x", n) }
	oss := func(kind, config string) caller.Params {
		return caller.Params{"SettingType": kind, "OssDeliveryConfig": config}
	}
	run := func(config string) caller.Params { return oss("InvocationDelivery", config) }
	sls := func(config string) caller.Params {
		return caller.Params{"SettingType": "InvocationDelivery", "SlsDeliveryConfig": config}
	}
	agent := func(config string) caller.Params {
		return caller.Params{"SettingType": "AgentUpgradeConfig", "AgentUpgradeConfig": config}
	}
	windows := func(list string) caller.Params {
		return agent(`{"Enabled":true,"AllowedUpgradeWindow":[` + list + `]}`)
	}
	zone := func(name string) caller.Params { return agent(`{"TimeZone":"` + name + `"}`) }
	usage := func(config string) caller.Params {
		return caller.Params{"SettingType": "ResourceUsageConfig", "ResourceUsageConfig": config}
	}
	const hour = `"01:00-02:00"`
	for _, m := range []struct {
		params        caller.Params
		status        int // 200: it is fine
		code, message string
	}{
		{caller.Params{}, 400, "MissingSettingType", "SettingType is mandatory for this action."},
		{caller.Params{"SettingType": "Colour"}, 400, "InvalidParameter.SettingType", "The specified parameter SettingType is not valid."},
		{caller.Params{"SettingType": "AgentUpgradeConfig"}, 400, "MissingAgentUpgradeConfig", "AgentUpgradeConfig is mandatory for this action."},
		{caller.Params{"SettingType": "SessionManagerConfig"}, 400, "MissingSessionManagerConfig", "SessionManagerConfig is mandatory for this action."},
		{caller.Params{"SettingType": "ResourceUsageConfig"}, 400, "MissingResourceUsageConfig", "ResourceUsageConfig is mandatory for this action."},
		{caller.Params{"SettingType": "InvocationDelivery"}, 400, "MissingOssDeliveryConfig", "OssDeliveryConfig is mandatory for this action."},
		{agent(`{"Enabled":`), 400, "InvalidParameter.AgentUpgradeConfig", "The specified parameter AgentUpgradeConfig is not valid."},
		{agent(`{"Enabled":"yes"}`), 400, "InvalidParameter.AgentUpgradeConfig", "The specified parameter AgentUpgradeConfig is not valid."},
		{
			caller.Params{"SettingType": "InvocationDelivery", "OssDeliveryConfig.Enabled": "perhaps"},
			400, "InvalidParameter.OssDeliveryConfig", "The specified parameter OssDeliveryConfig is not valid.",
		},
		{
			caller.Params{"SettingType": "SessionManagerConfig", "SessionManagerConfig.SessionManagerEnabled": "true", "RegionId": "atlantis"},
			404, "InvalidRegionId.NotFound", "The specified parameter RegionId does not exist.",
		},

		{run(`{"EncryptionType":"ROT13"}`), 400, "InvalidParameter.OssEncryptionType", "The specified parameter OssDeliveryConfig.EncryptionType is not valid."},
		{run(`{"EncryptionType":""}`), 400, "InvalidParameter.OssEncryptionType", "The specified parameter OssDeliveryConfig.EncryptionType is not valid."},
		{
			run(`{"EncryptionAlgorithm":"AES128"}`), 400, "InvalidParameter.OssEncryptionAlgorithm",
			"The specified parameter OssDeliveryConfig.EncryptionAlgorithm is not valid.",
		},
		{run(`{"EncryptionKeyId":"k"}`), 400, "InvalidParameter.OssEncryptionKeyId", "The specified parameter OssDeliveryConfig.EncryptionKeyId is not valid."},
		{
			run(`{"EncryptionType":"KMS","EncryptionKeyId":"` + x(257) + `"}`),
			400, "InvalidParameter.OssEncryptionKeyId", "The specified parameter OssDeliveryConfig.EncryptionKeyId is not valid.",
		},
		{run(`{"Enabled":true}`), 400, "InvalidParameter.OssBucketName", "The specified parameter OssDeliveryConfig.BucketName is not valid."},
		{run(`{"BucketName":"ab"}`), 400, "InvalidParameter.OssBucketName", "The specified parameter OssDeliveryConfig.BucketName is not valid."},
		{run(`{"BucketName":"` + x(64) + `"}`), 400, "InvalidParameter.OssBucketName", "The specified parameter OssDeliveryConfig.BucketName is not valid."},
		{run(`{"BucketName":"Bucket"}`), 400, "InvalidParameter.OssBucketName", "The specified parameter OssDeliveryConfig.BucketName is not valid."},
		{run(`{"BucketName":"a/../b"}`), 400, "InvalidParameter.OssBucketName", "The specified parameter OssDeliveryConfig.BucketName is not valid."},
		{run(`{"BucketName":"abc"}`), 200, "", ""},
		{run(`{"BucketName":"` + x(63) + `"}`), 200, "", ""},
		{run(`{"Prefix":"/a"}`), 400, "InvalidParameter.OssPrefix", "The specified parameter OssDeliveryConfig.Prefix is not valid."},
		{run(`{"Prefix":"\\a"}`), 400, "InvalidParameter.OssPrefix", "The specified parameter OssDeliveryConfig.Prefix is not valid."},
		{run(`{"Prefix":"` + x(255) + `"}`), 400, "InvalidParameter.OssPrefix", "The specified parameter OssDeliveryConfig.Prefix is not valid."},
		{run(`{"Prefix":"` + strings.Repeat("中", 254) + `"}`), 200, "", ""},
		{
			run(`{"Enabled":true,"EncryptionAlgorithm":"SM4"}`), 403, "InvalidOperation.OssEncryptionUnsupported",
			"The configuration of OSS Encryption is not supported.",
		},
		{
			oss("SessionManagerDelivery", `{"Enabled":true,"BucketName":"audit"}`), 403, "InvalidOperation.SessionManagerDeliveryUnsupported",
			"The delivery configuration of Session Manager is not supported.",
		},
		{sls(`{"ProjectName":"A"}`), 400, "InvalidParameter.SlsProjectName", "The specified parameter SlsDeliveryConfig.ProjectName is not valid."},
		{sls(`{"Enabled":true,"LogstoreName":"ab"}`), 400, "InvalidParameter.SlsProjectName", "The specified parameter SlsDeliveryConfig.ProjectName is not valid."},
		{sls(`{"LogstoreName":"-"}`), 400, "InvalidParameter.SlsLogstoreName", "The specified parameter SlsDeliveryConfig.LogstoreName is not valid."},
		{
			sls(`{"Enabled":true,"ProjectName":"abc","LogstoreName":"ab"}`), 404, "InvalidSlsProjectName.NotFound",
			"The specified parameter SlsDeliveryConfig.ProjectName does not exist.",
		},

		{
			agent(`{"Enabled":true}`), 400, "InvalidAllowedUpgradeWindow.Required",
			"The specified parameter AgentUpgradeConfig.AllowedUpgradeWindow is required.",
		},
		{
			windows(hour + strings.Repeat(","+hour, 5)), 403, "InvalidAllowedUpgradeWindow.CountLimitExceeded",
			"The count of the parameter AgentUpgradeConfig.AllowedUpgradeWindow exceeds the limit of 5.",
		},
		{windows(hour + strings.Repeat(","+hour, 4)), 200, "", ""},
		{windows(`"01:00-02:00","01:00-01:59"`), 400, "InvalidAllowedUpgradeWindow.DurationTooShort", tooShort},
		{windows(`"23:30-00:29"`), 400, "InvalidAllowedUpgradeWindow.DurationTooShort", tooShort},
		{windows(`"05:00-05:00"`), 400, "InvalidAllowedUpgradeWindow.DurationTooShort", tooShort},
		{windows(`"23:30-00:30"`), 200, "", ""},
		{windows(`"00:00-23:59"`), 200, "", ""},
		{windows(`"1:00-02:00"`), 400, "InvalidParameter.AllowedUpgradeWindow", badWindow},
		{windows(`"01:00-24:00"`), 400, "InvalidParameter.AllowedUpgradeWindow", badWindow},
		{windows(`"01:60-03:00"`), 400, "InvalidParameter.AllowedUpgradeWindow", badWindow},
		{windows(`"01:00 - 02:00"`), 400, "InvalidParameter.AllowedUpgradeWindow", badWindow},
		{windows(`""`), 400, "InvalidParameter.AllowedUpgradeWindow", badWindow},
		{zone("Mars/Olympus"), 400, "InvalidParameter.TimeZone", badZone},
		{zone("Local"), 400, "InvalidParameter.TimeZone", badZone},
		{zone(""), 400, "InvalidParameter.TimeZone", badZone},
		{zone("../../etc/passwd"), 400, "InvalidParameter.TimeZone", badZone},
		{zone("GMT+08:00"), 400, "InvalidParameter.TimeZone", badZone},
		{zone("GMT+15:00"), 400, "InvalidParameter.TimeZone", badZone},
		{zone("GMT+8:60"), 400, "InvalidParameter.TimeZone", badZone},
		{zone("GMT-14:59"), 200, "", ""},
		{zone("Asia/Shanghai"), 200, "", ""},
		{zone("UTC"), 200, "", ""},

		{usage(`{"CpuLimit":9}`), 400, "InvalidParameter.CpuLimit", "The specified parameter ResourceUsageConfig.CpuLimit is not valid."},
		{usage(`{"CpuLimit":96}`), 400, "InvalidParameter.CpuLimit", "The specified parameter ResourceUsageConfig.CpuLimit is not valid."},
		{usage(`{"CpuLimit":9223372036854775807}`), 400, "InvalidParameter.CpuLimit", "The specified parameter ResourceUsageConfig.CpuLimit is not valid."},
		{usage(`{"CpuLimit":10}`), 200, "", ""},
		{usage(`{"CpuLimit":95}`), 200, "", ""},
		{usage(`{"MemoryLimit":"34MB"}`), 400, "InvalidParameter.MemoryLimit", "The specified parameter ResourceUsageConfig.MemoryLimit is not valid."},
		{usage(`{"MemoryLimit":"36700159B"}`), 400, "InvalidParameter.MemoryLimit", "The specified parameter ResourceUsageConfig.MemoryLimit is not valid."},
		{usage(`{"MemoryLimit":"1025MB"}`), 400, "InvalidParameter.MemoryLimit", "The specified parameter ResourceUsageConfig.MemoryLimit is not valid."},
		{usage(`{"MemoryLimit":"50"}`), 400, "InvalidParameter.MemoryLimit", "The specified parameter ResourceUsageConfig.MemoryLimit is not valid."},
		{usage(`{"MemoryLimit":"50GB"}`), 400, "InvalidParameter.MemoryLimit", "The specified parameter ResourceUsageConfig.MemoryLimit is not valid."},
		{usage(`{"MemoryLimit":"35MB"}`), 200, "", ""},
		{usage(`{"MemoryLimit":"1024MB"}`), 200, "", ""},
		{usage(`{"OverloadLimit":2}`), 400, "InvalidParameter.OverloadLimit", "The specified parameter ResourceUsageConfig.OverloadLimit is not valid."},
		{usage(`{"OverloadLimit":3}`), 200, "", ""},
		{usage(`{"LogFileCountLimit":6}`), 400, "InvalidParameter.LogFileCountLimit", "The specified parameter ResourceUsageConfig.LogFileCountLimit is not valid."},
		{usage(`{"LogFileCountLimit":366}`), 400, "InvalidParameter.LogFileCountLimit", "The specified parameter ResourceUsageConfig.LogFileCountLimit is not valid."},
		{usage(`{"LogFileCountLimit":365}`), 200, "", ""},
		{usage(`{"LogSizeLimit":"10239KB"}`), 400, "InvalidParameter.LogSizeLimit", "The specified parameter ResourceUsageConfig.LogSizeLimit is not valid."},
		{usage(`{"LogSizeLimit":"1025MB"}`), 400, "InvalidParameter.LogSizeLimit", "The specified parameter ResourceUsageConfig.LogSizeLimit is not valid."},
		{usage(`{"LogSizeLimit":"10240KB"}`), 200, "", ""},
	} {
		a := c.Call("ModifyCloudAssistantSettings", m.params)
		if a.Status != m.status || a.Code != m.code || a.Text != m.message {
			t.Errorf("%.200v:\ngot  %d %s %s\nwant %d %s %s", m.params, a.Status, a.Code, a.Text, m.status, m.code, m.message)
		}
	}
	// The last of each that were fine are what holds.
	if diff := cmp.Diff(upgrade(true, "UTC", true, false, "00:00-23:59"), described(t, c, "AgentUpgradeConfig")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for p, code := range map[string]string{"": "MissingSettingType", "Colour": "InvalidParameter.SettingType"} {
		params := caller.Params{"SettingType.1": "AgentUpgradeConfig", "SettingType.2": p}
		if p == "" {
			params = nil
		}
		if a := c.Call("DescribeCloudAssistantSettings", params); a.Status != 400 || a.Code != code {
			t.Errorf("type %q: %d %s", p, a.Status, a.Code)
		}
	}
	a := c.Call("DescribeCloudAssistantSettings", caller.Params{"SettingType.1": "SessionManagerConfig", "RegionId": "atlantis"})
	if a.Status != 404 || a.Text != "The specified parameter RegionId does not exist." {
		t.Errorf("unknown region: %d %s", a.Status, a.Text)
	}
}

const (
	tooShort  = "The duration of the specified parameter AgentUpgradeConfig.AllowedUpgradeWindow cannot be less than one hour."
	badWindow = "The specified parameter AgentUpgradeConfig.AllowedUpgradeWindow is not valid."
	badZone   = "The specified parameter AgentUpgradeConfig.TimeZone is not valid."
)
