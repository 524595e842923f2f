package native

import (
	"context"
	_ "embed"
	"net/http"

	"errand/internal/api"
)

// description is the API's description in OpenAPI 3.1. It is made from the table of routes, the types of requests and answers and their comments
// by the package's tests, which also hold every request and answer of theirs against it:
//
//	go test -run TestOpenAPI ./internal/api/native -update
//
//go:embed openapi.json
var description []byte

// openAPI is the description as it is sent.
type openAPI struct{}

func getOpenAPI(context.Context, *empty) (*openAPI, error) { return &openAPI{}, nil }

func (*openAPI) write(w http.ResponseWriter, _ *api.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(description) // the caller has gone if this fails
}
