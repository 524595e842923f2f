package ecs

import (
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

// exception is the vendor's word for all that goes wrong on a machine and has no word of its own.
var exception = alibaba.Cause{Code: "ExecutionException", Info: "The command execution got an exception"}

// causes is ErrorCode and ErrorInfo for each cause, in the texts of DescribeInvocationResults. The texts for TaskConcurrencyLimit and
// ExecutionInterrupted are not on that page.
var causes = map[core.Cause]alibaba.Cause{
	core.NoCause:             {},
	core.CauseNodeNotFound:   {Code: "InstanceNotExists", Info: "The specified instance does not exist"},
	core.CauseNodeReleased:   {Code: "InstanceReleased", Info: "The specified instance was released during task execution"},
	core.CauseNodeNotRunning: {Code: "InstanceNotRunning", Info: "The specified instance was not running during task execution"},
	core.CauseNotApplicable: {
		Code: "CommandNotApplicable", Info: "The OS type of the instance does not support the specified command type",
	},
	core.CauseUserNotFound:   {Code: "AccountNotExists", Info: "The specified account does not exist"},
	core.CauseDirNotFound:    {Code: "DirectoryNotExists", Info: "The specified directory does not exist"},
	core.CauseDirDenied:      exception,
	core.CauseNoInterpreter:  exception,
	core.CauseInvalidContent: exception,
	core.CauseNoSpace:        exception,
	core.CauseReadOnly:       exception,
	core.CauseExecFailed:     exception,
	core.CauseBadSchedule:    {Code: "BadCronExpression", Info: "The cron expression is invalid"},
	core.CauseAgentOffline:   {Code: "ClientNotRunning", Info: "The aliyun service is not running on the instance"},
	core.CauseAgentUnresponsive: {
		Code: "ClientNotResponse", Info: "The aliyun service in the instance does not response",
	},
	core.CauseAgentUpgrading: {
		Code: "ClientIsUpgrading", Info: "The aliyun service in the instance is upgrading during task execution",
	},
	core.CauseAgentTooOld:      {Code: "ClientNeedUpgrade", Info: "The aliyun service in the instance need to be upgraded"},
	core.CauseDeliveryTimeout:  {Code: "DeliveryTimeout", Info: "The command delivery has been timeout"},
	core.CauseExecTimeout:      {Code: "ExecutionTimeout", Info: "The command execution has been timeout"},
	core.CauseException:        exception,
	core.CauseInterrupted:      {Code: "ExecutionInterrupted", Info: "The command execution has been interrupted"},
	core.CauseExitNonzero:      {Code: "ExitCodeNonzero", Info: "The command execution exit code is not zero"},
	core.CauseNetworkDenied:    {Code: "SecurityGroupRuleDenied", Info: "The security group rules denied access to the aliyun service"},
	core.CauseConcurrencyLimit: {Code: "TaskConcurrencyLimit", Info: "The number of concurrent tasks exceeds the upper limit"},
	core.CauseOutOfMemory:      exception,
	core.CauseSupervisorGone:   exception,
	core.CauseRebooted:         exception,
	core.CauseJournalGap:       exception,
}
