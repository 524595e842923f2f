package storetest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"errand/internal/core"
)

// RunBlobs runs the suite for blob stores. open opens an empty one.
func RunBlobs(t *testing.T, open func(tb testing.TB) core.Blobs) {
	tests := []struct {
		name string
		run  func(*testing.T, core.Blobs)
	}{
		{"round trip", testBlobRoundTrip},
		{"keys", testBlobKeys},
		{"delete", testBlobDelete},
		{"concurrent", testBlobConcurrent},
		{"cancelled", testBlobCancelled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t, open(t))
		})
	}
}

// noise is data that cannot be compressed.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	return b
}

func testBlobRoundTrip(t *testing.T, b core.Blobs) {
	ctx := t.Context()
	const key = "output/0abcdefghjkmnpqr/000001/0000000000000000"
	_, err := b.Get(ctx, key)
	is(t, "blob that was never put", err, core.ErrNotFound)
	for _, data := range [][]byte{noise(1 << 20), []byte("x"), nil, bytes.Repeat([]byte("line\n"), 1<<20)} {
		is(t, "put", b.Put(ctx, key, data), nil)
		got, err := b.Get(ctx, key)
		is(t, "get", err, nil)
		if !bytes.Equal(data, got) {
			t.Errorf("%d bytes came back as %d others", len(data), len(got))
		}
	}
	is(t, "put", b.Put(ctx, "a", []byte("1")), nil)
	is(t, "put below", b.Put(ctx, "a/b", []byte("2")), nil)
	for key, want := range map[string]string{"a": "1", "a/b": "2"} {
		got, err := b.Get(ctx, key)
		is(t, "get", err, nil)
		same(t, key, want, string(got))
	}
}

func testBlobKeys(t *testing.T, b core.Blobs) {
	ctx := t.Context()
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", "..", "a/../b", "A", "a.b", "a b", "a\\b", "a\x00", "ä", "-", "_",
		strings.Repeat("a", 300), strings.Repeat("a/", 600) + "a",
	} {
		if b.Put(ctx, key, []byte("x")) == nil {
			t.Errorf("put of %q: no error", key)
		}
		if _, err := b.Get(ctx, key); err == nil {
			t.Errorf("get of %q: no error", key)
		}
	}
	for _, prefix := range []string{"", "/", "..", "a/..", "a/../", "a//", "A"} {
		if b.DeleteAll(ctx, prefix) == nil {
			t.Errorf("delete of %q: no error", prefix)
		}
	}
	is(t, "put of a long key", b.Put(ctx, strings.Repeat("abcdefghi/", 40)+"z", nil), nil)
}

func testBlobDelete(t *testing.T, b core.Blobs) {
	ctx := t.Context()
	all := []string{
		"a", "ab", "abcdefgh/x", "abcdefghi/x", "abcdefghi/y/z", "abcdefghij/x", "abcx/1", "abcdx/1", "output/0abcdefghjkmnpqr/000001/0",
		"output/0abcdefghjkmnpqr/000001/1", "output/0abcdefghjkmnpqr/000002/0", "output/0abcdefghjkmnpqs/000001/0", "output1",
	}
	for _, prefix := range []string{
		"nothing", "nothing/", "a", "ab", "abc", "abcd", "abcde", "abcdefgh", "abcdefghi", "abcdefghi/", "abcdefghij/", "abcdefghi/y", "abcdefghi/x",
		"output/", "output", "output/0abcdefghjkmnpqr/", "output/0abcdefghjkmnpqr/000001/", "output/0abcdefghjkmnpqr/000001", "output/0abc",
		"output/0abcdef", "output/0abcdefghjkmnpq", "output/0abcdefghjkmnpqr/000001/1",
	} {
		for _, key := range all {
			is(t, "put", b.Put(ctx, key, []byte(key)), nil)
		}
		is(t, "delete", b.DeleteAll(ctx, prefix), nil)
		var left []string
		for _, key := range all {
			if _, err := b.Get(ctx, key); err == nil {
				left = append(left, key)
			} else {
				is(t, "get", err, core.ErrNotFound)
			}
		}
		want := slices.DeleteFunc(slices.Clone(all), func(key string) bool { return strings.HasPrefix(key, prefix) })
		same(t, fmt.Sprintf("left without %q", prefix), want, left)
	}
}

// testBlobConcurrent puts the same and different keys at once: what is read is always one of the values, whole.
func testBlobConcurrent(t *testing.T, b core.Blobs) {
	ctx := t.Context()
	const writers = 8
	value := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, 10000+i) }
	is(t, "put", b.Put(ctx, "shared/key", value(0)), nil)
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			for range 10 {
				own := fmt.Sprintf("own/%d/x", i)
				is(t, "put", b.Put(ctx, own, value(i)), nil)
				is(t, "put", b.Put(ctx, "shared/key", value(i)), nil)
				got, err := b.Get(ctx, own)
				is(t, "get", err, nil)
				same(t, "own value", true, bytes.Equal(value(i), got))
				got, err = b.Get(ctx, "shared/key")
				is(t, "get", err, nil)
				if len(got) == 0 || !bytes.Equal(got, value(int(got[0]-'a'))) {
					t.Error("read a mixture of values")
				}
			}
		})
	}
	group.Wait()
}

func testBlobCancelled(t *testing.T, b core.Blobs) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	is(t, "put", b.Put(ctx, "a", nil), context.Canceled)
	_, err := b.Get(t.Context(), "a")
	is(t, "blob that was not put", err, core.ErrNotFound)
	_, err = b.Get(ctx, "a")
	is(t, "get", err, context.Canceled)
}
