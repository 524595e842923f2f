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
	core.CauseLimits:            exception,

	core.CauseScheduleOver: {Code: "CronExpressionExpired", Info: "the schedule has no run left"},

	// A transfer of a file has its own table; these are for the day when a command meets one of them.
	core.CauseFileHash:       exception,
	core.CauseFileChanged:    exception,
	core.CauseFileKind:       exception,
	core.CauseFileTooLarge:   exception,
	core.CauseFileMissing:    exception,
	core.CauseFileUnreadable: exception,
	core.CauseFileRefused:    exception,
	core.CauseFileCreate:     exception,
	core.CauseFileExists:     exception,
	core.CauseFileContent:    exception,
	core.CauseFileName:       exception,
	core.CauseFilePath:       exception,
	core.CauseFileMode:       exception,
	core.CauseGroupNotFound:  exception,

	core.CauseContainerID:        alibaba.ContainerID,
	core.CauseContainerName:      alibaba.ContainerName,
	core.CauseContainerRuntime:   alibaba.ContainerRuntime,
	core.CauseContainerMismatch:  alibaba.ContainerMismatch,
	core.CauseContainerAmbiguous: alibaba.ContainerAmbiguous,
	core.CauseContainerNotFound:  alibaba.ContainerNotFound,
	core.CauseContainerState:     alibaba.ContainerState,
	core.CauseContainerConnect:   alibaba.ContainerConnect,
	core.CauseContainerFault:     alibaba.ContainerFault,
	core.CauseContainerTimeout:   alibaba.ContainerTimeout,
}

// fileCauses is ErrorCode and ErrorInfo for each cause of a file that was not written. The vendor's page lists codes and sentences without
// pairing them.
var fileCauses = map[core.Cause]alibaba.Cause{ //nolint:exhaustive // all others are files that could not be made
	core.CauseNodeNotFound:      {Code: "NodeNotExists", Info: "the specified node does not exists"},
	core.CauseNodeReleased:      {Code: "NodeReleased", Info: "the specified instance has been released"},
	core.CauseNodeNotRunning:    {Code: "NodeNotRunning", Info: "the node is not running when create task"},
	core.CauseUserNotFound:      {Code: "AccountNotExists", Info: "Owner not exists"},
	core.CauseAgentOffline:      {Code: "ClientNotRunning", Info: "the aliyun service is not running on the instance"},
	core.CauseAgentUnresponsive: {Code: "ClientNotResponse", Info: "the aliyun service in the instance does not response"},
	core.CauseAgentUpgrading:    {Code: "ClientIsUpgrading", Info: "the aliyun service in the node is upgrading now"},
	core.CauseAgentTooOld:       {Code: "ClientNeedUpgrade", Info: "the aliyun service in the node need upgrade"},
	core.CauseDeliveryTimeout:   {Code: "DeliveryTimeout", Info: "the command delivery has been timeout"},
	core.CauseFileExists:        {Code: "FileAlreadyExists", Info: "File already exists"},
	core.CauseFileContent:       {Code: "FileContentInvalid", Info: "the content of file is invalid"},
	core.CauseFileName:          {Code: "FileNameInvalid", Info: "File name is invalid"},
	core.CauseFilePath:          {Code: "FilePathInvalid", Info: "File path is invalid"},
	core.CauseFileMode:          {Code: "FileAuthorityInvalid", Info: "the authority of file is invalid"},
	core.CauseGroupNotFound:     {Code: "UserGroupNotExists", Info: "Group not exists"},
}

// fileCause is what went wrong with a file on one machine; whatever has no word of its own is a file that could not be made.
func fileCause(t *core.Task) alibaba.Cause {
	cause, ok := fileCauses[t.Cause]
	if !ok && t.Cause != core.NoCause {
		cause = alibaba.Cause{Code: "FileCreateFail", Info: "the file creation is failed due to unknown error"}
	}
	return cause.Of(t)
}
