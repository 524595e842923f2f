//go:build !linux

package agent

import (
	"context"
	"runtime"
	"time"

	"errand/internal/protocol"
)

func osName() string { return runtime.GOOS }

func kernel() string { return "" }

// bootID is not known, so times are compared by the wall clock.
func bootID() string { return "" }

func installationID() string { return "" }

func hardwareID() string { return "" }

func diskID() string { return "" }

func uptime() time.Duration { return 0 }

// watchClock cannot tell; naps are short enough.
func watchClock(context.Context, func()) {}

// features names what this machine can do. It runs no commands.
func features() []string { return []string{protocol.FeatureFile} }
