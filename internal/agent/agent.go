// Package agent is the node's side of Errand: it takes tasks from the server, runs each at most once and reports what
// became of it until the server has it on disk. What it must not forget lies in a journal and in one folder per task, so
// it may be killed at any moment; commands run on without it, and the next agent takes them up again.
//
// Its work is done by seven loops, each in a file of its own: link, intake, wake, work, report, beat and upgrade. Two more look after them: survey, and answer
// for whoever asks on the machine.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"errand/internal/agent/container"
	"errand/internal/agent/crash"
	"errand/internal/agent/executor"
	"errand/internal/agent/identity"
	"errand/internal/agent/journal"
	"errand/internal/protocol"
)

// Config is what an agent needs. Dir, SelfExe and Dial are required.
type Config struct {
	// Dir is the data folder, with the identity already in it. One agent at a time can use it.
	Dir     string
	Version string // of the program
	// SelfExe is the program to start as a supervisor; see executor.SuperviseArg.
	SelfExe string
	Dial    Dial
	HTTP    *http.Client // how to ask the server for what does not travel over the bus; nil uses one that knows no proxy or private CA
	Log     *slog.Logger
	// Ask finds out why the server refuses this node; without it, and as long as the server cannot be asked, a few refusals count as an answer.
	Ask Ask
	// Keys replaces the node's key; nil leaves it alone.
	Keys Keys
	// Wake ends a hibernation early; may be nil.
	Wake <-chan os.Signal

	// Alone says that the process is this agent's and nobody else's: its end is recorded as the agent's.
	Alone bool
	// Ready is called when the agent has taken up what it left, and Alive for as long as all its loops go round; either may be nil.
	Ready, Alive func()
	// Deadline is within what time every loop has to go round, which Alive is called several times in; 0 means a minute.
	Deadline time.Duration
	// Upgrader replaces the program when the server asks for it; nil if that is not possible.
	Upgrader Upgrader

	MaxRunning int // commands at a time; 0 means DefaultMaxRunning
	MaxWaiting int // tasks that wait for their turn, or plans, beyond which more are refused; 0 means DefaultMaxWaiting

	// Power ends the machine, or restarts it; nil means for real.
	Power func(restart bool) error

	// Clock replaces the machine's clock in tests, as the others replace what is named like them.
	Clock func() journal.Moment
	zone  func() *time.Location // for one goroutine at a time
	tempo *tempo
	store func(dir string) (memory, error)
	taken func(step, protocol.Task)
	start func(ctx context.Context, spec executor.Spec, dir, selfExe string) (*executor.Task, error)
	enter func(ctx context.Context, ref container.Ref, script *container.Exec) (boxed, error)
}

// Defaults of a Config.
const (
	DefaultMaxRunning = 16
	DefaultMaxWaiting = 10_000
)

// markLength is how many characters of its public key tell an agent's tasks from another's.
const markLength = 10

// ErrInUse means that another agent works on the same data folder.
var ErrInUse = errors.New("another agent uses this data folder")

// memory is what an agent asks of its journal.
type memory interface {
	Append(records ...journal.Record) error
	Note(records ...journal.Record) error
	Entries() []journal.Entry
	Find(task protocol.Task) (journal.Entry, bool)
	Run(task protocol.Task) ([]byte, error)
	Close() error
}

// tempo is how long an agent waits for what.
type tempo struct {
	received  time.Duration // a task that waits longer than this is reported as received
	started   time.Duration // a command that runs longer than this is reported as started
	output    time.Duration // between two reports of a running command's output
	watched   time.Duration // the same while somebody watches
	resend    time.Duration // before a report without an answer is repeated; doubles from there
	maxResend time.Duration

	hibernate    time.Duration // after the first refusal that the server means; doubles from there
	maxHibernate time.Duration
	rekey        time.Duration // about how long after a failure to replace the key
}

func usualTempo() *tempo {
	return &tempo{
		received: 100 * time.Millisecond, started: 75 * time.Millisecond, output: 2 * time.Second,
		watched: 200 * time.Millisecond, resend: time.Second, maxResend: 30 * time.Second,
		hibernate: time.Minute, maxHibernate: 10 * time.Minute, rekey: retryRekey,
	}
}

// Agent is one node's agent.
type Agent struct {
	cfg     Config
	log     *slog.Logger
	id      identity.Identity
	mark    string // makes the ids of tasks unique on a machine with several agents
	startID string
	machine string // fingerprint
	journal memory
	hands   *hands
	guilty  map[protocol.Task]step // of the deaths of earlier agents

	began    time.Time
	told     bool            // the server knows how the agent before this one ended; beat's alone
	recorder *crash.Recorder // nil unless the process is the agent's alone
	pulses   [surveyed]pulse

	inbox    chan []byte   // from link to intake
	greet    chan struct{} // from link to beat: there is a new connection
	greeted  chan struct{} // from link to rekey: there is a new connection
	relink   chan struct{} // from rekey to link: the key is another one
	probe    chan struct{} // from intake to beat: the server asks for a sign of life
	alarm    chan struct{} // to wake: a plan is new or changed, or a run is over
	room     chan struct{} // to work: something to start, or a free place
	agendaUp chan struct{} // to report: something is due earlier than it thinks

	connections atomic.Int64 // since the start

	rotateAfter chan time.Duration // from intake to rekey: when to replace the key

	mu     sync.Mutex
	login  identity.Identity // as id, with the key by which the node connects now
	link   Link              // nil before the first connection and after the end
	early  bool              // there was a connection before there was a link
	cut    bool              // the latest message could not be sent
	since  time.Time         // of the latest connection
	heard  time.Time         // when the other end had a heartbeat last
	ends   ends
	tasks  map[protocol.Task]*task
	plans  map[protocol.Task]*plan // of the tasks in phase planned
	lanes  [lanes]lane
	expiry time.Time // when to look for waiting tasks that may not be started any more
	agenda agenda
	looked time.Time      // by the wall clock, when wake looked last
	local  *time.Location // the machine's zone then
}

// New returns an agent for the identity kept in its data folder. It does nothing before Run.
func New(cfg Config) (*Agent, error) {
	if cfg.Dir == "" || cfg.SelfExe == "" || cfg.Dial == nil {
		return nil, errors.New("agent: data folder, program and dialer are required")
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	cfg.Dir = dir
	id, err := identity.Load(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	mark := id.Mark()
	if len(mark) < markLength {
		return nil, errors.New("agent: own key cannot be read")
	}
	cfg = cfg.withDefaults()
	a := &Agent{
		cfg: cfg, log: cfg.Log.With("node", id.NodeID), id: id, login: id, startID: newStartID(), machine: Fingerprint(),
		mark:  strings.ToLower(mark[len(mark)-markLength:]),
		inbox: make(chan []byte, maxIntake), greet: make(chan struct{}, 1), probe: make(chan struct{}, 1),
		greeted: make(chan struct{}, 1), relink: make(chan struct{}, 1), rotateAfter: make(chan time.Duration, 1),
		alarm: make(chan struct{}, 1), room: make(chan struct{}, 1),
		agendaUp: make(chan struct{}, 1), tasks: map[protocol.Task]*task{}, plans: map[protocol.Task]*plan{},
		lanes: [lanes]lane{commandLane: {places: cfg.MaxRunning}, fileLane: {places: maxWrites}, transferLane: {places: maxTransfers}},
	}
	for i := range a.pulses {
		a.pulses[i].call = make(chan struct{}, 1)
	}
	return a, nil
}

func (c Config) withDefaults() Config {
	if c.MaxRunning <= 0 {
		c.MaxRunning = DefaultMaxRunning
	}
	if c.MaxWaiting <= 0 {
		c.MaxWaiting = DefaultMaxWaiting
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Ready == nil {
		c.Ready = func() {}
	}
	if c.Alive == nil {
		c.Alive = func() {}
	}
	if c.Deadline <= 0 {
		c.Deadline = usualDeadline
	}
	if c.HTTP == nil {
		c.HTTP = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if c.Clock == nil {
		c.Clock = machineClock()
	}
	if c.Power == nil {
		c.Power = endMachine
	}
	if c.zone == nil {
		c.zone = systemZone().location
	}
	if c.tempo == nil {
		c.tempo = usualTempo()
	}
	if c.start == nil {
		c.start = executor.Start
	}
	if c.enter == nil {
		c.enter = enter
	}
	if c.store == nil {
		c.store = func(dir string) (memory, error) {
			return journal.Open(dir, func() time.Time { return c.Clock().Wall }, c.Log)
		}
	}
	return c
}

// StartID names this run of the agent to the server.
func (a *Agent) StartID() string { return a.startID }

// Run works until ctx ends and returns when all that it started in this process has ended; commands go on running. It
// can be called once. An error means that the agent could not begin or cannot go on.
func (a *Agent) Run(ctx context.Context) error {
	if err := a.run(ctx); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	return nil
}

func (a *Agent) run(ctx context.Context) (err error) {
	a.began = time.Now()
	// Commands run by other users pass through this folder to their scripts.
	if err := os.MkdirAll(a.cfg.Dir, 0o711); err != nil { //nolint:gosec // see above
		return err
	}
	unlock, err := lock(filepath.Join(a.cfg.Dir, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if a.cfg.Alone {
		done := a.record()
		defer done()
	}
	a.hands, a.guilty = openHands(a.cfg.Dir, a.recorder != nil && a.recorder.Fresh, a.log)
	a.hands.hook = a.cfg.taken
	defer a.hands.close()
	if a.journal, err = a.cfg.store(filepath.Join(a.cfg.Dir, "journal")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.journal.Close()) }()
	if err := a.recover(ctx); err != nil {
		return err
	}
	a.log.Info("agent started", "version", a.cfg.Version, "start", a.startID, "tasks", len(a.tasks))
	defer a.log.Info("agent stopped", "start", a.startID)
	a.cfg.Ready()
	return runAll(ctx, a.connect, a.intake, a.wake, a.work, a.report, a.beat, a.rekey, a.survey, a.answer, a.upgrade)
}

// record begins to record how this process ends, until done is called. An agent whose disk is full works without.
func (a *Agent) record() (done func()) {
	r, err := crash.Open(filepath.Join(a.cfg.Dir, "crash"), a.cfg.Version, a.began)
	if err != nil {
		a.log.Warn("no record of this start", "error", err)
		return func() {}
	}
	if r.Fresh {
		a.log.Error("the agent before this one crashed", "at", r.Last.Time, "report", r.Last.File)
	}
	a.recorder = r
	return func() {
		if err := r.Close(); err != nil {
			a.log.Warn("record of this start", "error", err)
		}
	}
}

// runAll runs loops until all have ended. The first that ends is the end of all.
func runAll(ctx context.Context, loops ...func(context.Context) error) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error)
	for _, loop := range loops {
		go func() { ended <- loop(ctx) }()
	}
	for range loops {
		err = errors.Join(err, <-ended)
		cancel()
	}
	return err
}

// nudge leaves word in a channel with room for one.
func nudge(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
