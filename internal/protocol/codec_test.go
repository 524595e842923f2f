package protocol

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

type message interface{ Append([]byte) []byte }

// samples has every field of every message set.
func samples() map[string]struct {
	msg    message
	decode func([]byte) (any, error)
} {
	task := Task{Invocation: 1<<56 - 1, Index: 1<<24 - 1, Due: 1 << 52}
	chunk := Chunk{Off: 1 << 40, Gap: true, Spans: []Span{{Stdout, 2}, {Stderr, 3}}, Data: []byte("ab\x00\xff\n")}
	type sample = struct {
		msg    message
		decode func([]byte) (any, error)
	}
	return map[string]sample{
		"run": {&Run{task, Spec{
			Content: []byte("#!/bin/sh\necho hi"), Type: "shell", Launcher: "python3", WorkDir: "/tmp", User: "nobody", Timeout: 60,
			Grace: 2000, KillTree: true, Env: map[string]string{"A": "1", "B": ""},
			Plan:   &Plan{Expr: "0 30 2 * * ?", Boot: BootEvery, Created: 1 << 51, Revision: 3, Overlap: OverlapAllow, CatchUp: 4, Jitter: 5},
			File:   &File{Name: "motd", Dir: "/etc", Mode: "0644", Owner: "root", Group: "adm", Overwrite: true},
			DryRun: true, ContainerID: "docker://1f2e", ContainerName: "web",
			Limits: &Limits{Nice: -20, IOClass: 2, IOLevel: 7, CPU: 1500, Memory: 1 << 40, Processes: 9, OpenFiles: 99, FileSize: 1 << 30, CoreSize: new(uint64)},
			Login:  true, Power: true, Hidden: true,
			Transfer: &Transfer{
				To: &File{Name: "image", Dir: "/srv"}, Size: 1 << 40, Hash: "ab", Paths: []string{"/a", "/b c"}, Follow: true, Most: 1 << 41,
			},
		}, 60000, 1 << 50}, any2(DecodeRun)},
		"run, nothing set": {&Run{Spec: Spec{Plan: &Plan{}, File: &File{}, Limits: &Limits{}, Transfer: &Transfer{}}}, any2(DecodeRun)},
		"planned":          {&Planned{task, 1 << 40, 6, 7}, any2(DecodePlanned)},
		"progress":         {&Progress{task, 1 << 40, 1 << 41}, any2(DecodeProgress)},
		"stop":             {&Stop{task}, any2(DecodeStop)},
		"watch":            {&Watch{task, 5000}, any2(DecodeWatch)},
		"ack":              {&Ack{task, 1 << 33, true}, any2(DecodeAck)},
		"received":         {&Received{Task{Invocation: 1}}, any2(DecodeReceived)},
		"started":          {&Started{task, -5}, any2(DecodeStarted)},
		"output":           {&Output{task, chunk}, any2(DecodeOutput)},
		"finished": {&Finished{
			Task: task, Outcome: OutcomeExited, ExitCode: -1, Signal: 9, Detail: "why", Started: 1, Ended: 2, Stdout: 3, Stderr: 4,
			Last: chunk, End: 5, DrainCut: true, Skipped: 8, Missed: 9, Received: 10,
		}, any2(DecodeFinished)},
		"rotate": {&Rotate{86400}, any2(DecodeRotate)},
		"hello": {&Hello{
			Version: 1, Agent: "0.1", BootID: "b", StartID: "s", Hostname: "h", OS: "linux", OSName: "Debian", Kernel: "6.1", Arch: "amd64",
			IPs: []string{"10.0.0.1", "fe80::1"}, Clock: 1 << 50, Zone: "Europe/Berlin", Features: []string{"x"}, Active: 3, Machine: "a..c",
			Crash: "panic: x", CPUs: 8, Memory: 64 << 30, GPUs: []string{"NVIDIA A100", "NVIDIA A100"},
		}, any2(DecodeHello)},
		"beat":    {&Beat{1 << 50, 7}, any2(DecodeBeat)},
		"welcome": {&Welcome{"s"}, any2(DecodeWelcome)},
		"upgrade": {&Upgrade{
			Rollout: 1 << 50, Attempt: 2, Protocol: 1, Manifest: []byte("{}"), Keys: [][]byte{[]byte("a"), []byte("b")}, Trial: 90, Again: true,
		}, any2(DecodeUpgrade)},
		"upgraded": {&Upgraded{1 << 50, 2, "1.2.3", UpgradeRolledBack, "why"}, any2(DecodeUpgraded)},
	}
}

func any2[T any](f func([]byte) (T, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) {
		m, err := f(b)
		return &m, err
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, s := range samples() {
		got, err := s.decode(s.msg.Append(nil))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(s.msg, got); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
	}
}

// TestUnknownFields lets a newer side add fields.
func TestUnknownFields(t *testing.T) {
	t.Parallel()
	for name, s := range samples() {
		b := appendBytes(appendUint(s.msg.Append(nil), 200, 7), 201, "later")
		got, err := s.decode(b)
		if d := cmp.Diff(s.msg, got); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
	}
}

func TestTruncated(t *testing.T) {
	t.Parallel()
	for name, s := range samples() {
		whole := s.msg.Append(nil)
		for n := range whole {
			if _, err := s.decode(whole[:n]); err != nil && !errors.Is(err, ErrMalformed) {
				t.Errorf("%s cut at %d: %v", name, n, err)
			}
		}
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		b      []byte
		decode func([]byte) (any, error)
	}{
		"empty":                 {nil, any2(DecodeRun)},
		"other kind":            {(&Beat{}).Append(nil), any2(DecodeRun)},
		"too long":              {bytes.Repeat([]byte{byte(KindRun)}, MaxMessage+1), any2(DecodeRun)},
		"index missing is zero": {[]byte{byte(KindStop), 2<<3 | wireVarint, 0}, any2(DecodeStop)},
		"due too late":          {[]byte{byte(KindStop), tagDue<<3 | wireVarint, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}, any2(DecodeStop)},
		"length beyond the end": {[]byte{byte(KindOutput), 3<<3 | wireBytes, 100, 1}, any2(DecodeOutput)},
		"fixed width field":     {[]byte{byte(KindStop), 3<<3 | 5, 1, 2, 3, 4}, any2(DecodeStop)},
		"spans too short":       {(&Output{Chunk: Chunk{Spans: []Span{{Stdout, 1}}, Data: []byte("ab")}}).Append(nil), any2(DecodeOutput)},
		"spans too long":        {(&Output{Chunk: Chunk{Spans: []Span{{Stdout, 3}}, Data: []byte("ab")}}).Append(nil), any2(DecodeOutput)},
		"no such stream":        {(&Output{Chunk: Chunk{Spans: []Span{{3, 2}}, Data: []byte("ab")}}).Append(nil), any2(DecodeOutput)},
		"plan cut":              {AppendRun(nil, Task{}, appendBytes(nil, 10, "\x0a\x05x"), 0), any2(DecodeRun)},
		"file cut":              {AppendRun(nil, Task{}, appendBytes(nil, 11, "\x0a\x05x"), 0), any2(DecodeRun)},
		"limits cut":            {AppendRun(nil, Task{}, appendBytes(nil, 15, "\x20\xff"), 0), any2(DecodeRun)},
		"transfer cut":          {AppendRun(nil, Task{}, appendBytes(nil, 19, "\x0a\x05x"), 0), any2(DecodeRun)},
		"no outcome":            {(&Finished{}).Append(nil), any2(DecodeFinished)},
		"no upgrade state":      {(&Upgraded{}).Append(nil), any2(DecodeUpgraded)},
		"upgrade state beyond":  {(&Upgraded{State: upgradeEnd}).Append(nil), any2(DecodeUpgraded)},
		"outcome beyond":        {(&Finished{Outcome: outcomeEnd}).Append(nil), any2(DecodeFinished)},
	}
	for name, tt := range tests {
		if _, err := tt.decode(tt.b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	if key, ok := NodeOf(Out(42)); !ok || key != 42 {
		t.Errorf("NodeOf(%q) = %d, %v", Out(42), key, ok)
	}
	for _, s := range []string{"", "errand.out.", "errand.out.x", "errand.out.-1", "errand.in.1", "errand.out.1.2"} {
		if _, ok := NodeOf(s); ok {
			t.Errorf("NodeOf(%q) takes it", s)
		}
	}
}

// FuzzDecode sends what a hostile peer could: no decoder may panic, and what one accepts must survive another round.
func FuzzDecode(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.msg.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, s := range samples() {
			m, err := s.decode(b)
			if err != nil {
				continue
			}
			again, err := s.decode(m.(message).Append(nil))
			if d := cmp.Diff(m, again, cmpopts.EquateEmpty()); err != nil || d != "" {
				t.Errorf("%s: %v\n%s", name, err, d)
			}
		}
	})
}
