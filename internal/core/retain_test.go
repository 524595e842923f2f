package core_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
	"errand/internal/store/blob"
	"errand/internal/store/sqlite"
)

const day = 24 * time.Hour

// longOutput is more than fits into a row.
func longOutput() string { return string(bytes.Repeat([]byte("line\n"), 20_000)) }

func listed(t *testing.T, s *scene.Scene) (ids []core.ID) {
	t.Helper()
	rows, _, err := s.Service.Invocations(t.Context(), s.Caller, core.InvocationFilter{}, core.PageSpec{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		ids = append(ids, rows[i].ID)
	}
	return ids
}

func retain(t *testing.T, s *scene.Scene, keep core.Retention, removed int, left ...core.Invocation) {
	t.Helper()
	n, err := s.Service.Retain(t.Context(), keep)
	if err != nil || n != removed {
		t.Errorf("%+v removed %d, %v; want %d", keep, n, err, removed)
	}
	var want []core.ID
	for i := range left {
		want = append(want, left[i].ID)
	}
	if got := listed(t, s); !slices.Equal(got, want) {
		t.Errorf("%+v left %v, want %v", keep, got, want)
	}
}

func TestRetain(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	s.Online(n)
	finish := func() core.Invocation {
		t.Helper()
		v := run(t, s, order("n"))
		s.Exit(v.ID, n, 0, longOutput(), "")
		return v
	}
	long := finish()
	open := run(t, s, order("n"))
	task := state(t, s, long, n)
	s.Advance(20 * day)
	middle, young := finish(), finish()
	month := core.Retention{Age: 30 * day}

	retain(t, s, core.Retention{}, 0, young, middle, open, long)
	s.Advance(10 * day)
	retain(t, s, month, 0, young, middle, open, long) // not older than that yet
	if _, err := s.Service.Show(t.Context(), &task.Task, core.Window{Head: 10}); err != nil {
		t.Error(err)
	}
	s.Advance(time.Millisecond)
	retain(t, s, month, 1, young, middle, open)
	if _, err := s.Service.Show(t.Context(), &task.Task, core.Window{Head: 10}); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("the output is still there: %v", err)
	}
	answers, err := s.Service.Report(t.Context(), []core.Report{{
		Task: core.TaskID{Invocation: long.ID}, Node: n.Key, Kind: core.ReportEnded, Chunk: core.Chunk{Data: []byte(longOutput())},
	}})
	if err != nil || len(answers) != 1 || !answers[0].Final {
		t.Errorf("a late result of what was removed is answered %+v, %v", answers, err)
	}
	retain(t, s, core.Retention{Age: 30 * day, Invocations: 3}, 0, young, middle, open)
	retain(t, s, core.Retention{Age: 30 * day, Invocations: 1}, 1, young, open)
	retain(t, s, month, 0, young, open)
	s.Exit(open.ID, n, 0, "", "")
	retain(t, s, core.Retention{Invocations: 1}, 1, young)
	s.Advance(60 * day)
	retain(t, s, month, 1)
}

// blobs is a folder of blobs that may be down for deletes, and into whose puts a test may get.
type blobs struct {
	core.Blobs
	down   bool
	before func() // a put
}

func (b *blobs) DeleteAll(ctx context.Context, prefix string) error {
	if b.down {
		return errors.New("disk is away")
	}
	return b.Blobs.DeleteAll(ctx, prefix)
}

func (b *blobs) Put(ctx context.Context, key string, data []byte) error {
	if b.before != nil {
		b.before()
	}
	return b.Blobs.Put(ctx, key, data)
}

// archive is a service whose store and blobs the test can get at.
type archive struct {
	*core.Service
	t     *testing.T
	store core.Store
	blobs *blobs
	dir   string
	ids   *core.IDs
}

func archiveNow() time.Time { return time.Date(2026, 11, 22, 5, 41, 40, 0, time.UTC) }

func newArchive(t *testing.T) *archive {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "errand.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	folder, err := blob.NewFolder(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	a := &archive{t: t, store: store, blobs: &blobs{Blobs: folder}, dir: filepath.Join(dir, "blobs", "output"), ids: core.NewIDs(1)}
	a.Service = core.NewService(core.Config{Store: store, Blobs: a.blobs, Now: archiveNow, Feed: &core.Feed{}})
	if _, err := a.CreateAccount(t.Context(), 1, "test"); err != nil {
		t.Fatal(err)
	}
	return a
}

// old stores an invocation of the day before yesterday.
func (a *archive) old(state core.State) core.ID {
	a.t.Helper()
	id := a.ids.Next(archiveNow().Add(-2 * day))
	task := core.Task{ID: core.TaskID{Invocation: id}, Node: 1, State: state}
	if err := a.store.InsertInvocation(a.t.Context(), &core.Invocation{ID: id, Account: 1}, []core.Task{task}); err != nil {
		a.t.Fatal(err)
	}
	return id
}

// nothingLeft looks for files and directories of output.
func (a *archive) nothingLeft() {
	a.t.Helper()
	if left, err := a.store.RemovedInvocations(a.t.Context()); err != nil || len(left) != 0 {
		a.t.Errorf("left to do: %v, %v", left, err)
	}
	err := filepath.WalkDir(a.dir, func(path string, e fs.DirEntry, err error) error {
		if path != a.dir && !e.IsDir() {
			a.t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		a.t.Error(err)
	}
}

// TestRetainInterrupted stops between rows and output; the next call finishes, and the folder of output is empty.
func TestRetainInterrupted(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	ctx := t.Context()
	for range 5 {
		if err := a.blobs.Put(ctx, "output/"+a.old(core.Succeeded).String()+"/000000/0", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	a.blobs.down = true
	if n, err := a.Retain(ctx, core.Retention{Age: day}); n != 5 || err == nil {
		t.Errorf("%d removed, %v", n, err)
	}
	a.blobs.down = false
	if n, err := a.Retain(ctx, core.Retention{Age: day}); n != 0 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}
	a.nothingLeft()
	if left, err := os.ReadDir(a.dir); err != nil || len(left) != 0 {
		t.Errorf("directories are left: %v, %v", left, err)
	}
}

// TestRetainMeetsReport removes a task that was given up, while its node comes back with a long output.
func TestRetainMeetsReport(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	id := a.old(core.Lost)
	a.blobs.before = func() {
		if n, err := a.Retain(t.Context(), core.Retention{Age: day}); n != 1 || err != nil {
			t.Errorf("%d removed, %v", n, err)
		}
	}
	text := []byte(longOutput())
	report := []core.Report{{
		Task: core.TaskID{Invocation: id}, Node: 1, Kind: core.ReportEnded, State: core.Succeeded, End: uint64(len(text)),
		Chunk: core.Chunk{Data: text, Spans: []core.Span{{Stream: core.Stdout, Len: uint32(len(text))}}},
	}}
	if answers, err := a.Report(t.Context(), report); err != nil || len(answers) != 0 {
		t.Errorf("%+v, %v", answers, err)
	}
	a.nothingLeft()
	if answers, err := a.Report(t.Context(), report); err != nil || len(answers) != 1 || !answers[0].Final {
		t.Errorf("repeated: %+v, %v", answers, err)
	}
}
