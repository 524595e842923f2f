package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"errand/internal/core"
)

// everything is a page that holds any listing of these tests.
var everything = core.Page{Limit: 1 << 20, Count: true}

// part is one field of a filter, with the same rule in Go.
type part[F, T any] struct {
	name  string
	apply func(*F)
	match func(*T) bool
}

// listing describes a listing of the store to check.
type listing[F, T any] struct {
	base   F   // of the account looked at
	rows   []T // of that account, in the order of the listing
	parts  []part[F, T]
	list   func(context.Context, F, core.Page) ([]T, int, error)
	cursor func(*T) core.Cursor
}

// check tries each part of the filter alone and with each other one, and pages through what it selects.
func (l *listing[F, T]) check(t *testing.T) {
	t.Helper()
	l.try(t, "no filter")
	for i, a := range l.parts {
		if n := l.try(t, a.name, a); n == 0 || n == len(l.rows) {
			t.Errorf("%s: matches %d of %d rows, which tests little", a.name, n, len(l.rows))
		}
		for _, b := range l.parts[i+1:] {
			l.try(t, a.name+" and "+b.name, a, b)
		}
	}
}

func (l *listing[F, T]) try(t *testing.T, name string, parts ...part[F, T]) int {
	t.Helper()
	f := l.base
	want := slices.Clone(l.rows)
	for _, p := range parts {
		p.apply(&f)
		want = slices.DeleteFunc(want, func(r T) bool { return !p.match(&r) })
	}
	got, total, err := l.list(t.Context(), f, everything)
	is(t, name, err, nil)
	same(t, name, want, got)
	same(t, name+": total", len(want), total)
	sizes := []int{3}
	switch {
	case len(parts) == 1:
		sizes = []int{1, 7, max(len(want), 1)}
	case len(want) < 6:
		sizes = []int{1}
	}
	pages(t, name, want, sizes, l.cursor, func(p core.Page) ([]T, int, error) { return l.list(t.Context(), f, p) })
	return len(want)
}

// pages reads a listing in pages of several sizes, by cursor and by offset.
func pages[T any](
	t *testing.T, name string, want []T, sizes []int, cursor func(*T) core.Cursor, list func(core.Page) ([]T, int, error),
) {
	t.Helper()
	for _, size := range sizes {
		var byCursor, byOffset []T
		p := core.Page{Limit: size, Offset: 1 << 20} // a cursor takes precedence
		for offset := 0; ; offset += size {
			rows, total, err := list(core.Page{Limit: size, Offset: offset, Count: true})
			is(t, name, err, nil)
			same(t, fmt.Sprintf("%s: total at offset %d", name, offset), len(want), total)
			byOffset = append(byOffset, rows...)
			if offset == 0 {
				byCursor = slices.Clone(rows)
			} else {
				rows, _, err = list(p)
				is(t, name, err, nil)
				byCursor = append(byCursor, rows...)
			}
			if len(rows) < size || len(byOffset) > len(want) {
				break
			}
			c := cursor(&rows[len(rows)-1])
			p.After = &c
		}
		same(t, fmt.Sprintf("%s: pages of %d by cursor", name, size), want, byCursor)
		same(t, fmt.Sprintf("%s: pages of %d by offset", name, size), want, byOffset)
	}
}

// newest puts rows that were inserted in the order of their ids into the order of a listing.
func newest[T any](rows []T) []T {
	rows = slices.Clone(rows)
	slices.Reverse(rows)
	return rows
}

func hasTags(have, want []core.Tag) bool {
	return !slices.ContainsFunc(want, func(t core.Tag) bool { return !slices.Contains(have, t) })
}
