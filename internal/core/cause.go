package core

// Cause is why a task did not simply succeed, finer than its state. The numbers are stored: new ones are added at the end.
type Cause uint8

// The causes. Each dialect has a table that names every one of them in its vendor's words.
const (
	NoCause Cause = iota
	CauseNodeNotFound
	CauseNodeReleased
	CauseNodeNotRunning
	CauseNotApplicable // the platform cannot run this type of command
	CauseUserNotFound
	CauseDirNotFound
	CauseDirDenied
	CauseNoInterpreter
	CauseInvalidContent
	CauseNoSpace
	CauseReadOnly
	CauseExecFailed
	CauseBadSchedule
	CauseAgentOffline
	CauseAgentUnresponsive
	CauseAgentUpgrading
	CauseAgentTooOld
	CauseDeliveryTimeout
	CauseExecTimeout
	CauseException
	CauseInterrupted // stopped while running
	CauseExitNonzero
	CauseNetworkDenied
	CauseConcurrencyLimit
	CauseOutOfMemory
	CauseSupervisorGone
	CauseRebooted
	CauseJournalGap   // the agent died between writing a start down and starting
	CauseScheduleOver // no run took place and none will
	CauseFileCreate
	CauseFileExists
	CauseFileContent
	CauseFileName
	CauseFilePath
	CauseFileMode
	CauseGroupNotFound
	CauseContainerID
	CauseContainerName
	CauseContainerRuntime // no runtime that could have it
	CauseContainerMismatch
	CauseContainerAmbiguous
	CauseContainerNotFound
	CauseContainerState
	CauseContainerConnect
	CauseContainerFault
	CauseContainerTimeout
	CauseLimits       // a resource limit cannot be enforced on the node
	CauseFileHash     // what arrived is not what was sent
	CauseFileChanged  // while it was read
	CauseFileKind     // a folder, a device or the like
	CauseFileTooLarge // for the server, or for who asked
	CauseFileMissing
	CauseFileUnreadable
	CauseFileRefused // the server would not give or take it
	NumCauses        = int(iota)
)

var causeNames = [NumCauses]string{
	"", "node_not_found", "node_released", "node_not_running", "not_applicable", "user_not_found", "dir_not_found", "dir_denied",
	"no_interpreter", "invalid_content", "no_space", "read_only", "exec_failed", "bad_schedule", "agent_offline",
	"agent_unresponsive", "agent_upgrading", "agent_too_old", "delivery_timeout", "exec_timeout", "exec_exception",
	"exec_interrupted", "exit_nonzero", "network_denied", "concurrency_limit", "out_of_memory", "supervisor_gone",
	"rebooted", "journal_gap", "schedule_over", "file_create", "file_exists", "file_content", "file_name", "file_path", "file_mode",
	"group_not_found", "container_id", "container_name", "container_runtime", "container_mismatch", "container_ambiguous",
	"container_not_found", "container_state", "container_connect", "container_fault", "container_timeout",
	"limits_unavailable", "file_hash", "file_changed", "file_kind", "file_too_large", "file_missing", "file_unreadable", "file_refused",
}

func (c Cause) String() string {
	if int(c) < NumCauses {
		return causeNames[c]
	}
	return "unknown"
}
