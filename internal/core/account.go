package core

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Account owns everything else. Nothing of one account is ever visible to another.
type Account struct {
	ID        AccountID
	Name      string
	Disabled  bool // all its keys are refused; its machines stay connected
	CreatedAt time.Time
}

// KeyKind is how an access key proves itself.
type KeyKind string

// The kinds of access keys.
const (
	KeyLong      KeyKind = "long"      // signs until it is disabled
	KeyTemporary KeyKind = "temporary" // signs until ExpiresAt, and only together with Token
	KeyBearer    KeyKind = "bearer"    // is sent as it is; only its hash is kept
	KeyLogin     KeyKind = "login"     // the same, of a person who signed in; until ExpiresAt, and no longer than Idle without use
)

// AccessKey lets a program act for an account. Signature schemes need the plain secret, so it is kept sealed rather than hashed.
type AccessKey struct {
	ID          string // public
	Account     AccountID
	Principal   string // who acts: RootUser or the name of a user
	Kind        KeyKind
	Description string
	Sealed      []byte // secret under the installation's Sealer; none for KeyBearer and KeyLogin
	TokenHash   string // hex SHA-256 of the security token (KeyTemporary) or of the token itself (KeyBearer, KeyLogin)
	Session     string // policy document that narrows what the principal may do, KeyTemporary only; empty narrows nothing
	Dialects    []string
	Networks    []netip.Prefix // where from; empty means anywhere. So do Dialects: empty means through any
	Disabled    bool
	Parent      string        // id of the key that a KeyLogin was made with, and ends with; empty: an identity provider vouched for it
	Idle        time.Duration // KeyLogin ends when it was not used for so long; zero means that it need not be used
	CreatedAt   time.Time
	ExpiresAt   time.Time // zero means never
	UsedAt      time.Time // last use, up to a minute late; zero means never

	// What the key had before its last rotation and may still be used until OldUntil.
	OldSealed    []byte
	OldTokenHash string
	OldUntil     time.Time
}

// Sealer encrypts secrets at rest with AES-256-GCM under one installation key.
type Sealer struct{ aead cipher.AEAD }

// NewSealer takes the installation key, 32 bytes.
func NewSealer(key []byte) (*Sealer, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("sealing key has %d bytes instead of 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	return &Sealer{aead: aead}, nil
}

// Seal encrypts secret and binds it to its owner, so that a sealed value cannot be moved to another key's row.
func (s *Sealer) Seal(secret, owner string) []byte {
	return s.aead.Seal(nil, nil, []byte(secret), []byte(owner)) //nolint:gosec // the AEAD makes its own random nonce
}

// Open decrypts what Seal made for the same owner.
func (s *Sealer) Open(sealed []byte, owner string) (string, error) {
	plain, err := s.aead.Open(nil, nil, sealed, []byte(owner))
	if err != nil {
		return "", errors.New("sealed secret does not open: wrong installation key or altered row")
	}
	return string(plain), nil
}

// HashToken is how bearer tokens, security tokens and registration codes are kept: they have enough entropy that a plain
// hash cannot be reversed.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// randomText returns n characters of lower-case base32 from the system's random source.
func randomText(n int) string {
	b := make([]byte, (n*5+7)/8)
	_, _ = rand.Read(b) // never fails: crypto/rand aborts the process instead
	return idEncoding.EncodeToString(b)[:n]
}

// NewAccessKeyID makes the public id of a key: 20 letters and digits.
func NewAccessKeyID() string { return "ek" + randomText(18) }

// newAccountID makes the number of an account: 16 digits, so that it is as long as callers write it.
func newAccountID() AccountID {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the process instead
	const least = 1_000_000_000_000_000
	return AccountID(least + binary.BigEndian.Uint64(b[:])%(9*least))
}

// NewSecret makes the secret of a key: 40 characters, 200 bits.
func NewSecret() string { return randomText(40) }
