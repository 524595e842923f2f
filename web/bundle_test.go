package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
)

// TestBundlesAreCurrent makes the bundles again and compares them with those that are committed.
func TestBundlesAreCurrent(t *testing.T) {
	t.Parallel()
	files, err := Bundle(".")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("../internal/console/static", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("internal/console/static/%s is not what web/src makes: run go generate ./web", name)
		}
	}
	there, err := filepath.Glob("../internal/console/static/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range there {
		if _, ok := files[filepath.Base(path)]; !ok {
			t.Errorf("nothing makes %s", path)
		}
	}
}

// TestThirdParty keeps the programs of others as they were fetched.
func TestThirdParty(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"third_party/axe-core/LICENSE":               "af175b9d96ee93c21a036152e1b905b0b95304d4ae8c2c921c7609100ba8df7e",
		"third_party/axe-core/axe.min.js":            "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c",
		"third_party/htmx.org/LICENSE":               "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
		"third_party/htmx.org/htmx.esm.js":           "44c18394bdb8fdb7fe49790457b9de21bee5976427d501ddb4059e7ab6221678",
		"third_party/xterm-addon-fit/LICENSE":        "e256f01188af527e4d06d21d06fbf785ae9c50d4b328bf03cbe0ba7f0aa4228f",
		"third_party/xterm-addon-fit/addon-fit.d.ts": "aad8b53a1210375cd5f15381958adfb3fa86d095b8bf703b622c58f9a2792e20",
		"third_party/xterm-addon-fit/addon-fit.mjs":  "aa22c5f28e4d64118ac0e7d60276b3384188e59dd104c96e43760d6e2cedd771",
		"third_party/xterm/LICENSE":                  "b569f629d00f2626a8100df2a1798210535621e42164dfd426a6fe5aac7b0ccd",
		"third_party/xterm/xterm.css":                "854a7c0fb70e8b1a083c16797ab827299fb18744f5ad34f227b48337e33293c6",
		"third_party/xterm/xterm.d.ts":               "99028aeff2d441798b242790750ee385ba621b460db5a7e2341ae1cab7f3e2af",
		"third_party/xterm/xterm.mjs":                "3fd3d0046d2604ea5860235e2f96625a2fab158dcf3d4cfb0f7c1655559a5d9a",
	}
	there, err := filepath.Glob("third_party/*/*")
	if err != nil {
		t.Fatal(err)
	}
	if len(there) != len(want) {
		t.Errorf("%d files, want %d", len(there), len(want))
	}
	for _, path := range there {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		if got := hex.EncodeToString(sum[:]); got != want[filepath.ToSlash(path)] {
			t.Errorf("%s: %q", path, got)
		}
	}
}
