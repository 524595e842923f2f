package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
)

// transferHelp is what push and fetch have in common.
const transferHelp = `

Nodes are named by -t, which may be repeated, or by --tag: then all that carry all of the tags. A node that is away gets --queue to come
back. On a terminal one line shows how far all nodes together have come; -o json gives each node's state, bytes, SHA-256 and seconds.

Exit codes: 0 all nodes succeeded, 3 some did not, and those below.`

// transferring is what push and fetch are told in common.
type transferring struct {
	targets, tags  []string
	timeout, queue time.Duration
	detach         bool
}

func (t *transferring) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVarP(&t.targets, "target", "t", nil, "`NODE` by its id; may be repeated")
	flags.StringSliceVar(&t.tags, "tag", nil, "all nodes with the tag `KEY=VALUE`; may be repeated, for nodes that have all")
	flags.DurationVar(&t.timeout, "timeout", 24*time.Hour, "what a node may take, from its beginning")
	flags.DurationVar(&t.queue, "queue", time.Minute, "how long a node may be away before it begins")
	flags.BoolVar(&t.detach, "detach", false, "do not wait for the nodes")
}

func (t *transferring) check() error {
	switch {
	case len(t.targets) == 0 && len(t.tags) == 0:
		return errors.New("name the nodes with -t or --tag")
	case len(t.targets) > 0 && len(t.tags) > 0:
		return errors.New("either -t or --tag")
	case t.timeout < time.Second || t.queue < time.Second:
		return errors.New("--timeout and --queue are a second or more")
	}
	for _, tag := range t.tags {
		if k, _, ok := strings.Cut(tag, "="); !ok || k == "" {
			return fmt.Errorf("--tag %s: want KEY=VALUE", tag)
		}
	}
	return nil
}

// fill completes the body of a request.
func (t *transferring) fill(body map[string]any) {
	tags := make([]native.TargetTag, len(t.tags))
	for i, tag := range t.tags {
		tags[i].Key, tags[i].Value, _ = strings.Cut(tag, "=")
	}
	body["targets"], body["tags"] = t.targets, tags
	body["timeout_seconds"], body["queue_seconds"] = int64(t.timeout.Seconds()), int64(t.queue.Seconds())
}

// transferResult is what became of one file that was pushed, or of a fetch.
type transferResult struct {
	Source     string            `json:"source,omitempty"`
	Invocation string            `json:"invocation"`
	Hash       string            `json:"sha256,omitempty"` // of a pushed file
	Size       int64             `json:"size,omitempty"`
	Tasks      []native.Carriage `json:"-"`
	Nodes      []nodeResult      `json:"nodes"`
}

// nodeResult is a transferResult on one node.
type nodeResult struct {
	Node    string            `json:"node"`
	State   string            `json:"state"`
	Cause   string            `json:"cause,omitempty"`
	Detail  string            `json:"detail,omitempty"`
	Bytes   int64             `json:"bytes"`
	Hash    string            `json:"sha256,omitempty"`
	Seconds float64           `json:"seconds"`
	Files   []native.SentFile `json:"files,omitempty"`
}

// transferred shows the results, and decides about the exit code.
func (c *connection) transferred(cmd *cobra.Command, all []transferResult) error {
	var rows [][]string
	failed := false
	for i := range all {
		r := &all[i]
		r.Nodes = make([]nodeResult, len(r.Tasks))
		for j := range r.Tasks {
			n := nodeOf(&r.Tasks[j], r.Hash)
			r.Nodes[j], failed = n, failed || n.State != "succeeded"
			what := strings.TrimPrefix(n.Cause+": "+n.Detail, ": ")
			rows = append(rows, []string{
				r.Invocation, n.Node, n.State, strconv.FormatInt(n.Bytes, 10), n.Hash, strconv.FormatFloat(n.Seconds, 'f', 1, 64), strings.TrimSuffix(what, ": "),
			})
		}
		if len(r.Tasks) == 0 {
			rows = append(rows, []string{r.Invocation, "", "started", strconv.FormatInt(r.Size, 10), r.Hash, "", ""})
		}
	}
	if err := c.show(cmd, map[string]any{"transfers": all}, "INVOCATION NODE STATE BYTES SHA256 SECONDS WHY", rows); err != nil {
		return err
	}
	if failed {
		return exitSome
	}
	return nil
}

// nodeOf sums up a task; pushed is the hash of the file that was brought to it.
func nodeOf(t *native.Carriage, pushed string) nodeResult {
	n := nodeResult{Node: t.Node, State: t.State, Cause: t.Cause, Detail: t.Detail, Bytes: t.Done, Files: t.Files}
	if t.Started != nil && t.Ended != nil {
		n.Seconds = max(0, t.Ended.Sub(*t.Started).Seconds())
	}
	switch {
	case t.State == "succeeded" && pushed != "":
		n.Hash = pushed
	case len(t.Files) == 1:
		n.Hash = t.Files[0].Hash
	}
	return n
}

const (
	pollEvery = 300 * time.Millisecond
	pollPause = 2 * time.Second // between two looks at many nodes
	manyNodes = 100
	patience  = 5 * time.Minute // with a server that cannot be reached
)

// wait looks after an invocation until its last task has ended, and hands each task to look whenever it has looked.
func (t *transferring) wait(
	ctx context.Context, api *client.Client, id string, line *progress, look func(*native.Carriage) error,
) ([]native.Carriage, error) {
	for {
		var tasks []native.Carriage
		err := insist(ctx, func() (err error) {
			tasks, err = carriages(ctx, api, id)
			return err
		})
		for i := 0; err == nil && i < len(tasks); i++ {
			err = look(&tasks[i])
		}
		open := line.tasks(tasks)
		switch {
		case ctx.Err() != nil:
			line.end()
			fmt.Fprintf(line.say, "errand: interrupted; the nodes go on with invocation %s\n", id)
			return nil, exitInterrupted
		case err != nil || open == 0:
			return tasks, err
		}
		pause := pollEvery
		if len(tasks) > manyNodes {
			pause = pollPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// carriages reads all tasks of an invocation.
func carriages(ctx context.Context, api *client.Client, id string) (all []native.Carriage, err error) {
	query := url.Values{"limit": {"1000"}}
	for {
		var page native.Carriages
		if err := api.Call(ctx, http.MethodGet, client.Path("invocations", id, "transfers"), query, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Tasks...)
		if page.Next == "" {
			return all, nil
		}
		query.Set("cursor", page.Next)
	}
}

// insist makes a call again while it fails for reasons that may pass.
func insist(ctx context.Context, call func() error) error {
	for pause, since := 200*time.Millisecond, time.Now(); ; pause = min(2*pause, 10*time.Second) {
		err := call()
		if !client.Temporary(err) || time.Since(since) > patience {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rand.N(pause) + pause/2): //nolint:gosec // to spread load, not to keep a secret
		}
	}
}

func decodeAnswer(text []byte, v any) error {
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	return nil
}

// progress is one line on a terminal that says how far everything together has come. Where there is no terminal it says nothing.
type progress struct {
	w     io.Writer // nil where there is no terminal
	say   io.Writer // for what has to be said in any case
	what  string
	drawn time.Time
	since time.Time
	from  int64 // what was there at since
}

// redraw is how often the line changes at most.
const redraw = 250 * time.Millisecond

func newProgress(w io.Writer, what string) *progress {
	p := &progress{say: w}
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" {
			p.w = w
		}
	}
	p.about(what)
	return p
}

// about says what the line is about from now on.
func (p *progress) about(what string) {
	p.what, p.since, p.from, p.drawn = what, time.Time{}, 0, time.Time{}
}

// show draws the line, unless it was drawn a moment ago.
func (p *progress) show(done, total int64, rest string) {
	now := time.Now()
	if p.w == nil || now.Sub(p.drawn) < redraw {
		return
	}
	if p.since.IsZero() {
		p.since, p.from = now, done
	}
	text := p.what + "  " + bytesText(done) + " of " + bytesText(total)
	if took := now.Sub(p.since).Seconds(); took > 1 {
		text += "  " + bytesText(int64(float64(done-p.from)/took)) + "/s"
	}
	p.drawn = now
	fmt.Fprintf(p.w, "\r%s%s\x1b[K", printable(text), rest)
}

// tasks draws the line for a number of tasks and returns how many of them have not ended.
func (p *progress) tasks(tasks []native.Carriage) (open int) {
	var done, total int64
	good, bad := 0, 0
	for i := range tasks {
		t := &tasks[i]
		done, total = done+t.Done, total+t.Total
		switch {
		case t.Ended == nil:
			open++
		case t.State == "succeeded":
			good++
		default:
			bad++
		}
	}
	p.show(done, total, fmt.Sprintf("  nodes: %d done, %d failed, %d to go", good, bad, open))
	return open
}

// end clears the line.
func (p *progress) end() {
	if p.w != nil && !p.drawn.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// bytesText is a number of bytes for people.
func bytesText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	x, i := float64(n), 0
	for x >= 1024 && i < len(units)-1 {
		x, i = x/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", x, units[i])
}
