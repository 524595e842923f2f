package bench_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"errand/internal/bench"
	"errand/internal/stacktest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

func TestFleet(t *testing.T) {
	t.Parallel()
	stack := stacktest.Start(t)
	f := bench.Fleet{
		URL: stack.URL, KeyID: stack.KeyID, Secret: stack.Secret, Nodes: 40, Runs: 3, Log: slog.New(slog.DiscardHandler), Progress: io.Discard,
	}
	res, err := f.Measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if res.Nodes != 40 || res.Stored != 120 {
		t.Errorf("%d nodes, %d results stored", res.Nodes, res.Stored)
	}
	for name, v := range map[string]float64{
		"enrol": res.EnrolSeconds, "connect": res.ConnectSeconds, "accept": res.AcceptSeconds, "last result": res.LastResultSeconds,
		"p50": res.P50Milliseconds, "p99": res.P99Milliseconds, "rate": res.ResultsPerSecond,
	} {
		if v <= 0 || v > time.Minute.Seconds()*1000*1000 {
			t.Errorf("%s is %v", name, v)
		}
	}
}

func TestFleetRefused(t *testing.T) {
	t.Parallel()
	stack := stacktest.Start(t)
	f := bench.Fleet{URL: stack.URL, KeyID: stack.KeyID, Secret: "wrong", Nodes: 1, Runs: 1, Log: slog.New(slog.DiscardHandler), Progress: io.Discard}
	if _, err := f.Measure(t.Context()); err == nil {
		t.Error("measures with a wrong key")
	}
}
