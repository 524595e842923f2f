package node

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"testing"

	"errand/internal/core"
	"errand/internal/protocol"
)

// copyOf is the wish of a copy of m to go on under the key of own.
func copyOf(m, own machine, start string) protocol.ReenrollRequest {
	r := protocol.ReenrollRequest{StartID: start, PublicKey: own.public, MachineID: "machine", Facts: m.request("", "").Facts}
	r.Signature = ed25519.Sign(own.private, r.SigningText(m.public))
	return r
}

func (e *entrance) reenrols(m machine, wish protocol.ReenrollRequest) (w *answered) {
	e.tb.Helper()
	body, err := json.Marshal(wish)
	if err != nil {
		e.tb.Fatal(err)
	}
	proof := m.prove("POST", protocol.ReenrollPath, string(body))
	got := e.with("POST", protocol.ReenrollPath, proof.Header(), string(body))
	w = &answered{status: got.Code}
	if got.Code != http.StatusOK {
		if err := json.Unmarshal(got.Body.Bytes(), &w.problem); err != nil {
			e.tb.Errorf("%s: %v", got.Body, err)
		}
		return w
	}
	if err := json.Unmarshal(got.Body.Bytes(), &w.EnrollAnswer); err != nil {
		e.tb.Fatal(err)
	}
	return w
}

type answered struct {
	protocol.EnrollAnswer
	status  int
	problem protocol.Problem
}

// TestReenrollOfClone makes a copy a node of its own, once, and under the limits of the code that the other joined with.
func TestReenrollOfClone(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	code, secret := e.code(core.RegistrationSpec{Limit: 2})
	m, own := newMachine(1), newMachine(2)
	joined := e.joins(m.request(code.ID.String(), secret))
	if got := e.reenrols(m, copyOf(m, own, "two")); got.status != 403 {
		t.Errorf("nobody knows of a copy: %+v", got)
	}
	if err := e.Service.Cloned(t.Context(), core.Clone{Node: core.NodeKey(joined.NodeKey), StartID: "two", Machine: "b"}); err != nil {
		t.Fatal(err)
	}
	first := e.reenrols(m, copyOf(m, own, "two"))
	if first.status != 200 || first.NodeID == joined.NodeID || first.NodeKey == joined.NodeKey || first.AccountID != joined.AccountID {
		t.Fatalf("%+v", first)
	}
	if again := e.reenrols(m, copyOf(m, own, "two")); again.NodeID != first.NodeID {
		t.Errorf("asked again: %+v", again)
	}
	if n, err := e.Service.NodeByPublicKey(t.Context(), m.public); err != nil || n.ID != joined.NodeID {
		t.Errorf("the node itself: %v, %v", n.ID, err)
	}
	if got := e.reenrols(m, copyOf(m, newMachine(3), "two")); got.status != 403 || got.problem.Reason != protocol.ProblemRefused {
		t.Errorf("beyond the limit of the code: %+v", got)
	}
	other := newMachine(4)
	otherCode, otherSecret := e.code(core.RegistrationSpec{})
	e.joins(other.request(otherCode.ID.String(), otherSecret))
	if got := e.reenrols(other, copyOf(other, newMachine(5), "two")); got.status != 403 {
		t.Errorf("a node of which there is no copy: %+v", got)
	}
}

// TestReenrollForged takes no key that the copy does not hold, and not the shared one.
func TestReenrollForged(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	code, secret := e.code(core.RegistrationSpec{})
	m, own, stranger := newMachine(1), newMachine(2), newMachine(3)
	joined := e.joins(m.request(code.ID.String(), secret))
	if err := e.Service.Cloned(t.Context(), core.Clone{Node: core.NodeKey(joined.NodeKey), StartID: "two"}); err != nil {
		t.Fatal(err)
	}
	forged := copyOf(m, own, "two")
	forged.PublicKey = stranger.public
	elsewhere := copyOf(stranger, own, "two")
	nameless := copyOf(m, own, "two")
	nameless.Facts.Hostname = ""
	for name, wish := range map[string]protocol.ReenrollRequest{
		"another's key": forged, "for another node": elsewhere, "the shared key": copyOf(m, m, "two"), "no host name": nameless, "empty": {},
	} {
		if got := e.reenrols(m, wish); got.status != 400 || got.problem.Reason != protocol.ProblemMalformed {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := e.reenrols(m, copyOf(m, own, "three")); got.status != 403 {
		t.Errorf("another process: %+v", got)
	}
}

// TestStandingOfClone tells the process that was refused, and no other, that it is taken for a copy, and whether it may become a node.
func TestStandingOfClone(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	code, secret := e.code(core.RegistrationSpec{Limit: 2})
	m := newMachine(1)
	joined := e.joins(m.request(code.ID.String(), secret))
	if err := e.Service.Cloned(t.Context(), core.Clone{Node: core.NodeKey(joined.NodeKey), StartID: "two"}); err != nil {
		t.Fatal(err)
	}
	ask := func(start string) (a protocol.EnrollAnswer) {
		t.Helper()
		target := protocol.NodePath + "?" + protocol.NodeStart + "=" + start
		proof := m.prove("GET", target, "")
		w := e.with("GET", target, proof.Header(), "")
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return a
	}
	if a := ask("one"); a.Clone || a.MayReenroll {
		t.Errorf("the node itself: %+v", a)
	}
	if a := ask("two"); !a.Clone || !a.MayReenroll {
		t.Errorf("the copy: %+v", a)
	}
	if _, err := e.Service.DisableRegistrations(t.Context(), e.Caller, []core.ID{code.ID}); err != nil {
		t.Fatal(err)
	}
	if a := ask("two"); !a.Clone || a.MayReenroll {
		t.Errorf("the copy, after the code was disabled: %+v", a)
	}
}

// TestLeave takes the node out that asks, and refuses its key from then on.
func TestLeave(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	code, secret := e.code(core.RegistrationSpec{})
	m := newMachine(1)
	e.joins(m.request(code.ID.String(), secret))
	proof := m.prove("POST", protocol.LeavePath, "")
	if w := e.with("POST", protocol.LeavePath, proof.Header(), ""); w.Code != http.StatusNoContent {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := e.with("POST", protocol.LeavePath, proof.Header(), ""); w.Code != 403 {
		t.Errorf("again: %d %s", w.Code, w.Body)
	}
}
