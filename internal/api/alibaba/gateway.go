package alibaba

import (
	"context"
	"net/http"

	"errand/internal/api"
	"errand/internal/api/sign"
	"errand/internal/core"
)

// The versions of the two products. All products share one path and often one host; on the wire only the version tells them apart.
const (
	VersionECS  = "2014-05-26"
	VersionEFLO = "2022-12-15"
)

// Gateway is the part of api.Dialect that is the same for both products. A dialect embeds it and fills it in.
type Gateway struct {
	Env     *api.Env
	Product string // short name, such as "ecs"
	Version string
	// Fallback makes this product answer requests in the vendor's style whose version is nobody's.
	Fallback bool
	Actions  map[string]api.Action
	// Refusal is the product's answer to a refusal by the core.
	Refusal func(action string, e *core.Error) Answer
}

// Name implements api.Dialect.
func (g *Gateway) Name() string { return g.Product }

// Recognise implements api.Dialect.
func (g *Gateway) Recognise(r *api.Request) bool {
	version := named(r, "Version", "X-Acs-Version")
	if version == g.Version {
		return true
	}
	return g.Fallback && version != VersionECS && version != VersionEFLO && inStyle(r)
}

// inStyle reports whether a request looks like any of the vendor's products.
func inStyle(r *api.Request) bool {
	for _, header := range []string{"X-Acs-Action", "X-Acs-Version", "X-Acs-Content-Sha256"} {
		if r.Header.Get(header) != "" {
			return true
		}
	}
	return r.Params["AccessKeyId"] != "" || r.Params["SignatureNonce"] != ""
}

// Identify implements api.Dialect.
func (g *Gateway) Identify(ctx context.Context, r *api.Request) (core.Caller, error) {
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		return core.Caller{}, Refuse(unsupportedMethod)
	}
	if _, ok := formatOf(r); !ok {
		return core.Caller{}, Refuse(invalidFormat)
	}
	claim, err := claimOf(r)
	if err != nil {
		return core.Caller{}, err
	}
	return g.Env.Prove(ctx, claim)
}

func claimOf(r *api.Request) (*sign.Claim, error) {
	if signedInHeaders(r) {
		return sign.ParseACS3(r.Signed())
	}
	return sign.ParseRPC(r.Signed(), r.Params)
}

// signedInHeaders tells signature method V3 from the RPC scheme, whose clients send neither of these headers.
func signedInHeaders(r *api.Request) bool {
	return r.Header.Get("Authorization") != "" || r.Header.Get("X-Acs-Content-Sha256") != ""
}

// Region implements api.Dialect.
func (g *Gateway) Region(r *api.Request) string {
	if id := r.Params["RegionId"]; id != "" {
		return id
	}
	return g.Env.DefaultRegion(published[0].ID)
}

// Action implements api.Dialect. Only what the signature covers counts: RPC clients send the headers too, but do not sign them.
func (g *Gateway) Action(r *api.Request) (api.Action, error) {
	version, name := r.Params["Version"], r.Params["Action"]
	if signedInHeaders(r) {
		version, name = named(r, "Version", "X-Acs-Version"), actionOf(r)
	}
	switch {
	case version == "":
		return api.Action{}, Missing("Version")
	case version != g.Version:
		return api.Action{}, Refuse(unknownProduct)
	case name == "":
		return api.Action{}, Missing("Action")
	}
	action, ok := g.Actions[name]
	if !ok || r.URL.Path != "/" && r.URL.Path != "" {
		return api.Action{}, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonUnknownAction, Detail: "no such action"}
	}
	return action, nil
}

// actionOf is the operation that a request names, trusted or not.
func actionOf(r *api.Request) string { return named(r, "Action", "X-Acs-Action") }

func named(r *api.Request, param, header string) string {
	if v := r.Params[param]; v != "" {
		return v
	}
	return r.Header.Get(header)
}

// Table lists the actions, for those who show what there is.
func (g *Gateway) Table() map[string]api.Action { return g.Actions }
