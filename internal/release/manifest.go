package release

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/semver"
)

// Limits of a manifest.
const (
	MaxFile      = 64 << 20 // bytes of one program
	maxPlatforms = 32
	maxVersion   = 64
)

// Manifest is a release: the programs of one version, for every platform that it has.
type Manifest struct {
	Product  string    `json:"product"`
	Version  string    `json:"version"` // as semver.org has it, without build metadata
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`               // nobody changes to it afterwards; those who have may stay
	Protocol uint64    `json:"min_protocol"`          // the oldest that the server may speak
	Back     bool      `json:"downgrade,omitempty"`   // it may replace a newer version
	Notes    string    `json:"description,omitempty"` // for people

	Platforms []Platform `json:"platforms"`
}

// Platform is the programs for one operating system and processor, in the words of Go.
type Platform struct {
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	Files []File `json:"files"`
}

// File is one program. It travels compressed with gzip.
type File struct {
	Name         string `json:"name"`
	Size         int64  `json:"size"`
	SHA256       string `json:"sha256"` // hexadecimal digits
	Packed       int64  `json:"packed_size"`
	PackedSHA256 string `json:"packed_sha256"`
}

// The programs of a release. The supervisor may be left out.
const (
	AgentProgram     = "errand-agent"
	SuperviseProgram = "errand-supervise"
)

// ProgramName is the name of a program's file on an operating system.
func ProgramName(program, goos string) string {
	if goos == "windows" {
		return program + ".exe"
	}
	return program
}

// ReadManifest reads a release that is signed as the trusted keys ask. What it says is not compared with any clock or machine; see Admit.
func ReadManifest(text []byte, trusted *KeyList) (Manifest, error) {
	e, err := Open(text)
	if err != nil {
		return Manifest{}, err
	}
	if err := e.enough(trusted); err != nil {
		return Manifest{}, err
	}
	return e.Manifest()
}

// Manifest reads what an envelope holds, whoever signed it.
func (e *Envelope) Manifest() (m Manifest, err error) {
	if e.Kind != KindManifest {
		return m, fmt.Errorf("%w: a %s list instead of a manifest", ErrMalformed, e.Kind)
	}
	if err := json.Unmarshal(e.Payload, &m); err != nil {
		return m, fmt.Errorf("%w: manifest: %w", ErrMalformed, err)
	}
	return m, m.check()
}

func (m *Manifest) kind() (Kind, error) { return KindManifest, m.check() }

func (m *Manifest) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: manifest: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
	switch {
	case m.Product != Product:
		return bad("it is for %.40q", m.Product)
	case !ValidVersion(m.Version):
		return bad("%.80q is not a version such as 1.2.3", m.Version)
	case m.Expires.IsZero() || !m.Expires.After(m.Created):
		return bad("it ends before it begins")
	case len(m.Platforms) == 0 || len(m.Platforms) > maxPlatforms:
		return bad("%d platforms instead of 1 to %d", len(m.Platforms), maxPlatforms)
	}
	seen := map[string]bool{}
	for i := range m.Platforms {
		p := &m.Platforms[i]
		name := p.OS + "/" + p.Arch
		if p.OS == "" || p.Arch == "" || len(name) > 64 || seen[name] {
			return bad("platform %.80q", name)
		}
		seen[name] = true
		if err := p.check(); err != nil {
			return bad("%s: %v", name, err)
		}
	}
	return nil
}

// check admits only names that we know, so that no path in a manifest can lead anywhere.
func (p *Platform) check() error {
	names := []string{ProgramName(AgentProgram, p.OS), ProgramName(SuperviseProgram, p.OS)}
	for i := range p.Files {
		f := &p.Files[i]
		at := slices.Index(names, f.Name)
		switch {
		case at < 0:
			return fmt.Errorf("file %.80q", f.Name)
		case f.Size <= 0 || f.Size > MaxFile || f.Packed <= 0 || f.Packed > MaxFile:
			return fmt.Errorf("%s has %d bytes, packed %d", f.Name, f.Size, f.Packed)
		case !isHash(f.SHA256) || !isHash(f.PackedSHA256):
			return fmt.Errorf("%s has no hash", f.Name)
		}
		names[at] = ""
	}
	if names[0] != "" {
		return fmt.Errorf("%s is missing", names[0])
	}
	return nil
}

func isHash(s string) bool {
	sum, err := hex.DecodeString(s)
	return err == nil && len(sum) == 32 && hex.EncodeToString(sum) == s
}

// ValidVersion reports whether s is a version that a release can have. Such a text is also the name of a folder.
func ValidVersion(s string) bool {
	v := "v" + s
	return len(s) <= maxVersion && semver.IsValid(v) && semver.Canonical(v) == v
}

// Compare orders versions as semver.org does. A text that is no version comes before all that are.
func Compare(a, b string) int { return semver.Compare("v"+a, "v"+b) }

// Machine is who wants to change to a release.
type Machine struct {
	OS, Arch string
	Version  string // what it runs
	Protocol uint64 // what its server speaks
}

// Admit returns the programs for a machine, or says why it must not change to this release.
func (m *Manifest) Admit(at Machine, now time.Time) (Platform, error) {
	p, ok := m.Platform(at.OS, at.Arch)
	switch {
	case !now.Before(m.Expires):
		return p, fmt.Errorf("%w: on %s", ErrExpired, m.Expires.UTC().Format(time.DateOnly))
	case !ok:
		return p, fmt.Errorf("%w: %s/%s", ErrPlatform, at.OS, at.Arch)
	case m.Protocol > at.Protocol:
		return p, fmt.Errorf("%w: protocol %d instead of %d", ErrProtocol, m.Protocol, at.Protocol)
	case !m.Back && Compare(m.Version, at.Version) < 0:
		return p, fmt.Errorf("%w: %s instead of %s, and not signed to replace it", ErrDowngrade, m.Version, at.Version)
	}
	return p, nil
}

// Platform returns the programs for a platform.
func (m *Manifest) Platform(goos, arch string) (Platform, bool) {
	i := slices.IndexFunc(m.Platforms, func(p Platform) bool { return p.OS == goos && p.Arch == arch })
	if i < 0 {
		return Platform{}, false
	}
	return m.Platforms[i], true
}

// File returns a program by the name of its file.
func (p *Platform) File(name string) (File, bool) {
	i := slices.IndexFunc(p.Files, func(f File) bool { return f.Name == name })
	if i < 0 {
		return File{}, false
	}
	return p.Files[i], true
}
