package ecs

import (
	"fmt"

	"errand/internal/api/alibaba"
	"errand/internal/core"
)

const (
	defaultPage = 10
	maxPage     = 50
	// maxInstancePage is maxPage for DescribeInstances.
	maxInstancePage = 100
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
func (p *paging) spec() (core.PageSpec, error) { return p.within(maxPage) }

// bent is spec for the one listing that has longer pages and bends a MaxResults that is out of bounds instead of refusing it.
func (p *paging) bent() (core.PageSpec, error) {
	if p.MaxResults != nil {
		*p.MaxResults = min(max(*p.MaxResults, defaultPage), maxInstancePage)
	}
	return p.within(maxInstancePage)
}

func (p *paging) within(most int64) (core.PageSpec, error) {
	spec := core.PageSpec{Token: p.NextToken, Limit: defaultPage, Count: true}
	if p.byToken() {
		if p.MaxResults != nil {
			if *p.MaxResults < 1 || *p.MaxResults > most {
				return spec, alibaba.Invalid(core.ReasonInvalidValue, "MaxResults", fmt.Sprintf("not 1 to %d", most))
			}
			spec.Limit = int(*p.MaxResults)
		}
		return spec, nil
	}
	if p.PageSize != nil {
		if *p.PageSize < 1 || *p.PageSize > most {
			return spec, alibaba.Invalid(core.ReasonPageSize, "PageSize", fmt.Sprintf("not 1 to %d", most))
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
