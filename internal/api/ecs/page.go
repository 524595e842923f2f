package ecs

import (
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

const (
	defaultPage = 10
	maxPage     = 50
	// maxOffset bounds what paging by number may skip; callers with more rows use tokens.
	maxOffset = 100_000
)

// paging holds the parameters of both of the vendor's ways to page. Tokens win over page numbers.
type paging struct {
	MaxResults *int64
	NextToken  string
	PageNumber *int64
	PageSize   *int64
}

// paged is the answer to both.
type paged struct {
	TotalCount int64
	PageNumber int64
	PageSize   int64
	NextToken  string
}

// spec checks the parameters. The error of each is its own, and so is the bound it breaks.
func (p *paging) spec() (core.PageSpec, error) {
	spec := core.PageSpec{Token: p.NextToken, Limit: defaultPage, Count: true}
	if p.byToken() {
		if p.MaxResults != nil {
			if *p.MaxResults < 1 || *p.MaxResults > maxPage {
				return spec, alibaba.Invalid(core.ReasonInvalidValue, "MaxResults", "not 1 to 50")
			}
			spec.Limit = int(*p.MaxResults)
		}
		return spec, nil
	}
	if p.PageSize != nil {
		if *p.PageSize < 1 || *p.PageSize > maxPage {
			return spec, alibaba.Invalid(core.ReasonPageSize, "PageSize", "not 1 to 50")
		}
		spec.Limit = int(*p.PageSize)
	}
	if p.PageNumber != nil {
		if *p.PageNumber < 1 || *p.PageNumber > maxOffset/int64(spec.Limit)+1 {
			return spec, alibaba.Invalid(core.ReasonPageNumber, "PageNumber", "below 1 or too far")
		}
		spec.Offset = int(*p.PageNumber-1) * spec.Limit
	}
	return spec, nil
}

func (p *paging) byToken() bool { return p.MaxResults != nil || p.NextToken != "" }

// answer tells how the page came about. NextToken is there in both ways of paging while more rows exist, because the vendor's command line
// tool goes by it alone.
func (p *paging) answer(spec core.PageSpec, info core.PageInfo) paged {
	return paged{
		TotalCount: int64(info.Total), PageNumber: int64(spec.Offset/spec.Limit) + 1, PageSize: int64(spec.Limit), NextToken: info.Next,
	}
}
