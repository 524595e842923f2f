package console

import (
	"encoding/json"
	"net/http"
	"strings"

	"errand/internal/core"
	"errand/internal/target"
)

// found is something that the palette can jump to.
type found struct {
	Href string `json:"href"`
	Kind string `json:"kind"`
	Text string `json:"text"`
	Sub  string `json:"sub,omitempty"`
}

// mostFound is how much of each kind the palette offers.
const mostFound = 6

// palette finds runs and nodes by a few letters. What the reader may not list is not found.
func (c *Console) palette(r *request) (answer, error) {
	query := strings.TrimSpace(r.URL.Query().Get("q"))
	var items []found
	for _, look := range []func(*request, string) ([]found, error){c.findRuns, c.findNodes} {
		more, err := look(r, query)
		if err != nil && core.AsError(err).Code != core.CodeDenied {
			return answer{}, err
		}
		items = append(items, more...)
	}
	return answer{write: func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "application/json")
		return json.NewEncoder(w).Encode(map[string]any{"items": items})
	}}, nil
}

func (c *Console) findRuns(r *request, query string) ([]found, error) {
	if id, ok := core.ParseTaskID(query); ok && id.Index != 0 {
		return []found{{Href: root + "tasks/" + query, Kind: "task", Text: query}}, nil
	}
	if _, ok := core.ParseID(query); ok {
		return []found{{Href: root + "runs/" + query, Kind: "run", Text: query}}, nil
	}
	rows, _, err := c.Service.Invocations(r.Context(), r.caller, core.InvocationFilter{Kinds: shownKinds}, core.PageSpec{Limit: homeRuns})
	var items []found
	for i := range rows {
		name, id := runName(&rows[i]), rows[i].ID.String()
		if len(items) < mostFound && (contains(name, query) || strings.HasPrefix(id, query)) {
			items = append(items, found{Href: root + "runs/" + id, Kind: "run", Text: name, Sub: id})
		}
	}
	return items, err
}

func (c *Console) findNodes(r *request, query string) ([]found, error) {
	like := target.Glob{Pattern: "*" + strings.NewReplacer("*", "?", "[", "?", "]", "?", "\\", "?").Replace(query) + "*"}
	rows, _, err := c.Service.Nodes(r.Context(), r.caller, core.NodeFilter{Expr: like}, core.PageSpec{Limit: mostFound})
	items := make([]found, 0, len(rows))
	for i := range rows {
		items = append(items, found{Href: root + "nodes/" + rows[i].ID, Kind: "node", Text: rows[i].Label(), Sub: rows[i].Hostname})
	}
	return items, err
}

// contains reports whether a text has another in it, whatever the case of its letters.
func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}
