package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"errand/internal/api/sign"
	"errand/internal/core"
)

// MaxBody is the largest request body read from anyone, in bytes. The largest documented input is 64 KB of Base64.
const MaxBody = 1 << 20

// ErrBodyTooLarge is what a dialect gets instead of a request with a larger body.
var ErrBodyTooLarge = errors.New("request body is too large")

// Request is an HTTP request after the edge has read it.
type Request struct {
	*http.Request
	Body     []byte
	Params   sign.Values // query and form parameters together
	ID       string      // lower-case UUID; dialects render it in their own form
	Peer     netip.Addr
	Received time.Time
}

// Signed is the view of the request that signature schemes work on.
func (r *Request) Signed() *sign.Request {
	return sign.NewRequest(r.Request, r.Body)
}

// Dialect translates one vendor's API. Its methods are called from many goroutines.
type Dialect interface {
	// Name is the dialect's short name, such as "ecs".
	Name() string
	// Recognise reports whether the request is in this dialect. The first dialect that says so gets it.
	Recognise(r *Request) bool
	// Identify proves who calls.
	Identify(ctx context.Context, r *Request) (core.Caller, error)
	// Action returns the action that the request names, or a core.Error with ReasonUnknownAction.
	Action(r *Request) (Action, error)
	// Write sends the answer: result as the action returned it, or the vendor's form of err. It returns the vendor's error code for
	// the log, empty on success.
	Write(w http.ResponseWriter, r *Request, result any, err error) (code string)
}

// Action is one operation of a dialect.
type Action struct {
	Name string
	// Mutates marks actions that change something; they are logged as audit lines.
	Mutates bool
	call    func(ctx context.Context, c core.Caller, r *Request) (any, error)
}

// Do makes an Action from a typed function. decode fills the request structure; it is the dialect's, because each vendor has its own
// carrier of parameters.
func Do[Req, Resp any](
	name string, mutates bool, decode func(*Request, any) error, fn func(context.Context, core.Caller, *Req) (*Resp, error),
) Action {
	return Action{Name: name, Mutates: mutates, call: func(ctx context.Context, c core.Caller, r *Request) (any, error) {
		var req Req
		if err := decode(r, &req); err != nil {
			return nil, err
		}
		resp, err := fn(ctx, c, &req)
		if err != nil {
			return nil, err
		}
		return resp, nil
	}}
}

// Actions indexes a dialect's actions by name.
func Actions(list ...Action) map[string]Action {
	m := make(map[string]Action, len(list))
	for _, a := range list {
		m[a.Name] = a
	}
	return m
}

// Call is what an Observer is told about each request.
type Call struct {
	Dialect, Action, Code string
	Duration              time.Duration
}

// Server offers each request to the dialects in order.
type Server struct {
	Dialects []Dialect
	Now      func() time.Time
	Log      *slog.Logger
	Observe  func(Call) // may be nil
}

// ServeHTTP reads, recognises, identifies, calls and answers.
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	r, readErr := s.read(w, hr)
	for _, d := range s.Dialects {
		if d.Recognise(r) {
			s.serve(w, d, r, readErr)
			return
		}
	}
	http.Error(w, "This is not a request of any API served here.", http.StatusNotFound)
}

func (s *Server) read(w http.ResponseWriter, hr *http.Request) (*Request, error) {
	r := &Request{Request: hr, ID: NewRequestID(), Received: s.Now(), Peer: peer(hr)}
	body, err := io.ReadAll(http.MaxBytesReader(w, hr.Body, MaxBody))
	r.Body = body
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = ErrBodyTooLarge
	}
	params, perr := sign.Params(r.Signed())
	r.Params = params
	return r, errors.Join(err, perr)
}

func (s *Server) serve(w http.ResponseWriter, d Dialect, r *Request, err error) {
	var (
		caller core.Caller
		action Action
		result any
	)
	if err == nil {
		caller, action, result, err = s.call(d, r)
	}
	code := d.Write(w, r, result, err)
	took := s.Now().Sub(r.Received)
	if s.Observe != nil {
		s.Observe(Call{Dialect: d.Name(), Action: action.Name, Code: code, Duration: took})
	}
	s.log(d, r, caller, action, code, err, took)
}

func (s *Server) call(d Dialect, r *Request) (caller core.Caller, action Action, result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if caller, err = d.Identify(r.Context(), r); err != nil {
		return caller, action, nil, err
	}
	caller.RequestID, caller.Source = r.ID, r.Peer.String()
	if action, err = d.Action(r); err != nil {
		return caller, action, nil, err
	}
	result, err = action.call(r.Context(), caller, r)
	return caller, action, result, err
}

// log writes one line for each call that changed something or failed through our fault; the rest is for debugging.
func (s *Server) log(d Dialect, r *Request, c core.Caller, a Action, code string, err error, took time.Duration) {
	level := slog.LevelDebug
	switch {
	case err != nil && core.AsError(err).Code == core.CodeInternal && !isCallerFault(err):
		level = slog.LevelError
	case a.Mutates:
		level = slog.LevelInfo
	}
	attrs := []slog.Attr{
		slog.String("request", r.ID), slog.String("dialect", d.Name()), slog.String("action", a.Name),
		slog.String("account", c.Account.String()), slog.String("key", c.KeyID), slog.String("source", r.Peer.String()),
		slog.Duration("took", took),
	}
	if err != nil {
		attrs = append(attrs, slog.String("code", code), slog.Any("error", err))
	}
	s.Log.LogAttrs(r.Context(), level, "call", attrs...)
}

// isCallerFault reports whether an error that is not a core.Error still came from what the caller sent.
func isCallerFault(err error) bool {
	var (
		param  *ParamError
		proof  *sign.Error
		token  *TokenError
		replay *ReplayError
	)
	return errors.As(err, &param) || errors.As(err, &proof) || errors.As(err, &token) || errors.As(err, &replay) || errors.Is(err, ErrBodyTooLarge) || errors.Is(err, context.Canceled)
}

func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(host)
	return addr.Unmap()
}

// NewRequestID makes a random UUID in lower case.
func NewRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the process instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
