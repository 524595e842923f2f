package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
)

// ErrClosed is what a closed Store answers.
var ErrClosed = errors.New("store is closed")

const (
	// maxOperations is how many operations share a transaction at most. Beyond some hundreds, its fixed price is spread thin enough.
	maxOperations = 512
	// maxGather is how long a transaction takes on operations; then those in it have waited long enough.
	maxGather = 5 * time.Millisecond
	// linger is how long a transaction waits for the callers of the one before, which are likely to come back at once.
	linger = 2 * time.Millisecond
)

// operation is one call that changes something.
type operation struct {
	run   func(*tx) error
	tasks bool // changes tasks and nothing else
	err   error
	done  chan struct{}
}

// writer owns the one connection that writes. Operations that arrive together, or while a transaction is being committed, become one
// transaction; each is undone alone if it fails, and each caller hears of its own outcome after the commit.
type writer struct {
	conn  *sqlite.Conn
	tx    *tx
	ckpt  *checkpointer
	log   *slog.Logger
	queue chan *operation // unbuffered: an operation is either with its caller, who may give it up, or has begun
	stop  chan struct{}
	ended sync.WaitGroup
	timer *time.Timer
	crowd int // how many operations the transaction before had
	news  news
}

func newWriter(conn *sqlite.Conn, ckpt *checkpointer, log *slog.Logger) (*writer, error) {
	t, err := newTx(conn)
	if err != nil {
		return nil, err
	}
	w := &writer{
		conn: conn, tx: t, ckpt: ckpt, log: log, queue: make(chan *operation), stop: make(chan struct{}),
		timer: time.NewTimer(linger),
	}
	w.ended.Go(w.loop)
	return w, nil
}

// write runs an operation in a transaction and returns after that is durable. The operation may read what others in the same
// transaction wrote; if it returns an error, nothing of it is kept. When ctx ends before it has begun, it never begins.
func (s *Store) write(ctx context.Context, run func(*tx) error) error {
	return s.writer.do(ctx, &operation{run: run, done: make(chan struct{})})
}

func (w *writer) do(ctx context.Context, op *operation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case w.queue <- op:
		<-op.done
		return op.err
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stop:
		return ErrClosed
	}
}

// halt waits for the transaction under way and refuses everything after it.
func (w *writer) halt() {
	close(w.stop)
	w.ended.Wait()
}

func (w *writer) halted() bool {
	select {
	case <-w.stop:
		return true
	default:
		return false
	}
}

func (w *writer) loop() {
	for {
		select {
		case op := <-w.queue:
			w.transact(op)
		case <-w.stop:
			return
		}
	}
}

// transact runs first and the operations that gather behind it as one transaction.
func (w *writer) transact(first *operation) {
	w.ckpt.turn.Lock()
	began := time.Now()
	ops := make([]*operation, 0, max(w.crowd, 1))
	err := exec(w.conn, "BEGIN IMMEDIATE")
	for op := first; op != nil; op = w.next(len(ops), began) {
		ops = append(ops, op)
		if err != nil {
			break
		}
		if err = w.attempt(op, len(ops) == 1); err != nil {
			break
		}
	}
	if err == nil {
		err = w.commit()
	}
	if e := &w.tx.event; err == nil && e.last > e.stored {
		e.stored = e.last
		w.news.tell()
	}
	if err != nil {
		err = errors.Join(fmt.Errorf("transaction: %w", err), w.rollback())
	}
	w.ckpt.turn.Unlock()
	w.crowd = len(ops)
	for _, op := range ops {
		if err != nil {
			op.err = err // even a refusal was decided on rows that are gone
		}
		close(op.done)
	}
	w.ckpt.consider()
}

// next returns another operation for a transaction of n, or nil when it should be committed. A lone caller is not kept waiting: only
// after a transaction that was shared, the next one lingers until as many have come again.
func (w *writer) next(n int, began time.Time) *operation {
	if n >= maxOperations {
		return nil
	}
	passed := time.Since(began)
	if passed > maxGather {
		return nil
	}
	select {
	case op := <-w.queue:
		return op
	default:
	}
	if n >= w.crowd || passed >= linger {
		return nil
	}
	w.timer.Reset(linger - passed)
	defer w.timer.Stop()
	select {
	case op := <-w.queue:
		return op
	case <-w.timer.C:
	case <-w.stop:
	}
	return nil
}

// attempt runs one operation so that its failure harms no other. The error it returns is that of the whole transaction.
func (w *writer) attempt(op *operation, alone bool) error {
	if !op.tasks {
		if err := w.tx.flush(); err != nil {
			return err
		}
	}
	// There is nothing to save yet when the first operation runs.
	if !alone {
		if err := exec(w.conn, "SAVEPOINT operation"); err != nil {
			return err
		}
	}
	op.err = w.call(op)
	switch {
	case w.conn.AutocommitEnabled():
		return fmt.Errorf("given up by the database: %w", op.err)
	case op.err == nil && alone:
		w.tx.keep()
		return nil
	case op.err == nil:
		w.tx.keep()
		return exec(w.conn, "RELEASE operation")
	}
	w.tx.drop()
	if alone {
		return errors.Join(w.rollback(), exec(w.conn, "BEGIN IMMEDIATE"))
	}
	return errors.Join(exec(w.conn, "ROLLBACK TO operation"), exec(w.conn, "RELEASE operation"))
}

// call turns a panic of a caller's function into that caller's error.
func (w *writer) call(op *operation) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.log.Error("a change panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return op.run(w.tx)
}

func (w *writer) commit() error {
	if err := w.tx.flush(); err != nil {
		return err
	}
	if e := &w.tx.event; e.last > e.stored {
		if err := exec(w.conn, "UPDATE event_numbers SET last = ?", e.last); err != nil {
			return err
		}
	}
	return exec(w.conn, "COMMIT")
}

func (w *writer) rollback() error {
	w.tx.forget()
	if w.conn.AutocommitEnabled() {
		return nil
	}
	return exec(w.conn, "ROLLBACK")
}
