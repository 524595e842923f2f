package core

import (
	"time"

	"errand/internal/schedule"
)

// Origin is the dialect through which an invocation came in.
type Origin string

// The origins.
const (
	OriginNative Origin = "native"
	OriginECS    Origin = "ecs"
	OriginEFLO   Origin = "eflo"
	OriginTAT    Origin = "tat"
	OriginZOS    Origin = "zos"
)

// RepeatMode is when an invocation runs.
type RepeatMode string

// The repeat modes.
const (
	Once       RepeatMode = "once"        // now
	DryRun     RepeatMode = "dry_run"     // now, but only as far as looking whether it could run
	Period     RepeatMode = "period"      // as Frequency says
	NextReboot RepeatMode = "next_reboot" // once, when the machine starts the next time
	EachReboot RepeatMode = "each_reboot" // whenever the machine starts
)

// Standing reports whether an invocation of this mode waits for moments to run.
func (m RepeatMode) Standing() bool { return m == Period || m == NextReboot || m == EachReboot }

// InvocationKind is what an invocation stands for. The numbers are stored: new kinds are added at the end.
type InvocationKind uint8

// The kinds. A standing invocation and its occurrences are the same thing seen by two kinds of vendors: for one the order is what
// counts, for the other each run. So a listing asks for the kinds it means.
const (
	KindOnce       InvocationKind = iota // runs once, at once
	KindStanding                         // is carried out by its nodes again and again; its tasks wait
	KindOccurrence                       // one run of a standing invocation, on the nodes where it was due at the same moment
	KindFile                             // writes a file
	KindPush                             // brings a large file to its nodes
	KindFetch                            // takes files from its nodes
	KindProbe                            // looks between two steps of a run with a Pace, which is its Schedule, whether the nodes are well
)

// String is the word for the kind in events.
func (k InvocationKind) String() string {
	switch k {
	case KindOnce:
		return "once"
	case KindStanding:
		return "standing"
	case KindOccurrence:
		return "occurrence"
	case KindFile:
		return "file"
	case KindPush:
		return "push"
	case KindFetch:
		return "fetch"
	case KindProbe:
		return "probe"
	}
	return "unknown"
}

// Orders are the kinds that show what was asked for, Runs are those that show what ran.
var (
	Orders = []InvocationKind{KindOnce, KindStanding}
	Runs   = []InvocationKind{KindOnce, KindOccurrence}
)

// File is a file to write. Its content is the invocation's Content, and Description its description.
type File struct {
	Name, Dir   string
	Mode        string // octal, "0644"
	Owner       string
	Group       string
	Overwrite   bool
	ContentType string // as passed, for dialects that echo it
}

// Prints reports whether what runs can print anything.
func (k InvocationKind) Prints() bool { return k != KindFile && k != KindPush && k != KindFetch }

// Invocation is one order to run a command on some nodes. It carries a copy of the command, so that later changes of the
// command do not change history.
type Invocation struct {
	ID      ID
	Account AccountID
	Region  string
	Origin  Origin
	Kind    InvocationKind

	Principal string // who ordered it; empty where that was not kept yet
	Reason    string // what for, in the caller's words
	RetryOf   ID     // the invocation of which it repeats some tasks; zero for one that is new

	Command ID   // the stored command, or an id of its own for a definition that was passed along
	Saved   bool // Command names a stored command
	Definition
	Params        map[string]string // as passed
	Script        []byte            // content with parameters filled in; nil if it is Content itself
	Secrets       map[string]string // variables of the environment whose values are never shown
	Hidden        bool              // Script or Secrets hold what nobody may write down in the clear
	KillTree      bool
	Termination   string // as passed, for dialects that echo it
	ContainerID   string
	ContainerName string
	Resources     *Resources // nil means no limits
	Login         bool       // read the user's login profile first
	Power         bool       // the script can ask for a restart of the machine or its end by its exit code
	Repeat        RepeatMode
	Frequency     string          // as passed; Period only
	Policy        schedule.Policy // of a standing invocation
	Outlet        Outlet          // where a copy of the output goes
	Revision      uint64          // of a standing invocation, grows with each change
	RevisedAt     time.Time       // zero if it never changed
	File          *File           // KindFile only
	Transfer      *Transfer       // KindPush and KindFetch only

	Selection Selection // how its nodes were chosen; zero if they were named by id

	Schedule ID        // what made it run: a standing invocation for KindOccurrence, a run for KindProbe, or a schedule; zero for a person
	Due      time.Time // the moment at which Schedule said so

	Pace   *Pace   // nil lets all nodes have it at once
	Pacing *Pacing // how far the Pace has come; nil without one

	DeliverWithin time.Duration // how long after its creation, or release, a task may still be handed over
	ClientToken   string
	RequestHash   string // of the request that ClientToken came with
	ResourceGroup string
	Tags          []Tag
	Extra         map[string]string

	CreatedAt time.Time
	StartedAt time.Time // first process started; zero until then
	EndedAt   time.Time // last task ended; zero until then
	UpdatedAt time.Time
	Counts    Counts
}

// Count moves one task from a state to another and keeps the times that follow from it. Stores call it for every change of a
// task's state, inside the same transaction.
func (v *Invocation) Count(from, to State, at time.Time) {
	v.Counts[from]--
	v.Counts[to]++
	v.UpdatedAt = at
	switch {
	case v.Counts.Open() > 0:
		v.EndedAt = time.Time{}
	case v.EndedAt.IsZero() || !from.Ended():
		v.EndedAt = at
	}
}

// Start notes that a process started, for the invocation's own start time.
func (v *Invocation) Start(at time.Time) {
	if !at.IsZero() && (v.StartedAt.IsZero() || at.Before(v.StartedAt)) {
		v.StartedAt = at
	}
}

// Task is one invocation on one node.
type Task struct {
	ID     TaskID
	Node   NodeKey
	State  State
	Held   bool // its turn has not come: it is Queued, and waits for its invocation's Pace
	Cause  Cause
	Detail string // for people, from the node: which user, which directory

	Exited   bool // the process ended and ExitCode is its code
	ExitCode int32
	Signal   uint8 // number of the signal that ended it, 0 if none

	Tries       int       // times it was handed to the bus
	SentAt      time.Time // last time it was handed to the bus
	ReceivedAt  time.Time // the node said it has the task written down or, since then, that it runs
	StartedAt   time.Time // process started, by the node's clock
	EndedAt     time.Time // process ended, by the node's clock; or when it was given up
	StopAskedAt time.Time
	ReleasedAt  time.Time // its turn came; zero without a Pace
	FirstByteAt time.Time // its first output was stored; only read together with the output
	UpdatedAt   time.Time
	Stdout      uint64 // bytes printed in all, as far as known
	Stderr      uint64
	DrainCut    bool // a child kept the output open; later bytes are not part of it
	Late        bool // the result replaced a presumed end
	Output      Output

	// Of a task of a standing invocation:
	Runs      uint32    // how often it was started
	Latest    ID        // the occurrence that was due last
	LatestDue time.Time // when that was
	Skipped   uint32    // moments without a run because another one lived, as far as known
	Missed    uint32    // moments without a run because the node was off or asleep
}

// Printed is the length of the merged output, whether kept or not.
func (t *Task) Printed() uint64 { return t.Stdout + t.Stderr }

// become moves the task along the table and reports whether it may.
func (t *Task) become(s State, cause Cause, now time.Time) bool {
	if t.State == s || !t.State.CanBecome(s) {
		return false
	}
	t.Late = t.Late || t.State.Presumed()
	t.State, t.Held, t.Cause, t.UpdatedAt = s, false, cause, now
	if s.Ended() && t.EndedAt.IsZero() {
		t.EndedAt = now
	}
	return true
}
