package consoletest

import (
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

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
