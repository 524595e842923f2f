package stacktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"errand/internal/core"
)

// TestEvents tells a subscriber of a run from its acceptance to its end.
func TestEvents(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "i-one")
	types := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var event struct{ Type string }
		if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
			t.Error(err)
		}
		types <- event.Type
	}))
	t.Cleanup(hook.Close)
	caller := s.Server.RootCaller()
	if _, _, err := s.Server.Service.Subscribe(t.Context(), caller, core.SubscriptionSpec{
		URL: hook.URL, Types: []string{"errand.invocation.*", "errand.task.[rs]*"},
	}); err != nil {
		t.Fatal(err)
	}
	c := s.Client()
	c.Await(t, c.Run(t, "sleep 0.5; echo done", nil, "i-one"), soon)
	var got []string
	want := []string{
		"errand.invocation.accepted", "errand.invocation.started", "errand.task.running", "errand.task.succeeded", "errand.invocation.ended",
	}
	Eventually(t, soon, func() error {
		for len(types) > 0 {
			got = append(got, <-types)
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("heard %v", got)
		}
		return nil
	})
}
