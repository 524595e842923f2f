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
	insertTask, readTask, writeTask *sqlite.Stmt

	moved  map[core.ID]*progress // by operations of this transaction
	moving map[core.ID]*progress // by the operation under way
}

// progress is what moves in an invocation's row while its tasks change.
type progress struct {
	core.Invocation             // Counts, StartedAt, EndedAt and UpdatedAt
	stored          core.Counts // what the row says
}

func newTx(conn *sqlite.Conn) (*tx, error) {
	t := &tx{conn: conn, moved: map[core.ID]*progress{}, moving: map[core.ID]*progress{}}
	var errs [3]error
	t.insertTask, errs[0] = conn.Prepare(insertTask)
	t.readTask, errs[1] = conn.Prepare(readTask)
	t.writeTask, errs[2] = conn.Prepare(writeTask)
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
		err := queryOne(t.conn, "SELECT account, counts, started_at, ended_at, updated_at FROM invocations WHERE id = ?",
			func(r *row) error {
				p.ID, p.Account = id, core.AccountID(r.int())
				unpackCounts(r.bytes(), p.Counts[:])
				p.StartedAt, p.EndedAt, p.UpdatedAt = r.time(), r.time(), r.time()
				p.stored = p.Counts
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
}

func (t *tx) drop() { clear(t.moving) }

// forget drops everything that was held back.
func (t *tx) forget() {
	clear(t.moving)
	clear(t.moved)
}

// flush writes what was held back.
func (t *tx) flush() error {
	if len(t.moved) == 0 {
		return nil
	}
	sums := map[core.AccountID]*totals{}
	for id, p := range t.moved {
		err := exec(t.conn, "UPDATE invocations SET open = ?, counts = ?, started_at = ?, ended_at = ?, updated_at = ? WHERE id = ?",
			p.Counts.Open(), packCounts(p.Counts[:]), p.StartedAt, p.EndedAt, p.UpdatedAt, id)
		if err != nil {
			return err
		}
		if sums[p.Account] == nil {
			sums[p.Account] = &totals{}
		}
		for s := range p.Counts {
			sums[p.Account].tasks[s] += int64(p.Counts[s] - p.stored[s])
		}
	}
	clear(t.moved)
	for account, sum := range sums {
		if err := t.addTotals(account, sum); err != nil {
			return err
		}
	}
	return nil
}

// totals is what an account's invocations and tasks sum up to.
type totals struct {
	invocations int
	tasks       [core.NumStates]int64
}

func (t *tx) addTotals(account core.AccountID, more *totals) error {
	sum, err := readTotals(t.conn, account)
	if err != nil {
		return err
	}
	sum.invocations += more.invocations
	for s, n := range more.tasks {
		sum.tasks[s] += n
	}
	return exec(t.conn, "INSERT OR REPLACE INTO account_totals (account, invocations, tasks) VALUES (?, ?, ?)",
		account, sum.invocations, packCounts(sum.tasks[:]))
}

func readTotals(conn *sqlite.Conn, account core.AccountID) (sum totals, err error) {
	err = query(conn, "SELECT invocations, tasks FROM account_totals WHERE account = ?", func(r *row) error {
		sum.invocations = int(r.int())
		unpackCounts(r.bytes(), sum.tasks[:])
		return nil
	}, account)
	return sum, err
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
