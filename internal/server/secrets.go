package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"errand/internal/bus/broker"
	"errand/internal/core"
)

// Credentials is the root access key as it is kept in root-credentials.json.
type Credentials struct {
	AccountID       string `json:"account_id"`
	AccessKeyID     string `json:"access_key_id"`
	AccessKeySecret string `json:"access_key_secret"`
}

// sealer opens the installation key: from the configuration, else from a file that is made on the first start.
func sealer(c *Config) (*core.Sealer, error) {
	if c.SealKey != "" {
		key, err := hex.DecodeString(c.SealKey)
		if err != nil {
			return nil, fmt.Errorf("sealing key: %w", err)
		}
		return core.NewSealer(key)
	}
	key, err := keep(filepath.Join(c.Data, "seal.key"), func() ([]byte, error) { return random(32), nil })
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	return core.NewSealer(key)
}

// authority opens the CA that vouches for the broker, made on the first start.
func authority(c *Config) (*broker.CA, error) {
	certFile, keyFile := filepath.Join(c.Data, "ca.pem"), filepath.Join(c.Data, "ca.key")
	certPEM, err := os.ReadFile(certFile)
	if err == nil {
		keyPEM, err := os.ReadFile(keyFile)
		if err != nil {
			return nil, fmt.Errorf("CA key: %w", err)
		}
		return broker.LoadCA(certPEM, keyPEM)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("CA certificate: %w", err)
	}
	ca, keyPEM, err := broker.NewCA(c.Now())
	if err != nil {
		return nil, err
	}
	if err := errors.Join(write(keyFile, keyPEM), write(certFile, ca.PEM)); err != nil {
		return nil, err
	}
	return ca, nil
}

// root makes the root account and its key on the first start.
func root(ctx context.Context, c *Config, store core.Accounts, svc *core.Service) error {
	_, err := store.Account(ctx, core.RootAccount)
	if err == nil {
		return nil
	}
	if !errors.Is(err, core.ErrNotFound) {
		return err
	}
	cred := Credentials{AccountID: core.RootAccount.String(), AccessKeyID: c.RootKeyID, AccessKeySecret: c.RootSecret}
	generated := cred.AccessKeyID == ""
	if generated {
		cred.AccessKeyID, cred.AccessKeySecret = core.NewAccessKeyID(), core.NewSecret()
	}
	// The file comes first: a crash in between leaves a file that the next start overwrites, never a key that nobody knows.
	if generated {
		text, err := json.MarshalIndent(cred, "", "  ")
		if err != nil {
			return err
		}
		file := filepath.Join(c.Data, "root-credentials.json")
		if err := write(file, append(text, '\n')); err != nil {
			return err
		}
		c.Log.Info("root access key made", "file", file)
		fmt.Fprintf(c.Notice, "Root access key, also in %s:\n  %s\n  %s\n", file, cred.AccessKeyID, cred.AccessKeySecret)
	}
	if _, err := svc.CreateKey(ctx, core.RootAccount, core.RootUser, cred.AccessKeyID, cred.AccessKeySecret); err != nil && !errors.Is(err, core.ErrTaken) {
		return fmt.Errorf("root key: %w", err)
	}
	if _, err := svc.CreateAccount(ctx, core.RootAccount, "root"); err != nil {
		return fmt.Errorf("root account: %w", err)
	}
	return nil
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand aborts the process instead
	return b
}

// keep reads a secret file, or makes it.
func keep(file string, fresh func() ([]byte, error)) ([]byte, error) {
	b, err := os.ReadFile(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	if b, err = fresh(); err != nil {
		return nil, err
	}
	return b, write(file, b)
}

// write puts a secret file in place, whole or not at all.
func write(file string, b []byte) error {
	tmp := fmt.Sprintf("%s.%d", file, time.Now().UnixNano())
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, file)
	}
	if err != nil {
		_ = os.Remove(tmp)
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
