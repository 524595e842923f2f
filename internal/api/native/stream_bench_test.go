package native_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"errand/internal/api"
	"errand/internal/api/native"
	"errand/internal/api/scene"
	"errand/internal/core"
)

// BenchmarkViewers measures what those who follow cost: each round a task prints and ends, and every viewer of its run hears of it. The clients, which
// run in the same process, are part of it.
func BenchmarkViewers(b *testing.B) {
	for _, viewers := range []int{0, 1, 10, 50} {
		b.Run(fmt.Sprintf("%d viewers", viewers), func(b *testing.B) { benchViewers(b, viewers, false) })
	}
	b.Run("50 viewers of another run", func(b *testing.B) { benchViewers(b, 50, true) })
}

func benchViewers(b *testing.B, viewers int, elsewhere bool) {
	const tasks = 1000
	s := scene.New(b)
	names, nodes := make([]string, tasks), make([]core.Node, tasks)
	var group sync.WaitGroup
	for i := range tasks {
		names[i] = fmt.Sprintf("web%04d", i)
		group.Go(func() { nodes[i] = s.Node(names[i]) })
	}
	group.Wait()
	s.Online(nodes...)
	server := httptest.NewServer(&api.Server{Dialects: []api.Dialect{native.New(s.Env())}, Now: s.Now, Log: slog.New(slog.DiscardHandler)})
	b.Cleanup(server.Close)
	order := func() core.Invocation {
		v, err := s.Service.Run(b.Context(), s.Caller, core.RunSpec{
			Origin: core.OriginNative, Targets: names, Definition: core.Definition{Type: core.Shell, Content: []byte("x"), Timeout: time.Minute},
		})
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
	var spent time.Duration
	other := order()
	for b.Loop() {
		b.StopTimer()
		v := order()
		followed := v
		if elsewhere {
			followed = other
		}
		ctx, cancel := context.WithCancel(b.Context())
		var ready, done sync.WaitGroup
		for range viewers {
			ready.Add(1)
			done.Go(func() {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/api/v1/stream?from=now&invocation="+followed.ID.String(), nil)
				if err != nil {
					b.Error(err)
					return
				}
				key(req)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				defer func() { _ = resp.Body.Close() }()
				lines := bufio.NewScanner(resp.Body)
				lines.Buffer(nil, 1<<20)
				first := true
				for lines.Scan() {
					if first {
						ready.Done()
						first = false
					}
					if strings.Contains(lines.Text(), "errand.invocation.ended") {
						return
					}
				}
			})
		}
		ready.Wait()
		time.Sleep(300 * time.Millisecond) // until all of them are told what happens, and read nothing from the store
		b.StartTimer()
		before := cpu()
		var reports []core.Report
		for i := range nodes {
			reports = append(reports, core.Report{
				Task: core.TaskID{Invocation: v.ID, Index: uint32(i)}, Node: nodes[i].Key, Kind: core.ReportEnded, State: core.Succeeded, Exited: true, Stdout: 20, End: 20,
				Chunk: core.Chunk{Data: []byte("twenty bytes of text"), Spans: []core.Span{{Stream: core.Stdout, Len: 20}}},
			})
		}
		for len(reports) > 0 {
			if _, err := s.Service.Report(b.Context(), reports[:50]); err != nil {
				b.Fatal(err)
			}
			reports = reports[50:]
		}
		if elsewhere {
			cancel()
		}
		done.Wait()
		spent += cpu() - before
		cancel()
	}
	b.ReportMetric(float64(spent.Nanoseconds())/1e3/float64(b.N)/tasks, "cpu-µs/task")
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
