package client_test

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"errand/internal/client"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]client.Config{
		"no scheme":       {URL: "127.0.0.1:80", Token: "t"},
		"another scheme":  {URL: "ftp://127.0.0.1", Token: "t"},
		"in clear":        {URL: "http://192.0.2.1", Token: "t"},
		"nobody":          {URL: "http://localhost"},
		"half a key":      {URL: "http://localhost", KeyID: "id"},
		"no certificates": {URL: "https://192.0.2.1", Token: "t", CAFile: "/no/such/file"},
	} {
		if _, err := client.New(c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestCall(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		switch r.URL.Path {
		case "/api/v1/refused":
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"title":"Forbidden","status":403,"detail":"ann may not","request":"r"}`))
		case "/api/v1/elsewhere":
			http.Redirect(w, r, "https://192.0.2.1/", http.StatusFound)
		case "/api/v1/proxy":
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte("<html>"))
		default:
			_ = json.NewEncoder(w).Encode([]string{
				r.Method, r.URL.EscapedPath(), r.URL.RawQuery, id, secret, r.Header.Get("X-Errand-Security-Token"), r.UserAgent(),
			})
		}
	}))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{URL: server.URL + "/", KeyID: "id", Secret: "s", Token: "t", CAFile: ca, Agent: "test"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = c.Call(t.Context(), http.MethodPut, client.Path("users", "a/b c"), url.Values{"q": {"1"}}, map[string]int{"a": 1}, &got)
	if want := "PUT /api/v1/users/a%2Fb%20c q=1 id s t test"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v, %v", got, err)
	}
	var refused *client.Error
	if err := c.Call(t.Context(), http.MethodGet, "refused", nil, nil, nil); !errors.As(err, &refused) || refused.Status != 403 ||
		err.Error() != "ann may not (request r)" {
		t.Errorf("%v", err)
	}
	for _, path := range []string{"elsewhere", "proxy"} {
		if err := c.Call(t.Context(), http.MethodGet, path, nil, nil, nil); err == nil || errors.As(err, &refused) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := c.Call(t.Context(), http.MethodGet, "list", nil, nil, new(int)); err == nil {
		t.Error("a list is taken for a number")
	}
}

// TestOrder makes a call again whose answer was lost, under the same name.
func TestOrder(t *testing.T) {
	t.Parallel()
	names := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		names[r.Header.Get("Idempotency-Key")]++
		if names[r.Header.Get("Idempotency-Key")] < 3 {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		_, _ = w.Write([]byte(`{"id":"x"}`))
	}))
	defer server.Close()
	c, err := client.New(client.Config{URL: server.URL, KeyID: "id", Secret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ ID string }
	if err := c.Order(t.Context(), "invocations", map[string]string{}, &answer); err != nil || answer.ID != "x" || len(names) != 1 || names[""] != 0 {
		t.Errorf("%v %+v %v", err, answer, names)
	}
}
