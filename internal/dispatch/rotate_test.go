package dispatch

import (
	"testing"
	"time"

	"errand/internal/core"
	"errand/internal/protocol"
)

// TestKeyIsDue asks a node that greets for another key: when its own becomes too old, at once if it is, and at once if somebody asked for it.
func TestKeyIsDue(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *core.Config) { c.KeyAge = 24 * time.Hour })
	n := r.scene.Node("n")
	r.start()
	r.say(n, &protocol.Hello{OS: "linux"})
	r.expect("1: rotate in 86400s")
	r.scene.Advance(25 * time.Hour)
	r.say(n, &protocol.Hello{OS: "linux"})
	r.expect("1: rotate in 0s")
	if err := r.scene.Service.PrepareKey(t.Context(), &n, "next"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.scene.Service.AdmitKey(t.Context(), "next"); err != nil {
		t.Fatal(err)
	}
	r.say(n, &protocol.Hello{OS: "linux"})
	r.expect("1: rotate in 86400s")
	if _, err := r.scene.Service.RotateNodeKey(t.Context(), r.scene.Caller, "n"); err != nil {
		t.Fatal(err)
	}
	r.expect("1: rotate in 0s")
}
