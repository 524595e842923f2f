package core

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Config is what a Service is made of.
type Config struct {
	Store  Store
	Blobs  Blobs
	Sealer *Sealer
	IDs    *IDs
	Now    func() time.Time
	Log    *slog.Logger
	Feed   *Feed
	// PageKey signs paging tokens; 32 bytes, the same on all replicas.
	PageKey []byte
}

// Service is what callers can do. It checks, decides and stores; after a change is committed it tells the Feed.
type Service struct {
	store  Store
	blobs  Blobs
	sealer *Sealer
	ids    *IDs
	now    func() time.Time
	log    *slog.Logger
	feed   *Feed
	pages  pager

	mu     sync.Mutex
	seen   map[NodeKey]time.Time // signs of life since the last FlushSeen
	live   map[NodeKey]time.Time // the latest sign of life of each node heard by this process
	linked map[NodeKey]bool      // nodes connected to this process
}

// NewService puts a Service together.
func NewService(c Config) *Service {
	return &Service{
		store: c.Store, blobs: c.Blobs, sealer: c.Sealer, ids: c.IDs, now: c.Now, log: c.Log, feed: c.Feed,
		pages: pager{key: c.PageKey}, seen: map[NodeKey]time.Time{}, live: map[NodeKey]time.Time{}, linked: map[NodeKey]bool{},
	}
}

// Now is the service's clock, to the microsecond that stores keep.
func (s *Service) Now() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// NewID hands out an id for an object that needs no row, such as the command behind an unsaved run.
func (s *Service) NewID() ID { return s.ids.Next(s.Now()) }

// CreateAccount makes an account.
func (s *Service) CreateAccount(ctx context.Context, id AccountID, name string) (Account, error) {
	a := Account{ID: id, Name: name, CreatedAt: s.Now()}
	return a, s.store.InsertAccount(ctx, a)
}

// CreateKey makes an access key with the given id and secret for an account.
func (s *Service) CreateKey(ctx context.Context, account AccountID, principal, id, secret string) (AccessKey, error) {
	k := AccessKey{
		ID: id, Account: account, Principal: principal, Kind: KeyLong, Sealed: s.sealer.Seal(secret, id), CreatedAt: s.Now(),
	}
	return k, s.store.InsertKey(ctx, k)
}

// CreateBearer makes a bearer token for an account and returns it; only its hash is kept.
func (s *Service) CreateBearer(ctx context.Context, account AccountID, principal string) (token string, err error) {
	token = NewSecret()
	id := HashToken(token)
	return token, s.store.InsertKey(ctx, AccessKey{
		ID: id, Account: account, Principal: principal, Kind: KeyBearer, CreatedAt: s.Now(),
	})
}

// Credential is an access key with its secret opened, for checking a signature.
type Credential struct {
	AccessKey
	Secret string
}

// Key finds the key a request names. Unknown, disabled and expired keys are told apart by Reason. For KeyTemporary the caller must
// still compare HashToken of the token it was given with TokenHash, in constant time.
func (s *Service) Key(ctx context.Context, id string) (Credential, error) {
	k, err := s.store.Key(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return Credential{}, &Error{Code: CodeUnauthenticated, Reason: ReasonKeyUnknown, Detail: "unknown access key"}
	case err != nil:
		return Credential{}, err
	case k.Disabled:
		return Credential{}, &Error{Code: CodeUnauthenticated, Reason: ReasonKeyDisabled, Detail: "access key is disabled"}
	case !k.ExpiresAt.IsZero() && !s.Now().Before(k.ExpiresAt):
		return Credential{}, &Error{Code: CodeUnauthenticated, Reason: ReasonKeyExpired, Detail: "access key is expired"}
	}
	if k.Kind == KeyBearer {
		return Credential{AccessKey: k}, nil
	}
	secret, err := s.sealer.Open(k.Sealed, k.ID)
	return Credential{AccessKey: k, Secret: secret}, err
}

// Bearer finds the key whose token this is.
func (s *Service) Bearer(ctx context.Context, token string) (AccessKey, error) {
	c, err := s.Key(ctx, HashToken(token))
	if err == nil && c.Kind != KeyBearer {
		err = &Error{Code: CodeUnauthenticated, Reason: ReasonKeyUnknown, Detail: "unknown bearer token"}
	}
	return c.AccessKey, err
}
