package sqlite

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const retainAccount core.AccountID = 5

// old inserts an invocation whose tasks have ended.
func old(t *testing.T, s *Store, id core.ID, tasks int) {
	t.Helper()
	rows := make([]core.Task, tasks)
	for i := range rows {
		rows[i] = core.Task{
			ID: core.TaskID{Invocation: id, Index: uint32(i)}, Node: core.NodeKey(1 + i), State: core.Succeeded,
			Output: core.Output{Recent: core.Chunk{Spans: []core.Span{{Stream: core.Stdout, Len: 4000}}, Data: make([]byte, 4000)}},
		}
	}
	if err := s.InsertInvocation(t.Context(), &core.Invocation{ID: id, Account: retainAccount}, rows); err != nil {
		t.Fatal(err)
	}
}

func number(t *testing.T, s *Store, text string) (n int64) {
	t.Helper()
	err := s.read(t.Context(), func(conn *sqlite.Conn) error {
		return queryOne(conn, text, func(r *row) error { n = r.int(); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestPagesAreReused deletes and inserts as much again, several times: the file does not grow.
func TestPagesAreReused(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	ids := core.NewIDs(1)
	when := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var pages int64
	for round := range 4 {
		var last core.ID
		for range 100 {
			last = ids.Next(when)
			old(t, s, last, 10)
		}
		switch now := number(t, s, "PRAGMA page_count"); {
		case round == 0:
			pages = now
		case now > pages+pages/20:
			t.Errorf("round %d: %d pages after %d", round, now, pages)
		}
		for {
			gone, err := s.DeleteInvocations(t.Context(), retainAccount, last+1, 300)
			if err != nil {
				t.Fatal(err)
			}
			if len(gone) == 0 {
				break
			}
			if err := s.ForgetInvocations(t.Context(), gone); err != nil {
				t.Fatal(err)
			}
		}
		if free := number(t, s, "PRAGMA freelist_count"); free < pages*9/10 {
			t.Errorf("round %d: %d of %d pages are free", round, free, pages)
		}
		for _, table := range []string{"tasks", "orders", "invocations", "removed"} {
			if n := number(t, s, "SELECT count(*) FROM "+table); n != 0 {
				t.Errorf("%d rows are left in %s", n, table)
			}
		}
	}
}

// TestPartsLeave empties parts in the middle, at the front and at the end.
func TestPartsLeave(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	ctx := t.Context()
	type part struct{ ID, First, Tasks int64 }
	parts := func() (rows []part) {
		t.Helper()
		err := s.read(ctx, func(conn *sqlite.Conn) error {
			return query(conn, "SELECT id, first, tasks FROM parts ORDER BY id", func(r *row) error {
				rows = append(rows, part{r.int(), r.int(), r.int()})
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	for i := range int64(4) {
		old(t, s, core.ID(10*(i+1)), 2)
		err := s.write(ctx, func(x *tx) error {
			return exec(x.conn, "INSERT INTO parts (id, first, tasks) VALUES (?, ?, 0)", i+2, 10*(i+2))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	steps := []struct {
		before core.ID
		want   []part
	}{
		{20, []part{{2, 0, 2}, {3, 30, 2}, {4, 40, 2}, {5, 50, 0}}},
		{40, []part{{4, 0, 2}, {5, 50, 0}}},
		{99, []part{{5, 0, 0}}},
	}
	for _, step := range steps {
		if _, err := s.DeleteInvocations(ctx, retainAccount, step.before, 100); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, parts()); diff != "" {
			t.Errorf("before %d (-want +got):\n%s", step.before, diff)
		}
	}
	old(t, s, 7, 1) // from a clock that is behind
	rows, _, err := s.ListTasks(ctx, core.TaskFilter{Nodes: []core.NodeKey{1}}, core.Page{Limit: 9})
	if err != nil || len(rows) != 1 {
		t.Errorf("%d tasks of the node, %v", len(rows), err)
	}
}

// TestDeleteIsOneTransaction lets a delete fail half way.
func TestDeleteIsOneTransaction(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	ctx := t.Context()
	old(t, s, 10, 1)
	old(t, s, 20, 1)
	// The second cannot be noted, because it is.
	if err := s.write(ctx, func(x *tx) error { return exec(x.conn, "INSERT INTO removed (invocation) VALUES (20)") }); err != nil {
		t.Fatal(err)
	}
	if gone, err := s.DeleteInvocations(ctx, retainAccount, 99, 100); !errors.Is(err, core.ErrTaken) || gone != nil {
		t.Errorf("%v, %v", gone, err)
	}
	if n := number(t, s, "SELECT count(*) FROM tasks"); n != 2 {
		t.Errorf("%d tasks are left", n)
	}
	if ids, err := s.RemovedInvocations(ctx); err != nil || !slices.Equal(ids, []core.ID{20}) {
		t.Errorf("%v, %v", ids, err)
	}
}
