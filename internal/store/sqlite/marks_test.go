package sqlite

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

// everyMark reads all that listings go by.
func everyMark(t *testing.T, s *Store) (rows []string) {
	t.Helper()
	for _, text := range []string{
		"SELECT 'mark', facet, class, invocation, '' FROM marks ORDER BY facet, class, invocation",
		"SELECT 'totals', facet, class, invocations, hex(tasks) FROM mark_totals ORDER BY facet, class",
		"SELECT 'invocation', id, class, 0, hex(facets) FROM invocations ORDER BY id",
	} {
		err := s.read(t.Context(), func(conn *sqlite.Conn) error {
			return query(conn, text, func(r *row) error {
				rows = append(rows, fmt.Sprint(r.text(), r.int(), r.int(), r.int(), r.text()))
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

// TestMarkAll takes all marks away and lets them be made anew, as for a database that had none: they are what they were when each was made
// and moved by itself.
func TestMarkAll(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	ctx := t.Context()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 50 {
		v := core.Invocation{
			ID: core.ID(i + 1), Account: core.AccountID(1 + i%2), Command: core.ID(random.IntN(3)), Kind: core.InvocationKind(i % 4),
			Definition: core.Definition{Name: []string{"", "x"}[i%2], Type: core.Shell}, Repeat: core.Once,
			Tags: []core.Tag{{Key: "k", Value: fmt.Sprint(i % 3)}}[:i%2],
		}
		var tasks []core.Task
		for j := range random.IntN(4) {
			tasks = append(tasks, core.Task{ID: core.TaskID{Invocation: v.ID, Index: uint32(j)}, Node: core.NodeKey(j + 1)})
		}
		if err := s.InsertInvocation(ctx, &v, tasks); err != nil {
			t.Fatal(err)
		}
		for j := range tasks {
			err := s.ChangeTasks(ctx, []core.TaskID{tasks[j].ID}, func(t *core.Task) bool {
				t.State = core.State(random.IntN(core.NumStates))
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	want := everyMark(t, s)
	err := s.write(ctx, func(x *tx) error {
		for _, text := range []string{"DELETE FROM marks", "DELETE FROM mark_totals", "UPDATE invocations SET class = 0, facets = NULL"} {
			if err := exec(x.conn, text); err != nil {
				return err
			}
		}
		return markAll(x.conn)
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, everyMark(t, s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	if _, err := s.DeleteInvocations(ctx, 1, 1000, 1<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DeleteInvocations(ctx, 2, 1000, 1<<20); err != nil {
		t.Fatal(err)
	}
	open := number(t, s, "SELECT count(*) FROM invocations")
	if n := number(t, s, "SELECT count(DISTINCT invocation) FROM marks"); n != open {
		t.Errorf("%d invocations are marked, %d are left", n, open)
	}
	if n := number(t, s, "SELECT total(invocations) FROM mark_totals WHERE (facet, class) NOT IN (SELECT facet, class FROM marks)"); n != 0 {
		t.Errorf("totals of places without marks: %d", n)
	}
}

// TestUnknownClass keeps out what no class can be made of.
func TestUnknownClass(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	for _, v := range []core.Invocation{{ID: 1, Repeat: "often"}, {ID: 1, Definition: core.Definition{Type: "awk"}}, {ID: 1, Kind: 8}} {
		if err := s.InsertInvocation(t.Context(), &v, nil); err == nil {
			t.Errorf("repeat mode %q, type %q, kind %d: stored", v.Repeat, v.Type, v.Kind)
		}
	}
}
