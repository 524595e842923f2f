package core

import (
	"context"
	"errors"
	"slices"
	"time"

	"errand/internal/schedule"
)

// RunSpec is an order to run something on some nodes.
type RunSpec struct {
	Origin Origin
	Region string
	Reason string // what for, in the caller's words

	// Command is the stored command to run; zero runs Definition itself.
	Command ID
	Definition
	// Override changes single fields of a stored command for this run only.
	Override Override

	Select     Selection // instead of Targets: nodes by an expression, however many
	Targets    []string  // node ids, exact
	TargetTags []Tag     // instead of Targets: all nodes with all these tags
	NeedOnline bool      // refuse the call if a node is not online, instead of waiting for it

	Params     map[string]string
	Secrets    map[string]string // variables of the environment whose values stay out of rows, logs, journals and outputs
	Style      ParamStyle
	KillTree   bool
	Save       bool // keep Definition as a stored command
	UniqueName bool // with Save: refuse a name that is taken

	Termination   string
	ContainerID   string
	ContainerName string
	Resources     *Resources
	Login         bool       // read the user's login profile first
	Power         bool       // the script can ask for a restart of the machine or its end by its exit code
	Repeat        RepeatMode // empty means Once
	Frequency     string     // rate(), at() or cron, with Period
	Policy        schedule.Policy
	File          *File     // write Content to this file instead of running it
	Transfer      *Transfer // move large files instead of running anything
	Schedule      ID        // the schedule that wants this run, and the moment Due at which it does; once for each moment
	Due           time.Time
	DeliverWithin time.Duration
	Pace          *Pace // nil lets all nodes have it at once
	ClientToken   string
	RequestHash   string
	ResourceGroup string
	Tags          []Tag
	Extra         map[string]string
	Limits        Limits

	picked    *chosen // what Select came to
	pickError error   // or why it came to nothing
	probe     bool    // it is one; Schedule and Due say of which run
}

// Override holds the fields of a stored command that one run changes; nil leaves a field as it is. The sink is also taken for a run of
// Definition itself, of which the stored copy then keeps its own.
type Override struct {
	WorkDir, User, Launcher *string
	Name                    *string
	Timeout                 *time.Duration
	Sink                    *Sink
}

// Run checks the order, stores an invocation with a task for each target in one transaction, and returns it. One bad target refuses
// the whole order. When Run returns, the order is durable.
func (s *Service) Run(ctx context.Context, c Caller, spec RunSpec) (Invocation, error) {
	if !spec.Select.IsZero() {
		if spec.picked, spec.pickError = s.choose(ctx, c.Account, spec.Select); spec.pickError == nil {
			spec.pickError = spec.picked.check(s.nearby(ctx, c.Account))
		}
	}
	if err := s.allowRun(ctx, &c, &spec); err != nil {
		return Invocation{}, err
	}
	if spec.ClientToken != "" {
		v, err := s.store.InvocationByToken(ctx, c.Account, spec.ClientToken)
		if !errors.Is(err, ErrNotFound) {
			return sameRequest(v, err, spec.RequestHash)
		}
	}
	if err := s.room(ctx, c.Account, QuotaInvocations); err != nil {
		return Invocation{}, err
	}
	v := Invocation{
		Account: c.Account, Principal: c.Principal, Reason: spec.Reason, Region: spec.Region, Origin: spec.Origin, Definition: spec.Definition, Params: spec.Params, Secrets: spec.Secrets,
		KillTree: spec.KillTree, Termination: spec.Termination, ContainerID: spec.ContainerID,
		ContainerName: spec.ContainerName, Resources: spec.Resources, Login: spec.Login, Power: spec.Power, Repeat: spec.Repeat,
		Frequency: spec.Frequency, Policy: spec.Policy, File: spec.File, Transfer: spec.Transfer, Schedule: spec.Schedule,
		Selection: spec.Select, Due: spec.Due, DeliverWithin: spec.DeliverWithin, ClientToken: spec.ClientToken, RequestHash: spec.RequestHash, ResourceGroup: spec.ResourceGroup, Tags: spec.Tags, Extra: spec.Extra,
	}
	if spec.Command != 0 {
		cmd, err := s.command(ctx, c.Account, spec.Command)
		if err != nil {
			return Invocation{}, err
		}
		v.Command, v.Saved, v.Definition = cmd.ID, true, cmd.Definition
		spec.Override.Apply(&v.Definition)
	}
	if err := s.findParcel(ctx, &c, v.Transfer); err != nil {
		return Invocation{}, err
	}
	if err := s.checkRun(&v, &spec); err != nil {
		return Invocation{}, err
	}
	nodes, err := s.targets(ctx, c.Account, &v, &spec)
	if err != nil {
		return Invocation{}, err
	}
	if err := v.setPace(spec.Pace, len(nodes)); err != nil {
		return Invocation{}, err
	}
	if spec.Command == 0 {
		if v.Command, err = s.commandBehind(ctx, c, &spec, v.Definition); err != nil {
			return Invocation{}, err
		}
		v.Saved = spec.Save
		if spec.Override.Sink != nil {
			v.Sink = *spec.Override.Sink
		}
	}
	if v.Outlet, err = s.outlet(ctx, &v); err != nil {
		return Invocation{}, err
	}
	if v, err = s.insert(ctx, v, nodes, spec.RequestHash); err == nil {
		err = s.useParcel(ctx, &v)
	}
	if err == nil {
		c.Trail.note("invocation/" + v.ID.String())
	}
	if err == nil && v.Pace != nil {
		err = s.paceAccepted(ctx, &v)
	}
	return v, err
}

// maxReason is how long the reason for a run may be, in bytes.
const maxReason = 1000

func checkReason(text string) error {
	switch {
	case len(text) > maxReason:
		return invalid(ReasonInvalidValue, "reason", "more than %d bytes", maxReason)
	case !printable(text):
		return invalid(ReasonInvalidValue, "reason", "control characters")
	}
	return nil
}

func sameRequest(v Invocation, err error, hash string) (Invocation, error) {
	if err == nil && v.RequestHash != hash {
		return Invocation{}, &Error{
			Code: CodeConflict, Reason: ReasonTokenMismatch, Field: "token", Detail: "used before with another request",
		}
	}
	return v, err
}

// Apply changes the fields of a definition that are given.
func (o Override) Apply(d *Definition) {
	if o.WorkDir != nil {
		d.WorkDir = *o.WorkDir
	}
	if o.User != nil {
		d.User = *o.User
	}
	if o.Name != nil {
		d.Name = *o.Name
	}
	if o.Launcher != nil {
		d.Launcher = *o.Launcher
	}
	if o.Timeout != nil {
		d.Timeout = *o.Timeout
	}
	if o.Sink != nil {
		d.Sink = *o.Sink
	}
}

// checkRun applies the limits and fills in the parameters.
func (s *Service) checkRun(v *Invocation, spec *RunSpec) error {
	l := &spec.Limits
	if err := checkReason(spec.Reason); err != nil {
		return err
	}
	if spec.DeliverWithin > MaxDeliver {
		return invalid(ReasonInvalidValue, "queue_seconds", "more than 90 days")
	}
	if err := CheckTags(spec.Tags, l.Tags); err != nil {
		return err
	}
	if err := v.checkResources(); err != nil {
		return err
	}
	if v.Transfer != nil {
		return v.checkTransfer(s.transfers)
	}
	if v.File != nil {
		v.Kind, v.Repeat = KindFile, Once
		return v.checkFile(l)
	}
	if spec.probe {
		v.Kind = KindProbe
	}
	if err := v.Definition.check(l); err != nil {
		return err
	}
	if err := v.checkRepeat(s.Now(), l); err != nil {
		return err
	}
	if err := checkSecrets(v.Secrets); err != nil {
		return err
	}
	return v.fillIn(spec.Style, l)
}

// fillIn makes the script out of the content and the parameters.
func (v *Invocation) fillIn(style ParamStyle, l *Limits) error {
	v.Script = nil
	v.Hidden = len(v.Secrets) > 0 || v.ParamsEnabled && len(style.HiddenNames(v.Content)) > 0
	if !v.ParamsEnabled {
		if len(v.Params) > 0 {
			return invalid(ReasonParamsDisabled, "params", "the command takes no parameters")
		}
		return nil
	}
	if err := style.checkNames(v.Content, l); err != nil {
		return err
	}
	if err := checkValues(v.Params, l); err != nil {
		return err
	}
	script, err := style.render(v.Content, v.Params, v.Defaults)
	if err != nil {
		return err
	}
	if l.Content > 0 && l.contentSize(len(script)) > l.Content {
		return invalid(ReasonContentTooLong, "content", "more than %d bytes with parameters", l.Content)
	}
	v.Script = script
	return nil
}

// checkRepeat decides what kind of invocation it is and whether it will ever run.
func (v *Invocation) checkRepeat(now time.Time, l *Limits) error {
	switch v.Repeat {
	case "":
		v.Repeat = Once
	case Once, DryRun:
	case Period, NextReboot, EachReboot:
		v.Kind = KindStanding
	default:
		return invalid(ReasonRepeatMode, "repeat", "unknown mode %q", v.Repeat)
	}
	if err := v.checkPolicy(); err != nil {
		return err
	}
	switch {
	case v.Repeat != Period:
		return nil
	case v.Frequency == "":
		return invalid(ReasonScheduleMissing, "frequency", "a periodic run without one")
	}
	plan, err := schedule.Parse(v.Frequency)
	if err == nil {
		atLeast := v.Timeout
		if l.Dense {
			atLeast = 0
		}
		err = plan.Check(now, atLeast, nil)
	}
	if err != nil {
		return &Error{Code: CodeInvalid, Reason: ReasonScheduleInvalid, Field: "frequency", Detail: err.Error()}
	}
	return nil
}

// checkPolicy refuses a policy that is out of bounds, or about moments that there are not.
func (v *Invocation) checkPolicy() error {
	p := v.Policy
	err := p.Check()
	var refused *schedule.Error
	switch {
	case errors.As(err, &refused):
		return invalid(ReasonInvalidValue, refused.Field, "%s", refused.Reason)
	case p != (schedule.Policy{}) && v.Kind != KindStanding:
		return invalid(ReasonInvalidValue, "repeat", "a policy for an invocation that does not repeat")
	case (p.Overlap != 0 || p.Missed != 0) && v.Repeat != Period:
		return invalid(ReasonInvalidValue, "repeat", "starts of a machine neither overlap nor are missed")
	}
	return nil
}

// targets resolves the order's nodes and checks that each can take it.
func (s *Service) targets(ctx context.Context, account AccountID, v *Invocation, spec *RunSpec) ([]Node, error) {
	nodes, err := s.resolve(ctx, account, spec)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	for i := range nodes {
		n := &nodes[i]
		switch {
		case !n.CordonedAt.IsZero() && spec.Origin == OriginNative && spec.Select.IsZero() && spec.Schedule == 0:
			return nil, n.refuseCordoned()
		case spec.ResourceGroup != "" && n.ResourceGroup != "" && n.ResourceGroup != spec.ResourceGroup:
			return nil, &Error{Code: CodeNotFound, Reason: ReasonTargetNotFound, Field: n.ID, Detail: "belongs to another resource group"}
		case v.File == nil && v.Transfer == nil && !v.Type.RunsOn(n.Platform):
			return nil, &Error{
				Code: CodeInvalid, Reason: ReasonTargetPlatform, Field: n.ID, Detail: "platform " + string(n.Platform) + " cannot run " + string(v.Type),
			}
		case spec.NeedOnline && n.LastSeen.IsZero():
			return nil, &Error{Code: CodeUnavailable, Reason: ReasonTargetNeverSeen, Field: n.ID, Detail: "no agent"}
		case spec.NeedOnline && !n.Online(now):
			return nil, &Error{Code: CodeUnavailable, Reason: ReasonTargetOffline, Field: n.ID, Detail: "agent is offline"}
		}
	}
	return nodes, nil
}

func (s *Service) resolve(ctx context.Context, account AccountID, spec *RunSpec) ([]Node, error) {
	if !spec.Select.IsZero() {
		switch {
		case len(spec.Targets) > 0 || len(spec.TargetTags) > 0:
			return nil, invalid(ReasonInvalidValue, "target", "an expression beside targets that are named")
		case spec.pickError != nil:
			return nil, spec.pickError
		}
		s.overlay(spec.picked.nodes)
		return spec.picked.nodes, nil
	}
	limit := spec.Limits.Targets
	if limit == 0 {
		limit = MaxTargets
	}
	if len(spec.Targets) == 0 && len(spec.TargetTags) > 0 {
		nodes, _, err := s.store.ListNodes(ctx, NodeFilter{Account: account, Tags: spec.TargetTags}, Page{Limit: limit + 1})
		switch {
		case err != nil:
			return nil, err
		case len(nodes) == 0:
			return nil, invalid(ReasonTargetNotFound, "tags", "no node carries these tags")
		case len(nodes) > limit:
			return nil, limited(ReasonTargetsTooMany, "tags", "more than %d nodes", limit)
		}
		s.overlay(nodes)
		return nodes, nil
	}
	switch {
	case len(spec.Targets) == 0:
		return nil, invalid(ReasonTargetsMissing, "targets", "none")
	case len(spec.Targets) > limit:
		return nil, limited(ReasonTargetsTooMany, "targets", "more than %d", limit)
	}
	found, err := s.store.NodesByID(ctx, account, spec.Targets)
	if err != nil {
		return nil, err
	}
	nodes := make([]Node, 0, len(spec.Targets))
	taken := make(map[string]bool, len(spec.Targets))
	for _, id := range spec.Targets {
		n, ok := found[id]
		if !ok {
			return nil, &Error{Code: CodeNotFound, Reason: ReasonTargetNotFound, Field: id, Detail: "no such node"}
		}
		if !taken[id] {
			taken[id] = true
			nodes = append(nodes, n)
		}
	}
	s.overlay(nodes)
	return nodes, nil
}

// commandBehind stores the definition if that was asked for, and otherwise only gives it an id.
func (s *Service) commandBehind(ctx context.Context, c Caller, spec *RunSpec, d Definition) (ID, error) {
	if !spec.Save {
		return s.NewID(), nil
	}
	cmd, err := s.insertCommand(ctx, Command{
		Account: c.Account, Region: spec.Region, Definition: d, ResourceGroup: spec.ResourceGroup, Tags: spec.Tags, Extra: spec.Extra,
	}, spec.UniqueName)
	return cmd.ID, err
}

// insert stores the invocation. Tasks of nodes that are connected go out as Delivering in the same transaction: the row is the outbox, and
// marking it sent costs no second write.
func (s *Service) insert(ctx context.Context, v Invocation, nodes []Node, hash string) (Invocation, error) {
	needs := v.needs()
	for {
		now := s.Now()
		v.ID, v.CreatedAt, v.UpdatedAt = s.ids.Next(now), now, now
		v.Counts = Counts{}
		if v.Pace != nil {
			v.Pacing = &Pacing{State: PaceRunning, Since: now}
		}
		tasks := make([]Task, len(nodes))
		for i := range nodes {
			tasks[i] = s.newTask(&v, uint32(i), &nodes[i], needs, now)
			v.Counts[tasks[i].State]++
		}
		if v.Counts.Open() == 0 {
			v.EndedAt = now
		}
		err := s.store.InsertInvocation(ctx, &v, tasks)
		if errors.Is(err, ErrTaken) {
			old, err := s.twin(ctx, &v)
			if !errors.Is(err, ErrNotFound) {
				return sameRequest(old, err, hash)
			}
			continue // another replica took this id in this very millisecond
		}
		if err != nil {
			return Invocation{}, err
		}
		s.feed.tell(Event{New: &v, Tasks: tasks})
		return v, nil
	}
}

// newTask makes a task for a node: on its way already if the node is connected, and over already if its agent lacks what the task needs.
func (s *Service) newTask(v *Invocation, index uint32, n *Node, needs []string, now time.Time) Task {
	t := Task{ID: TaskID{v.ID, index}, Node: n.Key, UpdatedAt: now}
	switch {
	case n.Agent != "" && !n.offers(needs):
		t.become(DeliveryFailed, CauseAgentTooOld, now)
	case v.Pace != nil:
		t.Held = true
	case s.Connected(n.Key):
		t.State, t.Tries, t.SentAt = Delivering, 1, now
	case v.DeliverWithin == NoWaiting && !n.Online(now):
		t.become(DeliveryFailed, CauseAgentOffline, now)
	}
	return t
}

// What an agent may be too old for, as it says itself.
const (
	featureSchedule  = "schedule"
	featureFile      = "file"
	featureDryRun    = "dryrun"
	featureContainer = "container"
	featureSecret    = "secret"
	featureLimits    = "limits"
	featureLogin     = "login"
	featurePower     = "power"
	featurePolicy    = "policy"
	featureTransfer  = "transfer"
)

// needs are the features that an invocation asks of an agent; none for a plain command.
func (v *Invocation) needs() (features []string) {
	add := func(feature string, needed bool) {
		if needed {
			features = append(features, feature)
		}
	}
	add(featureSchedule, v.Kind == KindStanding)
	add(featurePolicy, v.Kind == KindStanding && v.Policy != (schedule.Policy{}))
	add(featureFile, v.Kind == KindFile)
	add(featureTransfer, v.Transfer != nil)
	add(featureDryRun, v.Repeat == DryRun)
	add(featureContainer, v.ContainerID != "" || v.ContainerName != "")
	add(featureSecret, len(v.Secrets) > 0) // hidden parameters are filled into the script, which any agent can run
	add(featureLimits, v.Resources != nil)
	add(featureLogin, v.Login && v.Origin != OriginTAT) // whose callers did not ask for it: better without it than not at all
	add(featurePower, v.Power)
	return features
}

// offers reports whether a node's agent has all these features.
func (n *Node) offers(features []string) bool {
	for _, f := range features {
		if !slices.Contains(n.Features, f) {
			return false
		}
	}
	return true
}

// twin finds the invocation that this one would repeat.
func (s *Service) twin(ctx context.Context, v *Invocation) (Invocation, error) {
	switch {
	case v.ClientToken != "":
		return s.store.InvocationByToken(ctx, v.Account, v.ClientToken)
	case v.Schedule != 0:
		return s.store.InvocationByDue(ctx, v.Schedule, v.Due)
	default:
		return Invocation{}, ErrNotFound
	}
}
