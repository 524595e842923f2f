// Package blob keeps what is too long for a database row. Folder is a core.Blobs on a local or shared file system: one compressed,
// checksummed file for each key.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"errand/internal/core"
)

// MaxSize is the longest blob that can be stored, in bytes; a damaged or planted file cannot unfold to more than that.
const MaxSize = 64 << 20

const (
	maxKey = 512 // bytes
	suffix = ".zst"
	// Directories of long names are gathered by the first characters of those: ids begin with their time, so that not all that were ever
	// made lie side by side. Neither mark occurs in keys.
	longName   = 8
	shardChars = 4
	shardMark  = "_"
)

// Folder keeps blobs as files under a directory. It may be used from many goroutines.
type Folder struct {
	dir string
	enc *zstd.Encoder
	dec *zstd.Decoder

	making sync.Mutex // of directories: one that another goroutine made counts as there only once it is synced
}

var _ core.Blobs = (*Folder)(nil)

// NewFolder uses dir, which is created if it does not exist.
func NewFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	enc, err := zstd.NewWriter(nil, zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxSize), zstd.WithDecoderConcurrency(0))
	if err != nil {
		return nil, err
	}
	return &Folder{dir: dir, enc: enc, dec: dec}, nil
}

// Put implements core.Blobs: the file appears under its name whole and synced, or not at all.
func (f *Folder) Put(ctx context.Context, key string, data []byte) error {
	path, err := f.path(key)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && len(data) > MaxSize {
		err = fmt.Errorf("%d bytes are more than %d", len(data), MaxSize)
	}
	if err == nil {
		err = f.makeDir(filepath.Dir(path))
	}
	if err == nil {
		err = writeFile(path, f.enc.EncodeAll(data, nil))
	}
	if err != nil {
		return fmt.Errorf("put blob %q: %w", key, err)
	}
	return nil
}

// Get implements core.Blobs.
func (f *Folder) Get(ctx context.Context, key string) ([]byte, error) {
	path, err := f.path(key)
	if err == nil {
		err = ctx.Err()
	}
	var packed, data []byte
	if err == nil {
		packed, err = os.ReadFile(path)
	}
	if err == nil {
		data, err = f.dec.DecodeAll(packed, nil)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = core.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("get blob %q: %w", key, err)
	}
	return data, nil
}

// DeleteAll implements core.Blobs. The prefix may end within a name, but must not be empty.
func (f *Folder) DeleteAll(ctx context.Context, prefix string) error {
	dir, name := f.dir, prefix
	var err error
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		dir, err = f.under(prefix[:i])
		name = prefix[i+1:]
	}
	switch {
	case err != nil:
	case prefix == "" || !valid(name):
		err = errKey
	case name == "":
		err = f.removeDir(dir)
	default:
		err = removeMatching(ctx, dir, name)
	}
	if err != nil {
		return fmt.Errorf("delete blobs %q: %w", prefix, err)
	}
	return nil
}

// removeDir removes a directory for good, and the one that gathers it and its like when that is empty.
func (f *Folder) removeDir(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	if err := syncDir(parent); err != nil || !strings.HasSuffix(parent, shardMark) {
		return err
	}
	f.making.Lock() // who makes a directory relies on those above it
	defer f.making.Unlock()
	if err := os.Remove(parent); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeMatching removes what belongs to keys that go on with name.
func removeMatching(ctx context.Context, dir, name string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		path := filepath.Join(dir, e.Name())
		shard, isShard := strings.CutSuffix(e.Name(), shardMark)
		switch {
		case strings.HasPrefix(e.Name(), name):
			err = os.RemoveAll(path)
		case isShard && strings.HasPrefix(name, shard):
			err = removeMatching(ctx, path, name[len(shard):])
		}
	}
	return err
}

var errKey = errors.New("keys are made of [a-z0-9], with single slashes between names")

// path is the file of a key.
func (f *Folder) path(key string) (string, error) {
	dir, name := f.dir, key
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		var err error
		if dir, err = f.under(key[:i]); err != nil {
			return "", err
		}
		name = key[i+1:]
	}
	if name == "" || !valid(name) || len(key) > maxKey {
		return "", errKey
	}
	return filepath.Join(dir, name+suffix), nil
}

// under is the directory of the keys that begin with names and a slash.
func (f *Folder) under(names string) (string, error) {
	if len(names) > maxKey {
		return "", errKey
	}
	dir := f.dir
	for name := range strings.SplitSeq(names, "/") {
		if name == "" || !valid(name) {
			return "", errKey
		}
		if len(name) > longName {
			dir = filepath.Join(dir, name[:shardChars]+shardMark)
			name = name[shardChars:]
		}
		dir = filepath.Join(dir, name)
	}
	return dir, nil
}

// valid reports whether a name has only characters that mean nothing to a file system.
func valid(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(name) <= 255-len(suffix)
}

func (f *Folder) makeDir(dir string) error {
	f.making.Lock()
	defer f.making.Unlock()
	return makeDir(dir)
}

// makeDir is os.MkdirAll that syncs each directory in which it created one.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func writeFile(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, "-new*") // no key has a dash
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err = os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
