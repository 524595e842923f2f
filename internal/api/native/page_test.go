package native

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"errand/internal/core"
)

// ask is a request of a listing as decoding leaves it.
func ask(t *testing.T, address string) *paging {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p := &paging{Cursor: u.Query().Get("cursor")}
	p.bind(u)
	return p
}

// TestCut walks through a listing while rows come and go.
func TestCut(t *testing.T) {
	t.Parallel()
	key := func(s *string) string { return *s }
	for _, newest := range []bool{false, true} {
		rows := []string{"a", "b", "c", "d", "e", "f", "g"}
		if newest {
			slices.Reverse(rows)
		}
		var got []string
		cursor := ""
		for page := range 4 {
			p := ask(t, "/api/v1/users?cursor="+cursor)
			p.Limit = 2
			some, next, err := cut(p, rows, newest, key)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, some...)
			if next == "" {
				break
			}
			cursor = next
			if page == 0 { // the last row shown goes, and another comes before it
				rows = slices.Delete(slices.Insert(slices.Clone(rows), 0, rows[0]+"+"), 2, 3)
				slices.Sort(rows)
				if newest {
					slices.Reverse(rows)
				}
			}
		}
		want := "abcdefg"
		if newest {
			want = "gfedcba"
		}
		if strings.Join(got, "") != want {
			t.Errorf("newest %v: %v", newest, got)
		}
	}
}

// TestCursorsBelongToTheirListing offers a cursor to other listings.
func TestCursorsBelongToTheirListing(t *testing.T) {
	t.Parallel()
	cursor := ask(t, "/api/v1/audit?user=ann&limit=5").next(core.PageInfo{Next: "token"})
	for address, good := range map[string]bool{
		"/api/v1/audit?user=ann":            true,
		"/api/v1/audit?limit=9&user=ann":    true,
		"/api/v1/audit?user=bob":            false,
		"/api/v1/audit":                     false,
		"/api/v1/audit?user=ann&key=k":      false,
		"/api/v1/keys?user=ann":             false,
		"/api/v1/audit?user=ann&cursor=abc": false,
	} {
		p := ask(t, address)
		if p.Cursor == "" {
			p.Cursor = cursor
		}
		spec, err := p.spec()
		if (err == nil) != good || good && spec.Token != "token" {
			t.Errorf("%s: %+v %v", address, spec, err)
		}
		if err != nil && !core.ReasonPageToken.Is(err) {
			t.Errorf("%s: %v", address, err)
		}
	}
	for limit, good := range map[int]bool{-1: false, 0: true, 1: true, 1000: true, 1001: false} {
		p := &paging{Limit: limit}
		if spec, err := p.spec(); (err == nil) != good || good && spec.Limit < 1 {
			t.Errorf("limit %d: %+v %v", limit, spec, err)
		}
	}
}

// FuzzCursor offers listings what strangers may send.
func FuzzCursor(f *testing.F) {
	u := &url.URL{Path: "/api/v1/users"}
	p := &paging{Limit: 1}
	p.bind(u)
	f.Add(p.next(core.PageInfo{Next: "Yg"}))
	f.Add(p.next(core.PageInfo{Next: "!"}))
	f.Add("")
	f.Fuzz(func(t *testing.T, cursor string) {
		p := &paging{Limit: 1, Cursor: cursor}
		p.bind(u)
		rows, _, err := cut(p, []string{"a", "b", "c"}, false, func(s *string) string { return *s })
		if err != nil && !core.ReasonPageToken.Is(err) || len(rows) > 1 || err == nil && cursor == "" && len(rows) != 1 {
			t.Errorf("%q: %v %v", cursor, rows, err)
		}
	})
}
