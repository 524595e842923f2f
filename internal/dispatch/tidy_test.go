package dispatch

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"errand/internal/core"
)

// counted reports whether the metrics say that so many invocations were removed.
func (r *rig) counted(removed string) bool {
	return r.scraped("errand_invocations_removed_total " + removed)
}

// scraped reports whether the metrics have this line.
func (r *rig) scraped(line string) bool {
	w := httptest.NewRecorder()
	r.metrics.Handler().ServeHTTP(w, httptest.NewRequestWithContext(r.t.Context(), http.MethodGet, "/metrics", nil))
	return strings.Contains(w.Body.String(), "\n"+line+"\n")
}

// TestTidy removes what has ended and is too old, and neither what is young nor what is open.
func TestTidy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.keep = core.Retention{Age: time.Hour}
	n := r.scene.Node("n")
	r.scene.Online(n)
	old, open := r.run("n"), r.run("n")
	r.scene.Exit(old.ID, n, 0, "out", "")
	r.scene.Advance(2 * time.Hour)
	young := r.run("n")
	r.scene.Exit(young.ID, n, 0, "out", "")
	for range 2 { // the second time, nothing is left to do
		r.retain(t.Context())
	}
	rows, _, err := r.scene.Service.Invocations(t.Context(), r.scene.Caller, core.InvocationFilter{}, core.PageSpec{Limit: 9})
	if err != nil || len(rows) != 2 || rows[0].ID != young.ID || rows[1].ID != open.ID {
		t.Errorf("left: %d, %v", len(rows), err)
	}
	if !r.counted("1") {
		t.Error("the metrics say otherwise")
	}
}

// TestTidyByItself waits for the loop.
func TestTidyByItself(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.keep, r.tidyAfter = core.Retention{Age: time.Hour}, time.Millisecond
	n := r.scene.Node("n")
	v := r.run("n")
	r.scene.Exit(v.ID, n, 0, "out", "")
	r.scene.Advance(2 * time.Hour)
	r.start()
	for deadline := time.Now().Add(10 * time.Second); !r.counted("1"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was removed")
		}
	}
}

// TestForget forgets the tokens that are old enough.
func TestForget(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, token := range []string{"old", "young"} {
		if _, err := r.scene.Service.Once(t.Context(), r.scene.Caller, "a", token, "hash", func(context.Context) ([]byte, error) {
			return []byte("done"), nil
		}); err != nil {
			t.Fatal(err)
		}
		r.scene.Advance(core.OnceFor/2 + time.Second)
	}
	r.forgetTokens(t.Context())
	r.scene.Advance(core.OnceFor / 2)
	if n, err := r.scene.Service.ForgetOnce(t.Context()); err != nil || n != 1 {
		t.Errorf("%d tokens were left, want 1, %v", n, err)
	}
}
