package core_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// script stores a command and returns its id.
func script(t *testing.T, s *core.Service, c core.Caller, d core.Definition) core.ID {
	t.Helper()
	if d.Type == "" {
		d.Type = core.Shell
	}
	if d.Content == nil {
		d.Content = []byte("true")
	}
	d.Name, d.Timeout = core.NewSecret(), time.Minute
	cmd, err := s.CreateCommand(t.Context(), c, core.CommandSpec{Definition: d})
	if err != nil {
		t.Fatal(err)
	}
	return cmd.ID
}

// needy is a style whose parameters must have values.
var needy = core.ParamStyle{Required: true}

func TestCreateSchedule(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Online(s.Node("a"), s.NodeOn(core.Windows, "win"))
	s.Node("unseen")
	plain := script(t, s.Service, s.Caller, core.Definition{})
	greet := script(t, s.Service, s.Caller, core.Definition{Content: []byte("echo {{who}}"), ParamsEnabled: true})
	good := func() core.ScheduleSpec {
		return core.ScheduleSpec{
			Origin: core.OriginTAT, Region: "r", Name: "n", Command: greet, Trigger: core.Trigger{Crontab: "0 0 1 * *"},
			Targets: []string{"a", "unseen", "a"}, Params: map[string]string{"who": "me"}, User: "ubuntu", Style: needy, KillTree: true,
			DeliverWithin: time.Minute, Tags: []core.Tag{{Key: "k", Value: "v"}}, Extra: map[string]string{"x": "y"},
			Limits: core.Limits{Targets: 3, Tags: 1, User: 6},
		}
	}
	now := s.Now()
	got, err := s.Service.CreateSchedule(t.Context(), s.Caller, good())
	if err != nil {
		t.Fatal(err)
	}
	want := core.Schedule{
		ID: got.ID, Account: scene.Account, Principal: core.RootUser, Region: "r", Origin: core.OriginTAT, Name: "n",
		Trigger: core.Trigger{Crontab: "0 0 1 * *"}, Enabled: true, Next: time.Date(2026, 11, 30, 16, 0, 0, 0, time.UTC), // UTC+8
		Command: greet, Targets: []string{"a", "unseen"}, Params: map[string]string{"who": "me"}, User: "ubuntu", Style: needy, KillTree: true,
		DeliverWithin: time.Minute, Revision: 1, Tags: []core.Tag{{Key: "k", Value: "v"}}, Extra: map[string]string{"x": "y"},
		CreatedAt: now, UpdatedAt: now,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if rows, _, err := s.Service.Schedules(t.Context(), s.Caller, core.ScheduleFilter{}, core.PageSpec{Limit: 9}); err != nil ||
		len(rows) != 1 || cmp.Diff(want, rows[0].Schedule) != "" {
		t.Errorf("stored: %v, %+v", err, rows)
	}

	for name, try := range map[string]struct {
		change func(*core.ScheduleSpec)
		reason core.Reason
	}{
		"no trigger":         {func(o *core.ScheduleSpec) { o.Trigger = core.Trigger{} }, core.ReasonScheduleMissing},
		"bad crontab":        {func(o *core.ScheduleSpec) { o.Crontab = "0 0 * *" }, core.ReasonScheduleInvalid},
		"never":              {func(o *core.ScheduleSpec) { o.Crontab = "0 0 30 2 *" }, core.ReasonScheduleInvalid},
		"now":                {func(o *core.ScheduleSpec) { o.Trigger = core.Trigger{At: now} }, core.ReasonScheduleExpired},
		"over":               {func(o *core.ScheduleSpec) { o.Trigger = core.Trigger{At: now.Add(-time.Hour)} }, core.ReasonScheduleExpired},
		"no command":         {func(o *core.ScheduleSpec) { o.Command = 1 }, core.ReasonCommandNotFound},
		"no value":           {func(o *core.ScheduleSpec) { o.Params = nil }, core.ReasonParamMissing},
		"values for nothing": {func(o *core.ScheduleSpec) { o.Command = plain }, core.ReasonParamsDisabled},
		"no targets":         {func(o *core.ScheduleSpec) { o.Targets = nil }, core.ReasonTargetsMissing},
		"too many targets":   {func(o *core.ScheduleSpec) { o.Limits.Targets = 1 }, core.ReasonTargetsTooMany},
		"unknown target":     {func(o *core.ScheduleSpec) { o.Targets = []string{"a", "b"} }, core.ReasonTargetNotFound},
		"other platform":     {func(o *core.ScheduleSpec) { o.Targets = []string{"win"} }, core.ReasonTargetPlatform},
		"never seen":         {func(o *core.ScheduleSpec) { o.NeedOnline = true }, core.ReasonTargetNeverSeen},
		"user":               {func(o *core.ScheduleSpec) { o.User = "ubuntu1" }, core.ReasonUserTooLong},
		"user, unprintable":  {func(o *core.ScheduleSpec) { o.User = "a\n" }, core.ReasonUserInvalid},
		"tags":               {func(o *core.ScheduleSpec) { o.Tags = append(o.Tags, core.Tag{Key: "l"}) }, core.ReasonTagCount},
	} {
		spec := good()
		try.change(&spec)
		if _, err := s.Service.CreateSchedule(t.Context(), s.Caller, spec); !try.reason.Is(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Advance(3 * time.Minute)
	spec := good()
	spec.Targets, spec.NeedOnline = []string{"a"}, true
	if _, err := s.Service.CreateSchedule(t.Context(), s.Caller, spec); !core.ReasonTargetOffline.Is(err) {
		t.Errorf("offline: %v", err)
	}
	stranger := core.Caller{Account: scene.Account, Principal: "stranger"}
	if _, err := s.Service.CreateSchedule(t.Context(), stranger, good()); !core.ReasonDenied.Is(err) {
		t.Errorf("without rights: %v", err)
	}
}

func TestChangeSchedule(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Online(s.Node("a"), s.Node("gone"), s.NodeOn(core.Windows, "win"))
	s.Node("unseen")
	plain := script(t, s.Service, s.Caller, core.Definition{})
	greet := script(t, s.Service, s.Caller, core.Definition{Content: []byte("echo {{who}}"), ParamsEnabled: true})
	bat := script(t, s.Service, s.Caller, core.Definition{Type: core.Bat})
	made, err := s.Service.CreateSchedule(t.Context(), s.Caller, core.ScheduleSpec{
		Name: "n", Command: plain, Trigger: core.Trigger{Crontab: "* * * * *"}, Targets: []string{"a", "gone"}, Style: needy,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Service.RemoveNode(t.Context(), s.Caller, "gone"); err != nil {
		t.Fatal(err)
	}
	show := func() core.Schedule {
		t.Helper()
		rows, _, err := s.Service.Schedules(t.Context(), s.Caller, core.ScheduleFilter{IDs: []core.ID{made.ID}}, core.PageSpec{Limit: 1})
		if err != nil || len(rows) != 1 {
			t.Fatalf("%v, %d rows", err, len(rows))
		}
		return rows[0].Schedule
	}
	params := map[string]string{"who": "me"}
	at := s.Now().Add(time.Hour)
	for name, try := range map[string]struct {
		change core.ScheduleChange
		reason core.Reason
	}{
		"unknown command":      {core.ScheduleChange{Command: new(core.ID)}, core.ReasonCommandNotFound},
		"command needs values": {core.ScheduleChange{Command: &greet}, core.ReasonParamMissing},
		"values for nothing":   {core.ScheduleChange{Params: &params}, core.ReasonParamsDisabled},
		"command for others":   {core.ScheduleChange{Command: &bat}, core.ReasonTargetPlatform},
		"targets for others":   {core.ScheduleChange{Targets: []string{"win"}}, core.ReasonTargetPlatform},
		"target that is gone":  {core.ScheduleChange{Targets: []string{"gone"}}, core.ReasonTargetNotFound},
		"no targets":           {core.ScheduleChange{Targets: []string{}}, core.ReasonTargetsMissing},
		"target without agent": {core.ScheduleChange{Targets: []string{"unseen"}, NeedAgent: true}, core.ReasonTargetNeverSeen},
		"user":                 {core.ScheduleChange{User: ptr("a\n")}, core.ReasonUserInvalid},
		"trigger":              {core.ScheduleChange{Trigger: &core.Trigger{Crontab: "x"}}, core.ReasonScheduleInvalid},
		"trigger that is over": {core.ScheduleChange{Trigger: &core.Trigger{At: s.Now()}}, core.ReasonScheduleExpired},
	} {
		if err := s.Service.ChangeSchedule(t.Context(), s.Caller, made.ID, try.change); !try.reason.Is(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if diff := cmp.Diff(made, show()); diff != "" {
		t.Errorf("refused changes changed it (-want +got):\n%s", diff)
	}
	stranger := core.Caller{Account: scene.Account, Principal: "stranger"}
	if err := s.Service.ChangeSchedule(t.Context(), stranger, made.ID, core.ScheduleChange{}); !core.ReasonDenied.Is(err) {
		t.Errorf("without rights: %v", err)
	}
	elsewhere := core.Caller{Account: 5, Root: true}
	if err := s.Service.ChangeSchedule(t.Context(), elsewhere, made.ID, core.ScheduleChange{}); !core.ReasonScheduleNotFound.Is(err) {
		t.Errorf("of another account: %v", err)
	}

	s.Advance(time.Second)
	ada := core.Caller{Account: scene.Account, Principal: "ada", Root: true}
	if err := s.Service.ChangeSchedule(t.Context(), ada, made.ID, core.ScheduleChange{
		Name: ptr("m"), Command: &greet, Params: &params, User: ptr("u"), Trigger: &core.Trigger{At: at}, Targets: []string{"unseen", "a", "a"},
	}); err != nil {
		t.Fatal(err)
	}
	want := made
	want.Name, want.Command, want.Params, want.User, want.Trigger, want.Next = "m", greet, params, "u", core.Trigger{At: at}, at
	want.Targets, want.Principal, want.Revision, want.UpdatedAt = []string{"unseen", "a"}, "ada", 2, s.Now()
	if diff := cmp.Diff(want, show()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// While it is off, a new trigger sets no moment.
	on := func(on bool) {
		t.Helper()
		if err := s.Service.EnableSchedule(t.Context(), s.Caller, made.ID, on); err != nil {
			t.Fatal(err)
		}
	}
	on(false)
	if err := s.Service.ChangeSchedule(t.Context(), s.Caller, made.ID, core.ScheduleChange{Trigger: &core.Trigger{Crontab: "0 14 * * *"}}); err != nil {
		t.Fatal(err)
	}
	if got := show(); got.Enabled || !got.Next.IsZero() || got.At != (time.Time{}) {
		t.Errorf("switched off: %+v", got)
	}
	on(true)
	on(true)
	if got := show(); !got.Enabled || !got.Next.Equal(time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)) {
		t.Errorf("switched on: %+v", got)
	}
	if err := s.Service.DeleteSchedule(t.Context(), s.Caller, made.ID); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"delete":  s.Service.DeleteSchedule(t.Context(), s.Caller, made.ID),
		"enable":  s.Service.EnableSchedule(t.Context(), s.Caller, made.ID, true),
		"disable": s.Service.EnableSchedule(t.Context(), s.Caller, made.ID, false),
		"change":  s.Service.ChangeSchedule(t.Context(), s.Caller, made.ID, core.ScheduleChange{}),
	} {
		if !core.ReasonScheduleNotFound.Is(err) {
			t.Errorf("%s what is gone: %v", name, err)
		}
	}
}

func ptr[T any](v T) *T { return &v }
