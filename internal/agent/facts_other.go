//go:build !linux

package agent

import (
	"context"

	"errand/internal/protocol"
)

func resident() uint64 { return 0 }

// watchClock cannot tell; naps are short enough.
func watchClock(context.Context, func()) {}

// hardwareID and diskID are not known: the installation's id has to do.
func hardwareID() string { return "" }

func diskID() string { return "" }

// features names what this machine can do, beginning with the kinds of scripts it runs.
func features() []string {
	return append(scriptKinds(), protocol.FeatureSchedule, protocol.FeatureFile, protocol.FeatureDryRun, protocol.FeaturePolicy, protocol.FeatureTransfer)
}
