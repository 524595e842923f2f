package ecs

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"errand/internal/api/alibaba"
	"errand/internal/core"
)

// Types of settings.
const (
	sessionManagerDelivery = "SessionManagerDelivery"
	invocationDelivery     = "InvocationDelivery"
	agentUpgrade           = "AgentUpgradeConfig"
	sessionManager         = "SessionManagerConfig"
	resourceUsage          = "ResourceUsageConfig"
)

// Words for what is delivered.
const (
	deliveredInvocations = "Invocation"
	deliveredSessions    = "SessionManager"
)

func (d *Dialect) describeCloudAssistantSettings(
	ctx context.Context, c core.Caller, req *describeCloudAssistantSettingsRequest,
) (*describeCloudAssistantSettingsResponse, error) {
	if len(req.SettingType) == 0 {
		return nil, alibaba.Missing("SettingType")
	}
	settings, err := d.service.Settings(ctx, c)
	if err != nil {
		return nil, err
	}
	resp := &describeCloudAssistantSettingsResponse{}
	seen := map[string]bool{}
	for _, kind := range req.SettingType {
		if seen[kind] {
			continue
		}
		seen[kind] = true
		switch kind {
		case sessionManagerDelivery:
			resp.show(deliveredSessions, &settings.SessionDelivery)
		case invocationDelivery:
			resp.show(deliveredInvocations, &settings.InvocationDelivery)
		case agentUpgrade:
			resp.AgentUpgradeConfig = showUpgrade(&settings.AgentUpgrade)
		case sessionManager:
			resp.SessionManagerConfig = &shownSessions{SessionManagerEnabled: settings.Sessions.Enabled}
		case resourceUsage:
			resp.ResourceUsageConfig = showUsage(&settings.ResourceUsage)
		default:
			return nil, noSetting(kind)
		}
	}
	return resp, nil
}

func noSetting(kind string) error {
	return alibaba.Invalid(core.ReasonInvalidValue, "SettingType", fmt.Sprintf("no settings of type %.64q", kind))
}

func (r *describeCloudAssistantSettingsResponse) show(what string, d *core.Delivery) {
	if r.OssDeliveryConfigs == nil {
		r.OssDeliveryConfigs, r.SlsDeliveryConfigs = &ossDeliveryShown{}, &slsDeliveryShown{}
	}
	b, l := &d.Bucket, &d.Log
	r.OssDeliveryConfigs.OssDeliveryConfig = append(r.OssDeliveryConfigs.OssDeliveryConfig, shownOSSDelivery{
		DeliveryType: what, Enabled: b.Enabled, BucketName: b.Bucket, Prefix: b.Prefix, EncryptionType: encryptionTypes[b.Encryption],
		EncryptionAlgorithm: b.Algorithm, EncryptionKeyId: b.KeyID,
	})
	r.SlsDeliveryConfigs.SlsDeliveryConfig = append(r.SlsDeliveryConfigs.SlsDeliveryConfig, shownSLSDelivery{
		DeliveryType: what, Enabled: l.Enabled, ProjectName: l.Project, LogstoreName: l.Store,
	})
}

// encryptionTypes is the vendor's word for each encryption.
var encryptionTypes = map[core.Encryption]string{
	core.EncryptInherit: "Inherit",
	core.EncryptManaged: "OssManaged",
	core.EncryptKMS:     "KMS",
}

// encryption reads the vendor's word; what is none stays as it is, for the core to refuse.
func encryption(word string) core.Encryption {
	for e, w := range encryptionTypes {
		if w == word {
			return e
		}
	}
	return core.Encryption("unknown " + word)
}

func showUpgrade(u *core.AgentUpgrade) *shownUpgrade {
	windows := make([]string, len(u.Windows))
	for i, w := range u.Windows {
		windows[i] = fmt.Sprintf("%02d:%02d-%02d:%02d", w.From/60, w.From%60, w.To/60, w.To%60)
	}
	return &shownUpgrade{
		Enabled: u.Custom, AllowedUpgradeWindows: upgradeWindows{windows}, TimeZone: u.Zone, BootstrapUpgrade: u.AtStart,
		DisableUpgrade: u.Disabled,
	}
}

func showUsage(u *core.ResourceUsage) *shownUsage {
	return &shownUsage{
		CpuLimit: int64(u.CPU), MemoryLimit: showSize(u.Memory), OverloadLimit: int64(u.Overloads), LogFileCountLimit: int64(u.LogFiles),
		LogSizeLimit: showSize(u.LogSize), KeepScriptFile: u.KeepScripts,
	}
}

// modifyCloudAssistantSettings changes one type of settings.
func (d *Dialect) modifyCloudAssistantSettings(
	ctx context.Context, c core.Caller, req *modifyCloudAssistantSettingsRequest,
) (*alibaba.Reply, error) {
	change, err := req.change()
	if err != nil {
		return nil, err
	}
	return &alibaba.Reply{}, d.service.ChangeSettings(ctx, c, change)
}

// change finds the structure that belongs to the type; the others are not looked at.
func (req *modifyCloudAssistantSettingsRequest) change() (func(*core.AccountSettings) error, error) {
	switch req.SettingType {
	case sessionManagerDelivery, invocationDelivery:
		if req.OssDeliveryConfig == nil && req.SlsDeliveryConfig == nil {
			return nil, alibaba.Missing("OssDeliveryConfig")
		}
		return func(s *core.AccountSettings) error {
			delivery := &s.InvocationDelivery
			if req.SettingType == sessionManagerDelivery {
				delivery = &s.SessionDelivery
			}
			req.OssDeliveryConfig.apply(&delivery.Bucket)
			req.SlsDeliveryConfig.apply(&delivery.Log)
			return nil
		}, nil
	case agentUpgrade:
		if req.AgentUpgradeConfig == nil {
			return nil, alibaba.Missing(agentUpgrade)
		}
		return func(s *core.AccountSettings) error { return req.AgentUpgradeConfig.apply(&s.AgentUpgrade) }, nil
	case sessionManager:
		if req.SessionManagerConfig == nil {
			return nil, alibaba.Missing(sessionManager)
		}
		return func(s *core.AccountSettings) error {
			set(&s.Sessions.Enabled, req.SessionManagerConfig.SessionManagerEnabled)
			return nil
		}, nil
	case resourceUsage:
		if req.ResourceUsageConfig == nil {
			return nil, alibaba.Missing(resourceUsage)
		}
		return func(s *core.AccountSettings) error { return req.ResourceUsageConfig.apply(&s.ResourceUsage) }, nil
	default:
		return nil, noSetting(req.SettingType)
	}
}

// set takes over a value that was sent.
func set[T any](field, sent *T) {
	if sent != nil {
		*field = *sent
	}
}

func (c *ossDeliveryConfig) apply(b *core.BucketDelivery) {
	if c == nil {
		return
	}
	set(&b.Enabled, c.Enabled)
	set(&b.Bucket, c.BucketName)
	set(&b.Prefix, c.Prefix)
	set(&b.Algorithm, c.EncryptionAlgorithm)
	set(&b.KeyID, c.EncryptionKeyId)
	if c.EncryptionType != nil {
		b.Encryption = encryption(*c.EncryptionType)
		if b.Encryption != core.EncryptKMS && c.EncryptionKeyId == nil {
			b.KeyID = "" // of the encryption before
		}
	}
}

func (c *slsDeliveryConfig) apply(l *core.LogDelivery) {
	if c == nil {
		return
	}
	set(&l.Enabled, c.Enabled)
	set(&l.Project, c.ProjectName)
	set(&l.Store, c.LogstoreName)
}

func (c *agentUpgradeConfig) apply(u *core.AgentUpgrade) error {
	set(&u.Custom, c.Enabled)
	set(&u.Zone, c.TimeZone)
	set(&u.AtStart, c.BootstrapUpgrade)
	set(&u.Disabled, c.DisableUpgrade)
	if c.AllowedUpgradeWindow == nil {
		return nil
	}
	u.Windows = make([]core.DailyWindow, len(*c.AllowedUpgradeWindow))
	for i, text := range *c.AllowedUpgradeWindow {
		var ok bool
		if u.Windows[i], ok = parseWindow(text); !ok {
			return alibaba.Invalid(core.ReasonInvalidValue, core.FieldUpgradeWindows, "not HH:mm-HH:mm")
		}
	}
	return nil
}

var windowForm = regexp.MustCompile(`^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$`)

// parseWindow reads HH:mm-HH:mm.
func parseWindow(text string) (core.DailyWindow, bool) {
	m := windowForm.FindStringSubmatch(text)
	if m == nil {
		return core.DailyWindow{}, false
	}
	var n [4]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // two digits
	}
	return core.DailyWindow{From: n[0]*60 + n[1], To: n[2]*60 + n[3]}, true
}

func (c *resourceUsageConfig) apply(u *core.ResourceUsage) error {
	for _, size := range []struct {
		field *int64
		sent  *string
		name  string
	}{{&u.Memory, c.MemoryLimit, core.FieldMemory}, {&u.LogSize, c.LogSizeLimit, core.FieldLogSize}} {
		if size.sent == nil {
			continue
		}
		n, ok := parseSize(*size.sent)
		if !ok {
			return alibaba.Invalid(core.ReasonInvalidValue, size.name, "not a number with a unit")
		}
		*size.field = n
	}
	for _, number := range []struct {
		field *int
		sent  *int64
	}{{&u.CPU, c.CpuLimit}, {&u.Overloads, c.OverloadLimit}, {&u.LogFiles, c.LogFileCountLimit}} {
		if number.sent != nil {
			*number.field = int(min(max(*number.sent, math.MinInt32), math.MaxInt32)) // still out of every range
		}
	}
	set(&u.KeepScripts, c.KeepScriptFile)
	return nil
}

// sizeUnits are the vendor's, largest first.
var sizeUnits = []struct {
	word  string
	bytes int64
}{{"MB", 1 << 20}, {"KB", 1 << 10}, {"B", 1}}

var sizeForm = regexp.MustCompile(`^(\d{1,12})\s*([A-Z]+)$`)

// parseSize reads a number with its unit.
func parseSize(text string) (int64, bool) {
	m := sizeForm.FindStringSubmatch(strings.ToUpper(text))
	if m == nil {
		return 0, false
	}
	n, _ := strconv.ParseInt(m[1], 10, 64) // twelve digits
	for _, u := range sizeUnits {
		if u.word == m[2] {
			return n * u.bytes, true
		}
	}
	return 0, false
}

// showSize writes a size in the largest unit that leaves no fraction.
func showSize(n int64) string {
	for _, u := range sizeUnits {
		if n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.word
		}
	}
	return ""
}
