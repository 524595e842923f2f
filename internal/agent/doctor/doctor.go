// Package doctor examines what an agent needs of its machine and its way to the server, whether an agent is running or not, and says what to do
// about what is wrong.
package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"errand/internal/agent/identity"
	"errand/internal/agent/reach"
)

// Grade is how good something is.
type Grade string

// The grades.
const (
	OK   Grade = "OK"
	Warn Grade = "WARN" // the agent works, not everything does
	Fail Grade = "FAIL" // the agent cannot do its work
)

// Finding is what one check found.
type Finding struct {
	Check string `json:"check"`
	Grade Grade  `json:"grade"`
	Says  string `json:"says"`
	Do    string `json:"do,omitempty"` // about it
}

// Running is what is known of the agent that runs on the data folder.
type Running struct {
	PID       int
	Connected bool
	Bus       string
}

// Config says what to examine.
type Config struct {
	Dir     string       // the agent's data folder
	Server  string       // of a machine that is no node yet
	Program string       // the agent's own file
	Shell   string       // that runs scripts which name no interpreter
	Zone    string       // this machine's
	Root    string       // where /proc, /sys and /etc are; empty for /
	Running *Running     // nil if no agent runs
	Reach   *reach.Reach // as the agent has it
	// Knock connects to the bus as the node and ends the connection again.
	Knock func(ctx context.Context, id identity.Identity) error
	Now   func() time.Time
}

// exam is one examination.
type exam struct {
	Config
	found []Finding
}

// Examine checks everything, one thing after another, and within a minute or as long as ctx lasts.
func Examine(ctx context.Context, c Config) []Finding {
	if c.Now == nil {
		c.Now = time.Now
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	e := &exam{Config: c}
	id, enrolled := e.identity()
	e.folder()
	e.machine()
	e.program()
	server := c.Server
	if enrolled {
		server = id.ServerURL
	}
	e.door(ctx, server)
	if enrolled {
		e.bus(ctx, id)
	}
	return e.found
}

// Worst returns the worst grade of all.
func Worst(found []Finding) Grade {
	worst := OK
	for _, f := range found {
		if f.Grade == Fail || f.Grade == Warn && worst == OK {
			worst = f.Grade
		}
	}
	return worst
}

func (e *exam) ok(check, format string, args ...any) {
	e.found = append(e.found, Finding{check, OK, fmt.Sprintf(format, args...), ""})
}

// bad notes something that is not good, and what to do.
func (e *exam) bad(check string, g Grade, do, format string, args ...any) {
	e.found = append(e.found, Finding{check, g, fmt.Sprintf(format, args...), do})
}

// addressOf returns the host and port of a URL.
func addressOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// Quiet is a log for what the doctor says itself.
func Quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
