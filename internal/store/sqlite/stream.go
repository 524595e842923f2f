package sqlite

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const (
	headColumns = "e.seq, e.account, e.at, e.kind, e.invocation, e.idx, e.node, e.out_from, e.out_to"
	scanEvents  = "SELECT " + headColumns + `, e.of_kind, e.command, e.started_at, e.ended_at, e.counts, e.state, e.cause, e.flags,
		e.exit_code, e.signal FROM events e WHERE e.seq > ? ORDER BY e.seq LIMIT ?`
	nodeLabels       = "SELECT n.key, n.id, n.name FROM json_each(?) k CROSS JOIN nodes n ON n.key = k.value"
	invocationLabels = `SELECT v.id, v.kind, v.command, v.name, v.schedule, v.due FROM json_each(?) k CROSS JOIN invocations v ON v.id = k.value`
)

// ScanEvents implements core.Events.
func (s *Store) ScanEvents(
	ctx context.Context, after int64, most int, want func(*core.StateEvent) bool,
) (rows []core.StateEvent, last int64, err error) {
	last = after
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		err := query(conn, scanEvents, func(r *row) error {
			e := core.StateEvent{Seq: r.int(), Account: core.AccountID(r.int()), At: r.time(), Kind: core.EventKind(r.int())}
			e.Invocation, e.Index, e.Node = r.id(), uint32(r.int()), core.NodeKey(r.int())
			e.OutFrom, e.OutTo = uint64(r.int()), uint64(r.int())
			last = e.Seq
			if !want(&e) {
				return nil
			}
			e.InvocationKind, e.Command = core.InvocationKind(r.int()), r.id()
			e.StartedAt, e.EndedAt = r.time(), r.time()
			unpackCounts(r.bytes(), e.Counts[:])
			scanState(r, &e)
			rows = append(rows, e)
			return nil
		}, after, most)
		if err != nil || len(rows) == 0 {
			return err
		}
		return label(conn, rows)
	})
	return rows, last, named(err, "scan events after %d", after)
}

// label adds the names of what events are about.
func label(conn *sqlite.Conn, rows []core.StateEvent) error {
	nodes, invocations := map[core.NodeKey][]int{}, map[core.ID][]int{}
	for i := range rows {
		if rows[i].Node != 0 {
			nodes[rows[i].Node] = append(nodes[rows[i].Node], i)
		}
		if rows[i].Invocation != 0 {
			invocations[rows[i].Invocation] = append(invocations[rows[i].Invocation], i)
		}
	}
	err := query(conn, nodeLabels, func(r *row) error {
		key, id, name := core.NodeKey(r.int()), r.text(), r.text()
		for _, i := range nodes[key] {
			rows[i].NodeID, rows[i].NodeName = id, name
		}
		return nil
	}, jsonList(slices.Collect(maps.Keys(nodes))))
	if err != nil {
		return err
	}
	return query(conn, invocationLabels, func(r *row) error {
		id, kind, command := r.id(), core.InvocationKind(r.int()), r.id()
		name, schedule, due := r.text(), r.id(), r.time()
		for _, i := range invocations[id] {
			rows[i].InvocationKind, rows[i].CommandName, rows[i].Schedule, rows[i].Due = kind, name, schedule, due
			if rows[i].Command == 0 {
				rows[i].Command = command
			}
		}
		return nil
	}, jsonList(slices.Collect(maps.Keys(invocations))))
}

// EventsWritten implements core.Events.
func (s *Store) EventsWritten() <-chan struct{} { return s.writer.news.next() }

// news tells those who wait that there is something new.
type news struct {
	mu      sync.Mutex
	waiting chan struct{} // nil if nobody waits
}

func (n *news) next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.waiting == nil {
		n.waiting = make(chan struct{})
	}
	return n.waiting
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.waiting != nil {
		close(n.waiting)
		n.waiting = nil
	}
}

// NoteNodes implements core.Events.
func (s *Store) NoteNodes(ctx context.Context, notes []core.NodeNote) error {
	if len(notes) == 0 {
		return nil
	}
	err := s.write(ctx, func(t *tx) error {
		for _, note := range notes {
			err := query(t.conn, "SELECT account FROM nodes WHERE key = ? AND removed_at IS NULL", func(r *row) error {
				return t.noteNode(core.AccountID(r.int()), note)
			}, note.Node)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return named(err, "note nodes")
}

// SeenSince implements core.Events.
func (s *Store) SeenSince(ctx context.Context, since time.Time) (map[core.NodeKey]time.Time, error) {
	seen := map[core.NodeKey]time.Time{}
	err := s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT node, at FROM seen WHERE at > ?", func(r *row) error {
			key := core.NodeKey(r.int())
			seen[key] = r.time()
			return nil
		}, since)
	})
	return seen, named(err, "nodes seen since %s", since)
}
