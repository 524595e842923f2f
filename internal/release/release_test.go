package release_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/release"
)

var today = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func public(n byte) ed25519.PublicKey { return key(n).Public().(ed25519.PublicKey) }

func keyList(serial uint64, threshold int, keys ...byte) *release.KeyList {
	l := &release.KeyList{Product: release.Product, Serial: serial, Threshold: threshold, Created: today}
	for _, n := range keys {
		l.Keys = append(l.Keys, public(n))
	}
	return l
}

func manifest(version string) *release.Manifest {
	file := release.File{
		Name: "errand-agent", Size: 3, SHA256: strings.Repeat("ab", 32), Packed: 2, PackedSHA256: strings.Repeat("cd", 32),
	}
	return &release.Manifest{
		Product: release.Product, Version: version, Created: today, Expires: today.Add(24 * time.Hour), Protocol: 1,
		Platforms: []release.Platform{{OS: "linux", Arch: "amd64", Files: []release.File{file}}},
	}
}

func signed(t *testing.T, doc any, keys ...byte) []byte {
	t.Helper()
	var (
		e   release.Envelope
		err error
	)
	switch doc := doc.(type) {
	case *release.Manifest:
		e, err = release.Wrap(doc)
	case *release.KeyList:
		e, err = release.Wrap(doc)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range keys {
		if err := e.Sign(key(n)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestManifestNeedsItsSignatures(t *testing.T) {
	t.Parallel()
	two := keyList(1, 2, 1, 2, 3)
	m := manifest("1.2.3")
	for _, tt := range []struct {
		name    string
		keys    []byte
		trusted *release.KeyList
		want    error
	}{
		{"two of three", []byte{1, 3}, two, nil},
		{"one of three", []byte{1}, two, release.ErrSignature},
		{"one of three, twice", []byte{2, 2}, two, release.ErrSignature},
		{"one of three and a stranger", []byte{1, 9}, two, release.ErrSignature},
		{"none", nil, keyList(1, 1, 1), release.ErrSignature},
		{"a stranger", []byte{9}, keyList(1, 1, 1), release.ErrSignature},
		{"the only one", []byte{1}, keyList(1, 1, 1), nil},
	} {
		got, err := release.ReadManifest(signed(t, m, tt.keys...), tt.trusted)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v instead of %v", tt.name, err, tt.want)
		}
		if err == nil {
			if diff := cmp.Diff(*m, got); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", tt.name, diff)
			}
		}
	}
}

// Every byte of the payload counts, and so do the kind and the signature.
func TestNothingOfAnEnvelopeCanBeChanged(t *testing.T) {
	t.Parallel()
	trusted := keyList(1, 1, 1)
	whole, err := release.Open(signed(t, manifest("1.2.3"), 1))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, e release.Envelope) {
		t.Helper()
		text, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := release.ReadManifest(text, trusted); !errors.Is(err, release.ErrSignature) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range whole.Payload {
		e := whole
		e.Payload = bytes.Clone(whole.Payload)
		e.Payload[i] ^= 1
		refused("payload", e)
	}
	for i := range whole.Signatures[0].Sig {
		e := whole
		sig := bytes.Clone(whole.Signatures[0].Sig)
		sig[i] ^= 0x80
		e.Signatures = []release.Signature{{Key: whole.Signatures[0].Key, Sig: sig}}
		refused("signature", e)
	}
	// A signature under a list of keys does not count under a manifest.
	e := whole
	e.Kind = release.KindKeys
	e.Signatures = nil
	if err := e.Sign(key(1)); err != nil {
		t.Fatal(err)
	}
	e.Kind = release.KindManifest
	refused("kind", e)
}

func TestManifestIsChecked(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*release.Manifest){
		"product":        func(m *release.Manifest) { m.Product = "other" },
		"no version":     func(m *release.Manifest) { m.Version = "" },
		"short version":  func(m *release.Manifest) { m.Version = "1.2" },
		"path":           func(m *release.Manifest) { m.Version = "1.2.3/../../x" },
		"build metadata": func(m *release.Manifest) { m.Version = "1.2.3+x" },
		"no end":         func(m *release.Manifest) { m.Expires = time.Time{} },
		"ended before":   func(m *release.Manifest) { m.Expires = m.Created },
		"no platform":    func(m *release.Manifest) { m.Platforms = nil },
		"twice":          func(m *release.Manifest) { m.Platforms = append(m.Platforms, m.Platforms[0]) },
		"slip":           func(m *release.Manifest) { m.Platforms[0].Files[0].Name = "../errand-agent" },
		"absolute":       func(m *release.Manifest) { m.Platforms[0].Files[0].Name = "/bin/sh" },
		"empty name":     func(m *release.Manifest) { m.Platforms[0].Files[0].Name = "" },
		"other program":  func(m *release.Manifest) { m.Platforms[0].Files[0].Name = "sh" },
		"supervise only": func(m *release.Manifest) { m.Platforms[0].Files[0].Name = "errand-supervise" },
		"no file":        func(m *release.Manifest) { m.Platforms[0].Files = nil },
		"same file twice": func(m *release.Manifest) {
			m.Platforms[0].Files = append(m.Platforms[0].Files, m.Platforms[0].Files[0])
		},
		"size":       func(m *release.Manifest) { m.Platforms[0].Files[0].Size = release.MaxFile + 1 },
		"no size":    func(m *release.Manifest) { m.Platforms[0].Files[0].Packed = 0 },
		"hash":       func(m *release.Manifest) { m.Platforms[0].Files[0].SHA256 = "ab" },
		"upper case": func(m *release.Manifest) { m.Platforms[0].Files[0].SHA256 = strings.Repeat("AB", 32) },
	} {
		m := manifest("1.2.3")
		spoil(m)
		if _, err := release.Wrap(m); !errors.Is(err, release.ErrMalformed) {
			t.Errorf("%s: wrapped: %v", name, err)
		}
		payload, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		e := release.Envelope{Kind: release.KindManifest, Payload: payload}
		if err := e.Sign(key(1)); err != nil {
			t.Fatal(err)
		}
		text, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := release.ReadManifest(text, keyList(1, 1, 1)); !errors.Is(err, release.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	here := release.Machine{OS: "linux", Arch: "amd64", Version: "1.2.2", Protocol: 1}
	back := manifest("1.2.1")
	back.Back = true
	future := manifest("1.2.3")
	future.Protocol = 2
	for _, tt := range []struct {
		name string
		m    *release.Manifest
		at   release.Machine
		now  time.Time
		want error
	}{
		{"newer", manifest("1.2.3"), here, today, nil},
		{"same", manifest("1.2.2"), here, today, nil},
		{"older", manifest("1.2.1"), here, today, release.ErrDowngrade},
		{"older, signed for it", back, here, today, nil},
		{"before its release", manifest("1.2.2-rc.1"), here, today, release.ErrDowngrade},
		{"a program without a version", manifest("0.0.1"), release.Machine{OS: "linux", Arch: "amd64", Version: "dev", Protocol: 1}, today, nil},
		{"last moment", manifest("1.2.3"), here, today.Add(24*time.Hour - 1), nil},
		{"expired", manifest("1.2.3"), here, today.Add(24 * time.Hour), release.ErrExpired},
		{"platform", manifest("1.2.3"), release.Machine{OS: "linux", Arch: "riscv64", Version: "1.2.2", Protocol: 1}, today, release.ErrPlatform},
		{"protocol", future, here, today, release.ErrProtocol},
	} {
		if _, err := tt.m.Admit(tt.at, tt.now); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v instead of %v", tt.name, err, tt.want)
		}
	}
}

func TestKeysAreReplacedOnlyByThemselves(t *testing.T) {
	t.Parallel()
	first := keyList(1, 1, 1, 2)
	if _, err := release.ReadKeys(signed(t, first, 9)); !errors.Is(err, release.ErrSignature) {
		t.Errorf("a list that none of its keys signed: %v", err)
	}
	got, err := release.ReadKeys(signed(t, first, 2))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*first, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	second := keyList(2, 2, 3, 4)
	for _, tt := range []struct {
		name string
		text []byte
		want error
	}{
		{"signed by old and new", signed(t, second, 1, 3, 4), nil},
		{"not by the old", signed(t, second, 3, 4), release.ErrSignature},
		{"not by enough of the new", signed(t, second, 1, 2, 3), release.ErrSignature},
		{"same number", signed(t, keyList(1, 1, 3), 1, 3), release.ErrStale},
		{"not a list", signed(t, manifest("1.2.3"), 1), release.ErrMalformed},
	} {
		if _, err := first.Succeed(tt.text); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v instead of %v", tt.name, err, tt.want)
		}
	}
	for name, bad := range map[string]*release.KeyList{
		"no number": keyList(0, 1, 1), "no key": keyList(1, 1), "twice": keyList(1, 1, 1, 1), "too many asked": keyList(1, 2, 1),
		"none asked": keyList(1, 0, 1),
	} {
		if _, err := release.Wrap(bad); !errors.Is(err, release.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPack(t *testing.T) {
	t.Parallel()
	program := make([]byte, 300_000)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(program)
	copy(program[100_000:], make([]byte, 150_000))
	var packed, again bytes.Buffer
	f, err := release.Pack(&packed, "errand-agent", bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := release.Pack(&again, "errand-agent", bytes.NewReader(program)); err != nil || !bytes.Equal(packed.Bytes(), again.Bytes()) {
		t.Errorf("packed twice: %v", err)
	}
	if f.Size != 300_000 || f.Packed != int64(packed.Len()) || f.Packed > 200_000 {
		t.Errorf("sizes %d, %d", f.Size, f.Packed)
	}
	var out bytes.Buffer
	if err := f.Unpack(&out, bytes.NewReader(packed.Bytes())); err != nil || !bytes.Equal(program, out.Bytes()) {
		t.Errorf("unpack: %v", err)
	}
	if err := f.Check(bytes.NewReader(program)); err != nil {
		t.Errorf("check: %v", err)
	}
	if err := f.Check(bytes.NewReader(program[1:])); !errors.Is(err, release.ErrContent) {
		t.Errorf("check of another: %v", err)
	}
	for name, bad := range map[string][]byte{
		"empty": nil, "cut": packed.Bytes()[:packed.Len()-1], "longer": append(bytes.Clone(packed.Bytes()), 0),
		"twice": append(bytes.Clone(packed.Bytes()), packed.Bytes()...), "no gzip": program[:packed.Len()],
	} {
		if err := f.Unpack(&out, bytes.NewReader(bad)); !errors.Is(err, release.ErrContent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := 0; i < packed.Len(); i += 1009 {
		bad := bytes.Clone(packed.Bytes())
		bad[i] ^= 4
		if err := f.Unpack(&out, bytes.NewReader(bad)); !errors.Is(err, release.ErrContent) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
}

// A packed file that unfolds to more than was signed is not written beyond that.
func TestUnpackStopsAtTheSignedSize(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	f, err := release.Pack(&bomb, "errand-agent", bytes.NewReader(make([]byte, 20<<20)))
	if err != nil {
		t.Fatal(err)
	}
	f.Size = 1000
	var out bytes.Buffer
	if err := f.Unpack(&out, &bomb); !errors.Is(err, release.ErrContent) || out.Len() > 1001 {
		t.Errorf("%v after %d bytes", err, out.Len())
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestUnpackTellsAFullDiskFromABadFile(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	f, err := release.Pack(&packed, "errand-agent", strings.NewReader("program"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Unpack(full{}, &packed); !errors.Is(err, errFull) || errors.Is(err, release.ErrContent) {
		t.Error(err)
	}
}

func TestKeyFiles(t *testing.T) {
	t.Parallel()
	secret, err := release.EncodeSecret(key(1))
	if err != nil {
		t.Fatal(err)
	}
	open, err := release.EncodePublic(public(1))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := release.ReadSecret(secret); err != nil || !got.Equal(key(1)) {
		t.Errorf("secret: %v", err)
	}
	if got, err := release.ReadPublic(open); err != nil || !got.Equal(public(1)) {
		t.Errorf("public: %v", err)
	}
	if _, err := release.ReadSecret(open); err == nil {
		t.Error("a public key passes for a secret one")
	}
	if _, err := release.ReadPublic(secret); err == nil {
		t.Error("a secret key passes for a public one")
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"kind":"manifest","payload":"e30=","signatures":[{"key":"a","sig":"AA=="}]}`))
	f.Add([]byte(`{"kind":"keys","payload":"eyJwcm9kdWN0IjoiZXJyYW5kLWFnZW50Iiwic2VyaWFsIjoxLCJ0aHJlc2hvbGQiOjEsImtleXMiOltdfQ==","signatures":[]}`))
	trusted := keyList(1, 1, 1)
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := release.ReadManifest(text, trusted); err == nil {
			t.Error("a manifest that nobody signed is believed")
		}
		if _, err := trusted.Succeed(text); err == nil {
			t.Error("a key list that nobody signed is believed")
		}
		e, err := release.Open(text)
		if err != nil {
			return
		}
		if m, err := e.Manifest(); err == nil {
			for _, p := range m.Platforms {
				for _, file := range p.Files {
					if strings.ContainsAny(file.Name+m.Version, "/\\") {
						t.Errorf("path %q in version %q", file.Name, m.Version)
					}
				}
			}
		}
	})
}
