package stacktest

import (
	"fmt"
	"testing"
	"time"

	"errand/internal/core"
)

// BenchmarkWatch measures how long it takes from a word that a running command prints until somebody who watches has it.
func BenchmarkWatch(b *testing.B) {
	s := Start(b)
	s.AddNode(b, "i-node")
	caller := s.Server.RootCaller()
	v, err := s.Server.Service.Run(b.Context(), caller, core.RunSpec{
		Origin: core.OriginNative, Targets: []string{"i-node"}, KillTree: true,
		Definition: core.Definition{Type: core.Shell, Content: []byte("while :; do date +%s%N; sleep 0.37; done"), Timeout: time.Hour},
	})
	if err != nil {
		b.Fatal(err)
	}
	from, total, words := uint64(0), time.Duration(0), 0
	for b.Loop() {
		w, err := s.Server.Service.Watch(b.Context(), caller, core.TaskID{Invocation: v.ID}, from, time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		now := time.Now()
		for _, c := range w.Chunks {
			var printed int64
			if _, err := fmt.Sscan(string(c.Data), &printed); err != nil {
				b.Fatalf("%q: %v", c.Data, err)
			}
			if words > 0 { // before the first word the node did not know that somebody watches
				total += now.Sub(time.Unix(0, printed))
			}
			words++
		}
		from = w.Next
	}
	if words > 1 {
		b.ReportMetric(float64(total.Milliseconds())/float64(words-1), "ms/word")
	}
	if err := s.Server.Service.Stop(b.Context(), caller, v.ID, nil); err != nil {
		b.Fatal(err)
	}
}
