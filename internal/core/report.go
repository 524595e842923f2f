package core

import (
	"context"
	"fmt"
	"maps"
	"time"
)

// ReportKind is what a node says about a task.
type ReportKind uint8

// The kinds of reports.
const (
	ReportReceived ReportKind = iota + 1 // the node has it written down
	ReportStarted                        // its process runs
	ReportOutput                         // it printed something
	ReportEnded                          // it is over, or will never be
	ReportPlanned                        // the node has a standing task and carries it out
)

// Report is one message of a node about one task.
type Report struct {
	Task TaskID
	// Due tells apart the runs of a standing task, which Task names then; zero means the task itself.
	Due  time.Time
	Node NodeKey // who says so, as proved by the connection
	Kind ReportKind

	At    time.Time // ReportStarted: when the process started
	Chunk Chunk     // ReportOutput, and the last piece with ReportEnded

	// The rest is for ReportEnded.
	State    State
	Cause    Cause
	Detail   string
	Exited   bool
	ExitCode int32
	Signal   uint8
	Started  time.Time // zero if it never started
	Ended    time.Time
	Received time.Time // when the task arrived at the node; zero if nobody knows
	Stdout   uint64    // bytes printed in all
	Stderr   uint64
	End      uint64 // position after the last kept byte
	DrainCut bool

	// ReportPlanned, and ReportEnded of a standing task: how many of its moments came to no run so far.
	Skipped, Missed uint32
}

// Answer is what the node is told after its report was committed.
type Answer struct {
	Of    Name // as the report named the task
	Task  TaskID
	Node  NodeKey
	Have  uint64 // next output position wanted
	Final bool   // the node may forget the task
	Stop  bool   // the node has to end it: nobody wants it any more
}

// Name is how a node names what it runs: a task, or one run of a standing task.
type Name struct {
	Task TaskID
	Due  time.Time
}

// Outputs up to inlineOutput bytes stay with the task's row; longer ones are cut into segments in the blob store.
const inlineOutput = 32 << 10

// What is kept of one task's output. A node keeps 64 MiB itself, which it sends in pieces of up to 256 KiB, so that one that means well stays far
// below; what a node sends beyond is taken and dropped.
const (
	usualKept   = 256 << 20
	maxSegments = 8192
)

// over reports whether no more output of the task is kept, of which so many bytes may be.
func (o *Output) over(keep uint64) bool { return len(o.Segments) >= maxSegments || o.kept() >= keep }

func (o *Output) kept() (n uint64) {
	for i := range o.Segments {
		n += o.Segments[i].Len
	}
	return n + uint64(len(o.Recent.Data))
}

// Report takes what nodes say, commits it and returns an answer for each task that awaits one. Reports may be late, repeated or out of order:
// the state table and the positions of output make each of them harmless.
func (s *Service) Report(ctx context.Context, reports []Report) ([]Answer, error) {
	runs, err := s.occurrences(ctx, reports)
	if err != nil {
		return nil, err
	}
	said := make(map[claim][]*Report, len(reports))
	claims := make([]claim, 0, len(reports))
	ids := make([]TaskID, 0, len(reports))
	var answers []Answer
	for i := range reports {
		r := &reports[i]
		id := r.Task
		if !r.Due.IsZero() {
			run, ok := runs[r.name()]
			if !ok {
				answers = append(answers, Answer{Of: r.name(), Node: r.Node, Final: true}) // not a run that could be: let the node forget it
				continue
			}
			id = run.task.ID
		}
		c := claim{id, r.Node}
		if said[c] == nil {
			claims, ids = append(claims, c), append(ids, id)
		}
		said[c] = append(said[c], r)
	}
	now := s.Now()
	outcomes := make(map[TaskID]*outcome, len(ids))
	err = s.store.ChangeTasks(ctx, ids, func(t *Task) bool {
		o := &outcome{known: true, owner: t.Node, keep: s.keepOutput}
		outcomes[t.ID] = o
		changed := false
		for _, r := range said[claim{t.ID, t.Node}] {
			changed = o.apply(t, r, now, nil) || changed
			if o.spill != nil {
				break
			}
		}
		o.after = *t
		return changed
	})
	if err != nil {
		return nil, err
	}
	for _, c := range claims {
		o := outcomes[c.task]
		switch {
		case o == nil:
			o = unknownTask(said[c])
		case o.owner != c.node:
			o = &outcome{answer: true, final: true} // not this node's business, and nobody else's answer
		case o.spill != nil:
			if o, err = s.spill(ctx, c.task, said[c], now); err != nil {
				return nil, err
			}
			outcomes[c.task] = o
		}
		if o.answer {
			answers = append(answers, Answer{Of: said[c][0].name(), Task: c.task, Node: c.node, Have: o.have, Final: o.final, Stop: o.stop})
		}
	}
	s.begun(runs, outcomes)
	for id, o := range outcomes {
		if o != nil && o.after.State.Ended() {
			s.settled(id)
		}
	}
	s.watch.wake(maps.Keys(outcomes))
	return answers, nil
}

// claim is what one node says about one task. Only what the task's own node says counts.
type claim struct {
	task TaskID
	node NodeKey
}

func (r *Report) name() Name { return Name{Task: r.Task, Due: r.Due} }

// unknownTask lets a node forget what is not stored any more, and give up a plan.
func unknownTask(reports []*Report) *outcome {
	o := &outcome{answer: true, final: true}
	for _, r := range reports {
		if r.Kind == ReportPlanned {
			o.final, o.stop = false, true
		}
	}
	return o
}

// outcome is what became of a task's reports.
type outcome struct {
	known  bool
	owner  NodeKey // whose task it is
	keep   uint64  // bytes of its output that are kept at most
	answer bool
	final  bool
	stop   bool
	have   uint64
	spill  *Report // a report whose output is too long for the row
	after  Task
}

// segments is output already in the blob store: everything the row held from position from on, and what came after it.
type segments struct {
	from uint64
	list []Segment
	seal Seal // of all segments, these included; empty if nothing is known of those before
}

func (g *segments) end() uint64 { return g.list[len(g.list)-1].End() }

// apply lets one report change the task and reports whether it did.
func (o *outcome) apply(t *Task, r *Report, now time.Time, stored *segments) (changed bool) {
	if t.Node != r.Node {
		o.answer, o.final = true, true // not this node's business
		return false
	}
	if r.Kind == ReportPlanned {
		return o.planned(t, r, now)
	}
	if t.State.Ended() && !t.State.Presumed() {
		if r.Kind == ReportOutput || r.Kind == ReportEnded {
			o.answer, o.final, o.have = true, true, t.Output.Have()
		}
		return false
	}
	switch r.Kind {
	case ReportPlanned: // above
	case ReportReceived:
		if t.State.Waiting() && t.ReceivedAt.IsZero() {
			t.ReceivedAt, t.UpdatedAt = now, now
			return true
		}
		return false
	case ReportStarted:
		return t.start(r.At, now)
	case ReportOutput:
		changed = t.start(time.Time{}, now)
		if t.Output.over(o.keep) {
			o.answer, o.have = true, max(t.Output.Have(), r.Chunk.End())
			return changed
		}
		taken, full := t.take(r.Chunk, stored)
		if full {
			o.spill = r
			return changed
		}
		if taken {
			t.began(now)
			t.UpdatedAt = now
		}
		o.answer, o.have = true, t.Output.Have()
		return changed || taken
	case ReportEnded:
		if t.Output.over(o.keep) {
			r.Chunk = Chunk{}
		}
		taken, full := t.take(r.Chunk, stored)
		if full {
			o.spill = r
			return false
		}
		if taken {
			t.began(now)
		}
		o.answer, o.have = true, t.Output.Have()
		if r.End > o.have && !t.Output.over(o.keep) {
			return taken // the rest of the output has to come first
		}
		o.final = true
		return t.end(r, now) || taken
	}
	return false
}

// planned notes that the node holds a standing task. One that is over here was ended behind the node's back.
func (o *outcome) planned(t *Task, r *Report, now time.Time) bool {
	if t.State.Ended() {
		o.answer, o.stop = true, true
		return false
	}
	counted := t.countMisfires(r)
	if t.State == Scheduled || t.State == Stopping && !t.ReceivedAt.IsZero() {
		return counted
	}
	t.ReceivedAt, t.UpdatedAt = now, now
	t.reach(Scheduled, NoCause, now) // or it stays Stopping
	return true
}

// countMisfires takes over how many moments had no run, and reports whether that is news. Reports come in any order, and a node that
// lost its journal counts anew.
func (t *Task) countMisfires(r *Report) bool {
	news := r.Skipped > t.Skipped || r.Missed > t.Missed
	t.Skipped, t.Missed = max(t.Skipped, r.Skipped), max(t.Missed, r.Missed)
	return news
}

// start notes that the process runs, unless more is known already.
func (t *Task) start(at, now time.Time) bool {
	if !t.State.Waiting() || !t.reach(Running, NoCause, now) {
		return false
	}
	t.StartedAt, t.ReceivedAt = at, now
	if at.IsZero() {
		t.StartedAt = now
	}
	return true
}

// reach walks the table to s, by way of what must have happened in between: a node that reports the end of a task did receive and start it.
func (t *Task) reach(s State, cause Cause, now time.Time) bool {
	if t.become(s, cause, now) {
		return true
	}
	for _, via := range [...]State{Delivering, Running, Stopping} {
		before := *t
		if t.become(via, NoCause, now) {
			if t.reach(s, cause, now) {
				return true
			}
			*t = before
		}
	}
	return false
}

// end takes a task's result.
func (t *Task) end(r *Report, now time.Time) bool {
	before := *t
	t.EndedAt = time.Time{}
	if !t.reach(r.State, r.Cause, now) {
		*t = before
		return false
	}
	t.Detail, t.Exited, t.ExitCode, t.Signal = r.Detail, r.Exited, r.ExitCode, r.Signal
	t.Stdout, t.Stderr, t.DrainCut = r.Stdout, r.Stderr, r.DrainCut
	t.countMisfires(r)
	if t.ReceivedAt.IsZero() {
		t.ReceivedAt = r.Received // of a short task, this is all that is heard
	}
	if !r.Started.IsZero() {
		t.StartedAt = r.Started
	}
	if !r.Ended.IsZero() {
		t.EndedAt = r.Ended
	}
	return true
}

// began notes when the first output was stored.
func (t *Task) began(now time.Time) {
	if t.FirstByteAt.IsZero() {
		t.FirstByteAt = now
	}
}

// take adds a chunk to the output. full means that it does not fit into the row and was not in the blob store either.
func (t *Task) take(c Chunk, stored *segments) (taken, full bool) {
	have := t.Output.Have()
	if len(c.Data) == 0 || c.End() <= have || c.Off > have && !c.Gap {
		return false, false
	}
	fresh := c.from(have)
	switch {
	case stored != nil && stored.from == t.Output.Recent.Off && stored.end() == fresh.End():
		t.Output.Segments = append(t.Output.Segments, stored.list...)
		t.Output.Seal = stored.seal
		t.Output.Recent = Chunk{Off: stored.end()}
	case len(t.Output.Recent.Data)+len(fresh.Data) > inlineOutput || fresh.Off > have:
		return false, true
	default:
		t.Output.Recent.add(fresh)
	}
	stderr := uint64(len(fresh.of(Stderr)))
	t.Stderr += stderr
	t.Stdout += uint64(len(fresh.Data)) - stderr
	return true, false
}

// spill applies the reports of one task whose output does not fit into its row: each such chunk, together with what the row held, becomes a
// segment in the blob store before the row refers to it. A segment that is stored but never referred to is overwritten
// by the repeat of the same report.
func (s *Service) spill(ctx context.Context, id TaskID, reports []*Report, now time.Time) (*outcome, error) {
	last := &outcome{}
	for _, r := range reports {
		stored, err := s.storeSegments(ctx, id, r.Chunk)
		if err != nil {
			return nil, err
		}
		var o outcome
		err = s.store.ChangeTasks(ctx, []TaskID{id}, func(t *Task) bool {
			o = outcome{known: true, owner: t.Node, keep: s.keepOutput}
			changed := o.apply(t, r, now, stored)
			o.after = *t
			return changed
		})
		if err != nil {
			return nil, err
		}
		if !o.known && stored != nil {
			// The task was removed while its output was being stored.
			if err := s.blobs.DeleteAll(ctx, outputPrefix(id)); err != nil {
				return nil, fmt.Errorf("remove output of task %s: %w", id, err)
			}
		}
		if o.spill != nil {
			return nil, fmt.Errorf("task %s: output moved while it was being stored", id)
		}
		if o.answer {
			last = &o
		}
	}
	return last, nil
}

// storeSegments puts what the row holds and the new part of c into the blob store, if c is new and together they are too long for the row.
func (s *Service) storeSegments(ctx context.Context, id TaskID, c Chunk) (*segments, error) {
	rows, _, err := s.store.ListTasks(ctx, TaskFilter{IDs: []TaskID{id}, Output: true}, Page{Limit: 1})
	if err != nil || len(rows) == 0 || rows[0].Output.over(s.keepOutput) {
		return nil, err
	}
	recent, have := rows[0].Output.Recent, rows[0].Output.Have()
	if len(c.Data) == 0 || c.End() <= have || c.Off > have && !c.Gap {
		return nil, nil
	}
	fresh := c.from(have)
	var chunks []Chunk
	switch {
	case fresh.Off > have && len(recent.Data) > 0:
		chunks = []Chunk{recent, fresh}
	case fresh.Off > have:
		chunks = []Chunk{fresh}
	case len(recent.Data)+len(fresh.Data) > inlineOutput:
		whole := recent
		whole.add(fresh)
		chunks = []Chunk{whole}
	default:
		return nil, nil
	}
	stored := &segments{from: recent.Off}
	known, end := rows[0].Output.known(), rows[0].Output.sealedEnd()
	if known {
		stored.seal = rows[0].Output.Seal
	}
	for i := range chunks {
		c := &chunks[i]
		b, err := c.MarshalBinary()
		if err != nil {
			return nil, err
		}
		if err := s.blobs.Put(ctx, segmentKey(id, c.Off), b); err != nil {
			return nil, fmt.Errorf("store output of task %s: %w", id, err)
		}
		seal := stored.seal
		seg, err := seal.extend(c, end)
		if err != nil {
			return nil, fmt.Errorf("output of task %s: %w", id, err)
		}
		if known {
			stored.seal = seal
		} else {
			seg.Lines = [NumStreams]uint32{}
		}
		stored.list, end = append(stored.list, seg), seg.End()
	}
	return stored, nil
}

func segmentKey(id TaskID, off uint64) string {
	return fmt.Sprintf("%s%016x", outputPrefix(id), off)
}

func outputPrefix(id TaskID) string {
	return fmt.Sprintf("%s%06x/", invocationPrefix(id.Invocation), id.Index)
}

func invocationPrefix(id ID) string {
	return fmt.Sprintf("output/%s/", id)
}
