package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
)

// Each walks a listing, page by page as far as it is read: it calls GET path, takes the rows out of the member of that name, and goes on where
// next says. query may hold limit, the rows of a page. After an error there is nothing more.
func Each[Row any](ctx context.Context, c *Client, path string, query url.Values, member string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		var none Row
		query := maps.Clone(query)
		if query == nil {
			query = url.Values{}
		}
		for {
			var page map[string]json.RawMessage
			if err := c.Call(ctx, http.MethodGet, path, query, nil, &page); err != nil {
				yield(none, err)
				return
			}
			var rows []Row
			var next string
			err := json.Unmarshal(page[member], &rows)
			if text, ok := page["next"]; ok && err == nil {
				err = json.Unmarshal(text, &next)
			}
			if err != nil {
				yield(none, fmt.Errorf("answer of %s: %w", c.config.URL, err))
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
			if next == "" || next == query.Get("cursor") {
				return
			}
			query.Set("cursor", next)
		}
	}
}
