package consoletest

import (
	"log/slog"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"errand/internal/console"
	"errand/internal/core"
)

// BenchmarkLive looks on while a run on 50,000 nodes comes to its end, 2,000 results a second for ten seconds: how smoothly the tab is drawn, what it
// keeps in memory, and what the server pays for it beyond what it pays for the results.
func BenchmarkLive(b *testing.B) {
	const (
		nodes   = 50_000
		batch   = 100
		between = 50 * time.Millisecond
		batches = 200
	)
	for _, page := range []struct{ name, path, ready string }{
		{"nobody", "", ""},
		{"groups", "", "true"},
		{"nodes", "?tab=nodes", `document.querySelector("[data-grid] canvas").height > 200`},
	} {
		b.Run(page.name, func(b *testing.B) {
			f := manyNodes(b, nodes)
			var ends []core.Report
			spec := core.RunSpec{Select: core.Selection{Expr: "all"}, Definition: core.Definition{Content: []byte("uname -r")}}
			v := f.run(spec, func(int) (core.State, int32, string, time.Duration) { return core.Running, 0, "", 0 })
			marks, err := f.Service.TaskMarks(b.Context(), f.Caller, v.ID)
			if err != nil {
				b.Fatal(err)
			}
			const text = "6.1.0-38-amd64\n"
			for _, m := range marks {
				ends = append(ends, core.Report{
					Task: core.TaskID{Invocation: v.ID, Index: m.Index}, Node: m.Node, Kind: core.ReportEnded, State: core.Succeeded, Exited: true,
					At: f.Now(), Started: f.Now(), Ended: f.Now().Add(time.Second), Stdout: uint64(len(text)), End: uint64(len(text)),
					Chunk: core.Chunk{Data: []byte(text), Spans: []core.Span{{Stream: core.Stdout, Len: uint32(len(text))}}},
				})
			}
			c, err := console.New(console.Config{
				Service: f.Service, Login: signedIn{f.Caller}, Now: f.Now, Log: slog.New(slog.DiscardHandler), Status: func() console.Status { return console.Status{} },
			})
			if err != nil {
				b.Fatal(err)
			}
			server := httptest.NewServer(c)
			b.Cleanup(server.Close)
			var tab *browser
			if page.ready != "" {
				tab = open(b, server.URL)
				tab.visit("runs/" + v.ID.String() + page.path)
				tab.until(page.ready)
				tab.until(`document.body.dataset.connected === ""`)
				tab.do(chromedp.Evaluate[chromedp.Void](`(() => {
					window.drawn = 0; window.longest = 0; let last = performance.now();
					const frame = now => { window.drawn++; window.longest = Math.max(window.longest, now - last); last = now; requestAnimationFrame(frame); };
					requestAnimationFrame(frame);
				})()`))
			}
			began, before := time.Now(), cpu(b)
			for i := range batches {
				if _, err := f.Service.Report(b.Context(), ends[i*batch:(i+1)*batch]); err != nil {
					b.Fatal(err)
				}
				time.Sleep(time.Until(began.Add(time.Duration(i+1) * between)))
			}
			took := time.Since(began).Seconds()
			b.ReportMetric((cpu(b)-before).Seconds()/took*100, "%CPU-server")
			b.ReportMetric(float64(batch*batches)/took, "results/s")
			b.ReportMetric(0, "ns/op")
			if tab != nil {
				b.ReportMetric(ask(tab, chromedp.Evaluate[float64](`window.drawn`))/took, "frames/s")
				b.ReportMetric(ask(tab, chromedp.Evaluate[float64](`window.longest`)), "ms-longest-frame")
				b.ReportMetric(ask(tab, chromedp.Evaluate[float64](`performance.memory.usedJSHeapSize`))/(1<<20), "MiB-heap")
			}
		})
	}
}

// cpu is the time that this process has computed, the browser not included.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
