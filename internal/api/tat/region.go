package tat

import (
	"context"
	"slices"

	"errand/internal/api"
	"errand/internal/core"
)

// available is the only state of a region that is listed.
const available = "AVAILABLE"

// published are the regions of the vendor, in the order of its pages, under the names of its English pages.
// https://www.tencentcloud.com/document/product/1147/46705
var published = []regionInfo{
	{"ap-guangzhou", "Guangzhou", available},
	{"ap-shanghai", "Shanghai", available},
	{"ap-nanjing", "Nanjing", available},
	{"ap-beijing", "Beijing", available},
	{"ap-chengdu", "Chengdu", available},
	{"ap-chongqing", "Chongqing", available},
	{"ap-hongkong", "Hong Kong", available},
	{"ap-singapore", "Singapore", available},
	{"ap-jakarta", "Jakarta", available},
	{"ap-bangkok", "Bangkok", available},
	{"ap-mumbai", "Mumbai", available},
	{"ap-seoul", "Seoul", available},
	{"ap-tokyo", "Tokyo", available},
	{"na-ashburn", "Virginia", available},
	{"na-siliconvalley", "Silicon Valley", available},
	{"na-toronto", "Toronto", available},
	{"sa-saopaulo", "Sao Paulo", available},
	{"eu-frankfurt", "Frankfurt", available},
	{"ap-shanghai-fsi", "Shanghai Finance", available},
	{"ap-shenzhen-fsi", "Shenzhen Finance", available},
	{"ap-beijing-fsi", "Beijing Finance", available},
}

// allRegions lists the installation's own regions and the vendor's. A region is a label here: every one is served, and none hides anything.
func (d *Dialect) allRegions() []regionInfo {
	var own []regionInfo
	for _, name := range d.env.Regions {
		if !slices.ContainsFunc(published, func(r regionInfo) bool { return r.Region == name }) {
			own = append(own, regionInfo{name, name, available})
		}
	}
	return append(own, published...)
}

// regionOf is the region that a request names, or the default one: the vendor's clients leave it out when they were made without.
func (d *Dialect) regionOf(r *api.Request) string {
	if name := common(r, "Region"); name != "" {
		return name
	}
	return d.env.DefaultRegion(published[0].Region)
}

func (d *Dialect) describeRegions(context.Context, core.Caller, *describeRegionsRequest) (*describeRegionsResponse, error) {
	all := d.allRegions()
	return &describeRegionsResponse{TotalCount: len(all), RegionSet: all}, nil
}
