// Package capture gives tests, and nothing else, the requests that the vendors' own clients were recorded sending, byte
// for byte. Every recording is a file named NNN_client_product_Action.http below internal/api/testdata/captures, one
// folder per vendor, made against a logger on loopback with the sample credentials of [Secret]. Requests that no Go
// server accepts are in a folder refused of their own.
package capture

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Tokens of the temporary credentials in the recordings, and the bearer token.
const (
	AlibabaSTS     = "CAISexampleToken=="
	TencentSTS     = "STSTOKENEXAMPLE"
	ZenlayerBearer = "TOKENEXAMPLE"
)

// Request is one recorded request.
type Request struct {
	Name    string // the file's name without its ending
	Client  string // who sent it: gov2, cli, node, ...
	Product string // ecs, eflo, tat or zos
	Action  string
	Raw     []byte // the request as it crossed the wire
	Body    []byte
	// HTTP is the request as a server's handler sees it, with Body to be read once. It comes from a loopback address.
	HTTP *http.Request
}

// Load reads the recordings in a folder, in the order they were made, and not those in folders below it.
func Load(tb testing.TB, dir string) []Request {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.http"))
	if err != nil || len(files) == 0 {
		tb.Fatalf("no captures in %s (%v)", dir, err)
	}
	requests := make([]Request, len(files))
	for i, file := range files {
		requests[i] = load(tb, file)
	}
	return requests
}

func load(tb testing.TB, file string) Request {
	tb.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	name := strings.TrimSuffix(filepath.Base(file), ".http")
	fields := strings.Split(name, "_")
	if len(fields) != 4 {
		tb.Fatalf("%s: want NNN_client_product_Action.http", file)
	}
	r, body := parse(tb, file, raw)
	return Request{
		Name:    name,
		Client:  fields[1],
		Product: fields[2],
		Action:  fields[3],
		Raw:     raw,
		Body:    body,
		HTTP:    r,
	}
}

func parse(tb testing.TB, file string, raw []byte) (*http.Request, []byte) {
	tb.Helper()
	wire := bufio.NewReader(bytes.NewReader(raw))
	r, err := http.ReadRequest(wire)
	if err != nil {
		tb.Fatalf("%s: %v", file, err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		tb.Fatalf("%s: body: %v", file, err)
	}
	if rest, err := io.ReadAll(wire); err != nil || len(rest) > 0 {
		tb.Fatalf("%s: %d bytes after the body (%v)", file, len(rest), err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.RemoteAddr = "127.0.0.1:49152"
	return r.WithContext(tb.Context()), body
}

// Secret returns the secret behind an access key id in the recordings. The keys are the samples printed in the vendors'
// documents, or made up.
func Secret(tb testing.TB, keyID string) string {
	tb.Helper()
	switch keyID {
	case "testid":
		return "testsecret"
	case "stsid":
		return "stssecret"
	case "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "0D9UtpyKYcHxms5v":
		return "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
	}
	tb.Fatalf("no capture uses access key %q", keyID)
	return ""
}
