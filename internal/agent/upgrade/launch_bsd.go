//go:build unix && !linux

package upgrade

import "syscall"

// dieWithParent can do nothing here: a child that outlives its launcher keeps the data folder until it ends.
func dieWithParent() *syscall.SysProcAttr { return nil }
