// Package native is Errand's own API: plain JSON over the same core, without the vendors' caps on the number of targets. Callers
// prove themselves with an access key by HTTP Basic authentication or with a bearer token, over TLS or on loopback; browsers by the cookie of a login.
package native

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"errand/internal/api"
	"errand/internal/api/sign"
	"errand/internal/core"
)

const prefix = "/api/v1/"

// Dialect serves the native API.
type Dialect struct {
	env    api.Env
	routes []route

	downloads chan struct{} // who has something here may have a chunk in memory
}

// New makes the dialect.
func New(env api.Env) *Dialect {
	d := &Dialect{env: env, downloads: make(chan struct{}, maxDownloads)}
	d.routes = d.table()
	for i := range d.routes {
		if rt := &d.routes[i]; rt.keyed != nil {
			rt.Action = rt.keyed(env.Service)
		}
	}
	return d
}

// Name is the dialect's short name.
func (d *Dialect) Name() string { return "native" }

// Formless implements api.Formless: bodies are JSON, or the bytes of a file.
func (d *Dialect) Formless() {}

// Recognise takes everything below /api/v1/.
func (d *Dialect) Recognise(r *api.Request) bool { return strings.HasPrefix(r.URL.Path, prefix) }

// maxTargetsBody is the largest body of a request that names targets, in bytes: 50,000 of the longest ids and a command.
const maxTargetsBody = 8 << 20

// Room is larger for requests that name targets, of which there is no end; but not for those who do not even say who they are.
func (d *Dialect) Room(r *http.Request) int64 {
	known := r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != ""
	path, ours := strings.CutPrefix(r.URL.Path, prefix)
	head, _, _ := strings.Cut(path, "/")
	if ours && known && (head == "invocations" || head == "targets") {
		return maxTargetsBody
	}
	return 0
}

// tokenHeader carries the security token of a temporary key beside HTTP Basic authentication.
const tokenHeader = "X-Errand-Security-Token" //nolint:gosec // the name of a header

// Identify checks the access key, the bearer token or the cookie of a login. Whatever is wrong with them, the answer is the same.
func (d *Dialect) Identify(ctx context.Context, r *api.Request) (core.Caller, error) {
	if rt, _ := d.find(r.Method, r.URL); rt != nil && rt.open {
		return core.Caller{}, nil
	}
	if d.env.Login != nil && r.Header.Get("Authorization") == "" {
		if caller, err := d.env.Login(r.Request); !errors.Is(err, api.ErrNoLogin) {
			return caller, err
		}
	}
	if r.TLS == nil && !r.Peer.IsLoopback() {
		return core.Caller{}, refused("access keys travel only over TLS or on loopback")
	}
	caller, err := d.prove(ctx, r)
	if err == nil || core.AsError(err).Code == core.CodeInternal && !isProof(err) {
		return caller, err
	}
	return core.Caller{}, refused("unknown access key or wrong secret")
}

func refused(why string) error {
	return &core.Error{Code: core.CodeUnauthenticated, Reason: core.ReasonKeyUnknown, Detail: why}
}

func (d *Dialect) prove(ctx context.Context, r *api.Request) (core.Caller, error) {
	if id, secret, ok := r.BasicAuth(); ok {
		return d.env.ProveSecret(ctx, id, secret, r.Header.Get(tokenHeader))
	}
	claim, err := sign.ParseBearer(r.Signed())
	if err != nil {
		return core.Caller{}, err
	}
	return d.env.Prove(ctx, claim)
}

// isProof reports whether an error says that a proof was wrong.
func isProof(err error) bool {
	var (
		proof *sign.Error
		token *api.TokenError
	)
	return errors.As(err, &proof) || errors.As(err, &token)
}

// Region is the installation's own: the API knows none.
func (d *Dialect) Region(*api.Request) string { return d.env.DefaultRegion("") }

// Action names an action by its method and the shape of its path.
func (d *Dialect) Action(r *api.Request) (api.Action, error) {
	rt, allow := d.find(r.Method, r.URL)
	switch {
	case rt != nil:
		return rt.Action, nil
	case len(allow) > 0:
		return api.Action{}, &methodError{strings.Join(allow, ", ")}
	}
	return api.Action{}, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonUnknownAction, Detail: "no such resource"}
}

// find returns the route of a request, or else the methods that its resource has. HEAD is GET without the answer.
func (d *Dialect) find(method string, u *url.URL) (found *route, allow []string) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	path := segments(u)
	for i := range d.routes {
		rt := &d.routes[i]
		if !rt.match(path, func(string, string) {}) {
			continue
		}
		if rt.method == method {
			return rt, nil
		}
		allow = append(allow, rt.method)
	}
	if slices.Contains(allow, http.MethodGet) {
		allow = append(allow, http.MethodHead)
	}
	return nil, allow
}

// Write sends JSON, or a problem.
func (d *Dialect) Write(w http.ResponseWriter, r *api.Request, result any, err error) string {
	w.Header().Set("X-Request-Id", r.ID)
	if err != nil {
		return refuse(w, r, err)
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if a, ok := result.(answer); ok {
		a.write(w, r)
		return ""
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(result) // the caller has gone if this fails
	return ""
}
