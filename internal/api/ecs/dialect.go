// Package ecs is the Cloud Assistant of Alibaba Cloud ECS, API version 2014-05-26.
// https://www.alibabacloud.com/help/en/ecs/developer-reference/api-ecs-2014-05-26-dir-cloud-assistant
package ecs

import (
	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

// Prefixes of ids on the way out. Machines whose id was left to us are managed instances in this vendor's words.
const (
	nodePrefix       = "mi-"
	commandPrefix    = "c-"
	invocationPrefix = "t-"
)

// Dialect implements api.Dialect.
type Dialect struct {
	alibaba.Gateway
	service *core.Service
	regions alibaba.Regions
}

// New makes the dialect. It also answers requests in the vendor's style for products that nobody serves.
func New(env api.Env) *Dialect {
	d := &Dialect{service: env.Service, regions: alibaba.NewRegions(env.Regions)}
	d.Gateway = alibaba.Gateway{
		Env: &env, Product: "ecs", Version: alibaba.VersionECS, Fallback: true, Actions: d.actions(), Refusal: refusal,
	}
	return d
}

// located is embedded by the requests of all actions that want a region.
type located struct {
	RegionId string `alibaba:"required"`
}

func (l *located) region() string { return l.RegionId }

func (d *Dialect) decode(r *api.Request, dst any) error {
	if err := alibaba.Decode(r, dst); err != nil {
		return err
	}
	if in, ok := dst.(interface{ region() string }); ok && !d.regions.Known(in.region()) {
		return &core.Error{Code: core.CodeNotFound, Reason: core.ReasonRegionUnknown, Field: "RegionId", Detail: "no such region"}
	}
	return nil
}

// BuiltIns returns how the built-in parameters of this product's commands are filled in for each machine.
func BuiltIns() func(script []byte, v *core.Invocation, n *core.Node) []byte {
	return alibaba.BuiltIns(nodePrefix)
}
