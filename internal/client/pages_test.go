package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"errand/internal/client"
)

func TestEach(t *testing.T) {
	t.Parallel()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		pages := map[string]string{"": `{"users":[{"name":"a"},{"name":"b"}],"next":"x"}`, "x": `{"users":[],"next":"y"}`, "y": `{"users":[{"name":"c"}]}`}
		if r.URL.Path != "/api/v1/users" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"status":404,"title":"No such resource","code":"no_such_resource"}`))
			return
		}
		if r.URL.Query().Get("limit") != "2" {
			t.Errorf("asked for %s", r.URL)
		}
		_, _ = w.Write([]byte(pages[r.URL.Query().Get("cursor")]))
	}))
	t.Cleanup(server.Close)
	c, err := client.New(client.Config{URL: server.URL, Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ Name string }
	walk := func(ctx context.Context, path, member string, most int) (names string, err error) {
		query := url.Values{"limit": {"2"}}
		for r, failed := range client.Each[row](ctx, c, path, query, member) {
			if failed != nil {
				return names, failed
			}
			if names += r.Name; len(names) == most {
				break
			}
		}
		if len(query) != 1 {
			t.Errorf("changes the caller's query: %v", query)
		}
		return names, nil
	}
	if names, err := walk(t.Context(), "users", "users", 0); names != "abc" || err != nil || asked != 3 {
		t.Errorf("%s %v, asked %d times", names, err, asked)
	}
	if names, err := walk(t.Context(), "users", "users", 1); names != "a" || err != nil || asked != 4 {
		t.Errorf("%s %v, asked %d times", names, err, asked)
	}
	var refused *client.Error
	if _, err := walk(t.Context(), "nonsense", "users", 0); !errors.As(err, &refused) || refused.Code != "no_such_resource" {
		t.Errorf("%v", err)
	}
	if _, err := walk(t.Context(), "users", "keys", 0); err == nil || !strings.Contains(err.Error(), "answer of") {
		t.Errorf("%v", err)
	}
}
