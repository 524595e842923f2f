package dispatch

import (
	"context"
	"errors"
	"time"

	"errand/internal/core"
	"errand/internal/protocol"
)

// rotate tells a node when to replace its key, if it has to.
func (d *Dispatcher) rotate(ctx context.Context, node core.NodeKey) {
	due, err := d.svc.KeyDue(ctx, node)
	switch {
	case errors.Is(err, core.ErrNotFound) || ctx.Err() != nil || err == nil && due.IsZero():
	case err != nil:
		d.log.Error("look for the age of a key", "node", node, "error", err)
	default:
		m := protocol.Rotate{After: uint64(max(0, due.Sub(d.now())) / time.Second)}
		d.send(node, m.Append(nil))
	}
}
