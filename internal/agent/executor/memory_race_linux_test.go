//go:build race

package executor

// Bounds for a supervisor's resident memory with the race detector in it.
const (
	peakKB  = 100 << 10
	quietKB = 100 << 10
)
