package blob

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"errand/internal/core"
)

func newFolder(tb testing.TB) *Folder {
	tb.Helper()
	f, err := NewFolder(filepath.Join(tb.TempDir(), "blobs"))
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func TestDamaged(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	ctx := t.Context()
	if err := f.Put(ctx, "a", bytes.Repeat([]byte("some text "), 100)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.dir, "a.zst")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 1 << (i % 8)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		data, err := f.Get(ctx, "a")
		if err == nil && !bytes.Equal(data, bytes.Repeat([]byte("some text "), 100)) {
			t.Errorf("byte %d of %d damaged: no error, other data", i, len(whole))
		}
		if errors.Is(err, core.ErrNotFound) {
			t.Errorf("byte %d damaged: not found", i)
		}
	}
}

func TestSizeLimit(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	ctx := t.Context()
	if err := f.Put(ctx, "a", make([]byte, MaxSize)); err != nil {
		t.Error(err)
	}
	if data, err := f.Get(ctx, "a"); err != nil || len(data) != MaxSize {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if err := f.Put(ctx, "b", make([]byte, MaxSize+1)); err == nil {
		t.Error("put of too much: no error")
	}
	bomb := f.enc.EncodeAll(make([]byte, 2*MaxSize), nil)
	if err := os.WriteFile(filepath.Join(f.dir, "c.zst"), bomb, 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := f.Get(ctx, "c"); err == nil {
		t.Errorf("%d bytes unfold to %d", len(bomb), len(data))
	}
}

// TestUnfinished plants what a crash in the middle of a Put leaves behind.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	ctx := t.Context()
	if err := f.Put(ctx, "a/b/c", []byte("x")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(f.dir, "a", "b"))
	if err != nil || len(entries) != 1 || entries[0].Name() != "c.zst" {
		t.Errorf("after a put: %v, %v", entries, err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "a", "b", "-new1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.DeleteAll(ctx, "a/b/"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(f.dir, "a", "b")); !os.IsNotExist(err) {
		t.Errorf("after a delete: %v", err)
	}
}

// FuzzPath checks that no key leaves the folder and that no two keys share a file.
func FuzzPath(f *testing.F) {
	for _, pair := range [][2]string{
		{"a", "a/b"},
		{"output/0abcdefghjkmnpqr/000001/0", "output/0abc/defghjkmnpqr/000001/0"},
		{"../a", "a"},
		{"a/../b", "b"},
		{"a//b", "a/b"},
		{"a.zst", "a"},
	} {
		f.Add(pair[0], pair[1])
	}
	folder := &Folder{dir: "/blobs"}
	f.Fuzz(func(t *testing.T, a, b string) {
		pathA, errA := folder.path(a)
		pathB, errB := folder.path(b)
		if errA == nil && (!strings.HasPrefix(pathA, "/blobs/") || pathA != filepath.Clean(pathA)) {
			t.Errorf("key %q leads to %q", a, pathA)
		}
		if errA == nil && errB == nil && (a == b) != (pathA == pathB) {
			t.Errorf("keys %q and %q lead to %q and %q", a, b, pathA, pathB)
		}
	})
}
