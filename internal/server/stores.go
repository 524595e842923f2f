package server

import (
	"context"
	"path/filepath"

	"errand/internal/core"
	"errand/internal/store/sqlite"
)

// openStore opens the store that the configuration asks for.
func openStore(ctx context.Context, c *Config) (core.Store, error) {
	return sqlite.Open(ctx, filepath.Join(c.Data, "errand.db"), c.Log)
}
