package server_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"errand/internal/core"
	"errand/internal/server"
)

// TestWebhookReach calls this machine only where that gives away nothing, or where the operator says so.
func TestWebhookReach(t *testing.T) {
	t.Parallel()
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(hook.Close)
	tests := map[string]struct {
		change func(*server.Config)
		want   bool
	}{
		"on loopback":        {func(*server.Config) {}, true},
		"for the world":      {func(c *server.Config) { c.Listen, c.InsecureHTTP = "0.0.0.0:0", true }, false},
		"for every address":  {func(c *server.Config) { c.Listen, c.InsecureHTTP = ":0", true }, false},
		"for private clouds": {func(c *server.Config) { c.Listen, c.InsecureHTTP, c.WebhookAllowPrivate = "0.0.0.0:0", true, true }, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := config(t)
			tt.change(&c)
			s := start(t, c)
			defer stop(t, s)
			sub, _, err := s.Service.Subscribe(t.Context(), s.RootCaller(), core.SubscriptionSpec{URL: hook.URL})
			if err != nil {
				t.Fatal(err)
			}
			if status, err := s.Service.Ping(t.Context(), s.RootCaller(), sub.ID); (err == nil) != tt.want {
				t.Errorf("%d, %v", status, err)
			}
		})
	}
}
