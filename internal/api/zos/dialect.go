// Package zos is the dialect of Zenlayer's ZOS, API version 2025-10-10: stored commands and their runs on instances.
//
// Everything is POST /api/v2/zos with the action in a header and JSON both ways. The dialect knows no unstored runs, no stops and no
// schedules; what other dialects did is shown as far as it has words for it.
// https://docs.console.zenlayer.com/api-reference/security/zos/command
package zos

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"errand/internal/api"
	"errand/internal/api/sign"
	"errand/internal/core"
)

const (
	// Version is the only version of the API that clients use.
	Version = "2025-10-10"

	pathPrefix    = "/api/v2/"
	path          = pathPrefix + "zos"
	actionHeader  = "X-ZC-Action"
	versionHeader = "X-ZC-Version"
)

// Dialect translates the API.
type Dialect struct {
	env       api.Env
	Actions   map[string]api.Action
	maxAnswer int
}

// New makes the dialect.
func New(env api.Env) *Dialect {
	d := &Dialect{env: env, maxAnswer: defaultMaxAnswer}
	d.Actions = d.table()
	return d
}

// Name is the dialect's short name.
func (*Dialect) Name() string { return "zos" }

// Recognise takes every request to the vendor's API root, also those for its other services, so that they get an error the vendor's
// clients can read.
func (*Dialect) Recognise(r *api.Request) bool {
	return strings.HasPrefix(r.URL.Path, pathPrefix) || r.Header.Get(actionHeader) != ""
}

// Identify checks a ZC2 signature or a bearer token.
func (d *Dialect) Identify(ctx context.Context, r *api.Request) (core.Caller, error) {
	parse := sign.ParseZC2
	if scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "bearer") {
		parse = sign.ParseBearer
	}
	claim, err := parse(r.Signed())
	if err != nil {
		return core.Caller{}, err
	}
	return d.env.Prove(ctx, claim)
}

// Region is the installation's own: the API knows none.
func (d *Dialect) Region(*api.Request) string { return d.env.DefaultRegion("") }

// Action finds the action that the header names.
func (d *Dialect) Action(r *api.Request) (api.Action, error) {
	name, version := r.Header.Get(actionHeader), r.Header.Get(versionHeader)
	switch {
	case name == "":
		return api.Action{}, refuse(core.ReasonMissing, actionHeader, "the header is required")
	case version == "":
		return api.Action{}, refuse(core.ReasonMissing, versionHeader, "the header is required")
	}
	a, ok := d.Actions[name]
	if !ok || r.Method != http.MethodPost || r.URL.Path != path || version != Version {
		return api.Action{}, refuse(core.ReasonUnknownAction, "", "no %s %s with action %.64q and version %.64q here",
			r.Method, r.URL.Path, name, version)
	}
	return a, nil
}

// success and failure are the two envelopes. Clients tell them apart by the status alone: an error with status 200 would look
// to them like an empty success, and a success without the inner object like a broken answer.
type (
	success struct {
		RequestID string `json:"requestId"`
		Response  any    `json:"response"`
	}
	failure struct {
		RequestID string `json:"requestId"`
		Code      code   `json:"code"`
		Message   string `json:"message"`
	}
)

// Write sends the answer and returns the vendor's error code.
func (*Dialect) Write(w http.ResponseWriter, r *api.Request, result any, err error) string {
	id := "T" + strings.ToUpper(r.ID)
	if err == nil {
		if a, ok := result.(interface{ stamp(id string) }); ok {
			a.stamp(id)
		}
		send(w, http.StatusOK, success{RequestID: id, Response: result})
		return ""
	}
	c, message := explain(err)
	send(w, c.status(), failure{RequestID: id, Code: c, Message: message})
	return string(c)
}

func send(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // scripts are full of < and >
	if err := enc.Encode(v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may be gone; there is nobody left to tell
}

// Table lists the actions, for those who show what there is.
func (d *Dialect) Table() map[string]api.Action { return d.Actions }
