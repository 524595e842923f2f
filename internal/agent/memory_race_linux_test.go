//go:build race

package agent

// Bounds for an agent's resident memory with the race detector in it.
const (
	idleKB = 200 << 10
	peakKB = 400 << 10
)
