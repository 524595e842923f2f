//go:build !race

package agent

// Bounds for an agent's resident memory after it had little and very much to tell.
const (
	idleKB = 20 << 10
	peakKB = 40 << 10
)
