package sqlite_test

import (
	"log/slog"
	"path/filepath"
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
