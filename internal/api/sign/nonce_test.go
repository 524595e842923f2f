package sign

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var nonceStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestNonceCache(t *testing.T) {
	t.Parallel()
	var cache NonceCache
	for _, step := range []struct {
		after      time.Duration
		key, nonce string
		seen       bool
	}{
		{0, "key", "nonce", false},
		{0, "key", "nonce", true},
		{0, "other", "nonce", false},
		{0, "keyn", "once", false},
		{30*time.Minute - 1, "key", "nonce", true},
		{2 * time.Hour, "key", "nonce", false},
		{2 * time.Hour, "key", "nonce", true},
	} {
		if got := cache.Seen(step.key, step.nonce, nonceStart.Add(step.after)); got != step.seen {
			t.Errorf("after %s: %s %s seen = %t, want %t", step.after, step.key, step.nonce, got, step.seen)
		}
	}
}

// TestNonceCacheSpan lets generations turn at every minute of a nonce's life.
func TestNonceCacheSpan(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		age  time.Duration
		seen bool
	}{
		{time.Minute, true},
		{15 * time.Minute, true},
		{30 * time.Minute, true},
		{61 * time.Minute, false},
		{5 * time.Hour, false},
	} {
		for first := range 60 {
			var cache NonceCache
			used := nonceStart.Add(time.Duration(first) * time.Minute)
			for now := nonceStart; now.Before(used.Add(tt.age)); now = now.Add(time.Minute) {
				turnAll(&cache, now)
				if now.Equal(used) {
					cache.Seen("key", "nonce", now)
				}
			}
			if got := cache.Seen("key", "nonce", used.Add(tt.age)); got != tt.seen {
				t.Errorf("used in minute %d: after %s seen = %t, want %t", first, tt.age, got, tt.seen)
			}
		}
	}
}

// turnAll is what traffic does to every shard.
func turnAll(c *NonceCache, now time.Time) {
	for i := range c.shards {
		c.shards[i].turn(now)
	}
}

func TestNonceCacheClockSetBack(t *testing.T) {
	t.Parallel()
	var cache NonceCache
	cache.Seen("key", "nonce", nonceStart)
	if !cache.Seen("key", "nonce", nonceStart.Add(-10*time.Second)) {
		t.Error("forgotten when the clock went back by seconds")
	}
	if !cache.Seen("key", "nonce", nonceStart.Add(-24*time.Hour)) {
		t.Error("forgotten when the clock went back by a day")
	}
	if cache.Seen("key", "nonce", nonceStart.Add(-22*time.Hour)) {
		t.Error("kept until the clock is where it was")
	}
}

func TestNonceCacheConcurrent(t *testing.T) {
	t.Parallel()
	const workers, nonces = 8, 1000
	var cache NonceCache
	var fresh atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range nonces {
				if !cache.Seen("key", strconv.Itoa(i), nonceStart) {
					fresh.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if got := fresh.Load(); got != nonces {
		t.Errorf("%d first sights of %d nonces", got, nonces)
	}
}

func BenchmarkNonceCache(b *testing.B) {
	var cache NonceCache
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		cache.Seen("LTAI5tExampleExampleExam", strconv.Itoa(i), nonceStart)
	}
}
