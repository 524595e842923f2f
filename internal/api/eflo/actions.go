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

		api.Do("SendFile", changes, alibaba.Decode, d.sendFile),
		api.Do("DescribeSendFileResults", reads, alibaba.Decode, d.describeSendFileResults),

		api.Do("CreateSession", changes, alibaba.Decode, d.createSession),
		api.Do("CloseSession", changes, alibaba.Decode, d.closeSession),

		api.Do("DescribeNode", reads, alibaba.Decode, d.describeNode),
		api.Do("ListClusterNodes", reads, alibaba.Decode, d.listClusterNodes),
		api.Do("ListFreeNodes", reads, alibaba.Decode, d.listFreeNodes),
		api.Do("ListClusters", reads, alibaba.Decode, d.listClusters),
		api.Do("DescribeRegions", reads, alibaba.Decode, d.describeRegions),

		api.Do("TagResources", changes, alibaba.Decode, d.tagResources),
		api.Do("UntagResources", changes, alibaba.Decode, d.untagResources),
		api.Do("ListTagResources", reads, alibaba.Decode, d.listTagResources),
	)
}
