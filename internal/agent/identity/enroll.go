package identity

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"

	"errand/internal/protocol"
)

// Request is a machine's wish to become a node.
type Request struct {
	Dir       string // the agent's data folder
	ServerURL string // https, or http on this machine
	Insecure  bool   // allows http to other machines

	ActivationID   string
	ActivationCode string // a secret: never logged, never stored
	NodeID         string // wished for; empty leaves it to the server
	Name           string // wished for; empty leaves it to the server
	Tags           []protocol.EnrollTag
	MachineID      string
	Facts          protocol.EnrollFacts

	// Client asks. It must follow no redirects: the code is for one server's eyes.
	Client *http.Client
	// Keys takes the list of release keys that the server hands out, if it has one; may be nil. An error ends the enrolment.
	Keys func(keys []byte) error
	Log  *slog.Logger

	pause time.Duration // before the second try; grows from there
}

// ErrPlainHTTP means that the server's address would send the code over a network without encryption.
var ErrPlainHTTP = errors.New("plain http is only for servers on this machine")

const (
	firstPause = 500 * time.Millisecond
	maxPause   = 30 * time.Second
	maxAnswer  = 1 << 20
)

// TryTimeout is what one attempt may take; the client of a Request should keep to it.
const TryTimeout = 30 * time.Second

// Enroll makes this machine a node of a server, keeps its identity and returns it. A machine that is a node of this
// server already stays what it is, without asking. The key is on disk before the server hears of it, so that whoever
// crashes in between, the next call becomes the same node.
//
// It goes on trying while the server cannot be reached or is overloaded, until ctx ends. The error is a *RefusedError when
// the server will have none of it.
func Enroll(ctx context.Context, r Request) (Identity, error) {
	i, err := enroll(ctx, r)
	if err != nil {
		return Identity{}, fmt.Errorf("enrol at %s: %w", r.ServerURL, err)
	}
	return i, nil
}

func enroll(ctx context.Context, r Request) (Identity, error) {
	endpoint, err := endpointOf(r.ServerURL, r.Insecure)
	if err != nil {
		return Identity{}, err
	}
	i, err := load(r.Dir)
	switch {
	case errors.Is(err, ErrNotEnrolled):
		if i, err = New(); err == nil {
			err = i.Save(r.Dir)
		}
	case err == nil && i.NodeID != "" && i.ServerURL == r.ServerURL:
		return i, nil
	}
	if err != nil {
		return Identity{}, err
	}
	defer r.Client.CloseIdleConnections()
	a, err := insist(ctx, r, endpoint, i)
	if err != nil {
		return Identity{}, err
	}
	if r.Keys != nil && a.ReleaseKeys != "" {
		if err := r.Keys([]byte(a.ReleaseKeys)); err != nil {
			return Identity{}, err
		}
	}
	first := i.NodeID == ""
	i.NodeID, i.NodeKey, i.AccountID = a.NodeID, a.NodeKey, a.AccountID
	i.BusURLs, i.CA, i.ServerURL = a.NATSURLs, []byte(a.CA), r.ServerURL
	i.Heartbeat = time.Duration(a.Heartbeat) * time.Second
	if err := i.Save(r.Dir); err != nil || !first {
		return i, err
	}
	return i, i.Save(r.Dir) // so that the copy of the content before is that of a node as well
}

// endpointOf returns where to ask.
func endpointOf(server string, insecure bool) (string, error) {
	u, err := serverURL(server)
	if err != nil {
		return "", err
	}
	if u.Scheme == "http" && !insecure && !loopback(u.Hostname()) {
		return "", ErrPlainHTTP
	}
	return u.JoinPath(protocol.EnrollPath).String(), nil
}

func serverURL(server string) (*url.URL, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	if u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%q is not the address of a server, such as https://errand.example.com:8443", server)
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// insist asks until there is an answer or a refusal.
func insist(ctx context.Context, r Request, endpoint string, i Identity) (protocol.EnrollAnswer, error) {
	pause := r.pause
	if pause == 0 {
		pause = firstPause
	}
	for {
		a, err := ask(ctx, r, endpoint, i)
		if err == nil || Refused(err) {
			return a, err
		}
		wait := max(rand.N(pause), AskedToWait(err)) //nolint:gosec // to spread a fleet, not to keep a secret
		r.Log.Warn("not enrolled yet", "server", r.ServerURL, "error", err, "again_in", wait.Round(time.Millisecond))
		select {
		case <-ctx.Done():
			return a, errors.Join(context.Cause(ctx), err)
		case <-time.After(wait):
		}
		pause = min(2*pause, maxPause)
	}
}

// ask asks once. An error that is no *RefusedError may go away by itself.
func ask(ctx context.Context, r Request, endpoint string, i Identity) (a protocol.EnrollAnswer, err error) {
	body, err := signed(r, i)
	if err != nil {
		return a, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "errand-agent/"+r.Facts.Agent)
	resp, err := r.Client.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return a, problem(resp)
	}
	return answerIn(resp.Body)
}

// answerIn reads what a server tells its node.
func answerIn(r io.Reader) (a protocol.EnrollAnswer, err error) {
	body, err := io.ReadAll(io.LimitReader(r, maxAnswer))
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return a, fmt.Errorf("answer: %w", err)
	}
	if a.NodeID == "" || a.NodeKey <= 0 || len(a.NATSURLs) == 0 || !x509.NewCertPool().AppendCertsFromPEM([]byte(a.CA)) {
		return a, errors.New("answer: not one of an errand server")
	}
	return a, nil
}

// signed returns the body of a request.
func signed(r Request, i Identity) ([]byte, error) {
	public, err := i.PublicKey()
	if err != nil {
		return nil, err
	}
	wish := protocol.EnrollRequest{
		CodeID: r.ActivationID, CodeSecret: r.ActivationCode, PublicKey: public, Timestamp: time.Now().Unix(),
		NodeID: r.NodeID, Name: r.Name, Tags: r.Tags, MachineID: r.MachineID, Facts: r.Facts,
	}
	if wish.Signature, err = i.Sign(wish.SigningText()); err != nil {
		return nil, err
	}
	return json.Marshal(wish)
}
