package consoletest

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"errand/internal/api/scene"
	"errand/internal/console"
	"errand/internal/core"
)

// BenchmarkTab opens the page of a run on 50,000 nodes in a browser: how long until it is painted, and what it keeps in memory.
func BenchmarkTab(b *testing.B) {
	f := manyNodes(b, 50_000)
	v := f.run(core.RunSpec{
		Select: core.Selection{Expr: "all"}, Definition: core.Definition{Content: []byte("uname -r")},
	}, func(i int) (core.State, int32, string, time.Duration) {
		if i%1000 == 7 {
			return core.Failed, 1, "lost\n", time.Second
		}
		return core.Succeeded, 0, "6.1.0-38-amd64\n", time.Duration(i%900) * time.Millisecond
	})
	c, err := console.New(console.Config{
		Service: f.Service, Login: signedIn{f.Caller}, Now: f.Now, Log: slog.New(slog.DiscardHandler), Status: func() console.Status { return console.Status{} },
	})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(c)
	b.Cleanup(server.Close)
	for _, page := range []struct{ name, path, ready string }{
		{"groups", "", "true"}, {"nodes", "?tab=nodes", `document.querySelector("[data-grid] canvas").height > 200`}, {"timeline", "?tab=timeline", "true"},
	} {
		b.Run(page.name, func(b *testing.B) {
			tab := open(b, server.URL)
			var paint, heap float64
			n := 0
			for b.Loop() {
				tab.visit("runs/" + v.ID.String() + page.path)
				tab.until(page.ready)
				tab.until(`performance.getEntriesByName("first-contentful-paint").length > 0`)
				paint += ask(tab, chromedp.Evaluate[float64](`performance.getEntriesByName("first-contentful-paint")[0].startTime`))
				heap = ask(tab, chromedp.Evaluate[float64](`performance.memory.usedJSHeapSize`))
				n++
			}
			b.ReportMetric(paint/float64(n), "ms-paint")
			b.ReportMetric(heap/(1<<20), "MiB-heap")
		})
	}
}

// BenchmarkOutput opens outputs of different lengths in a browser: how long until their lines are there, at the beginning and at the end.
func BenchmarkOutput(b *testing.B) {
	s := scene.New(b, func(c *core.Config) { c.KeepOutput = 2 << 30 })
	n := s.Node("n")
	s.Online(n)
	c, err := console.New(console.Config{
		Service: s.Service, Login: signedIn{s.Caller}, Now: s.Now, Log: slog.New(slog.DiscardHandler), Status: func() console.Status { return console.Status{} },
	})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(c)
	b.Cleanup(server.Close)
	line := []byte(strings.Repeat("0123456789abcde ", 6) + "\n")
	for _, size := range []int{10 << 10, 64 << 20, 1 << 30} {
		v, err := s.Service.Run(b.Context(), s.Caller, core.RunSpec{
			Origin: core.OriginNative, Targets: []string{"n"}, Definition: core.Definition{Type: core.Shell, Content: []byte("cat")}, Limits: core.Limits{DefaultTimeout: time.Minute},
		})
		if err != nil {
			b.Fatal(err)
		}
		id := core.TaskID{Invocation: v.ID}
		chunk := bytes.Repeat(line, min(size, 250<<10)/len(line))
		r := core.Report{Task: id, Node: n.Key, Kind: core.ReportOutput}
		for r.Chunk.Off+uint64(len(chunk)) <= uint64(size) {
			r.Chunk.Data, r.Chunk.Spans = chunk, []core.Span{{Stream: core.Stdout, Len: uint32(len(chunk))}}
			if _, err := s.Service.Report(b.Context(), []core.Report{r}); err != nil {
				b.Fatal(err)
			}
			r.Chunk.Off += uint64(len(chunk))
		}
		end := r.Chunk.Off
		_, err = s.Service.Report(b.Context(), []core.Report{{
			Task: id, Node: n.Key, Kind: core.ReportEnded, State: core.Succeeded, Exited: true, Stdout: end, End: end, Ended: s.Now().Add(time.Second),
		}})
		if err != nil {
			b.Fatal(err)
		}
		for name, anchor := range map[string]string{"beginning": "", "end": fmt.Sprintf("&line=%d", int(end)/len(line)-100)} {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, name), func(b *testing.B) {
				tab := open(b, server.URL)
				tab.visit("")
				for b.Loop() {
					tab.visit("tasks/" + id.String() + "?again=" + core.NewSecret() + anchor)
					tab.until(`document.querySelector("[data-lines]")?.innerText.includes("0123456789abcde")`)
				}
				b.ReportMetric(ask(tab, chromedp.Evaluate[float64](`performance.memory.usedJSHeapSize`))/(1<<20), "MiB-heap")
			})
		}
	}
}
