package zos

import (
	"math"
	"time"

	"errand/internal/core"
)

const defaultPageSize = 20

// pageRequest is how the list actions are paged.
type pageRequest struct {
	PageSize *int64 `json:"pageSize"`
	PageNum  *int64 `json:"pageNum"` // from 1
}

// spec checks the page. An oversized page is refused rather than shortened: the vendor's command line takes a page that is shorter than
// it asked for as the last one.
func (p *pageRequest) spec(most int64) (core.PageSpec, error) {
	size, num := int64(defaultPageSize), int64(1)
	if p.PageSize != nil {
		size = *p.PageSize
	}
	if p.PageNum != nil {
		num = *p.PageNum
	}
	switch {
	case size < 1:
		return core.PageSpec{}, refuse(core.ReasonTooSmall, "pageSize", "less than 1")
	case size > most:
		return core.PageSpec{}, refuse(core.ReasonTooLarge, "pageSize", "more than %d", most)
	case num < 1:
		return core.PageSpec{}, refuse(core.ReasonTooSmall, "pageNum", "less than 1")
	}
	// Page numbers have no limit; beyond this one nothing can exist.
	offset := min(num-1, math.MaxInt32) * size
	return core.PageSpec{Offset: int(offset), Limit: int(size), Count: true}, nil
}

// clock renders a time in the vendor's form, which carries no zone; it is UTC.
func clock(t time.Time) string { return t.UTC().Format(time.DateTime) }

// clockOrNull is null for a time that is not known yet.
func clockOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return textOrNull(clock(t))
}

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
