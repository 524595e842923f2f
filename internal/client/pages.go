package client

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strconv"
)

// maxPage is the most rows that a page may have.
const maxPage = 1000

// Pages reads a listing page by page, until it has limit rows or there are no more: it calls GET path and hands each page to take, which says how many
// rows it has and what its next is. query may hold anything but limit and cursor.
func Pages[Page any](ctx context.Context, c *Client, path string, query url.Values, limit int, take func(Page) (rows int, next string)) error {
	query = maps.Clone(query)
	if query == nil {
		query = url.Values{}
	}
	for limit > 0 {
		query.Set("limit", strconv.Itoa(min(maxPage, limit)))
		var page Page
		if err := c.Call(ctx, http.MethodGet, path, query, nil, &page); err != nil {
			return err
		}
		rows, next := take(page)
		if next == "" || next == query.Get("cursor") {
			return nil
		}
		limit -= rows
		query.Set("cursor", next)
	}
	return nil
}
