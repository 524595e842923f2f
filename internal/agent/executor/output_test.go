package executor

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// record appends one piece of output as the supervisor does.
func (r *recorder) print(stream uint8, data []byte) {
	for len(data) > 0 {
		n := min(len(data), frameMax)
		r.append(stream, append(make([]byte, frameHeader), data[:n]...))
		data = data[n:]
	}
}

// end writes the record that makes what was printed final.
func (r *recorder) end(t *testing.T, outputCap int64) {
	t.Helper()
	r.close()
	if err := writeExit(r.dir, Exit{Cause: Exited, Totals: r.totals, OutputCap: outputCap}); err != nil {
		t.Fatal(err)
	}
}

// readAll reads the output in dir to its present end.
func readAll(t testing.TB, dir string, limit int) (data []byte, runs []Run, skipped int64, end bool) {
	t.Helper()
	o, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var at int64
	all := Chunk{}
	for {
		c, err := o.Read(at, limit)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, run := range c.Runs {
			sum += run.Len
			all.addRun(run.Stream, run.Len)
		}
		if sum != len(c.Data) || len(c.Data) > limit || c.Off != at+c.Skipped {
			t.Fatalf("chunk at %d: offset %d, skipped %d, %d bytes, runs of %d", at, c.Off, c.Skipped, len(c.Data), sum)
		}
		skipped += c.Skipped
		data = append(data, c.Data...)
		at = c.Off + int64(len(c.Data))
		if c.End || len(c.Data) == 0 {
			return data, all.Runs, skipped, c.End
		}
	}
}

func TestOutputStreams(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := newRecorder(dir, DefaultOutputCap)
	if data, _, _, end := readAll(t, dir, 10); len(data) != 0 || end {
		t.Fatalf("before anything was printed: %q, end %t", data, end)
	}
	r.print(Stdout, []byte("one "))
	r.print(Stdout, []byte("two "))
	r.print(Stderr, []byte("\x00\xff"))
	for _, limit := range []int{1, 3, 5, 1000} {
		data, runs, _, end := readAll(t, dir, limit)
		if string(data) != "one two \x00\xff" || end {
			t.Errorf("limit %d: %q, end %t", limit, data, end)
		}
		if diff := cmp.Diff([]Run{{Stdout, 8}, {Stderr, 2}}, runs); diff != "" {
			t.Errorf("limit %d: %s", limit, diff)
		}
	}
	o, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := o.Read(9, 100); err != nil || string(c.Data) != "\xff" || c.Off != 9 {
		t.Errorf("from the middle: %+v, %v", c, err)
	}
	if got, err := o.Totals(); err != nil || got != (Totals{8, 2}) {
		t.Errorf("totals %+v, %v", got, err)
	}
	r.end(t, DefaultOutputCap)
	if c, err := o.Read(10, 100); err != nil || !c.End || c.Off != 10 || c.Skipped != 0 {
		t.Errorf("at the end: %+v, %v", c, err)
	}
	if c, err := o.Read(0, 100); err != nil || !c.End || len(c.Data) != 10 {
		t.Errorf("everything at once: %+v, %v", c, err)
	}
	if _, err := o.Read(-1, 1); err == nil {
		t.Error("negative position accepted")
	}
	if _, err := o.Read(0, 0); err == nil {
		t.Error("limit 0 accepted")
	}
}

// TestOutputCap checks what is kept, byte for byte, around the sizes at which the cap begins to bite.
func TestOutputCap(t *testing.T) {
	t.Parallel()
	source := make([]byte, 6<<20)
	rng := rand.NewChaCha8([32]byte{1})
	rng.Read(source)
	for _, test := range []struct{ outputCap, total int64 }{
		{1000, 0},
		{1000, 999},
		{1000, 1000},
		{1000, 1001},
		{1000, 100_000},
		{1001, 5 << 20},
		{1, 10},
		{2 << 20, 2 << 20},
		{2 << 20, 2<<20 + 1},
		{2 << 20, 6 << 20},
		{3<<20 + 7, 6<<20 - 5},
	} {
		t.Run(fmt.Sprintf("%d of %d", test.outputCap, test.total), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r := newRecorder(dir, test.outputCap)
			want := source[:test.total]
			piece := rand.New(rand.NewPCG(1, uint64(test.total)))
			for rest, stream := want, Stdout; len(rest) > 0; stream = Stdout + Stderr - stream {
				n := min(len(rest), 1+piece.IntN(100_000))
				r.print(stream, rest[:n])
				rest = rest[n:]
			}
			r.end(t, test.outputCap)
			data, _, skipped, end := readAll(t, dir, 70_000)
			if test.total > test.outputCap {
				head, tail := halves(test.outputCap)
				want = bytes.Join([][]byte{want[:head], want[test.total-tail:]}, nil)
			}
			if !bytes.Equal(data, want) || skipped != test.total-int64(len(want)) || !end {
				t.Errorf("read %d bytes, skipped %d, end %t; want %d", len(data), skipped, end, len(want))
			}
			starts, err := segments(dir)
			if err != nil {
				t.Fatal(err)
			}
			if most := test.outputCap/segmentSize + 4; int64(len(starts)) > most {
				t.Errorf("%d segments on disk, want at most %d", len(starts), most)
			}
		})
	}
}

// TestOutputConcurrent follows a writer that drops segments all the time.
func TestOutputConcurrent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const outputCap, total = 4 << 20, 64 << 20
	done := make(chan struct{})
	go func() {
		defer close(done)
		r := newRecorder(dir, outputCap)
		frame := make([]byte, frameHeader+64<<10)
		for at := int64(0); at < total; at += 64 << 10 {
			fillPattern(frame[frameHeader:], at)
			r.append(Stdout, frame)
		}
		r.close()
		if err := writeExit(dir, Exit{Cause: Exited, Totals: r.totals, OutputCap: outputCap}); err != nil {
			t.Error(err)
		}
	}()
	o, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 100_000)
	var at, lost int64
	for end := false; !end; {
		c, err := o.Read(at, len(want))
		if err != nil {
			t.Fatal(err)
		}
		fillPattern(want[:len(c.Data)], c.Off)
		if !bytes.Equal(c.Data, want[:len(c.Data)]) {
			t.Fatalf("wrong bytes at %d", c.Off)
		}
		if c.Skipped > 0 && c.Off < outputCap/2 {
			t.Fatalf("the first half has a gap at %d", c.Off)
		}
		lost += c.Skipped
		at, end = c.Off+int64(len(c.Data)), c.End
	}
	<-done
	if at != total {
		t.Errorf("ended at %d, want %d", at, total)
	}
	t.Logf("%d of %d bytes were gone before they could be read", lost, total)
}

// fillPattern makes every eight bytes name their position.
func fillPattern(b []byte, at int64) {
	for i := range b {
		p := at + int64(i)
		b[i] = byte(p >> (8 * (p % 5)))
	}
}

// TestOutputCrash cuts a segment at every length, as a kill or a power failure may.
func TestOutputCrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := newRecorder(dir, DefaultOutputCap)
	r.print(Stdout, []byte("abc"))
	r.print(Stderr, []byte("de"))
	r.close()
	path := segmentPath(dir, 0)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) + 1 {
		for _, tail := range [][]byte{nil, make([]byte, 50)} { // zeros where data never reached the disk
			if n != len(whole) && n >= segmentHeader && len(tail) > 0 {
				continue // zeros inside a frame cannot be told from data
			}
			if err := os.WriteFile(path, append(bytes.Clone(whole[:n]), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			if n > 0 && n < segmentHeader && len(tail) > 0 {
				continue // a torn header is corrupt, see below
			}
			data, _, _, _ := readAll(t, dir, 100)
			if !bytes.HasPrefix([]byte("abcde"), data) {
				t.Errorf("cut at %d: %q", n, data)
			}
			got, err := storedTotals(dir)
			if err != nil || got.Merged() != int64(len(data)) {
				t.Errorf("cut at %d: totals %+v, %v, but read %q", n, got, err, data)
			}
		}
	}
	for name, content := range map[string][]byte{
		"magic":  bytes.Repeat([]byte{1}, 100),
		"stream": append(bytes.Clone(whole), 1, 0, 0, 0, 'x'),
		"length": append(bytes.Clone(whole), 0xff, 0xff, 0xff, 0x7f, 'x'),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Read(0, 100); err == nil {
			t.Errorf("corrupt %s accepted", name)
		}
	}
}

// TestRecorderFailure lets the disk refuse some output in the middle.
func TestRecorderFailure(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "task")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	r := newRecorder(dir, DefaultOutputCap)
	r.print(Stdout, []byte("first "))
	broken, err := os.Open(segmentPath(dir, 0)) // not writable
	if err != nil {
		t.Fatal(err)
	}
	r.file.Close()
	r.file = broken
	r.print(Stderr, []byte("lost "))
	r.print(Stdout, []byte("last"))
	if r.errno == 0 {
		t.Error("failure not noted")
	}
	r.end(t, DefaultOutputCap)
	data, runs, skipped, end := readAll(t, dir, 100)
	if string(data) != "first last" || skipped != 5 || !end {
		t.Errorf("read %q, skipped %d, end %t", data, skipped, end)
	}
	if diff := cmp.Diff([]Run{{Stdout, 10}}, runs); diff != "" {
		t.Error(diff)
	}
	o, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := o.Totals(); err != nil || got != (Totals{10, 5}) {
		t.Errorf("totals %+v, %v", got, err)
	}
}

func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	r := newRecorder(dir, DefaultOutputCap)
	r.print(Stdout, []byte("abc"))
	r.print(Stderr, []byte("de"))
	r.close()
	seed, err := os.ReadFile(segmentPath(dir, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed, int64(0), 10)
	f.Add(seed[:30], int64(2), 1)
	f.Fuzz(func(t *testing.T, content []byte, from int64, limit int) {
		dir := t.TempDir()
		if err := os.WriteFile(segmentPath(dir, 0), content, 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		c, err := o.Read(from, limit)
		if err == nil && len(c.Data) > limit {
			t.Fatalf("%d bytes, limit %d", len(c.Data), limit)
		}
		_, _ = o.Totals()
	})
}
