package agent

import (
	"log/slog"
	"testing"
	"time"

	"errand/internal/agent/journal"
	"errand/internal/protocol"
)

// FuzzHandle lets a hostile server say anything to an agent with a real journal behind it. Nothing crashes it, and what it wrote down can be
// read by the next agent.
func FuzzHandle(f *testing.F) {
	run := protocol.Run{Task: protocol.Task{Invocation: 1}, Spec: protocol.Spec{Type: "shell", Content: []byte("true")}, TTL: 1000}
	planned := run
	planned.Task.Invocation = 2
	planned.Spec.Plan = &protocol.Plan{Expr: "rate(5m)", Created: 1, Revision: 1}
	file := run
	file.Spec.File = &protocol.File{Name: "f", Dir: "/nowhere", Mode: "0644"}
	stop, ack := protocol.Stop{Task: run.Task}, protocol.Ack{Task: run.Task, Have: 1 << 63, Final: true}
	for _, m := range []interface{ Append([]byte) []byte }{&run, &planned, &file, &stop, &ack, &protocol.Hello{}} {
		f.Add(m.Append(nil), stop.Append(nil))
		f.Add(stop.Append(nil), m.Append(nil))
	}
	f.Add([]byte{byte(protocol.KindProbe)}, []byte{})
	dir := f.TempDir()
	enrol(f, dir)
	f.Fuzz(func(t *testing.T, one, two []byte) {
		a, err := New(Config{Dir: dir, SelfExe: "/nowhere", Dial: newServer(t).dial, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		where := t.TempDir()
		if a.journal, err = a.cfg.store(where); err != nil {
			t.Fatal(err)
		}
		a.take([][]byte{one, two, one})
		entries := a.journal.Entries()
		if err := a.journal.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := journal.Open(where, time.Now, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if got := again.Entries(); len(got) != len(entries) {
			t.Errorf("%d tasks were written down, %d are read", len(entries), len(got))
		}
	})
}
