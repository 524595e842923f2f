// Package identity keeps who this node is: an ed25519 key that is made here and never leaves the machine, and what a
// server said when it made the key's owner one of its nodes. The key is the identity; nothing is derived from hardware.
// Enrolment speaks HTTP, and so does what a node asks of its server outside the bus: Client proves with the key who asks.
package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/nats-io/nkeys" //nolint:depguard // the form of the key; the connection is made elsewhere
)

// ErrNotEnrolled means that no server has made this machine its node yet.
var ErrNotEnrolled = errors.New("this machine is not enrolled")

// Identity is what a node needs to connect.
type Identity struct {
	NodeID    string
	NodeKey   int64 // names the node's subjects
	AccountID string
	BusURLs   []string
	CA        []byte // PEM certificates that the bus's must descend from
	ServerURL string // that was asked for enrolment
	Heartbeat time.Duration

	key  nkeys.KeyPair
	mark string // see Mark; empty if it is the key's
}

// PublicKey returns the name by which the bus knows the key.
func (i Identity) PublicKey() (string, error) { return i.key.PublicKey() }

// Mark tells what this node left on its machine from what others did. It is the public key that the node began with, and stays when that is
// replaced.
func (i Identity) Mark() string {
	if i.mark != "" {
		return i.mark
	}
	public, err := i.PublicKey()
	if err != nil {
		return ""
	}
	return public
}

// Same reports whether two identities have the same key.
func (i Identity) Same(as Identity) bool {
	a, errA := i.PublicKey()
	b, errB := as.PublicKey()
	return errA == nil && errB == nil && a == b
}

// Sign proves the possession of the key.
func (i Identity) Sign(nonce []byte) ([]byte, error) { return i.key.Sign(nonce) }

// String names the node and nothing else, so that no log gets hold of the key.
func (i Identity) String() string { return "node " + i.NodeID }

// New returns an identity with a key of its own, which belongs to no server yet.
func New() (Identity, error) {
	key, err := nkeys.CreateUser()
	if err != nil {
		return Identity{}, fmt.Errorf("make key: %w", err)
	}
	return Identity{key: key}, nil
}

// Names inside an agent's data folder.
const (
	folder       = "identity"
	fileName     = "identity.json"
	previousName = "identity.json.previous"
)

// stored is the file's content. Before enrolment it is the seed alone.
type stored struct {
	NodeID    string   `json:"node_id,omitempty"`
	NodeKey   int64    `json:"node_key,omitempty"`
	AccountID string   `json:"account_id,omitempty"`
	Seed      string   `json:"seed"`
	BusURLs   []string `json:"bus_urls,omitempty"`
	CA        string   `json:"ca,omitempty"`
	ServerURL string   `json:"server_url,omitempty"`
	Heartbeat int64    `json:"heartbeat_seconds,omitempty"`
	Mark      string   `json:"mark,omitempty"`
}

// Load returns the identity kept in an agent's data folder. When the file cannot be understood, the copy that was kept
// of the one before counts.
func Load(dir string) (Identity, error) {
	i, err := load(dir)
	if err != nil {
		return Identity{}, fmt.Errorf("load identity: %w", err)
	}
	if i.NodeID == "" {
		return Identity{}, fmt.Errorf("load identity: %w", ErrNotEnrolled)
	}
	return i, nil
}

// load also returns a key without a node. A folder without any identity is ErrNotEnrolled.
func load(dir string) (Identity, error) {
	i, err := read(filepath.Join(dir, folder, fileName))
	if err == nil {
		return i, nil
	}
	previous, perr := read(filepath.Join(dir, folder, previousName))
	if perr == nil && previous.NodeID != "" {
		return previous, nil
	}
	if next, nerr := read(filepath.Join(dir, folder, nextName)); nerr == nil && next.NodeID != "" {
		return next, nil
	}
	if perr == nil {
		return previous, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return Identity{}, ErrNotEnrolled
	}
	return Identity{}, err
}

func read(path string) (Identity, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Identity{}, err
	}
	var s stored
	if err := json.Unmarshal(b, &s); err != nil {
		return Identity{}, fmt.Errorf("%s: %w", path, err)
	}
	key, err := nkeys.FromSeed([]byte(s.Seed))
	if err != nil {
		return Identity{}, fmt.Errorf("%s: seed: %w", path, err)
	}
	return Identity{
		NodeID: s.NodeID, NodeKey: s.NodeKey, AccountID: s.AccountID, BusURLs: s.BusURLs, CA: []byte(s.CA),
		ServerURL: s.ServerURL, Heartbeat: time.Duration(s.Heartbeat) * time.Second, key: key, mark: s.Mark,
	}, nil
}

// Save makes i the identity kept in an agent's data folder, readable by its owner only, and keeps a copy of the one
// before. When it returns, a power failure cannot undo it; before that, none can leave half of it.
func (i Identity) Save(dir string) error {
	if err := i.save(filepath.Join(dir, folder)); err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	return nil
}

func (i Identity) save(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil { //nolint:gosec // commands pass through to their scripts
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, fileName)
	if old, err := os.ReadFile(path); err == nil {
		if err := replace(filepath.Join(dir, previousName), old); err != nil {
			return err
		}
	}
	return i.write(path)
}

// write makes i the content of a file.
func (i Identity) write(path string) error {
	seed, err := i.key.Seed()
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(stored{
		NodeID: i.NodeID, NodeKey: i.NodeKey, AccountID: i.AccountID, Seed: string(seed), BusURLs: i.BusURLs,
		CA: string(i.CA), ServerURL: i.ServerURL, Heartbeat: int64(i.Heartbeat / time.Second), Mark: i.mark,
	}, "", "  ")
	if err != nil {
		return err
	}
	return replace(path, append(b, '\n'))
}

// replace gives a file a new content, at once and for good.
func replace(path string, content []byte) error {
	temp := path + ".new"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		os.Remove(temp)
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there, and need not be
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
