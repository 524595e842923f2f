package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"errand/internal/protocol"
)

// nextName is the file with the identity under the key that will replace the present one. It is there from before the server hears of the key until
// the node has been connected with it and nothing of the key before is left.
const nextName = "identity.json.next"

// Rotator replaces the key of a node.
type Rotator struct {
	Dir   string
	HTTP  *http.Client
	Agent string // version of the program
}

// Rotate gives the node a new key and returns the identity with which it has to connect from now on. The server takes either key until the first
// connection with the new one. Whatever happens in between, the next call goes on with the same key, and the node can connect meanwhile.
func (r *Rotator) Rotate(ctx context.Context, present Identity) (Identity, error) {
	next, err := r.rotate(ctx, present)
	if err != nil {
		return present, fmt.Errorf("new key: %w", err)
	}
	return next, nil
}

func (r *Rotator) rotate(ctx context.Context, present Identity) (Identity, error) {
	next, err := r.next(present)
	if err != nil {
		return present, err
	}
	if next.Same(present) {
		return present, nil // it was saved before a crash, and waits to be settled
	}
	if err := r.announce(ctx, present, next); err != nil {
		return present, err
	}
	return next, next.Save(r.Dir)
}

// next returns the identity that follows, which is the one on disk if there is one.
func (r *Rotator) next(present Identity) (Identity, error) {
	path := filepath.Join(r.Dir, folder, nextName)
	next, err := read(path)
	if err == nil && next.NodeKey == present.NodeKey {
		return next, nil
	}
	if next, err = New(); err != nil {
		return next, err
	}
	key := next.key
	next = present
	next.key, next.mark = key, present.Mark()
	return next, next.write(path)
}

// announce tells the server about the new key. A server that does not know the present key any more may have heard of the new one before.
func (r *Rotator) announce(ctx context.Context, present, next Identity) error {
	c, err := present.NewClient(r.HTTP, r.Agent)
	if err != nil {
		return err
	}
	err = c.announce(ctx, next)
	if !Refused(err) {
		return err
	}
	if c, errNext := next.NewClient(r.HTTP, r.Agent); errNext == nil {
		if _, errNext = c.Node(ctx); errNext == nil {
			return nil
		}
	}
	return err
}

func (c *Client) announce(ctx context.Context, next Identity) error {
	present, err := c.identity.PublicKey()
	if err != nil {
		return err
	}
	var wish protocol.NextKey
	if wish.PublicKey, err = next.PublicKey(); err != nil {
		return err
	}
	if wish.Signature, err = next.Sign(wish.SigningText(present)); err != nil {
		return err
	}
	body, err := json.Marshal(wish)
	if err != nil {
		return err
	}
	resp, err := c.Do(ctx, Call{Method: http.MethodPost, Path: protocol.NextKeyPath, Body: body})
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Rotating reports whether a rotation has begun and not been settled.
func Rotating(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, folder, nextName))
	return err == nil
}

// Settle ends a rotation after a connection with the key of i: it removes what is left of the key before. It does nothing while that is still in
// use.
func (r *Rotator) Settle(i Identity) error {
	path := filepath.Join(r.Dir, folder, nextName)
	next, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		if !next.Same(i) {
			return nil
		}
		if err = i.Save(r.Dir); err == nil { // twice, so that the copy of the content before has the new key as well
			err = i.Save(r.Dir)
		}
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		return fmt.Errorf("settle new key: %w", err)
	}
	return nil
}
