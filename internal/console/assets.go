package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var static embed.FS

const assetPath = root + "static/"

// asset is a file for the browser, as it is and compressed.
type asset struct {
	kind          string
	hash          string
	plain, packed []byte
}

// assets are the bundles of package web, by name. Their addresses hold a hash, so browsers may keep them for ever.
type assets map[string]asset

func loadAssets() (assets, error) {
	files, err := static.ReadDir("static")
	if err != nil {
		return nil, err
	}
	all := assets{}
	for _, f := range files {
		b, err := static.ReadFile("static/" + f.Name())
		if err != nil {
			return nil, err
		}
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // the level is a good one
		if _, err := z.Write(b); err != nil {
			return nil, err
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
		sum := sha256.Sum256(b)
		all[f.Name()] = asset{
			kind: mime.TypeByExtension(path.Ext(f.Name())), hash: hex.EncodeToString(sum[:8]), plain: b, packed: packed.Bytes(),
		}
	}
	return all, nil
}

// url is where the browser finds a file.
func (a assets) url(name string) string { return assetPath + name + "?v=" + a[name].hash }

func (a assets) serve(w http.ResponseWriter, r *http.Request) {
	file, ok := a[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.kind)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == file.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body := file.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = file.packed
	}
	_, _ = w.Write(body) // a reader that has gone misses nothing
}
