package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

var discard = slog.New(slog.DiscardHandler)

func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "errand.db")
	first, err := Open(t.Context(), path, discard)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), path, discard)
	want := fmt.Sprintf("%s is in use by another server (process %d)", path, os.Getpid())
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), want) {
		t.Errorf("second Open: %v; want %s", err, want)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := Open(t.Context(), path, discard)
	if err != nil {
		t.Fatalf("Open after Close: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

func TestFilesAreOurs(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	if _, err := s.SetSetting(t.Context(), "a", []byte("b")); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(strings.TrimSuffix(s.ckpt.path, "-wal") + "*")
	if err != nil || len(files) != 4 {
		t.Fatalf("files: %v, %v", files, err)
	}
	for _, name := range files {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.InsertAccount(t.Context(), core.Account{ID: 1}); !errors.Is(err, ErrClosed) {
		t.Errorf("write: %v", err)
	}
	if _, err := s.Account(t.Context(), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("read: %v", err)
	}
}

func TestOpenCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	path := filepath.Join(t.TempDir(), "errand.db")
	if _, err := Open(ctx, path, discard); err == nil {
		t.Fatal("no error")
	}
	s, err := Open(t.Context(), path, discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	one, two := file("CREATE TABLE a (x); INSERT INTO a VALUES (1);"), file("ALTER TABLE a ADD COLUMN y; UPDATE a SET y = 2;")
	conn, err := sqlite.OpenConn(filepath.Join(t.TempDir(), "x.db"), sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	check := func(what string, columns ...int64) {
		t.Helper()
		var got []int64
		err := query(conn, "SELECT * FROM a", func(r *row) error {
			for range columns {
				got = append(got, r.int())
			}
			return nil
		})
		if err != nil || fmt.Sprint(got) != fmt.Sprint(columns) {
			t.Errorf("%s: row is %v, %v, want %v", what, got, err, columns)
		}
	}
	steps := []struct {
		name  string
		files fstest.MapFS
		fails string
		want  []int64
	}{
		{"first", fstest.MapFS{"migrations/0001_a.sql": one}, "", []int64{1}},
		{"again", fstest.MapFS{"migrations/0001_a.sql": one}, "", []int64{1}},
		{
			"second fails",
			fstest.MapFS{"migrations/0001_a.sql": one, "migrations/0002_b.sql": file("UPDATE a SET x = 9; nonsense;")},
			"migrations/0002_b.sql",
			[]int64{1},
		},
		{"gap", fstest.MapFS{"migrations/0001_a.sql": one, "migrations/0003_b.sql": two}, "number 2", []int64{1}},
		{"second", fstest.MapFS{"migrations/0001_a.sql": one, "migrations/0002_b.sql": two}, "", []int64{1, 2}},
		{"older program", fstest.MapFS{"migrations/0001_a.sql": one}, ErrNewer.Error(), []int64{1, 2}},
	}
	for _, s := range steps {
		err := migrate(conn, s.files)
		if (err != nil) != (s.fails != "") || err != nil && !strings.Contains(err.Error(), s.fails) {
			t.Errorf("%s: error %v, want %q", s.name, err, s.fails)
		}
		check(s.name, s.want...)
	}
}

func TestNewerDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "errand.db")
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(pragmas(conn, "user_version = 999"), conn.Close()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first try leaves no lock behind
		if _, err := Open(t.Context(), path, discard); !errors.Is(err, ErrNewer) {
			t.Errorf("Open: %v", err)
		}
	}
}

// TestGroupCommit checks that operations of many callers share transactions. The counts that a transaction holds back tell how many of its
// operations ran before.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	const callers, rounds = 16, 50
	var mu sync.Mutex
	transactions := 0
	var group sync.WaitGroup
	for c := range callers {
		group.Go(func() {
			for i := range rounds {
				op := &operation{tasks: true, done: make(chan struct{}), run: func(t *tx) error {
					mu.Lock()
					defer mu.Unlock()
					if len(t.moved) == 0 {
						transactions++
					}
					id := core.ID(1 + c*rounds + i)
					t.moving[id] = &progress{}
					// A transaction that writes nothing would be over before anybody can join it.
					return exec(t.conn, "INSERT INTO removed (invocation) VALUES (?)", id)
				}}
				if err := s.writer.do(t.Context(), op); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if transactions >= callers*rounds/2 {
		t.Errorf("%d operations took %d transactions", callers*rounds, transactions)
	}
}

// TestFull lets the database run out of space: what fails is told so, what was acknowledged is there, and there is nothing else.
func TestFull(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	ctx := t.Context()
	limit := func(pages int) {
		t.Helper()
		err := s.write(ctx, func(t *tx) error { return pragmas(t.conn, fmt.Sprintf("max_page_count = %d", pages)) })
		if err != nil {
			t.Fatal(err)
		}
	}
	limit(300)
	const callers, rounds = 8, 6
	ids := core.NewIDs(1)
	var mu sync.Mutex
	stored := map[core.ID]bool{}
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range rounds {
				v := core.Invocation{ID: ids.Next(time.Now()), Account: 1, Definition: core.Definition{Content: make([]byte, 20<<10)}}
				tasks := make([]core.Task, 50)
				for i := range tasks {
					tasks[i] = core.Task{ID: core.TaskID{Invocation: v.ID, Index: uint32(i)}, Node: core.NodeKey(i)}
				}
				err := s.InsertInvocation(ctx, &v, tasks)
				if err != nil && sqlite.ErrCode(err) != sqlite.ResultFull {
					t.Error(err)
				}
				mu.Lock()
				stored[v.ID] = err == nil
				mu.Unlock()
			}
		})
	}
	group.Wait()
	kept := 0
	for id, acknowledged := range stored {
		v, err := s.Invocation(ctx, 1, id)
		if acknowledged {
			kept++
		}
		if found := err == nil; found != acknowledged || found && v.Counts.Total() != 50 {
			t.Errorf("invocation acknowledged: %v; read: %v with %d tasks", acknowledged, err, v.Counts.Total())
		}
	}
	if kept == 0 || kept == callers*rounds {
		t.Fatalf("%d of %d invocations fit, which tests nothing", kept, callers*rounds)
	}
	_, total, err := s.ListTasks(ctx, core.TaskFilter{Account: 1}, core.Page{Limit: 1, Count: true})
	if err != nil || total != kept*50 {
		t.Errorf("%d tasks, %v; want %d", total, err, kept*50)
	}
	limit(1 << 20)
	if err := s.InsertInvocation(ctx, &core.Invocation{ID: ids.Next(time.Now()), Account: 1}, nil); err != nil {
		t.Errorf("with space again: %v", err)
	}
}

// TestCheckpoint checks that the write-ahead log does not grow without end while it is being written.
func TestCheckpoint(t *testing.T) {
	t.Parallel()
	const limit = 256 << 10
	s, err := open(t.Context(), filepath.Join(t.TempDir(), "errand.db"), discard, limit)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var ids atomic.Uint64
	stop := make(chan struct{})
	var group sync.WaitGroup
	for range 4 { // so that the log is never quiet by itself
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c := core.Command{ID: core.ID(ids.Add(1)), Account: 1, Definition: core.Definition{Content: make([]byte, 16<<10)}}
				if err := s.InsertCommand(t.Context(), c, false); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	deadline := time.Now().Add(time.Minute)
	for shrank, last := 0, int64(0); shrank < 80; {
		info, err := os.Stat(s.ckpt.path)
		if err != nil {
			t.Error(err)
			break
		}
		if info.Size() < last {
			shrank++
		}
		if last = info.Size(); last > 16*limit || time.Now().After(deadline) {
			t.Errorf("the log has %d bytes and shrank %d times", last, shrank)
			break
		}
		runtime.Gosched()
	}
	close(stop)
	group.Wait()
}

// TestOneTransaction runs operations in one transaction, in a known order: what one of them moved is seen by the next, unless it failed.
func TestOneTransaction(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	ctx := t.Context()
	const command = 77
	if err := s.InsertCommand(ctx, core.Command{ID: command, Account: 1}, false); err != nil {
		t.Fatal(err)
	}
	tasks := make([]core.Task, 4)
	for i := range tasks {
		tasks[i].ID = core.TaskID{Invocation: 5, Index: uint32(i)}
	}
	if err := s.InsertInvocation(ctx, &core.Invocation{ID: 5, Account: 1, Command: command}, tasks); err != nil {
		t.Fatal(err)
	}
	s.writer.halt() // from here on, this goroutine is the writer
	finish := func(change func(*core.Task) bool, indexes ...int) func(*tx) error {
		return func(t *tx) error {
			for _, i := range indexes {
				if err := t.changeTask(tasks[i].ID, &core.Task{}, change); err != nil {
					return err
				}
			}
			return nil
		}
	}
	ended := func(t *core.Task) bool { t.State = core.Succeeded; return true }
	open := -1
	look := func(t *tx) error {
		return query(t.conn, "SELECT open FROM invocations WHERE id = 5", func(r *row) error { open = int(r.int()); return nil })
	}
	calls := 0
	steps := []struct {
		op    *operation
		fails bool
	}{
		{&operation{tasks: true, run: finish(ended, 0, 1)}, false},
		{&operation{tasks: true, run: finish(func(t *core.Task) bool {
			if calls++; calls == 2 {
				panic("after one change")
			}
			return ended(t)
		}, 2, 3)}, true},
		{&operation{tasks: true, run: finish(ended, 2)}, false},
		{&operation{run: look}, false},
		{&operation{tasks: true, run: finish(ended, 3)}, false},
	}
	begin := func() {
		t.Helper()
		if err := exec(s.writer.conn, "BEGIN IMMEDIATE"); err != nil {
			t.Fatal(err)
		}
	}
	begin() // a transaction that comes to nothing leaves nothing behind for the next one
	lost := &operation{tasks: true, run: finish(ended, 0, 1, 2)}
	if err := errors.Join(s.writer.attempt(lost, true), lost.err, s.writer.rollback()); err != nil {
		t.Fatal(err)
	}
	begin()
	for i, step := range steps {
		if err := s.writer.attempt(step.op, i == 0); err != nil || (step.op.err != nil) != step.fails {
			t.Errorf("operation %d: %v, %v", i, err, step.op.err)
		}
	}
	if err := s.writer.commit(); err != nil {
		t.Fatal(err)
	}
	if open != 1 {
		t.Errorf("an operation saw %d open tasks, want 1", open)
	}
	s.writer.stop, s.writer.ended = make(chan struct{}), sync.WaitGroup{} // for Close
	v, err := s.Invocation(ctx, 1, 5)
	if err != nil || v.Counts != (core.Counts{core.Succeeded: 4}) {
		t.Errorf("counts are %v, %v", v.Counts, err)
	}
}

// TestDamage checks that rows that cannot be read are errors, not empty values.
func TestDamage(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	ctx := t.Context()
	key, err := s.InsertNode(ctx, core.Node{ID: "a"})
	if err != nil {
		t.Fatal(err)
	}
	v := core.Invocation{ID: 5, Account: 1}
	if err := s.InsertInvocation(ctx, &v, []core.Task{{ID: core.TaskID{Invocation: 5}}}); err != nil {
		t.Fatal(err)
	}
	err = s.write(ctx, func(t *tx) error {
		return errors.Join(exec(t.conn, "UPDATE nodes SET tags = 'nonsense'"), exec(t.conn, "UPDATE tasks SET output = x'0001ff'"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Node(ctx, key); err == nil {
		t.Errorf("node with damaged tags: %v", n)
	}
	if _, _, err := s.ListNodes(ctx, core.NodeFilter{}, core.Page{Limit: 1}); err == nil {
		t.Error("list with damaged tags: no error")
	}
	if _, _, err := s.ListTasks(ctx, core.TaskFilter{Output: true}, core.Page{Limit: 1}); err == nil {
		t.Error("list with damaged output: no error")
	}
	err = s.ChangeTasks(ctx, []core.TaskID{{Invocation: 5}}, func(*core.Task) bool {
		t.Error("change was called with a damaged task")
		return true
	})
	if err == nil {
		t.Error("change of a damaged task: no error")
	}
}

// TestParts spreads invocations over parts of the index by node, some of them with ids from a clock that is behind.
func TestParts(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	ctx := t.Context()
	full := func() {
		t.Helper()
		err := s.write(ctx, func(t *tx) error { return exec(t.conn, "UPDATE parts SET tasks = ?", partSize) })
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		id   core.ID
		part int64
	}{{100, 1}, {200, 2}, {150, 1}, {50, 1}, {199, 1}, {300, 3}, {299, 2}, {400, 4}, {301, 3}} {
		v := core.Invocation{ID: step.id, Account: 1}
		tasks := []core.Task{{ID: core.TaskID{Invocation: step.id}, Node: 7}, {ID: core.TaskID{Invocation: step.id, Index: 1}, Node: 8}}
		if err := s.InsertInvocation(ctx, &v, tasks); err != nil {
			t.Fatal(err)
		}
		var got int64
		err := s.read(ctx, func(conn *sqlite.Conn) error {
			return query(conn, "SELECT part FROM invocations WHERE id = ?", func(r *row) error { got = r.int(); return nil }, step.id)
		})
		if err != nil || got != step.part {
			t.Errorf("invocation %d is in part %d, %v; want %d", step.id, got, err, step.part)
		}
		full()
	}
	want := []core.ID{400, 301, 300, 299, 200, 199, 150, 100, 50}
	for _, nodes := range [][]core.NodeKey{{7}, {8}, {7, 9}} {
		var got []core.ID
		p := core.Page{Limit: 2, Count: true}
		for {
			rows, total, err := s.ListTasks(ctx, core.TaskFilter{Account: 1, Nodes: nodes}, p)
			if err != nil || total != len(want) {
				t.Fatalf("total is %d, %v", total, err)
			}
			for _, row := range rows {
				got = append(got, row.ID.Invocation)
				p.After = &core.Cursor{A: int64(row.ID.Invocation), B: int64(row.ID.Index)}
			}
			if len(rows) < p.Limit {
				break
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("nodes %v: %v, want %v", nodes, got, want)
		}
	}
	loads, err := s.NodeLoads(ctx, []core.NodeKey{7})
	if err != nil || loads[7].Active != len(want) {
		t.Errorf("load is %v, %v", loads, err)
	}
}
