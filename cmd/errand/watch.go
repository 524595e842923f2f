package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
)

// watching is how a run is followed and shown.
type watching struct {
	group, diff, raw bool
	outdir, show     string
	rc, progress     string
	waitTimeout      time.Duration

	rawTerminal bool // the terminal is raw while keys are read
}

func (w *watching) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVarP(&w.group, "group", "b", true, "fold nodes with equal output and exit code; --group=false shows lines as they come, the node before each")
	flags.BoolVar(&w.diff, "diff", false, "show how each group's output differs from that of the largest successful one")
	flags.StringVar(&w.outdir, "outdir", "", "write each node's output to files in `DIR`: NODE.out and NODE.err")
	flags.StringVar(&w.show, "show", "all", "show the output of `all`, failed or none")
	flags.StringVar(&w.rc, "rc", "", "max: exit with the largest exit code of any node")
	flags.Lookup("rc").NoOptDefVal = "max"
	flags.StringVar(&w.progress, "progress", "auto", "auto: a block on a terminal and lines elsewhere; plain, jsonl or none")
	flags.DurationVar(&w.waitTimeout, "wait-timeout", 0, "stop waiting after this time; the run goes on")
	flags.BoolVar(&w.raw, "raw", false, "let control characters of the output reach the terminal")
}

func (w *watching) check(c *connection) error {
	switch {
	case !slices.Contains([]string{"all", "failed", "none"}, w.show):
		return fmt.Errorf("--show is all, failed or none, not %q", w.show)
	case w.rc != "" && w.rc != "max":
		return fmt.Errorf("--rc is max, not %q", w.rc)
	case !slices.Contains([]string{"auto", "plain", "jsonl", "none"}, w.progress):
		return fmt.Errorf("--progress is auto, plain, jsonl or none, not %q", w.progress)
	case w.waitTimeout < 0:
		return errors.New("--wait-timeout is more than 0s")
	case !w.group && w.diff:
		return errors.New("--diff is about groups")
	case !w.group && c.name != "table":
		return errors.New("--group=false is for people: leave out -o")
	}
	return c.format.check()
}

// Why somebody stopped watching before the end.
var (
	errDetached    = errors.New("detached")
	errWaited      = errors.New("waited long enough")
	errInterrupted = errors.New("interrupted")
	errPaused      = errors.New("paused")
)

// watch follows a run to its end and shows what came of it. alone says that it is on one node, whose output is then handed on as ssh does.
func (w *watching) watch(cmd *cobra.Command, c *connection, api *client.Client, v *native.Invocation, alone bool) error {
	// What ends the program ends the watching, not the calls that say how it ended.
	ctx := context.WithoutCancel(cmd.Context())
	r := &runAPI{api: api, id: v.ID}
	if alone && !cmd.Flags().Changed("group") && !w.diff && c.name == "table" {
		return w.alone(ctx, cmd, r)
	}
	return newRunWatch(cmd, r, w, v).run(ctx, c)
}

// alone hands on the output of the only node as it comes, both streams apart, and ends as the command did. An interrupt ends the command.
func (w *watching) alone(ctx context.Context, cmd *cobra.Command, r *runAPI) error {
	interrupts, ignore := interruptions()
	defer ignore()
	tasks, _, err := r.tasks(ctx, 1, nil, nil)
	if err != nil {
		return err
	}
	if len(tasks) == 0 {
		return errors.New("the run has no task")
	}
	following, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if w.waitTimeout > 0 {
		timer := time.AfterFunc(w.waitTimeout, func() { stop(errWaited) })
		defer timer.Stop()
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case <-interrupts:
			}
			if n > 0 {
				stop(errInterrupted)
				return
			}
			if _, err := r.act(ctx, "cancel", map[string]any{}); err != nil {
				stop(err)
			}
		}
	}()
	out, err := newNodeFiles(w.outdir)
	if err != nil {
		return err
	}
	stdout, endOut := w.toTerminal(cmd.OutOrStdout())
	stderr, endErr := w.toTerminal(cmd.ErrOrStderr())
	write := streams(stdout, stderr)
	if w.outdir != "" {
		write = out.both(tasks[0].Node, write)
	}
	if w.show == "none" {
		write = out.both(tasks[0].Node, func(string, []byte) error { return nil })
	}
	t, err := r.outputOf(following, tasks[0].ID, true, write)
	err = errors.Join(err, endOut(), endErr(), out.close())
	if cause := context.Cause(following); cause != nil {
		err = cause
	}
	switch {
	case errors.Is(err, errWaited):
		fmt.Fprintf(cmd.ErrOrStderr(), "errand: stopped waiting; the run goes on: errand runs wait %s\n", r.id)
		return exitWaited
	case errors.Is(err, errInterrupted):
		fmt.Fprintf(cmd.ErrOrStderr(), "errand: interrupted; errand runs show %s tells what became of it\n", r.id)
		return exitInterrupted
	case err != nil:
		return err
	}
	return w.endOfOne(cmd, &t)
}

// endOfOne turns the end of the only task into an exit code: the command's own, or what says that it did not run to its end.
func (w *watching) endOfOne(cmd *cobra.Command, t *native.Task) error {
	switch {
	case t.ExitCode != nil && *t.ExitCode == 0:
		return nil
	case t.ExitCode != nil:
		return exitCode(*t.ExitCode)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "errand: %s: %s\n", t.Node, endingOf(t))
	switch t.State {
	case "cancelled", "terminated":
		return exitInterrupted
	default:
		return exitSome
	}
}

// endingOf says how a task ended, or how it stands, in a few words.
func endingOf(t *native.Task) string {
	text := strings.ReplaceAll(t.State, "_", " ")
	if t.ExitCode != nil {
		text += fmt.Sprintf(" exit %d", *t.ExitCode)
	}
	if t.Signal != 0 {
		text += fmt.Sprintf(" signal %d", t.Signal)
	}
	if t.Cause != "" && t.ExitCode == nil {
		text += " (" + strings.ReplaceAll(t.Cause, "_", " ") + ")"
	}
	if t.Detail != "" {
		text += ": " + t.Detail
	}
	return printable(text)
}

// runWatch watches a run on several nodes.
type runWatch struct {
	*runAPI
	w          *watching
	cmd        *cobra.Command
	say        sayer
	last       native.Invocation
	pace       paceState
	interrupts <-chan os.Signal
	began      time.Time
	told       map[string]bool // failed nodes that were told of
}

// How often a run is looked at: soon at first, and more rarely the longer it takes.
const (
	lookFirst = 50 * time.Millisecond
	lookMost  = time.Second
)

func newRunWatch(cmd *cobra.Command, r *runAPI, w *watching, v *native.Invocation) *runWatch {
	f := &runWatch{runAPI: r, w: w, cmd: cmd, last: *v, began: time.Now(), told: map[string]bool{}, pace: paceOf(v)}
	f.say = newSayer(cmd, w.progress, f)
	return f
}

// interruptions takes interrupts from the program until ignore is called.
func interruptions() (interrupts <-chan os.Signal, ignore func()) {
	c := make(chan os.Signal, 4)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM)
	return c, func() { signal.Stop(c) }
}

// run looks at the run again and again until it has ended, somebody does not want to see more, or the time is over.
func (f *runWatch) run(ctx context.Context, c *connection) error {
	ctx = context.WithoutCancel(ctx) // what ends the program ends the watching, not the calls that say how it ended
	interrupts, ignore := interruptions()
	defer ignore()
	f.interrupts = interrupts
	f.say.started(&f.last)
	var lines *lineFeed
	if !f.w.group {
		lines = newLineFeed(f.runAPI, f.w, f.cmd)
		defer lines.stop()
	}
	var deadline <-chan time.Time
	if f.w.waitTimeout > 0 {
		timer := time.NewTimer(f.w.waitTimeout)
		defer timer.Stop()
		deadline = timer.C
	}
	keys, restore := f.say.keys()
	defer restore()
	pause := lookFirst
	for f.last.Open > 0 {
		if err := f.look(ctx, lines); err != nil {
			f.say.end()
			restore()
			return f.leave(ctx, c, err)
		}
		if f.last.Open == 0 {
			break
		}
		var err error
		select {
		case <-time.After(pause):
			pause = min(lookMost, pause*5/4)
		case <-deadline:
			err = errWaited
		case <-f.interrupts:
			err = f.interrupted(ctx, keys)
		case k := <-keys:
			err = f.key(ctx, k, keys)
		}
		if err != nil {
			f.say.end()
			restore()
			return f.leave(ctx, c, err)
		}
	}
	f.say.end()
	restore()
	if lines != nil {
		if err := lines.drain(ctx); err != nil {
			return err
		}
	}
	f.say.ended(&f.last)
	return f.result(ctx, c, lines != nil)
}

// look reads how the run stands and tells what is new.
func (f *runWatch) look(ctx context.Context, lines *lineFeed) error {
	v, err := f.invocation(ctx)
	if err != nil {
		return err
	}
	before := f.last
	f.last = v
	if p := paceOf(&v); p != f.pace {
		f.say.paced(&v, p)
		f.pace = p
	}
	if f.stuck() {
		return errPaused
	}
	if lines != nil {
		if err := lines.look(ctx); err != nil {
			return err
		}
	}
	if bad(v.States) > bad(before.States) && len(f.told) < f.say.failuresWanted() {
		if err := f.tellFailures(ctx); err != nil {
			return err
		}
	}
	f.say.progress(ctx, &v)
	return nil
}

// stuck reports whether a run was paused by its failures or a probe, and nobody is there to decide. A pause that somebody asked for is waited out.
func (f *runWatch) stuck() bool {
	asked := strings.HasPrefix(f.pace.Why, "step ") || strings.HasPrefix(f.pace.Why, "paused by ")
	busy := f.last.States["running"]+f.last.States["delivering"]+f.last.States["deferred"]+f.last.States["stopping"] > 0
	return f.pace.State == "paused" && !asked && !busy && !f.say.canAsk()
}

// tellFailures tells of nodes that failed and were not told of.
func (f *runWatch) tellFailures(ctx context.Context) error {
	tasks, _, err := f.tasks(ctx, f.say.failuresWanted()+len(f.told), []string{"failed"}, nil)
	for i := range tasks {
		if t := &tasks[i]; !f.told[t.Node] {
			f.told[t.Node] = true
			f.say.failed(ctx, t)
		}
	}
	return err
}

// interrupted decides about Ctrl-C: on a terminal somebody is asked, and a second one cancels; elsewhere the run goes on alone.
func (f *runWatch) interrupted(ctx context.Context, keys <-chan byte) error {
	if !f.say.canAsk() {
		return errInterrupted
	}
	f.say.prompt("[d]etach, the run goes on   [c]ancel it   [w]atch on ? ")
	for {
		select {
		case <-f.interrupts:
			return f.cancel(ctx)
		case k, ok := <-keys:
			switch {
			case !ok || k == 'd':
				return errDetached
			case k == 'c' || k == ctrlC:
				return f.cancel(ctx)
			case k == 'w' || k == '\r' || k == '\n':
				f.say.prompt("")
				return nil
			}
		case <-time.After(time.Minute): // nobody is there
			return errDetached
		}
	}
}

func (f *runWatch) cancel(ctx context.Context) error {
	f.say.prompt("")
	_, err := f.act(ctx, "cancel", map[string]any{})
	return err
}

// key does what a key asks for.
func (f *runWatch) key(ctx context.Context, k byte, keys <-chan byte) error {
	switch k {
	case ctrlC:
		return f.interrupted(ctx, keys)
	case 'q':
		return errDetached
	case 'f', 's':
		states := []string{"failed"}
		if k == 's' {
			states = []string{"running", "stopping"}
		}
		tasks, more, err := f.tasks(ctx, 20, states, nil)
		if err != nil {
			return err
		}
		f.say.list(k, tasks, more)
	case 'o':
		all, err := f.groups(ctx)
		if err != nil {
			return err
		}
		f.say.above(func() error { return f.w.printGroups(ctx, f.cmd, f.runAPI, all.Groups) })
	case 'p':
		what := "pause"
		if f.pace.State == "paused" {
			what = "resume"
		}
		f.steer(ctx, what)
	case 'a':
		if f.pace.State == "paused" {
			f.steer(ctx, "abort")
		}
	}
	return nil
}

// steer pauses, resumes or aborts the run; why that cannot be is shown in the block.
func (f *runWatch) steer(ctx context.Context, what string) {
	text := ""
	if _, err := f.act(ctx, what, nil); err != nil {
		text = err.Error()
	}
	f.say.note(text)
}

// leave ends the watching of a run that goes on.
func (f *runWatch) leave(ctx context.Context, c *connection, why error) error {
	say := f.cmd.ErrOrStderr()
	switch {
	case errors.Is(why, errDetached):
		fmt.Fprintf(say, "detached; the run goes on: errand runs watch %s\n", f.id)
		return nil
	case errors.Is(why, errWaited):
		fmt.Fprintf(say, "errand: stopped waiting with %d of %d nodes to go; the run goes on: errand runs wait %s\n", f.last.Open, f.last.Tasks, f.id)
		return exitWaited
	case errors.Is(why, errPaused):
		err := f.result(ctx, c, !f.w.group)
		fmt.Fprintf(say, "errand: the run is paused with %d of %d nodes to go: %s\n", f.last.Open, f.last.Tasks, printable(f.pace.Why))
		fmt.Fprintf(say, "go on: errand runs resume %[1]s   or end it: errand runs abort %[1]s\n", f.id)
		if err != nil && !errors.As(err, new(exitCode)) {
			return err
		}
		return exitStopped
	case errors.Is(why, errInterrupted):
		// What has come is not thrown away.
		err := f.result(ctx, c, !f.w.group)
		fmt.Fprintf(say, "errand: interrupted with %d of %d nodes to go; the run goes on: errand runs watch %[3]s, errand runs cancel %[3]s\n", f.last.Open, f.last.Tasks, f.id)
		if err != nil && !errors.As(err, new(exitCode)) {
			return err
		}
		return exitInterrupted
	default:
		return why
	}
}
