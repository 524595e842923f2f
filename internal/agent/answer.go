package agent

import (
	"context"
	"encoding/json"

	"errand/internal/agent/socket"
)

// Pages of the local socket.
const (
	StatusPage  = "/status"
	MetricsPage = "/metrics"
)

// answer tells whoever asks on this machine how the agent is. An agent that cannot do that works all the same.
func (a *Agent) answer(ctx context.Context) error {
	err := socket.Serve(ctx, a.cfg.Dir, map[string]socket.Page{
		StatusPage:  {Type: "application/json", Body: func() ([]byte, error) { return json.Marshal(a.Status()) }},
		MetricsPage: {Type: "text/plain; version=0.0.4", Body: func() ([]byte, error) { return a.metrics(), nil }},
	}, a.log)
	if err != nil {
		a.log.Warn("no local socket for status and metrics", "error", err)
		<-ctx.Done()
	}
	return nil
}
