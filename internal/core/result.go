package core

import "context"

// Outcome is what tasks have in common that are shown as one group: how they ended and what they printed. What the two streams interleave
// to depends on chance and does not count.
type Outcome struct {
	State          State
	Cause          Cause
	Exited         bool
	ExitCode       int32
	Signal         uint8
	Stdout, Stderr Digest
}

// Result is the outcome of a task that has ended.
type Result struct {
	Task TaskID
	Node NodeKey
	Outcome
}

// Result returns the task's result. ok is false unless it has ended, and for a long output from an older version whose segments have to be
// read first.
func (t *Task) Result() (r Result, ok bool) {
	if !t.State.Ended() {
		return r, false
	}
	r = Result{Task: t.ID, Node: t.Node, Outcome: Outcome{State: t.State, Cause: t.Cause, Exited: t.Exited, Signal: t.Signal}}
	if t.Exited {
		r.ExitCode = t.ExitCode
	}
	r.Stdout, r.Stderr, ok = t.Output.digests()
	return r, ok
}

// Results keeps the results of tasks beside them. Stores write Task.Result whenever they write a task that has one, in the same transaction, and
// delete results with their invocations.
type Results interface {
	// ScanResults calls visit for the results of an invocation's tasks by index, until it returns an error.
	ScanResults(ctx context.Context, id ID, visit func(*Result) error) error
	// MissingResults returns tasks of an invocation that have ended and have no result, by index.
	MissingResults(ctx context.Context, id ID, most int) ([]TaskID, error)
	// PutResults stores results for those of their tasks that exist and have ended.
	PutResults(ctx context.Context, list []Result) error
	// NodeNames returns the labels of nodes, removed ones included: their ids, or the names of those whose ids were left to us. There may be labels
	// of other nodes among them.
	NodeNames(ctx context.Context, keys []NodeKey) (map[NodeKey]string, error)
}
