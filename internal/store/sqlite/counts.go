package sqlite

import (
	"encoding/binary"
	"errors"
	"maps"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

// tx is the transaction under way. It holds the counts of invocations back until the commit, or until an operation that may look at
// them, so that a thousand tasks of one invocation cost one write of its row.
type tx struct {
	conn *sqlite.Conn
	// These run once for every task, so they are kept at hand.
	insertTask, readTask, writeTask, insertEvent, putResult *sqlite.Stmt

	moved  map[core.ID]*progress // by operations of this transaction
	moving map[core.ID]*progress // by the operation under way

	owners map[core.ID]core.AccountID // of some invocations
	event  eventNumber
}

// eventNumber is the number that was given to an event last: by the operation under way, by those before it, and as the database has it.
type eventNumber struct {
	known              bool
	last, kept, stored int64
}

// progress is what moves in an invocation's row while its tasks change.
type progress struct {
	core.Invocation             // ID, Account, Kind, Command, Outlet, Counts, StartedAt, EndedAt and UpdatedAt
	stored          core.Counts // what the row says
	class           class       // of stored
	facets          []int64
}

func newTx(conn *sqlite.Conn) (*tx, error) {
	t := &tx{conn: conn, moved: map[core.ID]*progress{}, moving: map[core.ID]*progress{}, owners: map[core.ID]core.AccountID{}}
	var errs [5]error
	t.insertTask, errs[0] = conn.Prepare(insertTask)
	t.readTask, errs[1] = conn.Prepare(readTask)
	t.writeTask, errs[2] = conn.Prepare(writeTask)
	t.insertEvent, errs[3] = conn.Prepare(insertEvent)
	t.putResult, errs[4] = conn.Prepare(putResult)
	return t, errors.Join(errs[:]...)
}

// progress returns what the operation under way is to change of an invocation.
func (t *tx) progress(id core.ID) (*progress, error) {
	if p := t.moving[id]; p != nil {
		return p, nil
	}
	p := &progress{}
	if q := t.moved[id]; q != nil {
		*p = *q
	} else {
		err := queryOne(t.conn, `SELECT account, kind, command, outlet, counts, started_at, ended_at, updated_at, class, facets
			FROM invocations WHERE id = ?`,
			func(r *row) error {
				p.ID, p.Account, p.Kind, p.Command = id, core.AccountID(r.int()), core.InvocationKind(r.int()), r.id()
				p.Outlet = core.Outlet(r.int())
				unpackCounts(r.bytes(), p.Counts[:])
				p.StartedAt, p.EndedAt, p.UpdatedAt = r.time(), r.time(), r.time()
				p.stored, p.class, p.facets = p.Counts, class(r.int()), unpackFacets(r.bytes())
				return nil
			}, id)
		if err != nil {
			return nil, err
		}
	}
	t.moving[id] = p
	return p, nil
}

// keep and drop end an operation: what it moved counts, or does not.
func (t *tx) keep() {
	maps.Copy(t.moved, t.moving)
	clear(t.moving)
	t.event.kept = t.event.last
}

func (t *tx) drop() {
	clear(t.moving)
	t.event.last = t.event.kept
}

// forget drops everything that was held back.
func (t *tx) forget() {
	clear(t.moving)
	clear(t.moved)
	clear(t.owners) // they may have been read in the transaction that is gone
	t.event = eventNumber{}
}

// flush writes what was held back.
func (t *tx) flush() error {
	if len(t.moved) == 0 {
		return nil
	}
	sums := tally{}
	for id, p := range t.moved {
		now := p.class.shaped(&p.Counts)
		err := exec(t.conn, "UPDATE invocations SET class = ?, open = ?, counts = ?, started_at = ?, ended_at = ?, updated_at = ? WHERE id = ?",
			int64(now), p.Counts.Open(), packCounts(p.Counts[:]), p.StartedAt, p.EndedAt, p.UpdatedAt, id)
		if err != nil {
			return err
		}
		sums.add(p.facets, p.class, -1, &p.stored)
		sums.add(p.facets, now, 1, &p.Counts)
		if now == p.class {
			continue
		}
		if err := unmark(t.conn, p.facets, p.class, id); err != nil {
			return err
		}
		if err := mark(t.conn, p.facets, now, id); err != nil {
			return err
		}
	}
	clear(t.moved)
	return sums.write(t.conn)
}

// packCounts writes a varint for each state, without the zeros at the end. States are only ever added at the end, so that old rows stay
// readable.
func packCounts[T int32 | int64](counts []T) []byte {
	for len(counts) > 0 && counts[len(counts)-1] == 0 {
		counts = counts[:len(counts)-1]
	}
	b := make([]byte, 0, 2*len(counts))
	for _, n := range counts {
		b = binary.AppendVarint(b, int64(n))
	}
	return b
}

func unpackCounts[T int32 | int64](b []byte, counts []T) {
	for s := range counts {
		v, n := binary.Varint(b)
		if n <= 0 {
			return
		}
		counts[s] = T(v)
		b = b[n:]
	}
}
