//go:build !race

package executor

// Bounds for a supervisor's resident memory, while it is busy and when nothing has happened for a while.
const (
	peakKB  = 10 << 10
	quietKB = 5 << 10
)
