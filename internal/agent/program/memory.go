package program

import "runtime/debug"

// memoryBound is what the agent's heap should not exceed: near it the collector works harder, and nothing is refused.
const memoryBound = 64 << 20

// boundMemory sets the bound unless the environment has one of its own.
func boundMemory(getenv func(string) string) {
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryBound)
	}
}
