package bus

import "strings"

// Introduction is what a node says about itself while it connects. It proves nothing: the key does. It is a hint by which a broker tells a
// node that comes back from a copy of it.
type Introduction struct {
	Start   string // of the agent's process, new at each start; empty from agents that do not tell
	Machine string // see protocol.SameMachine; may be empty
}

const (
	introduced   = "errand-node"
	startField   = " start="
	machineField = " machine="
	// maxIntroduction is how many bytes of each field are looked at.
	maxIntroduction = 128
)

// String is the form in which it travels, as the name of the connection.
func (i Introduction) String() string {
	return introduced + startField + i.Start + machineField + i.Machine
}

// ParseIntroduction reads the name of a connection. A name of another kind says nothing.
func ParseIntroduction(name string) (i Introduction) {
	rest, ok := strings.CutPrefix(name, introduced+startField)
	start, machine, both := strings.Cut(rest, machineField)
	if !ok || !both || len(start) > maxIntroduction || len(machine) > maxIntroduction {
		return Introduction{}
	}
	return Introduction{start, machine}
}
