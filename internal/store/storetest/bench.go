package storetest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"errand/internal/core"
)

// benchNodes is how many nodes an invocation of the benchmarks has.
const benchNodes = 10_000

// Benchmarks measures a store that holds at least so many tasks, all of them finished with 20 bytes of output. Each benchmark reports,
// besides the time of an operation, the processor time of the whole process for each task, node or page of 50 rows: on average, and in the
// round that was disturbed least.
func Benchmarks(b *testing.B, open Open, sizes ...int) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("tasks=%d", size), func(b *testing.B) {
			f := newFixture(b, open)
			s := &bench{fixture: f}
			for i := range benchNodes {
				n := core.Node{
					Account: mine, ID: fmt.Sprintf("i-%08d", i), Name: fmt.Sprint("node", i), Region: "region", PublicKey: fmt.Sprintf("UKEY%060d", i),
					RegisteredAt: epoch, UpdatedAt: epoch, Hostname: fmt.Sprint("host", i), Platform: core.Linux, OSName: "Debian GNU/Linux 13",
					Kernel: "6.12.0", Arch: "amd64", MachineID: fmt.Sprintf("%032x", i), BootID: fmt.Sprintf("%032x", i), Zone: "UTC",
					PrivateIP: "10.1.2.3", PublicIP: "192.0.2.1", Agent: "1.0.0", Features: []string{"session"}, LastSeen: epoch,
				}
				key, err := f.InsertNode(context.Background(), n)
				if err != nil {
					b.Fatal(err)
				}
				s.keys, s.names = append(s.keys, key), append(s.names, n.ID)
			}
			for s.tasks() < size {
				s.finish(b, s.run(b), 8, 64)
			}
			b.Run("insert", s.benchInsert)
			b.Run("finish", s.benchFinish)
			b.Run("finish singly", s.benchFinishSingly)
			b.Run("finish with a subscriber", s.benchFinishWatched)
			b.Run("insert narrow", s.benchInsertNarrow)
			b.Run("finish narrow", s.benchFinishNarrow)
			b.Run("page", s.benchPage)
			b.Run("page by node", s.benchPageByNode)
			b.Run("page by state", s.benchPageByState)
			b.Run("counted page", s.benchCountedPage)
			b.Run("nodes by id", s.benchNodesByID)
			b.Run("last seen", s.benchLastSeen)
		})
	}
}

type bench struct {
	*fixture
	keys  []core.NodeKey
	names []string
	all   []core.ID
}

func (s *bench) tasks() int { return len(s.all) * benchNodes }

// Cost runs a benchmark's loop and reports the processor time for each of the n things that one round handles. prepare, if not nil, runs
// before each round and is not measured.
func Cost(b *testing.B, unit string, n int, prepare, round func()) {
	b.Helper()
	var spent time.Duration
	least := time.Duration(math.MaxInt64)
	for b.Loop() {
		if prepare != nil {
			b.StopTimer()
			prepare()
			b.StartTimer()
		}
		before := processorTime()
		round()
		took := processorTime() - before
		spent, least = spent+took, min(least, took)
	}
	b.ReportMetric(float64(least.Nanoseconds())/1e3/float64(n), "least-µs/"+unit)
	b.ReportMetric(float64(spent.Nanoseconds())/1e3/float64(b.N)/float64(n), "cpu-µs/"+unit)
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// run inserts an invocation on all nodes.
func (s *bench) run(b *testing.B) core.ID {
	v := core.Invocation{
		ID: s.id(), Account: mine, Command: 1, Definition: core.Definition{Name: "bench", Type: core.Shell, Content: []byte("true")},
		CreatedAt: epoch, UpdatedAt: epoch,
	}
	tasks := make([]core.Task, len(s.keys))
	for i, key := range s.keys {
		tasks[i] = core.Task{
			ID: core.TaskID{Invocation: v.ID, Index: uint32(i)}, Node: key, State: core.Delivering, Tries: 1, SentAt: epoch, UpdatedAt: epoch,
		}
	}
	if err := s.InsertInvocation(context.Background(), &v, tasks); err != nil {
		b.Fatal(err)
	}
	s.all = append(s.all, v.ID)
	return v.ID
}

// finish ends all tasks of an invocation, so many goroutines passing so many names in a call.
func (s *bench) finish(b *testing.B, id core.ID, workers, batch int) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for {
				start := int(next.Add(int64(batch))) - batch
				if start >= len(s.keys) {
					return
				}
				ids := make([]core.TaskID, 0, batch)
				for i := start; i < min(start+batch, len(s.keys)); i++ {
					ids = append(ids, core.TaskID{Invocation: id, Index: uint32(i)})
				}
				if err := s.ChangeTasks(context.Background(), ids, end20); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// end20 ends a task with 20 bytes of output.
func end20(t *core.Task) bool {
	t.State, t.Exited, t.UpdatedAt = core.Succeeded, true, epoch.Add(90*time.Millisecond)
	t.StartedAt, t.EndedAt, t.Stdout = epoch.Add(50*time.Millisecond), epoch.Add(70*time.Millisecond), 20
	t.Output.Recent = core.Chunk{Spans: []core.Span{{Stream: core.Stdout, Len: 20}}, Data: []byte("twenty bytes of text")}
	return true
}

func (s *bench) benchInsert(b *testing.B) {
	var open []core.ID
	Cost(b, "task", benchNodes, nil, func() { open = append(open, s.run(b)) })
	for _, id := range open {
		s.finish(b, id, 8, 64)
	}
}

// benchFinish ends the tasks of an invocation in calls of 64 from 8 goroutines.
func (s *bench) benchFinish(b *testing.B) {
	var id core.ID
	Cost(b, "task", benchNodes, func() { id = s.run(b) }, func() { s.finish(b, id, 8, 64) })
}

// benchFinishSingly ends them in calls of one task from 64 goroutines.
func (s *bench) benchFinishSingly(b *testing.B) {
	var id core.ID
	Cost(b, "task", benchNodes, func() { id = s.run(b) }, func() { s.finish(b, id, 64, 1) })
}

// benchFinishWatched is benchFinish in an account to whose events somebody subscribes.
func (s *bench) benchFinishWatched(b *testing.B) {
	sub := s.subscribe(b, mine)
	s.benchFinish(b)
	if err := s.ChangeSubscription(context.Background(), mine, sub.ID, func(*core.Subscription) (bool, error) { return false, nil }); err != nil {
		b.Fatal(err)
	}
}

// narrow is how many invocations of one task each a round of the benchmarks has, from 64 goroutines.
const narrow = 1000

func (s *bench) benchInsertNarrow(b *testing.B) {
	var open []core.ID
	Cost(b, "task", narrow, nil, func() { open = append(open, s.runNarrow(b)...) })
	s.finishNarrow(b, open)
}

func (s *bench) benchFinishNarrow(b *testing.B) {
	var open []core.ID
	Cost(b, "task", narrow, func() { open = s.runNarrow(b) }, func() { s.finishNarrow(b, open) })
}

// runNarrow inserts invocations of one task each, of a few commands.
func (s *bench) runNarrow(b *testing.B) []core.ID {
	ids := make([]core.ID, narrow)
	for i := range ids {
		ids[i] = s.id()
	}
	each(ids, func(i int, id core.ID) {
		v := core.Invocation{
			ID: id, Account: mine, Command: core.ID(2 + i%10), CreatedAt: epoch, UpdatedAt: epoch, ResourceGroup: "group",
			Definition: core.Definition{Name: fmt.Sprint("bench", i%10), Type: core.Shell, Content: []byte("true")},
		}
		task := core.Task{ID: core.TaskID{Invocation: id}, Node: s.keys[i], State: core.Delivering, Tries: 1, SentAt: epoch, UpdatedAt: epoch}
		if err := s.InsertInvocation(context.Background(), &v, []core.Task{task}); err != nil {
			b.Error(err)
		}
	})
	return ids
}

func (s *bench) finishNarrow(b *testing.B, ids []core.ID) {
	each(ids, func(_ int, id core.ID) {
		if err := s.ChangeTasks(context.Background(), []core.TaskID{{Invocation: id}}, end20); err != nil {
			b.Error(err)
		}
	})
}

// each calls work for every invocation, from 64 goroutines.
func each(ids []core.ID, work func(int, core.ID)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(ids); i = int(next.Add(1)) - 1 {
				work(i, ids[i])
			}
		})
	}
	group.Wait()
}

const benchRows = 50

// list reads pages of tasks; filter and page are called for each.
func (s *bench) list(b *testing.B, rows int, filter func() core.TaskFilter, page core.Page) {
	ctx := context.Background()
	page.Limit = benchRows
	Cost(b, "page", 1, nil, func() {
		got, _, err := s.ListTasks(ctx, filter(), page)
		if err != nil || len(got) != rows {
			b.Fatalf("%d rows, %v", len(got), err)
		}
	})
}

// benchPage reads 50 tasks with output from the middle of any invocation.
func (s *bench) benchPage(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	ctx := context.Background()
	Cost(b, "page", 1, nil, func() {
		id := s.all[r.IntN(len(s.all))]
		rows, _, err := s.ListTasks(ctx, core.TaskFilter{Account: mine, Invocations: []core.ID{id}, Output: true}, core.Page{
			After: &core.Cursor{A: int64(id), B: int64(r.IntN(benchNodes - benchRows - 1))}, Limit: benchRows,
		})
		if err != nil || len(rows) != benchRows {
			b.Fatalf("%d rows, %v", len(rows), err)
		}
	})
}

// benchPageByNode reads the latest tasks of any node, with output.
func (s *bench) benchPageByNode(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	s.list(b, min(benchRows, len(s.all)), func() core.TaskFilter {
		return core.TaskFilter{Account: mine, Nodes: []core.NodeKey{s.keys[r.IntN(benchNodes)]}, Output: true}
	}, core.Page{})
}

// benchPageByState looks for what no task is.
func (s *bench) benchPageByState(b *testing.B) {
	s.list(b, 0, func() core.TaskFilter { return core.TaskFilter{Account: mine, States: []core.State{core.Failed}} }, core.Page{})
}

// benchCountedPage reads the latest tasks of the account and the number of all.
func (s *bench) benchCountedPage(b *testing.B) {
	s.list(b, benchRows, func() core.TaskFilter { return core.TaskFilter{Account: mine, Output: true} }, core.Page{Count: true})
}

func (s *bench) benchNodesByID(b *testing.B) {
	ctx := context.Background()
	Cost(b, "node", benchNodes, nil, func() {
		found, err := s.NodesByID(ctx, mine, s.names)
		if err != nil || len(found) != benchNodes {
			b.Fatalf("%d nodes, %v", len(found), err)
		}
	})
}

func (s *bench) benchLastSeen(b *testing.B) {
	ctx := context.Background()
	when := epoch
	Cost(b, "node", benchNodes, nil, func() {
		when = when.Add(time.Second)
		seen := make(map[core.NodeKey]time.Time, len(s.keys))
		for _, key := range s.keys {
			seen[key] = when
		}
		if err := s.SetLastSeen(ctx, seen); err != nil {
			b.Fatal(err)
		}
	})
}
