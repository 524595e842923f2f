package ecs

import (
	"strings"
	"testing"

	"errand/internal/core"
)

// TestTables finds a reason or a cause that has no words.
func TestTables(t *testing.T) {
	t.Parallel()
	for r := range core.Reason(core.NumReasons) {
		a := refusal("RunCommand", &core.Error{Reason: r, Field: "X"})
		if a.Status < 400 || a.Status > 599 || a.Code == "" || a.Message == "" || strings.Contains(a.Code+a.Message, "{") {
			t.Errorf("reason %d: %+v", r, a)
		}
	}
	for c := range core.Cause(core.NumCauses) {
		if w := causes[c]; (w.Code == "" || w.Info == "") != (c == core.NoCause) {
			t.Errorf("cause %v: %+v", c, w)
		}
	}
}

// TestUnderWay has the answer to a call that comes again before the first one is over.
func TestUnderWay(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"CreateCommand", "CreateActivation", "DeregisterManagedInstance"} {
		a := refusal(action, &core.Error{Reason: core.ReasonTokenPending, Field: "token"})
		if a.Status != 403 || a.Code != "IdempotentProcessing" || a.Message != "The previous idempotent request(s) is still processing." {
			t.Errorf("%s: %+v", action, a)
		}
	}
}
