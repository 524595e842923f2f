//go:build !linux

package files

import (
	"context"
	"os"
)

// owner is whom a file is to belong to: on these systems always to this process.
type owner struct{}

func findOwner(context.Context, string, string) (owner, error) { return owner{}, nil }

func (owner) take(*os.File) error { return nil }
