package server

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"errand/internal/api"
	"errand/internal/api/explore"
	"errand/internal/console"
	"errand/internal/core"
)

// explorer lets the console call the vendors' APIs: by requests that are signed and that go through the same handler as those of any client.
func (s *Server) explorer() console.Explorer { return explorer{s} }

type explorer struct{ s *Server }

// Products implements console.Explorer.
func (e explorer) Products() []console.Product {
	actions := map[string]map[string]api.Action{}
	for _, d := range e.s.api.Dialects {
		if table, ok := d.(interface{ Table() map[string]api.Action }); ok {
			actions[d.Name()] = table.Table()
		}
	}
	var list []console.Product
	for _, p := range explore.Products() {
		list = append(list, console.Product{Name: p.Name, Version: p.Version, Region: p.Region, Actions: slices.Sorted(maps.Keys(actions[p.Name]))})
	}
	return list
}

// reply keeps an answer.
type reply struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *reply) Header() http.Header { return r.header }

func (r *reply) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *reply) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

// Explore implements console.Explorer.
func (e explorer) Explore(ctx context.Context, from *http.Request, who core.Caller, ask console.Exploration) (out console.Explored, err error) {
	product, ok := explore.Find(ask.Product)
	if !ok {
		return out, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonInvalidValue, Field: "product", Detail: "no such product"}
	}
	var params []explore.Parameter
	if text := strings.TrimSpace(ask.Parameters); strings.HasPrefix(text, "{") {
		params, err = explore.Object(strings.NewReader(text))
	} else {
		params, err = explore.Parameters(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }))
	}
	if err != nil {
		return out, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonParamsMalformed, Field: "parameters", Detail: err.Error(), Err: err}
	}
	server := url.URL{Scheme: "http", Host: from.Host}
	if from.TLS != nil {
		server.Scheme = "https"
	}
	key, err := e.s.Service.BorrowKey(ctx, who, product.Tokenless)
	if err != nil {
		return out, err
	}
	defer func() {
		if failed := e.s.Service.ReturnKey(context.WithoutCancel(ctx), &key); failed != nil && err == nil {
			err = failed
		}
	}()
	call := explore.Call{
		Server: server.String(), Action: ask.Action, Region: ask.Region, Parameters: params, KeyID: key.ID, Secret: key.Secret, Token: key.Token, Now: e.s.config.Now(),
	}
	r, body, err := product.Request(ctx, &call)
	if err != nil {
		return out, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonParamsMalformed, Field: "parameters", Detail: err.Error(), Err: err}
	}
	out = console.Explored{Method: r.Method, URL: r.URL.String(), Body: string(body)}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		value := r.Header.Get(name)
		if strings.HasSuffix(name, "Token") {
			value = "…" // it is half of what proves the call
		}
		out.Headers = append(out.Headers, [2]string{name, value})
	}
	if !ask.Send {
		return out, nil
	}
	r.RequestURI, r.RemoteAddr, r.TLS, r.Host = r.URL.RequestURI(), from.RemoteAddr, from.TLS, from.Host
	r.Header.Set("User-Agent", "errand-console")
	answer := reply{header: http.Header{}}
	e.s.api.ServeHTTP(&answer, r)
	out.Status = answer.status
	var pretty bytes.Buffer
	if out.Answer = answer.body.String(); json.Indent(&pretty, answer.body.Bytes(), "", "  ") == nil {
		out.Answer = pretty.String()
	}
	return out, nil
}
