// Package tat is the dialect of Tencent Cloud's TAT, API version 2020-10-28: stored commands, their runs and results, and the agents
// they run through.
//
// Requests come in two generations. The current one (v3) has its common parameters in headers and its own as JSON or in the query; the
// older one (v1) has everything in the query or in a form. Every answer has HTTP status 200 and a content type without a charset: with
// anything else the vendor's older clients do not see the error code, or take an error for a success.
// https://www.tencentcloud.com/document/product/1147/46679
package tat

import (
	"bytes"
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"regexp"
	"strings"

	"errand/internal/api"
	"errand/internal/api/sign"
	"errand/internal/core"
)

const (
	// Version is the only version of the API.
	Version = "2020-10-28"

	headerPrefix = "X-TC-" // of common parameters
	traceHeader  = "X-TC-TraceId"

	// maxQuery is the documented size of a GET request, in bytes.
	maxQuery = 32 << 10
)

// Dialect translates the API.
type Dialect struct {
	env     api.Env
	Actions map[string]api.Action
	regions map[string]bool
}

// New makes the dialect.
func New(env api.Env) *Dialect {
	d := &Dialect{env: env, regions: map[string]bool{}}
	d.Actions = d.table()
	for _, r := range d.allRegions() {
		d.regions[r.Region] = true
	}
	return d
}

// Name is the dialect's short name.
func (*Dialect) Name() string { return "tat" }

// Recognise takes requests that name their action in the vendor's header, that are signed by TC3, or that name a SecretId. It leaves
// alone what carries another vendor's marks.
func (*Dialect) Recognise(r *api.Request) bool {
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/v2/") || r.Header.Get("X-Zc-Action") != "":
		return false
	case isV3(r):
		return true
	case strings.HasPrefix(r.Header.Get("Authorization"), "ACS3-") || r.Header.Get("X-Acs-Action") != "":
		return false
	default:
		_, ok := r.Params["SecretId"]
		return ok
	}
}

// isV3 tells the two generations apart.
func isV3(r *api.Request) bool {
	return r.Header.Get("X-TC-Action") != "" || strings.HasPrefix(r.Header.Get("Authorization"), "TC3-")
}

// common returns one of the parameters that all actions share, under its v1 name.
func common(r *api.Request, name string) string {
	if isV3(r) {
		return r.Header.Get(headerPrefix + name)
	}
	return r.Params[name]
}

// Identify checks the form of the request and its signature.
func (d *Dialect) Identify(ctx context.Context, r *api.Request) (core.Caller, error) {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		return core.Caller{}, refuse(codeUnsupportedProtocol, "", "method %.16q is neither GET nor POST", r.Method)
	case r.Method == http.MethodGet && len(r.URL.RawQuery) > maxQuery:
		return core.Caller{}, refuse(codeRequestSize, "", "the query has more than %d bytes", maxQuery)
	}
	parse := func(signed *sign.Request) (*sign.Claim, error) { return sign.ParseTencentV1(signed, r.Params) }
	if isV3(r) {
		parse = sign.ParseTC3
	}
	claim, err := parse(r.Signed())
	if err != nil {
		return core.Caller{}, err
	}
	caller, err := d.env.Prove(ctx, claim)
	if core.ReasonKeyUnknown.Is(err) && !secretID.MatchString(claim.AccessKeyID) {
		return core.Caller{}, &fault{codeKeyShape, core.AsError(err)}
	}
	return caller, err
}

// secretID is what an access key's public id is made of. The vendor's are 36 letters and digits; others may have been imported.
var secretID = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// Region is the region that the request names, or the default.
func (d *Dialect) Region(r *api.Request) string { return d.regionOf(r) }

// Action finds the action that the request names, in the version and the region it names.
func (d *Dialect) Action(r *api.Request) (api.Action, error) {
	name, version, region := common(r, "Action"), common(r, "Version"), common(r, "Region")
	switch {
	case name == "":
		return api.Action{}, missing("Action")
	case version == "":
		return api.Action{}, missing("Version")
	case version != Version:
		return api.Action{}, refuse(codeNoSuchVersion, "Version", "%.32q is not %s", version, Version)
	}
	a, ok := d.Actions[name]
	switch {
	case !ok:
		return api.Action{}, refuse(codeInvalidAction, "Action", "no action %.64q here", name)
	case region != "" && !d.regions[region]:
		return api.Action{}, refuse(codeUnsupportedRegion, "Region", "no region %.64q here", region)
	}
	return a, nil
}

// decode fills an action's request, from JSON or from flattened parameters. The vendor refuses parameters that it does not know.
func (d *Dialect) decode(r *api.Request, dst any) error {
	if p, ok := dst.(interface{ place(region string) }); ok {
		p.place(d.regionOf(r))
	}
	switch {
	case !isV3(r):
		params := make(sign.Values, len(r.Params))
		for name, value := range r.Params {
			if !commonNames[name] {
				params[name] = value
			}
		}
		return api.DecodeFlatStrict(params, dst)
	case r.Method == http.MethodGet:
		return api.DecodeFlatStrict(r.Params, dst)
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return refuse(codeInvalidRequest, "Content-Type", "%.64q is not application/json", r.Header.Get("Content-Type"))
	}
	return api.DecodeJSON(r.Body, dst, true)
}

// commonNames are the v1 parameters that belong to no action.
var commonNames = map[string]bool{
	"Action": true, "Version": true, "Region": true, "Timestamp": true, "Nonce": true, "SecretId": true, "Signature": true,
	"SignatureMethod": true, "Token": true, "Language": true, "RequestClient": true,
}

// envelope is around every answer.
type envelope struct{ Response any }

// failure is what the envelope holds instead of a result.
type failure struct {
	Error struct {
		Code    code
		Message string
	}
	RequestId string
}

// Write sends the answer and returns the vendor's error code.
func (*Dialect) Write(w http.ResponseWriter, r *api.Request, result any, err error) string {
	if id := r.Header.Get(traceHeader); id != "" {
		w.Header().Set(traceHeader, id) // the vendor's Node client shows it
	}
	if err == nil {
		if a, ok := result.(interface{ stamp(id string) }); ok {
			a.stamp(r.ID)
		}
		send(w, envelope{Response: result})
		return ""
	}
	f := failure{RequestId: r.ID}
	f.Error.Code, f.Error.Message = explain(err, common(r, "Language"))
	send(w, envelope{Response: f})
	return string(f.Error.Code)
}

func send(w http.ResponseWriter, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // parameters are full of < and >
	if err := enc.Encode(v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b.Bytes()) // the client may be gone; there is nobody left to tell
}

// Table lists the actions, for those who show what there is.
func (d *Dialect) Table() map[string]api.Action { return d.Actions }
