package console_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/console"
	"errand/internal/core"
)

// signedIn is a Login of somebody who always is.
type signedIn struct{ caller core.Caller }

func (s signedIn) Caller(*http.Request) (core.Caller, bool)                        { return s.caller, true }
func (s signedIn) SignIn(http.ResponseWriter, *http.Request, string, string) error { return nil }
func (s signedIn) Ask(http.ResponseWriter, *http.Request)                          {}
func (s signedIn) SignOut(http.ResponseWriter, *http.Request)                      {}
func (s signedIn) Provider() (name, address string)                                { return "", "" }

// large makes a run on many nodes, of which every thousandth prints something else and fails, and the page that shows it.
func large(tb testing.TB, nodes int) (*console.Console, core.Invocation) {
	tb.Helper()
	s := scene.New(tb)
	ctx := tb.Context()
	code, secret, err := s.Service.CreateRegistration(ctx, s.Caller, core.RegistrationSpec{Limit: 1 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	keys := make([]core.NodeKey, nodes)
	for i := range keys {
		n, err := s.Service.Register(ctx, core.Enrolment{
			Code: code.ID, Secret: secret, PublicKey: fmt.Sprintf("U%055d", i), NodeID: fmt.Sprintf("web-%05d", i),
			Facts: core.Facts{Hostname: "host", Platform: core.Linux, Agent: "1.0.0", OSName: "Debian GNU/Linux 12"},
		})
		if err != nil {
			tb.Fatal(err)
		}
		keys[i] = n.Key
		s.Service.Seen(n.Key, s.Now())
	}
	v, err := s.Service.Run(ctx, s.Caller, core.RunSpec{
		Origin: core.OriginNative, Select: core.Selection{Expr: "all"}, KillTree: true,
		Definition: core.Definition{Type: core.Shell, Content: []byte("uname -r\n")}, Limits: core.Limits{DefaultTimeout: time.Minute},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tasks, err := s.Service.TaskMarks(ctx, s.Caller, v.ID)
	if err != nil {
		tb.Fatal(err)
	}
	var reports []core.Report
	for i, mark := range tasks {
		text, exit, state := "6.1.0-38-amd64\n", int32(0), core.Succeeded
		if i%1000 == 7 {
			text, exit, state = fmt.Sprintf("lost %d\n", i), 1, core.Failed
		}
		r := core.Report{
			Task: core.TaskID{Invocation: v.ID, Index: mark.Index}, Node: mark.Node, Kind: core.ReportEnded, State: state, Exited: true, ExitCode: exit,
			Started: s.Now(), Ended: s.Now().Add(time.Second), Stdout: uint64(len(text)), End: uint64(len(text)),
			Chunk: core.Chunk{Data: []byte(text), Spans: []core.Span{{Stream: core.Stdout, Len: uint32(len(text))}}},
		}
		if exit != 0 {
			r.Cause = core.CauseExitNonzero
		}
		if reports = append(reports, r); len(reports) == 500 || i == len(tasks)-1 {
			if _, err := s.Service.Report(ctx, reports); err != nil {
				tb.Fatal(err)
			}
			reports = nil
		}
	}
	c, err := console.New(console.Config{
		Service: s.Service, Login: signedIn{s.Caller}, Now: s.Now, Log: slog.New(slog.DiscardHandler), Status: func() console.Status { return console.Status{} },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return c, v
}

func get(tb testing.TB, h http.Handler, path, part string) string {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, "/console/"+path, nil)
	if part != "" {
		r.Header.Set("HX-Request", "true")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		tb.Fatalf("%s: %d\n%s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

// TestLargeRun checks that the page of a run on many nodes holds no more than it has to.
func TestLargeRun(t *testing.T) {
	t.Parallel()
	c, v := large(t, 2500)
	page := "runs/" + v.ID.String()
	body := get(t, c, page, "")
	has(t, body, "2,497", "web-[00000-", "lost 7", "exit 1", "and ")
	if len(body) > 100<<10 {
		t.Errorf("the page has %d bytes", len(body))
	}
	if n := strings.Count(body, `class="group"`); n != 4 {
		t.Errorf("%d groups", n)
	}
	if body := get(t, c, page+"?tab=nodes", ""); strings.Count(body, "/console/tasks/") > 60 {
		t.Error("the table has more than a page of nodes")
	}
	if got := get(t, c, page+"/grid", ""); !strings.Contains(got, `"total":2500`) || !strings.Contains(got, "1b") || len(got) > 200 {
		t.Errorf("grid: %s", got)
	}
	has(t, get(t, c, page+"/cells?from=7&count=2", ""), "web-00", `"exit":`)
	has(t, get(t, c, page+"?tab=timeline", ""), "slowest", "99% of nodes")
	has(t, get(t, c, page+"?tab=nodes&state=failed", ""), "exit code not zero")
}

// BenchmarkRunPage is what the parts of the page of a run on 50,000 nodes cost the server.
func BenchmarkRunPage(b *testing.B) {
	c, v := large(b, 50_000)
	page := "runs/" + v.ID.String()
	for _, part := range []struct{ name, path, part string }{
		{"first paint", page, ""},
		{"head", page + "?part=live-head", "head"},
		{"groups", page + "?part=live-groups", "groups"},
		{"nodes", page + "?tab=nodes", ""},
		{"grid", page + "/grid", ""},
		{"timeline", page + "?tab=timeline", ""},
	} {
		b.Run(part.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				n = len(get(b, c, part.path, part.part))
			}
			b.ReportMetric(float64(n), "bytes")
		})
	}
}
