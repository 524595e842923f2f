package release

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"time"
)

const maxKeys = 16

// KeyList says which keys may sign, and how many of them have to.
type KeyList struct {
	Product   string              `json:"product"`
	Serial    uint64              `json:"serial"` // a list replaces one with a lower number
	Threshold int                 `json:"threshold"`
	Keys      []ed25519.PublicKey `json:"keys"`
	Created   time.Time           `json:"created"`
}

func (l *KeyList) kind() (Kind, error) { return KindKeys, l.check() }

func (l *KeyList) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: key list: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
	seen := map[string]bool{}
	for _, key := range l.Keys {
		if len(key) != ed25519.PublicKeySize {
			return bad("a key has %d bytes", len(key))
		}
		if seen[KeyID(key)] {
			return bad("key %s stands there twice", KeyID(key))
		}
		seen[KeyID(key)] = true
	}
	switch {
	case l.Product != Product:
		return bad("it is for %.40q", l.Product)
	case l.Serial == 0:
		return bad("it has no serial number")
	case len(l.Keys) == 0 || len(l.Keys) > maxKeys:
		return bad("%d keys instead of 1 to %d", len(l.Keys), maxKeys)
	case l.Threshold < 1 || l.Threshold > len(l.Keys):
		return bad("%d of %d keys cannot be asked for", l.Threshold, len(l.Keys))
	}
	return nil
}

// ReadKeys reads a list of keys. It must be signed by as many of its own keys as it asks for, which shows that they exist; whether to
// believe it is for the caller to know.
func ReadKeys(text []byte) (KeyList, error) {
	e, err := Open(text)
	if err != nil {
		return KeyList{}, err
	}
	return e.keyList()
}

func (e *Envelope) keyList() (l KeyList, err error) {
	if e.Kind != KindKeys {
		return l, fmt.Errorf("%w: a %s instead of a key list", ErrMalformed, e.Kind)
	}
	if err := json.Unmarshal(e.Payload, &l); err != nil {
		return l, fmt.Errorf("%w: key list: %w", ErrMalformed, err)
	}
	if err := l.check(); err != nil {
		return l, err
	}
	return l, e.enough(&l)
}

// Succeed reads the list that is to replace l: a newer one, signed as l and as it itself asks.
func (l *KeyList) Succeed(text []byte) (KeyList, error) {
	e, err := Open(text)
	if err != nil {
		return KeyList{}, err
	}
	next, err := e.keyList()
	if err != nil {
		return KeyList{}, err
	}
	if next.Serial <= l.Serial {
		return KeyList{}, fmt.Errorf("%w: number %d after %d", ErrStale, next.Serial, l.Serial)
	}
	return next, e.enough(l)
}
