package node

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"errand/internal/core"
	"errand/internal/protocol"
)

// leave takes the node that asks out of its account.
func (d *door) leave(w http.ResponseWriter, r *proven) error {
	if _, err := r.read(w, 0); err != nil {
		return err
	}
	err := d.Service.Leave(r.Context(), r.node, peer(r.Request).String())
	if err != nil && !errors.Is(err, core.ErrNotFound) { // which is what it wants
		return err
	}
	d.Log.LogAttrs(r.Context(), slog.LevelInfo, "node left", slog.String("node", r.node.ID), slog.String("account", r.node.Account.String()))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// reenroll makes a process that the bus refused, because its node is connected elsewhere, a node of its own.
func (d *door) reenroll(w http.ResponseWriter, r *proven) error {
	body, err := r.read(w, protocol.MaxEnroll)
	if err != nil {
		return err
	}
	var req protocol.ReenrollRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return malformed("the body is not such a request: %w", err)
	}
	e, err := secondEnrolment(&req, r)
	if err != nil {
		return err
	}
	n, err := d.Service.Reenroll(r.Context(), &r.node, req.StartID, e)
	if err != nil {
		return err
	}
	d.Log.LogAttrs(r.Context(), slog.LevelInfo, "clone enrolled as a node of its own", slog.String("node", n.ID), slog.String("copy_of", r.node.ID),
		slog.String("account", n.Account.String()), slog.String("source", e.Source.String()))
	d.introduce(w, r.Request, &n)
	return nil
}

// secondEnrolment checks a request to enrol again and translates it.
func secondEnrolment(req *protocol.ReenrollRequest, r *proven) (core.Enrolment, error) {
	texts := protocol.EnrollRequest{CodeID: "-", CodeSecret: "-", PublicKey: req.PublicKey, MachineID: req.MachineID, Facts: req.Facts}
	if err := checkTexts(&texts); err != nil {
		return core.Enrolment{}, err
	}
	key, err := parsePublicKey(req.PublicKey)
	if err != nil {
		return core.Enrolment{}, err
	}
	if req.PublicKey == r.proof.PublicKey || !ed25519.Verify(key, req.SigningText(r.proof.PublicKey), req.Signature) {
		return core.Enrolment{}, malformed("signature: not made by a new key over this request")
	}
	facts, err := readFacts(&req.Facts)
	if err != nil {
		return core.Enrolment{}, err
	}
	return core.Enrolment{PublicKey: req.PublicKey, MachineID: req.MachineID, Source: peer(r.Request), Facts: facts}, nil
}
