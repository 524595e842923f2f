package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"errand/internal/protocol"
)

var (
	noon    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	arrival = Moment{Wall: noon, Boot: "boot-1", Uptime: 90 * time.Second}
)

// task returns the name of a task, every seventh of which is a run of a plan.
func task(n int) protocol.Task {
	t := protocol.Task{Invocation: uint64(n), Index: uint32(n % 3)}
	if n%7 == 6 {
		t.Due = noon.UnixMicro() + int64(n)
	}
	return t
}

func accepted(n int) Record {
	return Record{
		Task: task(n), State: Accepted, At: arrival, TTL: time.Minute,
		Run: []byte(fmt.Sprintf("run %d %s", n, strings.Repeat("x", n%50))),
	}
}

func atNoon() time.Time { return noon }

func open(t testing.TB, dir string) *Journal {
	t.Helper()
	j, err := Open(dir, atNoon, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func appendAll(t testing.TB, j *Journal, records ...Record) {
	t.Helper()
	if err := j.Append(records...); err != nil {
		t.Fatal(err)
	}
}

func find(t testing.TB, j *Journal, task protocol.Task) Entry {
	t.Helper()
	e, ok := j.Find(task)
	if !ok {
		t.Fatalf("task %v is not known", task)
	}
	return e
}

// reopen stands for a crash: nothing is closed.
func reopen(t testing.TB, j *Journal) *Journal {
	t.Helper()
	return open(t, j.dir)
}

func TestLifeOfATask(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir())
	appendAll(t, j, accepted(1), accepted(2), accepted(3), accepted(4))
	appendAll(t, j, Record{Task: task(2), State: Starting})
	appendAll(t, j, Record{Task: task(3), State: Ended, Result: []byte("expired")})
	appendAll(t, j, Record{Task: task(9), State: Ended, Result: []byte("stopped before it came")})
	if err := j.Note(Record{Task: task(4), State: Done, At: arrival, Result: []byte("exited")}); err != nil {
		t.Fatal(err)
	}
	if err := j.Note(Record{Task: task(9), State: Done, At: arrival}); err != nil {
		t.Fatal(err)
	}
	for name, j := range map[string]*Journal{"same": j, "reopened": reopen(t, j)} {
		want := []Entry{
			{Task: task(1), State: Accepted, Arrived: arrival, TTL: time.Minute},
			{Task: task(2), State: Starting, Arrived: arrival, TTL: time.Minute},
			{Task: task(3), State: Ended, Arrived: arrival, TTL: time.Minute, Result: []byte("expired")},
		}
		if diff := cmp.Diff(want, j.Entries()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(Entry{Task: task(4), State: Done, Result: []byte("exited")}, find(t, j, task(4))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got := find(t, j, task(9)).Result; string(got) != "stopped before it came" {
			t.Errorf("%s: result %q of the task that was stopped before it came", name, got)
		}
		for n, want := range map[int]bool{1: true, 2: true, 3: false, 4: false, 5: false} {
			run, err := j.Run(task(n))
			if want && !bytes.Equal(run, accepted(n).Run) {
				t.Errorf("%s: message of task %d: %q, %v", name, n, run, err)
			}
			if !want && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: message of task %d: %q, %v", name, n, run, err)
			}
		}
		if _, ok := j.Find(task(5)); ok {
			t.Errorf("%s: a task is known that never was", name)
		}
	}
}

// A record must not turn back what a later one said, however they are ordered.
func TestStatesOnlyMoveForward(t *testing.T) {
	t.Parallel()
	steps := []Record{
		{Task: task(1), State: Done, At: arrival, Result: []byte("first")},
		{Task: task(1), State: Ended, Result: []byte("second")},
		{Task: task(1), State: Starting},
		accepted(1),
	}
	for from := range steps {
		j := open(t, t.TempDir())
		appendAll(t, j, steps[from:]...)
		want := find(t, j, task(1)).State
		if want != steps[from].State {
			t.Errorf("state %d became %d", steps[from].State, want)
		}
		if got := find(t, reopen(t, j), task(1)).State; got != want {
			t.Errorf("state %d became %d in a new life", want, got)
		}
	}
}

func TestTornEndIsCut(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir())
	appendAll(t, j, accepted(1))
	whole := j.size
	appendAll(t, j, accepted(2))
	if err := os.Truncate(filepath.Join(j.dir, fileName), j.size-1); err != nil {
		t.Fatal(err)
	}
	j = reopen(t, j)
	if len(j.Entries()) != 1 || j.size != whole {
		t.Fatalf("%d entries, %d bytes; want 1 and %d", len(j.Entries()), j.size, whole)
	}
	appendAll(t, j, accepted(3))
	if got := len(reopen(t, j).Entries()); got != 2 {
		t.Fatalf("%d entries after another append, want 2", got)
	}
	if m, _ := filepath.Glob(filepath.Join(j.dir, "*.damaged")); len(m) != 0 {
		t.Errorf("a torn end was set aside: %v", m)
	}
}

func TestDamageCostsOnlyWhatItHit(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir())
	appendAll(t, j, accepted(1))
	at := j.size
	appendAll(t, j, accepted(2))
	appendAll(t, j, accepted(3), Record{Task: task(4), State: Ended, Result: []byte("stopped")})
	j.Close()
	path := filepath.Join(j.dir, fileName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[at+headerSize+3] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it has been repaired
		j = open(t, j.dir)
		if _, ok := j.Find(task(2)); ok {
			t.Error("a damaged record was believed")
		}
		if got := find(t, j, task(1)).State; got != Starting {
			t.Errorf("task before the damage has state %d; the lost record may have been its start", got)
		}
		if got := find(t, j, task(3)).State; got != Accepted {
			t.Errorf("task after the damage has state %d", got)
		}
		if got := find(t, j, task(4)).State; got != Ended {
			t.Errorf("ended task has state %d", got)
		}
		kept, err := filepath.Glob(filepath.Join(j.dir, "*.damaged"))
		if err != nil || len(kept) != 1 {
			t.Fatalf("set aside: %v, %v", kept, err)
		}
		if old, err := os.ReadFile(kept[0]); err != nil || !bytes.Equal(old, b) {
			t.Errorf("the file set aside differs from the damaged one (%v)", err)
		}
	}
}

func TestRewriteKeepsWhatIsKnown(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir())
	big := accepted(1)
	big.Run = bytes.Repeat([]byte("a"), 300<<10)
	for n := 10; n < 20; n++ {
		r := big
		r.Task = task(n)
		appendAll(t, j, r, Record{Task: r.Task, State: Done, At: arrival, Result: []byte("over")})
		appendAll(t, j, accepted(n+100), Record{Task: task(n + 200), State: Starting}, Record{Task: task(n + 300), State: Ended, Result: []byte("x")})
	}
	if j.size > 2<<20 {
		t.Errorf("the file has %d bytes", j.size)
	}
	again := reopen(t, j)
	if diff := cmp.Diff(j.Entries(), again.Entries()); diff != "" {
		t.Errorf("entries differ (-before +after):\n%s", diff)
	}
	for n := 10; n < 20; n++ {
		if got := find(t, again, task(n)); string(got.Result) != "over" {
			t.Errorf("finished task %d: %+v", n, got)
		}
		if run, err := again.Run(task(n + 100)); !bytes.Equal(run, accepted(n+100).Run) {
			t.Errorf("message %d: %q, %v", n+100, run, err)
		}
	}
}

func TestForgetting(t *testing.T) {
	t.Parallel()
	const week = keepDone
	m := newMemory()
	bury := func(n int, age time.Duration) {
		m.done[task(n)] = grave{order: uint64(n), wall: noon.Add(-age).UnixMicro()}
	}
	for n := range 3000 {
		bury(n, week+time.Hour)
	}
	if got := len(m.remembered(noon)); got != minDone {
		t.Errorf("%d old tasks remembered, want the youngest %d", got, minDone)
	}
	for n := range 3000 {
		bury(n, week-time.Hour)
	}
	if got := len(m.remembered(noon)); got != 3000 {
		t.Errorf("%d of 3000 young tasks remembered", got)
	}
	for n := range maxDone + 5 {
		bury(n, time.Hour)
	}
	kept := m.remembered(noon)
	if _, ok := kept[task(4)]; ok || len(kept) != maxDone {
		t.Errorf("%d of very many tasks remembered, the oldest: %v", len(kept), ok)
	}
}

// broken fails on demand, in the middle of a write where it can.
type broken struct {
	file
	mu                   sync.Mutex
	write, sync, reserve error
	syncs                int
	slow                 chan struct{}
}

func (b *broken) WriteAt(p []byte, off int64) (int, error) {
	b.mu.Lock()
	err := b.write
	b.mu.Unlock()
	if err != nil {
		n, _ := b.file.WriteAt(p[:len(p)/2], off)
		return n, err
	}
	return b.file.WriteAt(p, off)
}

func (b *broken) Sync() error {
	if b.slow != nil {
		<-b.slow
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.syncs++
	if b.sync != nil {
		return b.sync
	}
	return b.file.Sync()
}

func (b *broken) Reserve(off, n int64) error {
	if b.reserve != nil {
		return b.reserve
	}
	return b.file.Reserve(off, n)
}

func TestFailedAppendLeavesNothing(t *testing.T) {
	t.Parallel()
	full := syscall.ENOSPC
	for name, fail := range map[string]func(*broken){
		"write": func(b *broken) { b.write = full },
		"sync":  func(b *broken) { b.sync = full },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := open(t, t.TempDir())
			appendAll(t, j, accepted(1))
			b := &broken{file: j.file}
			j.file = b
			fail(b)
			if err := j.Append(accepted(2)); !errors.Is(err, full) {
				t.Fatalf("append: %v, want %v", err, full)
			}
			if _, ok := j.Find(task(2)); ok {
				t.Error("known although it is not on disk")
			}
			b.write, b.sync = nil, nil
			appendAll(t, j, accepted(3))
			for name, j := range map[string]*Journal{"same": j, "reopened": reopen(t, j)} {
				if got := j.Entries(); len(got) != 2 || got[0].Task != task(1) || got[1].Task != task(3) {
					t.Errorf("%s: entries %v", name, got)
				}
				if run, err := j.Run(task(3)); !bytes.Equal(run, accepted(3).Run) {
					t.Errorf("%s: message %q, %v", name, run, err)
				}
			}
		})
	}
}

// On a full disk new work is refused and old work can still end.
func TestSpaceForEndsIsHeldReady(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir())
	appendAll(t, j, accepted(1))
	j.file = &broken{file: j.file, reserve: syscall.ENOSPC}
	big := accepted(2)
	big.Run = make([]byte, 200<<10)
	if err := j.Append(big); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("new work on a full disk: %v", err)
	}
	for j.size+slack <= j.reserved {
		if err := j.Append(accepted(3)); err != nil {
			break
		}
	}
	if err := j.Append(accepted(4)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("new work that would use up the space held ready: %v", err)
	}
	appendAll(t, j, Record{Task: task(1), State: Starting}, Record{Task: task(1), State: Ended, Result: []byte("x")})
}

func TestConcurrentAppendsShareASync(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir())
	b := &broken{file: j.file, slow: make(chan struct{})}
	j.file = b
	const n = 50
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := j.Append(accepted(i + 1)); err != nil {
				t.Error(err)
			}
		})
	}
	waiting := func() int {
		j.mu.Lock()
		defer j.mu.Unlock()
		if j.pending == nil {
			return 0
		}
		return len(j.pending.records)
	}
	// One is stuck in its sync, and so the others gather. The stuck batch may hold more than one.
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline) && waiting() < n-10; {
		time.Sleep(time.Millisecond)
	}
	close(b.slow)
	wg.Wait()
	if b.syncs > 10 {
		t.Errorf("%d syncs for %d appends at once", b.syncs, n)
	}
	if got := len(reopen(t, j).Entries()); got != n {
		t.Errorf("%d entries, want %d", got, n)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir())
	long := accepted(1)
	long.Run = make([]byte, maxBody+1)
	if err := j.Append(long); !errors.Is(err, ErrTooLong) {
		t.Errorf("too long a record: %v", err)
	}
	if err := errors.Join(j.Close(), j.Close()); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if err := j.Append(accepted(1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if _, err := j.Run(task(1)); err == nil {
		t.Error("a message was read after close")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, atNoon, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("opened below a file")
	}
}

func TestSince(t *testing.T) {
	t.Parallel()
	later := Moment{Wall: noon.Add(-time.Hour), Boot: "boot-1", Uptime: 100 * time.Second} // the clock was set back
	if got := later.Since(arrival); got != 10*time.Second {
		t.Errorf("within one boot: %v", got)
	}
	later = Moment{Wall: noon.Add(time.Hour), Boot: "boot-2", Uptime: time.Second}
	if got := later.Since(arrival); got != time.Hour {
		t.Errorf("across boots: %v", got)
	}
	later.Wall = noon.Add(-time.Hour)
	if got := later.Since(arrival); got != 0 {
		t.Errorf("across boots with a wrong clock: %v", got)
	}
}

// Whatever was appended and wherever the file is cut, what is read is what a prefix of the records says.
func TestAnyCutIsAPrefix(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		j := open(t, dir)
		records := rapid.SliceOfN(rapid.Custom(drawRecord), 1, 30).Draw(rt, "records")
		ends := make([]int64, len(records))
		for i := range records {
			if err := j.append(false, records[i:i+1]); err != nil {
				rt.Fatal(err)
			}
			ends[i] = j.size
		}
		cut := rapid.Int64Range(0, j.size).Draw(rt, "cut")
		j.Close()
		if err := os.Truncate(filepath.Join(dir, fileName), cut); err != nil {
			rt.Fatal(err)
		}
		model := newMemory()
		for i := range records {
			if ends[i] <= cut {
				model.apply(&records[i], uint64(i)+1, extent{})
			}
		}
		again := open(t, dir)
		want := &Journal{mem: model}
		if diff := cmp.Diff(want.Entries(), again.Entries()); diff != "" {
			rt.Fatalf("cut at %d of %d (-want +got):\n%s", cut, ends[len(ends)-1], diff)
		}
		for n := range 10 {
			w, wok := want.Find(task(n))
			g, gok := again.Find(task(n))
			if wok != gok || !cmp.Equal(w, g) {
				rt.Fatalf("task %d: want %+v %v, got %+v %v", n, w, wok, g, gok)
			}
		}
	})
}

func drawRecord(t *rapid.T) Record {
	r := Record{
		Task:  task(rapid.IntRange(0, 9).Draw(t, "task")),
		State: rapid.SampledFrom([]State{Accepted, Starting, Ended, Done, Planned, Marked}).Draw(t, "state"),
	}
	switch r.State {
	case Accepted, Planned:
		r.Lane = rapid.Uint8().Draw(t, "lane")
		r.At = Moment{
			Wall:   noon.Add(time.Duration(rapid.IntRange(-1e6, 1e6).Draw(t, "wall")) * time.Second),
			Boot:   rapid.SampledFrom([]string{"", "boot-1", "boot-2"}).Draw(t, "boot"),
			Uptime: time.Duration(rapid.IntRange(0, 1e9).Draw(t, "uptime")) * time.Microsecond,
		}
		r.TTL = time.Duration(rapid.IntRange(0, 1e6).Draw(t, "ttl")) * time.Millisecond
		r.Run = rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "run")
	case Ended, Done, Marked:
		r.At = arrival
		r.Result = rapid.SliceOfN(rapid.Byte(), 1, 50).Draw(t, "result")
	case Starting:
	}
	r.At.Wall = r.At.Wall.Local()
	return r
}

func TestLifeOfAPlan(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir())
	run := task(1)
	run.Due = noon.UnixMicro()
	later := Moment{Wall: noon.Add(time.Hour), Boot: "boot-2"}
	mark := func(s string) Record { return Record{Task: task(1), State: Marked, Result: []byte(s)} }
	check := func(what string, want []Entry, message string) {
		t.Helper()
		for name, j := range map[string]*Journal{"same": j, "reopened": reopen(t, j)} {
			if diff := cmp.Diff(want, j.Entries()); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", what, name, diff)
			}
			if got, err := j.Run(task(1)); string(got) != message || (err != nil) != (message == "") {
				t.Errorf("%s, %s: message %q, %v", what, name, got, err)
			}
		}
	}
	appendAll(t, j, Record{Task: task(1), State: Planned, At: arrival, Run: []byte("first")})
	appendAll(t, j, mark("one"), Record{Task: run, State: Accepted, At: arrival, Lane: 1}, Record{Task: run, State: Starting})
	plan := Entry{Task: task(1), State: Planned, Arrived: arrival, Mark: []byte("one")}
	started := Entry{Task: run, State: Starting, Arrived: arrival, Lane: 1}
	check("a run", []Entry{plan, started}, "first")
	appendAll(t, j, mark("two"), Record{Task: task(1), State: Planned, At: later, Run: []byte("second")}, Record{Task: task(1), State: Starting}, accepted(1))
	plan.Arrived, plan.Mark = later, []byte("two")
	check("a revision", []Entry{plan, started}, "second")
	appendAll(t, j, Record{Task: run, State: Done, At: arrival, Result: []byte("run over")})
	check("the end of the run", []Entry{plan}, "second")
	j.disk.Lock()
	if err := j.rewrite(); err != nil {
		t.Fatal(err)
	}
	j.disk.Unlock()
	check("rewritten", []Entry{plan}, "second")
	appendAll(t, j, Record{Task: task(1), State: Ended, Result: []byte("over")})
	appendAll(t, j, mark("three"), Record{Task: task(1), State: Planned, At: later, Run: []byte("third")})
	check("the end", []Entry{{Task: task(1), State: Ended, Arrived: later, Result: []byte("over")}}, "")
	if got := find(t, j, run); string(got.Result) != "run over" {
		t.Errorf("%+v", got)
	}
}

// After damage a plan has no message any more, and still its mark, also in later lives.
func TestDamageDisarmsPlans(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir())
	plan := func(n int) Record { return Record{Task: task(n), State: Planned, At: arrival, Run: []byte("plan")} }
	appendAll(t, j, plan(1), Record{Task: task(1), State: Marked, Result: []byte("mark")}, plan(2))
	at := j.size
	appendAll(t, j, plan(3), plan(4))
	j.Close()
	path := filepath.Join(j.dir, fileName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[at+headerSize+3] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		j = open(t, j.dir)
		for n, armed := range map[int]bool{1: false, 2: false, 4: true} {
			if e := find(t, j, task(n)); e.State != Planned || (string(e.Mark) == "mark") != (n == 1) {
				t.Errorf("plan %d: %+v", n, e)
			}
			if _, err := j.Run(task(n)); (err == nil) != armed {
				t.Errorf("message of plan %d: %v", n, err)
			}
		}
		if _, ok := j.Find(task(3)); ok {
			t.Error("a damaged record was believed")
		}
	}
	appendAll(t, j, plan(1))
	if m, err := reopen(t, j).Run(task(1)); string(m) != "plan" {
		t.Errorf("asked for again: %q, %v", m, err)
	}
}

// A run waits without a message of its own, through a rewrite too.
func TestRunWaitsThroughRewrite(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir())
	run := Record{Task: task(6), State: Accepted, At: arrival, TTL: time.Minute, Lane: 3}
	appendAll(t, j, run)
	j.disk.Lock()
	if err := j.rewrite(); err != nil {
		t.Fatal(err)
	}
	j.disk.Unlock()
	want := []Entry{{Task: task(6), State: Accepted, Arrived: arrival, TTL: time.Minute, Lane: 3}}
	if diff := cmp.Diff(want, reopen(t, j).Entries()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Records as journals in the field hold them, for tasks that are no runs and have no lane.
func TestOldRecordsAreRead(t *testing.T) {
	t.Parallel()
	r := Record{Task: protocol.Task{Invocation: 300, Index: 2}, State: Ended, At: Moment{Wall: time.UnixMicro(1)}, Result: []byte("x")}
	const want = "\xe7JR1\x06\x00\x00\x00!\xe4=\xa3\x05\x00\x00\x00\x00\x00\x00\x00\x03\xac\x02\x02\x02x"
	if got := string(r.append(nil, 5)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// FuzzReplay reads files in which anything may stand. Whatever is found in one is all there is in what it comes to.
func FuzzReplay(f *testing.F) {
	var b []byte
	for i, r := range []Record{
		accepted(1),
		{Task: task(1), State: Starting},
		accepted(2),
		{Task: task(1), State: Done, Result: []byte("r")},
		accepted(6),
		{Task: task(3), State: Planned, At: arrival, Run: []byte("plan")},
		{Task: task(3), State: Marked, Result: []byte("mark")},
	} {
		b = r.append(b, uint64(i)+1)
	}
	f.Add(b)
	f.Add(b[:len(b)-3])
	f.Add(b[5:])
	f.Add(append(bytes.Clone(b[:70]), b[60:]...))
	f.Add([]byte(marker))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := newMemory()
		got, err := replay(bytes.NewReader(b), int64(len(b)), &m)
		if err != nil || got.end > int64(len(b)) {
			t.Fatalf("end %d of %d bytes, %v", got.end, len(b), err)
		}
		again := newMemory()
		cut, err := replay(bytes.NewReader(b), got.end, &again)
		if err != nil || cut != got {
			t.Fatalf("%+v, %v after the cut, %+v before", cut, err, got)
		}
		if diff := cmp.Diff((&Journal{mem: m}).Entries(), (&Journal{mem: again}).Entries()); diff != "" {
			t.Fatalf("entries differ (-before +after the cut):\n%s", diff)
		}
		for task, e := range m.live {
			if e.run.size == 0 {
				continue
			}
			if r, err := decode(b[e.run.off : e.run.off+e.run.size]); err != nil || r.Task != task || !r.State.hasRun() {
				t.Fatalf("message of task %v at %v: %+v, %v", task, e.run, r, err)
			}
		}
	})
}
