package core

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestWindowCut(t *testing.T) {
	t.Parallel()
	whole := func(n int) []byte { return bytes.Repeat([]byte("0123456789"), n/10+1)[:n] }
	ecs := Window{Head: 6000, Tail: 18576, Text: true}
	tat := Window{Head: 24576}
	tests := []struct {
		name    string
		w       Window
		n       int
		shown   int
		dropped uint64
	}{
		{"ecs below", ecs, 24575, 24575, 0},
		{"ecs at", ecs, 24576, 24576, 0},
		{"ecs above", ecs, 24577, 24576, 1},
		{"ecs far above", ecs, 100_000, 24576, 75_424},
		{"tat at", tat, 24576, 24576, 0},
		{"tat above", tat, 24577, 24576, 1},
		{"tat far above", tat, 100_000, 24576, 75_424},
		{"nothing", ecs, 0, 0, 0},
	}
	for _, tt := range tests {
		b := whole(tt.n)
		shown, dropped := tt.w.Cut(b, b, uint64(tt.n))
		if len(shown) != tt.shown || dropped != tt.dropped {
			t.Errorf("%s: %d shown, %d dropped; want %d and %d", tt.name, len(shown), dropped, tt.shown, tt.dropped)
		}
		if tt.n > tt.w.Size() && (!bytes.HasPrefix(b, shown[:tt.w.Head]) || !bytes.HasSuffix(b, shown[tt.w.Head:])) {
			t.Errorf("%s: not the head and the tail", tt.name)
		}
	}
}

// TestWindowCutOfWhatIsKept shows an output of which less was kept than printed, on a full disk for example, once and not from both ends.
func TestWindowCutOfWhatIsKept(t *testing.T) {
	t.Parallel()
	kept := []byte("1\n2\n4\n")
	for _, total := range []uint64{6, 8, 100_000} {
		shown, dropped := Window{Head: 6000, Tail: 18576, Text: true}.Cut(kept, kept, total)
		if string(shown) != string(kept) || dropped != total-6 {
			t.Errorf("%d printed: %q, %d dropped", total, shown, dropped)
		}
	}
}

func TestWindowKeepsCharacters(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Repeat(rapid.SampledFrom([]string{"é", "中", "🙂", "a中"}).Draw(t, "letter"), 40)
		w := Window{Head: rapid.IntRange(0, 30).Draw(t, "head"), Tail: rapid.IntRange(0, 30).Draw(t, "tail"), Text: true}
		shown, dropped := w.Cut([]byte(text), []byte(text), uint64(len(text)))
		if strings.ToValidUTF8(string(shown), "?") != string(shown) {
			t.Fatalf("%q is cut inside a character", shown)
		}
		if int(dropped)+len(shown) != len(text) || len(shown) > w.Size() || len(shown) < w.Size()-6 {
			t.Fatalf("%d shown of a window of %d, %d dropped of %d", len(shown), w.Size(), dropped, len(text))
		}
	})
}

// pieces cuts a merged stream into chunks that overlap and repeat.
func pieces(t *rapid.T) (whole Chunk, chunks []Chunk) {
	for range rapid.IntRange(1, 12).Draw(t, "writes") {
		n := rapid.IntRange(1, 40).Draw(t, "len")
		s := Stream(rapid.IntRange(1, 2).Draw(t, "stream"))
		data := bytes.Repeat([]byte{byte('a' + len(whole.Data)%26)}, n)
		whole.add(Chunk{Off: whole.End(), Spans: []Span{{s, uint32(n)}}, Data: data})
	}
	for range rapid.IntRange(5, 40).Draw(t, "chunks") {
		from := rapid.IntRange(0, len(whole.Data)-1).Draw(t, "from")
		to := rapid.IntRange(from+1, len(whole.Data)).Draw(t, "to")
		chunks = append(chunks, until(whole.from(uint64(from)), to-from))
	}
	return whole, append(chunks, whole)
}

func until(c Chunk, n int) Chunk {
	out := Chunk{Off: c.Off, Data: c.Data[:n]}
	for _, s := range c.Spans {
		s.Len = min(s.Len, uint32(n))
		if n -= int(s.Len); s.Len > 0 {
			out.Spans = append(out.Spans, s)
		}
	}
	return out
}

// TestTakeIsExact feeds chunks in any order and any number of times.
func TestTakeIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		whole, chunks := pieces(t)
		task := Task{Node: 1, State: Running}
		for _, c := range chunks {
			task.take(c, nil)
			have := task.Output.Have()
			if have > uint64(len(whole.Data)) || !bytes.Equal(task.Output.Recent.Data, whole.Data[:have]) {
				t.Fatalf("after %d..%d: %q is not a beginning of %q", c.Off, c.End(), task.Output.Recent.Data, whole.Data)
			}
		}
		for _, s := range []Stream{Merged, Stdout, Stderr} {
			if d := cmp.Diff(whole.of(s), task.Output.Recent.of(s), cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("stream %d:\n%s", s, d)
			}
		}
		if task.Stdout != uint64(len(whole.of(Stdout))) || task.Stderr != uint64(len(whole.of(Stderr))) {
			t.Fatalf("counted %d and %d", task.Stdout, task.Stderr)
		}
		b, err := task.Output.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var back Output
		if err := back.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(task.Output, back, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("stored and read back:\n%s", d)
		}
	})
}

func FuzzOutput(f *testing.F) {
	o := Output{Segments: []Segment{{Off: 0, Len: 40000, Stderr: 3}}, Recent: Chunk{Off: 40000, Spans: []Span{{Stdout, 3}}, Data: []byte("abc")}}
	b, _ := o.MarshalBinary()
	f.Add(b)
	f.Fuzz(func(_ *testing.T, b []byte) {
		var o Output
		if o.UnmarshalBinary(b) == nil {
			o.Have()
			o.Recent.of(Stderr)
		}
	})
}
