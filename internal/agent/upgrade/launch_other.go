//go:build !unix

package upgrade

import (
	"context"
	"errors"
)

// Supported says whether programs can be replaced here.
const Supported = false

var errUnsupported = errors.New("programs cannot be replaced here")

// Launched returns false: there are no launchers here.
func Launched() (Launch, bool) { return Launch{}, false }

func lock(string) (func(), error) { return nil, errUnsupported }

// Exec is not possible here.
func Exec(string, string, []string) error { return errUnsupported }

// Try is not possible here.
func (l *Launcher) Try(context.Context, Choice, string, []string) (bool, error) {
	return false, errUnsupported
}
