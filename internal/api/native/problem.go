package native

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"errand/internal/api"
	"errand/internal/core"
)

// Problem is an error as RFC 9457 has it.
type Problem struct {
	Type     string       `json:"type"`  // relative address of a page about problems of this kind
	Title    string       `json:"title"` // the same for all of the kind
	Status   int          `json:"status"`
	Detail   string       `json:"detail,omitempty"` // what was wrong this time, for people
	Instance string       `json:"instance"`         // names this very problem: the request's id as a URN
	Code     string       `json:"code"`             // the kind, for programs
	Request  string       `json:"request"`          // id of the request, as the server's log has it
	Errors   []FieldError `json:"errors,omitempty"` // what is wrong with the request's fields, as far as is known
}

// FieldError is what is wrong with one field or parameter of a request.
type FieldError struct {
	Field  string `json:"field"` // as the caller writes it; parts of a path are separated by dots
	Detail string `json:"detail"`
	Code   string `json:"code"`
}

// problemPath is below which problems of each kind are explained.
const problemPath = prefix + "problems/"

// Kinds of problems that are not core's reasons.
const (
	codeBodyTooLarge     = "body_too_large"
	codeMalformed        = "malformed"
	codeParameterUnknown = "parameter_unknown"
	codeParameterInvalid = "parameter_invalid"
	codeMethod           = "method_not_allowed"
)

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

// titleOf makes a title of a code: target_not_found, "Target not found".
func titleOf(code string) string {
	text := strings.ReplaceAll(code, "_", " ")
	return strings.ToUpper(text[:1]) + text[1:]
}

// problemOf is what a caller is told about an error.
func problemOf(err error, request string) Problem {
	p := Problem{Request: request, Instance: "urn:uuid:" + request}
	var (
		bad    *api.ParamError
		method *methodError
	)
	e := core.AsError(err)
	switch {
	case errors.Is(err, api.ErrBodyTooLarge):
		p.Status, p.Detail, p.Code = http.StatusRequestEntityTooLarge, err.Error(), codeBodyTooLarge
	case errors.As(err, &method):
		p.Status, p.Detail, p.Code = http.StatusMethodNotAllowed, "this resource has other methods: "+method.allow, codeMethod
	case errors.As(err, &bad):
		p.Status, p.Detail, p.Code = http.StatusBadRequest, bad.Error(), codeParameterInvalid
		switch {
		case bad.Name == "":
			p.Code, p.Detail = codeMalformed, "the body is not a JSON object of the right form"
			if bad.Err != nil {
				p.Detail = "the body is not a JSON object: " + bad.Err.Error()
			}
		case bad.Unknown:
			p.Code = codeParameterUnknown
		}
		if bad.Name != "" {
			detail := "has the wrong type"
			if bad.Err != nil {
				detail = bad.Err.Error()
			} else if bad.Unknown {
				detail = "no such parameter"
			}
			p.Errors = []FieldError{{Field: bad.Name, Detail: detail, Code: p.Code}}
		}
	case e.Code == core.CodeInternal:
		p.Status, p.Code = http.StatusInternalServerError, codes[core.ReasonInternal]
	default:
		p.Status, p.Detail, p.Code = statuses[e.Code], e.Error(), codes[e.Reason]
		if e.Reason == core.ReasonTokenMismatch {
			p.Status = http.StatusUnprocessableEntity
		}
		if e.Field != "" && (e.Code == core.CodeInvalid || e.Code == core.CodeLimit || e.Code == core.CodeConflict || e.Code == core.CodeNotFound) {
			p.Errors = []FieldError{{Field: e.Field, Detail: e.Detail, Code: p.Code}}
		}
	}
	p.Type, p.Title = problemPath+p.Code, titleOf(p.Code)
	return p
}

// methodError says that a resource has other methods than the one that was asked for.
type methodError struct{ allow string }

func (e *methodError) Error() string { return "no such method" }

// Unwrap makes it a refusal for those who know nothing of methods.
func (e *methodError) Unwrap() error {
	return &core.Error{Code: core.CodeNotFound, Reason: core.ReasonUnknownAction, Detail: "no such method"}
}

// refuse answers with a problem and returns its code.
func refuse(w http.ResponseWriter, r *api.Request, err error) string {
	p, h := problemOf(err, r.ID), w.Header()
	var method *methodError
	switch {
	case p.Status == http.StatusUnauthorized && r.Header.Get("Sec-Fetch-Mode") == "": // a browser would ask its reader for a password
		h.Set("WWW-Authenticate", `Basic realm="errand", charset="UTF-8"`)
	case errors.As(err, &method):
		h.Set("Allow", method.allow)
	case core.ReasonTokenPending.Is(err):
		h.Set("Retry-After", "1")
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the caller has gone if this fails
	return p.Code
}

// ProblemKind is a kind of problem.
type ProblemKind struct {
	Code  string `json:"code"`
	Title string `json:"title"`
	Type  string `json:"type"`
}

// ProblemKinds is a list of the kinds of problems, by code.
type ProblemKinds struct {
	Problems []ProblemKind `json:"problems"`
}

func problemCodes() []string {
	list := []string{codeBodyTooLarge, codeMalformed, codeParameterUnknown, codeParameterInvalid, codeMethod}
	list = append(list, slices.Collect(maps.Values(codes))...)
	slices.Sort(list)
	return list
}

func listProblems(context.Context, *empty) (*ProblemKinds, error) {
	var list ProblemKinds
	for _, code := range problemCodes() {
		list.Problems = append(list.Problems, ProblemKind{Code: code, Title: titleOf(code), Type: problemPath + code})
	}
	return &list, nil
}

type oneProblem struct {
	Code string `json:"-" path:"code"`
}

func getProblem(_ context.Context, req *oneProblem) (*ProblemKind, error) {
	if !slices.Contains(problemCodes(), req.Code) {
		return nil, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonUnknownAction, Detail: "no such kind of problem"}
	}
	return &ProblemKind{Code: req.Code, Title: titleOf(req.Code), Type: problemPath + req.Code}, nil
}
