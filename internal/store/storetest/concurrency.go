package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"errand/internal/core"
)

// consistent checks that what is counted is what is there.
func consistent(tb reporter, f *fixture, v *core.Invocation) {
	tb.Helper()
	got, err := f.Invocation(context.Background(), v.Account, v.ID)
	is(tb, "read", err, nil)
	var counts core.Counts
	open := 0
	for _, task := range f.tasks(tb, v.ID) {
		counts[task.State]++
		if !task.State.Ended() {
			open++
		}
	}
	same(tb, "counts and states of "+v.ID.String(), counts, got.Counts)
	if (open == 0) == got.EndedAt.IsZero() {
		tb.Errorf("invocation %s has %d open tasks and ended at %v", v.ID, open, got.EndedAt)
	}
	tasks, err := f.OpenTasks(context.Background(), v.ID)
	is(tb, "open tasks", err, nil)
	same(tb, "number of open tasks", open, len(tasks))
}

// testConcurrentChanges lets many goroutines take tasks of the same invocations through their lives; every step is made by exactly one
// of them.
func testConcurrentChanges(t *testing.T, f *fixture) {
	ctx := t.Context()
	const invocations, width, workers = 3, 40, 8
	var ids []core.TaskID
	var all []core.Invocation
	for range invocations {
		v := f.invocation(t, mine, keys(width)...)
		all = append(all, v)
		for i := range width {
			ids = append(ids, core.TaskID{Invocation: v.ID, Index: uint32(i)})
		}
	}
	path := []core.State{core.Queued, core.Delivering, core.Running, core.Succeeded}
	var steps [workers]int
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(w)))
			for step, s := range path[1:] {
				order := r.Perm(len(ids))
				for len(order) > 0 {
					var batch []core.TaskID
					for range min(1+r.IntN(16), len(order)) {
						batch, order = append(batch, ids[order[0]]), order[1:]
					}
					n := 0
					is(t, "change", f.ChangeTasks(ctx, batch, func(task *core.Task) bool {
						if task.State != path[step] {
							return false
						}
						n++
						task.State, task.UpdatedAt, task.Tries = s, at(step), task.Tries+1
						if s == core.Running {
							task.StartedAt = at(int(task.ID.Index))
						}
						return true
					}), nil)
					steps[w] += n
				}
			}
		})
	}
	group.Wait()
	total := 0
	for _, n := range steps {
		total += n
	}
	same(t, "steps made", len(ids)*(len(path)-1), total)
	for i := range all {
		v := &all[i]
		consistent(t, f, v)
		got, err := f.Invocation(ctx, mine, v.ID)
		is(t, "read", err, nil)
		same(t, "start and end", []time.Time{at(0), at(2)}, []time.Time{got.StartedAt, got.EndedAt})
		for _, task := range f.tasks(t, v.ID) {
			same(t, "steps of one task", len(path)-1, task.Tries)
		}
	}
}

// testConcurrentEverything runs all kinds of writes beside each other, among them ones that fail: a failure never takes a neighbour
// with it.
func testConcurrentEverything(t *testing.T, f *fixture) {
	ctx := t.Context()
	const rounds = 25
	refusal := errors.New("refused")
	shared := f.invocation(t, mine, keys(rounds)...)
	n := f.node(t, mine, "shared")
	cmd := core.Command{ID: f.id(), Account: mine}
	is(t, "insert", f.InsertCommand(ctx, cmd, false), nil)
	var mu sync.Mutex
	inserted := []core.Invocation{shared}
	loops := map[string]func(i int){
		"insert": func(int) {
			v := f.invocation(t, mine, keys(3)...)
			mu.Lock()
			defer mu.Unlock()
			inserted = append(inserted, v)
		},
		"finish": func(i int) { f.set(t, shared.ID, core.Succeeded, at(i), uint32(i)) },
		"taken": func(int) {
			err := f.InsertInvocation(ctx, &core.Invocation{ID: shared.ID, Account: mine}, nil)
			is(t, "insert twice", err, core.ErrTaken)
		},
		"half taken": func(i int) {
			v := core.Invocation{ID: f.id(), Account: mine}
			name := core.TaskID{Invocation: v.ID}
			err := f.InsertInvocation(ctx, &v, []core.Task{{ID: name, Node: 1}, {ID: name, Node: 1}})
			is(t, "insert the same task twice", err, core.ErrTaken)
			_, err = f.Invocation(ctx, mine, v.ID)
			is(t, "invocation that failed", err, core.ErrNotFound)
		},
		"refused": func(int) {
			is(t, "refused", f.ChangeNode(ctx, n.Key, func(n *core.Node) error { n.Zone = "refused"; return refusal }), refusal)
		},
		"node": func(i int) {
			is(t, "change", f.ChangeNode(ctx, n.Key, func(n *core.Node) error { n.Kernel += "."; return nil }), nil)
		},
		"seen": func(i int) { is(t, "seen", f.SetLastSeen(ctx, map[core.NodeKey]time.Time{n.Key: at(i)}), nil) },
		"delete": func(int) {
			err := f.DeleteCommands(ctx, mine, []core.ID{cmd.ID}, func(core.ID, int, int) error { return refusal })
			is(t, "delete", err, refusal)
		},
		"panic": func(i int) {
			calls := 0
			names := []core.TaskID{{Invocation: shared.ID}, {Invocation: shared.ID, Index: uint32(i)}}
			err := f.ChangeTasks(ctx, names, func(task *core.Task) bool {
				if calls++; calls == len(names) || i == 0 {
					panic("after a change")
				}
				task.State, task.UpdatedAt = core.Lost, at(i)
				return true
			})
			if err == nil {
				t.Error("panic: no error")
			}
		},
		"read": func(int) {
			v, err := f.Invocation(ctx, mine, shared.ID)
			is(t, "read", err, nil)
			same(t, "tasks counted", rounds, v.Counts.Total())
		},
	}
	var group sync.WaitGroup
	for _, loop := range loops {
		group.Go(func() {
			for i := range rounds {
				loop(i)
			}
		})
	}
	group.Wait()
	for i := range inserted {
		consistent(t, f, &inserted[i])
	}
	_, total, err := f.ListTasks(ctx, core.TaskFilter{Account: mine}, core.Page{Limit: 1, Count: true})
	is(t, "list", err, nil)
	same(t, "tasks in all", rounds+3*rounds, total)
	_, total, err = f.ListInvocations(ctx, core.InvocationFilter{Account: mine}, core.Page{Limit: 1, Count: true})
	is(t, "list", err, nil)
	same(t, "invocations in all", 1+rounds, total)
	got, err := f.Node(ctx, n.Key)
	is(t, "read", err, nil)
	same(t, "node", fmt.Sprint(rounds, "", at(rounds-1)), fmt.Sprint(len(got.Kernel), got.Zone, got.LastSeen))
}

// testPanic checks that a panic in a caller's function is that caller's error, undoes what it did, and stops nobody else.
func testPanic(t *testing.T, f *fixture) {
	ctx := t.Context()
	v := f.invocation(t, mine, keys(3)...)
	n := f.node(t, mine, "a")
	want := f.tasks(t, v.ID)
	calls := 0
	err := f.ChangeTasks(ctx, []core.TaskID{want[0].ID, want[1].ID, want[2].ID}, func(task *core.Task) bool {
		if calls++; calls == 2 {
			panic("in the middle")
		}
		task.State, task.UpdatedAt = core.Running, at(1)
		return true
	})
	if err == nil {
		t.Error("panic in ChangeTasks: no error")
	}
	if f.ChangeNode(ctx, n.Key, func(*core.Node) error { panic("at once") }) == nil {
		t.Error("panic in ChangeNode: no error")
	}
	same(t, "tasks after a panic", want, f.tasks(t, v.ID))
	consistent(t, f, &v)
	f.set(t, v.ID, core.Succeeded, at(2), 0, 1, 2)
	consistent(t, f, &v)
}

func testCancelled(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v := core.Invocation{ID: f.id(), Account: mine}
	is(t, "write", f.InsertInvocation(ctx, &v, nil), context.Canceled)
	_, err := f.Invocation(ctx, mine, v.ID)
	is(t, "read", err, context.Canceled)
	_, _, err = f.ListTasks(ctx, core.TaskFilter{Account: mine}, everything)
	is(t, "list", err, context.Canceled)
	_, err = f.Invocation(t.Context(), mine, v.ID)
	is(t, "invocation that was never begun", err, core.ErrNotFound)

	// A write that waits its turn behind another one gives up when its context ends, and then never happens.
	busy, done := make(chan struct{}), make(chan struct{})
	n := f.node(t, mine, "a")
	var group sync.WaitGroup
	group.Go(func() {
		is(t, "slow change", f.ChangeNode(t.Context(), n.Key, func(n *core.Node) error {
			close(busy)
			<-done
			return nil
		}), nil)
	})
	<-busy
	waiting, giveUp := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer giveUp()
	err = f.ChangeNode(waiting, n.Key, func(n *core.Node) error { n.Name = "too late"; return nil })
	is(t, "change that waits", err, context.DeadlineExceeded)
	close(done)
	group.Wait()
	got, err := f.Node(t.Context(), n.Key)
	is(t, "read", err, nil)
	same(t, "name", "", got.Name)
}
