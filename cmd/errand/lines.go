package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
)

// lineFeed shows the output of all nodes line by line as it comes, the node before each line. It follows the nodes that run, a bounded number at a
// time, and reads those that ended meanwhile.
type lineFeed struct {
	r      *runAPI
	w      *watching
	stdout io.Writer
	stderr io.Writer
	ends   []func() error
	only   string // the stream to show; empty means both
	once   bool   // do not wait for more

	stopAll context.CancelFunc
	ctx     context.Context //nolint:containedctx // of goroutines that end with the feed
	begun   map[string]bool
	slots   chan struct{}
	work    sync.WaitGroup
	mu      sync.Mutex // one line at a time
	err     error
}

// maxFollowed is how many nodes are followed at a time.
const maxFollowed = 32

func newLineFeed(r *runAPI, w *watching, cmd *cobra.Command) *lineFeed {
	l := &lineFeed{r: r, w: w, begun: map[string]bool{}, slots: make(chan struct{}, maxFollowed)}
	l.ctx, l.stopAll = context.WithCancel(context.WithoutCancel(cmd.Context()))
	var end func() error
	l.stdout, end = w.toTerminal(cmd.OutOrStdout())
	l.ends = append(l.ends, end)
	l.stderr, end = w.toTerminal(cmd.ErrOrStderr())
	l.ends = append(l.ends, end)
	return l
}

// look begins to follow nodes that have begun to run.
func (l *lineFeed) look(ctx context.Context) error {
	tasks, _, err := l.r.tasks(ctx, allTasks, []string{"running", "stopping", "ended"}, nil)
	for i := range tasks {
		if t := tasks[i]; !l.begun[t.ID] {
			l.begun[t.ID] = true
			l.work.Go(func() { l.follow(&t) })
		}
	}
	return err
}

func (l *lineFeed) follow(t *native.Task) {
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-l.ctx.Done():
		return
	}
	rest := map[string][]byte{}
	_, err := l.r.outputOf(l.ctx, t.ID, !l.once, func(stream string, data []byte) error {
		data = append(rest[stream], data...)
		i := bytes.LastIndexByte(data, '\n') + 1
		rest[stream] = append([]byte(nil), data[i:]...)
		return l.write(t.Node, stream, data[:i])
	})
	for stream, data := range rest {
		if len(data) > 0 && err == nil {
			err = l.write(t.Node, stream, append(data, '\n'))
		}
	}
	if err != nil && l.ctx.Err() == nil {
		l.mu.Lock()
		l.err = err
		l.mu.Unlock()
	}
}

// write writes whole lines of a node.
func (l *lineFeed) write(node, stream string, data []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.stdout
	if l.only != "" && stream != l.only {
		return nil
	}
	if stream == "stderr" && l.only == "" {
		w = l.stderr
	}
	for line := range bytes.Lines(data) {
		if _, err := fmt.Fprintf(w, "%s: %s", printable(node), line); err != nil {
			return err
		}
	}
	return nil
}

// drain waits until all output of a run that has ended is written.
func (l *lineFeed) drain(ctx context.Context) error {
	if err := l.look(ctx); err != nil {
		return err
	}
	return l.finish()
}

// all follows some tasks to their ends.
func (l *lineFeed) all(tasks []native.Task) error {
	for i := range tasks {
		l.work.Go(func() { l.follow(&tasks[i]) })
	}
	return l.finish()
}

// finish waits for what is followed, and writes what was held back.
func (l *lineFeed) finish() error {
	l.work.Wait()
	err := l.err
	for _, end := range l.ends {
		err = errors.Join(err, end())
	}
	return err
}

// stop ends the feed wherever it is.
func (l *lineFeed) stop() {
	l.stopAll()
	l.work.Wait()
}
