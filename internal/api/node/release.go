package node

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"errand/internal/core"
	"errand/internal/protocol"
)

// pieceTime is how long a node may take to read one piece of a program.
const pieceTime = time.Minute

// handOut sends a packed program of a release to a node, from an offset on. It holds one piece in memory at a time.
func (d *door) handOut(w http.ResponseWriter, r *proven) error {
	if _, err := r.read(w, 0); err != nil {
		return err
	}
	digest, hash, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, protocol.ReleasePath), "/")
	offset, err := strconv.ParseInt(r.URL.Query().Get(protocol.OffsetParam), 10, 64)
	if err != nil || offset < 0 {
		return malformed("%s: not a position", protocol.OffsetParam)
	}
	p, err := d.Service.Program(r.Context(), digest, hash)
	if errors.Is(err, core.ErrNotFound) {
		return &core.Error{Code: core.CodeNotFound, Reason: core.ReasonAccessNotFound, Detail: "no such program", Err: err}
	}
	if err != nil {
		return err
	}
	if offset > p.Size {
		return malformed("%s: beyond the end", protocol.OffsetParam)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(p.Size-offset, 10))
	out := http.NewResponseController(w)
	for offset < p.Size {
		data, err := p.Read(r.Context(), offset)
		if err != nil || len(data) == 0 { // the node asks for the rest
			d.Log.Error("hand out release", "node", r.node.ID, "digest", digest, "offset", offset, "error", err)
			panic(http.ErrAbortHandler)
		}
		_ = out.SetWriteDeadline(time.Now().Add(pieceTime)) // where it is not possible, the node's own patience counts
		if _, err := w.Write(data); err != nil {
			return nil // the node has gone; it asks again
		}
		offset += int64(len(data))
	}
	return nil
}
