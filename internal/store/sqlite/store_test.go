package sqlite_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"errand/internal/core"
	"errand/internal/store/sqlite"
	"errand/internal/store/storetest"
)

func open(tb testing.TB, place string) core.Store {
	tb.Helper()
	s, err := sqlite.Open(tb.Context(), filepath.Join(place, "errand.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, open)
}

// BenchmarkStore measures the store with a few tasks in it and with a million; ERRAND_BENCH_TASKS names another number, such as 10000000.
func BenchmarkStore(b *testing.B) {
	sizes := []int{10_000, 1_000_000}
	if n, err := strconv.Atoi(os.Getenv("ERRAND_BENCH_TASKS")); err == nil {
		sizes = []int{n}
	}
	storetest.Benchmarks(b, open, sizes...)
}
