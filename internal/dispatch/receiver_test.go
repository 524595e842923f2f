package dispatch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// receiver is a subscriber's web server. It takes what is signed with the secret it knows.
type receiver struct {
	*httptest.Server
	t *testing.T

	mu     sync.Mutex
	secret string
	answer func(id string) int // status for a request; nil means 204
	ids    []string            // of all requests, Webhook-Id
	taken  []notice
	broken int // requests whose signature is wrong
}

// notice is a CloudEvent as receivers read it.
type notice struct {
	ID, Type, Source, Subject, Sequence string
	Data                                struct {
		Invocation, Task, State, Cause string
		Node                           struct{ ID string }
		ExitCode                       *int `json:"exit_code"`
		States                         map[string]int
	}
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{t: t}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the sender has gone
	}
	id := req.Header.Get("Webhook-Id")
	r.mu.Lock()
	answer, status := r.answer, http.StatusNoContent
	r.ids = append(r.ids, id)
	if !verified(r.secret, req.Header, body) {
		r.broken++
	}
	r.mu.Unlock()
	if answer != nil {
		status = answer(id)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if status/100 != 2 {
		w.WriteHeader(status)
		return
	}
	var list []notice
	if req.Header.Get("Content-Type") == "application/cloudevents-batch+json" {
		err = json.Unmarshal(body, &list)
	} else {
		list = make([]notice, 1)
		err = json.Unmarshal(body, &list[0])
	}
	if err != nil {
		r.t.Errorf("%v: %s", err, body)
	}
	r.taken = append(r.taken, list...)
	w.WriteHeader(status)
}

// verified checks a signature as docs/events.md says.
func verified(secret string, h http.Header, body []byte) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(h.Get("Webhook-Id") + "." + h.Get("Webhook-Timestamp") + "."))
	mac.Write(body)
	for _, s := range strings.Fields(h.Get("Webhook-Signature")) {
		version, text, _ := strings.Cut(s, ",")
		given, err := base64.StdEncoding.DecodeString(text)
		if version == "v1" && err == nil && hmac.Equal(given, mac.Sum(nil)) {
			return true
		}
	}
	return false
}

func (r *receiver) set(answer func(id string) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func status(n int) func(string) int { return func(string) int { return n } }

// take returns the events taken since it was called last.
func (r *receiver) take() []notice {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.taken
	r.taken = nil
	return taken
}

// types are those of the events, without what they have in common.
func types(events []notice) (list []string) {
	for i := range events {
		list = append(list, strings.TrimPrefix(events[i].Type, "errand."))
	}
	return list
}

func (r *receiver) types() []string { return types(r.take()) }

// wrong is how many requests had a wrong signature.
func (r *receiver) wrong() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken
}

// trust sets the secret that the receiver knows.
func (r *receiver) trust(secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secret = secret
}

func (r *receiver) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := r.ids
	r.ids = nil
	return ids
}

// await waits until so many events have been taken and returns their types.
func (r *receiver) await(n int) []string {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		r.mu.Lock()
		have := len(r.taken)
		r.mu.Unlock()
		if have >= n {
			return r.types()
		}
	}
	r.t.Fatalf("only %v came", r.types())
	return nil
}
