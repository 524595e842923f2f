// Package depot hands out the agent: the packages that an operator put into a folder, under the names that make packages gives them, and a
// script that installs the right one and makes the machine a node. Strangers may ask; there is nothing secret here, and nothing they send
// reaches the script.
package depot

import (
	"crypto/sha256"
	_ "embed" // for the script
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Paths of what is handed out. The name of a package follows DownloadPath.
const (
	ScriptPath   = "/agent/install.sh"
	DownloadPath = "/agent/download/"
)

// Config is what a Depot is made of.
type Config struct {
	Dir string // with the packages; empty means that there are none
	Log *slog.Logger
}

// Limits on downloads, which anybody may begin.
const (
	maxDownloads = 64 // at a time
	maxDownload  = 15 * time.Minute
)

// Depot serves ScriptPath and what is below DownloadPath.
type Depot struct {
	Config
	places chan struct{}

	mu   sync.Mutex
	sums map[string]sum // by file name; only of files that are offered
}

// sum is the digest of a file as it was then.
type sum struct {
	size    int64
	changed time.Time
	hex     string
}

// New makes a Depot. The folder is looked at whenever somebody asks, so that packages can come and go.
func New(c Config) *Depot {
	return &Depot{Config: c, places: make(chan struct{}, maxDownloads), sums: map[string]sum{}}
}

//go:embed install.sh
var script string

// Script answers with the script that installs the agent: first what there is to install, with digests, then what to do with it.
func (d *Depot) Script(w http.ResponseWriter, r *http.Request) {
	offers, err := d.offers()
	if err != nil {
		d.Log.ErrorContext(r.Context(), "agent packages", "error", err)
		http.Error(w, "the server's log has the cause", http.StatusInternalServerError)
		return
	}
	var list strings.Builder
	for _, o := range offers {
		fmt.Fprintf(&list, "\n%s %s %s %s %s", o.form, o.arch, o.version, o.sum, o.name)
	}
	w.Header().Set("Content-Type", "text/x-shellscript; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintf(w, "#!/bin/sh\n# What this server has: form, architecture, version, SHA-256, name.\npackages='%s'\n\n%s", strings.TrimPrefix(list.String(), "\n"), script)
}

// Download answers with a package.
func (d *Depot) Download(w http.ResponseWriter, r *http.Request) {
	select {
	case d.places <- struct{}{}:
		defer func() { <-d.places }()
	default:
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many downloads at the moment", http.StatusServiceUnavailable)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, DownloadPath)
	file, info, err := d.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		http.Error(w, d.absent(), http.StatusNotFound)
		return
	}
	if err != nil {
		d.Log.ErrorContext(r.Context(), "agent package", "file", name, "error", err)
		http.Error(w, "the server's log has the cause", http.StatusInternalServerError)
		return
	}
	defer func() { _ = file.Close() }() // it was only read
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(maxDownload)); err != nil {
		d.Log.WarnContext(r.Context(), "agent package", "error", err)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", info.ModTime(), file)
}

func (d *Depot) absent() string {
	if d.Dir == "" {
		return "this server has no agent packages: errand server --agent-packages names a folder with them"
	}
	return "there is no such agent package"
}

// open opens a package. What is not named like one does not exist.
func (d *Depot) open(name string) (*os.File, fs.FileInfo, error) {
	if _, ok := parse(name); !ok || d.Dir == "" {
		return nil, nil, fs.ErrNotExist
	}
	file, err := os.Open(filepath.Join(d.Dir, name))
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, info, nil
}

// digest returns the SHA-256 of a package in hexadecimal digits, and reads it only when it has changed.
func (d *Depot) digest(name string) (string, error) {
	file, info, err := d.open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // it was only read
	known := d.sums[name]
	if known.hex != "" && known.size == info.Size() && known.changed.Equal(info.ModTime()) {
		return known.hex, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	d.sums[name] = sum{info.Size(), info.ModTime(), hex.EncodeToString(h.Sum(nil))}
	return d.sums[name].hex, nil
}
