// Package server puts the server's parts together in order and takes them apart again. It is the only package that knows every dialect and
// every store.
package server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"errand/internal/core"
	"errand/internal/deliver"
	"errand/internal/session"
)

// Config is what a Server is started with.
type Config struct {
	Data         string // folder for everything that must survive
	Listen       string // HOST:PORT for callers and enrolment
	AgentListen  string // HOST:PORT for nodes
	DatabaseURL  string // sqlite:///PATH; empty: a database in Data
	Advertise    string // HOST or HOST:PORT that nodes are told to connect to; empty: the host they enrolled at, with AgentListen's port
	TLSCert      string // file; empty serves plain HTTP
	TLSKey       string
	InsecureHTTP bool // plain HTTP on addresses that are not loopback
	Regions      []string

	// AgentPackages is a folder with agent packages to hand out; empty means none.
	AgentPackages string

	RetainDays        int // results of invocations made longer ago are removed; 0 keeps them for ever
	RetainInvocations int // of each account the newest that many are kept, and what has not ended; 0 keeps all

	TransferFile  int64 // bytes in one file that is pushed or fetched; 0 means core.DefaultMaxFile
	TransferTotal int64 // bytes in all of them that lie here at a time; 0 means core.DefaultMaxTotal

	NodeKeyDays int // nodes replace their keys when they are that old; 0 leaves them alone

	// WebhookAllowPrivate lets subscribers have addresses in private networks and, as they may anyway while Listen is on loopback alone, on
	// this machine.
	WebhookAllowPrivate bool

	// S3 is the object store that output is delivered to; without an Endpoint there is none.
	S3 deliver.Config

	RootKeyID  string // of the root key made on the first start; empty generates one
	RootSecret string
	SealKey    string // 64 hex digits; empty keeps a generated key in Data

	Sessions  session.Limits     // of terminals; zero values have defaults
	Terminals core.TerminalTerms // what sessions of the native API may ask for, and what is recorded; zero values have defaults

	Login LoginConfig

	Now func() time.Time
	Log *slog.Logger
	// Notice gets what the operator must read once, such as a generated root key.
	Notice io.Writer
}

// maxRetainDays is a hundred years: more than anybody asks for, and less than a time.Duration holds.
const maxRetainDays = 36500

func (c *Config) check() error {
	if c.Data == "" {
		return errors.New("no data folder given")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("a certificate and its key go together")
	}
	if (c.RootKeyID == "") != (c.RootSecret == "") {
		return errors.New("a root access key id and its secret go together")
	}
	if c.RetainDays < 0 || c.RetainDays > maxRetainDays || c.RetainInvocations < 0 {
		return fmt.Errorf("results can be kept for 0 to %d days, and for 0 or more invocations", maxRetainDays)
	}
	if info, err := os.Stat(c.AgentPackages); c.AgentPackages != "" && (err != nil || !info.IsDir()) {
		return fmt.Errorf("agent packages: %q is not a folder", c.AgentPackages)
	}
	switch c.Terminals.Record {
	case "", core.RecordAlways, core.RecordUnless, core.RecordRequest, core.RecordNever:
	default:
		return fmt.Errorf("terminals are recorded always, unless it is not wanted, on request or never, but not %q", c.Terminals.Record)
	}
	if c.Terminals.Idle < 0 || c.Terminals.Limit < 0 {
		return errors.New("terminals can last no negative time")
	}
	if c.TransferFile < 0 || c.TransferTotal < 0 {
		return errors.New("files that are moved can have no negative size")
	}
	if c.NodeKeyDays < 0 || c.NodeKeyDays > maxRetainDays {
		return fmt.Errorf("keys of nodes can become 0 to %d days old", maxRetainDays)
	}
	if err := c.Login.check(); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("listen address: %w", err)
	}
	if c.TLSCert == "" && !c.InsecureHTTP && !loopback(host) {
		return fmt.Errorf("plain HTTP on %q would send requests and results in clear: give a certificate, listen on loopback, or allow it with --insecure-http", c.Listen)
	}
	return nil
}

// local reports whether callers can come from this machine alone.
func (c *Config) local() bool {
	host, _, err := net.SplitHostPort(c.Listen)
	return err == nil && loopback(host)
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
