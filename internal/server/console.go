package server

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"errand/internal/console"
	"errand/internal/core"
)

// openConsole makes the pages for people.
func (s *Server) openConsole() (*console.Console, error) {
	return console.New(console.Config{Service: s.Service, Login: s.logins, Now: s.config.Now, Log: s.config.Log, Status: s.status, Explore: s.explorer()})
}

// statusPatience is how long a page waits for the database.
const statusPatience = 5 * time.Second

// status is how this server does.
func (s *Server) status() console.Status {
	ctx, cancel := context.WithTimeout(context.Background(), statusPatience)
	defer cancel()
	out := console.Status{
		Connected: s.Service.ConnectedNodes(), Open: s.disp.Open(), Since: s.started, Loops: s.looping, Store: s.databaseSize(),
		Keep: core.Retention{Age: time.Duration(s.config.RetainDays) * 24 * time.Hour, Invocations: s.config.RetainInvocations},
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		out.Version = info.Main.Version
	}
	began := time.Now()
	_, err := s.store.Setting(ctx, "page-key")
	out.Checks = append(out.Checks, console.Check{Name: "store", Took: time.Since(began), Err: err})
	err = nil
	if !s.ready.Load() {
		err = errors.New("starting or stopping")
	}
	out.Checks = append(out.Checks, console.Check{Name: "ready", Err: err})
	return out
}

// databaseSize is how large the database is, with what was written to it last; -1 if it is none of our files.
func (s *Server) databaseSize() int64 {
	file := filepath.Join(s.config.Data, "errand.db")
	if u, err := url.Parse(s.config.DatabaseURL); s.config.DatabaseURL != "" {
		if err != nil || u.Scheme != "sqlite" {
			return -1
		}
		file = u.Path
	}
	var sum int64
	for _, name := range []string{file, file + "-wal"} {
		info, err := os.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && name != file:
		case err != nil:
			return -1
		default:
			sum += info.Size()
		}
	}
	return sum
}
