//go:build !linux

package journal

// Reserve does nothing.
func (f diskFile) Reserve(_, _ int64) error { return nil }
