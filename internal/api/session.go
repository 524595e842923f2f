package api

import (
	"net/url"

	"errand/internal/core"
)

// SessionPath is where terminals are, on the host that the caller used for the call.
const SessionPath = "/session"

// SessionEndpoint is the address of terminals for a caller who came by this call.
func SessionEndpoint(c *core.Caller, host string) string {
	u := url.URL{Scheme: "ws", Host: host, Path: SessionPath}
	if c.Secure {
		u.Scheme = "wss"
	}
	return u.String()
}
