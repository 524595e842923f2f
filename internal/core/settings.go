package core

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// AccountSettings is what an account has decided about its agents, terminals and deliveries. It is made of groups, which are kept one by
// one; a group that was never changed has the values of DefaultSettings.
//
// Defaults and bounds are those of Alibaba, the only vendor with such settings.
// https://www.alibabacloud.com/help/en/ecs/developer-reference/api-ecs-2014-05-26-modifycloudassistantsettings
type AccountSettings struct {
	AgentUpgrade       AgentUpgrade
	Sessions           SessionSettings
	ResourceUsage      ResourceUsage
	InvocationDelivery Delivery // of what commands print
	SessionDelivery    Delivery // of what happens in terminals
}

// AgentUpgrade says when agents may replace themselves by a newer version.
type AgentUpgrade struct {
	Disabled bool          // never
	Custom   bool          // only within Windows; otherwise whenever there is a newer version
	Windows  []DailyWindow // at most 5 of at least an hour each
	Zone     string        // of Windows: a name of the time zone database, or GMT+h:mm
	AtStart  bool          // also look for a newer version when the agent starts
}

// DailyWindow is a stretch of every day, in minutes since midnight. One whose To is not after From ends on the next day.
type DailyWindow struct{ From, To int }

// Minutes is how long the window is.
func (w DailyWindow) Minutes() int { return (w.To - w.From + minutesADay) % minutesADay }

const (
	minutesADay       = 24 * 60
	maxUpgradeWindows = 5
	minUpgradeWindow  = 60 // minutes
)

// SessionSettings says whether terminals may be opened.
type SessionSettings struct{ Enabled bool }

// ResourceUsage is what an agent may use for itself. Commands are not counted.
type ResourceUsage struct {
	CPU         int   // percent of one core, 10 to 95
	Memory      int64 // bytes, 35 to 1024 MiB
	Overloads   int   // how many times in a row it may exceed either before it stops itself; at least 3
	LogFiles    int   // how many it keeps, 7 to 365
	LogSize     int64 // bytes of one log file, 10 to 1024 MiB
	KeepScripts bool  // the scripts of commands stay on disk after they ended
}

// Delivery says where copies of records go.
type Delivery struct {
	Bucket BucketDelivery
	Log    LogDelivery
}

// BucketDelivery is a place in an object store.
type BucketDelivery struct {
	Enabled    bool
	Bucket     string
	Prefix     string // at most 254 characters, not beginning with a slash of either kind
	Encryption Encryption
	Algorithm  string // AES256 or SM4; empty leaves it to the store
	KeyID      string // of the key, with EncryptKMS; empty means the store's default
}

// Encryption is how an object store encrypts what it is given.
type Encryption string

// The encryptions.
const (
	EncryptInherit Encryption = "inherit" // as the bucket does
	EncryptManaged Encryption = "managed" // under keys of the store
	EncryptKMS     Encryption = "kms"     // under a key of a key management service
)

const (
	aes256 = "AES256"
	sm4    = "SM4"
)

// LogDelivery is a place in a log service.
type LogDelivery struct {
	Enabled        bool
	Project, Store string
}

// Names of settings in refusals.
const (
	FieldUpgradeWindows = "upgrade-windows"
	FieldUpgradeZone    = "upgrade-zone"
	FieldCPU            = "cpu"
	FieldMemory         = "memory"
	FieldOverloads      = "overloads"
	FieldLogFiles       = "log-files"
	FieldLogSize        = "log-size"
	FieldBucket         = "bucket"
	FieldPrefix         = "prefix"
	FieldEncryption     = "encryption"
	FieldAlgorithm      = "encryption-algorithm"
	FieldKeyID          = "encryption-key"
	FieldLogProject     = "log-project"
	FieldLogStore       = "log-store"
	FieldSessions       = "session-delivery"
)

// DefaultSettings are the settings of an account that never changed any.
func DefaultSettings() AccountSettings {
	return AccountSettings{
		AgentUpgrade:       AgentUpgrade{Zone: "UTC", AtStart: true},
		Sessions:           SessionSettings{Enabled: true},
		ResourceUsage:      ResourceUsage{CPU: 20, Memory: 50 << 20, Overloads: 3, LogFiles: 30, LogSize: 100 << 20},
		InvocationDelivery: Delivery{Bucket: BucketDelivery{Encryption: EncryptInherit}},
		SessionDelivery:    Delivery{Bucket: BucketDelivery{Encryption: EncryptInherit}},
	}
}

// Settings keeps what accounts have decided, in named groups of JSON.
type Settings interface {
	// AccountSettings returns the groups that an account ever changed, by name.
	AccountSettings(ctx context.Context, account AccountID) (map[string][]byte, error)
	// ChangeAccountSettings reads the groups of an account, lets change decide and writes those that it returns, in one transaction.
	ChangeAccountSettings(
		ctx context.Context, account AccountID, now time.Time, change func(map[string][]byte) (map[string][]byte, error),
	) error
}

// Settings returns the settings of the caller's account.
func (s *Service) Settings(ctx context.Context, c Caller) (AccountSettings, error) {
	if err := c.Allow("settings.read", nil); err != nil {
		return AccountSettings{}, err
	}
	return s.settings(ctx, c.Account)
}

// settings returns the settings of an account, for operations that go by them.
func (s *Service) settings(ctx context.Context, account AccountID) (AccountSettings, error) {
	stored, err := s.store.AccountSettings(ctx, account)
	if err != nil {
		return AccountSettings{}, err
	}
	return readSettings(stored)
}

// ChangeSettings lets change decide about the settings of the caller's account. Groups that it changes are checked, and either all changes are
// kept or none.
func (s *Service) ChangeSettings(ctx context.Context, c Caller, change func(*AccountSettings) error) error {
	if err := c.Allow("settings.modify", nil); err != nil {
		return err
	}
	return s.store.ChangeAccountSettings(ctx, c.Account, s.Now(), func(stored map[string][]byte) (map[string][]byte, error) {
		settings, err := readSettings(stored)
		if err != nil {
			return nil, err
		}
		before, err := settings.encode()
		if err != nil {
			return nil, err
		}
		if err := change(&settings); err != nil {
			return nil, err
		}
		after, err := settings.encode()
		if err != nil {
			return nil, err
		}
		for _, g := range settings.groups() {
			if bytes.Equal(before[g.name], after[g.name]) {
				delete(after, g.name)
			} else if err := g.values.check(); err != nil {
				return nil, err
			}
		}
		return after, nil
	})
}

// settingsGroup is a part of the settings that is kept by itself, under its name.
type settingsGroup struct {
	name   string
	values interface{ check() error }
}

func (a *AccountSettings) groups() []settingsGroup {
	return []settingsGroup{
		{"agent-upgrade", &a.AgentUpgrade},
		{"sessions", &a.Sessions},
		{"resource-usage", &a.ResourceUsage},
		{"invocation-delivery", &a.InvocationDelivery},
		{"session-delivery", (*sessionDelivery)(&a.SessionDelivery)},
	}
}

func (a *AccountSettings) encode() (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, g := range a.groups() {
		var err error
		if out[g.name], err = json.Marshal(g.values); err != nil {
			return nil, fmt.Errorf("settings %s: %w", g.name, err)
		}
	}
	return out, nil
}

// readSettings puts what is stored on top of the defaults, so that a field that is younger than the stored group has its default.
func readSettings(stored map[string][]byte) (AccountSettings, error) {
	settings := DefaultSettings()
	for _, g := range settings.groups() {
		if text, ok := stored[g.name]; ok {
			if err := json.Unmarshal(text, g.values); err != nil {
				return settings, fmt.Errorf("settings %s: %w", g.name, err)
			}
		}
	}
	return settings, nil
}

func (u *AgentUpgrade) check() error {
	switch {
	case u.Custom && len(u.Windows) == 0:
		return invalid(ReasonMissing, FieldUpgradeWindows, "no window to upgrade in")
	case len(u.Windows) > maxUpgradeWindows:
		return limited(ReasonTooLong, FieldUpgradeWindows, "more than %d", maxUpgradeWindows)
	case !validZone(u.Zone):
		return invalid(ReasonInvalidValue, FieldUpgradeZone, "unknown time zone %q", u.Zone)
	}
	for _, w := range u.Windows {
		switch {
		case w.From < 0 || w.From >= minutesADay || w.To < 0 || w.To >= minutesADay:
			return invalid(ReasonInvalidValue, FieldUpgradeWindows, "not minutes of a day")
		case w.Minutes() < minUpgradeWindow:
			return invalid(ReasonTooSmall, FieldUpgradeWindows, "shorter than an hour")
		}
	}
	return nil
}

// gmtOffset is a distance from UTC the way Alibaba writes it: no zero before the hour.
var gmtOffset = regexp.MustCompile(`^GMT[+-](\d|1[0-4]):[0-5]\d$`)

// validZone reports whether this is the name of a time zone. The zone of this machine has names too, but they mean nothing elsewhere.
func validZone(name string) bool {
	if name == "UTC" || gmtOffset.MatchString(name) {
		return true
	}
	_, err := time.LoadLocation(name)
	return err == nil && strings.Contains(name, "/")
}

func (*SessionSettings) check() error { return nil }

func (u *ResourceUsage) check() error {
	within := func(field string, n, least, most int64) error {
		switch {
		case n < least:
			return invalid(ReasonTooSmall, field, "%d is less than %d", n, least)
		case n > most:
			return invalid(ReasonTooLarge, field, "%d is more than %d", n, most)
		}
		return nil
	}
	const many = 1 << 20 // more would mean never
	for _, err := range []error{
		within(FieldCPU, int64(u.CPU), 10, 95),
		within(FieldMemory, u.Memory, 35<<20, 1024<<20),
		within(FieldOverloads, int64(u.Overloads), 3, many),
		within(FieldLogFiles, int64(u.LogFiles), 7, 365),
		within(FieldLogSize, u.LogSize, 10<<20, 1024<<20),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Delivery) check() error {
	if err := d.Bucket.check(); err != nil {
		return err
	}
	return d.Log.check()
}

const (
	maxDeliveryPrefix = 254 // characters
	maxDeliveryKeyID  = 256 // bytes; no vendor says
)

var (
	bucketName   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	projectName  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)
	logstoreName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,61}[a-z0-9]$`)
)

func (d *BucketDelivery) check() error {
	switch {
	case (d.Enabled || d.Bucket != "") && !bucketName.MatchString(d.Bucket):
		return invalid(ReasonInvalidValue, FieldBucket, "%q is no name of a bucket", d.Bucket)
	case utf8.RuneCountInString(d.Prefix) > maxDeliveryPrefix:
		return invalid(ReasonTooLong, FieldPrefix, "more than %d characters", maxDeliveryPrefix)
	case strings.HasPrefix(d.Prefix, "/"), strings.HasPrefix(d.Prefix, `\`), !printable(d.Prefix):
		return invalid(ReasonInvalidValue, FieldPrefix, "begins with a slash, or has control characters")
	case !slices.Contains([]Encryption{EncryptInherit, EncryptManaged, EncryptKMS}, d.Encryption):
		return invalid(ReasonInvalidValue, FieldEncryption, "unknown encryption %q", d.Encryption)
	case !slices.Contains([]string{"", aes256, sm4}, d.Algorithm):
		return invalid(ReasonInvalidValue, FieldAlgorithm, "unknown algorithm %q", d.Algorithm)
	case d.KeyID != "" && d.Encryption != EncryptKMS, len(d.KeyID) > maxDeliveryKeyID, !printable(d.KeyID):
		return invalid(ReasonInvalidValue, FieldKeyID, "no key for this encryption")
	case d.Enabled && d.Algorithm == sm4: // the protocol by which object stores are reached has no word for it
		return unsupported(FieldAlgorithm, "object stores are not asked for SM4")
	}
	return nil
}

// check refuses to switch the delivery on, because no log service is attached to this program: what is promised here would never arrive.
func (d *LogDelivery) check() error {
	switch {
	case (d.Enabled || d.Project != "") && !projectName.MatchString(d.Project):
		return invalid(ReasonInvalidValue, FieldLogProject, "%q is no name of a project", d.Project)
	case (d.Enabled || d.Store != "") && !logstoreName.MatchString(d.Store):
		return invalid(ReasonInvalidValue, FieldLogStore, "%q is no name of a log store", d.Store)
	case d.Enabled:
		return unsupported(FieldLogProject, "there is no log service")
	}
	return nil
}

// sessionDelivery is the Delivery of what happens in terminals, of which nothing is recorded.
type sessionDelivery Delivery

func (d *sessionDelivery) check() error {
	if err := (*Delivery)(d).check(); err != nil {
		return err
	}
	if d.Bucket.Enabled {
		return unsupported(FieldSessions, "terminals are not recorded")
	}
	return nil
}

func unsupported(field, detail string) error {
	return &Error{Code: CodeInvalid, Reason: ReasonUnsupported, Field: field, Detail: detail}
}
