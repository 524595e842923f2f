//go:build !linux

package terminal

import (
	"context"
	"time"

	"errand/internal/protocol"
)

// openTerminal returns errUnsupported.
func openTerminal(context.Context, *protocol.SessionOpen, uint16, uint16, time.Duration) (end, error) {
	return nil, errUnsupported
}
