package eflo

import (
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

// exception is the vendor's word for all that goes wrong on a machine and has no word of its own.
var exception = alibaba.Cause{Code: "ExecutionException", Info: "the command execution got an exception"}

// causes is ErrorCode and ErrorInfo for each cause. The product documents the sentences and, for transfers of files, most of the
// codes; the codes that only commands have are those of ECS.
var causes = map[core.Cause]alibaba.Cause{
	core.NoCause:                {},
	core.CauseNodeNotFound:      {Code: "NodeNotExists", Info: "the specified node does not exists"},
	core.CauseNodeReleased:      {Code: "NodeReleased", Info: "the instance was released during the command execution"},
	core.CauseNodeNotRunning:    {Code: "NodeNotRunning", Info: "the instance is not running when create task"},
	core.CauseNotApplicable:     {Code: "CommandNotApplicable", Info: "the command is not applicable"},
	core.CauseUserNotFound:      {Code: "AccountNotExists", Info: "the specified account does not exist"},
	core.CauseDirNotFound:       {Code: "DirectoryNotExists", Info: "the specified directory does not exist"},
	core.CauseDirDenied:         exception,
	core.CauseNoInterpreter:     exception,
	core.CauseInvalidContent:    exception,
	core.CauseNoSpace:           exception,
	core.CauseReadOnly:          exception,
	core.CauseExecFailed:        exception,
	core.CauseBadSchedule:       {Code: "BadCronExpression", Info: "the cron job expression is invalid"},
	core.CauseAgentOffline:      {Code: "ClientNotRunning", Info: "the aliyun service is not running on the instance"},
	core.CauseAgentUnresponsive: {Code: "ClientNotResponse", Info: "the aliyun service in the instance does not response"},
	core.CauseAgentUpgrading:    {Code: "ClientIsUpgrading", Info: "the aliyun service in the node is upgrading now"},
	core.CauseAgentTooOld:       {Code: "ClientNeedUpgrade", Info: "the aliyun service in the node need upgrade"},
	core.CauseDeliveryTimeout:   {Code: "DeliveryTimeout", Info: "the command delivery has been timeout"},
	core.CauseExecTimeout:       {Code: "ExecutionTimeout", Info: "the command execution has been timeout"},
	core.CauseException:         exception,
	core.CauseInterrupted:       {Code: "ExecutionInterrupted", Info: "the command execution has been interrupted"},
	core.CauseExitNonzero:       {Code: "ExitCodeNonzero", Info: "the command execution exit code is not zero"},
	core.CauseNetworkDenied:     {Code: "ClientNetworkBlocked", Info: "the aliyun service in the node cannot be reached"},
	core.CauseConcurrencyLimit:  {Code: "TaskConcurrencyLimit", Info: "the number of concurrent tasks exceeds the upper limit"},
	core.CauseOutOfMemory:       exception,
	core.CauseSupervisorGone:    exception,
	core.CauseRebooted:          exception,
	core.CauseJournalGap:        exception,
}
