package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/core"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// TestSign checks the example that Standard Webhooks' own libraries are tested with.
func TestSign(t *testing.T) {
	t.Parallel()
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	at := time.Unix(1614265330, 0)
	got, err := sign([]string{secret}, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(`{"test": 2432232314}`))
	if err != nil || got != want {
		t.Errorf("%s, %v", got, err)
	}
	got, err = sign([]string{"whsec_AAAA", secret}, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(`{"test": 2432232314}`))
	if first, second, _ := strings.Cut(got, " "); err != nil || second != want || len(first) != len(want) || first == second {
		t.Errorf("with two secrets: %s, %v", got, err)
	}
	if _, err := sign([]string{"whsec_!"}, "", at, nil); err == nil || strings.Contains(err.Error(), "!") {
		t.Errorf("a secret that is none: %v", err)
	}
}

func TestReach(t *testing.T) {
	t.Parallel()
	const never, public, loopback, private = "never", "public", "loopback", "private"
	tests := map[string]string{
		"8.8.8.8": public, "1.1.1.1": public, "2606:4700::1111": public, "::ffff:8.8.8.8": public, "64:ff9b::808:808": public,
		"192.0.1.1": public, "100.63.0.1": public, "198.20.0.1": public,
		"127.0.0.1": loopback, "127.9.9.9": loopback, "::1": loopback, "::ffff:127.0.0.1": loopback,
		"64:ff9b::7f00:1": loopback, "2002:7f00:1::": loopback, "::127.0.0.1": loopback, "::ffff:0:127.0.0.1": loopback,
		"10.0.0.1": private, "172.16.0.1": private, "172.31.255.255": private, "192.168.1.1": private, "fd00::1": private, "fc00::1": private,
		"100.64.0.1": private, "198.18.0.1": private, "192.0.0.8": private, "240.0.0.1": private, "0.1.2.3": private, "::ffff:10.0.0.1": private,
		"64:ff9b::a00:1": private, "2002:a00:1::": private, "::10.0.0.1": private,
		"169.254.169.254": never, "169.254.0.23": never, "fe80::1": never, "fe80::1%eth0": never, "::ffff:169.254.169.254": never,
		"64:ff9b::a9fe:a9fe": never, "2002:a9fe:a9fe::": never, "100.100.100.200": never, "::ffff:100.100.100.200": never, "192.0.0.192": never,
		"fd00:ec2::254": never, "0.0.0.0": never, "::": never, "224.0.0.1": never, "ff02::1": never,
	}
	for text, class := range tests {
		a := netip.MustParseAddr(text)
		for name, r := range map[string]reach{public: {}, loopback: {loopback: true}, private: {private: true}} {
			want := class == public || class == loopback && name != public || class == private && name == private
			err := r.check(a)
			if (err == nil) != want {
				t.Errorf("%s with %s allowed: %v", text, name, err)
			}
			var refused *ReachError
			if err != nil && !errors.As(err, &refused) {
				t.Errorf("%s: %v is no ReachError", text, err)
			}
		}
	}
}

func FuzzReach(f *testing.F) {
	f.Add([]byte{169, 254, 1, 1})
	f.Add([]byte{0: 0x20, 1: 0x02, 2: 10, 15: 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := netip.AddrFromSlice(b)
		if !ok {
			return
		}
		if err := (reach{}).check(a); err == nil && (!a.Unmap().IsGlobalUnicast() || a.Unmap().IsPrivate()) {
			t.Errorf("%s is let through", a)
		}
		if (reach{}).check(a) == nil && (reach{private: true}).check(a) != nil {
			t.Errorf("%s is refused only when more is allowed", a)
		}
	})
}

var epoch = time.Date(2026, 3, 14, 15, 9, 26, 535897000, time.UTC)

// events is one event of each kind.
func events() []core.StateEvent {
	invocation, command, schedule := core.ID(1<<40), core.ID(2<<40), core.ID(3<<40)
	e := core.StateEvent{
		Account: 1000000000000001, At: epoch, Invocation: invocation, Command: command, CommandName: "deploy",
		InvocationKind: core.KindOnce,
	}
	accepted, ended, task := e, e, e
	accepted.Seq, accepted.Kind, accepted.Counts[core.Queued] = 1, core.EventAccepted, 2
	accepted.InvocationKind, accepted.Schedule, accepted.Due = core.KindOccurrence, schedule, epoch
	ended.Seq, ended.Kind, ended.StartedAt, ended.EndedAt = 2, core.EventEnded, epoch, epoch.Add(time.Second)
	ended.Counts[core.Succeeded], ended.Counts[core.Failed] = 3, 1
	task.Seq, task.Kind, task.Index, task.NodeID, task.NodeName, task.State, task.Cause = 3, core.EventTask, 1, "web1", "Web 1", core.Failed, core.CauseExitNonzero
	task.Exited, task.ExitCode, task.Late, task.StartedAt = true, 0, true, epoch
	return []core.StateEvent{accepted, ended, task, {Account: e.Account, At: epoch, Kind: core.EventPing, Invocation: 5 << 40}}
}

// TestEncode shows each kind of event as it travels.
func TestEncode(t *testing.T) {
	t.Parallel()
	const sub = core.ID(4 << 40)
	id, task := core.ID(1<<40).String(), core.TaskID{Invocation: 1 << 40, Index: 1}.String()
	command := `"command":{"id":"` + core.ID(2<<40).String() + `","name":"deploy"}`
	head := func(seq, source, kind, subject string) string {
		return `{"specversion":"1.0","id":"` + sub.String() + "-" + seq + `","source":"/accounts/1000000000000001/` + source +
			`","type":"errand.` + kind + `",` + subject + `"time":"2026-03-14T15:09:26.535897Z",`
	}
	sequence := func(n string) string { return `"sequence":"000000000000000000` + n + `",` }
	const data = `"datacontenttype":"application/json","data":`
	want := []string{
		head("1", "invocations/"+id, "invocation.accepted", `"subject":"`+id+`",`) + sequence("1") + data +
			`{"invocation":"` + id + `","kind":"occurrence","schedule":"` + core.ID(3<<40).String() + `","due":"2026-03-14T15:09:26.535897Z",` + command +
			`,"tasks":2,"states":{"queued":2}}}`,
		head("2", "invocations/"+id, "invocation.ended", `"subject":"`+id+`",`) + sequence("2") + data +
			`{"invocation":"` + id + `","kind":"once",` + command +
			`,"tasks":4,"states":{"failed":1,"succeeded":3},"started_at":"2026-03-14T15:09:26.535897Z","ended_at":"2026-03-14T15:09:27.535897Z"}}`,
		head("3", "invocations/"+id, "task.failed", `"subject":"`+task+`",`) + sequence("3") + data +
			`{"invocation":"` + id + `","kind":"once",` + command + `,"task":"` + task +
			`","node":{"id":"web1","name":"Web 1"},"state":"failed","cause":"exit_nonzero","exit_code":0,"late":true,"started_at":"2026-03-14T15:09:26.535897Z"}}`,
		head(core.ID(5<<40).String(), "subscriptions/"+sub.String(), "ping", "") + data + `{}}`,
	}
	for i, e := range events() {
		w := &core.Webhook{Subscription: sub, Events: []core.StateEvent{e}}
		got, err := encode(w)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[i], string(got)); diff != "" {
			t.Errorf("event %d (-want +got):\n%s", i, diff)
		}
		w.Batch = true
		if got, err = encode(w); err != nil || string(got) != "["+want[i]+"]" {
			t.Errorf("event %d in a list: %s, %v", i, got, err)
		}
	}
	for n, wanted := range map[int]string{1: sub.String() + "-1", 3: sub.String() + "-1-3"} {
		id := requestID(&core.Webhook{Subscription: sub, Events: events()[:n]})
		if id != wanted || strings.Contains(id, ".") {
			t.Errorf("a request with %d events is %s", n, id)
		}
	}
}

func client(c Config) *Client {
	c.Now = func() time.Time { return epoch }
	return New(c)
}

func webhook(url string) *core.Webhook {
	return &core.Webhook{Subscription: 9, URL: url, Secrets: []string{secret}, Events: events()[:1]}
}

// TestPost lets receivers answer in all ways.
func TestPost(t *testing.T) {
	t.Parallel()
	moved := 0
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ok", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		signature, signErr := sign([]string{secret}, core.ID(9).String()+"-1", epoch, body)
		want := map[string]string{
			"Content-Type": "application/cloudevents+json", "User-Agent": "agent", "Webhook-Id": core.ID(9).String() + "-1",
			"Webhook-Timestamp": "1773500966", "Webhook-Signature": signature,
		}
		for name, value := range want {
			if got := r.Header.Get(name); got != value {
				t.Errorf("%s: %q", name, got)
			}
		}
		if !json.Valid(body) || err != nil || signErr != nil {
			t.Errorf("%s, %v, %v", body, err, signErr)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.Handle("POST /moved", http.RedirectHandler("/new", http.StatusTemporaryRedirect))
	mux.HandleFunc("/new", func(http.ResponseWriter, *http.Request) { moved++ })
	mux.HandleFunc("POST /long", func(w http.ResponseWriter, _ *http.Request) {
		for range 1000 {
			if _, err := w.Write(make([]byte, maxAnswer)); err != nil {
				return // the other side has heard enough
			}
		}
		t.Error("a 64 MB answer was read")
	})
	mux.HandleFunc("POST /gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	s := httptest.NewServer(mux)
	defer s.Close()
	c := client(Config{Loopback: true, Agent: "agent"})
	for path, want := range map[string]int{"/ok": 204, "/moved": 307, "/long": 200, "/gone": 410, "/unknown": 404} {
		if status, err := c.Post(t.Context(), webhook(s.URL+path)); err != nil || status != want {
			t.Errorf("%s: %d, %v", path, status, err)
		}
	}
	if moved > 0 {
		t.Error("a redirection was followed")
	}
}

// TestPostFails names neither the address nor the secret in what goes wrong.
func TestPostFails(t *testing.T) {
	t.Parallel()
	silent := make(chan struct{})
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }))
	t.Cleanup(plain.Close)
	t.Cleanup(func() { close(silent) })
	unknown := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(unknown.Close)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(plain.URL, "http://"), ":")
	tests := map[string]struct {
		url    string
		config Config
		want   string
	}{
		"never answers":        {plain.URL, Config{Loopback: true, Timeout: 100 * time.Millisecond}, "no answer in time"},
		"nobody listens":       {closed.URL, Config{Loopback: true}, "refused"},
		"unknown certificate":  {unknown.URL, Config{Loopback: true}, "certificate"},
		"this machine":         {plain.URL, Config{}, "this machine's own"},
		"this machine by name": {"http://localhost:" + port, Config{}, "this machine's own"},
		"metadata":             {"http://169.254.169.254/latest", Config{Loopback: true, Private: true}, "metadata service"},
		"private network":      {"http://10.0.0.1/", Config{Loopback: true}, "in a private network"},
		"no such name":         {"http://nobody.invalid/", Config{}, "lookup"},
		"no address":           {"http://[::1/x?token", Config{}, "missing ']'"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := webhook(tt.url + "/token")
			status, err := client(tt.config).Post(t.Context(), w)
			if err == nil || status != 0 || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%d, %v", status, err)
			}
			if strings.Contains(err.Error(), "token") || strings.Contains(err.Error(), secret) {
				t.Errorf("tells too much: %v", err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(Config{Loopback: true}).Post(ctx, webhook(plain.URL)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	w := webhook(plain.URL)
	w.Secrets = []string{"whsec_!"}
	if _, err := client(Config{Loopback: true}).Post(t.Context(), w); err == nil {
		t.Error("sent unsigned")
	}
}
