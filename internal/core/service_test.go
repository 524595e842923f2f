package core_test

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
)

func order(targets ...string) core.RunSpec {
	return core.RunSpec{
		Origin: core.OriginNative, Targets: targets, KillTree: true,
		Definition: core.Definition{Type: core.Shell, Content: []byte("true"), Timeout: time.Minute},
	}
}

func run(t *testing.T, s *scene.Scene, spec core.RunSpec) core.Invocation {
	t.Helper()
	v, err := s.Service.Run(t.Context(), s.Caller, spec)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func state(t *testing.T, s *scene.Scene, v core.Invocation, n core.Node) core.TaskView {
	t.Helper()
	rows, _, err := s.Service.Tasks(t.Context(), s.Caller, core.TaskFilter{
		Invocations: []core.ID{v.ID}, Nodes: []core.NodeKey{n.Key}, Output: true,
	}, core.PageSpec{Limit: 1})
	if err != nil || len(rows) != 1 {
		t.Fatalf("%v, %d rows", err, len(rows))
	}
	return rows[0]
}

// TestOneBadTarget refuses the whole order and stores nothing.
func TestOneBadTarget(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	good, win := s.Node("good"), s.NodeOn(core.Windows, "win")
	s.Online(good, win)
	s.Node("unseen")
	tests := []struct {
		name   string
		change func(*core.RunSpec)
		reason core.Reason
	}{
		{"unknown", func(o *core.RunSpec) { o.Targets = []string{"good", "nobody"} }, core.ReasonTargetNotFound},
		{"none", func(o *core.RunSpec) { o.Targets = nil }, core.ReasonTargetsMissing},
		{"too many", func(o *core.RunSpec) { o.Targets = []string{"good", "unseen"}; o.Limits.Targets = 1 }, core.ReasonTargetsTooMany},
		{"wrong platform", func(o *core.RunSpec) { o.Targets = []string{"good", "win"} }, core.ReasonTargetPlatform},
		{"never seen", func(o *core.RunSpec) { o.Targets = []string{"good", "unseen"}; o.NeedOnline = true }, core.ReasonTargetNeverSeen},
		{"no tags match", func(o *core.RunSpec) { o.Targets, o.TargetTags = nil, []core.Tag{{Key: "a", Value: "b"}} }, core.ReasonTargetNotFound},
		{"empty content", func(o *core.RunSpec) { o.Content = nil }, core.ReasonMissing},
		{"unknown type", func(o *core.RunSpec) { o.Type = "perl" }, core.ReasonTypeUnknown},
		{"control character", func(o *core.RunSpec) { o.WorkDir = "/a\x00b" }, core.ReasonWorkDirInvalid},
		{"parameters without need", func(o *core.RunSpec) { o.Params = map[string]string{"a": "b"} }, core.ReasonParamsDisabled},
		{"a schedule", func(o *core.RunSpec) { o.Repeat = "hourly" }, core.ReasonRepeatMode},
		{"duplicate tag", func(o *core.RunSpec) { o.Tags = []core.Tag{{Key: "a"}, {Key: "a"}} }, core.ReasonTagDuplicate},
	}
	for _, tt := range tests {
		spec := order("good")
		tt.change(&spec)
		if _, err := s.Service.Run(t.Context(), s.Caller, spec); !tt.reason.Is(err) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	s.Advance(3 * time.Minute)
	spec := order("good")
	spec.NeedOnline = true
	if _, err := s.Service.Run(t.Context(), s.Caller, spec); !core.ReasonTargetOffline.Is(err) {
		t.Errorf("offline: %v", err)
	}
	_, info, err := s.Service.Invocations(t.Context(), s.Caller, core.InvocationFilter{}, core.PageSpec{Limit: 1, Count: true})
	if err != nil || info.Total != 0 {
		t.Errorf("%d invocations are stored, %v", info.Total, err)
	}
}

func TestClientToken(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("n")
	spec := order("n", "n")
	spec.ClientToken, spec.RequestHash = "token", "hash"
	first := run(t, s, spec)
	if first.Counts.Total() != 1 {
		t.Errorf("a node named twice has %d tasks", first.Counts.Total())
	}
	if again := run(t, s, spec); again.ID != first.ID {
		t.Errorf("the same request made %s after %s", again.ID, first.ID)
	}
	spec.RequestHash = "other"
	if _, err := s.Service.Run(t.Context(), s.Caller, spec); !core.ReasonTokenMismatch.Is(err) {
		t.Errorf("another request with the same token: %v", err)
	}
}

// TestLongOutput sends output in pieces of random size, repeated and out of order, with a gap in the middle, and reads it back through windows.
func TestLongOutput(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	v := run(t, s, order("n"))
	rng := rand.New(rand.NewPCG(1, 2))
	whole := make([]byte, 400_000)
	for i := range whole {
		whole[i] = byte('a' + rng.IntN(26))
	}
	stream := func(at int) core.Stream { return core.Stream(1 + at/1000%2) }
	piece := func(from, to int) core.Chunk {
		c := core.Chunk{Off: uint64(from), Data: whole[from:to]}
		for at := from; at < to; {
			end := min(to, (at/1000+1)*1000)
			c.Spans = append(c.Spans, core.Span{Stream: stream(at), Len: uint32(end - at)})
			at = end
		}
		return c
	}
	const gapFrom, gapTo = 150_000, 250_000
	send := func(from, to int, gap bool) uint64 {
		c := piece(from, to)
		c.Gap = gap
		return s.Report(v.ID, n, core.Report{Kind: core.ReportOutput, Chunk: c}).Have
	}
	for have := uint64(0); have < gapFrom; {
		from := int(have) - rng.IntN(int(have)+1)/10
		have = send(from, min(gapFrom, from+1+rng.IntN(40_000)), false)
		if rng.IntN(3) == 0 {
			send(int(have)+1, int(have)+100, false) // out of order: asks for what is missing
		}
	}
	have := send(gapTo, gapTo+1000, true)
	for have < uint64(len(whole)) {
		have = send(int(have), min(len(whole), int(have)+1+rng.IntN(90_000)), false)
	}
	total := uint64(len(whole))
	end := core.Report{
		Kind: core.ReportEnded, State: core.Succeeded, Exited: true, Started: s.Now(), Ended: s.Now(), Stdout: total / 2, Stderr: total / 2, End: total + 1,
	}
	if a := s.Report(v.ID, n, end); a.Final {
		t.Error("a result was taken although output is missing")
	}
	end.End = total
	if a := s.Report(v.ID, n, end); !a.Final {
		t.Error("a result was not taken")
	}
	task := state(t, s, v, n)
	for _, w := range []core.Window{{Head: 6000, Tail: 18576}, {Head: 24576}, {Tail: 50_000}, {Head: 200_000, Tail: 1}} {
		got, err := s.Service.Show(t.Context(), &task.Task, w)
		kept := append(append([]byte(nil), whole[:gapFrom]...), whole[gapTo:]...)
		want := append(append([]byte(nil), kept[:w.Head]...), whole[len(whole)-w.Tail:]...)
		if err != nil || !bytes.Equal(got.Text, want) || got.Dropped != total-uint64(len(want)) {
			t.Errorf("%+v: %d bytes, %d dropped, %v", w, len(got.Text), got.Dropped, err)
		}
	}
	got, err := s.Service.Show(t.Context(), &task.Task, core.Window{Stream: core.Stderr, Head: 1500})
	if want := append(append([]byte(nil), whole[1000:2000]...), whole[3000:3500]...); err != nil || !bytes.Equal(got.Text, want) {
		t.Errorf("stderr: %d bytes, %v", len(got.Text), err)
	}
	var full []byte
	if err := s.Service.Full(t.Context(), &task.Task, func(c core.Chunk) error {
		full = append(full, c.Data...)
		return nil
	}); err != nil || len(full) != len(whole)-(gapTo-gapFrom) {
		t.Errorf("%d bytes in all, %v", len(full), err)
	}
}

// TestSilenceWithAWrongClock does not go by when a node says that a command began: its clock may be days off.
func TestSilenceWithAWrongClock(t *testing.T) {
	t.Parallel()
	for _, wrong := range []time.Duration{-48 * time.Hour, 48 * time.Hour} {
		s := scene.New(t)
		n := s.Node("n")
		s.Online(n)
		spec := order("n")
		spec.Timeout = 10 * time.Minute
		v := run(t, s, spec)
		s.Advance(5 * time.Second)
		s.Report(v.ID, n, core.Report{Kind: core.ReportStarted, At: s.Now().Add(wrong)})
		for _, step := range []struct {
			after time.Duration
			want  core.State
		}{{10*time.Minute + 59*time.Second, core.Running}, {time.Second, core.Lost}} {
			s.Advance(step.after)
			if _, err := s.Service.Expire(t.Context(), &v, []core.TaskID{{Invocation: v.ID}}); err != nil {
				t.Fatal(err)
			}
			if got := state(t, s, v, n); got.State != step.want {
				t.Errorf("clock wrong by %v, %v later: %s, want %s", wrong, step.after, got.State, step.want)
			}
		}
	}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	expire := func(v core.Invocation) core.TaskView {
		t.Helper()
		if _, err := s.Service.Expire(t.Context(), &v, []core.TaskID{{Invocation: v.ID}}); err != nil {
			t.Fatal(err)
		}
		return state(t, s, v, n)
	}
	v := run(t, s, order("n"))
	s.Advance(59 * time.Second)
	if got := expire(v); got.State != core.Queued {
		t.Errorf("before the deadline: %s", got.State)
	}
	s.Advance(time.Second)
	if got := expire(v); got.State != core.DeliveryFailed || got.Cause != core.CauseAgentOffline || got.Invocation.EndedAt.IsZero() {
		t.Errorf("nobody came: %s, %s, ended %v", got.State, got.Cause, got.Invocation.EndedAt)
	}

	s.Online(n)
	v = run(t, s, order("n"))
	if got := state(t, s, v, n); got.State != core.Delivering || got.Tries != 1 {
		t.Errorf("connected: %s, %d tries", got.State, got.Tries)
	}
	s.Report(v.ID, n, core.Report{Kind: core.ReportStarted, At: s.Now()})
	s.Advance(119 * time.Second)
	if got := expire(v); got.State != core.Running {
		t.Errorf("silent: %s", got.State)
	}
	s.Advance(time.Second)
	if got := expire(v); got.State != core.Lost {
		t.Errorf("silent for too long: %s", got.State)
	}
	s.Exit(v.ID, n, 7, "late\n", "")
	if got := state(t, s, v, n); got.State != core.Failed || got.ExitCode != 7 || !got.Late || got.Invocation.Counts.Of(core.Failed) != 1 {
		t.Errorf("the late result: %s, %d, late %v", got.State, got.ExitCode, got.Late)
	}
	s.Exit(v.ID, n, 0, "again\n", "")
	if got := state(t, s, v, n); got.State != core.Failed {
		t.Errorf("a second late result changed it: %s", got.State)
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	away, here := s.Node("away"), s.Node("here")
	s.Online(here)
	v := run(t, s, order("away", "here"))
	if err := s.Service.Stop(t.Context(), s.Caller, v.ID, []string{"nobody"}); !core.ReasonTargetNotFound.Is(err) {
		t.Errorf("unknown node: %v", err)
	}
	s.Node("other")
	if err := s.Service.Stop(t.Context(), s.Caller, v.ID, []string{"other"}); !core.ReasonTargetNotInInvocation.Is(err) {
		t.Errorf("a node of another invocation: %v", err)
	}
	if err := s.Service.Stop(t.Context(), s.Caller, v.ID, nil); err != nil {
		t.Fatal(err)
	}
	if got := state(t, s, v, away); got.State != core.Cancelled {
		t.Errorf("never left: %s", got.State)
	}
	if got := state(t, s, v, here); got.State != core.Stopping {
		t.Errorf("may be there: %s", got.State)
	}
	s.Report(v.ID, here, core.Report{Kind: core.ReportEnded, State: core.Cancelled, Cause: core.CauseInterrupted})
	if got := state(t, s, v, here); got.State != core.Cancelled || got.Invocation.EndedAt.IsZero() {
		t.Errorf("never started: %s", got.State)
	}
	stranger := core.Caller{Account: 42, Root: true}
	if err := s.Service.Stop(t.Context(), stranger, v.ID, nil); !core.ReasonInvocationNotFound.Is(err) {
		t.Errorf("another account: %v", err)
	}
}

// TestForeignNode lets a node speak about a task that is not its own: nothing changes.
func TestForeignNode(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	mine, other := s.Node("mine"), s.Node("other")
	s.Online(mine)
	v := run(t, s, order("mine"))
	answers, err := s.Service.Report(t.Context(), []core.Report{{
		Task: s.Task(v.ID, mine), Node: other.Key, Kind: core.ReportEnded, State: core.Succeeded, Exited: true,
	}, {
		Task: core.TaskID{Invocation: 12345}, Node: other.Key, Kind: core.ReportEnded, State: core.Succeeded,
	}})
	if err != nil || len(answers) != 2 || !answers[0].Final || !answers[1].Final || answers[0].Node != other.Key {
		t.Errorf("%+v, %v", answers, err)
	}
	if got := state(t, s, v, mine); got.State != core.Delivering {
		t.Errorf("the task is %s", got.State)
	}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	code, secret, err := s.Service.CreateRegistration(ctx, s.Caller, core.RegistrationSpec{
		NamePrefix: "lab", Limit: 2, Validity: time.Hour, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	})
	if err != nil {
		t.Fatal(err)
	}
	wish := func(key string) core.Enrolment {
		return core.Enrolment{
			Code: code.ID, Secret: secret, PublicKey: key, Source: netip.MustParseAddr("10.1.2.3"), Facts: core.Facts{Hostname: "h", Platform: core.Linux},
		}
	}
	refused := func(name string, e core.Enrolment, reason core.Reason) {
		t.Helper()
		if _, err := s.Service.Register(ctx, e); !reason.Is(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	e := wish("k0")
	e.Secret = "wrong"
	refused("wrong secret", e, core.ReasonRegistrationRefused)
	e = wish("k0")
	e.Source = netip.MustParseAddr("192.168.0.1")
	refused("wrong network", e, core.ReasonRegistrationRefused)
	e = wish("k0")
	e.NodeID = "no spaces"
	refused("malformed id", e, core.ReasonTargetMalformed)

	first, err := s.Service.Register(ctx, wish("k1"))
	if err != nil || first.Name != "lab-1" {
		t.Fatalf("%+v, %v", first, err)
	}
	if again, err := s.Service.Register(ctx, wish("k1")); err != nil || again.Key != first.Key {
		t.Errorf("the same key again: %+v, %v", again, err)
	}
	e = wish("k2")
	e.NodeID = first.ID
	refused("another machine's id", e, core.ReasonNodeTaken)
	if _, err := s.Service.Register(ctx, wish("k2")); err != nil {
		t.Error(err)
	}
	refused("used up", wish("k3"), core.ReasonRegistrationRefused)
	s.Advance(2 * time.Hour)
	refused("expired", wish("k4"), core.ReasonRegistrationRefused)
}

func TestSealer(t *testing.T) {
	t.Parallel()
	if _, err := core.NewSealer(make([]byte, 16)); err == nil {
		t.Error("a short key is taken")
	}
	s, err := core.NewSealer(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	sealed := s.Seal("secret", "owner")
	if got, err := s.Open(sealed, "owner"); err != nil || got != "secret" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := s.Open(sealed, "thief"); err == nil {
		t.Error("opens for another owner")
	}
	if bytes.Contains(sealed, []byte("secret")) {
		t.Error("the secret is readable")
	}
}

func TestTokensAreNotMadeUp(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("n")
	for range 3 {
		run(t, s, order("n"))
	}
	_, info, err := s.Service.Invocations(t.Context(), s.Caller, core.InvocationFilter{}, core.PageSpec{Limit: 2, Count: true})
	if err != nil || info.Next == "" || info.Total != 3 {
		t.Fatalf("%+v, %v", info, err)
	}
	rows, rest, err := s.Service.Invocations(t.Context(), s.Caller, core.InvocationFilter{}, core.PageSpec{Limit: 2, Token: info.Next})
	if err != nil || len(rows) != 1 || rest.Next != "" {
		t.Errorf("second page: %d rows, %+v, %v", len(rows), rest, err)
	}
	use := func(name string, c core.Caller, token string) {
		t.Helper()
		_, _, err := s.Service.Invocations(t.Context(), c, core.InvocationFilter{}, core.PageSpec{Limit: 2, Token: token})
		if !core.ReasonPageToken.Is(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	use("made up", s.Caller, "AAAAAAAAAAAAAAAAAAAAAAAA")
	use("altered", s.Caller, info.Next[:len(info.Next)-1]+"x")
	use("not base64", s.Caller, "???")
	use("another account's", core.Caller{Account: 42, Root: true}, info.Next)
	if _, _, err := s.Service.Tasks(t.Context(), s.Caller, core.TaskFilter{}, core.PageSpec{Limit: 2, Token: info.Next}); !core.ReasonPageToken.Is(err) {
		t.Errorf("another listing's: %v", err)
	}
}
