package journal

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"errand/internal/protocol"
)

// life is a small journal with a task in each state, and what each record leaves known.
func life(t *testing.T) (file []byte, ends []int64, known []map[protocol.Task]State) {
	t.Helper()
	dir := t.TempDir()
	j := open(t, dir)
	result := []byte("result")
	plan := task(5)
	records := []Record{
		accepted(1),
		{Task: task(1), State: Starting, At: Moment{Wall: noon}},
		accepted(2),
		{Task: plan, State: Planned, At: Moment{Wall: noon}, Run: []byte("plan")},
		{Task: task(1), State: Ended, At: Moment{Wall: noon}, Result: result},
		{Task: task(1), State: Done, At: Moment{Wall: noon}},
		accepted(3),
		{Task: task(3), State: Starting, At: Moment{Wall: noon}},
		{Task: plan, State: Marked, At: Moment{Wall: noon}, Result: []byte("mark")},
		{Task: task(2), State: Starting, At: Moment{Wall: noon}},
		accepted(4),
	}
	for _, r := range records {
		appendAll(t, j, r)
		now := map[protocol.Task]State{}
		for n := 1; n <= 5; n++ {
			if e, ok := j.Find(task(n)); ok {
				now[e.Task] = e.State
			}
		}
		ends, known = append(ends, j.size), append(known, now)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	return file[:ends[len(ends)-1]], ends, known
}

// openDamaged opens a journal with this content and returns what it knows, and what it set aside.
func openDamaged(t *testing.T, file []byte) (j *Journal, known map[protocol.Task]State, aside int) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName), file, 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := Open(dir, func() time.Time { return noon }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	known = map[protocol.Task]State{}
	for n := 1; n <= 5; n++ {
		if e, ok := j.Find(task(n)); ok {
			known[e.Task] = e.State
		}
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.damaged"))
	if err != nil {
		t.Fatal(err)
	}
	return j, known, len(found)
}

// TestEveryBitFlipped damages a small journal at every bit. It opens all the same, takes nothing for waiting that was about to be started,
// keeps the records before the damage and the tasks that it does not touch, sets the damaged file aside, and can be written to.
func TestEveryBitFlipped(t *testing.T) {
	t.Parallel()
	file, ends, known := life(t)
	last := len(ends) - 1
	for at := range file {
		hit := 0
		for int64(at) >= ends[hit] {
			hit++
		}
		for bit := range 8 {
			damaged := append([]byte(nil), file...)
			damaged[at] ^= 1 << bit
			j, got, aside := openDamaged(t, damaged)
			for id, want := range known[last] {
				state, there := got[id]
				if !there && hit > 0 && known[hit-1][id] != 0 {
					t.Errorf("bit %d of byte %d: task %d, written down before, is forgotten", bit, at, id.Invocation)
				}
				if hit < last && state == Accepted && want != Accepted {
					t.Errorf("bit %d of byte %d: task %d is taken for waiting, it is %d", bit, at, id.Invocation, want)
				}
			}
			if hit < last && aside != 1 || hit == last && aside != 0 {
				t.Errorf("bit %d of byte %d: %d files set aside", bit, at, aside)
			}
			if hit == last {
				sameStates(t, at, known[last-1], got)
			}
			if bit == at%8 { // syncs to disk are dear
				stillWorks(t, j)
			}
		}
	}
}

// TestEveryByteCut cuts a small journal at every byte. What is left is what was written before the record that was cut.
func TestEveryByteCut(t *testing.T) {
	t.Parallel()
	file, ends, known := life(t)
	for size := range file {
		whole := 0
		for int64(size) >= ends[whole] {
			whole++
		}
		want := map[protocol.Task]State{}
		if whole > 0 {
			want = known[whole-1]
		}
		j, got, aside := openDamaged(t, file[:size])
		if aside != 0 {
			t.Errorf("cut at %d: something is set aside", size)
		}
		sameStates(t, size, want, got)
		stillWorks(t, j)
	}
}

func sameStates(t *testing.T, at int, want, got map[protocol.Task]State) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("byte %d: knows %v, want %v", at, got, want)
	}
	for id, state := range want {
		if got[id] != state {
			t.Errorf("byte %d: task %d is %d, want %d", at, id.Invocation, got[id], state)
		}
	}
}

// stillWorks writes to a journal, and finds it again.
func stillWorks(t *testing.T, j *Journal) {
	t.Helper()
	appendAll(t, j, accepted(9))
	if e := find(t, reopen(t, j), task(9)); e.State != Accepted {
		t.Errorf("after the damage a new task is %d", e.State)
	}
}
