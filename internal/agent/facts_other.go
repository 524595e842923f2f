//go:build !linux

package agent

import (
	"runtime"
	"time"
)

func osName() string { return runtime.GOOS }

func kernel() string { return "" }

// bootID is not known, so times are compared by the wall clock.
func bootID() string { return "" }

func installationID() string { return "" }

func uptime() time.Duration { return 0 }

func scriptTypes() []string { return nil }
