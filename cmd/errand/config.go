package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// settings is the user's file: which servers there are, and as whom to call them.
type settings struct {
	Current  string              `yaml:"current,omitempty"`
	Previous string              `yaml:"previous,omitempty"`
	Contexts map[string]*profile `yaml:"contexts,omitempty"`
}

// profile is a context: a server and a caller under a name. Secrets stand there as they are, or as file:PATH or env:NAME.
type profile struct {
	Server      string `yaml:"server,omitempty" json:"server,omitempty"`
	CAFile      string `yaml:"ca_file,omitempty" json:"ca_file,omitempty"`
	KeyID       string `yaml:"access_key_id,omitempty" json:"access_key_id,omitempty"`
	Secret      string `yaml:"access_key_secret,omitempty" json:"access_key_secret,omitempty"`
	Token       string `yaml:"token,omitempty" json:"token,omitempty"`
	Data        string `yaml:"data,omitempty" json:"data,omitempty"`                 // folder of a server on this machine
	ConfirmOver *int   `yaml:"confirm_over,omitempty" json:"confirm_over,omitempty"` // ask before more nodes than this are changed
}

// settingsFile is where the settings are.
func settingsFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "errand", "config.yaml"), nil
}

// loadSettings reads the settings; no file means none. A file that others may read is refused, since it may hold secrets.
func loadSettings() (s settings, file string, err error) {
	if file, err = settingsFile(); err != nil {
		return s, "", err
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, file, nil
	}
	if err != nil {
		return s, file, err
	}
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
		return s, file, fmt.Errorf("%s may be read by others: chmod 600 %[1]s", file)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&s); err != nil {
		return s, file, fmt.Errorf("%s: %w", file, err)
	}
	for name, p := range s.Contexts {
		if p == nil {
			return s, file, fmt.Errorf("%s: context %q is empty", file, name)
		}
	}
	return s, file, nil
}

// save writes the settings whole or not at all.
func (s *settings) save(file string) error {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(s), enc.Close()); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".config-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(out.Bytes())
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// names are the contexts in order.
func (s *settings) names() []string { return slices.Sorted(maps.Keys(s.Contexts)) }

// find returns a context.
func (s *settings) find(name string) (*profile, error) {
	if p := s.Contexts[name]; p != nil {
		return p, nil
	}
	if len(s.Contexts) == 0 {
		return nil, fmt.Errorf("no context %q, and no other; make one with errand ctx add", name)
	}
	return nil, fmt.Errorf("no context %q; there are %s", name, strings.Join(s.names(), ", "))
}

// use makes a context the current one; - is the one before.
func (s *settings) use(name string) error {
	if name == "-" {
		if name = s.Previous; name == "" {
			return errors.New("there was no context before this one")
		}
	}
	if _, err := s.find(name); err != nil {
		return err
	}
	if name != s.Current {
		s.Previous, s.Current = s.Current, name
	}
	return nil
}

var contextName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// reveal resolves a secret that stands elsewhere.
func reveal(secret string) (string, error) {
	if name, ok := strings.CutPrefix(secret, "env:"); ok {
		value, set := os.LookupEnv(name)
		if !set {
			return "", fmt.Errorf("the variable %s, which holds a secret of the context, is not set", name)
		}
		return value, nil
	}
	if file, ok := strings.CutPrefix(secret, "file:"); ok {
		if rest, home := strings.CutPrefix(file, "~/"); home {
			dir, err := os.UserHomeDir()
			if err != nil {
				return "", err
			}
			file = filepath.Join(dir, rest)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("a secret of the context: %w", err)
		}
		return strings.TrimRight(string(text), "\r\n"), nil
	}
	return secret, nil
}

// masked is how a secret is shown: where it stands, or its end.
func masked(secret string) string {
	switch {
	case secret == "" || strings.HasPrefix(secret, "env:") || strings.HasPrefix(secret, "file:"):
		return secret
	case len(secret) < 12:
		return "****"
	default:
		return "****" + secret[len(secret)-4:]
	}
}
