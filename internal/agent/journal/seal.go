package journal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Messages with secrets are sealed with a key that lies beside the journal, so that a copy of the journal, which people make when they look for
// a fault, does not carry passwords away.

const keySize = 32

// seal returns the records with the messages of secret ones sealed.
func (j *Journal) seal(records []Record) ([]Record, error) {
	if !slices.ContainsFunc(records, func(r Record) bool { return r.Secret }) {
		return records, nil
	}
	aead, err := j.cipher()
	if err != nil {
		return nil, err
	}
	records = slices.Clone(records)
	for i := range records {
		if r := &records[i]; r.Secret {
			r.Run = aead.Seal(nil, nil, r.Run, r.owner()) //nolint:gosec // the AEAD makes its own random nonce
		}
	}
	return records, nil
}

// unseal returns the message of a secret record.
func (j *Journal) unseal(r *Record) ([]byte, error) {
	aead, err := j.cipher()
	if err != nil {
		return nil, err
	}
	run, err := aead.Open(nil, nil, r.Run, r.owner())
	if err != nil {
		return nil, errors.New("sealed message does not open: another key or an altered record")
	}
	return run, nil
}

// owner binds a sealed message to its task.
func (r *Record) owner() []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, r.Task.Invocation), uint64(r.Task.Index))
}

func (j *Journal) cipher() (cipher.AEAD, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.aead != nil {
		return j.aead, nil
	}
	key, err := readKey(j.dir)
	if err != nil {
		return nil, fmt.Errorf("key of sealed messages: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	j.aead, err = cipher.NewGCMWithRandomNonce(block)
	return j.aead, err
}

// readKey reads the key, or makes it. It has its name only when it is on disk.
func readKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, keyName)
	key, err := os.ReadFile(path)
	if err == nil && len(key) == keySize {
		return key, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key = make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(key)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return nil, err
	}
	return key, syncDir(dir)
}
