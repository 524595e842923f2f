package core

import (
	"context"
	"path"
	"slices"
	"time"
)

// EventKind is what a StateEvent is about. The numbers are stored: new kinds are added at the end.
type EventKind uint8

// The kinds of events.
const (
	EventAccepted EventKind = iota // an invocation was stored
	EventStarted                   // its first process started
	EventEnded                     // its last open task ended; again, if tasks joined it later
	EventTask                      // a task came into State
	EventPing                      // somebody tries out a subscription; never stored
	EventOutput                    // a task printed something, and nothing else changed
	EventNode                      // something changed about a node
	EventPaced                     // the Pacing of an invocation changed in more than numbers
)

// NodeEvent is what an EventNode is about. The numbers are stored: new ones are added at the end.
type NodeEvent uint8

// The changes of nodes.
const (
	NodeJoined       NodeEvent = iota + 1
	NodeOnline                 // it was heard of, for the first time or after its OnlineWindow was over
	NodeOffline                // its OnlineWindow is over
	NodeConnected              // to a server
	NodeDisconnected           // it is still online for the rest of its OnlineWindow
	NodeCordoned
	NodeUncordoned
	NodeChanged // its name, its tags or what it says about itself
	NodeRemoved
)

var nodeEventNames = [...]string{
	"", "joined", "online", "offline", "connected", "disconnected", "cordoned", "uncordoned", "changed", "removed",
}

func (n NodeEvent) String() string {
	if int(n) < len(nodeEventNames) {
		return nodeEventNames[n]
	}
	return "unknown"
}

// NodeEvents is what a change of a node's row comes to. Stores write an event for each, in the same transaction.
func NodeEvents(before, after *Node) (list []NodeEvent) {
	if !after.RemovedAt.IsZero() {
		if before.RemovedAt.IsZero() {
			list = append(list, NodeRemoved)
		}
		return list
	}
	switch {
	case before.CordonedAt.IsZero() && !after.CordonedAt.IsZero():
		list = append(list, NodeCordoned)
	case !before.CordonedAt.IsZero() && after.CordonedAt.IsZero():
		list = append(list, NodeUncordoned)
	}
	if before.Name != after.Name || !slices.Equal(before.Tags, after.Tags) || !sameFacts(before, after) {
		list = append(list, NodeChanged)
	}
	return list
}

// StateEvent says that a task, an invocation or a node has changed. Stores write it in the transaction of the change itself.
type StateEvent struct {
	Seq       int64 // given by the store: grows in the order of the changes, and no number is used twice
	Account   AccountID
	At        time.Time
	Kind      EventKind
	StartedAt time.Time // of the task, or of the invocation
	EndedAt   time.Time

	Invocation     ID
	InvocationKind InvocationKind
	Command        ID
	Counts         Counts // of the invocation, unless Kind is EventTask

	// The rest is about the task if Kind is EventTask.
	Index    uint32
	Node     NodeKey
	State    State
	Cause    Cause
	Exited   bool
	ExitCode int32
	Signal   uint8
	Late     bool // replaces an end that was presumed

	// What the task printed since the event before: positions in its merged output, the same if there is nothing new. Also of EventOutput, which
	// is about Index and Node besides.
	OutFrom, OutTo uint64

	Change NodeEvent // of Node, if Kind is EventNode

	// Read together with the event, as they are by then. Of an invocation that was removed meanwhile nothing is known.
	CommandName string
	Schedule    ID
	Due         time.Time
	NodeID      string
	NodeName    string
}

// Type is the name by which subscribers know the event: errand.task.succeeded, errand.invocation.ended.
func (e *StateEvent) Type() string {
	switch e.Kind {
	case EventAccepted:
		return "errand.invocation.accepted"
	case EventStarted:
		return "errand.invocation.started"
	case EventEnded:
		return "errand.invocation.ended"
	case EventTask:
		return "errand.task." + e.State.String()
	case EventPaced:
		return "errand.invocation.paced"
	case EventPing:
		return "errand.ping"
	case EventOutput:
		return "errand.task.output"
	case EventNode:
		return nodeEvents + e.Change.String()
	}
	return "errand.unknown"
}

// nodeEvents is how the types of events about nodes begin. Subscriptions are sent them only if a pattern begins like that, because there were none at
// first.
const nodeEvents = "errand.node."

// Task is the task that an EventTask is about.
func (e *StateEvent) Task() TaskID { return TaskID{e.Invocation, e.Index} }

// eventTypes are all types that subscribers can choose from.
func eventTypes() []string {
	var types []string
	for _, kind := range []EventKind{EventAccepted, EventStarted, EventEnded, EventPaced} {
		types = append(types, (&StateEvent{Kind: kind}).Type())
	}
	for s := Queued + 1; int(s) < NumStates; s++ { // nothing becomes Queued
		types = append(types, (&StateEvent{Kind: EventTask, State: s}).Type())
	}
	for c := NodeJoined; c <= NodeRemoved; c++ {
		types = append(types, (&StateEvent{Kind: EventNode, Change: c}).Type())
	}
	return types
}

// checkPattern refuses a pattern of types that is malformed or stands for none of them.
func checkPattern(pattern string) error {
	chosen := slices.ContainsFunc(eventTypes(), func(t string) bool {
		ok, err := path.Match(pattern, t)
		return ok && err == nil
	})
	if !chosen {
		return invalid(ReasonInvalidValue, "types", "%.100q stands for no type of events", pattern)
	}
	return nil
}

// Events keeps what happened and who is told of it.
type Events interface {
	// InsertSubscription stores a subscription and sets its Cursor to the newest event. check is called with the number of subscriptions
	// that the account has, inside the transaction, and may refuse.
	InsertSubscription(ctx context.Context, s *Subscription, check func(have int) error) error
	Subscription(ctx context.Context, account AccountID, id ID) (Subscription, error)
	// ListSubscriptions returns the subscriptions of an account, oldest first.
	ListSubscriptions(ctx context.Context, account AccountID) ([]Subscription, error)
	// ChangeSubscription reads a subscription, lets change decide and writes it or, where change does not want to keep it, deletes it, in one
	// transaction.
	ChangeSubscription(ctx context.Context, account AccountID, id ID, change func(*Subscription) (keep bool, err error)) error
	// ClaimSubscriptions sets ClaimedUntil of enabled subscriptions for which something waits, whose NextTry has come and whose ClaimedUntil
	// is over, and returns them: of all accounts, those first that were served longest ago.
	ClaimSubscriptions(ctx context.Context, now, until time.Time, most int) ([]Subscription, error)

	// ListEvents returns events of an account in their order, except for EventOutput.
	ListEvents(ctx context.Context, f EventFilter, most int) ([]StateEvent, error)
	// ScanEvents looks at up to most events of all accounts after a number, in their order, and returns those that want takes. want is given
	// what is quick to read: Seq, Account, Kind, At, Invocation, Index, Node, OutFrom and OutTo. last is the number of the last event that was
	// looked at, or after if there was none.
	ScanEvents(ctx context.Context, after int64, most int, want func(*StateEvent) bool) (rows []StateEvent, last int64, err error)
	// EventsWritten returns a channel that is closed when this process has written another event.
	EventsWritten() <-chan struct{}
	// NoteNodes writes events about nodes of which nothing else is written. Nodes that were removed are passed over.
	NoteNodes(ctx context.Context, notes []NodeNote) error
	// SeenSince returns the nodes whose LastSeen is after a time, with it.
	SeenSince(ctx context.Context, since time.Time) (map[NodeKey]time.Time, error)
	// LastEvent returns the number of the last event before a time, or of the last one ever if that is zero, of any account; zero if there
	// is none. It relies on events being in the order of their times, so where clocks were set back it is a little off.
	LastEvent(ctx context.Context, before time.Time) (int64, error)
	// DeleteEvents looks at the oldest events of all accounts, at most most of them, deletes those that are older than before and returns
	// how many.
	DeleteEvents(ctx context.Context, before time.Time, most int) (int, error)
}

// NodeNote is something that happened to a node.
type NodeNote struct {
	Node   NodeKey
	Change NodeEvent
	At     time.Time
}

// EventFilter selects events of an account.
type EventFilter struct {
	Account AccountID
	After   int64   // only those with greater numbers
	Seqs    []int64 // only these; empty means all
	Nodes   bool    // also those of nodes
}

// MaxEvents is how many events one page has at most.
const MaxEvents = 1000

// Events returns the account's events of invocations and tasks after a number, oldest first. They are there for as long as results are.
func (s *Service) Events(ctx context.Context, c Caller, after int64, limit int) ([]StateEvent, error) {
	if err := c.Allow("event.watch", nil); err != nil {
		return nil, err
	}
	if limit < 1 || limit > MaxEvents {
		return nil, invalid(ReasonPageSize, "limit", "1 to %d", MaxEvents)
	}
	return s.store.ListEvents(ctx, EventFilter{Account: c.Account, After: after}, limit)
}

// keepEvents is how long events are kept where results are kept for ever.
const keepEvents = 30 * 24 * time.Hour

// removeEvents removes events that are older than results may be.
func (s *Service) removeEvents(ctx context.Context, age time.Duration) error {
	if age == 0 {
		age = keepEvents
	}
	for {
		n, err := s.store.DeleteEvents(ctx, s.Now().Add(-age), retainRows)
		if err != nil || n == 0 {
			return err
		}
	}
}
