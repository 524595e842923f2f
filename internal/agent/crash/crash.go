// Package crash keeps what an agent said when it died, and counts its starts. The runtime itself writes the report, so that nothing is missed:
// a panic in any goroutine, a fatal error, a signal that ends the process with a trace. There is one Recorder in a process.
package crash

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

const (
	keep    = 5        // reports
	maxText = 64 << 10 // bytes of a report that are read again
)

// Names inside the folder of an agent's reports.
const (
	currentName = "current"
	startsName  = "starts.json"
	prefix      = "crash-"
	stamp       = "20060102T150405.000000Z"
)

// Starts counts how often agents were started on one data folder.
type Starts struct {
	Count  int `json:"count"`
	Sudden int `json:"sudden"` // ends without a goodbye: a crash, kill -9, a power failure
}

// Report is what is left of a crash.
type Report struct {
	Time time.Time `json:"time"` // the latest by which it had happened
	File string    `json:"file"`
	Text string    `json:"text"` // the build and, after an empty line, the trace
}

// Summary is what went wrong and where, in at most n bytes.
func (r *Report) Summary(n int) string {
	build, trace, _ := strings.Cut(r.Text, "\n\n")
	s := strings.ToValidUTF8(build+"\n"+trace, "?")
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "")
	}
	return s
}

// Recorder is the record of this run.
type Recorder struct {
	Starts Starts
	Last   *Report // nil if there never was one
	Fresh  bool    // Last is about the run before this one

	path string
	file *os.File
}

// Open notes a start, finds out how the run before ended, and from now on records how this one does. dir is made if need be. Whoever calls it
// holds a lock that keeps others from the folder.
func Open(dir, version string, now time.Time) (*Recorder, error) {
	r := &Recorder{path: filepath.Join(dir, currentName)}
	if err := r.open(dir, version, now); err != nil {
		return nil, fmt.Errorf("crash reports: %w", err)
	}
	return r, nil
}

func (r *Recorder) open(dir, version string, now time.Time) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if b, err := os.ReadFile(filepath.Join(dir, startsName)); err == nil {
		_ = json.Unmarshal(b, &r.Starts) // a count that is lost begins anew
	}
	before, err := r.examine(dir)
	if err != nil {
		return err
	}
	r.Fresh = before != ""
	if r.Last, err = newest(dir); err != nil {
		return err
	}
	r.Starts.Count++
	b, err := json.Marshal(r.Starts)
	if err != nil {
		return err
	}
	temp := filepath.Join(dir, startsName+".new")
	if err := os.WriteFile(temp, b, 0o600); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(dir, startsName)); err != nil {
		return err
	}
	if r.file, err = os.OpenFile(r.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
		return err
	}
	if _, err := io.WriteString(r.file, header(version, now)); err != nil {
		r.file.Close()
		return err
	}
	return debug.SetCrashOutput(r.file, debug.CrashOptions{})
}

// header says which program it is that the trace is of.
func header(version string, now time.Time) string {
	id := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				id = s.Value
			}
		}
	}
	return fmt.Sprintf("version %s, build %s, %s %s/%s, pid %d, started %s\n\n",
		version, id, runtime.Version(), runtime.GOOS, runtime.GOARCH, os.Getpid(), now.UTC().Format(time.RFC3339))
}

// examine looks at what the run before left behind, and makes a report of it if it crashed.
func (r *Recorder) examine(dir string) (report string, err error) {
	info, err := os.Stat(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	r.Starts.Sudden++
	b, err := os.ReadFile(r.path)
	if err != nil {
		return "", err
	}
	if _, trace, _ := bytes.Cut(b, []byte("\n\n")); len(bytes.TrimSpace(trace)) == 0 {
		return "", os.Remove(r.path)
	}
	report = filepath.Join(dir, prefix+info.ModTime().UTC().Format(stamp))
	if err := os.Rename(r.path, report); err != nil {
		return "", err
	}
	return report, nil
}

// newest returns the newest report, and removes the oldest.
func newest(dir string) (*Report, error) {
	files, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
	if err != nil || len(files) == 0 {
		return nil, err
	}
	slices.Sort(files)
	for len(files) > keep {
		if err := os.Remove(files[0]); err != nil {
			return nil, err
		}
		files = files[1:]
	}
	r := &Report{File: files[len(files)-1]}
	if r.Time, err = time.Parse(stamp, strings.TrimPrefix(filepath.Base(r.File), prefix)); err != nil {
		return nil, nil // not one of ours
	}
	f, err := os.Open(r.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxText))
	r.Text = string(b)
	return r, err
}

// Close notes that the process ends as it should.
func (r *Recorder) Close() error {
	return errors.Join(debug.SetCrashOutput(nil, debug.CrashOptions{}), r.file.Close(), os.Remove(r.path))
}
