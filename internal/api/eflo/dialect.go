// Package eflo is the command part of Alibaba Cloud PAI Lingjun: the product eflo-controller, API version 2022-12-15.
// https://www.alibabacloud.com/help/en/pai/developer-reference/api-eflo-controller-2022-12-15-overview
package eflo

import (
	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

// Prefixes of ids on the way out.
const (
	nodePrefix       = "e01-"
	invocationPrefix = "t-"
)

// Dialect implements api.Dialect.
type Dialect struct {
	alibaba.Gateway
	service *core.Service
	regions alibaba.Regions
}

// New makes the dialect.
func New(env api.Env) *Dialect {
	d := &Dialect{service: env.Service, regions: alibaba.NewRegions(env.Regions)}
	d.Gateway = alibaba.Gateway{
		Env: &env, Product: "eflo", Version: alibaba.VersionEFLO, Actions: d.actions(), Refusal: refusal,
	}
	return d
}

// BuiltIns returns how the built-in parameters of this product's commands are filled in for each machine.
func BuiltIns() func(script []byte, v *core.Invocation, n *core.Node) []byte {
	return alibaba.BuiltIns(nodePrefix)
}
