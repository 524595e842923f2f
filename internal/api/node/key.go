package node

import (
	"crypto/ed25519"
	"encoding/json"
	"log/slog"
	"net/http"

	"errand/internal/protocol"
)

// nextKey lets a node in with another key beside its own.
func (d *door) nextKey(w http.ResponseWriter, r *proven) error {
	body, err := r.read(w, protocol.MaxEnroll)
	if err != nil {
		return err
	}
	var req protocol.NextKey
	if err := json.Unmarshal(body, &req); err != nil {
		return malformed("the body is not such a request: %w", err)
	}
	key, err := parsePublicKey(req.PublicKey)
	if err != nil {
		return err
	}
	if !ed25519.Verify(key, req.SigningText(r.proof.PublicKey), req.Signature) {
		return malformed("signature: not made by the new key over this request")
	}
	if err := d.Service.PrepareKey(r.Context(), &r.node, req.PublicKey); err != nil {
		return err
	}
	d.Log.LogAttrs(r.Context(), slog.LevelInfo, "node has another key beside its own", slog.String("node", r.node.ID))
	w.WriteHeader(http.StatusNoContent)
	return nil
}
