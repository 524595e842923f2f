package server

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"

	"errand/internal/core"
	"errand/internal/store/sqlite"
)

// openStore opens the store that the configuration asks for, by the scheme of its URL.
func openStore(ctx context.Context, c *Config) (core.Store, error) {
	if c.DatabaseURL == "" {
		return sqlite.Open(ctx, filepath.Join(c.Data, "errand.db"), c.Log)
	}
	u, err := url.Parse(c.DatabaseURL)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	switch {
	case u.Scheme == "sqlite" && u.Host == "" && u.Path != "":
		return sqlite.Open(ctx, u.Path, c.Log)
	case u.Scheme == "sqlite":
		return nil, fmt.Errorf("database URL %q: want sqlite:///PATH", u.Redacted())
	default:
		return nil, fmt.Errorf("database URL %q: this version stores in SQLite only", u.Redacted())
	}
}
