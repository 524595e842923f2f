package stacktest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"errand/internal/agent/identity"
	"errand/internal/core"
)

// rotated waits until a node is connected with another key than before, and has nothing left of that.
func (s *Stack) rotated(t *testing.T, dir string, before identity.Identity) identity.Identity {
	t.Helper()
	var now identity.Identity
	Eventually(t, soon, func() (err error) {
		if now, err = identity.Load(dir); err != nil {
			return err
		}
		n, err := s.Server.Service.NodeByPublicKey(t.Context(), mustKey(t, now))
		switch {
		case now.Same(before):
			return errors.New("still the same key")
		case identity.Rotating(dir):
			return errors.New("not settled")
		case err != nil:
			return err
		case n.PublicKey != mustKey(t, now) || n.NextPublicKey != "" || !n.RotationAskedAt.IsZero() || n.KeyedAt.IsZero():
			return fmt.Errorf("on the server: %+v", n)
		case !s.Server.Service.Connected(n.Key):
			return errors.New("not connected")
		}
		return nil
	})
	if _, err := s.Server.Service.AdmitKey(t.Context(), mustKey(t, before)); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("the key before is still good: %v", err)
	}
	return now
}

// works runs a command on a node.
func (s *Stack) works(t *testing.T, id string) {
	t.Helper()
	c := s.Client()
	if got := c.Await(t, c.Run(t, "echo works", nil, id), soon); got[0].Output != "works\n" {
		t.Errorf("%+v", got)
	}
}

// TestKeyRotation replaces the key of a connected node, twice, while a command runs on it.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	s := Start(t)
	stop := s.AddNode(t, "i-one")
	dir := s.AgentDirOf("i-one")
	c := s.Client()
	goes := filepath.Join(t.TempDir(), "goes-on")
	running := c.Run(t, fmt.Sprintf("until test -e %s; do sleep 0.1; done; echo over", goes), nil, "i-one")
	before, err := identity.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.Server.Service.RotateNodeKey(t.Context(), s.Server.RootCaller(), "i-one"); err != nil {
			t.Fatal(err)
		}
		before = s.rotated(t, dir, before)
		s.works(t, "i-one")
	}
	if r := s.audited(t, "RotateKey"); len(r) != 2 || r[0].Resources[0] != "node/i-one" {
		t.Errorf("%+v", r)
	}
	key := s.keyOf(t, "i-one")
	stop() // the command goes on, and is found again under another key
	s.away(t, key)
	s.AddNode(t, "i-one")
	if err := os.WriteFile(goes, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := c.Await(t, running, soon); got[0].Output != "over\n" {
		t.Errorf("%+v", got)
	}
}

// lossy loses requests, or the answers to them.
type lossy struct{ answers bool }

func (l lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.answers {
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err == nil {
			resp.Body.Close()
		}
	}
	return nil, errors.New("lost")
}

// TestKeyRotationCrashes stops a rotation after each of its steps, with the file of the identity whole and cut short. The next agent always connects,
// ends the rotation, and is the same node.
func TestKeyRotationCrashes(t *testing.T) {
	t.Parallel()
	rotate := func(way http.RoundTripper) func(t *testing.T, s *Stack, dir string) {
		return func(t *testing.T, s *Stack, dir string) {
			before, err := identity.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			r := identity.Rotator{Dir: dir, HTTP: &http.Client{Transport: way}, Agent: "test"}
			if _, err := r.Rotate(t.Context(), before); (err != nil) != (way != http.DefaultTransport) {
				t.Fatal(err)
			}
		}
	}
	connected := func(t *testing.T, s *Stack, dir string) {
		rotate(http.DefaultTransport)(t, s, dir)
		now, err := identity.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Server.Service.AdmitKey(context.WithoutCancel(t.Context()), mustKey(t, now)); err != nil {
			t.Fatal(err)
		}
	}
	for name, step := range map[string]func(t *testing.T, s *Stack, dir string){
		"new key on disk": rotate(lossy{}),
		"new key known":   rotate(lossy{answers: true}),
		"new key saved":   rotate(http.DefaultTransport),
		"connected":       connected,
		"copy before is settled": func(t *testing.T, s *Stack, dir string) {
			connected(t, s, dir)
			now, err := identity.Load(dir)
			if err == nil {
				err = now.Save(dir)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	} {
		for _, cut := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, cut %v", name, cut), func(t *testing.T) {
				t.Parallel()
				s := Start(t, QuietServer)
				stop := s.AddNode(t, "i-one")
				dir, key := s.AgentDirOf("i-one"), s.keyOf(t, "i-one")
				before, err := identity.Load(dir)
				if err != nil {
					t.Fatal(err)
				}
				stop()
				s.away(t, key)
				step(t, s, dir)
				if cut {
					if err := os.Truncate(filepath.Join(dir, "identity", "identity.json"), 20); err != nil {
						t.Fatal(err)
					}
				}
				s.AddNode(t, "i-one")
				s.rotated(t, dir, before)
				if got := s.keyOf(t, "i-one"); got != key {
					t.Errorf("node %d, was %d", got, key)
				}
				s.works(t, "i-one")
			})
		}
	}
}
