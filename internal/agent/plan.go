package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"time"

	"errand/internal/agent/executor"
	"errand/internal/agent/journal"
	"errand/internal/protocol"
	"errand/internal/schedule"
)

// How much of what a plan's runs came to is kept while the server does not take it.
const (
	maxResults  = 3000    // runs; beyond them the oldest are forgotten
	maxOutputs  = 1000    // runs with their output; beyond them the oldest keep only their result
	outputSpace = 1 << 30 // bytes of those outputs, likewise
)

// outputDropped explains a result without the output it speaks of.
const outputDropped = "output dropped: too many results waited for the server"

// plan is a planned task that this node carries out. Guarded by the agent's lock.
type plan struct {
	task *task // in phase planned
	rule rule
	mark mark

	resting bool      // the journal lost the message: nothing fires before the server asks again
	seen    time.Time // all moments up to here are done with
	armed   bool      // next and over are worked out
	next    time.Time // the moment that comes next; nothing for a plan that goes by starts of the machine
	over    bool      // no moment will come any more
	changed bool      // the journal does not know the mark
	verdict *protocol.Finished

	live   []*task // the runs that wait or run
	unsent []*task // runs that have ended and whose results the server does not have, oldest first
}

// rule is when a plan fires, and what of its task must be known then.
type rule struct {
	boot     protocol.Boot
	calendar schedule.Plan
	created  time.Time
	after    time.Time // nothing fires up to then
	policy   schedule.Policy
	delay    time.Duration // this node's share of the policy's jitter
	gap      time.Duration // the moments are at least that far apart, but for changes of the clocks
	revision uint64
	accepted string // the start of the machine during which the plan was taken up
	lane     uint8
	tree     bool
	secret   bool
}

// mark is what the journal remembers of a plan besides its message.
type mark struct {
	Due     int64  `json:"due,omitempty"`     // of the latest run, which may have got no further than this mark
	Boot    string `json:"boot,omitempty"`    // the start of the machine that was the reason for it
	Cause   uint64 `json:"cause,omitempty"`   // the revision of the plan that was
	Stopped bool   `json:"stopped,omitempty"` // on demand
	Begun   bool   `json:"begun,omitempty"`   // a run was started at all
	Seen    int64  `json:"seen,omitempty"`    // all moments up to here are done with, or owed
	// Owed are moments that still get a run: those that were missed, or the one that waits for another run to end.
	Owed    []int64 `json:"owed,omitempty"`
	Skipped uint64  `json:"skipped,omitempty"` // moments that got none because another run lived
	Missed  uint64  `json:"missed,omitempty"`  // moments that got none because nobody was there to start it
	Last    []byte  `json:"last,omitempty"`    // Finished of the latest run that has ended
}

func (m *mark) record(task protocol.Task) journal.Record {
	b, _ := json.Marshal(m) // cannot fail
	return journal.Record{Task: task, State: journal.Marked, Result: b}
}

// errNoBoots refuses plans that go by starts of the machine.
var errNoBoots = errors.New("this platform does not tell one start of the machine from another")

// ruleOf reads the plan in a message for a node that arrived in the given moment.
func ruleOf(m *protocol.Run, node int64, at journal.Moment) (rule, error) {
	p := m.Spec.Plan
	r := rule{
		boot: p.Boot, created: time.UnixMicro(p.Created), after: time.UnixMicro(m.After), revision: p.Revision,
		accepted: at.Boot, lane: laneOf(&m.Spec), tree: m.Spec.KillTree, policy: policyOf(p),
		secret: m.Spec.Hidden,
	}
	if err := r.policy.Check(); err != nil {
		return r, err
	}
	r.delay = r.policy.Share(uint64(node), m.Task.Invocation)
	switch p.Boot {
	case protocol.BootNone:
		var err error
		r.calendar, err = parse(p.Expr)
		r.gap = r.calendar.MinGap()
		return r, err
	case protocol.BootNext, protocol.BootEvery:
		if at.Boot == "" {
			return r, errNoBoots
		}
		return r, nil
	}
	return r, fmt.Errorf("plan by start of the machine of kind %d", p.Boot)
}

// policyOf reads a policy; what no policy can hold becomes what its check refuses.
func policyOf(p *protocol.Plan) schedule.Policy {
	return schedule.Policy{
		Overlap: schedule.Overlap(p.Overlap), Missed: schedule.Missed(min(p.CatchUp, math.MaxInt32)), Jitter: duration(p.Jitter, time.Millisecond),
	}
}

// parse reads an expression; nothing that stands in one may harm the agent.
func parse(expr string) (p schedule.Plan, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("expression %q: %v", expr, r)
		}
	}()
	return schedule.Parse(expr)
}

// refusedPlan returns the result of a plan that cannot be carried out.
func refusedPlan(task protocol.Task, err error) protocol.Finished {
	m := protocol.Finished{Task: task, Outcome: protocol.OutcomeBadSchedule, Detail: clip(err.Error())}
	if errors.Is(err, errNoBoots) {
		m.Outcome = protocol.OutcomeNotApplicable
	}
	return m
}

// proposal is a plan, or a revision of one, that is not written down yet.
type proposal struct {
	task *task
	rule rule
	at   journal.Moment
	msg  []byte
}

// planned handles a Run with a plan. It returns nothing if there is nothing new in it.
func (a *Agent) planned(m *protocol.Run, msg []byte) *proposal {
	a.mu.Lock()
	p := a.plans[m.Task]
	revised := p != nil && (p.resting || m.Spec.Plan.Revision > p.rule.revision)
	a.mu.Unlock()
	if !revised && !a.unknown(m.Task) {
		return nil
	}
	now := a.cfg.Clock()
	r, err := ruleOf(m, a.id.NodeKey, now)
	a.mu.Lock()
	defer a.mu.Unlock()
	if revised {
		if err != nil {
			failed := refusedPlan(m.Task, err)
			p.verdict = &failed
			nudge(a.alarm)
			return nil
		}
		return &proposal{task: p.task, rule: r, at: now, msg: msg}
	}
	t := &task{id: m.Task, arrived: now, phase: planned}
	a.tasks[t.id] = t
	switch {
	case err != nil:
		a.endLocked(t, refusedPlan(t.id, err), false)
		return nil
	case len(a.plans) >= a.cfg.MaxWaiting:
		a.endLocked(t, protocol.Finished{Task: t.id, Outcome: protocol.OutcomeTooMany, Detail: fmt.Sprintf("%d plans", len(a.plans))}, false)
		return nil
	}
	return &proposal{task: t, rule: r, at: now, msg: msg}
}

func (p *proposal) record() journal.Record {
	return journal.Record{Task: p.task.id, State: journal.Planned, At: p.at, Run: p.msg, Secret: p.rule.secret}
}

// adopt goes by new plans from now on, or refuses them because they could not be written down.
func (a *Agent) adopt(fresh []*proposal, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range fresh {
		t, p := f.task, a.plans[f.task.id]
		switch {
		case t.phase == ended: // it came to its end just now
		case err == nil && p == nil:
			t.known = true
			a.plans[t.id] = &plan{task: t, rule: f.rule, mark: mark{Stopped: t.stop}, seen: f.at.Wall.Round(0)}
		case err == nil:
			p.rule, p.resting, p.armed, p.seen = f.rule, false, false, f.at.Wall.Round(0)
			p.drop()
		case p == nil:
			a.endLocked(t, unwritten(t.id, err), false)
		}
		t.again()
		a.schedule(t, time.Now())
	}
	nudge(a.alarm)
}

// halt ends a planned task on demand: nothing fires any more, and the run that lives is stopped.
func (a *Agent) halt(t *task) {
	a.mu.Lock()
	p := a.plans[t.id]
	if p == nil {
		a.mu.Unlock()
		return // whoever adopts it looks for the wish to stop
	}
	first, live := !p.mark.Stopped, slices.Clone(p.live)
	p.mark.Stopped = true
	r := p.mark.record(t.id)
	a.mu.Unlock()
	if first {
		if err := a.journal.Append(r); err != nil {
			a.log.Warn("stop of a plan not written down", "task", nameOf(t.id), "error", err) // the Stop is repeated
		}
	}
	for _, run := range live {
		a.stopTask(run)
	}
	nudge(a.alarm)
}

// runOf returns the name of the run that is due in a moment.
func (p *plan) runOf(due int64) protocol.Task {
	id := p.task.id
	id.Due = due
	return id
}

// ran takes the end of a run into account. It is called with the lock held.
func (a *Agent) ran(t *task) {
	p := a.plans[t.id.Planned()]
	if p == nil {
		return
	}
	if i := slices.Index(p.live, t); i >= 0 {
		p.live = slices.Delete(p.live, i, i+1)
		nudge(a.alarm)
	}
	p.note(t.result)
	p.unsent = append(p.unsent, t)
	a.trim(p)
}

// note remembers how a run ended.
func (p *plan) note(result protocol.Finished) {
	p.mark.Begun = p.mark.Begun || result.Started != 0
	if result.Task.Due == p.mark.Due {
		p.mark.Last = result.Append(nil)
	}
}

// trim drops what must not be kept any longer of a plan's runs. It is called with the lock held.
func (a *Agent) trim(p *plan) {
	space := uint64(0)
	for i, t := range slices.Backward(p.unsent) {
		age := len(p.unsent) - i
		space += min(t.result.Stdout+t.result.Stderr, executor.DefaultOutputCap)
		switch {
		case t.final:
		case age > maxResults:
			a.log.Warn("result of a run dropped: too many wait for the server", "task", nameOf(t.id))
			t.final = true
			a.schedule(t, time.Now())
		case t.lean, t.result.Stdout+t.result.Stderr == 0:
		case age > maxOutputs, space > outputSpace && age > 1:
			a.log.Warn("output of a run dropped: too many results wait for the server", "task", nameOf(t.id))
			t.lean, t.saved = true, false
			a.schedule(t, time.Now())
		}
	}
}

// forgotten notes that the server has the result of a run, and returns what the journal has to remember instead. It is
// called with the lock held.
func (a *Agent) forgotten(t *task) (marks []journal.Record) {
	p := a.plans[t.id.Planned()]
	if t.id.Due == 0 || p == nil {
		return nil
	}
	p.unsent = slices.DeleteFunc(p.unsent, func(u *task) bool { return u == t })
	if t.id.Due == p.mark.Due {
		marks = append(marks, p.mark.record(p.task.id))
	}
	return marks
}

// resumePlan takes up a plan that an earlier agent had.
func (a *Agent) resumePlan(e journal.Entry) {
	t := &task{id: e.Task, arrived: e.Arrived, known: true, phase: planned}
	p := &plan{task: t, resting: true}
	a.tasks[t.id], a.plans[t.id] = t, p
	a.guard(t, func() {
		_ = json.Unmarshal(e.Mark, &p.mark) // without a mark nothing has fired
		p.seen = time.UnixMicro(max(e.Arrived.Wall.UnixMicro(), p.mark.Due, p.mark.Seen))
		if e, ok := a.journal.Find(p.runOf(p.mark.Due)); ok && len(e.Result) > 0 {
			p.note(resultIn(e))
		}
		msg, err := a.journal.Run(t.id)
		if errors.Is(err, fs.ErrNotExist) {
			a.log.Warn("plan rests until the server asks for it again", "task", nameOf(t.id))
			return
		}
		var m protocol.Run
		if err == nil {
			m, err = protocol.DecodeRun(msg)
		}
		if err == nil && m.Spec.Plan == nil {
			err = fmt.Errorf("%w: no plan", protocol.ErrMalformed)
		}
		if err == nil {
			p.rule, err = ruleOf(&m, a.id.NodeKey, e.Arrived)
		}
		if err != nil {
			failed := refusedPlan(t.id, err)
			p.verdict = &failed
		}
		p.resting = false
	})
	if a.guilty[t.id] != "" {
		failed := a.verdict(t.id)
		p.verdict = &failed
	}
}
