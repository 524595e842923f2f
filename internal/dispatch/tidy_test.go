package dispatch

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"errand/internal/core"
)

// counted reports whether the metrics say that so many invocations were removed.
func (r *rig) counted(removed string) bool {
	w := httptest.NewRecorder()
	r.metrics.Handler().ServeHTTP(w, httptest.NewRequestWithContext(r.t.Context(), http.MethodGet, "/metrics", nil))
	return strings.Contains(w.Body.String(), "\nerrand_invocations_removed_total "+removed+"\n")
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
	rows, _, err := r.scene.Service.Invocations(t.Context(), r.scene.Caller, core.InvocationFilter{}, nil, core.PageSpec{Limit: 9})
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
