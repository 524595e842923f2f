package consoletest

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/console"
	"errand/internal/core"
)

// signedIn is a Login of somebody who always is.
type signedIn struct{ caller core.Caller }

func (s signedIn) Caller(*http.Request) (core.Caller, bool)                        { return s.caller, true }
func (s signedIn) Ask(http.ResponseWriter, *http.Request)                          {}
func (s signedIn) SignIn(http.ResponseWriter, *http.Request, string, string) error { return nil }
func (s signedIn) SignOut(http.ResponseWriter, *http.Request)                      {}
func (s signedIn) Provider() (name, address string)                                { return "", "" }

// fleet is an installation that looks like a real one: several hundred nodes that are not there, and what they would have said.
type fleet struct {
	*scene.Scene
	t testing.TB
}

// nodeKind is nodes that have something in common.
type nodeKind struct {
	role, format string
	n            int
	system       string
}

func newFleet(tb testing.TB, kinds ...nodeKind) *fleet {
	tb.Helper()
	f := &fleet{scene.New(tb), tb}
	f.At(time.Date(2026, 11, 30, 14, 3, 0, 0, time.UTC))
	code, secret, err := f.Service.CreateRegistration(tb.Context(), f.Caller, core.RegistrationSpec{Limit: 1 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	for _, kind := range kinds {
		for i := range kind.n {
			id := fmt.Sprintf(kind.format, i+1)
			n, err := f.Service.Register(tb.Context(), core.Enrolment{
				Code: code.ID, Secret: secret, PublicKey: core.NewSecret(), NodeID: id,
				Tags: []core.Tag{{Key: "role", Value: kind.role}, {Key: "env", Value: "prod"}},
				Facts: core.Facts{
					Hostname: id + ".example.net", Platform: core.Linux, Agent: "1.4.2", OSName: kind.system, Arch: "amd64", Kernel: "6.1.0-38-amd64",
					PrivateIP: fmt.Sprintf("10.20.%d.%d", i/250, i%250+4), CPUs: 32, Memory: 128 << 30,
				},
			})
			if err != nil {
				tb.Fatal(err)
			}
			if i != 200 {
				f.Service.Seen(n.Key, f.Now())
			}
		}
	}
	return f
}

// manyNodes is a fleet of nodes that are all alike.
func manyNodes(tb testing.TB, n int) *fleet {
	tb.Helper()
	return newFleet(tb, nodeKind{"web", "web-%05d", n, "Debian GNU/Linux 12"})
}

// run orders something and lets its nodes report what say makes of them; those for which say returns an empty state go on running.
func (f *fleet) run(spec core.RunSpec, say func(i int) (state core.State, exit int32, text string, took time.Duration)) core.Invocation {
	f.t.Helper()
	ctx := f.t.Context()
	spec.Origin, spec.KillTree, spec.Limits = core.OriginNative, true, core.Limits{DefaultTimeout: time.Minute}
	spec.Type = core.Shell
	v, err := f.Service.Run(ctx, f.Caller, spec)
	if err != nil {
		f.t.Fatal(err)
	}
	marks, err := f.Service.TaskMarks(ctx, f.Caller, v.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	var reports []core.Report
	for i, m := range marks {
		if m.Held {
			continue
		}
		state, exit, text, took := say(i)
		r := core.Report{Task: core.TaskID{Invocation: v.ID, Index: m.Index}, Node: m.Node, Kind: core.ReportStarted, At: f.Now().Add(40 * time.Millisecond)}
		if reports = append(reports, r); state.Ended() {
			r.Kind, r.State, r.Exited, r.ExitCode = core.ReportEnded, state, true, exit
			r.Started, r.Ended = r.At, r.At.Add(took)
			r.Stdout, r.End = uint64(len(text)), uint64(len(text))
			if text != "" {
				r.Chunk = core.Chunk{Data: []byte(text), Spans: []core.Span{{Stream: core.Stdout, Len: uint32(len(text))}}}
			}
			if exit != 0 {
				r.Cause = core.CauseExitNonzero
			}
			reports = append(reports, r)
		}
	}
	if _, err := f.Service.Report(ctx, reports); err != nil {
		f.t.Fatal(err)
	}
	return v
}

// pictures writes those of the README.
func pictures(t *testing.T) {
	t.Helper()
	f := newFleet(t, nodeKind{"web", "web-%03d", 384, "Debian GNU/Linux 12"}, nodeKind{"db", "db-%02d", 24, "Rocky Linux 9.5"},
		nodeKind{"gpu", "gpu-a%02d", 64, "Ubuntu 24.04"})
	ok := func(text string) func(int) (core.State, int32, string, time.Duration) {
		return func(i int) (core.State, int32, string, time.Duration) {
			return core.Succeeded, 0, text, time.Duration(300+i%170*7) * time.Millisecond
		}
	}
	order := func(target, name, script string) core.RunSpec {
		return core.RunSpec{Select: core.Selection{Expr: target}, Definition: core.Definition{Name: name, Content: []byte(script)}}
	}
	for i, name := range []string{"Rotate host keys", "Check free space", "Update CA bundle", "Restart metrics agent", "Read BIOS versions"} {
		f.run(order("role=web", name, "true"), ok("done\n"))
		f.Advance(time.Duration(37+11*i) * time.Minute)
	}
	f.run(order("role=db", "Nightly backup", "pg_dump --all"), func(i int) (core.State, int32, string, time.Duration) {
		if i == 6 {
			return core.Failed, 1, "pg_dump: \x1b[31merror\x1b[0m: could not write to file: No space left on device\n", 31 * time.Second
		}
		return core.Succeeded, 0, "dumped 12 databases\n", 40 * time.Second
	})
	f.Advance(9 * time.Minute)
	for _, n := range f.nodes() {
		if n.ID != "web-201" {
			f.Service.Seen(n.Key, f.Now())
		}
	}
	kernel := f.run(order("role=web && env=prod", "Kernel and uptime", "uname -r\nuptime -p\n"), func(i int) (core.State, int32, string, time.Duration) {
		switch {
		case i == 380:
			return core.Failed, 127, "bash: line 1: \x1b[31muptime: command not found\x1b[0m\n", 200 * time.Millisecond
		case i%90 == 41:
			return core.Succeeded, 0, "6.1.0-\x1b[33m31\x1b[0m-amd64\nup 41 weeks, 2 days\n", 410 * time.Millisecond
		}
		return core.Succeeded, 0, "6.1.0-38-amd64\nup 3 weeks, 4 days\n", time.Duration(300+i%170*7) * time.Millisecond
	})
	f.Advance(2 * time.Second)
	deploy := order("role=gpu", "Deploy inference 4.2.0", "set -eu\n./deploy.sh --version {{version}}\n")
	deploy.Params, deploy.ParamsEnabled = map[string]string{"version": "4.2.0"}, true
	deploy.Pace = &core.Pace{Steps: []core.Share{{Count: 1}, {Percent: 25}, {Percent: 100}}, MaxFailures: &core.Share{Count: 1}, Concurrency: core.Share{Count: 16}}
	rolling := f.run(deploy, ok("4.2.0 is live\n"))
	if err := f.Service.AdvancePaces(t.Context()); err != nil {
		t.Fatal(err)
	}
	busy := f.run(order("all", "Apply security updates", "apt-get -y upgrade"), func(i int) (core.State, int32, string, time.Duration) {
		switch {
		case i%53 == 7:
			return core.Failed, 100, "E: Could not get lock\n", time.Second
		case i > 300 && i%3 != 0:
			return core.Running, 0, "", 0
		}
		return core.Succeeded, 0, "0 upgraded\n", time.Duration(1+i%9) * time.Second
	})
	f.Advance(4 * time.Second)
	for _, n := range f.nodes() {
		if n.ID != "web-201" {
			f.Service.Seen(n.Key, f.Now())
		}
	}
	c, err := console.New(console.Config{
		Service: f.Service, Login: signedIn{f.Caller}, Now: f.Now, Log: slog.New(slog.DiscardHandler),
		Status: func() console.Status {
			return console.Status{Connected: 471, Open: 200, Since: f.Now().Add(-50 * time.Hour)}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	b := open(t, server.URL)
	for _, p := range []struct{ name, path, scheme string }{
		{"readme-home", "", "light"},
		{"readme-run", "runs/" + kernel.ID.String(), "light"},
		{"readme-nodes", "runs/" + busy.ID.String() + "?tab=nodes", "dark"},
		{"readme-compose", "runs/new?from=" + rolling.ID.String(), "dark"},
		{"readme-runs", "runs", "light"},
		{"readme-rollout", "runs/" + rolling.ID.String(), "dark"},
		{"readme-timeline", "runs/" + kernel.ID.String() + "?tab=timeline", "light"},
		{"readme-fleet", "nodes", "light"},
		{"readme-diff", "runs/" + kernel.ID.String() + "?tab=nodes&state=failed", "light"},
	} {
		b.size(1280, 800, p.scheme)
		b.visit(p.path)
		b.until(`document.readyState === "complete" && document.documentElement.classList.contains("js") && (!document.querySelector("[data-grid]") || document.querySelector("[data-grid] canvas").height > 40)`)
		b.shot(p.name)
	}
}

func (f *fleet) nodes() []core.Node {
	rows, _, err := f.Service.Nodes(f.t.Context(), f.Caller, core.NodeFilter{}, core.PageSpec{Limit: 1000})
	if err != nil {
		f.t.Fatal(err)
	}
	return rows
}
