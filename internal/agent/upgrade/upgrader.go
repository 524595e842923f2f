package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"errand/internal/protocol"
	"errand/internal/release"
)

// Config is what an Upgrader is made of. All of it is required but Current.
type Config struct {
	Data    string // the agent's data folder
	Version string // of the program that runs
	Current bool   // it is the one that the link names, not the installed one
	// Fetch asks the server for what lies at a path, from an offset on. final says that asking again is pointless.
	Fetch func(ctx context.Context, path string, offset int64) (body io.ReadCloser, final bool, err error)
	Now   func() time.Time
	Log   *slog.Logger

	step func(string) error // in tests, called before each step that changes the disk
}

// ErrReplace is how Run says that the agent has to end, so that its launcher starts another program.
var ErrReplace = errors.New("the program is to be replaced")

// Upgrader is the running agent's part. Offer and Welcomed may be called from any goroutine.
type Upgrader struct {
	cfg    Config
	folder folder

	offers   chan protocol.Upgrade // the latest
	welcomed chan struct{}

	mu     sync.Mutex
	busy   uint64             // the rollout that is being worked on
	cancel context.CancelFunc // of it
}

// New returns an Upgrader, which does nothing before Run.
func New(c Config) *Upgrader {
	if c.step == nil {
		c.step = func(string) error { return nil }
	}
	return &Upgrader{cfg: c, folder: folderOf(c.Data), offers: make(chan protocol.Upgrade, 1), welcomed: make(chan struct{}, 1)}
}

// Offer takes the server's order. It does not wait, and the latest order counts.
func (u *Upgrader) Offer(m protocol.Upgrade) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.cancel != nil && (m.Rollout != u.busy || len(m.Manifest) == 0) {
		u.cancel()
	}
	select {
	case <-u.offers:
	default:
	}
	u.offers <- m
}

// Welcomed takes the news that the server has taken in our Hello.
func (u *Upgrader) Welcomed() {
	select {
	case u.welcomed <- struct{}{}:
	default:
	}
}

// Run works until ctx ends, or until the program is to be replaced (ErrReplace). report tells the server something; what gets lost is said
// again when the server asks again.
func (u *Upgrader) Run(ctx context.Context, report func(protocol.Upgraded)) error {
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-u.welcomed:
			err = u.welcome(report)
		case m := <-u.offers:
			err = u.take(ctx, m, report)
		}
		if errors.Is(err, ErrReplace) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			u.cfg.Log.Error("upgrade", "error", err)
		}
	}
}

// welcome ends our own trial, if we are on trial, and repeats what the server has to know in any case.
func (u *Upgrader) welcome(report func(protocol.Upgraded)) error {
	s, err := u.folder.load()
	if err != nil {
		return err
	}
	if u.onTrial(&s) {
		if err := u.prove(); err != nil {
			return err
		}
		u.cfg.Log.Info("new version has proved itself", "version", u.cfg.Version)
		return ErrReplace // by itself, but without a launcher that watches
	}
	if s.Outcome != nil {
		report(s.Outcome.message())
	}
	return nil
}

func (u *Upgrader) onTrial(s *state) bool {
	return s.Trial != nil && u.cfg.Current && s.Trial.Version == u.cfg.Version
}

// prove writes down that our own trial has ended well.
func (u *Upgrader) prove() error {
	unlock, err := lock(u.folder.path(lockName))
	if err != nil {
		return err
	}
	defer unlock()
	s, err := u.folder.load()
	if err != nil || !u.onTrial(&s) {
		return err
	}
	if err := u.cfg.step("prove"); err != nil {
		return err
	}
	s.end(protocol.UpgradeDone, "")
	if err := u.folder.save(&s); err != nil {
		return err
	}
	if err := u.folder.sweep(u.cfg.Version, s.Previous); err != nil {
		u.cfg.Log.Warn("old versions are still there", "error", err)
	}
	return nil
}

// take carries out an order, and writes down and reports what became of it.
func (u *Upgrader) take(ctx context.Context, m protocol.Upgrade, report func(protocol.Upgraded)) error {
	s, err := u.folder.load()
	if err != nil {
		u.cfg.Log.Error("upgrade", "error", err) // and begin afresh
	}
	switch o := s.Outcome; {
	case len(m.Manifest) == 0 || u.onTrial(&s):
		return nil
	case o != nil && o.Rollout == m.Rollout && o.Attempt == m.Attempt:
		report(o.message())
		return nil
	}
	if err := u.folder.make(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	u.working(m.Rollout, cancel)
	defer u.working(0, nil)
	o := outcome{Rollout: m.Rollout, Attempt: m.Attempt}
	err = u.carryOut(ctx, &m, &s, &o, report)
	switch {
	case errors.Is(err, ErrReplace):
		return err
	case ctx.Err() != nil:
		u.cfg.Log.Info("upgrade given up", "version", o.Version) // the order was taken back, or the agent ends
		return nil
	}
	o.State = protocol.UpgradeDone
	if errors.Is(err, syscall.ENOSPC) { // others need the space more
		err = errors.Join(err, os.RemoveAll(u.folder.path(fetchName)))
	}
	if err != nil {
		u.cfg.Log.Error("upgrade refused", "version", o.Version, "error", err)
		o.State, o.Detail = protocol.UpgradeRefused, err.Error()
	}
	report(o.message())
	return u.note(o)
}

func (u *Upgrader) working(rollout uint64, cancel context.CancelFunc) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.busy, u.cancel = rollout, cancel
}

// note writes down what became of an order.
func (u *Upgrader) note(o outcome) error {
	unlock, err := lock(u.folder.path(lockName))
	if err != nil {
		return err
	}
	defer unlock()
	s, err := u.folder.load()
	if err != nil {
		u.cfg.Log.Error("upgrade", "error", err) // it is replaced by one that can be read
	}
	s.Outcome = &o
	return u.folder.save(&s)
}

// carryOut does what an order asks for: nothing if we run that version, else it ends with ErrReplace.
func (u *Upgrader) carryOut(ctx context.Context, m *protocol.Upgrade, s *state, o *outcome, report func(protocol.Upgraded)) error {
	r, err := u.believe(m)
	if err != nil {
		return err
	}
	o.Version = r.Version
	if r.Version == u.cfg.Version {
		return nil
	}
	if b, ok := s.findBad(r.Version, r.digest); ok && !m.Again {
		return fmt.Errorf("%s was tried here at %s and gone back from: %s", b.Version, b.At.Format(time.RFC3339), b.Reason)
	}
	here := release.Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, Version: u.cfg.Version, Protocol: m.Protocol}
	platform, err := r.Admit(here, u.cfg.Now())
	if err != nil {
		return err
	}
	progress := *o
	progress.State = protocol.UpgradeFetching
	report(progress.message())
	if err := u.install(ctx, r, &platform); err != nil {
		return err
	}
	if err := selfCheck(ctx, u.folder, r.Version); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err // the order was taken back
	}
	if err := u.switchTo(m, r); err != nil {
		return err
	}
	progress.State = protocol.UpgradeTrying
	report(progress.message())
	u.cfg.Log.Info("changing to another version", "from", u.cfg.Version, "to", r.Version)
	return ErrReplace
}

// believed is a release that enough of the pinned keys have signed.
type believed struct {
	release.Manifest
	text   []byte
	digest string
}

// believe takes in the lists of keys that come with an order, and reads its release.
func (u *Upgrader) believe(m *protocol.Upgrade) (*believed, error) {
	keys, err := u.folder.loadKeys()
	if err != nil {
		return nil, err
	}
	changed := false
	for _, text := range m.Keys {
		fresh, err := keys.add(text)
		if err != nil {
			return nil, err
		}
		changed = changed || fresh
	}
	newest, err := keys.newest()
	if err != nil {
		return nil, err
	}
	if changed {
		if err := u.folder.saveKeys(keys); err != nil {
			return nil, err
		}
		u.cfg.Log.Info("release keys", "serial", newest.Serial, "keys", len(newest.Keys), "threshold", newest.Threshold)
	}
	r := &believed{text: m.Manifest}
	if r.Manifest, err = release.ReadManifest(m.Manifest, newest); err != nil {
		return nil, err
	}
	e, err := release.Open(m.Manifest)
	r.digest = e.Digest()
	return r, err
}

// switchTo makes a version the current one, on trial.
func (u *Upgrader) switchTo(m *protocol.Upgrade, r *believed) error {
	unlock, err := lock(u.folder.path(lockName))
	if err != nil {
		return err
	}
	defer unlock()
	s, err := u.folder.load()
	if err != nil {
		u.cfg.Log.Error("upgrade", "error", err)
	}
	if err := u.cfg.step("trial"); err != nil {
		return err
	}
	s.Previous = ""
	if u.cfg.Current {
		s.Previous = u.cfg.Version
	}
	s.forgive(r.Version)
	s.Trial = &trial{Version: r.Version, Digest: r.digest, Rollout: m.Rollout, Attempt: m.Attempt, Window: trialWindow(m.Trial)}
	if err := u.folder.save(&s); err != nil {
		return err
	}
	if err := u.cfg.step("current"); err != nil {
		return err
	}
	return u.folder.setCurrent(r.Version)
}

// Bounds and default of the time that a version on trial has, in seconds.
const (
	usualWindow = 90
	minWindow   = 5
	maxWindow   = 3600
)

func trialWindow(asked uint64) int64 {
	if asked == 0 {
		return usualWindow
	}
	return int64(min(max(asked, minWindow), maxWindow))
}
