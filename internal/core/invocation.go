package core

import "time"

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

// The repeat modes. Only Once is accepted until schedules exist.
const (
	Once RepeatMode = "once"
)

// Invocation is one order to run a command on some nodes. It carries a copy of the command, so that later changes of the
// command do not change history.
type Invocation struct {
	ID      ID
	Account AccountID
	Region  string
	Origin  Origin

	Command ID   // the stored command, or an id of its own for a definition that was passed along
	Saved   bool // Command names a stored command
	Definition
	Params        map[string]string // as passed
	Script        []byte            // content with parameters filled in; nil if it is Content itself
	KillTree      bool
	Termination   string // as passed, for dialects that echo it
	ContainerID   string
	ContainerName string
	Repeat        RepeatMode

	DeliverWithin time.Duration // how long after its creation a task may still be handed over
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
	Cause  Cause
	Detail string // for people, from the node: which user, which directory

	Exited   bool // the process ended and ExitCode is its code
	ExitCode int32
	Signal   uint8 // number of the signal that ended it, 0 if none

	Tries       int       // times it was handed to the bus
	SentAt      time.Time // last time it was handed to the bus
	ReceivedAt  time.Time // the node said it has the task written down
	StartedAt   time.Time // process started, by the node's clock
	EndedAt     time.Time // process ended, by the node's clock; or when it was given up
	StopAskedAt time.Time
	UpdatedAt   time.Time
	Stdout      uint64 // bytes printed in all, as far as known
	Stderr      uint64
	DrainCut    bool // a child kept the output open; later bytes are not part of it
	Late        bool // the result replaced a presumed end
	Output      Output
}

// Printed is the length of the merged output, whether kept or not.
func (t *Task) Printed() uint64 { return t.Stdout + t.Stderr }

// become moves the task along the table and reports whether it may.
func (t *Task) become(s State, cause Cause, now time.Time) bool {
	if t.State == s || !t.State.CanBecome(s) {
		return false
	}
	t.Late = t.Late || t.State.Presumed()
	t.State, t.Cause, t.UpdatedAt = s, cause, now
	if s.Ended() && t.EndedAt.IsZero() {
		t.EndedAt = now
	}
	return true
}
