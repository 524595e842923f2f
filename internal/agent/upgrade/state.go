package upgrade

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"errand/internal/protocol"
)

// maxBad is how many bad releases are remembered.
const maxBad = 32

// state is the content of state.json.
type state struct {
	Previous  string   `json:"previous,omitempty"`  // the version to go back to; empty for the installed program
	Installed string   `json:"installed,omitempty"` // version of the installed program when the current one was switched to
	Trial     *trial   `json:"trial,omitempty"`     // nil once the current version has proved itself
	Bad       []bad    `json:"bad,omitempty"`
	Outcome   *outcome `json:"outcome,omitempty"` // of the latest offer
}

// trial is a version that has not proved itself.
type trial struct {
	Version string `json:"version"`
	Digest  string `json:"digest"` // of the release
	Rollout uint64 `json:"rollout"`
	Attempt uint64 `json:"attempt,omitempty"`
	Window  int64  `json:"window_seconds"`
	Starts  int    `json:"starts"` // how often it was started
}

// bad is a release that was gone back from.
type bad struct {
	Version string    `json:"version"`
	Digest  string    `json:"digest"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}

// outcome is what the server is told.
type outcome struct {
	Rollout uint64                `json:"rollout"`
	Attempt uint64                `json:"attempt,omitempty"`
	Version string                `json:"version"`
	State   protocol.UpgradeState `json:"state"`
	Detail  string                `json:"detail,omitempty"`
}

func (o *outcome) message() protocol.Upgraded {
	return protocol.Upgraded{Rollout: o.Rollout, Attempt: o.Attempt, Version: o.Version, State: o.State, Detail: o.Detail}
}

// load reads the state. An unreadable one is an error beside an empty state: what it says about bad versions is lost, and the programs
// themselves prove what they are.
func (f folder) load() (s state, err error) {
	text, err := readBounded(f.path(stateName), 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return state{}, fmt.Errorf("state of upgrades: %w", err)
	}
	return s, nil
}

func (f folder) save(s *state) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return replace(f.path(stateName), append(text, '\n'))
}

// end is the end of the trial.
func (s *state) end(how protocol.UpgradeState, detail string) {
	s.Outcome = &outcome{Rollout: s.Trial.Rollout, Attempt: s.Trial.Attempt, Version: s.Trial.Version, State: how, Detail: detail}
	s.Trial = nil
}

// findBad returns why a release is bad; false if it is not.
func (s *state) findBad(version, digest string) (bad, bool) {
	i := slices.IndexFunc(s.Bad, func(b bad) bool { return b.Version == version && (digest == "" || b.Digest == digest) })
	if i < 0 {
		return bad{}, false
	}
	return s.Bad[i], true
}

// forgive takes a version off the list of bad ones.
func (s *state) forgive(version string) {
	s.Bad = slices.DeleteFunc(s.Bad, func(b bad) bool { return b.Version == version })
}

// condemn ends the trial, if there is one, and remembers the version as bad.
func (s *state) condemn(version, reason string, now time.Time) {
	b := bad{Version: version, Reason: reason, At: now.UTC()}
	if t := s.Trial; t != nil && t.Version == version {
		b.Digest = t.Digest
		s.end(protocol.UpgradeRolledBack, reason)
	}
	s.forgive(version)
	s.Bad = append(s.Bad, b)
	if n := len(s.Bad) - maxBad; n > 0 {
		s.Bad = s.Bad[n:]
	}
}
