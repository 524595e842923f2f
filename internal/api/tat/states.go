package tat

import "errand/internal/core"

// taskStatus is what the vendor calls the state of a task.
type taskStatus string

const (
	taskPending        taskStatus = "PENDING"
	taskDelivering     taskStatus = "DELIVERING"
	taskDeliverDelayed taskStatus = "DELIVER_DELAYED"
	taskRunning        taskStatus = "RUNNING"
	taskCancelling     taskStatus = "CANCELLING"
	taskSuccess        taskStatus = "SUCCESS"
	taskFailed         taskStatus = "FAILED"
	taskTimeout        taskStatus = "TIMEOUT"
	taskTaskTimeout    taskStatus = "TASK_TIMEOUT"
	taskDeliverFailed  taskStatus = "DELIVER_FAILED"
	taskStartFailed    taskStatus = "START_FAILED"
	taskCancelled      taskStatus = "CANCELLED"
	taskTerminated     taskStatus = "TERMINATED"
)

// taskStatuses names every state. What broke on the node after the start is a failure; ErrorInfo says that it was not the script's.
var taskStatuses = map[core.State]taskStatus{
	core.Queued:         taskPending,
	core.Scheduled:      taskPending,
	core.Delivering:     taskDelivering,
	core.Deferred:       taskDeliverDelayed,
	core.Running:        taskRunning,
	core.Stopping:       taskCancelling,
	core.Succeeded:      taskSuccess,
	core.Failed:         taskFailed,
	core.TimedOut:       taskTimeout,
	core.StartFailed:    taskStartFailed,
	core.Invalid:        taskStartFailed,
	core.DeliveryFailed: taskDeliverFailed,
	core.Lost:           taskTaskTimeout,
	core.Exception:      taskFailed,
	core.Cancelled:      taskCancelled,
	core.Terminated:     taskTerminated,
}

// trouble is a cause in the form of the vendor's agent: one of its words, then a sentence for people.
type trouble struct{ reason, sentence string }

// troubles names every cause. Those that are the script's own doing, or the caller's wish, have nothing to say here.
var troubles = map[core.Cause]trouble{
	core.NoCause:          {},
	core.CauseExitNonzero: {},
	core.CauseExecTimeout: {},
	core.CauseInterrupted: {},

	core.CauseNotApplicable:  {"InvalidCommand", "the instance cannot run commands of this type"},
	core.CauseInvalidContent: {"InvalidCommand", "the content cannot be run"},
	core.CauseUserNotFound:   {"InvalidUser", "the user does not exist"},
	core.CauseDirNotFound:    {"InvalidWorkingDirectory", "the working directory does not exist"},
	core.CauseDirDenied:      {"InvalidWorkingDirectory", "the user may not enter the working directory"},
	core.CauseNoSpace:        {"ScriptStoreFailed", "no space left on the instance"},
	core.CauseReadOnly:       {"ScriptStoreFailed", "the instance's file system is read-only"},
	core.CauseNoInterpreter:  {"TaskSpawnFailed", "the interpreter does not exist"},
	core.CauseExecFailed:     {"TaskSpawnFailed", "the process could not be started"},
	core.CauseLimits:         {"TaskSpawnFailed", "a resource limit cannot be enforced on the instance"},

	core.CauseNodeNotFound:     {"InstanceNotFound", "the instance does not exist"},
	core.CauseNodeReleased:     {"InstanceReleased", "the instance was removed"},
	core.CauseNodeNotRunning:   {"InstanceNotRunning", "the instance does not run"},
	core.CauseAgentOffline:     {"AgentOffline", "the agent is offline"},
	core.CauseAgentUpgrading:   {"AgentUpgrading", "the agent is being upgraded"},
	core.CauseAgentTooOld:      {"AgentTooOld", "the agent is too old for this command"},
	core.CauseDeliveryTimeout:  {"DeliverTimeout", "the agent did not take the task in time"},
	core.CauseNetworkDenied:    {"NetworkDenied", "the network does not let the task through"},
	core.CauseConcurrencyLimit: {"ConcurrencyLimit", "the instance runs too many tasks"},
	core.CauseBadSchedule:      {"InvalidSchedule", "the schedule cannot be evaluated"},
	core.CauseScheduleOver:     {"InvalidSchedule", "the schedule has no run left"},

	// Files and containers are other vendors', but what runs in a container is shown here too.
	core.CauseFileCreate:         {"FileError", "the file cannot be written"},
	core.CauseFileExists:         {"FileError", "the file exists"},
	core.CauseFileContent:        {"FileError", "the content cannot be decoded"},
	core.CauseFileName:           {"FileError", "the file name is not allowed"},
	core.CauseFilePath:           {"FileError", "the directory is not allowed"},
	core.CauseFileMode:           {"FileError", "the file mode is not allowed"},
	core.CauseFileHash:           {"FileError", "the file arrived with another hash"},
	core.CauseFileChanged:        {"FileError", "the file changed while it was read"},
	core.CauseFileKind:           {"FileError", "not a regular file"},
	core.CauseFileTooLarge:       {"FileError", "the file is too large"},
	core.CauseFileMissing:        {"FileError", "the file does not exist"},
	core.CauseFileUnreadable:     {"FileError", "the file cannot be read"},
	core.CauseFileRefused:        {"FileError", "the server would not move the file"},
	core.CauseGroupNotFound:      {"InvalidUser", "the group does not exist"},
	core.CauseContainerID:        {"InvalidContainer", "the container id is not allowed"},
	core.CauseContainerName:      {"InvalidContainer", "the container name is not allowed"},
	core.CauseContainerRuntime:   {"InvalidContainer", "the instance has no container runtime"},
	core.CauseContainerMismatch:  {"InvalidContainer", "container id and name are those of two containers"},
	core.CauseContainerAmbiguous: {"InvalidContainer", "several containers have this name"},
	core.CauseContainerNotFound:  {"InvalidContainer", "the container does not exist"},
	core.CauseContainerState:     {"InvalidContainer", "the container does not run"},
	core.CauseContainerConnect:   {"ContainerError", "the container runtime cannot be reached"},
	core.CauseContainerFault:     {"ContainerError", "the container runtime met an error"},
	core.CauseContainerTimeout:   {"ContainerError", "the container runtime did not answer in time"},

	core.CauseAgentUnresponsive: {"AgentUnresponsive", "the agent stopped reporting"},
	core.CauseException:         {"AgentException", "the agent met an unexpected error"},
	core.CauseOutOfMemory:       {"OutOfMemory", "the system killed the process for want of memory"},
	core.CauseSupervisorGone:    {"AgentException", "the process lost its supervisor"},
	core.CauseRebooted:          {"InstanceRebooted", "the instance was restarted"},
	core.CauseJournalGap:        {"AgentException", "the agent was interrupted while starting the process"},
}

// errorInfo says why a task failed, if it was not the script's doing.
func errorInfo(t *core.Task) string {
	why := troubles[t.Cause]
	switch {
	case why.reason == "":
		return ""
	case t.Detail != "":
		return why.reason + ": " + t.Detail
	default:
		return why.reason + ": " + why.sentence
	}
}

// exitCode is the code of the process, 0 before its end. The vendor's agent reports -1 for a process that was killed, for whatever reason,
// and for one that never started.
func exitCode(t *core.Task) int64 {
	switch {
	case !t.State.Ended():
		return 0
	case !t.Exited || t.Signal != 0 || t.State == core.TimedOut:
		return -1
	default:
		return int64(t.ExitCode)
	}
}

// invocationStatus is what the vendor calls the state of a whole invocation.
type invocationStatus string

const (
	invocationPending          invocationStatus = "PENDING"
	invocationRunning          invocationStatus = "RUNNING"
	invocationCancelling       invocationStatus = "CANCELLING"
	invocationSuccess          invocationStatus = "SUCCESS"
	invocationTimeout          invocationStatus = "TIMEOUT"
	invocationFailed           invocationStatus = "FAILED"
	invocationCancelled        invocationStatus = "CANCELLED"
	invocationPartialFailed    invocationStatus = "PARTIAL_FAILED"
	invocationPartialCancelled invocationStatus = "PARTIAL_CANCELLED"
)

// fold derives the status of an invocation from its tasks. The vendor does not say how; this yields only words it documents.
func fold(c *core.Counts) invocationStatus {
	total, open := c.Total(), c.Open()
	success, stopped := c.Of(core.Succeeded), c.Of(core.Cancelled, core.Terminated)
	switch {
	case c.Of(core.Stopping) > 0:
		return invocationCancelling
	case c.Of(core.Queued, core.Scheduled, core.Delivering, core.Deferred) == total:
		return invocationPending
	case open > 0:
		return invocationRunning
	case success == total:
		return invocationSuccess
	case stopped == total:
		return invocationCancelled
	case c.Of(core.TimedOut, core.Lost) == total:
		return invocationTimeout
	case success == 0 && stopped == 0:
		return invocationFailed
	case success+stopped == total:
		return invocationPartialCancelled
	default:
		return invocationPartialFailed
	}
}

// commandType is what the vendor calls the language of a command.
type commandType string

const (
	typeShell      commandType = "SHELL"
	typePowerShell commandType = "POWERSHELL"
	typeBat        commandType = "BAT"
)

var commandTypes = map[core.CommandType]commandType{
	core.Shell:      typeShell,
	core.PowerShell: typePowerShell,
	core.Bat:        typeBat,
}

// parseType reads a type as a caller wrote it.
func parseType(s string) (core.CommandType, bool) {
	for neutral, word := range commandTypes {
		if string(word) == s {
			return neutral, true
		}
	}
	return "", false
}

// workDir is the directory that a command runs in. Nothing stored means the home of the user, which only for root is known here.
func workDir(d *core.Definition) string {
	if d.WorkDir == "" && d.Type == core.Shell && (d.User == "" || d.User == "root") {
		return "/root"
	}
	return d.WorkDir
}

// user is the account that a command runs under.
func user(d *core.Definition) string {
	switch {
	case d.User != "":
		return d.User
	case d.Type == core.Shell:
		return "root"
	default:
		return "System"
	}
}
