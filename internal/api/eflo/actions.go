package eflo

import (
	"errand/internal/api"
	"errand/internal/api/alibaba"
)

// actions lists the operations. What is not listed does not exist for callers.
func (d *Dialect) actions() map[string]api.Action {
	const reads, changes = false, true
	return api.Actions(
		api.Do("RunCommand", changes, alibaba.Decode, d.runCommand),
		api.Do("DescribeInvocations", reads, alibaba.Decode, d.describeInvocations),
		api.Do("StopInvocation", changes, alibaba.Decode, d.stopInvocation),
	)
}
