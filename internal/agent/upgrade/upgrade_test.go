//go:build unix

package upgrade

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"errand/internal/protocol"
	"errand/internal/release"
)

func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func wrap(t *testing.T, e release.Envelope, err error, signers ...byte) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range signers {
		if err := e.Sign(key(n)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func keyList(t *testing.T, serial uint64, signers []byte, keys ...byte) []byte {
	t.Helper()
	l := release.KeyList{Product: release.Product, Serial: serial, Threshold: 1, Created: time.Now()}
	for _, n := range keys {
		l.Keys = append(l.Keys, key(n).Public().(ed25519.PublicKey))
	}
	e, err := release.Wrap(&l)
	return wrap(t, e, err, signers...)
}

// published is a release as a server has it.
type published struct {
	release.Manifest
	packed map[string][]byte // by hash
}

// publish makes a release whose agent is a script that can say its version and does nothing else.
func publish(t *testing.T, version string) *published {
	t.Helper()
	return publishPrograms(t, version, map[string]string{
		release.AgentProgram:     "#!/bin/sh\n[ \"$1\" = --version ] && echo errand-agent " + version + "\n",
		release.SuperviseProgram: "#!/bin/sh\nexit 2\n",
	})
}

func publishPrograms(t *testing.T, version string, programs map[string]string) *published {
	t.Helper()
	p := &published{packed: map[string][]byte{}}
	p.Manifest = release.Manifest{
		Product: release.Product, Version: version, Created: time.Now().Add(-time.Hour), Expires: time.Now().Add(time.Hour), Protocol: 1,
		Platforms: []release.Platform{{OS: runtime.GOOS, Arch: runtime.GOARCH}},
	}
	for name, text := range programs {
		var packed bytes.Buffer
		f, err := release.Pack(&packed, name, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		p.packed[f.PackedSHA256] = packed.Bytes()
		p.Platforms[0].Files = append(p.Platforms[0].Files, f)
	}
	return p
}

func (p *published) signed(t *testing.T, signers ...byte) []byte {
	t.Helper()
	e, err := release.Wrap(&p.Manifest)
	return wrap(t, e, err, signers...)
}

// serve is a Fetch that hands the release out.
func (p *published) serve(_ context.Context, path string, offset int64) (io.ReadCloser, bool, error) {
	packed, ok := p.packed[filepath.Base(path)]
	if !ok {
		return nil, true, errors.New("no such program")
	}
	return io.NopCloser(bytes.NewReader(packed[offset:])), false, nil
}

// node is an agent's data folder with the installed version 1.0.0.
type node struct {
	t    *testing.T
	data string
	step func(string) error
	told []protocol.Upgraded
}

const installed = "1.0.0"

func newNode(t *testing.T, pins []byte) *node {
	t.Helper()
	n := &node{t: t, data: filepath.Join(t.TempDir(), "data")}
	if err := os.Mkdir(n.data, 0o711); err != nil {
		t.Fatal(err)
	}
	if pins != nil {
		if err := Pin(n.data, pins); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func (n *node) log() *slog.Logger { return slog.New(slog.NewTextHandler(n.t.Output(), nil)) }

// upgrader is that of an agent which runs a version.
func (n *node) upgrader(version string, fetch func(context.Context, string, int64) (io.ReadCloser, bool, error)) *Upgrader {
	return New(Config{
		Data: n.data, Version: version, Current: version != installed, Fetch: fetch, Now: time.Now, Log: n.log(), step: n.step,
	})
}

// offer has the agent of a version take an order, and returns how that ended.
func (n *node) offer(version string, p *published, m protocol.Upgrade) error {
	n.told = nil
	return n.upgrader(version, p.serve).take(n.t.Context(), m, func(u protocol.Upgraded) { n.told = append(n.told, u) })
}

func (n *node) launcher() *Launcher {
	return &Launcher{Data: n.data, Version: installed, Now: time.Now, Log: n.log()}
}

// runs says which version a start of the installed program would run.
func (n *node) runs() Choice {
	n.t.Helper()
	c, err := n.launcher().Choose()
	if err != nil {
		n.t.Fatal(err)
	}
	if c.Program == "" {
		c.Version = installed
	}
	return c
}

func (n *node) welcome(version string) error {
	n.told = nil
	return n.upgrader(version, nil).welcome(func(u protocol.Upgraded) { n.told = append(n.told, u) })
}

// last is the last thing that the server was told.
func (n *node) last() protocol.Upgraded {
	n.t.Helper()
	if len(n.told) == 0 {
		n.t.Fatal("the server was told nothing")
	}
	return n.told[len(n.told)-1]
}

func order(manifest []byte) protocol.Upgrade {
	return protocol.Upgrade{Rollout: 7, Attempt: 1, Protocol: 1, Manifest: manifest, Trial: 60}
}

func TestUpgradeProvesItself(t *testing.T) {
	t.Parallel()
	n := newNode(t, keyList(t, 1, []byte{1}, 1))
	p := publish(t, "1.1.0")
	if err := n.offer(installed, p, order(p.signed(t, 1))); !errors.Is(err, ErrReplace) {
		t.Fatalf("%v, told %+v", err, n.told)
	}
	c := n.runs()
	if c.Version != "1.1.0" || c.Window != time.Minute || c.Program != filepath.Join(n.data, "programs/1.1.0/errand-agent") {
		t.Errorf("after the switch: %+v", c)
	}
	if err := n.welcome("1.1.0"); !errors.Is(err, ErrReplace) {
		t.Fatal(err)
	}
	if !n.launcher().Proved("1.1.0") {
		t.Error("it has not proved itself")
	}
	if c := n.runs(); c.Version != "1.1.0" || c.Window != 0 {
		t.Errorf("after the trial: %+v", c)
	}
	if err := n.welcome("1.1.0"); err != nil || n.last().State != protocol.UpgradeDone || n.last().Rollout != 7 {
		t.Errorf("%v, told %+v", err, n.told)
	}
	// The same order again is answered and no more.
	if err := n.offer("1.1.0", p, order(p.signed(t, 1))); err != nil || len(n.told) != 1 || n.last().State != protocol.UpgradeDone {
		t.Errorf("again: %v, told %+v", err, n.told)
	}
}

// Old versions go when a new one has proved itself, but for the one to go back to.
func TestTwoVersionsAreKept(t *testing.T) {
	t.Parallel()
	n := newNode(t, keyList(t, 1, []byte{1}, 1))
	from := installed
	for i, version := range []string{"1.1.0", "1.2.0", "1.3.0"} {
		p := publish(t, version)
		m := order(p.signed(t, 1))
		m.Rollout = uint64(i + 1)
		if err := n.offer(from, p, m); !errors.Is(err, ErrReplace) {
			t.Fatal(err)
		}
		n.runs()
		if err := n.welcome(version); !errors.Is(err, ErrReplace) {
			t.Fatal(err)
		}
		from = version
	}
	entries, err := os.ReadDir(filepath.Join(n.data, "programs"))
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, e := range entries {
		if e.IsDir() {
			dirs = append(dirs, e.Name())
		}
	}
	if !slices.Equal(dirs, []string{"1.2.0", "1.3.0"}) {
		t.Errorf("versions %v", dirs)
	}
	// Back from 1.3.0, if it is damaged later.
	if err := os.WriteFile(filepath.Join(n.data, "programs/1.3.0/errand-agent"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if c := n.runs(); c.Version != "1.2.0" {
		t.Errorf("with a damaged 1.3.0: %+v", c)
	}
}

func TestOffersAreRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, p *published, m *protocol.Upgrade)
		want  string
	}{
		{"tampered manifest", func(t *testing.T, p *published, m *protocol.Upgrade) {
			e, err := release.Open(m.Manifest)
			e.Payload = bytes.Replace(e.Payload, []byte("1.1.0"), []byte("9.9.9"), 1)
			m.Manifest = wrap(t, e, err)
		}, release.ErrSignature.Error()},
		{"wrong key", func(t *testing.T, p *published, m *protocol.Upgrade) { m.Manifest = p.signed(t, 9) }, release.ErrSignature.Error()},
		{"keys of a stranger", func(t *testing.T, p *published, m *protocol.Upgrade) {
			m.Manifest, m.Keys = p.signed(t, 9), [][]byte{keyList(t, 2, []byte{9}, 9)}
		}, release.ErrSignature.Error()},
		{"no manifest at all", func(_ *testing.T, _ *published, m *protocol.Upgrade) { m.Manifest = []byte("{") }, release.ErrMalformed.Error()},
		{"expired", func(t *testing.T, p *published, m *protocol.Upgrade) {
			p.Expires = time.Now().Add(-time.Minute)
			m.Manifest = p.signed(t, 1)
		}, release.ErrExpired.Error()},
		{"downgrade", func(t *testing.T, p *published, m *protocol.Upgrade) {
			p.Version = "0.9.0"
			m.Manifest = p.signed(t, 1)
		}, release.ErrDowngrade.Error()},
		{"platform", func(t *testing.T, p *published, m *protocol.Upgrade) {
			p.Platforms[0].Arch = "pdp11"
			m.Manifest = p.signed(t, 1)
		}, release.ErrPlatform.Error()},
		{"protocol", func(t *testing.T, p *published, m *protocol.Upgrade) {
			p.Protocol = 2
			m.Manifest = p.signed(t, 1)
		}, release.ErrProtocol.Error()},
		{"tampered program", func(_ *testing.T, p *published, _ *protocol.Upgrade) {
			for _, packed := range p.packed {
				packed[len(packed)/2] ^= 1
			}
		}, release.ErrContent.Error()},
		{"program that is gone", func(_ *testing.T, p *published, _ *protocol.Upgrade) { clear(p.packed) }, "no such program"},
		{"another version inside", func(t *testing.T, p *published, m *protocol.Upgrade) {
			*p = *publishPrograms(t, "1.1.0", map[string]string{release.AgentProgram: "#!/bin/sh\necho errand-agent 1.0.9\n"})
			m.Manifest = p.signed(t, 1)
		}, `calls itself "errand-agent 1.0.9"`},
		{"not a program", func(t *testing.T, p *published, m *protocol.Upgrade) {
			*p = *publishPrograms(t, "1.1.0", map[string]string{release.AgentProgram: "\x7fELF no more"})
			m.Manifest = p.signed(t, 1)
		}, "exec format error"},
		{"not a supervisor", func(t *testing.T, p *published, m *protocol.Upgrade) {
			*p = *publishPrograms(t, "1.1.0", map[string]string{
				release.AgentProgram: "#!/bin/sh\necho errand-agent 1.1.0\n", release.SuperviseProgram: "#!/bin/sh\nexit 0\n",
			})
			m.Manifest = p.signed(t, 1)
		}, "errand-supervise does not run here"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, keyList(t, 1, []byte{1}, 1))
			p := publish(t, "1.1.0")
			m := order(p.signed(t, 1))
			tt.spoil(t, p, &m)
			if err := n.offer(installed, p, m); err != nil {
				t.Fatal(err)
			}
			if u := n.last(); u.State != protocol.UpgradeRefused || !strings.Contains(u.Detail, tt.want) {
				t.Errorf("told %+v, want %q", u, tt.want)
			}
			if c := n.runs(); c.Version != installed {
				t.Errorf("runs %+v", c)
			}
			// It stays refused without another look, until the server asks for one.
			if err := n.offer(installed, publish(t, "1.1.0"), m); err != nil || n.last().State != protocol.UpgradeRefused {
				t.Errorf("again: %v, %+v", err, n.told)
			}
			m.Attempt++
			m.Keys = nil
			m.Manifest = publish(t, "1.1.0").signed(t, 1)
			if err := n.offer(installed, publish(t, "1.1.0"), m); !errors.Is(err, ErrReplace) {
				t.Errorf("a good release afterwards: %v, %+v", err, n.told)
			}
		})
	}
}

func TestSignedDowngrade(t *testing.T) {
	t.Parallel()
	n := newNode(t, keyList(t, 1, []byte{1}, 1))
	p := publish(t, "0.9.0")
	p.Back = true
	if err := n.offer(installed, p, order(p.signed(t, 1))); !errors.Is(err, ErrReplace) {
		t.Fatal(err, n.told)
	}
	if c := n.runs(); c.Version != "0.9.0" {
		t.Errorf("%+v", c)
	}
	if err := n.welcome("0.9.0"); !errors.Is(err, ErrReplace) {
		t.Fatal(err)
	}
	if c := n.runs(); c.Version != "0.9.0" {
		t.Errorf("the installed program came back: %+v", c)
	}
	// A package that is installed later counts.
	l := n.launcher()
	l.Version = "1.0.1"
	if c, err := l.Choose(); err != nil || c.Program != "" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestKeysChangeOnlyBySignedLists(t *testing.T) {
	t.Parallel()
	first, second := keyList(t, 1, []byte{1}, 1), keyList(t, 2, []byte{1, 2}, 2)
	n := newNode(t, nil)
	p := publish(t, "1.1.0")
	m := order(p.signed(t, 1))
	if err := n.offer(installed, p, m); err != nil || !strings.Contains(n.last().Detail, ErrNoKeys.Error()) {
		t.Errorf("without keys: %v, %+v", err, n.told)
	}
	// The first list that the server names is believed, like one at enrolment.
	m.Attempt, m.Keys = 2, [][]byte{first}
	if err := n.offer(installed, p, m); !errors.Is(err, ErrReplace) {
		t.Fatal(err, n.told)
	}
	n.runs()
	if err := n.welcome("1.1.0"); !errors.Is(err, ErrReplace) {
		t.Fatal(err)
	}
	next := publish(t, "1.2.0")
	m = order(next.signed(t, 1))
	m.Rollout, m.Keys = 8, [][]byte{first, second}
	if err := n.offer("1.1.0", next, m); err != nil || !strings.Contains(n.last().Detail, release.ErrSignature.Error()) {
		t.Errorf("signed by a key that was replaced: %v, %+v", err, n.told)
	}
	if c := n.runs(); c.Version != "1.1.0" {
		t.Errorf("what the old key signed and is installed must go on: %+v", c)
	}
	m.Attempt, m.Manifest = 2, next.signed(t, 2)
	if err := n.offer("1.1.0", next, m); !errors.Is(err, ErrReplace) {
		t.Errorf("signed by the new key: %v, %+v", err, n.told)
	}
	if err := Pin(n.data, keyList(t, 9, []byte{9}, 9)); err != nil {
		t.Fatal(err)
	}
	if keys, err := folderOf(n.data).loadKeys(); err != nil || len(keys.lists) != 2 {
		t.Errorf("pinned %+v, %v", keys.lists, err)
	}
}

// A download goes on where it stopped, also in another process.
func TestFetchGoesOn(t *testing.T) {
	t.Parallel()
	n := newNode(t, keyList(t, 1, []byte{1}, 1))
	p := publishPrograms(t, "1.1.0", map[string]string{
		release.AgentProgram: "#!/bin/sh\necho errand-agent 1.1.0\nexit\n" + noise(400_000),
	})
	var offsets []int64
	ctx, cancel := context.WithCancel(t.Context())
	cut := func(ctx context.Context, path string, offset int64) (io.ReadCloser, bool, error) {
		offsets = append(offsets, offset)
		if len(offsets) == 3 {
			cancel() // the agent ends
		}
		body, final, err := p.serve(ctx, path, offset)
		return io.NopCloser(io.LimitReader(body, 40_000)), final, err
	}
	m := order(p.signed(t, 1))
	if err := n.upgrader(installed, cut).take(ctx, m, func(protocol.Upgraded) {}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(offsets, []int64{0, 40_000, 80_000}) {
		t.Errorf("asked for %v", offsets)
	}
	offsets = nil
	rest := func(ctx context.Context, path string, offset int64) (io.ReadCloser, bool, error) {
		offsets = append(offsets, offset)
		return p.serve(ctx, path, offset)
	}
	if err := n.upgrader(installed, rest).take(t.Context(), m, func(protocol.Upgraded) {}); !errors.Is(err, ErrReplace) {
		t.Fatal(err)
	}
	if len(offsets) != 1 || offsets[0] < 80_000 {
		t.Errorf("asked for %v", offsets)
	}
}

// noise is text that hardly gets shorter when it is packed.
func noise(n int) string {
	var b strings.Builder
	for i := uint32(1); b.Len() < n; {
		i = i*1664525 + 1013904223
		fmt.Fprintf(&b, "%x", i)
	}
	return b.String()
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	n := newNode(t, keyList(t, 1, []byte{1}, 1))
	p := publish(t, "1.1.0")
	dir := filepath.Join(n.data, "programs/fetching")
	n.step = func(step string) error {
		if step != "fetch" {
			return nil
		}
		for hash := range p.packed {
			if err := os.Symlink("/dev/full", filepath.Join(dir, hash)); err != nil && !errors.Is(err, os.ErrExist) {
				return err
			}
		}
		return nil
	}
	if err := n.offer(installed, p, order(p.signed(t, 1))); err != nil {
		t.Fatal(err)
	}
	if u := n.last(); u.State != protocol.UpgradeRefused || !strings.Contains(u.Detail, syscall.ENOSPC.Error()) {
		t.Errorf("told %+v", u)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was fetched is still there: %v", err)
	}
}

func TestOrderIsTakenBack(t *testing.T) {
	t.Parallel()
	n := newNode(t, keyList(t, 1, []byte{1}, 1))
	p := publish(t, "1.1.0")
	asked := make(chan struct{}, 10)
	u := n.upgrader(installed, func(context.Context, string, int64) (io.ReadCloser, bool, error) {
		asked <- struct{}{}
		return nil, false, errors.New("not now")
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	told := make(chan protocol.Upgraded, 10)
	go func() { ended <- u.Run(ctx, func(m protocol.Upgraded) { told <- m }) }()
	u.Offer(order(p.signed(t, 1)))
	<-asked
	u.Offer(protocol.Upgrade{Rollout: 7})
	m := order([]byte("{"))
	m.Rollout = 8
	<-told // that the first one was begun
	u.Offer(m)
	if got := <-told; got.Rollout != 8 {
		t.Errorf("told %+v", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

var errPower = errors.New("the power went")

// The power may go before any step. What runs afterwards is a whole version, and the server's next word brings the new one.
func TestPowerLossAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"fetch", "unpack", "install", "trial", "current", "prove"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, keyList(t, 1, []byte{1}, 1))
			p := publish(t, "1.1.0")
			m := order(p.signed(t, 1))
			n.step = func(s string) error {
				if s == step {
					panic(errPower) // nothing after this line is done, nor cleaned up
				}
				return nil
			}
			func() {
				defer func() {
					if err, ok := recover().(error); !ok || !errors.Is(err, errPower) {
						t.Errorf("the step was never taken: %v", err)
					}
				}()
				_ = n.offer(installed, p, m)
				n.runs()
				_ = n.welcome("1.1.0")
			}()
			n.step = nil
			c := n.runs()
			if step == "prove" {
				if c.Version != "1.1.0" || c.Window == 0 {
					t.Errorf("runs %+v", c)
				}
			} else {
				if c.Version != installed {
					t.Errorf("runs %+v", c)
				}
				if err := n.offer(installed, p, m); !errors.Is(err, ErrReplace) {
					t.Fatal(err, n.told)
				}
				if c = n.runs(); c.Version != "1.1.0" {
					t.Errorf("runs %+v", c)
				}
			}
			if err := n.welcome("1.1.0"); !errors.Is(err, ErrReplace) {
				t.Fatal(err)
			}
			if c := n.runs(); c.Version != "1.1.0" || c.Window != 0 {
				t.Errorf("in the end: %+v", c)
			}
		})
	}
}

// switched is a node that has just switched to 1.1.0.
func switched(t *testing.T) (*node, *published) {
	t.Helper()
	n := newNode(t, keyList(t, 1, []byte{1}, 1))
	p := publish(t, "1.1.0")
	if err := n.offer(installed, p, order(p.signed(t, 1))); !errors.Is(err, ErrReplace) {
		t.Fatal(err, n.told)
	}
	return n, p
}

func TestTrialIsNotBegunForEver(t *testing.T) {
	t.Parallel()
	n, _ := switched(t)
	for range maxStarts {
		if c := n.runs(); c.Version != "1.1.0" {
			t.Fatalf("runs %+v", c)
		}
	}
	if c := n.runs(); c.Version != installed {
		t.Errorf("runs %+v", c)
	}
	if err := n.welcome(installed); err != nil || n.last().State != protocol.UpgradeRolledBack || !strings.Contains(n.last().Detail, "started 3 times") {
		t.Errorf("%v, %+v", err, n.told)
	}
}

func TestBadVersionIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	n, p := switched(t)
	n.runs()
	if err := n.launcher().Condemn("1.1.0", "it burns"); err != nil {
		t.Fatal(err)
	}
	if c := n.runs(); c.Version != installed {
		t.Errorf("runs %+v", c)
	}
	if err := n.welcome(installed); err != nil || n.last().State != protocol.UpgradeRolledBack || n.last().Detail != "it burns" {
		t.Errorf("%v, %+v", err, n.told)
	}
	m := order(p.signed(t, 1))
	m.Rollout = 8
	if err := n.offer(installed, p, m); err != nil || n.last().State != protocol.UpgradeRefused || !strings.Contains(n.last().Detail, "it burns") {
		t.Errorf("%v, %+v", err, n.told)
	}
	m.Attempt, m.Again = 2, true
	if err := n.offer(installed, p, m); !errors.Is(err, ErrReplace) {
		t.Errorf("%v, %+v", err, n.told)
	}
	if c := n.runs(); c.Version != "1.1.0" {
		t.Errorf("runs %+v", c)
	}
	// Stopping between condemning a version and moving the link is the same as after it.
	f := folderOf(n.data)
	s, err := f.load()
	if err != nil {
		t.Fatal(err)
	}
	s.condemn("1.1.0", "again", time.Now())
	if err := f.save(&s); err != nil {
		t.Fatal(err)
	}
	if c := n.runs(); c.Version != installed {
		t.Errorf("runs %+v", c)
	}
}

// A program that others could have changed, or that is not what was signed, does not run.
func TestLauncherTrustsNobody(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(dir string) error{
		"changed program": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "1.1.0/errand-agent"), []byte("#!/bin/sh\n"), 0o700)
		},
		"changed helper":   func(dir string) error { return os.WriteFile(filepath.Join(dir, "1.1.0/errand-supervise"), nil, 0o700) },
		"missing program":  func(dir string) error { return os.Remove(filepath.Join(dir, "1.1.0/errand-agent")) },
		"missing proof":    func(dir string) error { return os.Remove(filepath.Join(dir, "1.1.0/release.json")) },
		"missing keys":     func(dir string) error { return os.Remove(filepath.Join(dir, "keys.json")) },
		"unreadable keys":  func(dir string) error { return os.WriteFile(filepath.Join(dir, "keys.json"), []byte("["), 0o600) },
		"writable program": func(dir string) error { return os.Chmod(filepath.Join(dir, "1.1.0/errand-agent"), 0o722) },
		"writable folder":  func(dir string) error { return os.Chmod(dir, 0o770) },
		"writable data":    func(dir string) error { return os.Chmod(filepath.Dir(dir), 0o777) },
		"link elsewhere": func(dir string) error {
			if err := os.Rename(filepath.Join(dir, "1.1.0"), filepath.Join(filepath.Dir(dir), "x")); err != nil {
				return err
			}
			return os.Symlink("../x", filepath.Join(dir, "1.1.0"))
		},
		"current elsewhere": func(dir string) error {
			if err := os.Remove(filepath.Join(dir, "current")); err != nil {
				return err
			}
			return os.Symlink("../../elsewhere", filepath.Join(dir, "current"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, _ := switched(t)
			n.runs()
			if err := n.welcome("1.1.0"); !errors.Is(err, ErrReplace) {
				t.Fatal(err)
			}
			if err := spoil(filepath.Join(n.data, "programs")); err != nil {
				t.Fatal(err)
			}
			if c := n.runs(); c.Version != installed {
				t.Errorf("runs %+v", c)
			}
		})
	}
}

func TestUnreadableStateLosesNothingThatRuns(t *testing.T) {
	t.Parallel()
	n, _ := switched(t)
	n.runs()
	if err := n.welcome("1.1.0"); !errors.Is(err, ErrReplace) {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(n.data, "programs/state.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := n.runs(); c.Version != "1.1.0" {
		t.Errorf("runs %+v", c)
	}
}
