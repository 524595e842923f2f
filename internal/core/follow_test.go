package core_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// errCut is how a test breaks a stream off.
var errCut = errors.New("cut")

// reader follows and keeps what it was told.
type reader struct {
	at     core.Position
	events []string
	output map[core.TaskID]*strings.Builder
	ended  bool
}

func newReader() *reader { return &reader{output: map[core.TaskID]*strings.Builder{}} }

func (r *reader) take(t *testing.T, i *core.Followed) {
	t.Helper()
	r.at = i.At
	if i.Output == nil {
		r.events = append(r.events, fmt.Sprint(i.Event.Seq, " ", i.Event.Type(), " ", i.Event.Index))
		r.ended = r.ended || i.Event.Kind == core.EventEnded
		return
	}
	id := i.Event.Task()
	if r.output[id] == nil {
		r.output[id] = &strings.Builder{}
	}
	b := r.output[id]
	if i.Output.Off != uint64(b.Len()) {
		t.Errorf("output of %s at %d follows %d", id, i.Output.Off, b.Len())
	}
	b.Write(i.Output.Data)
}

// follow reads until so many items have come, or the invocation has ended.
func (r *reader) follow(t *testing.T, s *scene.Scene, spec core.FollowSpec, most int) {
	t.Helper()
	spec.From = r.at
	f, err := s.Service.Follow(t.Context(), s.Caller, spec)
	if err != nil {
		t.Fatal(err)
	}
	if f.Lost {
		t.Error("something is lost")
	}
	err = f.Run(t.Context(), func(items []*core.Followed) error {
		for _, i := range items {
			if most == 0 {
				return errCut
			}
			most--
			r.take(t, i)
		}
		if r.ended {
			return errCut
		}
		return nil
	})
	if !errors.Is(err, errCut) {
		t.Fatal(err)
	}
}

const ofRuns = core.FollowInvocations | core.FollowTasks | core.FollowOutput

// TestFollowWithBreaks has nodes print while somebody follows who breaks off a hundred times, between any two items, and somebody who never does.
func TestFollowWithBreaks(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	nodes, v := webs(t, s, 5)
	want := map[core.TaskID]string{}
	for i, n := range nodes {
		var b strings.Builder
		for line := range 60 {
			fmt.Fprintf(&b, "%d %d %s\n", i, line, strings.Repeat("x", rand.IntN(3)*rand.IntN(20_000)))
		}
		want[s.Task(v.ID, n)] = b.String()
	}
	var group sync.WaitGroup
	for i, n := range nodes {
		id := s.Task(v.ID, n)
		group.Go(func() {
			text, off := want[id], 0
			for off < len(text) {
				step := min(len(text)-off, 1+rand.IntN(1+rand.IntN(200_000)))
				report := core.Report{Task: id, Node: n.Key, Kind: core.ReportOutput, Chunk: core.Chunk{
					Off: uint64(off), Spans: []core.Span{{Stream: core.Stream(1 + i%2), Len: uint32(step)}}, Data: []byte(text[off : off+step]),
				}}
				off += step
				if off == len(text) {
					report.Kind, report.State, report.Exited, report.End = core.ReportEnded, core.Succeeded, true, uint64(off)
				}
				if _, err := s.Service.Report(context.WithoutCancel(t.Context()), []core.Report{report}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	spec := core.FollowSpec{Invocation: v.ID, Kinds: ofRuns}
	steady, broken := newReader(), newReader()
	group.Go(func() { steady.follow(t, s, spec, 1<<30) })
	for range 100 {
		broken.follow(t, s, spec, rand.IntN(6))
	}
	broken.follow(t, s, spec, 1<<30)
	group.Wait()
	later := newReader()
	later.follow(t, s, spec, 1<<30)
	for name, r := range map[string]*reader{"steady": steady, "broken": broken, "later": later} {
		if got, want := strings.Join(r.events, "\n"), strings.Join(steady.events, "\n"); got != want || len(r.events) != 13 {
			t.Errorf("%s: %d events\n%s\nwant\n%s", name, len(r.events), got, want)
		}
		for id, text := range want {
			if r.output[id] == nil || r.output[id].String() != text {
				t.Errorf("%s: output of %s is wrong", name, id)
			}
		}
	}
}

// TestSlowFollower lets somebody fall behind by more than waits for anybody.
func TestSlowFollower(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	nodes, v := webs(t, s, 1)
	id := s.Task(v.ID, nodes[0])
	r := newReader()
	f, err := s.Service.Follow(t.Context(), s.Caller, core.FollowSpec{Task: &id, Kinds: ofRuns})
	if err != nil {
		t.Fatal(err)
	}
	live, printedAll := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- f.Run(t.Context(), func(items []*core.Followed) error {
			for _, i := range items {
				r.take(t, i)
				if i.Output != nil && i.Output.Off == 0 {
					close(live)
					<-printedAll
				}
				if i.Event.State == core.Succeeded && i.Output == nil {
					return errCut
				}
			}
			return nil
		})
	}()
	text := strings.Repeat("0123456789abcdef", 4<<10)
	var pieces []piece
	for range 60 {
		pieces = append(pieces, piece{core.Stdout, text, 0})
	}
	printed(t, s, id, nodes[0].Key, pieces[:1])
	<-live
	off := uint64(len(text))
	for range pieces[1:] {
		s.Report(v.ID, nodes[0], core.Report{Kind: core.ReportOutput, Chunk: core.Chunk{
			Off: off, Spans: []core.Span{{Stream: core.Stdout, Len: uint32(len(text))}}, Data: []byte(text),
		}})
		off += uint64(len(text))
	}
	s.Report(v.ID, nodes[0], core.Report{Kind: core.ReportEnded, State: core.Succeeded, Exited: true, Stdout: off, End: off})
	close(printedAll)
	if err := <-done; !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	if got := r.output[id].String(); got != strings.Repeat(text, 60) {
		t.Errorf("%d bytes, want %d", len(got), 60*len(text))
	}
}

// TestFollowFilters tells each what it asked for, and nothing else.
func TestFollowFilters(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	a, b := s.Node("a"), s.Node("b")
	s.Online(a, b)
	v, other := run(t, s, order("a", "b")), run(t, s, order("a"))
	task := s.Task(v.ID, b)
	s.Exit(v.ID, a, 0, "one", "")
	s.Exit(other.ID, a, 0, "two", "")
	s.Exit(v.ID, b, 1, "three", "")
	if err := s.Service.NotePresence(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Service.Gone(b.Key)
	s.Advance(core.OnlineWindow)
	if err := s.Service.NotePresence(t.Context()); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		spec core.FollowSpec
		want []string
	}{
		{"an invocation", core.FollowSpec{Invocation: v.ID, Kinds: core.FollowInvocations | core.FollowTasks}, []string{
			"invocation.accepted", "invocation.started", "task.succeeded", "task.failed", "invocation.ended",
		}},
		{"output of an invocation", core.FollowSpec{Invocation: v.ID, Kinds: core.FollowOutput}, []string{"one", "three"}},
		{"a task", core.FollowSpec{Task: &task, Kinds: ofRuns}, []string{"three", "task.failed"}},
		{"a node", core.FollowSpec{Node: "a", Kinds: core.FollowTasks | core.FollowOutput}, []string{"one", "task.succeeded", "two", "task.succeeded"}},
		{"presence of a node", core.FollowSpec{Node: "b", Kinds: core.FollowNodes}, []string{
			"node.joined", "node.connected", "node.online", "node.disconnected", "node.offline",
		}},
		{"invocations", core.FollowSpec{Kinds: core.FollowInvocations}, []string{
			"invocation.accepted", "invocation.accepted", "invocation.started", "invocation.started", "invocation.ended", "invocation.ended",
		}},
	}
	for _, tt := range tests {
		f, err := s.Service.Follow(t.Context(), s.Caller, tt.spec)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		err = f.Run(t.Context(), func(items []*core.Followed) error {
			for _, i := range items {
				if i.Output != nil {
					got = append(got, string(i.Output.Data))
				} else {
					got = append(got, strings.TrimPrefix(i.Event.Type(), "errand."))
				}
			}
			if len(got) >= len(tt.want) {
				return errCut
			}
			return nil
		})
		if !errors.Is(err, errCut) {
			t.Error(err)
		}
		// Which of two events came first is another matter for ends of different invocations.
		if tt.name == "invocations" {
			if len(got) != len(tt.want) {
				t.Errorf("%s: %q", tt.name, got)
			}
			continue
		}
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	for name, spec := range map[string]core.FollowSpec{
		"nothing": {}, "of the future": {Kinds: ofRuns, From: core.Position{Seq: 1 << 40}}, "unknown node": {Node: "x", Kinds: ofRuns},
		"unknown invocation": {Invocation: 7, Kinds: ofRuns}, "task of another": {Invocation: other.ID, Task: &task, Kinds: ofRuns},
		"unknown task": {Task: &core.TaskID{Invocation: v.ID, Index: 9}, Kinds: ofRuns},
	} {
		if _, err := s.Service.Follow(t.Context(), s.Caller, spec); err == nil || core.AsError(err).Code == core.CodeInternal {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Service.Follow(t.Context(), core.Caller{Account: scene.Account}, core.FollowSpec{Invocation: v.ID, Kinds: ofRuns}); core.AsError(err).Code != core.CodeDenied {
		t.Errorf("without rights: %v", err)
	}
}

// TestFollowFromNow hears nothing of what was before, and ends with the server.
func TestFollowFromNow(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	s.Online(n)
	run(t, s, order("n"))
	f, err := s.Service.Follow(t.Context(), s.Caller, core.FollowSpec{Kinds: core.FollowInvocations, Now: true})
	if err != nil {
		t.Fatal(err)
	}
	v := run(t, s, order("n"))
	err = f.Run(t.Context(), func(items []*core.Followed) error {
		for _, i := range items {
			if i.Event.Invocation != v.ID {
				t.Errorf("%s of %s", i.Event.Type(), i.Event.Invocation)
			}
			time.AfterFunc(0, s.Service.EndFollowing)
		}
		return nil
	})
	if err != nil || s.Service.Followers() != 0 {
		t.Errorf("%v, %d follow", err, s.Service.Followers())
	}
}

func TestPositions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]core.Position{"0": {}, "7": {Seq: 7}, "7.65536": {Seq: 7, Out: 65536}} {
		if got, ok := core.ParsePosition(text); !ok || got != want || got.String() != text {
			t.Errorf("%s: %v", text, got)
		}
	}
	for _, text := range []string{"", "-1", "x", "7.", "7.0", "7.-1", "07", "7.1.1", "0.5", "+7"} {
		if got, ok := core.ParsePosition(text); ok {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}
