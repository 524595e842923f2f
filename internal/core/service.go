package core

import (
	"cmp"
	"log/slog"
	"sync"
	"time"

	"errand/internal/policy"
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
	Post   Post // carries webhooks
	// ObjectStore is the store that output can be delivered to; nil if there is none.
	ObjectStore ObjectStore
	Transfers   TransferLimits
	// Protocol is what the server speaks with nodes: a release may need a newer one.
	Protocol uint64
	// PageKey signs paging tokens; 32 bytes, the same on all replicas.
	PageKey []byte
	// KeyAge is how old the key of a node may become before the node has to replace it; zero is for any age.
	KeyAge time.Duration
	// KeepOutput is how many bytes of one task's output are kept at most; 256 MiB if it is zero. Agents of our own send 64 MiB.
	KeepOutput uint64
	// Terminals is what sessions may ask for.
	Terminals TerminalTerms
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
	post   Post
	depot  ObjectStore
	pages  pager
	keyAge time.Duration

	protocol   uint64
	watch      watchers[TaskID]
	awaited    watchers[ID]
	searches   chan struct{} // who searches in an output
	keepOutput uint64

	transfers TransferLimits
	terminals TerminalTerms

	mu     sync.Mutex
	seen   map[NodeKey]time.Time // signs of life since the last FlushSeen
	live   map[NodeKey]time.Time // the latest sign of life of each node heard by this process
	linked map[NodeKey]bool      // nodes connected to this process
	clones map[NodeKey]*clones   // of nodes that have some

	keysUsed  map[string]time.Time // uses of access keys since the last FlushUsed
	documents map[string]policy.Document
	quotas    map[AccountID]cachedQuotas
	audited   []AuditRecord // not yet written
	progress  map[TaskID]Progress
	paced     map[ID]ID // runs whose Pace moves, and their probes: by invocation, the run

	announced announced // for NotePresence alone
	stream    hub
}

// NewService puts a Service together.
func NewService(c Config) *Service {
	s := &Service{
		store: sealedStore{c.Store, c.Sealer}, blobs: c.Blobs, sealer: c.Sealer, ids: c.IDs, now: c.Now, log: c.Log, feed: c.Feed, post: c.Post, depot: c.ObjectStore,
		transfers: c.Transfers.withDefaults(), terminals: c.Terminals.withDefaults(), progress: map[TaskID]Progress{}, paced: map[ID]ID{},
		searches: make(chan struct{}, maxSearches), keepOutput: cmp.Or(c.KeepOutput, usualKept),
		protocol: c.Protocol, keyAge: c.KeyAge, pages: pager{key: c.PageKey}, seen: map[NodeKey]time.Time{}, live: map[NodeKey]time.Time{}, linked: map[NodeKey]bool{},
		clones:   map[NodeKey]*clones{},
		keysUsed: map[string]time.Time{}, documents: map[string]policy.Document{}, quotas: map[AccountID]cachedQuotas{},
	}
	s.stream.init(s)
	return s
}

// Now is the service's clock, to the microsecond that stores keep.
func (s *Service) Now() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// NewID hands out an id for an object that needs no row, such as the command behind an unsaved run.
func (s *Service) NewID() ID { return s.ids.Next(s.Now()) }
