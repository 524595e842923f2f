package client_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"errand/internal/client"
)

func TestPages(t *testing.T) {
	t.Parallel()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages := map[string]string{"": `{"users":["a","b"],"next":"x"}`, "x": `{"users":[],"next":"y"}`, "y": `{"users":["c"]}`, "again": `{"users":["d"],"next":"again"}`}
		if r.URL.Path != "/api/v1/users" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"status":404,"title":"No such resource","code":"no_such_resource"}`))
			return
		}
		asked = append(asked, r.URL.RawQuery)
		_, _ = w.Write([]byte(pages[r.URL.Query().Get("cursor")]))
	}))
	t.Cleanup(server.Close)
	c, err := client.New(client.Config{URL: server.URL, Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	type page struct {
		Users []string
		Next  string
	}
	for _, tt := range []struct {
		path   string
		query  url.Values
		limit  int
		names  string
		asked  []string
		refuse string
	}{
		{"users", url.Values{"a": {"b"}}, 1 << 30, "abc", []string{"a=b&limit=1000", "a=b&cursor=x&limit=1000", "a=b&cursor=y&limit=1000"}, ""},
		{"users", nil, 2, "ab", []string{"limit=2"}, ""},
		{"users", nil, 3, "abc", []string{"limit=3", "cursor=x&limit=1", "cursor=y&limit=1"}, ""},
		{"users", url.Values{"cursor": {"again"}}, 3, "d", []string{"cursor=again&limit=3"}, ""},
		{"users", nil, 0, "", nil, ""},
		{"nonsense", nil, 3, "", nil, "no_such_resource"},
	} {
		asked = nil
		names, before := "", len(tt.query)
		err := client.Pages(t.Context(), c, tt.path, tt.query, tt.limit, func(p page) (int, string) {
			names += strings.Join(p.Users, "")
			return len(p.Users), p.Next
		})
		var refused *client.Error
		if tt.refuse != "" {
			if !errors.As(err, &refused) || refused.Code != tt.refuse {
				t.Errorf("%s: %v", tt.path, err)
			}
		} else if err != nil || names != tt.names || !slices.Equal(asked, tt.asked) {
			t.Errorf("at most %d: %q %v, asked for %v", tt.limit, names, err, asked)
		}
		if len(tt.query) != before {
			t.Errorf("changes the caller's query: %v", tt.query)
		}
	}
}
