package core

import (
	"context"
	"time"
)

// Release is a version of the agent that nodes can change to. Releases belong to the installation.
type Release struct {
	Version   string
	Digest    string // names what was signed, see package release
	Manifest  []byte // signed
	Complete  bool   // all of its programs are there
	CreatedAt time.Time
}

// RolloutState is how far a rollout is.
type RolloutState string

// The states of a rollout. A running one and one that has finished hand their release to nodes, the latter to those that come back late.
const (
	RolloutRunning  RolloutState = "running"
	RolloutPaused   RolloutState = "paused"
	RolloutFrozen   RolloutState = "frozen" // by itself, because too many nodes failed
	RolloutFinished RolloutState = "finished"
	RolloutAborted  RolloutState = "aborted"
	RolloutReplaced RolloutState = "replaced" // by a later one for the same nodes
)

// Open reports whether a rollout can still move.
func (s RolloutState) Open() bool {
	return s == RolloutRunning || s == RolloutPaused || s == RolloutFrozen
}

// Offering reports whether nodes are asked to change.
func (s RolloutState) Offering() bool { return s == RolloutRunning || s == RolloutFinished }

// RolloutPlan is how a release reaches the nodes.
type RolloutPlan struct {
	Stages   []int         `json:"stages"`   // percent of the nodes, growing to 100
	Pause    time.Duration `json:"pause"`    // between two stages, when all nodes of the first are done
	Parallel int           `json:"parallel"` // nodes that change at a time
	Failures int           `json:"failures"` // more than so many freeze the rollout
	Percent  int           `json:"percent"`  // and so do more than this percent of the nodes chosen so far
	Trial    time.Duration `json:"trial"`    // in which a node must be back, or it goes back
	Again    bool          `json:"again"`    // also to nodes that went back from this release before
}

// Rollout is an order to change nodes to a release.
type Rollout struct {
	ID        ID
	Account   AccountID // whose nodes; 0 is everybody's
	Version   string
	Plan      RolloutPlan
	State     RolloutState
	Reason    string    // why it froze
	Stage     int       // index into Plan.Stages
	StageDone time.Time // when the last node of the stage was done; zero before
	Forgiven  int       // failures that count no more, because the rollout was resumed after them
	Attempt   uint64    // grows when failed nodes are asked again
	CreatedAt time.Time
	UpdatedAt time.Time
}

// UpgradeState is how far a node is with a rollout.
type UpgradeState uint8

// The states of a node in a rollout. They are stored.
const (
	UpgradeOffered    UpgradeState = 1
	UpgradeFetching   UpgradeState = 2
	UpgradeTrying     UpgradeState = 3
	UpgradeDone       UpgradeState = 4
	UpgradeRefused    UpgradeState = 5 // by the node, which goes on as it was
	UpgradeRolledBack UpgradeState = 6
	UpgradeLost       UpgradeState = 7 // it did not come back, or never answered
)

// Failed reports whether a node ended without the new version.
func (s UpgradeState) Failed() bool { return s >= UpgradeRefused }

// String is the state as callers see it.
func (s UpgradeState) String() string {
	names := [...]string{"", "offered", "fetching", "trying", "done", "refused", "rolled-back", "lost"}
	if int(s) < len(names) {
		return names[s]
	}
	return ""
}

// NodeUpgrade is what became of one node in a rollout.
type NodeUpgrade struct {
	Rollout   ID
	Node      NodeKey
	State     UpgradeState
	Attempt   uint64
	From      string // the version that it ran
	Detail    string // for people: why not
	OfferedAt time.Time
	UpdatedAt time.Time
}

// Releases keeps releases, the lists of keys that may sign them, and rollouts.
type Releases interface {
	// InsertKeyList stores a signed list of keys; ErrTaken if its serial number is in use.
	InsertKeyList(ctx context.Context, serial uint64, text []byte) error
	// KeyLists returns all of them in the order of their serial numbers.
	KeyLists(ctx context.Context) ([][]byte, error)

	// InsertRelease stores a release; ErrTaken if the version is in use.
	InsertRelease(ctx context.Context, r Release) error
	Release(ctx context.Context, version string) (Release, error)
	// ReleaseByDigest finds a release by what was signed.
	ReleaseByDigest(ctx context.Context, digest string) (Release, error)
	// ListReleases returns all releases, the latest first.
	ListReleases(ctx context.Context) ([]Release, error)
	// ChangeRelease reads a release, lets change decide, and writes it or, where change does not want to keep it, deletes it, in one
	// transaction. change is given the rollouts of the release.
	ChangeRelease(ctx context.Context, version string, change func(r *Release, rollouts []Rollout) (keep bool, err error)) error

	// InsertRollout stores a rollout. check is called inside the transaction with every rollout that is open or has finished; it may refuse, and
	// those whose state it changes are written.
	InsertRollout(ctx context.Context, r Rollout, check func(others []Rollout) error) error
	// ChangeRollout reads a rollout, lets change decide and writes it, in one transaction.
	ChangeRollout(ctx context.Context, id ID, change func(*Rollout) error) error
	Rollout(ctx context.Context, id ID) (Rollout, error)
	// ListRollouts returns rollouts in these states, or all, the latest first.
	ListRollouts(ctx context.Context, states ...RolloutState) ([]Rollout, error)

	// PutNodeUpgrades stores what became of nodes, in place of what was there.
	PutNodeUpgrades(ctx context.Context, rows []NodeUpgrade) error
	// ChangeNodeUpgrade reads what became of a node, lets change decide, given the zero value if there is nothing, and writes it if change
	// returns true, in one transaction.
	ChangeNodeUpgrade(ctx context.Context, rollout ID, node NodeKey, change func(*NodeUpgrade) bool) error
	// DeleteNodeUpgrades removes the rows of a rollout that are in one of these states, and returns their nodes.
	DeleteNodeUpgrades(ctx context.Context, rollout ID, states ...UpgradeState) ([]NodeKey, error)
	// NodeUpgrades returns all rows of a rollout, by node.
	NodeUpgrades(ctx context.Context, rollout ID) ([]NodeUpgrade, error)
}
