package sqlite

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"zombiezen.com/go/sqlite"
)

// logLimit is the length of the write-ahead log, in bytes, from which it is moved into the database. It is also SQLite's
// journal_size_limit: a log that starts anew is cut to it, so that a longer file means that much was written since.
const logLimit = 64 << 20

// checkpointer moves the write-ahead log into the database, on a connection and in a goroutine of its own: most of it beside the
// writer, and only what was written meanwhile between two transactions. Without that second part, a busy log would never be moved to
// its end and so never start anew: a minute of load made it a gigabyte long.
type checkpointer struct {
	// turn is held by the writer during a transaction, and by the checkpointer for the part that needs a quiet log.
	turn sync.Mutex

	conn  *sqlite.Conn
	log   *slog.Logger
	path  string // of the write-ahead log
	limit int64
	next  int64 // the length at which to try; more than limit while a reader keeps an old log in use
	want  chan struct{}
	ended sync.WaitGroup
}

func newCheckpointer(path string, log *slog.Logger, limit int64) (*checkpointer, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	conn.SetBusyTimeout(busyTimeout)
	if err := pragmas(conn, "synchronous = full", "wal_autocheckpoint = 0"); err != nil {
		return nil, errors.Join(fmt.Errorf("checkpointer: %w", err), conn.Close())
	}
	c := &checkpointer{conn: conn, log: log, path: path + "-wal", limit: limit, next: limit, want: make(chan struct{}, 1)}
	c.ended.Go(c.loop)
	return c, nil
}

// consider asks for a checkpoint if the log is long. Only the writer calls it, after each transaction.
func (c *checkpointer) consider() {
	info, err := os.Stat(c.path)
	if err != nil {
		return // no log, no checkpoint
	}
	switch size := info.Size(); {
	case size <= c.limit:
		c.next = c.limit
	case size > c.next:
		c.next = size + c.limit/4
		select {
		case c.want <- struct{}{}:
		default:
		}
	}
}

func (c *checkpointer) loop() {
	for range c.want {
		err := c.checkpoint()
		if err == nil {
			c.turn.Lock()
			err = c.checkpoint()
			c.turn.Unlock()
		}
		if err != nil {
			c.log.Warn("checkpoint of the database log", "error", err)
		}
	}
}

func (c *checkpointer) checkpoint() error {
	return query(c.conn, "PRAGMA wal_checkpoint(PASSIVE)", func(*row) error { return nil })
}

func (c *checkpointer) close() error {
	close(c.want)
	c.ended.Wait()
	return c.conn.Close()
}
