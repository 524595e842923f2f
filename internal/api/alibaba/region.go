package alibaba

import (
	"slices"
	"strings"
)

// Region is a place as DescribeRegions lists it.
type Region struct{ ID, Chinese, English string }

// Name is the region's name in the language that a caller prefers; the vendor's default is Chinese.
func (r Region) Name(language string) string {
	if language == "" || strings.HasPrefix(strings.ToLower(language), "zh") {
		return r.Chinese
	}
	return r.English
}

// Regions are the regions that requests may name: the installation's own, then those the vendor has published. A region is only a
// label here: nothing is kept apart by it.
type Regions []Region

// NewRegions puts the installation's own regions first; the first region is the default.
func NewRegions(own []string) Regions {
	list := make(Regions, 0, len(own)+len(published))
	for _, id := range own {
		list = append(list, Region{id, id, id})
	}
	for _, r := range published {
		if !slices.Contains(own, r.ID) {
			list = append(list, r)
		}
	}
	return list
}

// Known reports whether a region exists.
func (l Regions) Known(id string) bool {
	return slices.ContainsFunc(l, func(r Region) bool { return r.ID == id })
}

// Or returns the region if it exists and otherwise the default.
func (l Regions) Or(id string) string {
	if l.Known(id) {
		return id
	}
	return l[0].ID
}

// published are the vendor's regions.
// https://www.alibabacloud.com/help/en/ecs/user-guide/regions-and-zones
var published = Regions{
	{"cn-hangzhou", "华东1（杭州）", "China (Hangzhou)"},
	{"cn-shanghai", "华东2（上海）", "China (Shanghai)"},
	{"cn-nanjing", "华东5（南京-本地地域）", "China (Nanjing - Local Region)"},
	{"cn-fuzhou", "华东6（福州-本地地域）", "China (Fuzhou - Local Region)"},
	{"cn-wuhan-lr", "华中1（武汉-本地地域）", "China (Wuhan - Local Region)"},
	{"cn-zhengzhou-jva", "郑州（联通合营）", "China (Zhengzhou)"},
	{"cn-qingdao", "华北1（青岛）", "China (Qingdao)"},
	{"cn-beijing", "华北2（北京）", "China (Beijing)"},
	{"cn-zhangjiakou", "华北3（张家口）", "China (Zhangjiakou)"},
	{"cn-huhehaote", "华北5（呼和浩特）", "China (Hohhot)"},
	{"cn-wulanchabu", "华北6（乌兰察布）", "China (Ulanqab)"},
	{"cn-shenzhen", "华南1（深圳）", "China (Shenzhen)"},
	{"cn-heyuan", "华南2（河源）", "China (Heyuan)"},
	{"cn-guangzhou", "华南3（广州）", "China (Guangzhou)"},
	{"cn-chengdu", "西南1（成都）", "China (Chengdu)"},
	{"cn-hongkong", "中国香港", "China (Hong Kong)"},
	{"ap-northeast-1", "日本（东京）", "Japan (Tokyo)"},
	{"ap-northeast-2", "韩国（首尔）", "South Korea (Seoul)"},
	{"ap-southeast-1", "新加坡", "Singapore"},
	{"ap-southeast-2", "澳大利亚（悉尼）", "Australia (Sydney)"},
	{"ap-southeast-3", "马来西亚（吉隆坡）", "Malaysia (Kuala Lumpur)"},
	{"ap-southeast-5", "印度尼西亚（雅加达）", "Indonesia (Jakarta)"},
	{"ap-southeast-6", "菲律宾（马尼拉）", "Philippines (Manila)"},
	{"ap-southeast-7", "泰国（曼谷）", "Thailand (Bangkok)"},
	{"ap-south-1", "印度（孟买）", "India (Mumbai)"},
	{"us-east-1", "美国（弗吉尼亚）", "US (Virginia)"},
	{"us-west-1", "美国（硅谷）", "US (Silicon Valley)"},
	{"na-south-1", "墨西哥", "Mexico"},
	{"eu-west-1", "英国（伦敦）", "UK (London)"},
	{"eu-central-1", "德国（法兰克福）", "Germany (Frankfurt)"},
	{"me-east-1", "阿联酋（迪拜）", "UAE (Dubai)"},
	{"me-central-1", "沙特（利雅得）", "SAU (Riyadh - Partner Region)"},
}
