// Package release is what agents upgrade to: a signed list of programs with their sizes and hashes, and the list of the keys that may
// sign. Operators sign on a machine of their own, servers hand out what was signed, and agents believe nothing else; all three read and
// check it here. Keys are ed25519.
//
// Both documents are carried in an Envelope, which signs the exact bytes of what it holds, so that nobody depends on how somebody else
// writes JSON. The ideas are those of minisign and of TUF (https://jedisct1.github.io/minisign/, https://theupdateframework.io/), as
// far as one small program needs them: several keys with a threshold, lists of keys that are signed by the list before, and an end of
// validity, so that an old release cannot be offered for ever.
package release

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Product is the only one there is.
const Product = "errand-agent"

// MaxDocument is the largest envelope in bytes that is read.
const MaxDocument = 64 << 10

// Why a document is refused. Each error wraps one of them.
var (
	ErrMalformed = errors.New("malformed release document")
	ErrSignature = errors.New("not signed by enough of the trusted keys")
	ErrExpired   = errors.New("the release has expired")
	ErrDowngrade = errors.New("the release is older than what runs")
	ErrPlatform  = errors.New("the release has nothing for this platform")
	ErrProtocol  = errors.New("the release needs a newer server")
	ErrStale     = errors.New("the key list is not newer than the trusted one")
)

// Kind says what an Envelope holds. It is part of what is signed, so that no document passes for one of another kind.
type Kind string

// The kinds.
const (
	KindManifest Kind = "manifest"
	KindKeys     Kind = "keys"
)

// Envelope is a signed document, stored and sent as JSON.
type Envelope struct {
	Kind       Kind        `json:"kind"`
	Payload    []byte      `json:"payload"` // JSON of a Manifest or a KeyList
	Signatures []Signature `json:"signatures"`
}

// Signature is one key's word for an envelope.
type Signature struct {
	Key string `json:"key"` // id, see KeyID
	Sig []byte `json:"sig"`
}

// maxSignatures bounds the work that a stranger's document can cause.
const maxSignatures = 16

// KeyID is the name of a public key: the first eight bytes of its SHA-256 in hexadecimal digits.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// Wrap puts a *Manifest or a *KeyList, which must be valid, into an envelope without signatures.
func Wrap(doc interface{ kind() (Kind, error) }) (Envelope, error) {
	kind, err := doc.kind()
	if err != nil {
		return Envelope{}, err
	}
	payload, err := json.Marshal(doc)
	return Envelope{Kind: kind, Payload: payload, Signatures: []Signature{}}, err
}

// Open reads an envelope. It checks its form and none of its signatures.
func Open(text []byte) (Envelope, error) {
	var e Envelope
	if len(text) > MaxDocument {
		return e, fmt.Errorf("%w: more than %d bytes", ErrMalformed, MaxDocument)
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	switch {
	case e.Kind != KindManifest && e.Kind != KindKeys:
		return e, fmt.Errorf("%w: unknown kind %.40q", ErrMalformed, string(e.Kind))
	case len(e.Signatures) > maxSignatures:
		return e, fmt.Errorf("%w: more than %d signatures", ErrMalformed, maxSignatures)
	}
	return e, nil
}

// Encode returns the envelope as it is stored and sent.
func (e *Envelope) Encode() ([]byte, error) {
	text, err := json.MarshalIndent(e, "", "  ")
	return append(text, '\n'), err
}

// Digest names what the envelope holds, whoever signed it: the SHA-256 of its payload in hexadecimal digits.
func (e *Envelope) Digest() string {
	sum := sha256.Sum256(e.Payload)
	return hex.EncodeToString(sum[:])
}

func (e *Envelope) signed() []byte {
	return append([]byte("errand-release-1\n"+string(e.Kind)+"\n"), e.Payload...)
}

// Sign adds a key's signature, or renews it.
func (e *Envelope) Sign(key ed25519.PrivateKey) error {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return errors.New("not an ed25519 key")
	}
	id := KeyID(public)
	e.Signatures = slices.DeleteFunc(e.Signatures, func(s Signature) bool { return s.Key == id })
	if len(e.Signatures) >= maxSignatures {
		return fmt.Errorf("more than %d signatures", maxSignatures)
	}
	e.Signatures = append(e.Signatures, Signature{Key: id, Sig: ed25519.Sign(key, e.signed())})
	return nil
}

// SignedBy returns the ids of those keys of a list whose signatures the envelope carries, each once.
func (e *Envelope) SignedBy(keys *KeyList) (ids []string) {
	text := e.signed()
	for _, key := range keys.Keys {
		id := KeyID(key)
		valid := slices.ContainsFunc(e.Signatures, func(s Signature) bool { return s.Key == id && ed25519.Verify(key, text, s.Sig) })
		if valid && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// enough refuses an envelope without as many signatures as a list of keys asks for.
func (e *Envelope) enough(keys *KeyList) error {
	if n := len(e.SignedBy(keys)); n < keys.Threshold {
		return fmt.Errorf("%w: %d of the %d that are needed", ErrSignature, n, keys.Threshold)
	}
	return nil
}
