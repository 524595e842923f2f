package core_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// piece is a stretch of output of one stream, or bytes that are gone.
type piece struct {
	stream core.Stream
	text   string
	gone   uint64
}

// naive cuts pieces into lines the plain way.
func naive(pieces []piece, stream core.Stream) (lines []core.Line) {
	open := false
	for _, p := range pieces {
		switch {
		case p.gone > 0:
			lines = append(lines, core.Line{Gone: p.gone})
			open = false
			continue
		case stream != core.Merged && p.stream != stream:
			continue
		case open && lines[len(lines)-1].Stream != p.stream:
			open = false
		}
		for _, part := range strings.SplitAfter(p.text, "\n") {
			if part == "" {
				continue
			}
			if !open {
				lines = append(lines, core.Line{Stream: p.stream})
			}
			l := &lines[len(lines)-1]
			l.Text = append(l.Text, strings.TrimSuffix(part, "\n")...)
			open = !strings.HasSuffix(part, "\n")
		}
	}
	for i := range lines {
		lines[i].N = uint64(i + 1)
		lines[i].Open = open && i == len(lines)-1
	}
	return lines
}

// printed has a node report pieces as it would: in chunks, of which those that follow bytes that are gone say so.
func printed(t *testing.T, s *scene.Scene, id core.TaskID, node core.NodeKey, pieces []piece) uint64 {
	t.Helper()
	off, gap := uint64(0), false
	for _, p := range pieces {
		if p.gone > 0 {
			off, gap = off+p.gone, true
			continue
		}
		c := core.Chunk{Off: off, Gap: gap, Spans: []core.Span{{Stream: p.stream, Len: uint32(len(p.text))}}, Data: []byte(p.text)}
		answers, err := s.Service.Report(t.Context(), []core.Report{{Task: id, Node: node, Kind: core.ReportOutput, Chunk: c}})
		if err != nil || len(answers) != 1 || answers[0].Have != c.End() {
			t.Fatalf("%v, %+v; want %d", err, answers, c.End())
		}
		off, gap = c.End(), false
	}
	return off
}

// TestLines reads outputs of all shapes line by line, from the front and from the middle.
func TestLines(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	s.Online(n)
	rapid.Check(t, func(r *rapid.T) {
		v := run(t, s, order("n"))
		id := s.Task(v.ID, n)
		var pieces []piece
		for i := range rapid.IntRange(1, 12).Draw(r, "pieces") {
			p := piece{stream: core.Stream(rapid.IntRange(1, 2).Draw(r, "stream"))}
			if i > 0 && rapid.IntRange(0, 9).Draw(r, "gone") == 0 && pieces[i-1].gone == 0 {
				p.gone = rapid.Uint64Range(1, 1<<40).Draw(r, "bytes")
			} else {
				p.text = strings.Repeat(rapid.StringMatching(`[a-c\n]{1,8}`).Draw(r, "text"), rapid.SampledFrom([]int{1, 1, 2, 3000}).Draw(r, "times"))
			}
			pieces = append(pieces, p)
		}
		if pieces[len(pieces)-1].gone > 0 {
			pieces = pieces[:len(pieces)-1]
		}
		printed(t, s, id, n.Key, pieces)
		for _, stream := range []core.Stream{core.Merged, core.Stdout, core.Stderr} {
			want := naive(pieces, stream)
			from := rapid.IntRange(1, len(want)+1).Draw(r, "from")
			got, err := s.Service.Lines(t.Context(), s.Caller, id, core.LinesSpec{Stream: stream, From: int64(from), Count: 100})
			if err != nil {
				r.Fatal(err)
			}
			if got.Total != uint64(len(want)) || got.Complete {
				r.Fatalf("%d lines, complete %v; want %d", got.Total, got.Complete, len(want))
			}
			want = want[from-1:]
			want = want[:min(len(want), 100)]
			for i := range want {
				if len(want[i].Text) > 16<<10 {
					want[i].Cut = uint64(len(want[i].Text) - 16<<10)
					want[i].Text = want[i].Text[:16<<10]
				}
			}
			want = want[:min(len(want), len(got.Lines))] // long lines come one by one
			if d := cmp.Diff(want, got.Lines, cmpopts.EquateEmpty()); d != "" {
				r.Fatalf("stream %d from %d (-want +got):\n%s", stream, from, d)
			}
			last, err := s.Service.Lines(t.Context(), s.Caller, id, core.LinesSpec{Stream: stream, From: -1, Count: 1})
			if err != nil || len(naive(pieces, stream)) > 0 && (len(last.Lines) != 1 || last.Lines[0].N != got.Total) {
				r.Fatalf("last line: %+v, %v", last.Lines, err)
			}
		}
	})
}

// TestLostEnd says what was printed at the end and not kept.
func TestLostEnd(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	s.Online(n)
	v := run(t, s, order("n"))
	id := s.Task(v.ID, n)
	have := printed(t, s, id, n.Key, []piece{{core.Stdout, "a\nb", 0}})
	s.Report(v.ID, n, core.Report{Kind: core.ReportEnded, State: core.Succeeded, Exited: true, Stdout: 100, Stderr: 3, End: have})
	got, err := s.Service.Lines(t.Context(), s.Caller, id, core.LinesSpec{From: 1, Count: 10})
	want := []core.Line{{N: 1, Stream: core.Stdout, Text: []byte("a")}, {N: 2, Stream: core.Stdout, Text: []byte("b")}, {N: 3, Gone: 100}}
	if d := cmp.Diff(want, got.Lines, cmp.Comparer(bytes.Equal)); err != nil || d != "" || got.Total != 3 || !got.Complete {
		t.Errorf("%v, total %d (-want +got):\n%s", err, got.Total, d)
	}
}

// TestSearchOutput looks for text in an output that is longer than a row holds.
func TestSearchOutput(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	s.Online(n)
	v := run(t, s, order("n"))
	id := s.Task(v.ID, n)
	var pieces []piece
	for i := range 60 {
		var b strings.Builder
		for j := range 200 {
			fmt.Fprintf(&b, "line %d of all\n", i*200+j)
		}
		pieces = append(pieces, piece{core.Stdout, b.String(), 0}, piece{core.Stderr, "Trouble\n", 0})
	}
	pieces = append(pieces, piece{core.Stdout, strings.Repeat("x", 100_000) + "far away" + strings.Repeat("y", 50_000), 0})
	printed(t, s, id, n.Key, pieces)
	tests := []struct {
		name  string
		spec  core.SearchSpec
		total uint64
		first uint64
	}{
		{"literal", core.SearchSpec{Query: "line 77"}, 111, 78},
		{"case", core.SearchSpec{Query: "trouble"}, 0, 0},
		{"any case", core.SearchSpec{Query: "trouble", Fold: true}, 60, 201},
		{"no pattern", core.SearchSpec{Query: "line .*7 of"}, 0, 0},
		{"pattern", core.SearchSpec{Query: `^line \d*99 of all$`, Regex: true}, 120, 100},
		{"pattern in any case", core.SearchSpec{Query: `^t.*E$`, Regex: true, Fold: true}, 60, 201},
		{"one stream", core.SearchSpec{Query: "o", Stream: core.Stderr}, 60, 1},
		{"from the middle", core.SearchSpec{Query: "Trouble", From: 202}, 60, 402},
		{"a long line", core.SearchSpec{Query: "far away"}, 1, 12061},
	}
	for _, tt := range tests {
		tt.spec.Limit = 50
		f, err := s.Service.SearchOutput(t.Context(), s.Caller, id, tt.spec)
		if err != nil || f.Total != tt.total || len(f.Matches) > 0 != (tt.total > 0) || len(f.Matches) > 50 {
			t.Errorf("%s: %v, %d matches of %d, want %d", tt.name, err, len(f.Matches), f.Total, tt.total)
			continue
		}
		if tt.total > 0 && f.Matches[0].N != tt.first {
			t.Errorf("%s: first is line %d, want %d", tt.name, f.Matches[0].N, tt.first)
		}
		if tt.name == "a long line" {
			l := f.Matches[0]
			if !bytes.Contains(l.Text, []byte("far away")) || l.Skip+uint64(len(l.Text))+l.Cut != 150_008 {
				t.Errorf("%d bytes skipped, %d shown, %d cut", l.Skip, len(l.Text), l.Cut)
			}
		}
	}
	for _, spec := range []core.SearchSpec{{Query: "", Limit: 1}, {Query: "(", Regex: true, Limit: 1}, {Query: "a", Limit: 0}, {Query: "\xff", Limit: 1}} {
		if _, err := s.Service.SearchOutput(t.Context(), s.Caller, id, spec); core.AsError(err).Code != core.CodeInvalid {
			t.Errorf("%+v: %v", spec, err)
		}
	}
}

// TestRawOutput is all of it and nothing else, in the length that was announced.
func TestRawOutput(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	s.Online(n)
	v := run(t, s, order("n"))
	id := s.Task(v.ID, n)
	long := strings.Repeat("0123456789abcde\n", 5000)
	printed(t, s, id, n.Key, []piece{{core.Stdout, long, 0}, {core.Stderr, "e\n", 0}, {gone: 1000}, {core.Stdout, long, 0}, {core.Stderr, "f", 0}})
	for stream, want := range map[core.Stream]string{
		core.Merged: long + "e\n" + long + "f", core.Stdout: long + long, core.Stderr: "e\nf",
	} {
		raw, err := s.Service.RawOutput(t.Context(), s.Caller, id, stream)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := raw.Write(t.Context(), &b); err != nil || b.String() != want || raw.Size != uint64(len(want)) || raw.Gone != 1000 {
			t.Errorf("stream %d: %v, %d bytes, %d announced, want %d; %d gone", stream, err, b.Len(), raw.Size, len(want), raw.Gone)
		}
	}
}
