package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"errand/internal/api/native"
)

// sayer tells people or programs how a run stands while it lasts. Everything it says goes to standard error.
type sayer interface {
	started(v *native.Invocation)
	paced(v *native.Invocation, p paceState)
	failed(ctx context.Context, t *native.Task)
	failuresWanted() int // how many failed nodes are told of at most
	progress(ctx context.Context, v *native.Invocation)
	ended(v *native.Invocation)

	end() // nothing more moves

	// What only a terminal has: keys, questions, and lists on demand.
	keys() (keys <-chan byte, restore func())
	canAsk() bool
	prompt(text string)
	note(text string)
	list(key byte, tasks []native.Task, more bool)
	above(write func() error)
}

// newSayer chooses by what the progress flag says and by where standard error goes.
func newSayer(cmd *cobra.Command, how string, f *runWatch) sayer {
	w := cmd.ErrOrStderr()
	tty, able := terminalOf(w)
	switch {
	case how == "none":
		return &quiet{}
	case how == "jsonl":
		return &jsonSayer{enc: json.NewEncoder(w)}
	case how == "auto" && able:
		return newBoard(tty, f)
	default:
		return &plainSayer{w: w}
	}
}

// quiet says nothing.
type quiet struct{}

func (*quiet) started(*native.Invocation)                   {}
func (*quiet) paced(*native.Invocation, paceState)          {}
func (*quiet) failed(context.Context, *native.Task)         {}
func (*quiet) failuresWanted() int                          { return 0 }
func (*quiet) progress(context.Context, *native.Invocation) {}
func (*quiet) ended(*native.Invocation)                     {}
func (*quiet) end()                                         {}
func (*quiet) keys() (<-chan byte, func())                  { return nil, func() {} }
func (*quiet) canAsk() bool                                 { return false }
func (*quiet) prompt(string)                                {}
func (*quiet) note(string)                                  {}
func (*quiet) list(byte, []native.Task, bool)               {}
func (*quiet) above(func() error)                           {}

// plainSayer writes a line for each change of the run's state and for each of the first failed nodes.
type plainSayer struct {
	quiet
	w    io.Writer
	told int
}

// maxFailureLines is how many failed nodes lines are written for.
const maxFailureLines = 100

func (p *plainSayer) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\n", args...) }

func (p *plainSayer) started(v *native.Invocation) {
	p.line("run %s  %s", v.ID, nodes(v.Tasks))
}

func (p *plainSayer) paced(v *native.Invocation, s paceState) {
	p.line("run %s  %s", v.ID, s.text())
}

func (p *plainSayer) failuresWanted() int { return maxFailureLines }

func (p *plainSayer) failed(_ context.Context, t *native.Task) {
	p.told++
	p.line("%s: %s", printable(t.Node), endingOf(t))
	if p.told == maxFailureLines {
		p.line("(more nodes that fail are not told of one by one)")
	}
}

func (p *plainSayer) ended(v *native.Invocation) {
	p.line("run %s  %s  in %s", v.ID, tally(v.States, style{}), brief(lasted(v.CreatedAt, v.EndedAt, v.CreatedAt)))
}

func nodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}

// text says how a pace stands.
func (p paceState) text() string {
	text := p.State
	if p.Steps > 1 {
		text += fmt.Sprintf("  step %d/%d", p.Step, p.Steps)
	}
	if p.Why != "" {
		text += "  " + printable(p.Why)
	}
	return text
}

// jsonSayer writes an object on each line, for programs.
type jsonSayer struct {
	quiet
	enc  *json.Encoder
	next time.Time
}

// progressMark is a line of --progress jsonl.
type progressMark struct {
	Event  string         `json:"event"` // started, pace, failed, progress or ended
	Run    string         `json:"run"`
	Nodes  int            `json:"nodes,omitempty"`
	Open   *int           `json:"open,omitempty"`
	States map[string]int `json:"states,omitempty"`
	Pace   *paceState     `json:"pace,omitempty"`
	Task   *native.Task   `json:"task,omitempty"`
}

func (j *jsonSayer) mark(event string, v *native.Invocation) progressMark {
	return progressMark{Event: event, Run: v.ID, Nodes: v.Tasks, Open: &v.Open, States: v.States}
}

func (j *jsonSayer) write(m progressMark) { _ = j.enc.Encode(m) } // as with any line to standard error

func (j *jsonSayer) started(v *native.Invocation) { j.write(j.mark("started", v)) }
func (j *jsonSayer) ended(v *native.Invocation)   { j.write(j.mark("ended", v)) }
func (j *jsonSayer) failuresWanted() int          { return 1 << 20 }

func (j *jsonSayer) paced(v *native.Invocation, p paceState) {
	m := j.mark("pace", v)
	m.Pace = &p
	j.write(m)
}

func (j *jsonSayer) failed(_ context.Context, t *native.Task) {
	j.write(progressMark{Event: "failed", Run: t.Of, Task: t})
}

func (j *jsonSayer) progress(_ context.Context, v *native.Invocation) {
	if now := time.Now(); !now.Before(j.next) {
		j.next = now.Add(time.Second)
		j.write(j.mark("progress", v))
	}
}

const ctrlC = 3

// board is a block of a few lines on a terminal that is drawn again in its place: never a line for each node.
type board struct {
	f       *runWatch
	tty     *os.File
	style   style
	drawn   int // lines of the block that are on the screen
	next    time.Time
	raw     bool
	asking  string
	notice  string
	newest  string // the newest failure
	slow    string
	slowDue time.Time
}

const (
	boardAfter = time.Second            // nothing is drawn before
	boardEvery = 250 * time.Millisecond // the block is drawn again at most this often
	slowEvery  = 2 * time.Second        // the slowest nodes are looked for
	boardLines = 6
)

func newBoard(tty *os.File, f *runWatch) *board {
	return &board{f: f, tty: tty, style: styleFor(tty)}
}

func (b *board) started(*native.Invocation) { b.next = time.Now().Add(boardAfter) }

func (b *board) paced(*native.Invocation, paceState) {}

func (b *board) failuresWanted() int { return maxFailureLines }

// failed notes the newest failure with the last line that the node printed.
func (b *board) failed(ctx context.Context, t *native.Task) {
	b.newest = printable(t.Node) + "  " + endingOf(t)
	if t.Stdout+t.Stderr == 0 || t.Stdout+t.Stderr > 1<<20 {
		return
	}
	var text []byte
	if _, err := b.f.outputOf(ctx, t.ID, false, func(_ string, data []byte) error {
		text = append(text, data...)
		return nil
	}); err == nil {
		lines := strings.Split(strings.TrimRight(string(text), "\r\n"), "\n")
		b.newest += ": " + printable(strings.TrimSpace(lines[len(lines)-1]))
	}
}

func (b *board) progress(ctx context.Context, v *native.Invocation) {
	now := time.Now()
	if now.Before(b.next) {
		return
	}
	b.next = now.Add(boardEvery)
	if !now.Before(b.slowDue) {
		b.slowDue, b.slow = now.Add(slowEvery), ""
		if tasks, _, err := b.f.tasks(ctx, 50, []string{"running"}, nil); err == nil {
			b.slow = slowest(tasks, now)
		}
	}
	b.draw(b.lines(v, now))
}

// slowest names the nodes that run longest.
func slowest(tasks []native.Task, now time.Time) string {
	var parts []string
	for len(parts) < 3 {
		oldest := -1
		for i := range tasks {
			if tasks[i].Started != nil && (oldest < 0 || tasks[i].Started.Before(*tasks[oldest].Started)) {
				oldest = i
			}
		}
		if oldest < 0 {
			break
		}
		parts = append(parts, printable(tasks[oldest].Node)+" "+brief(lasted(*tasks[oldest].Started, nil, now).Truncate(time.Second)))
		tasks[oldest].Started = nil
	}
	return strings.Join(parts, "  ")
}

func (b *board) lines(v *native.Invocation, now time.Time) []string {
	done := v.Tasks - v.Open
	head := fmt.Sprintf("%s %d/%d  %s  %s", bar(done, v.Tasks, 20), done, v.Tasks, tally(v.States, b.style), brief(lasted(v.CreatedAt, nil, now).Truncate(time.Second)))
	if took := now.Sub(b.f.began).Seconds(); took > 2 && done > 0 {
		head += fmt.Sprintf("  %.0f/s", float64(done)/took)
	}
	lines := []string{head}
	if b.f.pace.State != "" {
		lines = append(lines, "pace    "+b.f.pace.text())
	}
	if b.slow != "" {
		lines = append(lines, "slow    "+b.slow)
	}
	if b.newest != "" {
		lines = append(lines, "failed  "+b.newest)
	}
	if b.notice != "" {
		lines = append(lines, printable(b.notice))
	}
	text := "keys    f failures  s running  o output  p pause  q detach  Ctrl-C stop"
	if b.f.pace.State == "paused" {
		text = "keys    p resume  a abort  f failures  o output  q detach  Ctrl-C stop"
	}
	keys := b.style.dim(text)
	if b.asking != "" {
		keys = b.style.bold(b.asking)
	}
	return append(lines[:min(len(lines), boardLines-1)], keys)
}

// bar is a bar of n of total.
func bar(n, total, width int) string {
	full := 0
	if total > 0 {
		full = n * width / total
	}
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}

// draw puts lines in the place of those that are there.
func (b *board) draw(lines []string) {
	var out strings.Builder
	if b.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", b.drawn)
	}
	columns := columnsOf(b.tty)
	for _, line := range lines {
		out.WriteString("\r" + cut(line, columns-1) + "\x1b[K\r\n")
	}
	out.WriteString("\x1b[J")
	b.drawn = len(lines)
	_, _ = io.WriteString(b.tty, out.String()) // a terminal that is gone shows nothing
}

// cut makes a line fit, control sequences not counted.
func cut(line string, columns int) string {
	used, inSequence := 0, false
	for i, r := range line {
		switch {
		case inSequence:
			inSequence = r < '@' || r > '~' || r == '['
		case r == 0x1b:
			inSequence = true
		default:
			if used += displayWidth(string(r)); used > columns {
				return line[:i] + "\x1b[0m"
			}
		}
	}
	return line
}

// erase takes the block from the screen.
func (b *board) erase() {
	if b.drawn > 0 {
		fmt.Fprintf(b.tty, "\x1b[%dA\r\x1b[J", b.drawn)
		b.drawn = 0
	}
}

func (b *board) end() { b.erase() }

func (b *board) ended(*native.Invocation) {}

// keys reads single keys from standard input, if that is a terminal too. Until restore is called the terminal does not react to them itself.
func (b *board) keys() (<-chan byte, func()) {
	in, ok := b.f.cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil, func() {}
	}
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil, func() {}
	}
	b.raw, b.f.w.rawTerminal = true, true
	keys := make(chan byte)
	gone := make(chan struct{})
	go func() {
		defer close(keys)
		r := bufio.NewReader(in)
		for {
			k, err := r.ReadByte()
			if err != nil {
				return
			}
			select {
			case keys <- k:
			case <-gone:
				return
			}
		}
	}()
	restored := false
	return keys, func() {
		if !restored {
			restored, b.raw, b.f.w.rawTerminal = true, false, false
			close(gone)
			_ = term.Restore(int(in.Fd()), before) // nothing to do about a terminal that is gone
		}
	}
}

func (b *board) canAsk() bool { return b.raw }

func (b *board) prompt(text string) {
	b.asking = text
	b.draw(b.lines(&b.f.last, time.Now()))
}

func (b *board) note(text string) {
	b.notice = text
	b.draw(b.lines(&b.f.last, time.Now()))
}

// list writes tasks above the block.
func (b *board) list(key byte, tasks []native.Task, more bool) {
	b.erase()
	what := "failed"
	if key == 's' {
		what = "running"
	}
	if len(tasks) == 0 {
		fmt.Fprintf(b.tty, "no node is %s\r\n", what)
	}
	now := time.Now()
	for i := range tasks {
		t := &tasks[i]
		text := endingOf(t)
		if t.Started != nil {
			text += "  " + brief(lasted(*t.Started, t.Ended, now))
		}
		fmt.Fprintf(b.tty, "%s  %s\r\n", printable(t.Node), text)
	}
	if more {
		fmt.Fprintf(b.tty, "(and more: errand runs show %s --state %s)\r\n", b.f.id, what)
	}
	b.draw(b.lines(&b.f.last, now))
}

// above lets something be written above the block. The terminal is raw meanwhile, so line feeds get their carriage returns there.
func (b *board) above(write func() error) {
	b.erase()
	if err := write(); err != nil {
		b.notice = err.Error()
	}
	b.draw(b.lines(&b.f.last, time.Now()))
}
