package sqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const (
	subscriptionColumns = `id, account, name, url, sealed, old_sealed, old_until, types, commands, batch, enabled, created_at, updated_at,
		cursor, delivered_at, failing_since, tries, next_try, last_error, claimed_until, dead`
	insertEvent = `INSERT INTO events (seq, account, at, kind, invocation, of_kind, command, started_at, ended_at, counts,
			idx, node, state, cause, flags, exit_code, signal, out_from, out_to)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	eventColumns = `e.seq, e.account, e.at, e.kind, e.invocation, e.of_kind, e.command, e.started_at, e.ended_at, e.counts,
		e.idx, e.node, e.state, e.cause, e.flags, e.exit_code, e.signal, e.out_from, e.out_to,
		ifnull(v.name, ''), ifnull(v.schedule, 0), v.due, ifnull(n.id, ''), ifnull(n.name, '')`
	fromEvents = "events e LEFT JOIN invocations v ON v.id = e.invocation LEFT JOIN nodes n ON n.key = e.node"
	// waiting is for what something waits. Nearly always that is nothing, so it is asked without writing.
	waiting = `SELECT ` + subscriptionColumns + ` FROM subscriptions s
		WHERE s.enabled = 1 AND ifnull(s.claimed_until, 0) <= ?1 AND ifnull(s.next_try, 0) <= ?1
			AND (s.again > 0 OR EXISTS (SELECT 1 FROM events e INDEXED BY events_told
				WHERE e.account = s.account AND e.kind <> 5 AND e.seq > s.cursor))
		ORDER BY s.claimed_until, s.id LIMIT ?2`
	newestEvent  = "SELECT last FROM event_numbers"
	deleteEvents = "DELETE FROM events WHERE seq IN (SELECT seq FROM events ORDER BY seq LIMIT ?) AND at < ?"
)

func scanSubscription(r *row) (s core.Subscription) {
	s.ID, s.Account, s.Name, s.URL = r.id(), core.AccountID(r.int()), r.text(), r.text()
	s.Sealed, s.OldSealed, s.OldUntil = r.bytes(), r.bytes(), r.time()
	r.json(&s.Types)
	r.json(&s.Commands)
	s.Batch, s.Enabled, s.CreatedAt, s.UpdatedAt = int(r.int()), r.bool(), r.time(), r.time()
	s.Cursor, s.DeliveredAt, s.FailingSince, s.Tries, s.NextTry = r.int(), r.time(), r.time(), int(r.int()), r.time()
	s.LastError, s.ClaimedUntil = r.text(), r.time()
	r.json(&s.Dead)
	return s
}

func scanEvent(r *row) (e core.StateEvent) {
	e.Seq, e.Account, e.At, e.Kind = r.int(), core.AccountID(r.int()), r.time(), core.EventKind(r.int())
	e.Invocation, e.InvocationKind, e.Command = r.id(), core.InvocationKind(r.int()), r.id()
	e.StartedAt, e.EndedAt = r.time(), r.time()
	unpackCounts(r.bytes(), e.Counts[:])
	e.Index, e.Node = uint32(r.int()), core.NodeKey(r.int())
	scanState(r, &e)
	e.OutFrom, e.OutTo = uint64(r.int()), uint64(r.int())
	return e
}

// scanState reads what a task came to, or what changed of a node.
func scanState(r *row, e *core.StateEvent) {
	state, cause, flags := r.int(), r.int(), r.int()
	if e.Kind == core.EventNode {
		e.Change = core.NodeEvent(state)
	} else {
		e.State = core.State(state)
	}
	e.Cause, e.Exited, e.Late = core.Cause(cause), flags&flagExited != 0, flags&flagLate != 0
	e.ExitCode, e.Signal = int32(r.int()), uint8(r.int())
}

// scanNamedEvent also reads what is joined.
func scanNamedEvent(r *row) core.StateEvent {
	e := scanEvent(r)
	e.CommandName, e.Schedule, e.Due = r.text(), r.id(), r.time()
	e.NodeID, e.NodeName = r.text(), r.text()
	return e
}

// phase is where an invocation is in its life.
type phase struct{ started, open bool }

func (p *progress) phase() phase { return phase{!p.StartedAt.IsZero(), p.Counts.Open() > 0} }

// advanced notes how a task changed, unless it is still in the state from, and what that means for its invocation, which was in phase was. had is how
// far its output went before.
func (t *tx) advanced(p *progress, was phase, from core.State, task *core.Task, had uint64) error {
	is := p.phase()
	if is.started && !was.started {
		if err := t.noteInvocation(core.EventStarted, &p.Invocation, task.UpdatedAt); err != nil {
			return err
		}
	}
	if from != task.State {
		if err := t.noteTask(&p.Invocation, task, had); err != nil {
			return err
		}
	} else if err := t.noteOutput(p.Account, task, had); err != nil {
		return err
	}
	if was.open && !is.open {
		return t.noteInvocation(core.EventEnded, &p.Invocation, task.UpdatedAt)
	}
	return nil
}

// added notes that tasks came to an invocation, of which those that have ended are heard of at once.
func (t *tx) added(v *core.Invocation, tasks []core.Task) error {
	for i := range tasks {
		if !tasks[i].State.Ended() {
			continue
		}
		if err := t.noteTask(v, &tasks[i], 0); err != nil {
			return err
		}
	}
	if len(tasks) > 0 && v.Counts.Open() == 0 {
		return t.noteInvocation(core.EventEnded, v, tasks[0].UpdatedAt)
	}
	return nil
}

// accepted notes that there is a new invocation with these tasks.
func (t *tx) accepted(v *core.Invocation, counts *core.Counts, tasks []core.Task) error {
	v = &core.Invocation{ID: v.ID, Account: v.Account, Kind: v.Kind, Command: v.Command, CreatedAt: v.CreatedAt, Counts: *counts}
	if err := t.noteInvocation(core.EventAccepted, v, v.CreatedAt); err != nil {
		return err
	}
	return t.added(v, tasks)
}

func (t *tx) noteInvocation(kind core.EventKind, v *core.Invocation, at time.Time) error {
	return t.note(&core.StateEvent{
		Account: v.Account, At: at, Kind: kind, Invocation: v.ID, InvocationKind: v.Kind, Command: v.Command,
		StartedAt: v.StartedAt, EndedAt: v.EndedAt, Counts: v.Counts,
	})
}

// noteTask notes that a task came into its state, and what it printed after had.
func (t *tx) noteTask(v *core.Invocation, task *core.Task, had uint64) error {
	return t.note(&core.StateEvent{
		OutFrom: had, OutTo: task.Output.Have(),
		Account: v.Account, At: task.UpdatedAt, Kind: core.EventTask, Invocation: v.ID, InvocationKind: v.Kind, Command: v.Command,
		StartedAt: task.StartedAt, EndedAt: task.EndedAt, Index: task.ID.Index, Node: task.Node, State: task.State, Cause: task.Cause,
		Exited: task.Exited, ExitCode: task.ExitCode, Signal: task.Signal, Late: task.Late,
	})
}

// noteOutput notes that a task printed more than had, if it did.
func (t *tx) noteOutput(account core.AccountID, task *core.Task, had uint64) error {
	have := task.Output.Have()
	if have <= had {
		return nil
	}
	return t.note(&core.StateEvent{
		Account: account, At: task.UpdatedAt, Kind: core.EventOutput, Invocation: task.ID.Invocation, Index: task.ID.Index, Node: task.Node,
		OutFrom: had, OutTo: have,
	})
}

// maxOwners is how many invocations are remembered with their accounts.
const maxOwners = 10_000

// owner is the account of an invocation.
func (t *tx) owner(id core.ID) (account core.AccountID, err error) {
	if account, ok := t.owners[id]; ok {
		return account, nil
	}
	if len(t.owners) >= maxOwners {
		clear(t.owners)
	}
	err = queryOne(t.conn, "SELECT account FROM invocations WHERE id = ?", func(r *row) error {
		account = core.AccountID(r.int())
		t.owners[id] = account
		return nil
	}, id)
	return account, err
}

// lastEvent is the number that was given to an event last.
func (t *tx) lastEvent() (int64, error) {
	if t.event.known {
		return t.event.last, nil
	}
	last, err := newest(t.conn)
	if err == nil {
		t.event = eventNumber{known: true, last: last, kept: last, stored: last}
	}
	return last, err
}

// nextEvent gives the next number.
func (t *tx) nextEvent() (int64, error) {
	if _, err := t.lastEvent(); err != nil {
		return 0, err
	}
	t.event.last++
	return t.event.last, nil
}

// noteNode notes a change of a node.
func (t *tx) noteNode(account core.AccountID, note core.NodeNote) error {
	return t.note(&core.StateEvent{Account: account, At: note.At, Kind: core.EventNode, Node: note.Node, Change: note.Change})
}

// note adds an event.
func (t *tx) note(e *core.StateEvent) error {
	var flags int64
	if e.Exited {
		flags |= flagExited
	}
	if e.Late {
		flags |= flagLate
	}
	seq, err := t.nextEvent()
	if err != nil {
		return err
	}
	b := binder{Stmt: t.insertEvent}
	b.int(seq)
	b.int(int64(e.Account))
	if e.At.IsZero() {
		b.int(0)
	} else {
		b.timeFrom(0, e.At)
	}
	b.int(int64(e.Kind))
	b.int(int64(e.Invocation))
	b.int(int64(e.InvocationKind))
	b.int(int64(e.Command))
	b.timeFrom(0, e.StartedAt)
	b.timeFrom(0, e.EndedAt)
	state := int64(e.State)
	switch e.Kind {
	case core.EventNode:
		state = int64(e.Change)
		b.bytes(nil)
	case core.EventTask, core.EventOutput:
		b.bytes(nil)
	case core.EventAccepted, core.EventStarted, core.EventEnded, core.EventPaced, core.EventPing:
		b.bytes(packCounts(e.Counts[:]))
	}
	for _, v := range [...]int64{int64(e.Index), int64(e.Node), state, int64(e.Cause), flags, int64(e.ExitCode), int64(e.Signal)} {
		b.int(v)
	}
	if e.OutTo > e.OutFrom {
		b.int(int64(e.OutFrom))
		b.int(int64(e.OutTo))
	} else {
		b.BindNull(b.next())
		b.BindNull(b.next())
	}
	return step(t.insertEvent)
}

// InsertSubscription implements core.Events.
func (s *Store) InsertSubscription(ctx context.Context, sub *core.Subscription, check func(have int) error) error {
	err := s.write(ctx, func(t *tx) error {
		have := 0
		err := query(t.conn, "SELECT count(*) FROM subscriptions WHERE account = ?", func(r *row) error {
			have = int(r.int())
			return nil
		}, sub.Account)
		if err == nil {
			err = check(have)
		}
		if err == nil {
			sub.Cursor, err = t.lastEvent()
		}
		if err != nil {
			return err
		}
		return putSubscription(t.conn, "INSERT", sub)
	})
	return named(err, "insert subscription %s", sub.ID)
}

func newest(conn *sqlite.Conn) (seq int64, err error) {
	err = query(conn, newestEvent, func(r *row) error { seq = r.int(); return nil })
	return seq, err
}

// putSubscription writes a row; the verb says whether it may be there.
func putSubscription(conn *sqlite.Conn, verb string, s *core.Subscription) error {
	again := 0
	for i := range s.Dead {
		if s.Dead[i].Again {
			again++
		}
	}
	return exec(conn, verb+" INTO subscriptions ("+subscriptionColumns+", again) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		s.ID, s.Account, s.Name, s.URL, s.Sealed, s.OldSealed, s.OldUntil, s.Types, s.Commands, s.Batch, s.Enabled, s.CreatedAt, s.UpdatedAt,
		s.Cursor, s.DeliveredAt, s.FailingSince, s.Tries, s.NextTry, s.LastError, s.ClaimedUntil, s.Dead, again)
}

// Subscription implements core.Events.
func (s *Store) Subscription(ctx context.Context, account core.AccountID, id core.ID) (sub core.Subscription, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		sub, err = readSubscription(conn, account, id)
		return err
	})
	return sub, named(err, "subscription %s", id)
}

func readSubscription(conn *sqlite.Conn, account core.AccountID, id core.ID) (sub core.Subscription, err error) {
	err = queryOne(conn, "SELECT "+subscriptionColumns+" FROM subscriptions WHERE id = ? AND account = ?", func(r *row) error {
		sub = scanSubscription(r)
		return nil
	}, id, account)
	return sub, err
}

// ListSubscriptions implements core.Events.
func (s *Store) ListSubscriptions(ctx context.Context, account core.AccountID) (rows []core.Subscription, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT "+subscriptionColumns+" FROM subscriptions WHERE account = ? ORDER BY id", func(r *row) error {
			rows = append(rows, scanSubscription(r))
			return nil
		}, account)
	})
	return rows, named(err, "list subscriptions")
}

// ChangeSubscription implements core.Events.
func (s *Store) ChangeSubscription(
	ctx context.Context, account core.AccountID, id core.ID, change func(*core.Subscription) (bool, error),
) error {
	err := s.write(ctx, func(t *tx) error {
		sub, err := readSubscription(t.conn, account, id)
		if err != nil {
			return err
		}
		keep, err := change(&sub)
		switch {
		case err != nil:
			return err
		case keep:
			return putSubscription(t.conn, "REPLACE", &sub)
		}
		return exec(t.conn, "DELETE FROM subscriptions WHERE id = ?", id)
	})
	return named(err, "change subscription %s", id)
}

// ClaimSubscriptions implements core.Events.
func (s *Store) ClaimSubscriptions(ctx context.Context, now, until time.Time, most int) (rows []core.Subscription, err error) {
	claim := func(conn *sqlite.Conn) error {
		rows = nil
		return query(conn, waiting, func(r *row) error {
			rows = append(rows, scanSubscription(r))
			return nil
		}, now, most)
	}
	if err := s.read(ctx, claim); err != nil || len(rows) == 0 {
		return nil, named(err, "claim subscriptions")
	}
	err = s.write(ctx, func(t *tx) error {
		if err := claim(t.conn); err != nil {
			return err
		}
		for i := range rows {
			rows[i].ClaimedUntil = until
			if err := exec(t.conn, "UPDATE subscriptions SET claimed_until = ? WHERE id = ?", until, rows[i].ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, named(err, "claim subscriptions")
	}
	return rows, nil
}

// ListEvents implements core.Events.
func (s *Store) ListEvents(ctx context.Context, f core.EventFilter, most int) (rows []core.StateEvent, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		l := listEvents(&f)
		return query(conn, l.query(eventColumns, " ORDER BY e.seq LIMIT ?"), func(r *row) error {
			rows = append(rows, scanNamedEvent(r))
			return nil
		}, append(l.args, most)...)
	})
	return rows, named(err, "list events")
}

func listEvents(f *core.EventFilter) *listing {
	l := &listing{from: fromEvents}
	if len(f.Seqs) > 0 {
		l.and("+e.account = ?", f.Account)
		among(l, "e.seq", f.Seqs)
	} else {
		l.and("e.account = ?", f.Account)
	}
	l.and("e.seq > ? AND e.kind <> 5", f.After)
	if !f.Nodes {
		l.and("e.kind <> 6")
	}
	return l
}

// LastEvent implements core.Events. It looks for the place among all numbers by halves.
func (s *Store) LastEvent(ctx context.Context, before time.Time) (seq int64, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		last, err := newest(conn)
		if seq = last; err != nil || before.IsZero() {
			return err
		}
		for seq = 0; seq < last; {
			middle := seq + (last-seq+1)/2
			old := false // the first event from the middle on is older
			err := query(conn, "SELECT at < ? FROM events WHERE seq >= ? ORDER BY seq LIMIT 1", func(r *row) error {
				old = r.bool()
				return nil
			}, before, middle)
			if err != nil {
				return err
			}
			if old {
				seq = middle
			} else {
				last = middle - 1
			}
		}
		return nil
	})
	return seq, named(err, "last event before %s", before)
}

// DeleteEvents implements core.Events.
func (s *Store) DeleteEvents(ctx context.Context, before time.Time, most int) (n int, err error) {
	var oldest time.Time
	// Once a minute there is nothing to delete, which is no reason to write.
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT at FROM events ORDER BY seq LIMIT 1", func(r *row) error { oldest = r.time(); return nil })
	})
	if err != nil || oldest.IsZero() || !oldest.Before(before) {
		return 0, named(err, "delete events")
	}
	err = s.write(ctx, func(t *tx) error {
		if err := exec(t.conn, deleteEvents, most, before); err != nil {
			return err
		}
		n = t.conn.Changes()
		return nil
	})
	return n, named(err, "delete events before %s", before)
}
