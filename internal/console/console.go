package console

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"errand/internal/core"
)

// Login knows who is signed in. Implementations keep that in a cookie of the browser.
type Login interface {
	// Caller returns who makes a request, if somebody is signed in whose login is still good.
	Caller(r *http.Request) (core.Caller, bool)
	// SignIn signs in whoever has an access key and its secret.
	SignIn(w http.ResponseWriter, r *http.Request, keyID, secret string) error
	// SignOut ends the login.
	SignOut(w http.ResponseWriter, r *http.Request)
	// Ask sends somebody who is not signed in to the login page, and from there back to where they were.
	Ask(w http.ResponseWriter, r *http.Request)
	// Provider is what the identity provider is called that people can sign in with, and the address that leads there; empty if there is none.
	// The address takes the place to go on to as ?next=.
	Provider() (name, address string)
}

// Status is what the page on the system's health says about the server itself.
type Status struct {
	Connected int // nodes connected to this server
	Open      int // tasks that have not ended, of all accounts
	Since     time.Time
	Version   string
	Checks    []Check
	Store     int64 // bytes of the database; negative if nobody knows
	Loops     bool  // tasks are handed over and reports are taken
	Keep      core.Retention
}

// Check is whether a part of the server does what it should.
type Check struct {
	Name string // a key below "system.check."
	Took time.Duration
	Err  error // nil if all is well
}

// Config is what a Console is made of.
type Config struct {
	Service *core.Service
	Login   Login
	Status  func() Status
	Explore Explorer // nil takes the explorer away
	Now     func() time.Time
	Log     *slog.Logger
}

// Console serves the pages.
type Console struct {
	Config
	views    map[string]*views // by language
	assets   assets
	pictures shared[[]core.TaskMark]
	grouped  shared[groupsView]
	handler  http.Handler
}

// New makes a Console. Its templates and messages are part of the program, so a mistake in them is one of ours.
func New(config Config) (*Console, error) {
	c := &Console{Config: config, views: map[string]*views{}}
	var err error
	if c.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	for _, lang := range languages {
		if c.views[lang], err = c.parse(lang); err != nil {
			return nil, fmt.Errorf("console in %s: %w", lang, err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+assetPath+"{name}", c.assets.serve)
	for _, rt := range c.routes() {
		mux.HandleFunc(rt.pattern, c.handle(rt))
	}
	mux.HandleFunc(root, c.handle(route{pattern: "GET " + root, open: true, call: c.missing}))
	c.handler = http.NewCrossOriginProtection().Handler(headers(mux))
	return c, nil
}

// root is where the console lives.
const root = "/console/"

// maxForm is the most that a form may be, in bytes: a script of the size that any API takes.
const maxForm = 1 << 20

func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// headers say to the browser what the pages are not: scripts and styles of others, a part of somebody else's page, a thing to keep.
func headers(next http.Handler) http.Handler {
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types errand-htmx"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// request is one request of a page, by somebody who is signed in unless the route is open to all.
type request struct {
	*http.Request
	caller core.Caller
	lang   string
	theme  string
	part   string // the block of the page that is asked for; empty for all of it
	t      *catalogue
}

// answer is what a handler has to say.
type answer struct {
	view     string // name of a template
	nav      string // which entry of the menu the page belongs to
	title    string // in the reader's language
	data     any
	follow   string // what the page waits for, as the query of the stream; empty for a page that stays as it is
	redirect string // instead of a page
	write    func(w http.ResponseWriter) error
	status   int   // 200 if left out
	err      error // what was refused, though the answer is a page of its own: a form that is shown again
}

// handle makes a handler out of a route: it finds out who asks, calls, answers and audits, all in one place.
func (c *Console) handle(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		r := c.request(w, hr, max(maxForm, rt.room))
		who, ok := c.Login.Caller(hr)
		if !ok && !rt.open {
			c.Login.Ask(w, hr)
			return
		}
		if ok {
			r.caller = c.complete(hr, who, rt.pattern)
		}
		a, err := c.call(rt, r)
		if rt.mutates() && ok {
			c.audit(r, errors.Join(err, a.err))
		}
		if err != nil {
			a = c.refusal(r, err)
		}
		c.answer(w, r, a)
	}
}

// request reads how somebody wants to see the pages.
func (c *Console) request(w http.ResponseWriter, hr *http.Request, room int64) *request {
	if hr.Body != nil {
		hr.Body = http.MaxBytesReader(w, hr.Body, room)
	}
	r := &request{Request: hr, lang: language(hr), theme: theme(hr)}
	r.t = c.views[r.lang].words
	if hr.Header.Get("HX-Request") != "" {
		r.part = hr.URL.Query().Get("part")
	}
	return r
}

// complete says how a call came, for the policies that judge it and for its audit record.
func (c *Console) complete(hr *http.Request, who core.Caller, pattern string) core.Caller {
	addr, _ := netip.ParseAddrPort(hr.RemoteAddr)
	who.Source, who.Secure, who.Time, who.UserAgent = addr.Addr().Unmap(), hr.TLS != nil, c.Now(), hr.UserAgent()
	who.Dialect, who.Action, who.Trail = string(core.OriginNative), pattern, new(core.Trail)
	return who
}

func (c *Console) call(rt route, r *request) (a answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if !rt.open {
		if err := r.caller.CheckKey(); err != nil {
			return answer{}, err
		}
	}
	if r.Method == http.MethodPost {
		if err := r.ParseForm(); err != nil {
			return answer{}, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonTooLarge, Detail: "the form cannot be read", Err: err}
		}
	}
	return rt.call(r)
}

// maxUserAgent is how much of what a browser calls itself is kept, in bytes.
const maxUserAgent = 200

func (c *Console) audit(r *request, err error) {
	code := ""
	if err != nil {
		code = codeName(core.AsError(err).Code)
	}
	agent := r.caller.UserAgent
	agent = strings.ToValidUTF8(agent[:min(len(agent), maxUserAgent)], "")
	c.Service.Audit(r.Context(), core.AuditRecord{
		Account: r.caller.Account, At: r.caller.Time, Principal: r.caller.Principal, KeyID: r.caller.KeyID, Dialect: "console", Action: r.caller.Action,
		RequestID: r.caller.RequestID, Source: r.caller.Source.String(), UserAgent: agent, Resources: r.caller.Trail.Resources(), Code: code,
	})
}

// answer is the one place that writes.
func (c *Console) answer(w http.ResponseWriter, r *request, a answer) {
	var err error
	switch {
	case a.redirect != "":
		http.Redirect(w, r.Request, a.redirect, http.StatusSeeOther)
	case a.write != nil:
		err = a.write(w)
	default:
		err = c.render(w, r, a)
	}
	if err != nil && r.Context().Err() == nil {
		c.Log.Error("console", "path", r.URL.Path, "error", err)
	}
}

// refusal is the page for what did not work out.
func (c *Console) refusal(r *request, err error) answer {
	e := core.AsError(err)
	if errors.Is(err, core.ErrNotFound) {
		e = &core.Error{Code: core.CodeNotFound}
	}
	if e.Code == core.CodeInternal && r.Context().Err() == nil {
		c.Log.Error("console", "path", r.URL.Path, "principal", r.caller.Principal, "error", err)
	}
	v := refusalView{Code: codeName(e.Code)}
	if e.Code != core.CodeInternal {
		v.Detail, v.Field = e.Detail, e.Field
	}
	v.Again = e.Code != core.CodeNotFound && r.Method == http.MethodPost
	return answer{view: "refusal", title: r.t.text("refusal." + v.Code), data: v, status: statusOf(e.Code)}
}

type refusalView struct {
	Code, Detail, Field string
	Again               bool // going back and trying once more may help
}

func (c *Console) missing(*request) (answer, error) {
	return answer{}, &core.Error{Code: core.CodeNotFound}
}

// codeName is the class of a refusal in the keys of messages and in audit records.
func codeName(code core.Code) string {
	switch code {
	case core.CodeInternal:
		return "internal"
	case core.CodeInvalid:
		return "invalid"
	case core.CodeNotFound:
		return "not_found"
	case core.CodeConflict:
		return "conflict"
	case core.CodeLimit:
		return "limit"
	case core.CodeUnauthenticated:
		return "unauthenticated"
	case core.CodeDenied:
		return "denied"
	case core.CodeThrottled:
		return "throttled"
	case core.CodeUnavailable:
		return "unavailable"
	}
	return "internal"
}

func statusOf(code core.Code) int {
	switch code {
	case core.CodeInternal:
		return http.StatusInternalServerError
	case core.CodeInvalid, core.CodeLimit:
		return http.StatusBadRequest
	case core.CodeNotFound:
		return http.StatusNotFound
	case core.CodeConflict, core.CodeUnavailable:
		return http.StatusConflict
	case core.CodeUnauthenticated:
		return http.StatusUnauthorized
	case core.CodeDenied:
		return http.StatusForbidden
	case core.CodeThrottled:
		return http.StatusTooManyRequests
	}
	return http.StatusInternalServerError
}
