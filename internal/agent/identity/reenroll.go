package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"errand/internal/protocol"
)

// ownName is the file with the key that a copy makes to become a node of its own. It is there from before the server hears of the key until
// everything of the other node is out of the way.
const ownName = "identity.json.own"

// Standing is what the server says about a process that the bus refused.
type Standing struct {
	Clone       bool // it is taken for a copy of a node that is connected elsewhere
	MayReenroll bool // as a node of its own
}

// Standing asks the server about this node's process startID. A *RefusedError means that it is no node, or no longer.
func (c *Client) Standing(ctx context.Context, startID string) (Standing, error) {
	a, err := c.node(ctx, url.Values{protocol.NodeStart: {startID}})
	return Standing{a.Clone, a.MayReenroll}, err
}

// Leave takes this node out of its account. A server that does not know it any more has done so already.
func (c *Client) Leave(ctx context.Context) error {
	resp, err := c.Do(ctx, Call{Method: http.MethodPost, Path: protocol.LeavePath})
	if err == nil {
		return resp.Body.Close()
	}
	var refused *RefusedError
	if errors.As(err, &refused) && refused.Reason == protocol.ProblemRefused {
		return nil
	}
	return fmt.Errorf("leave: %w", err)
}

// Reenroll makes a copy of the node that c speaks for a node of its own, with a new key that is kept in dir before the server hears of it.
// Repeated after a failure or a crash, it comes to the same node. Reenrolled has to be called when nothing of the other node is left.
func (c *Client) Reenroll(ctx context.Context, dir, startID, machineID string, facts protocol.EnrollFacts) (Identity, error) {
	i, err := c.reenroll(ctx, dir, startID, machineID, facts)
	if err != nil {
		return Identity{}, fmt.Errorf("enrol the copy: %w", err)
	}
	return i, nil
}

func (c *Client) reenroll(ctx context.Context, dir, startID, machineID string, facts protocol.EnrollFacts) (Identity, error) {
	own := filepath.Join(dir, folder, ownName)
	i, err := read(own)
	if err != nil { // also one that cannot be read, of which no server has heard then
		if i, err = New(); err == nil {
			err = i.write(own)
		}
	}
	if err != nil {
		return Identity{}, err
	}
	a, err := c.askAgain(ctx, i, startID, machineID, facts)
	if err != nil {
		return Identity{}, err
	}
	i.NodeID, i.NodeKey, i.AccountID = a.NodeID, a.NodeKey, a.AccountID
	i.BusURLs, i.CA, i.ServerURL = a.NATSURLs, []byte(a.CA), c.identity.ServerURL
	i.Heartbeat = time.Duration(a.Heartbeat) * time.Second
	if err := i.Save(dir); err != nil {
		return Identity{}, err
	}
	return i, i.Save(dir) // so that the previous copy is no longer the other node's
}

// askAgain makes the request with a new key, in the name of the shared one.
func (c *Client) askAgain(ctx context.Context, own Identity, startID, machineID string, facts protocol.EnrollFacts) (a protocol.EnrollAnswer, err error) {
	shared, err := c.identity.PublicKey()
	if err != nil {
		return a, err
	}
	wish := protocol.ReenrollRequest{StartID: startID, MachineID: machineID, Facts: facts}
	if wish.PublicKey, err = own.PublicKey(); err != nil {
		return a, err
	}
	if wish.Signature, err = own.Sign(wish.SigningText(shared)); err != nil {
		return a, err
	}
	body, err := json.Marshal(wish)
	if err != nil {
		return a, err
	}
	resp, err := c.Do(ctx, Call{Method: http.MethodPost, Path: protocol.ReenrollPath, Body: body})
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	return answerIn(resp.Body)
}

// Reenrolling reports whether the node kept in dir is a former copy from which the other node's remains have not been taken away yet.
func Reenrolling(dir string) bool {
	own, err := read(filepath.Join(dir, folder, ownName))
	if err != nil {
		return false
	}
	i, err := load(dir)
	if err != nil {
		return false
	}
	return own.Same(i)
}

// Reenrolled ends what Reenroll began.
func Reenrolled(dir string) error {
	if err := os.Remove(filepath.Join(dir, folder, ownName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("end of enrolment: %w", err)
	}
	return nil
}

// Forget removes the identity from an agent's data folder, and all copies of it.
func Forget(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, folder)); err != nil {
		return fmt.Errorf("forget identity: %w", err)
	}
	return syncDir(dir)
}
