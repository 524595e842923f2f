// Package sqlite keeps everything the core asks for in one SQLite file: the default store, for one server process.
//
// All writes go through one goroutine that gathers the operations waiting for it into one transaction (writer.go), so that durability
// costs one sync for many operations; reads have connections of their own and never wait for it. The schema is in migrations/.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/core"
)

const (
	writerCache = 32 << 20 // takes twice as much, because the allocator rounds up a page with its header
	readerCache = 4 << 20
	busyTimeout = 10 * time.Second
)

// Store is a core.Store in an SQLite file.
type Store struct {
	lock   *os.File
	writer *writer
	ckpt   *checkpointer
	pool   *sqlitex.Pool

	closing  sync.Once
	closeErr error
}

var _ core.Store = (*Store)(nil)

// Open opens or creates the database at path, brings its schema up to date and holds it until Close. While another process holds it, Open
// returns an error that wraps ErrInUse. Beside path, SQLite's own path-wal and path-shm and the lock file path.lock appear.
func Open(ctx context.Context, path string, log *slog.Logger) (*Store, error) {
	return open(ctx, path, log, logLimit)
}

func open(ctx context.Context, path string, log *slog.Logger, logLimit int64) (_ *Store, err error) {
	s := &Store{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open database: %w", err), s.close())
		}
	}()
	if s.lock, err = lock(path); err != nil {
		return nil, err
	}
	conn, err := openWriter(ctx, path, logLimit)
	if err != nil {
		return nil, err
	}
	if s.ckpt, err = newCheckpointer(path, log, logLimit); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if s.writer, err = newWriter(conn, s.ckpt, log); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s.pool, err = sqlitex.NewPool(path, sqlitex.PoolOptions{
		Flags:       sqlite.OpenReadOnly,
		PoolSize:    max(4, runtime.GOMAXPROCS(0)),
		PrepareConn: prepareReader,
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close waits for the operations that have begun, refuses those that have not, and gives the file free.
func (s *Store) Close() error {
	s.closing.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

// close gives up what Open has come to hold, in the reverse order. The writer's connection goes last: as the last one on the file
// it moves what is in the log into the database.
func (s *Store) close() error {
	var errs []error
	if s.writer != nil {
		s.writer.halt()
	}
	if s.pool != nil {
		errs = append(errs, s.pool.Close())
	}
	if s.ckpt != nil {
		errs = append(errs, s.ckpt.close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.conn.Close())
	}
	if s.lock != nil {
		errs = append(errs, unlock(s.lock))
	}
	return errors.Join(errs...)
}

func openWriter(ctx context.Context, path string, logLimit int64) (*sqlite.Conn, error) {
	// SQLite would create the file readable for all; the others take their mode from it.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	conn.SetBusyTimeout(busyTimeout)
	err = query(conn, "PRAGMA journal_mode = wal", func(r *row) error {
		if mode := r.text(); mode != "wal" {
			return fmt.Errorf("this file system allows no write-ahead log, only %q", mode)
		}
		return nil
	})
	if err == nil {
		err = pragmas(conn,
			"synchronous = full", "temp_store = memory", "wal_autocheckpoint = 0",
			fmt.Sprintf("cache_size = -%d", writerCache>>10),
			fmt.Sprintf("journal_size_limit = %d", logLimit),
		)
	}
	if err == nil {
		conn.SetInterrupt(ctx.Done())
		err = migrate(conn, migrations)
		conn.SetInterrupt(nil)
	}
	if err == nil {
		err = warm(conn)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// warm holds some memory for as long as the connection lives. The allocator below SQLite returns a block to the system when the last
// piece of its size is given free, and SQLite asks for single pieces of these sizes, in bytes, whenever it splits a page; without this, a
// twelfth of all processor time went into mapping and unmapping memory.
func warm(conn *sqlite.Conn) error {
	stmt, err := conn.Prepare("SELECT ?, ?, ?, ?")
	if err != nil {
		return err
	}
	for i, size := range []int{2 << 10, 4 << 10, 8 << 10, 16 << 10} {
		stmt.BindBytes(i+1, make([]byte, size))
	}
	return nil
}

func prepareReader(conn *sqlite.Conn) error {
	conn.SetBusyTimeout(busyTimeout)
	if err := addFunctions(conn); err != nil {
		return err
	}
	return pragmas(conn,
		"query_only = on", "temp_store = memory",
		fmt.Sprintf("cache_size = -%d", readerCache>>10),
	)
}

func pragmas(conn *sqlite.Conn, settings ...string) error {
	for _, p := range settings {
		if err := sqlitex.ExecuteTransient(conn, "PRAGMA "+p, nil); err != nil {
			return fmt.Errorf("pragma %s: %w", p, err)
		}
	}
	return nil
}

// read runs fn on a connection of its own, which sees one state of the database until fn returns. It ends early when ctx does.
func (s *Store) read(ctx context.Context, fn func(*sqlite.Conn) error) (err error) {
	conn, err := s.pool.Take(ctx)
	if err != nil {
		if ctx.Err() == nil && s.writer.halted() {
			err = ErrClosed
		}
		return reason(ctx, err)
	}
	defer s.pool.Put(conn)
	if err = exec(conn, "BEGIN"); err == nil {
		err = fn(conn)
		conn.SetInterrupt(nil) // the transaction has to end even when ctx is over
		err = errors.Join(err, exec(conn, "COMMIT"))
	}
	return reason(ctx, err)
}

// reason puts the reason in the place of the error by which SQLite says that it was interrupted.
func reason(ctx context.Context, err error) error {
	switch {
	case sqlite.ErrCode(err) != sqlite.ResultInterrupt:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return ErrClosed // by closing, the pool interrupts who still reads
	}
}
