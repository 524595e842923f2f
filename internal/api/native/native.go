// Package native is Errand's own API: plain JSON over the same core, without the vendors' caps on the number of targets. Callers
// prove themselves with an access key by HTTP Basic authentication or with a bearer token, over TLS or on loopback.
package native

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"errand/internal/api"
	"errand/internal/api/sign"
	"errand/internal/core"
)

const prefix = "/api/v1/"

// Dialect serves the native API.
type Dialect struct {
	env     api.Env
	actions map[string]api.Action
}

// New makes the dialect.
func New(env api.Env) *Dialect {
	d := &Dialect{env: env}
	d.actions = api.Actions(
		api.Do("POST invocations", true, decode, d.createInvocation),
		api.Do("GET invocations", false, decode, d.getInvocation),
		api.Do("POST registration-codes", true, decode, d.createRegistration),
	)
	return d
}

// Name is the dialect's short name.
func (d *Dialect) Name() string { return "native" }

// Recognise takes everything below /api/v1/.
func (d *Dialect) Recognise(r *api.Request) bool { return strings.HasPrefix(r.URL.Path, prefix) }

// Identify checks the access key or the bearer token.
func (d *Dialect) Identify(ctx context.Context, r *api.Request) (core.Caller, error) {
	refused := &core.Error{Code: core.CodeUnauthenticated, Reason: core.ReasonKeyUnknown, Detail: "unknown access key or wrong secret"}
	if r.TLS == nil && !r.Peer.IsLoopback() {
		refused.Detail = "access keys travel only over TLS or on loopback"
		return core.Caller{}, refused
	}
	if id, secret, ok := r.BasicAuth(); ok {
		cred, err := d.env.Service.Key(ctx, id)
		switch {
		case core.AsError(err).Code == core.CodeInternal && err != nil:
			return core.Caller{}, err
		case err != nil || cred.Kind != core.KeyLong || subtle.ConstantTimeCompare([]byte(secret), []byte(cred.Secret)) != 1:
			return core.Caller{}, refused
		}
		return core.Caller{Account: cred.Account, Principal: cred.Principal, KeyID: cred.ID}, nil
	}
	claim, err := sign.ParseBearer(r.Signed())
	if err != nil {
		return core.Caller{}, refused
	}
	return d.env.Prove(ctx, claim)
}

// Action names an action by its method and the first element of its path.
func (d *Dialect) Action(r *api.Request) (api.Action, error) {
	noun, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, prefix), "/")
	a, ok := d.actions[r.Method+" "+noun]
	if !ok {
		return a, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonUnknownAction, Detail: "no such resource or method"}
	}
	return a, nil
}

// decode reads a JSON body, and what the path names.
func decode(r *api.Request, dst any) error {
	if len(r.Body) > 0 {
		if err := api.DecodeJSON(r.Body, dst, true); err != nil {
			return err
		}
	}
	if named, ok := dst.(interface{ setID(string) }); ok {
		_, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, prefix), "/")
		named.setID(id)
	}
	return nil
}

// problem is an error as RFC 9457 has it.
type problem struct {
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Detail  string `json:"detail,omitempty"`
	Request string `json:"request"`
}

var statuses = map[core.Code]int{
	core.CodeInternal:        http.StatusInternalServerError,
	core.CodeInvalid:         http.StatusBadRequest,
	core.CodeNotFound:        http.StatusNotFound,
	core.CodeConflict:        http.StatusConflict,
	core.CodeLimit:           http.StatusUnprocessableEntity,
	core.CodeUnauthenticated: http.StatusUnauthorized,
	core.CodeDenied:          http.StatusForbidden,
	core.CodeThrottled:       http.StatusTooManyRequests,
	core.CodeUnavailable:     http.StatusConflict,
}

// Write sends JSON, or a problem.
func (d *Dialect) Write(w http.ResponseWriter, r *api.Request, result any, err error) string {
	w.Header().Set("X-Request-Id", r.ID)
	if err == nil {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(result) // the caller has gone if this fails
		return ""
	}
	p := problem{Request: r.ID}
	var bad *api.ParamError
	switch e := core.AsError(err); {
	case errors.Is(err, api.ErrBodyTooLarge):
		p.Status, p.Detail = http.StatusRequestEntityTooLarge, err.Error()
	case errors.As(err, &bad):
		p.Status, p.Detail = http.StatusBadRequest, bad.Error()
	case e.Code == core.CodeInternal:
		p.Status = http.StatusInternalServerError
	default:
		p.Status, p.Detail = statuses[e.Code], e.Error()
	}
	p.Title = http.StatusText(p.Status)
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="errand", charset="UTF-8"`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the caller has gone if this fails
	return p.Title
}

type createInvocation struct {
	Content string   `json:"content"`
	Targets []string `json:"targets"`
	// TimeoutSeconds counts from the start of each process; 60 if left out.
	TimeoutSeconds *int64  `json:"timeout_seconds"`
	WorkDir        *string `json:"work_dir"`
	User           *string `json:"user"`
}

// Invocation is an invocation with the number of its tasks in each state that has any.
type Invocation struct {
	ID        string         `json:"id"`
	CreatedAt time.Time      `json:"created_at"`
	EndedAt   *time.Time     `json:"ended_at,omitempty"`
	Tasks     int            `json:"tasks"`
	Open      int            `json:"open"`
	States    map[string]int `json:"states"`
}

func (d *Dialect) createInvocation(ctx context.Context, c core.Caller, req *createInvocation) (*Invocation, error) {
	spec := core.RunSpec{
		Origin: core.OriginNative, Targets: api.NodeIDs(req.Targets), KillTree: true,
		Definition: core.Definition{Type: core.Shell, Content: []byte(req.Content)},
		Limits:     core.Limits{DefaultTimeout: time.Minute, MinTimeout: time.Second, User: 255, WorkDir: 4096},
	}
	if req.TimeoutSeconds != nil {
		spec.Timeout = time.Duration(*req.TimeoutSeconds) * time.Second
	}
	if req.WorkDir != nil {
		spec.WorkDir = *req.WorkDir
	}
	if req.User != nil {
		spec.User = *req.User
	}
	v, err := d.env.Service.Run(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	return show(&v), nil
}

type getInvocation struct {
	ID string `json:"-"`
}

func (g *getInvocation) setID(id string) { g.ID = id }

func (d *Dialect) getInvocation(ctx context.Context, c core.Caller, req *getInvocation) (*Invocation, error) {
	id, ok := api.InvocationID(req.ID)
	if !ok {
		return nil, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonInvocationNotFound, Detail: "no such invocation"}
	}
	v, err := d.env.Service.Invocation(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return show(&v), nil
}

func show(v *core.Invocation) *Invocation {
	out := &Invocation{
		ID: v.ID.String(), CreatedAt: v.CreatedAt, Tasks: v.Counts.Total(), Open: v.Counts.Open(), States: map[string]int{},
	}
	if !v.EndedAt.IsZero() {
		out.EndedAt = &v.EndedAt
	}
	for s, n := range v.Counts {
		if n > 0 {
			out.States[core.State(s).String()] = int(n)
		}
	}
	return out
}

type createRegistration struct {
	Description string `json:"description"`
	Limit       int    `json:"limit"`
	Hours       int    `json:"hours"` // validity; 4 if left out
}

// Registration is a registration code with its secret, which is shown only once.
type Registration struct {
	ID        string    `json:"id"`
	Code      string    `json:"code"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (d *Dialect) createRegistration(ctx context.Context, c core.Caller, req *createRegistration) (*Registration, error) {
	if req.Limit < 0 || req.Hours < 0 || req.Hours > 24*365 {
		return nil, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonInvalidValue, Detail: "limit and hours must not be negative, hours at most a year"}
	}
	if req.Limit == 0 {
		req.Limit = 1
	}
	if req.Hours == 0 {
		req.Hours = 4
	}
	code, secret, err := d.env.Service.CreateRegistration(ctx, c, core.RegistrationSpec{
		Description: req.Description, Limit: req.Limit, Validity: time.Duration(req.Hours) * time.Hour,
	})
	if err != nil {
		return nil, err
	}
	return &Registration{ID: code.ID.String(), Code: secret, ExpiresAt: code.ExpiresAt}, nil
}
