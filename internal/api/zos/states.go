package zos

import "errand/internal/core"

// taskStatus is what the vendor calls the state of a task.
type taskStatus string

const (
	taskPending taskStatus = "Pending"
	taskRunning taskStatus = "Running"
	taskSuccess taskStatus = "Success"
	taskFailed  taskStatus = "Failed"
	taskTimeout taskStatus = "Timeout"
	taskError   taskStatus = "Error"
)

// statusOf names a state. The vendor knows no stops: a task that is being stopped still runs, and one that was stopped is an error.
func statusOf(s core.State) taskStatus {
	switch s {
	case core.Queued, core.Scheduled, core.Delivering, core.Deferred:
		return taskPending
	case core.Running, core.Stopping:
		return taskRunning
	case core.Succeeded:
		return taskSuccess
	case core.Failed:
		return taskFailed
	case core.TimedOut:
		return taskTimeout
	case core.StartFailed, core.Invalid, core.DeliveryFailed, core.Lost, core.Exception, core.Cancelled, core.Terminated:
		return taskError
	}
	return taskError
}

// errorCode is why a task did not succeed.
type errorCode string

// The spelling is the vendor's.
const (
	errInstanceNotExists      errorCode = "InstanceNotExists"
	errInstanceState          errorCode = "InstanceInstanceState"
	errSystem                 errorCode = "SystemError"
	errCommandPlatformInvalid errorCode = "CommandPlatformInvalid"
	errExecutionTimeout       errorCode = "ExecutionTimeout"
	errExecutionExitCode      errorCode = "ExecutionExitNoneZero"
)

// errorOf names the reason of a task's end; nil before the end and on success. exists says whether the instance still does.
func errorOf(t *core.Task, exists bool) *errorCode {
	var c errorCode
	switch t.State {
	case core.Queued, core.Scheduled, core.Delivering, core.Deferred, core.Running, core.Stopping, core.Succeeded:
		return nil
	case core.Failed:
		c = errExecutionExitCode
	case core.TimedOut:
		c = errExecutionTimeout
	case core.Cancelled, core.Terminated:
		c = errSystem
	case core.Invalid:
		c = causeOr(t.Cause, errCommandPlatformInvalid)
	case core.DeliveryFailed:
		c = causeOr(t.Cause, errInstanceState)
	case core.StartFailed, core.Lost, core.Exception:
		c = causeOr(t.Cause, errSystem)
	}
	if !exists && t.State.Presumed() {
		c = errInstanceNotExists // it fell silent because it is gone
	}
	return &c
}

// causeOr names a cause, or returns fallback if none is known.
func causeOr(c core.Cause, fallback errorCode) errorCode {
	switch c {
	case core.NoCause:
		return fallback
	case core.CauseNodeNotFound, core.CauseNodeReleased:
		return errInstanceNotExists
	case core.CauseNodeNotRunning, core.CauseAgentOffline:
		return errInstanceState
	case core.CauseNotApplicable:
		return errCommandPlatformInvalid
	case core.CauseExecTimeout:
		return errExecutionTimeout
	case core.CauseExitNonzero:
		return errExecutionExitCode
	case core.CauseUserNotFound, core.CauseDirNotFound, core.CauseDirDenied, core.CauseNoInterpreter, core.CauseInvalidContent,
		core.CauseNoSpace, core.CauseReadOnly, core.CauseExecFailed, core.CauseBadSchedule, core.CauseAgentUnresponsive,
		core.CauseAgentUpgrading, core.CauseAgentTooOld, core.CauseDeliveryTimeout, core.CauseException, core.CauseInterrupted,
		core.CauseNetworkDenied, core.CauseConcurrencyLimit, core.CauseOutOfMemory, core.CauseSupervisorGone,
		core.CauseRebooted, core.CauseJournalGap, core.CauseScheduleOver, core.CauseGroupNotFound,
		core.CauseFileCreate, core.CauseFileExists, core.CauseFileContent, core.CauseFileName, core.CauseFilePath, core.CauseFileMode,
		core.CauseContainerID, core.CauseContainerName, core.CauseContainerRuntime, core.CauseContainerMismatch,
		core.CauseContainerAmbiguous, core.CauseContainerNotFound, core.CauseContainerState, core.CauseContainerConnect,
		core.CauseContainerFault, core.CauseContainerTimeout, core.CauseLimits,
		core.CauseFileHash, core.CauseFileChanged, core.CauseFileKind, core.CauseFileTooLarge, core.CauseFileMissing,
		core.CauseFileUnreadable, core.CauseFileRefused:
		return errSystem
	}
	return errSystem
}

// invocationStatus is what the vendor calls the state of a whole invocation.
type invocationStatus string

const (
	invocationPending       invocationStatus = "Pending"
	invocationRunning       invocationStatus = "Running"
	invocationPartialFailed invocationStatus = "PartialFailed"
	invocationFailed        invocationStatus = "Failed"
	invocationSuccess       invocationStatus = "Success"
)

// parseInvocationStatus reads a status as a caller wrote it.
func parseInvocationStatus(s string) (invocationStatus, bool) {
	switch v := invocationStatus(s); v {
	case invocationPending, invocationRunning, invocationPartialFailed, invocationFailed, invocationSuccess:
		return v, true
	}
	return "", false
}

// fold derives the status of an invocation from its tasks: Pending while none has begun, Running until all have ended, then by how
// many succeeded.
func fold(c *core.Counts) invocationStatus {
	pending := c.Of(core.Queued, core.Scheduled, core.Delivering, core.Deferred)
	total, success := c.Total(), c.Of(core.Succeeded)
	switch {
	case pending == total:
		return invocationPending
	case c.Open() > 0:
		return invocationRunning
	case success == total:
		return invocationSuccess
	case success == 0:
		return invocationFailed
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

func typeOf(t core.CommandType) commandType {
	switch t {
	case core.Shell:
		return typeShell
	case core.PowerShell:
		return typePowerShell
	case core.Bat:
		return typeBat
	}
	return commandType(t)
}

// parseType reads a type as a caller wrote it.
func parseType(field, s string) (core.CommandType, error) {
	switch commandType(s) {
	case typeShell:
		return core.Shell, nil
	case typePowerShell:
		return core.PowerShell, nil
	case typeBat:
		return core.Bat, nil
	}
	return "", refuse(core.ReasonTypeUnknown, field, "%.64q is not SHELL, POWERSHELL or BAT", s)
}
