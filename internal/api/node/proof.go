package node

import (
	"crypto/ed25519"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"errand/internal/core"
	"errand/internal/protocol"
)

// proven is a request that a node proved with its key.
type proven struct {
	*http.Request
	node  core.Node
	proof protocol.Proof
}

// byNode is a handler for requests with a proof. It has answered when it returns nil; an error becomes a problem, and is not held against the
// address. What it does must be idempotent: see protocol.ProofScheme.
type byNode func(w http.ResponseWriter, r *proven) error

// forNodes lets only nodes in that were not removed. Failed proofs count like failed enrolments, and nothing of a body is read before
// the proof was verified.
func (d *door) forNodes(h byNode) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		source := peer(r)
		if !d.mayTry(w, source) {
			return
		}
		p, err := d.prove(r)
		if err != nil {
			d.unproven(w, r, err)
			return
		}
		if err := h(w, p); err != nil {
			d.failed(w, p, err)
		}
	}
}

// unproven answers a request without a proof that counts.
func (d *door) unproven(w http.ResponseWriter, r *http.Request, err error) {
	p, level, source := problemOf(err), slog.LevelWarn, peer(r)
	if p.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	} else {
		d.failures.note(source, d.Now())
	}
	d.Log.LogAttrs(r.Context(), level, "node refused", slog.String("source", source.String()), slog.String("path", r.URL.Path), slog.Any("error", err))
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", protocol.ProofScheme)
	}
	send(w, p)
}

// failed answers a node's request that came to nothing.
func (d *door) failed(w http.ResponseWriter, r *proven, err error) {
	p, level := problemOf(err), slog.LevelInfo
	var own *core.Error
	if errors.As(err, &own) {
		if about, ok := problemOfTransfer(own); ok && strings.HasPrefix(r.URL.Path, protocol.TransferPath) {
			p = about
		}
	}
	if p.Status >= http.StatusInternalServerError && r.Context().Err() == nil { // or the node has gone
		level = slog.LevelError
	}
	d.Log.LogAttrs(r.Context(), level, "node's request failed", slog.String("node", r.node.ID), slog.String("path", r.URL.Path), slog.Any("error", err))
	send(w, p)
}

// unprovenError is a request whose proof is missing or does not fit it.
type unprovenError struct{ text string }

func (e *unprovenError) Error() string { return e.text }

// prove finds out which node a request comes from.
func (d *door) prove(r *http.Request) (*proven, error) {
	proof, err := protocol.ParseProof(r.Header.Get("Authorization"))
	if err != nil {
		return nil, &unprovenError{"a proof in the Authorization header is needed"}
	}
	key, err := parsePublicKey(proof.PublicKey)
	if err != nil || !ed25519.Verify(key, proof.SigningText(r.Method, r.URL.RequestURI()), proof.Signature) {
		return nil, &unprovenError{"the signature was not made by the key over this request"}
	}
	n, err := d.Service.NodeByPublicKey(r.Context(), proof.PublicKey)
	if errors.Is(err, core.ErrNotFound) {
		return nil, &core.Error{Code: core.CodeDenied, Reason: core.ReasonTargetNotFound, Detail: "no node has this key", Err: err}
	}
	if err != nil {
		return nil, err
	}
	return &proven{Request: r, node: n, proof: proof}, nil
}

// read reads a body of at most so many bytes and checks that it is the one that the proof names.
func (r *proven) read(w http.ResponseWriter, most int64) ([]byte, error) {
	if r.ContentLength > most {
		return nil, &http.MaxBytesError{Limit: most}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, err
	case err != nil:
		return nil, malformed("the body did not come: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(protocol.BodyHash(body)), []byte(r.proof.Body)) != 1 {
		return nil, malformed("the body is not the one that the proof names")
	}
	return body, nil
}
