package server

import (
	"html/template"
	"net/http"
	"time"
)

// statusPage shows the living program to whoever opens its address in a browser: numbers, no names.
var statusPage = template.Must(template.New("status").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Errand</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 40rem; margin: 4rem auto; padding: 0 1rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem }
dt { opacity: .75 } dd { margin: 0; font-variant-numeric: tabular-nums }
</style>
</head>
<body>
<main>
<h1>Errand is running</h1>
<dl>
<dt>Nodes connected</dt><dd>{{.Nodes}}</dd>
<dt>Tasks open</dt><dd>{{.Tasks}}</dd>
<dt>Up since</dt><dd><time datetime="{{.Since}}">{{.Since}}</time></dd>
</dl>
<p>The APIs of ECS, eflo-controller, TAT and ZOS are served on this address, and <code>/api/v1</code>.
See <a href="/metrics">metrics</a> and <a href="/readyz">readiness</a>.</p>
</main>
</body>
</html>
`))

func (s *Server) console(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	err := statusPage.Execute(w, struct {
		Nodes, Tasks int
		Since        string
	}{s.Service.ConnectedNodes(), s.disp.Open(), s.started.UTC().Format(time.RFC3339)})
	if err != nil {
		s.config.Log.Debug("status page", "error", err) // the reader has gone
	}
}
