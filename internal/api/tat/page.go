package tat

import (
	"slices"
	"strings"
	"time"

	"errand/internal/core"
)

// The vendor's limits on listings.
// https://www.tencentcloud.com/document/product/1147/46696
const (
	defaultLimit = 20
	maxLimit     = 100
	maxFilters   = 10
	maxValues    = 5 // of one filter
)

// maxOffset is how deep a listing can be read. The vendor states no limit; rows before an offset have to be counted each time.
const maxOffset = 100_000

// page reads limit and offset.
func page(limit, offset *int64) (core.PageSpec, error) {
	spec := core.PageSpec{Limit: defaultLimit, Count: true}
	if limit != nil {
		switch {
		case *limit < 1:
			return spec, refuse(codeTooSmall, "Limit", "%d is less than 1", *limit)
		case *limit > maxLimit:
			return spec, refuse(codeTooLarge, "Limit", "%d is more than %d", *limit, maxLimit)
		}
		spec.Limit = int(*limit)
	}
	if offset != nil {
		switch {
		case *offset < 0:
			return spec, refuse(codeTooSmall, "Offset", "%d is less than 0", *offset)
		case *offset > maxOffset:
			return spec, refuse(codeInvalidValue, "Offset", "%d is more than %d", *offset, maxOffset)
		}
		spec.Offset = int(*offset)
	}
	return spec, nil
}

// begin checks what all listings have in common and reads the page. ids is the listing's id list, the parameter idsName.
func (l *listing) begin(ids []string, idsName string) (core.PageSpec, error) {
	switch {
	case len(ids) > 0 && len(l.Filters) > 0:
		return core.PageSpec{}, refuse(codeConflict, idsName, "not together with Filters")
	case len(ids) > maxIDs:
		return core.PageSpec{}, refuse(codeValueLimit, idsName, "more than %d", maxIDs)
	}
	return page(l.Limit, l.Offset)
}

// eachFilter calls read with the filters. tooMany is the action's code for a filter with too many values.
func (l *listing) eachFilter(tooMany code, read func(name string, values []string) error) error {
	if len(l.Filters) > maxFilters {
		return refuse(codeFilter, "Filters", "more than %d", maxFilters)
	}
	for _, f := range l.Filters {
		switch {
		case len(f.Values) == 0:
			return refuse(codeFilter, f.Name, "no values")
		case len(f.Values) > maxValues:
			return refuse(tooMany, f.Name, "more than %d values", maxValues)
		}
		if err := read(f.Name, f.Values); err != nil {
			return err
		}
	}
	return nil
}

func unknownFilter(name string) error {
	return refuse(codeFilter, "Filters", "no filter %.64q here", name)
}

// tagFilter is what a filter by tags asks of one tag; nil if it is not such a filter.
func tagFilter(name string, values []string) func(core.Tag) bool {
	switch key, exact := strings.CutPrefix(name, "tag:"); {
	case exact:
		return func(t core.Tag) bool { return t.Key == key && slices.Contains(values, t.Value) }
	case name == "tag-key":
		return func(t core.Tag) bool { return slices.Contains(values, t.Key) }
	case name == "tag-value":
		return func(t core.Tag) bool { return slices.Contains(values, t.Value) }
	default:
		return nil
	}
}

// conditions are what the store cannot select by. A row has to meet them all.
type conditions[T any] []func(*T) bool

func (list conditions[T]) hold(row *T) bool {
	for _, holds := range list {
		if !holds(row) {
			return false
		}
	}
	return true
}

// scanned is how many rows are read at a time when they have to be judged one by one. The vendor allows 500 commands in all.
const scanned = 500

// scan reads a page of a listing and counts all rows that match. read is the listing as the store selects it.
func scan[T any](
	page core.PageSpec, keep conditions[T], read func(core.PageSpec) ([]T, core.PageInfo, error),
) (rows []T, total int, err error) {
	if len(keep) == 0 {
		rows, info, err := read(page)
		return rows, info.Total, err
	}
	for spec := (core.PageSpec{Limit: scanned}); ; {
		batch, info, err := read(spec)
		if err != nil {
			return nil, 0, err
		}
		for i := range batch {
			if !keep.hold(&batch[i]) {
				continue
			}
			if total >= page.Offset && len(rows) < page.Limit {
				rows = append(rows, batch[i])
			}
			total++
		}
		if info.Next == "" {
			return rows, total, nil
		}
		spec.Token = info.Next
	}
}

// narrow adds alternatives to a selection; nil selects everything. Where nothing is left it selects nobody, whom nothing matches.
func narrow[T comparable](selected, alternatives []T, nobody T) []T {
	if selected == nil {
		return alternatives
	}
	var both []T
	for _, v := range selected {
		for _, w := range alternatives {
			if v == w {
				both = append(both, v)
				break
			}
		}
	}
	if both == nil {
		return []T{nobody}
	}
	return both
}

// oneOf checks the values of a filter that has fixed words, and reports which of the words occur.
func oneOf(name string, values []string, words ...string) (map[string]bool, error) {
	occur := make(map[string]bool, len(words))
	for _, w := range words {
		occur[w] = false
	}
	for _, v := range values {
		if _, known := occur[v]; !known {
			return nil, refuse(codeFilter, name, "%.64q is none of %v", v, words)
		}
		occur[v] = true
	}
	return occur, nil
}

// clock renders a time in the vendor's form.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// clockOrNull is null for a time that is not known yet.
func clockOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := clock(t)
	return &s
}
