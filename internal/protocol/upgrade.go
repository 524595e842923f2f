package protocol

import "fmt"

// ReleasePath is where nodes fetch the programs of a release, under a proof: GET ReleasePath + the release's digest + "/" + the hash of the packed
// file, both in hexadecimal digits. OffsetParam in the query leaves out as many bytes at the beginning.
const (
	ReleasePath = "/agent/releases/"
	OffsetParam = "offset"
)

// Welcome says that the server has taken in a Hello.
type Welcome struct {
	StartID string // of the Hello
}

// maxKeyLists bounds Upgrade.Keys.
const maxKeyLists = 64

// Upgrade asks a node to replace its own program. The same order under a higher Attempt asks a node that had to refuse to look again.
type Upgrade struct {
	Rollout  uint64 // names the order
	Attempt  uint64
	Protocol uint64   // what the server speaks
	Manifest []byte   // a signed release, see package release; empty takes the order back, unless the new program is on trial already
	Keys     [][]byte // signed lists of keys, each the successor of the one before
	Trial    uint64   // seconds within which the new program must get a Welcome, or the old one returns
	Again    bool     // also if the node went back from this release before
}

// UpgradeState is how far a node is with an Upgrade.
type UpgradeState byte

// The states. The last three are final.
const (
	UpgradeFetching   UpgradeState = 1
	UpgradeTrying     UpgradeState = 2 // the node is about to start the new program
	UpgradeDone       UpgradeState = 3
	UpgradeRefused    UpgradeState = 4 // the old program goes on and was never replaced
	UpgradeRolledBack UpgradeState = 5 // the new program was started and did not prove itself
	upgradeEnd        UpgradeState = 6
)

// Valid reports whether s is a known state.
func (s UpgradeState) Valid() bool { return s > 0 && s < upgradeEnd }

// Upgraded answers an Upgrade.
type Upgraded struct {
	Rollout uint64
	Attempt uint64
	Version string // of the release
	State   UpgradeState
	Detail  string // for people: why not
}

// Append adds the encoding of m.
func (m *Welcome) Append(b []byte) []byte {
	return appendBytes(append(b, byte(KindWelcome)), 1, m.StartID)
}

// DecodeWelcome reads a Welcome message.
func DecodeWelcome(b []byte) (m Welcome, err error) {
	d := open(b, KindWelcome)
	for d.next() {
		if d.tag == 1 {
			m.StartID = d.text()
		}
	}
	return m, d.err
}

// Append adds the encoding of m.
func (m *Upgrade) Append(b []byte) []byte {
	b = append(b, byte(KindUpgrade))
	b = appendUint(b, 1, m.Rollout)
	b = appendUint(b, 2, m.Protocol)
	b = appendBytes(b, 3, m.Manifest)
	for _, k := range m.Keys {
		b = appendBytes(b, 4, k)
	}
	b = appendUint(b, 5, m.Trial)
	b = appendBool(b, 6, m.Again)
	return appendUint(b, 7, m.Attempt)
}

// DecodeUpgrade reads an Upgrade message.
func DecodeUpgrade(b []byte) (m Upgrade, err error) {
	d := open(b, KindUpgrade)
	for d.next() {
		switch d.tag {
		case 1:
			m.Rollout = d.num
		case 2:
			m.Protocol = d.num
		case 3:
			m.Manifest = d.raw
		case 4:
			if len(m.Keys) < maxKeyLists && len(d.raw) > 0 {
				m.Keys = append(m.Keys, d.raw)
			}
		case 5:
			m.Trial = d.num
		case 6:
			m.Again = d.bool()
		case 7:
			m.Attempt = d.num
		}
	}
	return m, d.err
}

// Append adds the encoding of m.
func (m *Upgraded) Append(b []byte) []byte {
	b = append(b, byte(KindUpgraded))
	b = appendUint(b, 1, m.Rollout)
	b = appendBytes(b, 2, m.Version)
	b = appendUint(b, 3, uint64(m.State))
	b = appendBytes(b, 4, m.Detail)
	return appendUint(b, 5, m.Attempt)
}

// DecodeUpgraded reads an Upgraded message.
func DecodeUpgraded(b []byte) (m Upgraded, err error) {
	d := open(b, KindUpgraded)
	for d.next() {
		switch d.tag {
		case 1:
			m.Rollout = d.num
		case 2:
			m.Version = d.text()
		case 3:
			m.State = UpgradeState(min(d.num, 255))
		case 4:
			m.Detail = d.text()
		case 5:
			m.Attempt = d.num
		}
	}
	if d.err == nil && !m.State.Valid() {
		d.err = fmt.Errorf("%w: upgrade state %d", ErrMalformed, m.State)
	}
	return m, d.err
}
