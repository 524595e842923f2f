package native

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"

	"errand/internal/core"
)

// Sizes of a page: usual if the caller names none, and the most that it may name.
const (
	usualPage = 100
	mostPage  = 1000
)

// maxCursor is the longest cursor read, in bytes.
const maxCursor = 1024

// paging is what requests of every listing have in common; they embed it. A listing that core pages is read with spec and answers with next of
// what came back; one that core returns whole goes through cut.
//
// Cursors are opaque and belong to the listing that gave them: to its path and to all of its parameters but these two. Another one refuses them.
type paging struct {
	Limit  int    `json:"-" query:"limit"`  // rows of the page, 1 to 1000; 100 if left out
	Cursor string `json:"-" query:"cursor"` // next of the page before

	listing [6]byte
}

// bind notes what is listed. Every request that has a paging is bound when it is decoded.
func (p *paging) bind(u *url.URL) {
	query := u.Query()
	query.Del("limit")
	query.Del("cursor")
	sum := sha256.Sum256([]byte(u.EscapedPath() + "?" + query.Encode()))
	copy(p.listing[:], sum[:])
}

// spec is the page that core is asked for.
func (p *paging) spec() (core.PageSpec, error) {
	if p.Limit == 0 {
		p.Limit = usualPage
	}
	if p.Limit < 1 || p.Limit > mostPage {
		return core.PageSpec{}, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonPageSize, Field: "limit", Detail: "1 to 1000"}
	}
	spec := core.PageSpec{Limit: p.Limit}
	if p.Cursor == "" {
		return spec, nil
	}
	mark := base64.RawURLEncoding.EncodeToString(p.listing[:])
	token, ok := strings.CutPrefix(p.Cursor, mark)
	if !ok || token == "" || len(token) > maxCursor {
		return spec, badCursor()
	}
	spec.Token = token
	return spec, nil
}

func badCursor() error {
	return &core.Error{Code: core.CodeInvalid, Reason: core.ReasonPageToken, Field: "cursor", Detail: "not a cursor of this listing with these parameters"}
}

// next is the cursor of the page after the one that core returned; empty if there is none.
func (p *paging) next(info core.PageInfo) string {
	if info.Next == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(p.listing[:]) + info.Next
}

// cut is the page of rows that core returned whole, and the cursor of the one after it. key is unique among the rows, and the rows are in its
// order: ascending or, if newest says so, descending. Rows that come and go between two pages move no other row from one to the other.
func cut[T any](p *paging, rows []T, newest bool, key func(*T) string) ([]T, string, error) {
	spec, err := p.spec()
	if err != nil {
		return nil, "", err
	}
	if spec.Token != "" {
		last, err := base64.RawURLEncoding.DecodeString(spec.Token)
		if err != nil {
			return nil, "", badCursor()
		}
		for len(rows) > 0 {
			if k := key(&rows[0]); k != string(last) && k < string(last) == newest {
				break
			}
			rows = rows[1:]
		}
	}
	if len(rows) <= spec.Limit {
		return rows, "", nil
	}
	rows = rows[:spec.Limit]
	token := base64.RawURLEncoding.EncodeToString([]byte(key(&rows[len(rows)-1])))
	return rows, p.next(core.PageInfo{Next: token}), nil
}
