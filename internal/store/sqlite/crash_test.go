package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"errand/internal/core"
	"errand/internal/store/sqlite"
)

// crashPath is the environment variable that turns this test program into the one that is killed; it names the database.
const crashPath = "ERRAND_TEST_CRASH"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashPath); path != "" {
		fmt.Fprintln(os.Stderr, writeForever(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// What the killed program writes.
const crashAccount core.AccountID = 5

const crashTasks = 6

// writeForever inserts invocations and finishes their tasks from several goroutines, and prints each step after the store acknowledged it.
func writeForever(path string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ids := core.NewIDs(rand.Uint64())
	errs := make(chan error)
	for range 4 {
		go func() {
			for {
				id := ids.Next(time.Now())
				tasks := make([]core.Task, crashTasks)
				names := make([]core.TaskID, crashTasks)
				for i := range tasks {
					names[i] = core.TaskID{Invocation: id, Index: uint32(i)}
					tasks[i] = core.Task{ID: names[i], Node: core.NodeKey(i)}
				}
				if err := s.InsertInvocation(ctx, &core.Invocation{ID: id, Account: crashAccount}, tasks); err != nil {
					errs <- err
					return
				}
				fmt.Printf("inserted %d\n", id)
				err := s.ChangeTasks(ctx, names, func(t *core.Task) bool {
					t.State, t.Detail = core.Succeeded, t.ID.String()
					return true
				})
				if err != nil {
					errs <- err
					return
				}
				fmt.Printf("finished %d\n", id)
			}
		}()
	}
	return <-errs
}

// TestCrash kills a process that writes, over and over, and looks whether everything it acknowledged is in the database and nothing is there
// by half.
func TestCrash(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "errand.db")
	inserted, finished := map[core.ID]bool{}, map[core.ID]bool{}
	r := rand.New(rand.NewPCG(1, 2))
	for range 8 {
		child := exec.CommandContext(t.Context(), self)
		child.Env = append(os.Environ(), crashPath+"="+path)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		last := 1 + r.IntN(120)
		for n := 1; lines.Scan(); n++ {
			var what string
			var id core.ID
			if _, err := fmt.Sscan(lines.Text(), &what, &id); err == nil && what == "finished" {
				finished[id] = true
			} else if err == nil {
				inserted[id] = true
			}
			if n == last {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := child.Wait(); err == nil || child.ProcessState.ExitCode() != -1 {
			t.Fatalf("the process ended by itself: %v", err)
		}
		compareAfterCrash(t, path, inserted, finished)
	}
}

func compareAfterCrash(t *testing.T, path string, inserted, finished map[core.ID]bool) {
	t.Helper()
	ctx := t.Context()
	s, err := sqlite.Open(ctx, path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	all := core.Page{Limit: 1 << 20, Count: true}
	rows, total, err := s.ListInvocations(ctx, core.InvocationFilter{Account: crashAccount}, all)
	if err != nil || total != len(rows) {
		t.Fatalf("%d invocations, total %d, %v", len(rows), total, err)
	}
	tasks, total, err := s.ListTasks(ctx, core.TaskFilter{Account: crashAccount}, all)
	if err != nil || total != len(tasks) || len(tasks) != crashTasks*len(rows) {
		t.Fatalf("%d tasks of %d invocations, total %d, %v", len(tasks), len(rows), total, err)
	}
	counts := map[core.ID]*core.Counts{}
	for _, task := range tasks {
		id := task.ID.Invocation
		if counts[id] == nil {
			counts[id] = &core.Counts{}
		}
		counts[id][task.State]++
		if ended := task.Detail == task.ID.String(); ended != (task.State == core.Succeeded) {
			t.Errorf("task %s was written by half", task.ID)
		}
	}
	found := map[core.ID]bool{}
	for _, v := range rows {
		found[v.ID] = true
		if v.Counts != *counts[v.ID] {
			t.Errorf("invocation %s counts %v and has %v", v.ID, v.Counts, *counts[v.ID])
		}
		if n := v.Counts[core.Succeeded]; finished[v.ID] && n != crashTasks || n != 0 && n != crashTasks {
			t.Errorf("invocation %s: %d tasks finished, acknowledged: %v", v.ID, n, finished[v.ID])
		}
	}
	for id := range inserted {
		if !found[id] {
			t.Errorf("invocation %s was acknowledged and is gone", id)
		}
	}
}
