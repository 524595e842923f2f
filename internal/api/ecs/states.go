package ecs

import (
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

// alone is the status of an invocation as seen from one of its machines.
func alone(s core.State) alibaba.Status {
	var c core.Counts
	c[s] = 1
	return alibaba.Overall(&c)
}

// hasStatus reports whether an invocation passes the filter InvokeStatus. It takes the six older words and three of the finer ones.
func hasStatus(s alibaba.Status, want string) bool {
	switch want {
	case alibaba.Success, alibaba.Pending, alibaba.Scheduled:
		return s.Invocation == want
	default:
		return s.Invoke == want
	}
}

// statesAlone lists the states of one machine in which an invocation, as seen from it, passes the filter InvokeStatus. A word that no machine
// gives lets nothing pass.
func statesAlone(want string) []core.State {
	list := []core.State{core.State(core.NumStates)}
	for s := range core.State(core.NumStates) {
		if hasStatus(alone(s), want) {
			list = append(list, s)
		}
	}
	return list
}

// statesOf lists the states that pass the filter InvokeRecordStatus. A word that no single record can have lets nothing pass, and an empty
// list would let everything pass.
func statesOf(word string) []core.State {
	if word == alibaba.Success {
		return []core.State{core.Succeeded}
	}
	if states := alibaba.StatesOf(word); len(states) > 0 {
		return states
	}
	return []core.State{core.State(core.NumStates)}
}
