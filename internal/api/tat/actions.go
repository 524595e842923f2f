package tat

import "errand/internal/api"

// table lists the actions.
func (d *Dialect) table() map[string]api.Action {
	return api.Actions(
		api.Do("CreateCommand", true, d.decode, d.createCommand),
		api.Do("ModifyCommand", true, d.decode, d.modifyCommand),
		api.Do("DeleteCommand", true, d.decode, d.deleteCommand),
		api.Do("DeleteCommands", true, d.decode, d.deleteCommands),
		api.Do("DescribeCommands", false, d.decode, d.describeCommands),
		api.Do("PreviewReplacedCommandContent", false, d.decode, d.previewReplacedCommandContent),

		api.Do("RunCommand", true, d.decode, d.runCommand),
		api.Do("InvokeCommand", true, d.decode, d.invokeCommand),
		api.Do("CancelInvocation", true, d.decode, d.cancelInvocation),
		api.Do("DescribeInvocations", false, d.decode, d.describeInvocations),
		api.Do("DescribeInvocationTasks", false, d.decode, d.describeInvocationTasks),

		api.Do("CreateInvoker", true, d.decode, d.createInvoker),
		api.Do("ModifyInvoker", true, d.decode, d.modifyInvoker),
		api.Do("DeleteInvoker", true, d.decode, d.deleteInvoker),
		api.Do("EnableInvoker", true, d.decode, d.enableInvoker),
		api.Do("DisableInvoker", true, d.decode, d.disableInvoker),
		api.Do("DescribeInvokers", false, d.decode, d.describeInvokers),
		api.Do("DescribeInvokerRecords", false, d.decode, d.describeInvokerRecords),

		api.Do("DescribeAutomationAgentStatus", false, d.decode, d.describeAutomationAgentStatus),
		api.Do("DescribeRegions", false, d.decode, d.describeRegions),
		api.Do("DescribeQuotas", false, d.decode, d.describeQuotas),
		api.Do("DescribeScenes", false, d.decode, d.describeScenes),

		api.Do("CreateRegisterCode", true, d.decode, d.createRegisterCode),
		api.Do("DisableRegisterCodes", true, d.decode, d.disableRegisterCodes),
		api.Do("DeleteRegisterCodes", true, d.decode, d.deleteRegisterCodes),
		api.Do("DescribeRegisterCodes", false, d.decode, d.describeRegisterCodes),
		api.Do("ModifyRegisterInstance", true, d.decode, d.modifyRegisterInstance),
		api.Do("DeleteRegisterInstance", true, d.decode, d.deleteRegisterInstance),
		api.Do("DescribeRegisterInstances", false, d.decode, d.describeRegisterInstances),
	)
}
