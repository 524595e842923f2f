package sign

import (
	"crypto/sha256"
	"strconv"
	"sync"
	"time"
)

const (
	// nonceKept covers Alibaba's clock window on both sides: a request may be signed 15 minutes in the future and
	// resent until 15 minutes after that.
	nonceKept   = 30 * time.Minute
	nonceShards = 64
)

// NonceCache remembers which nonces an access key has used. The zero value is empty and ready, and may be used from
// several goroutines.
//
// A nonce is remembered for at least 30 minutes and, while requests come in, at most 60, as a hash of 16 bytes. Record a nonce only after its
// signature was verified: then memory is bounded by what the rate limit lets authenticated callers send in an hour,
// about 40 bytes each, and a stranger can neither fill the cache nor use up another's nonces. The cache lives in one
// process and starts empty.
type NonceCache struct {
	shards [nonceShards]nonceShard
}

// nonceShard keeps two generations. Dropping a whole generation costs less than expiring entries one by one, and maps
// without pointers cost the garbage collector nothing.
type nonceShard struct {
	mu                sync.Mutex
	began             time.Time // of the current generation
	current, previous map[nonceKey]struct{}
}

type nonceKey [16]byte

// Seen reports whether the key has used the nonce before, and remembers it if not.
func (c *NonceCache) Seen(keyID, nonce string, now time.Time) bool {
	// The length in front keeps ("ab", "c") apart from ("a", "bc").
	sum := sha256.Sum256([]byte(strconv.Itoa(len(keyID)) + ":" + keyID + nonce))
	key := nonceKey(sum[:16])
	shard := &c.shards[key[0]%nonceShards]

	shard.mu.Lock()
	defer shard.mu.Unlock()
	shard.turn(now)
	_, recent := shard.current[key]
	_, older := shard.previous[key]
	if recent || older {
		return true
	}
	shard.current[key] = struct{}{}
	return false
}

// turn starts a new generation when the current one is full of time. A clock set back by more than that also starts one,
// and keeps what is known, because requests of that time may come again.
func (s *nonceShard) turn(now time.Time) {
	age := now.Sub(s.began)
	switch {
	case s.current != nil && age.Abs() < nonceKept:
		return
	case age >= 2*nonceKept:
		s.previous = nil
	default:
		s.previous = s.current
	}
	s.current = make(map[nonceKey]struct{})
	s.began = now
}
