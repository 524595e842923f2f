package core

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// PageSpec is how a caller asks for a stretch of a listing.
type PageSpec struct {
	Token  string // from the page before; takes precedence over Offset
	Offset int
	Limit  int
	Count  bool // Total is wanted
}

// PageInfo is what came besides the rows.
type PageInfo struct {
	Next  string // token for the next page, empty on the last one
	Total int    // number of all matches, if it was asked for
}

// pager makes paging tokens that a caller can neither read nor make: a cursor with a MAC over it, the account and the listing.
type pager struct{ key []byte }

const macLen = 12

func (p pager) token(account AccountID, listing string, c Cursor) string {
	b := binary.AppendVarint(nil, c.A)
	b = binary.AppendVarint(b, c.B)
	return base64.RawURLEncoding.EncodeToString(append(b, p.mac(account, listing, b)...))
}

func (p pager) parse(account AccountID, listing, token string) (*Cursor, error) {
	bad := invalid(ReasonPageToken, "token", "not a token of this listing")
	if len(token) > 128 {
		return nil, bad
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < macLen {
		return nil, bad
	}
	body, mac := b[:len(b)-macLen], b[len(b)-macLen:]
	if !hmac.Equal(mac, p.mac(account, listing, body)) {
		return nil, bad
	}
	var c Cursor
	var n int
	if c.A, n = binary.Varint(body); n <= 0 {
		return nil, bad
	}
	if c.B, n = binary.Varint(body[n:]); n <= 0 {
		return nil, bad
	}
	return &c, nil
}

func (p pager) mac(account AccountID, listing string, body []byte) []byte {
	h := hmac.New(sha256.New, p.key)
	var a [8]byte
	binary.BigEndian.PutUint64(a[:], uint64(account))
	h.Write(a[:])
	h.Write([]byte(listing))
	h.Write([]byte{0})
	h.Write(body)
	return h.Sum(nil)[:macLen]
}

// list runs one page of a listing: it asks the store for one row more than wanted to know whether a next page exists.
func list[T any](
	p pager, account AccountID, listing string, spec PageSpec, cursor func(*T) Cursor,
	read func(Page) ([]T, int, error),
) ([]T, PageInfo, error) {
	page := Page{Offset: spec.Offset, Limit: spec.Limit + 1, Count: spec.Count}
	if spec.Token != "" {
		after, err := p.parse(account, listing, spec.Token)
		if err != nil {
			return nil, PageInfo{}, err
		}
		page.After = after
	}
	rows, total, err := read(page)
	if err != nil {
		return nil, PageInfo{}, err
	}
	info := PageInfo{Total: total}
	if len(rows) > spec.Limit {
		rows = rows[:spec.Limit]
		info.Next = p.token(account, listing, cursor(&rows[len(rows)-1]))
	}
	return rows, info, nil
}
