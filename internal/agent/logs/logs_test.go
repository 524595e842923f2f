package logs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRotation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "agent.log")
	if err := os.WriteFile(path, []byte("from before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path, 1000, 3)
	if err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 100 {
				if _, err := fmt.Fprintf(f, "writer %d line %02d %s\n", w, i, strings.Repeat("x", 30)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if _, err := f.Write(append(bytes.Repeat([]byte("y"), 3000), '\n')); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(path + "*")
	if len(files) != 3 {
		t.Errorf("files %v", files)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := os.ReadFile(file)
		if file != path && info.Size() > 1000 || info.Mode().Perm() != 0o600 || !bytes.HasSuffix(b, []byte("\n")) {
			t.Errorf("%s: %v, %d bytes", file, info.Mode(), info.Size())
		}
		for line := range strings.Lines(string(b)) {
			if !strings.HasPrefix(line, "writer ") && !strings.HasPrefix(line, "yyy") {
				t.Errorf("%s: a torn line %q", file, line)
			}
		}
	}
}

// A folder that goes away and comes back costs lines and nothing else.
func TestRotationGoesOnAfterFailure(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := Open(filepath.Join(dir, "agent.log"), 10, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write := func() error { _, err := f.Write([]byte("123456789\n")); return err }
	if err := write(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := write(); err == nil {
		t.Error("written to a folder that is not there")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := write(); err != nil {
			t.Error(err)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 2 {
		t.Errorf("files %v", files)
	}
	if _, err := Open(filepath.Join(dir, "no", "where"), 10, 2); err == nil {
		t.Error("opened a file in no folder")
	}
}

func TestRepeatedLines(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var b bytes.Buffer
	log := New(&b, Options{Level: slog.LevelDebug, JSON: true, Now: func() time.Time { return now }})
	for i := range 100 {
		log.With("node", "n").Warn("no link", "try", i)
		log.Debug("detail")
	}
	log.Info("another")
	now = now.Add(window)
	log.Info("a minute later")
	for i := range 30 {
		log.Warn("no link", "try", i)
	}
	lines := map[string]int{}
	for line := range strings.Lines(b.String()) {
		var l struct {
			Level, Msg, Message string
			Count               int
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		lines[l.Msg]++
		if l.Msg == "lines left out" && (l.Message != "no link" || l.Count != 80 || l.Level != "WARN") {
			t.Errorf("left out: %+v", l)
		}
	}
	if fmt.Sprint(lines) != "map[a minute later:1 another:1 detail:100 lines left out:1 no link:40]" {
		t.Errorf("%v", lines)
	}
}

func TestHidden(t *testing.T) {
	t.Parallel()
	for _, isJSON := range []bool{false, true} {
		var b bytes.Buffer
		log := New(&b, Options{JSON: isJSON, Hidden: []string{"s3cret", `pass"word`, "abc", ""}})
		log.Info("a s3cret message", "error", fmt.Errorf(`wrong: "%s"`, `pass"word`), "group", []string{"s3cret"}, "short", "abc")
		if s := b.String(); strings.Contains(s, "s3cret") || strings.Contains(s, "word") || !strings.Contains(s, "[hidden] message") || !strings.Contains(s, "abc") {
			t.Error(s)
		}
	}
}
