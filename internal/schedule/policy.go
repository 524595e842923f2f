package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Policy says what becomes of the moments of a plan that are not simply a run on time. The zero Policy is what the vendors do: a moment that
// comes while the run before lives is skipped, a moment that was missed is gone, and nothing is put off.
type Policy struct {
	Overlap Overlap `json:"overlap,omitzero"`
	// Missed is how many of the moments that were missed, because the machine was off or asleep, are made up for: the latest ones.
	Missed Missed `json:"missed,omitzero"`
	// Jitter bounds by how much each node puts its runs off, in whole milliseconds; see [Policy.Share].
	Jitter time.Duration `json:"jitter,omitzero"`
}

// Overlap says what becomes of a moment that comes while a run of the same plan lives. The numbers travel and are stored.
type Overlap uint8

// The overlaps.
const (
	SkipOverlap  Overlap = iota // it is skipped
	QueueOverlap                // it runs when the other has ended; a second one that comes meanwhile is skipped
	AllowOverlap                // it runs beside it
)

// Missed is a number of missed moments to make up for.
type Missed int

// The usual numbers.
const (
	SkipMissed Missed = 0
	RunOnce    Missed = 1
)

const (
	// MaxMissed bounds what a machine that comes back has to do at once.
	MaxMissed Missed = 100
	// MaxJitter is a day: what is to be spread wider is another plan.
	MaxJitter = 24 * time.Hour
)

var overlaps = [...]string{SkipOverlap: "skip", QueueOverlap: "queue", AllowOverlap: "allow"}

// String is the word that [ParseOverlap] reads.
func (o Overlap) String() string {
	if int(o) < len(overlaps) {
		return overlaps[o]
	}
	return fmt.Sprintf("Overlap(%d)", uint8(o))
}

// ParseOverlap reads skip, queue or allow; nothing means skip.
func ParseOverlap(word string) (Overlap, error) {
	for o, name := range overlaps {
		if word == name {
			return Overlap(o), nil
		}
	}
	if word == "" {
		return SkipOverlap, nil
	}
	return 0, policyErr("overlap", "%q is not skip, queue or allow", word)
}

const catchUp = "catch-up:"

// String is the word that [ParseMissed] reads.
func (m Missed) String() string {
	switch m { //nolint:exhaustive // only these have words
	case SkipMissed:
		return "skip"
	case RunOnce:
		return "once"
	}
	return catchUp + strconv.Itoa(int(m))
}

// ParseMissed reads skip, once, or catch-up: with a number behind it; nothing means skip.
func ParseMissed(word string) (Missed, error) {
	switch word {
	case "", "skip":
		return SkipMissed, nil
	case "once":
		return RunOnce, nil
	}
	if digits, ok := strings.CutPrefix(word, catchUp); ok {
		if n, ok := number(digits); ok && n > 0 {
			return Missed(n), nil
		}
	}
	return 0, policyErr("missed", "%q is not skip, once or catch-up:5", word)
}

// Check refuses what is out of bounds. The error is an [*Error].
func (p Policy) Check() error {
	switch {
	case int(p.Overlap) >= len(overlaps):
		return policyErr("overlap", "%v", p.Overlap)
	case p.Missed < 0 || p.Missed > MaxMissed:
		return policyErr("missed", "%d is not from 0 to %d", int(p.Missed), int(MaxMissed))
	case p.Jitter < 0 || p.Jitter > MaxJitter:
		return policyErr("jitter", "%v is not from 0 to %v", p.Jitter, MaxJitter)
	case p.Jitter%time.Millisecond != 0:
		return policyErr("jitter", "%v is not in whole milliseconds", p.Jitter)
	}
	return nil
}

// Share is by how much a node puts off its runs of a plan: less than the jitter, in whole milliseconds, the same for every run, and spread
// evenly over the nodes, though another way for each plan.
func (p Policy) Share(node, plan uint64) time.Duration {
	steps := uint64(max(0, p.Jitter) / time.Millisecond)
	if steps == 0 {
		return 0
	}
	var name [16]byte
	binary.BigEndian.PutUint64(name[:], node)
	binary.BigEndian.PutUint64(name[8:], plan)
	sum := sha256.Sum256(name[:])
	return time.Duration(binary.BigEndian.Uint64(sum[:])%steps) * time.Millisecond
}

func policyErr(field, format string, args ...any) *Error {
	return &Error{Field: field, Reason: fmt.Sprintf(format, args...), Kind: ErrRange}
}
