package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"errand/internal/agent/journal"
	"errand/internal/protocol"
)

func sending(n int, f protocol.File, content string) protocol.Run {
	return protocol.Run{Task: id(n), Spec: protocol.Spec{Content: []byte(content), File: &f, Timeout: 60}}
}

func TestFileIsWritten(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) { c.tempo = quick() }
	n.start()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	m := sending(1, protocol.File{Name: "motd", Dir: dir, Mode: "0640"}, "welcome")
	s.run(m)
	if f := s.result(m.Task).finished; f.Outcome != protocol.OutcomeExited || f.ExitCode != 0 || f.Started == 0 || f.Ended < f.Started {
		t.Errorf("%+v", f)
	}
	path := filepath.Join(dir, "motd")
	b, err := os.ReadFile(path)
	if err != nil || string(b) != "welcome" {
		t.Errorf("%q, %v", b, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.WriteFile(path, []byte("changed since"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s.mu.Lock()
		s.job(m.Task).final = false
		s.mu.Unlock()
		s.run(m)
		s.result(m.Task)
		n.stop()
		n.start()
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "changed since" {
		t.Errorf("written twice: %q, %v", b, err)
	}
}

func TestFileIsRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.start()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "there"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := protocol.File{Name: "f", Dir: dir}
	for i, c := range []struct {
		want    protocol.Outcome
		content string
		change  func(*protocol.File)
	}{
		{protocol.OutcomeFileExists, "x", func(f *protocol.File) { f.Name = "there" }},
		{protocol.OutcomeFileContent, "", func(*protocol.File) {}},
		{protocol.OutcomeFileName, "x", func(f *protocol.File) { f.Name = "../f" }},
		{protocol.OutcomeFilePath, "x", func(f *protocol.File) { f.Dir = "etc" }},
		{protocol.OutcomeFileMode, "x", func(f *protocol.File) { f.Mode = "rw" }},
		{protocol.OutcomeUserNotFound, "x", func(f *protocol.File) { f.Owner = "nobody-of-that-name" }},
		{protocol.OutcomeGroupNotFound, "x", func(f *protocol.File) { f.Group = "nobody-of-that-name" }},
	} {
		f := good
		c.change(&f)
		m := sending(i, f, c.content)
		s.run(m)
		if got := s.result(m.Task).finished; got.Outcome != c.want || got.Detail == "" || got.Started != 0 || got.Ended == 0 {
			t.Errorf("%+v, want outcome %d", got, c.want)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "there")); err != nil || string(b) != "old" {
		t.Errorf("%q, %v", b, err)
	}
}

// Commands that take all their places do not keep files from being written, nor does a file take a command's place.
func TestFilesHaveALaneOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) { c.MaxRunning, c.tempo = 1, quick() }
	n.start()
	s.run(script(1, "sleep 300"))
	s.await("the first to start", func() bool { return s.job(id(1)).started > 0 })
	s.run(script(2, "echo second"))
	s.await("the second to wait", func() bool { return s.job(id(2)).received })
	dir := t.TempDir()
	for i, name := range []string{"a", "b", "c", "d", "e", "f"} {
		s.run(sending(10+i, protocol.File{Name: name, Dir: dir}, "x"))
	}
	for i := range 6 {
		if got := s.result(id(10 + i)).finished; got.Outcome != protocol.OutcomeExited {
			t.Errorf("%+v", got)
		}
	}
	s.stop(id(1))
	s.result(id(1))
	if got := s.result(id(2)); string(got.out) != "second\n" {
		t.Errorf("%q", got.out)
	}
}

// What an earlier agent left: a file that waits is written, one that may have been is not.
func TestFileInJournal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state journal.State
		want  protocol.Outcome
	}{
		"not begun": {journal.Accepted, protocol.OutcomeExited},
		"begun":     {journal.Starting, protocol.OutcomeInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			n := newNode(t, s)
			dir := t.TempDir()
			m := sending(1, protocol.File{Name: "f", Dir: dir, Overwrite: true}, "x")
			at := machineClock()()
			n.journal(
				journal.Record{Task: m.Task, State: journal.Accepted, At: at, Lane: fileLane, Run: m.Append(nil)},
				journal.Record{Task: m.Task, State: c.state, At: at},
			)
			n.start()
			if got := s.result(m.Task).finished; got.Outcome != c.want {
				t.Errorf("%+v, want outcome %d", got, c.want)
			}
			if _, err := os.Stat(filepath.Join(dir, "f")); (err == nil) != (c.want == protocol.OutcomeExited) {
				t.Errorf("the file: %v", err)
			}
		})
	}
}

// A stop ends the writing, and so does the end of the time; they are told apart.
func TestFileIsGivenUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := &Agent{
		cfg: Config{}.withDefaults(), log: discard(), journal: journal.Failing{Err: errors.New("broken")}, agendaUp: make(chan struct{}, 1),
	}
	m := sending(1, protocol.File{Name: "f", Dir: dir}, "x")
	stopped := &task{id: m.Task, stop: true}
	a.writeFile(t.Context(), stopped, &m)
	if f := stopped.result; f.Outcome != protocol.OutcomeStopped || f.Started == 0 || stopped.saved {
		t.Errorf("stopped: %+v", f)
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	if f := writtenBy(m.Task, noon, a.cfg.Clock, write(ctx, &m)); f.Outcome != protocol.OutcomeTimedOut || f.Started == 0 {
		t.Errorf("too late: %+v", f)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) > 0 {
		t.Errorf("left behind: %v, %v", list, err)
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.start()
	dir := t.TempDir()
	ran := filepath.Join(dir, "ran")
	barred := filepath.Join(dir, "barred")
	if err := os.Mkdir(barred, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		want   protocol.Outcome
		change func(*protocol.Spec)
	}{
		{protocol.OutcomeExited, func(*protocol.Spec) {}},
		{protocol.OutcomeExited, func(p *protocol.Spec) { p.User, p.WorkDir = "nobody", "/" }},
		{protocol.OutcomeUserNotFound, func(p *protocol.Spec) { p.User = "nobody-of-that-name" }},
		{protocol.OutcomeInvalid, func(p *protocol.Spec) { p.User = "$(reboot)" }},
		{protocol.OutcomeDirNotFound, func(p *protocol.Spec) { p.WorkDir = "/no/such/folder" }},
		{protocol.OutcomeDirDenied, func(p *protocol.Spec) { p.User, p.WorkDir = "nobody", barred }},
		{protocol.OutcomeNoInterpreter, func(p *protocol.Spec) { p.Launcher = "no-such-interpreter" }},
		{protocol.OutcomeNoInterpreter, func(p *protocol.Spec) { p.Content = []byte("#!/no/such/interpreter\n") }},
		{protocol.OutcomeInvalid, func(p *protocol.Spec) { p.Launcher = "'" }},
		{protocol.OutcomeNotApplicable, func(p *protocol.Spec) { p.Type = "powershell" }},
		{protocol.OutcomeFileMode, func(p *protocol.Spec) { p.File = &protocol.File{Name: "ran", Dir: dir, Mode: "9"} }},
		{protocol.OutcomeExited, func(p *protocol.Spec) { p.File = &protocol.File{Name: "ran", Dir: dir} }},
	} {
		m := script(i, "echo x >> "+ran)
		m.Spec.DryRun = true
		c.change(&m.Spec)
		s.run(m)
		got := s.result(m.Task).finished
		if got.Outcome != c.want || got.ExitCode != 0 || got.Started != 0 || got.Ended == 0 || (got.Detail == "") != (c.want == protocol.OutcomeExited) {
			t.Errorf("%d: %+v, want outcome %d", i, got, c.want)
		}
	}
	if lines(t, ran) != 0 {
		t.Error("something ran")
	}
}

func TestLocalZone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "localtime")
	var tz *string
	z := &localZone{path: path, env: func(string) (string, bool) {
		if tz == nil {
			return "", false
		}
		return *tz, true
	}}
	put := func(name string) {
		t.Helper()
		b, err := os.ReadFile("/usr/share/zoneinfo/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	offset := func() int {
		_, offset := noon.In(z.location()).Zone()
		return offset / 3600
	}
	if z.location() != time.Local {
		t.Error("without any data")
	}
	put("Asia/Tokyo")
	first := z.location()
	if offset() != 9 || z.location() != first {
		t.Errorf("Tokyo: %d", offset())
	}
	put("Europe/Berlin")
	if offset() != 1 || z.location() == first {
		t.Errorf("Berlin: %d", offset())
	}
	for name, want := range map[string]int{":America/New_York": -5, "": 0, "UTC": 0, path: 1} {
		tz = &name
		if got := offset(); got != want {
			t.Errorf("TZ=%s: %d, want %d", name, got, want)
		}
	}
}
