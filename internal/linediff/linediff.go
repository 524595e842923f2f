// Package linediff says how two lists of lines differ. It bounds what that costs: where they differ in very many places, the answer is right but
// not the shortest. It is arithmetic and knows nothing of where the lines come from.
package linediff

import "github.com/aymanbagabas/go-udiff/lcs"

// Op is what became of a line.
type Op byte

// The operations, as a unified diff writes them.
const (
	Same    Op = ' '
	Removed Op = '-'
	Added   Op = '+'
)

// Line is a line of a hunk.
type Line struct {
	Op   Op
	Text string
}

// Hunk is a stretch in which the lists differ, with some lines around it. Lines are counted from 1; where one list has none in the stretch,
// its start is where they would be.
type Hunk struct {
	OldStart, NewStart int
	Lines              []Line
}

// Lines returns the hunks that lead from one list to another, with so many lines around each change. Hunks have at most most lines together;
// truncated says that there would be more.
func Lines(before, after []string, around, most int) (hunks []Hunk, truncated bool) {
	var (
		h     *Hunk
		at    int // the next line of before to show
		total int
	)
	add := func(op Op, lines []string) {
		for _, text := range lines {
			if total == most {
				truncated = true
				return
			}
			h.Lines = append(h.Lines, Line{op, text})
			total++
		}
	}
	for _, d := range lcs.DiffLines(before, after) {
		if truncated {
			break
		}
		if h != nil && d.Start-at <= 2*around {
			add(Same, before[at:d.Start])
		} else {
			if h != nil {
				add(Same, before[at:min(at+around, len(before))])
			}
			lead := min(around, d.Start)
			hunks = append(hunks, Hunk{OldStart: d.Start - lead + 1, NewStart: d.ReplStart - lead + 1})
			h = &hunks[len(hunks)-1]
			add(Same, before[d.Start-lead:d.Start])
		}
		add(Removed, before[d.Start:d.End])
		add(Added, after[d.ReplStart:d.ReplEnd])
		at = d.End
	}
	if h != nil {
		add(Same, before[at:min(at+around, len(before))])
	}
	return hunks, truncated
}
