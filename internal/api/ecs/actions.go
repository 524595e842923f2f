package ecs

import "errand/internal/api"

// actions lists the operations. What is not listed does not exist for callers.
func (d *Dialect) actions() map[string]api.Action {
	const reads, changes = false, true
	return api.Actions(
		api.Do("CreateCommand", changes, d.decode, d.createCommand),
		api.Do("DescribeCommands", reads, d.decode, d.describeCommands),
		api.Do("ModifyCommand", changes, d.decode, d.modifyCommand),
		api.Do("DeleteCommand", changes, d.decode, d.deleteCommand),

		api.Do("RunCommand", changes, d.decode, d.runCommand),
		api.Do("InvokeCommand", changes, d.decode, d.invokeCommand),
		api.Do("StopInvocation", changes, d.decode, d.stopInvocation),
		api.Do("DescribeInvocations", reads, d.decode, d.describeInvocations),
		api.Do("DescribeInvocationResults", reads, d.decode, d.describeInvocationResults),
		api.Do("ModifyInvocationAttribute", changes, d.decode, d.modifyInvocationAttribute),

		api.Do("SendFile", changes, d.decode, d.sendFile),
		api.Do("DescribeSendFileResults", reads, d.decode, d.describeSendFileResults),

		api.Do("DescribeCloudAssistantStatus", reads, d.decode, d.describeCloudAssistantStatus),
		api.Do("DescribeManagedInstances", reads, d.decode, d.describeManagedInstances),
		api.Do("ModifyManagedInstance", changes, d.decode, d.modifyManagedInstance),
		api.Do("DeregisterManagedInstance", changes, d.decode, d.deregisterManagedInstance),
		api.Do("CreateActivation", changes, d.decode, d.createActivation),
		api.Do("DescribeActivations", reads, d.decode, d.describeActivations),
		api.Do("DisableActivation", changes, d.decode, d.disableActivation),
		api.Do("DeleteActivation", changes, d.decode, d.deleteActivation),

		api.Do("InstallCloudAssistant", changes, d.decode, d.installCloudAssistant),
		api.Do("ListPluginStatus", reads, d.decode, d.listPluginStatus),
		api.Do("DescribeCloudAssistantSettings", reads, d.decode, d.describeCloudAssistantSettings),
		api.Do("ModifyCloudAssistantSettings", changes, d.decode, d.modifyCloudAssistantSettings),

		api.Do("StartTerminalSession", changes, d.decode, d.startTerminalSession),
		api.Do("EndTerminalSession", changes, d.decode, d.endTerminalSession),
		api.Do("DescribeTerminalSessions", reads, d.decode, d.describeTerminalSessions),

		api.Do("DescribeInstances", reads, d.decode, d.describeInstances),
		api.Do("DescribeInstanceStatus", reads, d.decode, d.describeInstanceStatus),
		api.Do("TagResources", changes, d.decode, d.tagResources),
		api.Do("UntagResources", changes, d.decode, d.untagResources),
		api.Do("ListTagResources", reads, d.decode, d.listTagResources),

		api.Do("DescribeRegions", reads, d.decode, d.describeRegions),
	)
}
