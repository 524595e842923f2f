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
	core.CauseLimits:           exception,

	core.CauseScheduleOver: {Code: "CronExpressionExpired", Info: "The schedule has no run left"},

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
	core.CauseNodeNotFound:      {Code: "InstanceNotExists", Info: "the specified instance does not exists"},
	core.CauseNodeReleased:      {Code: "InstanceReleased", Info: "the specified instance has been released"},
	core.CauseNodeNotRunning:    {Code: "InstanceNotRunning", Info: "the instance is not running when create task"},
	core.CauseUserNotFound:      {Code: "AccountNotExists", Info: "Owner not exists"},
	core.CauseAgentOffline:      {Code: "ClientNotRunning", Info: "the aliyun service is not running on the instance"},
	core.CauseAgentUnresponsive: {Code: "ClientNotResponse", Info: "the aliyun service in the instance does not response"},
	core.CauseAgentUpgrading:    {Code: "ClientIsUpgrading", Info: "the aliyun service in the instance is upgrading now"},
	core.CauseAgentTooOld:       {Code: "ClientNeedUpgrade", Info: "the aliyun service in the instance need upgrade"},
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
