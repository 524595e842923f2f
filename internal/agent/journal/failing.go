package journal

import (
	"errors"

	"errand/internal/protocol"
)

// Failing is the journal of a node whose disk takes nothing any more. It shows in tests what an agent does then.
type Failing struct{ Err error }

var errNothing = errors.New("the journal holds nothing")

// Append returns Err.
func (f Failing) Append(...Record) error { return f.Err }

// Note returns Err.
func (f Failing) Note(...Record) error { return f.Err }

// Entries returns nothing.
func (f Failing) Entries() []Entry { return nil }

// Find finds nothing.
func (f Failing) Find(protocol.Task) (Entry, bool) { return Entry{}, false }

// Run returns an error.
func (f Failing) Run(protocol.Task) ([]byte, error) { return nil, errNothing }

// Close does nothing.
func (f Failing) Close() error { return nil }
