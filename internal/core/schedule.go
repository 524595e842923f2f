package core

import (
	"context"
	"errors"
	"slices"
	"time"

	"errand/internal/policy"
	"errand/internal/schedule"
)

// Trigger is when a schedule fires.
type Trigger struct {
	Crontab string    // five fields, read in UTC+8 (Tencent TAT, ScheduleSettings) or in the zone before them (ZonedTrigger); empty if it fires once
	At      time.Time // when it fires, if it does so once; whole seconds
}

// Schedule is an order to run a stored command again and again, or once at a later time, that the server itself carries out. Each firing
// runs the command as it is at that moment, on those of the nodes that are still there.
type Schedule struct {
	ID        ID
	Account   AccountID
	Principal string // who made it or changed it last; in this name it runs, for as long as that user may act at all
	Region    string
	Origin    Origin
	Name      string
	Trigger
	Enabled bool
	Next    time.Time // when it fires next; zero while it is disabled or if it never will again

	Command       ID
	Targets       []string // node ids
	Params        map[string]string
	User          string // instead of the command's; empty leaves that one
	Style         ParamStyle
	KillTree      bool
	DeliverWithin time.Duration

	Revision  uint64 // grows with each change, but not by firing
	Tags      []Tag
	Extra     map[string]string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Firing is what became of one moment of a schedule.
type Firing struct {
	ID         ID
	Account    AccountID
	Schedule   ID
	Due        time.Time // the moment
	Invocation ID        // what ran; zero if nothing did
	Problem    string    // why nothing ran, for people
}

// ScheduleFilter selects schedules; zero fields select all. Lists are alternatives, fields add up.
type ScheduleFilter struct {
	Account  AccountID
	IDs      []ID
	Commands []ID
}

// FiringFilter selects firings; zero fields select all.
type FiringFilter struct {
	Account   AccountID
	Schedules []ID
}

// Schedules keeps schedules and their firings. Listings order by ID descending (Cursor.A).
type Schedules interface {
	InsertSchedule(ctx context.Context, s Schedule) error
	Schedule(ctx context.Context, account AccountID, id ID) (Schedule, error)
	// ChangeSchedule reads a schedule, lets change decide and writes it or, where change does not want to keep it, deletes it with its
	// firings, in one transaction. Whoever had claimed it has lost it.
	ChangeSchedule(ctx context.Context, account AccountID, id ID, change func(*Schedule) (keep bool, err error)) error
	ListSchedules(ctx context.Context, f ScheduleFilter, p Page) (rows []Schedule, total int, err error)
	// NextSchedule returns the first moment, not before now, at which ClaimSchedules has something to claim; zero if there will be none.
	NextSchedule(ctx context.Context, now time.Time) (time.Time, error)
	// ClaimSchedules returns schedules of all accounts whose Next is not after now, those that have waited longest first, and keeps them from
	// being claimed again before until.
	ClaimSchedules(ctx context.Context, now, until time.Time, most int) ([]Schedule, error)
	// InsertFiring stores what became of a moment of a schedule, unless that is known already, and keeps no more than the newest most firings
	// of it. If the schedule still waits for that moment, move sets its Next. All in one transaction. ErrNotFound if the schedule is gone.
	InsertFiring(ctx context.Context, f Firing, most int, move func(*Schedule)) error
	ListFirings(ctx context.Context, f FiringFilter, p Page) (rows []Firing, total int, err error)
	// DeleteFirings deletes firings of all accounts whose id is less than before, oldest first, at most most, and returns how many.
	DeleteFirings(ctx context.Context, before ID, most int) (int, error)
}

// ScheduleSpec is an order to make a schedule.
type ScheduleSpec struct {
	Origin  Origin
	Region  string
	Name    string
	Command ID
	Trigger
	Targets       []string
	NeedOnline    bool // refuse a node that is not online now
	Params        map[string]string
	User          string
	Style         ParamStyle
	KillTree      bool
	DeliverWithin time.Duration
	Tags          []Tag
	Extra         map[string]string
	Limits        Limits
}

// ScheduleChange holds the fields to change; nil leaves a field as it is.
type ScheduleChange struct {
	Origin    Origin // through which API it is changed
	Name      *string
	Command   *ID
	Trigger   *Trigger
	Targets   []string
	NeedAgent bool // refuse a new target from which no agent ever reported
	Params    *map[string]string
	User      *string
	Limits    Limits
}

// crontabZone is the clock by which crontabs are read.
var crontabZone = time.FixedZone("UTC+8", 8*60*60)

// plan is the trigger in a form that can be asked. ok is false for a trigger without a moment.
func (t Trigger) plan() (p schedule.Plan, ok bool, err error) {
	switch {
	case t.Crontab != "":
		zone, crontab := t.clock()
		p, err = schedule.ParseCrontab(crontab, zone)
	case !t.At.IsZero():
		p = schedule.OnceAt(t.At)
	default:
		return p, false, nil
	}
	return p, err == nil, err
}

// after is the first moment after another one; zero if there is none.
func (t Trigger) after(moment time.Time) time.Time {
	p, ok, err := t.plan()
	if err != nil || !ok {
		return time.Time{} // was checked when it was stored
	}
	next, ok := p.Next(moment, time.Time{}, nil)
	if !ok {
		return time.Time{}
	}
	return next.UTC()
}

// check refuses a trigger that cannot be read or never fires.
func (t Trigger) check(now time.Time) error {
	_, ok, err := t.plan()
	switch {
	case err != nil:
		return &Error{Code: CodeInvalid, Reason: ReasonScheduleInvalid, Field: "schedule", Detail: err.Error()}
	case !ok:
		return invalid(ReasonScheduleMissing, "schedule", "neither a crontab nor a time")
	case !t.after(now).IsZero():
		return nil
	case t.Crontab == "":
		return invalid(ReasonScheduleExpired, "schedule", "%s is over", t.At.UTC().Format(time.RFC3339))
	default:
		return invalid(ReasonScheduleInvalid, "schedule", "it never fires")
	}
}

// CreateSchedule makes a schedule, which is enabled.
func (s *Service) CreateSchedule(ctx context.Context, c Caller, spec ScheduleSpec) (Schedule, error) {
	sc := Schedule{
		Account: c.Account, Principal: c.Principal, Region: spec.Region, Origin: spec.Origin, Name: spec.Name, Trigger: spec.Trigger,
		Enabled: true, Command: spec.Command, Targets: distinctTargets(spec.Targets), Params: spec.Params, User: spec.User,
		Style: spec.Style, KillTree: spec.KillTree, DeliverWithin: spec.DeliverWithin, Revision: 1, Tags: spec.Tags, Extra: spec.Extra,
	}
	if err := CheckTags(spec.Tags, spec.Limits.Tags); err != nil {
		return Schedule{}, err
	}
	if err := spec.Trigger.checkOrigin(spec.Origin); err != nil {
		return Schedule{}, err
	}
	nodes, err := s.checkSchedule(ctx, &sc, spec.NeedOnline, &spec.Limits)
	if err != nil {
		return Schedule{}, err
	}
	about := append(nodeResources(nodes), KindCommand.resource(sc.Command, nil))
	if err := c.Allow("schedule.create", spec.Tags, about...); err != nil {
		return Schedule{}, err
	}
	for {
		now := s.Now()
		if err := sc.Trigger.check(now); err != nil {
			return Schedule{}, err
		}
		sc.ID, sc.CreatedAt, sc.UpdatedAt, sc.Next = s.ids.Next(now), now, now, sc.after(now)
		err := s.store.InsertSchedule(ctx, sc)
		if errors.Is(err, ErrTaken) {
			continue // another replica took this id
		}
		if err == nil {
			s.feed.tell(Event{Rescheduled: true})
		}
		return sc, err
	}
}

// distinctTargets keeps the first of several equal targets.
func distinctTargets(ids []string) []string {
	var distinct []string
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			distinct = append(distinct, id)
		}
	}
	return distinct
}

// checkSchedule checks what a schedule would run and where, and returns its nodes.
func (s *Service) checkSchedule(ctx context.Context, sc *Schedule, needOnline bool, l *Limits) ([]Node, error) {
	spec := sc.order(sc.Targets)
	spec.NeedOnline, spec.Limits = needOnline, Limits{Targets: l.Targets}
	v, err := s.rehearse(ctx, sc, l)
	if err != nil {
		return nil, err
	}
	return s.targets(ctx, sc.Account, v, &spec)
}

// rehearse fills in the command as if the schedule fired now.
func (s *Service) rehearse(ctx context.Context, sc *Schedule, l *Limits) (*Invocation, error) {
	cmd, err := s.command(ctx, sc.Account, sc.Command)
	if err != nil {
		return nil, err
	}
	v := &Invocation{Definition: cmd.Definition, Params: sc.Params}
	sc.override().Apply(&v.Definition)
	if err := checkPlace("", sc.User, l); err != nil {
		return nil, err
	}
	return v, v.fillIn(sc.Style, l)
}

func (sc *Schedule) override() Override {
	if sc.User == "" {
		return Override{}
	}
	return Override{User: &sc.User}
}

// order is what the schedule asks for at its next moment.
func (sc *Schedule) order(targets []string) RunSpec {
	return RunSpec{
		Origin: sc.Origin, Region: sc.Region, Command: sc.Command, Override: sc.override(), Targets: targets, Params: sc.Params,
		Style: sc.Style, KillTree: sc.KillTree, DeliverWithin: sc.DeliverWithin, Schedule: sc.ID, Due: sc.Next,
		Login: sc.Origin == OriginTAT, // as that vendor's agent runs everything
	}
}

// schedule reads a schedule for somebody who may do this with it. What does not exist is judged by its name alone.
func (s *Service) schedule(ctx context.Context, c *Caller, verb string, id ID) (Schedule, error) {
	sc, err := s.store.Schedule(ctx, c.Account, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return sc, err
	}
	if denied := c.Allow(verb, nil, scheduleResource(id, sc.Tags)); denied != nil {
		return sc, denied
	}
	if err != nil {
		return sc, notFound(ReasonScheduleNotFound, "no schedule %s", id)
	}
	return sc, nil
}

func scheduleResource(id ID, tags []Tag) policy.Resource {
	return resource("schedule", id.String(), tags)
}

// errRevised says that a schedule was changed by somebody else since it was read.
var errRevised = errors.New("changed meanwhile")

// ChangeSchedule changes a schedule, which from then on runs in the caller's name. What is not changed is not looked at: targets that are gone
// may stay.
func (s *Service) ChangeSchedule(ctx context.Context, c Caller, id ID, ch ScheduleChange) error {
	for {
		seen, err := s.schedule(ctx, &c, "schedule.modify", id)
		if err != nil {
			return err
		}
		changed, err := s.checkChange(ctx, &c, &seen, &ch)
		if err != nil {
			return err
		}
		err = s.changeSchedule(ctx, c, id, func(row *Schedule, now time.Time) error {
			if row.Revision != seen.Revision {
				return errRevised
			}
			if ch.Trigger == nil {
				changed.Next = row.Next
			} else if err := errors.Join(ch.Trigger.checkOrigin(ch.Origin), ch.Trigger.check(now)); err != nil {
				return err
			} else if row.Enabled {
				changed.Next = changed.after(now)
			}
			*row = changed
			return nil
		})
		if !errors.Is(err, errRevised) {
			return err
		}
	}
}

// checkChange checks what a schedule would become, and returns that.
func (s *Service) checkChange(ctx context.Context, c *Caller, seen *Schedule, ch *ScheduleChange) (Schedule, error) {
	sc := *seen
	sc.Principal = c.Principal
	set(&sc.Name, ch.Name)
	set(&sc.Command, ch.Command)
	set(&sc.Trigger, ch.Trigger)
	set(&sc.Params, ch.Params)
	set(&sc.User, ch.User)
	about := []policy.Resource{scheduleResource(sc.ID, sc.Tags), KindCommand.resource(sc.Command, nil)}
	switch {
	case ch.Targets != nil:
		sc.Targets = distinctTargets(ch.Targets)
		nodes, err := s.checkSchedule(ctx, &sc, false, &ch.Limits)
		if err != nil {
			return sc, err
		}
		for i := range nodes {
			if ch.NeedAgent && nodes[i].LastSeen.IsZero() {
				return sc, &Error{Code: CodeUnavailable, Reason: ReasonTargetNeverSeen, Field: nodes[i].ID, Detail: "no agent"}
			}
		}
		about = append(about, nodeResources(nodes)...)
	case ch.Command != nil || ch.Params != nil || ch.User != nil:
		v, err := s.rehearse(ctx, &sc, &ch.Limits)
		if err != nil {
			return sc, err
		}
		present, err := s.present(ctx, &sc)
		if err != nil {
			return sc, err
		}
		if len(present) > 0 {
			spec := sc.order(present)
			nodes, err := s.targets(ctx, sc.Account, v, &spec)
			if err != nil {
				return sc, err
			}
			about = append(about, nodeResources(nodes)...)
		}
	}
	return sc, c.Allow("schedule.modify", nil, about...)
}

func set[T any](dst, value *T) {
	if value != nil {
		*dst = *value
	}
}

// present are those targets of a schedule that are still there.
func (s *Service) present(ctx context.Context, sc *Schedule) ([]string, error) {
	found, err := s.store.NodesByID(ctx, sc.Account, sc.Targets)
	return slices.DeleteFunc(slices.Clone(sc.Targets), func(id string) bool { _, there := found[id]; return !there }), err
}

// EnableSchedule lets a schedule fire, or keeps it from firing. What runs already goes on.
func (s *Service) EnableSchedule(ctx context.Context, c Caller, id ID, on bool) error {
	verb := "schedule.disable"
	if on {
		verb = "schedule.enable"
	}
	if _, err := s.schedule(ctx, &c, verb, id); err != nil {
		return err
	}
	return s.changeSchedule(ctx, c, id, func(row *Schedule, now time.Time) error {
		if row.Enabled == on {
			return nil
		}
		row.Enabled, row.Next = on, time.Time{}
		if on {
			row.Next = row.after(now)
		}
		return nil
	})
}

// changeSchedule changes a schedule in a transaction.
func (s *Service) changeSchedule(ctx context.Context, c Caller, id ID, change func(*Schedule, time.Time) error) error {
	err := s.store.ChangeSchedule(ctx, c.Account, id, func(row *Schedule) (bool, error) {
		now := s.Now()
		err := change(row, now)
		row.Revision++
		row.UpdatedAt = now
		return true, err
	})
	switch {
	case errors.Is(err, ErrNotFound):
		return notFound(ReasonScheduleNotFound, "no schedule %s", id)
	case err == nil:
		s.feed.tell(Event{Rescheduled: true})
	}
	return err
}

// DeleteSchedule deletes a schedule with its firings. What it made run stays.
func (s *Service) DeleteSchedule(ctx context.Context, c Caller, id ID) error {
	if _, err := s.schedule(ctx, &c, "schedule.delete", id); err != nil {
		return err
	}
	err := s.store.ChangeSchedule(ctx, c.Account, id, func(*Schedule) (bool, error) { return false, nil })
	if errors.Is(err, ErrNotFound) {
		return notFound(ReasonScheduleNotFound, "no schedule %s", id)
	}
	return err
}

// ScheduleView is a schedule together with what must not be shown of it.
type ScheduleView struct {
	Schedule
	Hidden map[string]bool // parameters whose values are secret
}

// Schedules lists schedules, newest first.
func (s *Service) Schedules(ctx context.Context, c Caller, f ScheduleFilter, p PageSpec) ([]ScheduleView, PageInfo, error) {
	if err := s.allowSchedules(ctx, &c, "schedule.list", f.IDs); err != nil {
		return nil, PageInfo{}, err
	}
	f.Account = c.Account
	rows, info, err := list(s.pages, c.Account, "schedules", p,
		func(r *Schedule) Cursor { return Cursor{A: int64(r.ID)} },
		func(p Page) ([]Schedule, int, error) { return s.store.ListSchedules(ctx, f, p) })
	if err != nil {
		return nil, info, err
	}
	views, err := s.scheduleViews(ctx, c.Account, rows)
	return views, info, err
}

// scheduleViews finds out which parameters are secret. The command says so; once it is gone, all of them are.
func (s *Service) scheduleViews(ctx context.Context, account AccountID, rows []Schedule) ([]ScheduleView, error) {
	var ids []ID
	for i := range rows {
		if len(rows[i].Params) > 0 {
			ids = append(ids, rows[i].Command)
		}
	}
	commands := map[ID]*Command{}
	if len(ids) > 0 {
		found, _, err := s.store.ListCommands(ctx, CommandFilter{Account: account, IDs: ids}, Page{Limit: len(ids)})
		if err != nil {
			return nil, err
		}
		for i := range found {
			commands[found[i].ID] = &found[i]
		}
	}
	views := make([]ScheduleView, len(rows))
	for i := range rows {
		sc := &rows[i]
		views[i].Schedule = *sc
		if cmd := commands[sc.Command]; cmd != nil {
			views[i].Hidden = sc.Style.HiddenNames(cmd.Content)
			continue
		}
		views[i].Hidden = map[string]bool{}
		for name := range sc.Params {
			views[i].Hidden[name] = true
		}
	}
	return views, nil
}

// FiringView is a firing together with what ran.
type FiringView struct {
	Firing
	Run *Invocation // nil if nothing ran, or is not kept any more
}

// Firings lists what became of the moments of schedules, newest first.
func (s *Service) Firings(ctx context.Context, c Caller, f FiringFilter, p PageSpec) ([]FiringView, PageInfo, error) {
	if err := s.allowSchedules(ctx, &c, "schedule.history", f.Schedules); err != nil {
		return nil, PageInfo{}, err
	}
	f.Account = c.Account
	rows, info, err := list(s.pages, c.Account, "firings", p,
		func(r *Firing) Cursor { return Cursor{A: int64(r.ID)} },
		func(p Page) ([]Firing, int, error) { return s.store.ListFirings(ctx, f, p) })
	if err != nil {
		return nil, info, err
	}
	views, err := s.firingViews(ctx, c.Account, rows)
	return views, info, err
}

func (s *Service) firingViews(ctx context.Context, account AccountID, rows []Firing) ([]FiringView, error) {
	var ids []ID
	for i := range rows {
		if id := rows[i].Invocation; id != 0 {
			ids = append(ids, id)
		}
	}
	runs := map[ID]*Invocation{}
	if len(ids) > 0 {
		found, _, err := s.store.ListInvocations(ctx, InvocationFilter{Account: account, IDs: ids}, Page{Limit: len(ids)})
		if err != nil {
			return nil, err
		}
		for i := range found {
			runs[found[i].ID] = &found[i]
		}
	}
	views := make([]FiringView, len(rows))
	for i := range rows {
		views[i] = FiringView{rows[i], runs[rows[i].Invocation]}
	}
	return views, nil
}

// allowSchedules is Allow for named schedules, with the tags they have. None stands for all.
func (s *Service) allowSchedules(ctx context.Context, c *Caller, verb string, ids []ID) error {
	if len(ids) == 0 {
		return c.Allow(verb, nil, resource("schedule", "", nil))
	}
	tags := map[ID][]Tag{}
	if !c.unlimited() {
		rows, _, err := s.store.ListSchedules(ctx, ScheduleFilter{Account: c.Account, IDs: ids}, Page{Limit: len(ids)})
		if err != nil {
			return err
		}
		for i := range rows {
			tags[rows[i].ID] = rows[i].Tags
		}
	}
	about := make([]policy.Resource, len(ids))
	for i, id := range ids {
		about[i] = scheduleResource(id, tags[id])
	}
	return c.Allow(verb, nil, about...)
}
