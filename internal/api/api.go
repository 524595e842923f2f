package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"errand/internal/api/sign"
	"errand/internal/core"
	"errand/internal/policy"
)

// MaxBody is the largest request body read from anyone, in bytes, unless a dialect is Roomy. The largest documented input is 64 KB of Base64.
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

	paramsErr error // why Params could not be read
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
	// Region is where the request says it is about, or the default; empty if the installation has none that this dialect knows.
	Region(r *Request) string
	// Action returns the action that the request names, or a core.Error with ReasonUnknownAction.
	Action(r *Request) (Action, error)
	// Write sends the answer: result as the action returned it, or the vendor's form of err. It returns the vendor's error code for
	// the log, empty on success.
	Write(w http.ResponseWriter, r *Request, result any, err error) (code string)
}

// Formless is a dialect whose bodies are never forms, whatever their clients call them: curl calls everything one.
type Formless interface{ Formless() }

// Roomy is a Dialect some of whose requests may have more than MaxBody.
type Roomy interface {
	// Room is the largest body of a request in bytes, going by its head: nobody has been proved yet.
	Room(r *http.Request) int64
}

// Action is one operation of a dialect.
type Action struct {
	Name string
	// Mutates marks actions that change something; they leave audit records.
	Mutates bool
	// Parameters and Fields are the structures with the vendor's names, for those who describe the API.
	Parameters, Fields reflect.Type
	call               func(ctx context.Context, c core.Caller, r *Request) (any, error)
}

// Do makes an Action from a typed function. decode fills the request structure; it is the dialect's, because each vendor has its own
// carrier of parameters.
func Do[Req, Resp any](
	name string, mutates bool, decode func(*Request, any) error, fn func(context.Context, core.Caller, *Req) (*Resp, error),
) Action {
	call := func(ctx context.Context, c core.Caller, r *Request) (any, error) {
		var req Req
		if err := decode(r, &req); err != nil {
			return nil, err
		}
		resp, err := fn(ctx, c, &req)
		if err != nil {
			return nil, err
		}
		return resp, nil
	}
	return Action{Name: name, Mutates: mutates, Parameters: reflect.TypeFor[Req](), Fields: reflect.TypeFor[Resp](), call: call}
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
	Gate     *Gate      // may be nil, which lets everybody in
	// Audit keeps records of calls that change something; may be nil.
	Audit func(context.Context, core.AuditRecord)
}

// ServeHTTP reads, recognises, identifies, calls and answers.
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	r, readErr := s.read(w, hr)
	for _, d := range s.Dialects {
		if d.Recognise(r) {
			if _, own := d.(Formless); !own {
				readErr = errors.Join(readErr, r.paramsErr)
			}
			s.serve(w, d, r, readErr)
			return
		}
	}
	http.Error(w, "This is not a request of any API served here.", http.StatusNotFound)
}

func (s *Server) read(w http.ResponseWriter, hr *http.Request) (*Request, error) {
	r := &Request{Request: hr, ID: NewRequestID(), Received: s.Now(), Peer: peer(hr)}
	room := int64(MaxBody)
	for _, d := range s.Dialects {
		if d, ok := d.(Roomy); ok {
			room = max(room, d.Room(hr))
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, hr.Body, room))
	r.Body = body
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = ErrBodyTooLarge
	}
	r.Params, r.paramsErr = sign.Params(r.Signed())
	return r, err
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
	var slow *ThrottledError
	if errors.As(err, &slow) {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(slow.After.Seconds()))))
	}
	code := d.Write(w, r, result, err)
	took := s.Now().Sub(r.Received)
	if s.Observe != nil {
		s.Observe(Call{Dialect: d.Name(), Action: action.Name, Code: code, Duration: took})
	}
	s.log(d, r, caller, action, code, err, took)
	if s.Audit != nil && action.Mutates && slow == nil {
		s.Audit(r.Context(), core.AuditRecord{
			Account: caller.Account, At: caller.Time, Principal: caller.Principal, KeyID: caller.KeyID, Dialect: d.Name(), Action: action.Name,
			RequestID: r.ID, Source: r.Peer.String(), UserAgent: clip(r.UserAgent(), maxUserAgent), Resources: caller.Trail.Resources(), Code: code,
		})
	}
}

// maxUserAgent is how much of what a client calls itself is kept, in bytes.
const maxUserAgent = 200

// clip cuts text, and what is no text in it.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}

func (s *Server) call(d Dialect, r *Request) (caller core.Caller, action Action, result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if caller, err = s.identify(d, r); err != nil {
		return caller, action, nil, err
	}
	caller.RequestID, caller.Source, caller.Secure, caller.Time = r.ID, r.Peer, r.TLS != nil, r.Received
	caller.UserAgent, caller.Dialect, caller.Trail = r.UserAgent(), d.Name(), new(core.Trail)
	if action, err = d.Action(r); err != nil {
		return caller, action, nil, err
	}
	caller.Action, caller.Region = action.Name, d.Region(r)
	caller.Verb, _ = policy.VerbOf(caller.Dialect, action.Name)
	if err = caller.CheckKey(); err != nil {
		return caller, action, nil, err
	}
	if general[caller.Verb] {
		if err = caller.Allow(caller.Verb, nil); err != nil {
			return caller, action, nil, err
		}
	}
	if s.Gate != nil {
		leave, err := s.Gate.enter(r.Context(), &caller, r.Received)
		if err != nil {
			return caller, action, nil, err
		}
		defer leave()
	}
	result, err = action.call(r.Context(), caller, r)
	return caller, action, result, err
}

// general holds the verbs that concern no resource. Some dialects carry them out by themselves, so they are judged here; all others are
// judged by the core, which knows what a call is about.
var general = generalVerbs()

func generalVerbs() map[string]bool {
	m := map[string]bool{}
	for _, v := range policy.Verbs() {
		if len(v.Resources) == 0 {
			m[v.Name] = true
		}
	}
	return m
}

// identify asks the dialect who calls, unless too many from there could not say.
func (s *Server) identify(d Dialect, r *Request) (core.Caller, error) {
	if s.Gate == nil {
		return d.Identify(r.Context(), r)
	}
	if err := s.Gate.stranger(r.Peer, r.Received); err != nil {
		return core.Caller{}, err
	}
	caller, err := d.Identify(r.Context(), r)
	if err != nil && (core.AsError(err).Code != core.CodeInternal || isCallerFault(err)) {
		s.Gate.failed(r.Peer, r.Received)
	}
	return caller, err
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
		slog.String("account", c.Account.String()), slog.String("principal", c.Principal), slog.String("key", c.KeyID),
		slog.String("source", r.Peer.String()),
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
