//go:build !linux

package agent

import "errors"

func endMachine(bool) error { return errors.ErrUnsupported }
