package core

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"errand/internal/policy"
)

// Bounds on keys.
const (
	MinToken        = 15 * time.Minute // lifetime of a temporary key; both bounds are Alibaba's (STS, AssumeRole)
	MaxToken        = 12 * time.Hour
	MaxOverlap      = 7 * 24 * time.Hour // how long the old secret may stay valid after a rotation
	maxKeyNetworks  = 50
	maxSession      = 2048           // bytes of a session policy (Alibaba, STS)
	keepExpiredKeys = 24 * time.Hour // until then, an expired key is told from one that never was
)

// IssuedKey is a new key with what is shown only this once.
type IssuedKey struct {
	AccessKey
	Secret string // of a key that signs
	Token  string // security token of a temporary key, or the bearer token itself
}

// CreateKey makes a long key whose id and secret are chosen by the caller: the installation's first, and those of tests.
func (s *Service) CreateKey(ctx context.Context, account AccountID, principal, id, secret string) (AccessKey, error) {
	k := AccessKey{
		ID: id, Account: account, Principal: principal, Kind: KeyLong, Sealed: s.sealer.Seal(secret, id), CreatedAt: s.Now(),
	}
	return k, s.store.InsertKey(ctx, k)
}

// CreateBearer makes a bearer token for a principal and returns it; only its hash is kept.
func (s *Service) CreateBearer(ctx context.Context, account AccountID, principal string) (token string, err error) {
	k, err := s.issue(ctx, AccessKey{Account: account, Principal: principal, Kind: KeyBearer})
	return k.Token, err
}

// issue gives a key its id, its secrets and the time, and stores it.
func (s *Service) issue(ctx context.Context, k AccessKey) (IssuedKey, error) {
	k.ID, k.CreatedAt = NewAccessKeyID(), s.Now()
	issued := s.arm(&k)
	return issued, s.store.InsertKey(ctx, k)
}

// arm gives a key new secrets. A token that is sent as it is begins with the key's id, by which it is found.
func (s *Service) arm(k *AccessKey) IssuedKey {
	var issued IssuedKey
	if k.Kind == KeyBearer || k.Kind == KeyLogin {
		issued.Token = k.ID + "." + NewSecret()
	} else {
		issued.Secret = NewSecret()
		k.Sealed = s.sealer.Seal(issued.Secret, k.ID)
	}
	if k.Kind == KeyTemporary {
		issued.Token = NewSecret()
	}
	if issued.Token != "" {
		k.TokenHash = HashToken(issued.Token)
	}
	issued.AccessKey = *k
	return issued
}

// Credential is an access key with its secrets opened, for checking a signature.
type Credential struct {
	AccessKey
	Secret    string
	OldSecret string // still good after a rotation; empty if none is
}

// Key finds the key a request names. Unknown, disabled and expired keys are told apart by Reason. For KeyTemporary the caller must
// still compare HashToken of the token it was given with TokenHash, in constant time.
func (s *Service) Key(ctx context.Context, id string) (Credential, error) {
	k, err := s.store.Key(ctx, id)
	now := s.Now()
	switch {
	case errors.Is(err, ErrNotFound):
		return Credential{}, &Error{Code: CodeUnauthenticated, Reason: ReasonKeyUnknown, Detail: "unknown access key"}
	case err != nil:
		return Credential{}, err
	case k.Disabled:
		return Credential{}, &Error{Code: CodeUnauthenticated, Reason: ReasonKeyDisabled, Detail: "access key is disabled"}
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return Credential{}, &Error{Code: CodeUnauthenticated, Reason: ReasonKeyExpired, Detail: "access key is expired"}
	}
	c := Credential{AccessKey: k}
	if k.Kind == KeyBearer || k.Kind == KeyLogin {
		return c, nil
	}
	if c.Secret, err = s.sealer.Open(k.Sealed, k.ID); err != nil {
		return Credential{}, err
	}
	if len(k.OldSealed) > 0 && now.Before(k.OldUntil) {
		c.OldSecret, err = s.sealer.Open(k.OldSealed, k.ID)
	}
	return c, err
}

// Bearer finds the key whose token this is: that of a bearer token or of a login.
func (s *Service) Bearer(ctx context.Context, token string) (AccessKey, error) {
	unknown := &Error{Code: CodeUnauthenticated, Reason: ReasonKeyUnknown, Detail: "unknown bearer token"}
	id, _, ok := strings.Cut(token, ".")
	if !ok {
		return AccessKey{}, unknown
	}
	c, err := s.Key(ctx, id)
	if ReasonKeyUnknown.Is(err) {
		return AccessKey{}, unknown
	}
	// Whoever has only the public id learns nothing about the key.
	given := []byte(HashToken(token))
	good := subtle.ConstantTimeCompare(given, []byte(c.TokenHash)) == 1 ||
		s.Now().Before(c.OldUntil) && subtle.ConstantTimeCompare(given, []byte(c.OldTokenHash)) == 1
	if err == nil && (c.Kind != KeyBearer && c.Kind != KeyLogin || !good) {
		return AccessKey{}, unknown
	}
	if err == nil && c.Kind == KeyLogin {
		err = s.checkLogin(ctx, &c.AccessKey)
	}
	return c.AccessKey, err
}

// used notes that a key was used; FlushUsed writes it down. Many uses thus cost one row.
func (s *Service) used(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keysUsed[id] = s.Now()
}

// FlushUsed writes the noted uses of keys.
func (s *Service) FlushUsed(ctx context.Context) error {
	s.mu.Lock()
	used := s.keysUsed
	s.keysUsed = map[string]time.Time{}
	s.mu.Unlock()
	if len(used) == 0 {
		return nil
	}
	err := s.store.SetKeysUsed(ctx, used)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		for id, at := range used {
			if s.keysUsed[id].Before(at) {
				s.keysUsed[id] = at
			}
		}
	}
	return err
}

// KeySpec is an order for a key that lasts.
type KeySpec struct {
	User        string  // whose key; empty means the caller's
	Kind        KeyKind // KeyLong or KeyBearer
	Description string
	Dialects    []string       // through which it may be used; empty means any
	Networks    []netip.Prefix // from where; empty means anywhere
	Lifetime    time.Duration  // zero means for ever
}

// IssueKey makes an access key.
func (s *Service) IssueKey(ctx context.Context, c Caller, spec KeySpec) (IssuedKey, error) {
	if spec.User == "" {
		spec.User = c.Principal
	}
	if err := c.Allow("key.create", nil, resource("user", spec.User, nil)); err != nil {
		return IssuedKey{}, err
	}
	if err := c.mayManage(spec.User); err != nil {
		return IssuedKey{}, err
	}
	if spec.Kind != KeyLong && spec.Kind != KeyBearer {
		return IssuedKey{}, invalid(ReasonInvalidValue, "kind", "%q is neither %s nor %s", spec.Kind, KeyLong, KeyBearer)
	}
	if err := checkKey(spec.Description, spec.Dialects, spec.Networks); err != nil {
		return IssuedKey{}, err
	}
	if spec.Lifetime < 0 {
		return IssuedKey{}, invalid(ReasonTooSmall, "lifetime", "negative")
	}
	if spec.User != RootUser {
		u, err := s.user(ctx, c.Account, spec.User)
		switch {
		case err != nil:
			return IssuedKey{}, err
		case u.Kind == UserRole:
			return IssuedKey{}, &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Field: "user", Detail: "a role has only temporary keys"}
		}
	}
	if err := s.room(ctx, c.Account, QuotaKeys); err != nil {
		return IssuedKey{}, err
	}
	k := AccessKey{
		Account: c.Account, Principal: spec.User, Kind: spec.Kind, Description: spec.Description, Dialects: spec.Dialects, Networks: spec.Networks,
	}
	if spec.Lifetime > 0 {
		k.ExpiresAt = s.Now().Add(spec.Lifetime)
	}
	issued, err := s.issue(ctx, k)
	c.Trail.note("key/" + issued.ID)
	return issued, err
}

// mayManage refuses to let anybody but root touch what belongs to root.
func (c *Caller) mayManage(principal string) error {
	if principal == RootUser && !c.Root {
		return c.rootOnly()
	}
	return nil
}

func checkKey(description string, dialects []string, networks []netip.Prefix) error {
	if err := checkText("description", description, 0, maxDescription); err != nil {
		return err
	}
	known := []Origin{OriginNative, OriginECS, OriginEFLO, OriginTAT, OriginZOS}
	for _, d := range dialects {
		if !slices.Contains(known, Origin(d)) {
			return invalid(ReasonInvalidValue, "dialects", "%q is none of %v", d, known)
		}
	}
	if len(networks) > maxKeyNetworks {
		return limited(ReasonTooLong, "networks", "more than %d", maxKeyNetworks)
	}
	return nil
}

// TokenSpec is an order for a temporary key.
type TokenSpec struct {
	Role     string        // to act as; empty means the caller's own principal
	Policy   string        // document that narrows what the key may do; empty narrows nothing
	Lifetime time.Duration // MinToken to MaxToken
}

// IssueToken makes a temporary key, as the vendors' AssumeRole and GetFederationToken do. To act as a role takes the right to create keys
// of it; everybody may have a temporary key of their own, except by a temporary key or a login, which could so outlive itself.
func (s *Service) IssueToken(ctx context.Context, c Caller, spec TokenSpec) (IssuedKey, error) {
	switch {
	case spec.Lifetime < MinToken:
		return IssuedKey{}, invalid(ReasonTooSmall, "lifetime", "less than %v", MinToken)
	case spec.Lifetime > MaxToken:
		return IssuedKey{}, invalid(ReasonTooLarge, "lifetime", "more than %v", MaxToken)
	case len(spec.Policy) > maxSession:
		return IssuedKey{}, invalid(ReasonTooLong, "policy", "more than %d bytes", maxSession)
	}
	if spec.Policy != "" {
		if err := checkDocument(spec.Policy); err != nil {
			return IssuedKey{}, err
		}
	}
	k := AccessKey{
		Account: c.Account, Principal: c.Principal, Kind: KeyTemporary, Session: spec.Policy, Dialects: c.Dialects, Networks: c.Networks,
		ExpiresAt: s.Now().Add(spec.Lifetime),
	}
	if spec.Role == "" {
		if c.KeyKind == KeyTemporary || c.KeyKind == KeyLogin {
			return IssuedKey{}, &Error{Code: CodeDenied, Reason: ReasonDenied, Detail: "a temporary key or a login issues none of that kind"}
		}
		c.Trail.note("user/" + c.Principal)
	} else {
		if err := c.Allow("key.create", nil, resource("user", spec.Role, nil)); err != nil {
			return IssuedKey{}, err
		}
		u, err := s.user(ctx, c.Account, spec.Role)
		switch {
		case err != nil:
			return IssuedKey{}, err
		case u.Kind != UserRole:
			return IssuedKey{}, &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Field: "role", Detail: "a user, whose keys it makes itself"}
		}
		k.Principal = spec.Role
	}
	issued, err := s.issue(ctx, k)
	c.Trail.note("key/" + issued.ID)
	return issued, err
}

// Keys lists the keys of a user, or of all the account's users and root, by id. Temporary keys and logins are left out unless they are asked for.
func (s *Service) Keys(ctx context.Context, c Caller, user string, temporary bool) ([]AccessKey, error) {
	if err := c.Allow("key.list", nil, resource("user", user, nil)); err != nil {
		return nil, err
	}
	if user != "" && user != RootUser {
		if _, err := s.user(ctx, c.Account, user); err != nil {
			return nil, err
		}
	}
	if err := s.FlushUsed(ctx); err != nil { // so that the store's rows are as fresh as memory
		return nil, err
	}
	rows, err := s.store.ListKeys(ctx, KeyFilter{Account: c.Account, Principal: user})
	if !temporary {
		rows = slices.DeleteFunc(rows, func(k AccessKey) bool { return k.Kind == KeyTemporary || k.Kind == KeyLogin })
	}
	return rows, err
}

// KeyChange holds what to change of a key; nil leaves a field as it is.
type KeyChange struct {
	Disabled    *bool
	Description *string
	Dialects    *[]string
	Networks    *[]netip.Prefix
}

// ChangeKey changes a key.
func (s *Service) ChangeKey(ctx context.Context, c Caller, id string, ch KeyChange) (AccessKey, error) {
	verb := "key.enable" // also what a key may be used for: both widen or narrow its use
	if ch.Disabled != nil && *ch.Disabled {
		verb = "key.disable"
	}
	return s.changeKey(ctx, c, verb, id, func(k *AccessKey, others int) (bool, error) {
		if ch.Disabled != nil {
			if *ch.Disabled {
				if err := lastOfRoot(k, others); err != nil {
					return false, err
				}
			}
			k.Disabled = *ch.Disabled
		}
		if ch.Description != nil {
			k.Description = *ch.Description
		}
		if ch.Dialects != nil {
			k.Dialects = *ch.Dialects
		}
		if ch.Networks != nil {
			k.Networks = *ch.Networks
		}
		return true, checkKey(k.Description, k.Dialects, k.Networks)
	})
}

// lastOfRoot refuses to take the last key by which root can sign: nothing could be managed afterwards.
func lastOfRoot(k *AccessKey, others int) error {
	if k.Principal == RootUser && k.Kind == KeyLong && !k.Disabled && others == 0 {
		return &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Field: "key", Detail: "root has no other key that signs"}
	}
	return nil
}

// RotateKey gives a key a new secret under its old id. The old secret stays good for the overlap, so that programs can be told one after
// another; a second rotation within it ends the first.
func (s *Service) RotateKey(ctx context.Context, c Caller, id string, overlap time.Duration) (issued IssuedKey, err error) {
	switch {
	case overlap < 0:
		return IssuedKey{}, invalid(ReasonTooSmall, "overlap", "negative")
	case overlap > MaxOverlap:
		return IssuedKey{}, invalid(ReasonTooLarge, "overlap", "more than %v", MaxOverlap)
	}
	_, err = s.changeKey(ctx, c, "key.rotate", id, func(k *AccessKey, _ int) (bool, error) {
		if k.Kind == KeyTemporary || k.Kind == KeyLogin {
			return false, &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Field: "key", Detail: "a temporary key or a login ends by itself"}
		}
		old := *k
		issued = s.arm(k)
		k.OldSealed, k.OldTokenHash, k.OldUntil = nil, "", time.Time{}
		if overlap > 0 {
			k.OldSealed, k.OldTokenHash, k.OldUntil = old.Sealed, old.TokenHash, s.Now().Add(overlap)
		}
		issued.AccessKey = *k
		return true, nil
	})
	if err != nil {
		return IssuedKey{}, err
	}
	return issued, nil
}

// DeleteKey deletes a key.
func (s *Service) DeleteKey(ctx context.Context, c Caller, id string) error {
	_, err := s.changeKey(ctx, c, "key.delete", id, func(k *AccessKey, others int) (bool, error) { return false, lastOfRoot(k, others) })
	return err
}

// changeKey is the common part of what is done to one key.
func (s *Service) changeKey(
	ctx context.Context, c Caller, verb, id string, change func(*AccessKey, int) (bool, error),
) (k AccessKey, err error) {
	unknown := notFound(ReasonAccessNotFound, "no key %s", id)
	known, err := s.store.Key(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return AccessKey{}, err
	}
	about := []policy.Resource{resource("key", id, nil)}
	exists := err == nil && known.Account == c.Account
	if exists {
		about = append(about, resource("user", known.Principal, nil))
	}
	if err := c.Allow(verb, nil, about...); err != nil {
		return AccessKey{}, err
	}
	if !exists {
		return AccessKey{}, unknown
	}
	if err := c.mayManage(known.Principal); err != nil {
		return AccessKey{}, err
	}
	err = s.store.ChangeKey(ctx, c.Account, id, func(row *AccessKey, others int) (bool, error) {
		keep, err := change(row, others)
		k = *row
		return keep, err
	})
	if errors.Is(err, ErrNotFound) {
		err = unknown
	}
	return k, err
}
