package api

import (
	"strings"

	"errand/internal/core"
)

// Prefixes that any of the vendors puts before an id. Each is accepted on the way in by every dialect, so that an id copied
// from one client works in another.
var (
	nodePrefixes       = []string{"i-", "mi-", "ins-", "lhins-", "rins-", "e01-"}
	commandPrefixes    = []string{"c-", "cmd-"}
	invocationPrefixes = []string{"t-", "f-", "inv-"}
	taskPrefixes       = []string{"invt-"}
	sessionPrefixes    = []string{"s-", "i"} // the second one has no hyphen, as eflo-controller writes it
	schedulePrefixes   = []string{"ivk-"}
)

// ShowNode renders a node's id: ids that were left to us get the dialect's prefix, ids set by the operator appear as given.
func ShowNode(prefix, id string) string {
	if _, generated := core.ParseID(id); generated {
		return prefix + id
	}
	return id
}

// NodeID reads a node id as a caller wrote it.
func NodeID(s string) string {
	for _, p := range nodePrefixes {
		if rest, ok := strings.CutPrefix(s, p); ok {
			if _, generated := core.ParseID(rest); generated {
				return rest
			}
		}
	}
	return s
}

// NodeIDs reads a list of node ids.
func NodeIDs(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = NodeID(s)
	}
	return out
}

// CommandID reads a command id; false if it cannot be one.
func CommandID(s string) (core.ID, bool) { return parse(s, commandPrefixes) }

// InvocationID reads an invocation id; false if it cannot be one.
func InvocationID(s string) (core.ID, bool) { return parse(s, invocationPrefixes) }

// ScheduleID reads the id of a schedule; false if it cannot be one.
func ScheduleID(s string) (core.ID, bool) { return parse(s, schedulePrefixes) }

// SessionID reads the id of a terminal session; false if it cannot be one.
func SessionID(s string) (core.ID, bool) { return parse(s, sessionPrefixes) }

func parse(s string, prefixes []string) (core.ID, bool) {
	return core.ParseID(trim(s, prefixes))
}

// TaskID reads a task id; false if it cannot be one.
func TaskID(s string) (core.TaskID, bool) {
	return core.ParseTaskID(trim(s, taskPrefixes))
}

func trim(s string, prefixes []string) string {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(s, p); ok {
			return rest
		}
	}
	return s
}
