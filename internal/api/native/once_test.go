package native_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// order posts with an Idempotency-Key and returns what matters of the answer.
func order(t *testing.T, url, body, name string) (code int, again, wait string, answer map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	key(req)
	req.Header.Set("Idempotency-Key", name)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Idempotency-Replayed"), resp.Header.Get("Retry-After"), answer
}

// TestOrdersAreCarriedOutOnce repeats orders: the same one, others by the same name, and those that failed.
func TestOrdersAreCarriedOutOnce(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("n")
	url := serve(t, s).URL + "/api/v1/"
	const body = `{"content":"true","targets":["n"]}`
	code, again, _, first := order(t, url+"invocations", body, "deploy-1")
	if code != http.StatusOK || again != "" {
		t.Fatalf("%d %s %v", code, again, first)
	}
	for _, name := range []string{"deploy-1", `"deploy-1"`} {
		code, again, _, second := order(t, url+"invocations", body+"\n", name)
		if code != http.StatusOK || again != "true" || fmt.Sprint(second) != fmt.Sprint(first) {
			t.Errorf("%s: %d %q %v", name, code, again, second)
		}
	}
	for what, at := range map[string][2]string{"another body": {"invocations", `{"content":"false","targets":["n"]}`}, "another query": {"invocations?x=", body}} {
		if code, _, _, p := order(t, url+at[0], at[1], "deploy-1"); code != http.StatusUnprocessableEntity && code != http.StatusBadRequest || p["code"] == nil {
			t.Errorf("%s: %d %v", what, code, p)
		}
	}
	if code, _, _, p := order(t, url+"invocations", `{"content":"false","targets":["n"]}`, "deploy-1"); code != http.StatusUnprocessableEntity || p["code"] != "idempotency_key_reused" {
		t.Errorf("%d %v", code, p)
	}
	// The name belongs to the kind of order, and a refusal is not remembered.
	if code, again, _, p := order(t, url+"users", `{"name":"ann"}`, "deploy-1"); code != http.StatusOK || again != "" {
		t.Errorf("%d %v", code, p)
	}
	if code, _, _, p := order(t, url+"users", `{"name":"ann"}`, "other"); code != http.StatusConflict {
		t.Errorf("%d %v", code, p)
	}
	if code, _ := call(t, url+"users/ann", http.MethodDelete, "", key); code != http.StatusOK {
		t.Fatal(code)
	}
	if code, again, _, p := order(t, url+"users", `{"name":"ann"}`, "other"); code != http.StatusOK || again != "" {
		t.Errorf("%d %v", code, p)
	}
	// What was shown only once is shown to whoever asks the same again.
	_, _, _, made := order(t, url+"users/ann/keys", `{}`, "key")
	if _, again, _, same := order(t, url+"users/ann/keys", `{}`, "key"); again != "true" || same["secret"] != made["secret"] || made["secret"] == "" {
		t.Errorf("%v %v", made, same)
	}
	for _, bad := range []string{" ", "a b", "ä", strings.Repeat("x", 256), `""`} {
		if code, _, _, p := order(t, url+"users", `{"name":"bob"}`, bad); code != http.StatusBadRequest || p["code"] != "idempotency_key_invalid" {
			t.Errorf("%q: %d %v", bad, code, p)
		}
	}
	s.Advance(24 * time.Hour)
	if code, again, _, p := order(t, url+"users/ann/keys", `{}`, "key"); code != http.StatusOK || again != "" || p["id"] == made["id"] {
		t.Errorf("a day later: %d %s %v", code, again, p)
	}
}

// TestRunIsMadeOnce has a server die after it made a run and before it noted its answer: the note is not there, and the run is.
func TestRunIsMadeOnce(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("n")
	url := serve(t, s).URL + "/api/v1/invocations"
	const body = `{"content":"true","targets":["n"]}`
	_, _, _, first := order(t, url, body, "deploy-1")
	s.Advance(core.OnceFor + time.Second)
	if n, err := s.Service.ForgetOnce(t.Context()); err != nil || n != 1 {
		t.Fatalf("%d notes, %v", n, err)
	}
	if code, _, _, again := order(t, url, body, "deploy-1"); code != http.StatusOK || again["id"] != first["id"] || first["id"] == nil {
		t.Errorf("%d %v, not %v", code, again, first)
	}
	if code, _, _, p := order(t, url, `{"content":"false","targets":["n"]}`, "deploy-1"); code != http.StatusUnprocessableEntity || p["code"] != "idempotency_key_reused" {
		t.Errorf("%d %v", code, p)
	}
}

// TestOrdersAtTheSameTime sends one order many times at once.
func TestOrdersAtTheSameTime(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("n")
	url := serve(t, s).URL + "/api/v1/invocations"
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		ids = map[any]int{}
	)
	for range 20 {
		wg.Go(func() {
			for {
				code, _, wait, answer := order(t, url, `{"content":"true","targets":["n"]}`, "same")
				if code == http.StatusConflict && answer["code"] == "idempotency_key_pending" && wait == "1" {
					continue // the first one is under way
				}
				if code != http.StatusOK {
					t.Errorf("%d %v", code, answer)
				}
				mu.Lock()
				ids[answer["id"]]++
				mu.Unlock()
				return
			}
		})
	}
	wg.Wait()
	if len(ids) != 1 {
		t.Errorf("carried out %d times", len(ids))
	}
	if _, list := call(t, url, http.MethodGet, "", key); len(list["invocations"].([]any)) != 1 {
		t.Errorf("%v", list)
	}
}
