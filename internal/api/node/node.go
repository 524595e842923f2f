// Package node is the agents' own door: where a machine with a registration code becomes a node and learns how to reach the bus.
//
// What both sides say to each other here is in package protocol. Strangers may knock, so everything is bounded before anything is
// looked up, and an address that keeps failing has to wait. What a node asks for later, it asks for under a proof made with its key.
package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"errand/internal/core"
	"errand/internal/protocol"
)

// Config is what the door is made of.
type Config struct {
	Service *core.Service
	// BusURLs are the addresses at which the machine that sent the request can reach the bus.
	BusURLs func(*http.Request) []string
	CA      []byte // PEM, what the bus's certificate descends from
	Now     func() time.Time
	Log     *slog.Logger
}

type door struct {
	Config
	failures failures
	turns    *turns
}

// New makes the handler for everything below /agent/. It answers in JSON, whatever happens.
func New(c Config) http.Handler {
	d := &door{Config: c, turns: newTurns()}
	mux := http.NewServeMux()
	mux.Handle(protocol.EnrollPath, methods{http.MethodPost: d.enroll})
	mux.Handle(protocol.NodePath, methods{http.MethodGet: d.forNodes(d.tell)})
	mux.Handle(protocol.ReenrollPath, methods{http.MethodPost: d.forNodes(d.reenroll)})
	mux.Handle(protocol.NextKeyPath, methods{http.MethodPost: d.forNodes(d.nextKey)})
	mux.Handle(protocol.LeavePath, methods{http.MethodPost: d.forNodes(d.leave)})
	mux.Handle(protocol.ReleasePath, methods{http.MethodGet: d.forNodes(d.handOut)})
	d.addTransfers(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		send(w, problem(http.StatusNotFound, protocol.ProblemNoSuch, "there is nothing at this path"))
	})
	return mux
}

// methods is what can be done at one path.
type methods map[string]http.HandlerFunc

// ServeHTTP refuses the other methods.
func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h, ok := m[r.Method]; ok {
		h(w, r)
		return
	}
	allow := strings.Join(slices.Sorted(maps.Keys(m)), ", ")
	w.Header().Set("Allow", allow)
	send(w, problem(http.StatusMethodNotAllowed, protocol.ProblemMalformed, "only "+allow+" is understood here"))
}

// mayTry answers for an address that has to wait and reports whether it may go on.
func (d *door) mayTry(w http.ResponseWriter, source netip.Addr) bool {
	wait := d.failures.wait(source, d.Now())
	if wait == 0 {
		return true
	}
	w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	send(w, problem(http.StatusTooManyRequests, protocol.ProblemTooMany, "too many failed attempts from this address"))
	return false
}

func (d *door) enroll(w http.ResponseWriter, r *http.Request) {
	source := peer(r)
	if !d.mayTry(w, source) {
		return
	}
	n, err := d.register(w, r, source)
	if err != nil {
		p, level := problemOf(err), slog.LevelWarn
		switch {
		case p.Status >= http.StatusInternalServerError:
			level = slog.LevelError
		case p.Status != http.StatusConflict: // which takes a right code, and is not held against an address that many share
			d.failures.note(source, d.Now())
		}
		d.Log.LogAttrs(r.Context(), level, "enrolment refused", slog.String("source", source.String()), slog.Any("error", err))
		send(w, p)
		return
	}
	d.Log.LogAttrs(r.Context(), slog.LevelInfo, "node enrolled", slog.String("node", n.ID), slog.Int64("key", int64(n.Key)),
		slog.String("account", n.Account.String()), slog.String("registration", n.Registration.String()), slog.String("source", source.String()))
	d.introduce(w, r, &n)
}

// tell answers a node that asks what it is, and a process that the bus refused whether it is taken for a clone.
func (d *door) tell(w http.ResponseWriter, r *proven) error {
	if _, err := r.read(w, 0); err != nil {
		return err
	}
	a := d.answer(r.Request, &r.node)
	if start := r.URL.Query().Get(protocol.NodeStart); start != "" && d.Service.IsClone(r.node.Key, start) {
		may, err := d.Service.MayReenroll(r.Context(), &r.node, peer(r.Request))
		if err != nil {
			return err
		}
		a.Clone, a.MayReenroll = true, may
	}
	write(w, http.StatusOK, "application/json", a)
	return nil
}

// introduce tells a node what it needs to connect.
func (d *door) introduce(w http.ResponseWriter, r *http.Request, n *core.Node) {
	write(w, http.StatusOK, "application/json", d.answer(r, n))
}

func (d *door) answer(r *http.Request, n *core.Node) protocol.EnrollAnswer {
	keys, err := d.Service.ReleaseKeys(r.Context())
	if err != nil {
		d.Log.LogAttrs(r.Context(), slog.LevelError, "release keys", slog.Any("error", err)) // the node learns them later
	}
	return protocol.EnrollAnswer{
		NodeID: n.ID, NodeKey: int64(n.Key), AccountID: n.Account.String(), NATSURLs: d.BusURLs(r), CA: string(d.CA),
		Heartbeat: int64(core.HeartbeatInterval / time.Second), ReleaseKeys: string(keys),
	}
}

// register reads the request, checks that the machine holds its key, and lets it join.
func (d *door) register(w http.ResponseWriter, r *http.Request, source netip.Addr) (core.Node, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, protocol.MaxEnroll))
	if err != nil {
		return core.Node{}, err
	}
	var req protocol.EnrollRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return core.Node{}, malformed("the body is not such a request: %w", err)
	}
	e, err := enrolment(&req, source)
	if err != nil {
		return core.Node{}, err
	}
	return d.Service.Register(r.Context(), e)
}

// malformedError is a request that is wrong by itself.
type malformedError struct{ err error }

func (e *malformedError) Error() string { return e.err.Error() }
func (e *malformedError) Unwrap() error { return e.err }

func malformed(format string, args ...any) error {
	return &malformedError{fmt.Errorf(format, args...)}
}

// problemOf says to the machine what it may know about an error.
func problemOf(err error) protocol.Problem {
	var (
		large    *http.MaxBytesError
		bad      *malformedError
		unproven *unprovenError
		own      *core.Error
	)
	switch {
	case errors.As(err, &large):
		return problem(http.StatusRequestEntityTooLarge, protocol.ProblemMalformed, fmt.Sprintf("the body has more than %d bytes", large.Limit))
	case errors.As(err, &unproven):
		return problem(http.StatusUnauthorized, protocol.ProblemUnproven, unproven.Error())
	case errors.As(err, &bad):
		return problem(http.StatusBadRequest, protocol.ProblemMalformed, bad.Error())
	case errors.As(err, &own):
		return problemOfCore(own)
	default:
		return internal()
	}
}

func problemOfCore(e *core.Error) protocol.Problem {
	detail := e.Detail
	if e.Field != "" {
		detail = e.Field + ": " + detail
	}
	switch e.Code {
	case core.CodeInvalid, core.CodeLimit, core.CodeNotFound, core.CodeUnavailable:
		return problem(http.StatusBadRequest, protocol.ProblemMalformed, detail)
	case core.CodeUnauthenticated, core.CodeDenied:
		return problem(http.StatusForbidden, protocol.ProblemRefused, detail)
	case core.CodeConflict:
		return problem(http.StatusConflict, protocol.ProblemNodeTaken, detail)
	case core.CodeThrottled:
		return problem(http.StatusTooManyRequests, protocol.ProblemTooMany, detail)
	case core.CodeInternal:
		return internal()
	}
	return internal()
}

func internal() protocol.Problem {
	return problem(http.StatusInternalServerError, protocol.ProblemInternal, "the server's log has the cause")
}

func problem(status int, reason protocol.ProblemReason, detail string) protocol.Problem {
	return protocol.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Reason: reason}
}

func send(w http.ResponseWriter, p protocol.Problem) {
	write(w, p.Status, "application/problem+json", p)
}

func write(w http.ResponseWriter, status int, contentType string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the machine may be gone; it will ask again
}

// peer is the address at the other end of the connection; the zero address if there is none.
func peer(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}
