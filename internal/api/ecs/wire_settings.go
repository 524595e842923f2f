package ecs

import "errand/internal/api/alibaba"

type installCloudAssistantRequest struct {
	located
	InstanceId []string
}

type listPluginStatusRequest struct {
	located
	paging
	InstanceId []string
	Name       string
}

type listPluginStatusResponse struct {
	alibaba.Reply
	paged
	InstancePluginStatusSet instancePluginSet
}

type instancePluginSet struct{ InstancePluginStatus []instancePlugins }

type instancePlugins struct {
	InstanceId      string
	PluginStatusSet pluginSet
}

type pluginSet struct{ PluginStatus []plugin }

type plugin struct {
	PluginName         string
	PluginVersion      string
	PluginStatus       string
	FirstHeartbeatTime string
	LastHeartbeatTime  string
}

type describeCloudAssistantSettingsRequest struct {
	located
	SettingType []string
}

// describeCloudAssistantSettingsResponse has only the structures that were asked for.
type describeCloudAssistantSettingsResponse struct {
	alibaba.Reply
	AgentUpgradeConfig   *shownUpgrade     `json:",omitempty"`
	SessionManagerConfig *shownSessions    `json:",omitempty"`
	ResourceUsageConfig  *shownUsage       `json:",omitempty"`
	OssDeliveryConfigs   *ossDeliveryShown `json:",omitempty"`
	SlsDeliveryConfigs   *slsDeliveryShown `json:",omitempty"`
}

type shownUpgrade struct {
	Enabled               bool
	AllowedUpgradeWindows upgradeWindows
	TimeZone              string
	BootstrapUpgrade      bool
	DisableUpgrade        bool
}

type upgradeWindows struct{ AllowedUpgradeWindow []string }

type shownSessions struct{ SessionManagerEnabled bool }

type shownUsage struct {
	CpuLimit          int64  // percent
	MemoryLimit       string // with its unit
	OverloadLimit     int64
	LogFileCountLimit int64
	LogSizeLimit      string // with its unit
	KeepScriptFile    bool
}

type ossDeliveryShown struct{ OssDeliveryConfig []shownOSSDelivery }

type shownOSSDelivery struct {
	DeliveryType        string
	Enabled             bool
	BucketName          string
	Prefix              string
	EncryptionType      string
	EncryptionAlgorithm string
	EncryptionKeyId     string
}

type slsDeliveryShown struct{ SlsDeliveryConfig []shownSLSDelivery }

type shownSLSDelivery struct {
	DeliveryType string
	Enabled      bool
	ProjectName  string
	LogstoreName string
}

// modifyCloudAssistantSettingsRequest has one of the structures, the one that SettingType names; the two deliveries share two. What is
// not sent stays as it is.
type modifyCloudAssistantSettingsRequest struct {
	located
	SettingType          string `alibaba:"required"`
	OssDeliveryConfig    *ossDeliveryConfig
	SlsDeliveryConfig    *slsDeliveryConfig
	AgentUpgradeConfig   *agentUpgradeConfig
	SessionManagerConfig *sessionManagerConfig
	ResourceUsageConfig  *resourceUsageConfig
}

type ossDeliveryConfig struct {
	Enabled             *bool
	BucketName          *string
	Prefix              *string
	EncryptionType      *string
	EncryptionAlgorithm *string
	EncryptionKeyId     *string
}

type slsDeliveryConfig struct {
	Enabled      *bool
	ProjectName  *string
	LogstoreName *string
}

type agentUpgradeConfig struct {
	Enabled              *bool
	AllowedUpgradeWindow *[]string
	TimeZone             *string
	BootstrapUpgrade     *bool
	DisableUpgrade       *bool
}

type sessionManagerConfig struct{ SessionManagerEnabled *bool }

type resourceUsageConfig struct {
	CpuLimit          *int64
	MemoryLimit       *string
	OverloadLimit     *int64
	LogFileCountLimit *int64
	LogSizeLimit      *string
	KeepScriptFile    *bool
}
