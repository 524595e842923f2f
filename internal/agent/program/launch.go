package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"errand/internal/agent"
	"errand/internal/agent/identity"
	"errand/internal/agent/upgrade"
	"errand/internal/protocol"
)

// launch lets the version run that the machine has changed to. It returns with over when the process has to end, and without when this
// program is the one to run. A program that cannot be replaced goes on as it is.
func (e Env) launch(ctx context.Context, o *Options) (code int, over bool) {
	if !upgrade.Supported || len(e.Args) == 0 {
		return 0, false
	}
	if by, ok := upgrade.Launched(); ok {
		o.launched = &by
		return 0, false
	}
	exe, err := os.Executable()
	if err != nil {
		o.Log.Error("programs cannot be replaced", "error", err)
		return 0, false
	}
	o.launched = &upgrade.Launch{Path: exe}
	l := upgrade.Launcher{Data: o.Data, Version: e.Version, Now: time.Now, Log: o.Log}
	for {
		c, err := l.Choose()
		if err != nil {
			o.Log.Error("running the installed version", "error", err)
			return 0, false
		}
		switch {
		case c.Program == "":
			return 0, false
		case c.Window == 0:
			if ending(ctx) {
				return exitOK, true
			}
			err = upgrade.Exec(c.Program, exe, e.Args)
		default:
			stop := o.system.vouch()
			over, err = l.Try(ctx, c, exe, e.Args)
			stop()
			if over {
				return exitOK, true
			}
		}
		if err != nil {
			o.Log.Error("running the installed version", "error", err)
			return 0, false
		}
	}
}

// replaced ends an agent whose program is to be replaced: the launcher that watches it goes on, or takes its place.
func (e Env) replaced(ctx context.Context, o *Options) int {
	if o.launched.Trial || ending(ctx) {
		return exitOK
	}
	fmt.Fprintf(e.Stderr, "%s: %v\n", e.Name, upgrade.Exec(o.launched.Path, "", e.Args))
	return exitFailed
}

// ending reports whether the agent was told to end. From then on such a signal ends the process at once: none shall be taken by a program that is about
// to make place for another.
func ending(ctx context.Context) bool {
	signal.Reset(syscall.SIGINT, syscall.SIGTERM)
	return ctx.Err() != nil
}

// upgrader is the agent's way to another version.
func (o *Options) upgrader(id identity.Identity, h *http.Client) (agent.Upgrader, error) {
	if _, err := id.NewClient(h, o.Version); err != nil {
		return nil, err
	}
	return upgrade.New(upgrade.Config{
		Data: o.Data, Version: o.Version, Current: o.launched.By, Fetch: o.fetcher(h), Now: time.Now, Log: o.Log,
	}), nil
}

// fetcher asks the server for a part of a release, with the key that the node has by then.
func (o *Options) fetcher(h *http.Client) func(context.Context, string, int64) (io.ReadCloser, bool, error) {
	return func(ctx context.Context, path string, offset int64) (io.ReadCloser, bool, error) {
		id, err := identity.Load(o.Data)
		if err != nil {
			return nil, false, err
		}
		client, err := id.NewClient(h, o.Version)
		if err != nil {
			return nil, false, err
		}
		resp, err := client.Do(ctx, identity.Call{
			Method: http.MethodGet, Path: path, Query: url.Values{protocol.OffsetParam: {strconv.FormatInt(offset, 10)}},
		})
		if err != nil {
			return nil, identity.Refused(err), err
		}
		return resp.Body, false, nil
	}
}

// pinKeys has the agent believe in the release keys of a file, unless it believes in others already.
func (o *Options) pinKeys() error {
	if o.ReleaseKeys == "" || upgrade.Pinned(o.Data) {
		return nil
	}
	text, err := os.ReadFile(o.ReleaseKeys)
	if err == nil {
		err = upgrade.Pin(o.Data, text)
	}
	if err != nil {
		return fmt.Errorf("--release-keys: %w", err)
	}
	return nil
}

// isReplaced reports whether an agent ended so that its program can be replaced.
func isReplaced(err error) bool { return errors.Is(err, upgrade.ErrReplace) }
