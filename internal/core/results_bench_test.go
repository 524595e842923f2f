package core_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// large is an invocation on many nodes that have all reported; print says what each of them printed.
func large(b *testing.B, s *scene.Scene, names []string, print func(i int) string) core.Invocation {
	b.Helper()
	spec := order(names...)
	v, err := s.Service.Run(b.Context(), s.Caller, spec)
	if err != nil {
		b.Fatal(err)
	}
	rows, _, err := s.Service.Nodes(b.Context(), s.Caller, core.NodeFilter{}, core.PageSpec{Limit: len(names)})
	if err != nil {
		b.Fatal(err)
	}
	keys := make(map[string]core.NodeKey, len(rows))
	for i := range rows {
		keys[rows[i].ID] = rows[i].Key
	}
	var group sync.WaitGroup
	var next atomic.Int64
	for range 8 {
		group.Go(func() {
			for {
				begin := int(next.Add(1000)) - 1000
				if begin >= len(names) {
					return
				}
				var reports []core.Report
				for i := begin; i < min(begin+1000, len(names)); i++ {
					text := print(i)
					reports = append(reports, core.Report{
						Task: core.TaskID{Invocation: v.ID, Index: uint32(i)}, Node: keys[names[i]], Kind: core.ReportEnded, State: core.Succeeded, Exited: true,
						Stdout: uint64(len(text)), End: uint64(len(text)),
						Chunk: core.Chunk{Data: []byte(text), Spans: []core.Span{{Stream: core.Stdout, Len: uint32(len(text))}}},
					})
				}
				if _, err := s.Service.Report(context.WithoutCancel(b.Context()), reports); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return v
}

// BenchmarkGroups measures the counts and the twenty largest groups of a run over 50,000 nodes.
func BenchmarkGroups(b *testing.B) {
	const size = 50_000
	s := scene.New(b)
	names := make([]string, size)
	var group sync.WaitGroup
	var next atomic.Int64
	for range 64 {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < size; i = int(next.Add(1)) - 1 {
				names[i] = fmt.Sprintf("web%05d", i)
				s.Node(names[i])
			}
		})
	}
	group.Wait()
	for name, print := range map[string]func(int) string{
		"three groups": func(i int) string {
			return []string{"ok\n", "ok\n", "no\n", "ok\n", "yes\n"}[i*7%5] + strings.Repeat("x", 200)
		},
		"fifty groups": func(i int) string { return fmt.Sprint("build ", i%50, "\n") },
		"all differ":   func(i int) string { return fmt.Sprint("host ", i, "\n") },
	} {
		v := large(b, s, names, print)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Service.Invocation(b.Context(), s.Caller, v.ID); err != nil {
					b.Fatal(err)
				}
				g, _, err := s.Service.Results(b.Context(), s.Caller, v.ID, core.Merged, core.PageSpec{Limit: 20})
				if err != nil || g.Ended != size {
					b.Fatal(err, g.Ended)
				}
				for i := range g.Groups {
					g.Groups[i].Folded(16 << 10)
				}
			}
		})
	}
}

// BenchmarkLongOutput measures the opening of outputs at their beginning, in the middle and at the end, and a search through all of them.
func BenchmarkLongOutput(b *testing.B) {
	s := scene.New(b, func(c *core.Config) { c.KeepOutput = 2 << 30 })
	n := s.Node("n")
	s.Online(n)
	line := []byte(strings.Repeat("0123456789abcde ", 6) + "\n")
	for _, size := range []int{10 << 10, 64 << 20, 1 << 30} {
		v, err := s.Service.Run(b.Context(), s.Caller, order("n"))
		if err != nil {
			b.Fatal(err)
		}
		id := core.TaskID{Invocation: v.ID}
		chunk := bytes.Repeat(line, min(size, 250<<10)/len(line))
		off := uint64(0)
		for off < uint64(size)-uint64(len(chunk)) {
			_, err := s.Service.Report(b.Context(), []core.Report{{Task: id, Node: n.Key, Kind: core.ReportOutput, Chunk: core.Chunk{
				Off: off, Data: chunk, Spans: []core.Span{{Stream: core.Stdout, Len: uint32(len(chunk))}},
			}}})
			if err != nil {
				b.Fatal(err)
			}
			off += uint64(len(chunk))
		}
		_, err = s.Service.Report(b.Context(), []core.Report{{
			Task: id, Node: n.Key, Kind: core.ReportEnded, State: core.Succeeded, Exited: true, Stdout: off, End: off, Ended: s.Now().Add(time.Second),
		}})
		if err != nil {
			b.Fatal(err)
		}
		for _, from := range []int64{1, int64(size / len(line) / 2), -256} {
			b.Run(fmt.Sprintf("%dKiB/lines from %d", size>>10, from), func(b *testing.B) {
				for b.Loop() {
					l, err := s.Service.Lines(b.Context(), s.Caller, id, core.LinesSpec{From: from, Count: 256})
					if err != nil || len(l.Lines) == 0 {
						b.Fatal(err)
					}
				}
			})
		}
		for name, spec := range map[string]core.SearchSpec{
			"literal": {Query: "needle", Limit: 10}, "pattern": {Query: "ne+dle$", Regex: true, Limit: 10},
		} {
			b.Run(fmt.Sprintf("%dKiB/search %s", size>>10, name), func(b *testing.B) {
				for b.Loop() {
					if _, err := s.Service.SearchOutput(b.Context(), s.Caller, id, spec); err != nil {
						b.Fatal(err)
					}
				}
				b.SetBytes(int64(off))
			})
		}
	}
}
