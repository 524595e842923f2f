package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"errand/internal/core"
	"errand/internal/store/blob"
)

// BenchmarkRetention stores a million finished tasks, lets the service remove the older half while somebody else writes, and stores as many
// again. One round is enough: -benchtime 1x.
func BenchmarkRetention(b *testing.B) {
	for _, width := range []int{10_000, 1000, 1} {
		b.Run(fmt.Sprintf("%d tasks an invocation", width), func(b *testing.B) {
			for b.Loop() {
				benchRetention(b, 1_000_000/width, width)
			}
		})
	}
}

func benchRetention(b *testing.B, invocations, width int) {
	ctx := context.Background()
	dir := b.TempDir()
	path := filepath.Join(dir, "errand.db")
	s, err := Open(ctx, path, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	blobs, err := blob.NewFolder(filepath.Join(dir, "blobs"))
	if err != nil {
		b.Fatal(err)
	}
	ids, now := core.NewIDs(1), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	service := core.NewService(core.Config{Store: s, Blobs: blobs, Now: func() time.Time { return now }, Feed: &core.Feed{}})
	if err := s.InsertAccount(ctx, core.Account{ID: retainAccount, Name: "bench"}); err != nil {
		b.Fatal(err)
	}
	fill := func(n int) {
		work := make(chan core.ID, 100)
		var group sync.WaitGroup
		for range max(1, min(256, 10_000/width)) {
			group.Go(func() {
				for id := range work {
					if err := finished(s, id, width); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for range n {
			work <- ids.Next(now)
		}
		close(work)
		group.Wait()
	}
	fill(invocations)
	b.ReportMetric(size(b, path), "MiB-full")

	stop := make(chan struct{})
	var waits sync.WaitGroup
	var longest time.Duration
	waits.Go(func() { longest = longestWrite(b, s, stop) })
	before, began := processorTime(), time.Now()
	removed, err := service.Retain(ctx, core.Retention{Invocations: invocations / 2})
	took, spent := time.Since(began), processorTime()-before
	close(stop)
	waits.Wait()
	if err != nil || removed != invocations-invocations/2 {
		b.Fatalf("%d removed, %v", removed, err)
	}
	tasks := float64(removed * width)
	b.ReportMetric(took.Seconds(), "s")
	b.ReportMetric(tasks/took.Seconds(), "tasks/s")
	b.ReportMetric(float64(spent.Microseconds())/tasks, "cpu-µs/task")
	b.ReportMetric(float64(longest.Microseconds())/1e3, "ms-longest-write")
	b.ReportMetric(size(b, path), "MiB-emptied")
	b.ReportMetric(100*pragma(b, s, "freelist_count")/pragma(b, s, "page_count"), "%-free")
	fill(removed)
	b.ReportMetric(size(b, path), "MiB-refilled")
}

// finished inserts an invocation that is over.
func finished(s *Store, id core.ID, width int) error {
	tasks := make([]core.Task, width)
	for i := range tasks {
		tasks[i] = core.Task{
			ID: core.TaskID{Invocation: id, Index: uint32(i)}, Node: core.NodeKey(1 + (i+int(id))%10_000), State: core.Succeeded, Exited: true, Tries: 1,
			SentAt: id.Time(), StartedAt: id.Time(), EndedAt: id.Time(), UpdatedAt: id.Time(), Stdout: 20,
			Output: core.Output{Recent: core.Chunk{Spans: []core.Span{{Stream: core.Stdout, Len: 20}}, Data: []byte("twenty bytes of text")}},
		}
	}
	return s.InsertInvocation(context.Background(), &core.Invocation{
		ID: id, Account: retainAccount, Command: 1, CreatedAt: id.Time(), UpdatedAt: id.Time(), EndedAt: id.Time(), Repeat: core.Once,
		Definition: core.Definition{Name: "bench", Type: core.Shell, Content: []byte("systemctl is-active nginx || systemctl restart nginx")},
	}, tasks)
}

// longestWrite writes a row every two milliseconds until stop is closed, and returns how long the slowest took.
func longestWrite(b *testing.B, s *Store, stop <-chan struct{}) (longest time.Duration) {
	pace := time.NewTicker(2 * time.Millisecond)
	defer pace.Stop()
	for {
		select {
		case <-stop:
			return longest
		case <-pace.C:
		}
		began := time.Now()
		if err := s.SetLastSeen(context.Background(), map[core.NodeKey]time.Time{1: began}); err != nil {
			b.Error(err)
			return longest
		}
		longest = max(longest, time.Since(began))
	}
}

// size is the length of the database and its log together, in MiB.
func size(b *testing.B, path string) float64 {
	total := int64(0)
	for _, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			b.Fatal(err)
		}
		total += info.Size()
	}
	return float64(total) / (1 << 20)
}

func pragma(b *testing.B, s *Store, name string) float64 {
	var n int64
	err := s.write(context.Background(), func(t *tx) error {
		return query(t.conn, "PRAGMA "+name, func(r *row) error { n = r.int(); return nil })
	})
	if err != nil {
		b.Fatal(err)
	}
	return float64(n)
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
