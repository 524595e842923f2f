package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/nodeset"
)

// toTerminal is a writer for what nodes print. On a terminal control characters can do nothing, unless --raw was asked for; anywhere else bytes pass as
// they are. end writes what was held back.
func (w *watching) toTerminal(out io.Writer) (to io.Writer, end func() error) {
	if !onTerminal(out) {
		return out, func() error { return nil }
	}
	if w.rawTerminal {
		out = returning{out}
	}
	if w.raw {
		return out, func() error { return nil }
	}
	t := &tamed{w: out}
	return t, t.end
}

// returning puts a carriage return before each line feed, for a terminal that is raw.
type returning struct{ w io.Writer }

func (r returning) Write(b []byte) (int, error) {
	if _, err := r.w.Write(bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// outcome shows what came of a run. shown says that the output was shown as it came.
func (w *watching) outcome(ctx context.Context, cmd *cobra.Command, c *connection, r *runAPI, v *native.Invocation, shown bool) error {
	if w.outdir != "" {
		if err := w.fill(ctx, r); err != nil {
			return err
		}
	}
	if c.name != "table" {
		return w.data(ctx, cmd, c, r, v)
	}
	all, err := r.groups(ctx)
	if err != nil {
		return err
	}
	if !shown {
		if err := w.printGroups(ctx, cmd, r, all.Groups); err != nil {
			return err
		}
	}
	return w.summary(cmd, v)
}

// wanted reports whether a group's output is asked for.
func (w *watching) wanted(g *native.Group) bool {
	return w.show == "all" || w.show == "failed" && !endedWell(g.State)
}

// printGroups writes each group under a heading: the reference first, then by size.
func (w *watching) printGroups(ctx context.Context, cmd *cobra.Command, r *runAPI, all []native.Group) error {
	out, end := w.toTerminal(cmd.OutOrStdout())
	s := styleFor(cmd.OutOrStdout())
	rule := "---- "
	if onTerminal(cmd.OutOrStdout()) {
		rule = "──── "
	}
	slices.SortStableFunc(all, func(a, b native.Group) int {
		return cmp.Or(-compareBool(a.Reference, b.Reference), -compareBool(ran(&a), ran(&b)), -cmp.Compare(a.Count, b.Count))
	})
	reference := ""
	for i := range all {
		g := &all[i]
		if g.Reference {
			reference = g.Key
		}
		if !w.wanted(g) {
			continue
		}
		head := fmt.Sprintf("%s%s (%d)  %s", rule, printable(g.Nodes), g.Count, endingOfGroup(g))
		if _, err := fmt.Fprintln(out, s.state(g.State, head)); err != nil {
			return err
		}
		if w.diff && reference != "" && !g.Reference && ran(g) {
			if err := w.printDiff(ctx, out, s, r, g, reference); err != nil {
				return err
			}
			continue
		}
		if g.Bytes == 0 {
			continue
		}
		if err := printOutput(ctx, out, r, g); err != nil {
			return err
		}
	}
	return end()
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// ran reports whether a group's nodes began at all.
func ran(g *native.Group) bool { return g.ExitCode != nil || g.Bytes > 0 }

// ending says how a group ended.
func endingOfGroup(g *native.Group) string {
	t := native.Task{State: g.State, ExitCode: g.ExitCode}
	if g.ExitCode != nil && (g.State == "succeeded" || g.State == "failed") {
		return fmt.Sprintf("exit %d", *g.ExitCode)
	}
	return endingOf(&t)
}

// printOutput writes a group's output whole, and ends its last line.
func printOutput(ctx context.Context, out io.Writer, r *runAPI, g *native.Group) error {
	last := byte('\n')
	_, err := r.outputOf(ctx, g.Sample, false, func(_ string, data []byte) error {
		if len(data) == 0 {
			return nil
		}
		last = data[len(data)-1]
		_, err := out.Write(data)
		return err
	})
	if err == nil && last != '\n' {
		_, err = fmt.Fprintln(out)
	}
	return err
}

// printDiff writes how a group differs from the reference, as diff -u does.
func (w *watching) printDiff(ctx context.Context, out io.Writer, s style, r *runAPI, g *native.Group, reference string) error {
	d, err := r.diff(ctx, g.Key, reference)
	if err != nil {
		return err
	}
	return writeDiff(out, s, &d)
}

func writeDiff(out io.Writer, s style, d *native.Diff) error {
	for _, h := range d.Hunks {
		olds, news := 0, 0
		for _, l := range h.Lines {
			if l.Op != "+" {
				olds++
			}
			if l.Op != "-" {
				news++
			}
		}
		if _, err := fmt.Fprintln(out, s.paint("36", fmt.Sprintf("@@ -%d,%d +%d,%d @@", h.OldStart, olds, h.NewStart, news))); err != nil {
			return err
		}
		for _, l := range h.Lines {
			line := l.Op + strings.TrimRight(l.Text, "\r\n")
			switch l.Op {
			case "+":
				line = s.paint("32", line)
			case "-":
				line = s.paint("31", line)
			}
			if _, err := fmt.Fprintln(out, line); err != nil {
				return err
			}
		}
	}
	if d.Truncated {
		_, err := fmt.Fprintln(out, "(the outputs are too long to compare them to their ends)")
		return err
	}
	return nil
}

// summary says how many nodes ended how, and what can be done about the others.
func (w *watching) summary(cmd *cobra.Command, v *native.Invocation) error {
	say := cmd.ErrOrStderr()
	if w.progress == "none" || w.progress == "jsonl" {
		return nil
	}
	s := styleFor(say)
	line := fmt.Sprintf("%s  %s", s.bold("run "+v.ID), tally(v.States, s))
	if v.EndedAt != nil {
		line += "  in " + brief(lasted(v.CreatedAt, v.EndedAt, v.CreatedAt))
	}
	if onTerminal(say) || v.Open > 0 {
		fmt.Fprintln(say, line) // elsewhere the last line of the progress has said it
	}
	if p := paceOf(v); p.State == "aborted" && p.Why != "" {
		fmt.Fprintf(say, "aborted: %s\n", printable(p.Why))
	}
	if v.Open == 0 && bad(v.States) > 0 {
		fmt.Fprintf(say, "retry the others: errand runs retry %s\n", v.ID)
	}
	return nil
}

// nodeOutcome is what became of a run on one node.
type nodeOutcome struct {
	native.Task
	Output   string `json:"output"`                    // both streams in their order
	Encoding string `json:"output_encoding,omitempty"` // base64 if the output is no text
}

// runOutcome is what became of a run.
type runOutcome struct {
	Run    *native.Invocation `json:"run"`
	Groups []groupOutcome     `json:"groups"`
	Nodes  []native.Task      `json:"nodes"`
}

type groupOutcome struct {
	native.Group
	Output   string `json:"output"`
	Encoding string `json:"output_encoding,omitempty"`
}

// allTasks is more than any run has.
const allTasks = 1 << 30

const nodeHeader = "NODE STATE EXIT-CODE SECONDS +STDOUT-BYTES +STDERR-BYTES +STARTED +ENDED WHY"

func taskRow(t *native.Task) []string {
	code, seconds, why := "", "", strings.Trim(t.Cause+": "+t.Detail, ": ")
	if t.ExitCode != nil {
		code = strconv.Itoa(int(*t.ExitCode))
	}
	if t.Started != nil && t.Ended != nil {
		seconds = strconv.FormatFloat(t.Ended.Sub(*t.Started).Seconds(), 'f', 2, 64)
	}
	return []string{
		t.Node, t.State, code, seconds, strconv.FormatUint(t.Stdout, 10), strconv.FormatUint(t.Stderr, 10), when(t.Started), when(t.Ended), why,
	}
}

// data shows the outcome in any other format than groups for people.
func (w *watching) data(ctx context.Context, cmd *cobra.Command, c *connection, r *runAPI, v *native.Invocation) error {
	tasks, _, err := r.tasks(ctx, allTasks, nil, nil)
	if err != nil {
		return err
	}
	if w.show == "failed" {
		tasks = slices.DeleteFunc(tasks, func(t native.Task) bool { return endedWell(t.State) })
	}
	switch c.name {
	case "jsonl":
		for i := range tasks {
			n := nodeOutcome{Task: tasks[i]}
			if n.Output, n.Encoding, err = w.textOf(ctx, r, n.ID, n.Stdout+n.Stderr); err != nil {
				return err
			}
			if err := writeJSON(cmd.OutOrStdout(), n, ""); err != nil {
				return err
			}
		}
		return nil
	case "json", "yaml":
		all, err := r.groups(ctx)
		if err != nil {
			return err
		}
		out := runOutcome{Run: v, Groups: []groupOutcome{}, Nodes: tasks}
		for i := range all.Groups {
			if g := (groupOutcome{Group: all.Groups[i]}); w.wanted(&g.Group) || w.show == "none" {
				if g.Output, g.Encoding, err = w.textOf(ctx, r, g.Sample, g.Bytes); err != nil {
					return err
				}
				out.Groups = append(out.Groups, g)
			}
		}
		return c.show(cmd, out, "", nil)
	default:
		return c.show(cmd, nil, nodeHeader, each(tasks, taskRow))
	}
}

// textOf is the output of a task, as base64 if it is no text.
func (w *watching) textOf(ctx context.Context, r *runAPI, task string, size uint64) (text, encoding string, err error) {
	if size == 0 || w.show == "none" {
		return "", "", nil
	}
	var b bytes.Buffer
	if _, err := r.outputOf(ctx, task, false, streams(&b, &b)); err != nil {
		return "", "", err
	}
	if utf8.Valid(b.Bytes()) {
		return b.String(), "", nil
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), "base64", nil
}

// nodeFiles writes outputs to a folder, NODE.out and NODE.err.
type nodeFiles struct {
	dir  string
	open map[string]*os.File
}

func newNodeFiles(dir string) (*nodeFiles, error) {
	f := &nodeFiles{dir: dir, open: map[string]*os.File{}}
	if dir == "" {
		return f, nil
	}
	return f, os.MkdirAll(dir, 0o777) //nolint:gosec // what the user's umask leaves
}

// fileName is a node's id as the name of a file that stays in its folder.
func fileName(node string) string {
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == ':' || invisible(r) {
			return '_'
		}
		return r
	}, node)
	if strings.HasPrefix(name, ".") {
		name = "_" + name[1:]
	}
	return name
}

// both writes to a node's files and to somebody else.
func (f *nodeFiles) both(node string, next func(string, []byte) error) func(string, []byte) error {
	return func(stream string, data []byte) error {
		if f.dir != "" {
			ending := ".out"
			if stream == "stderr" {
				ending = ".err"
			}
			name := fileName(node) + ending
			if f.open[name] == nil {
				file, err := os.Create(filepath.Join(f.dir, name))
				if err != nil {
					return err
				}
				f.open[name] = file
			}
			if _, err := f.open[name].Write(data); err != nil {
				return err
			}
		}
		return next(stream, data)
	}
}

func (f *nodeFiles) close() (err error) {
	for name, file := range f.open {
		err = errors.Join(err, file.Close())
		delete(f.open, name)
	}
	return err
}

// fill writes the outputs of all nodes to the folder. A node that printed nothing has an empty file.
func (w *watching) fill(ctx context.Context, r *runAPI) error {
	files, err := newNodeFiles(w.outdir)
	if err != nil {
		return err
	}
	tasks, _, err := r.tasks(ctx, allTasks, nil, nil)
	if err != nil {
		return err
	}
	for i := range tasks {
		t := &tasks[i]
		write := files.both(t.Node, func(string, []byte) error { return nil })
		err := write("stdout", nil)
		if err == nil && t.Stdout+t.Stderr > 0 {
			_, err = r.outputOf(ctx, t.ID, false, write)
		}
		if err = errors.Join(err, files.close()); err != nil {
			return err
		}
	}
	return nil
}

// diff shows how the groups of a run differ from its reference, or that of one node from another one's.
func (c *connection) diff(cmd *cobra.Command, r *runAPI, nodes []string, against string, raw bool) error {
	ctx := cmd.Context()
	all, err := r.groups(ctx)
	if err != nil {
		return err
	}
	reference := slices.IndexFunc(all.Groups, func(g native.Group) bool { return g.Reference })
	if against != "" {
		if reference, err = all.of(against); err != nil {
			return err
		}
	}
	if reference < 0 {
		return errors.New("no node succeeded whose output could be compared with; name one with --against")
	}
	list := all.Groups
	if len(nodes) > 0 {
		i, err := all.of(nodes[0])
		if err != nil {
			return err
		}
		list = list[i : i+1]
	}
	type entry struct {
		Group   string      `json:"group"`
		Nodes   string      `json:"nodes"`
		Against string      `json:"against"`
		Diff    native.Diff `json:"diff"`
	}
	w := watching{raw: raw}
	out, end := w.toTerminal(cmd.OutOrStdout())
	s := styleFor(cmd.OutOrStdout())
	entries := []entry{}
	for i := range list {
		g := &list[i]
		if g.Key == all.Groups[reference].Key || !ran(g) {
			continue
		}
		d, err := r.diff(ctx, g.Key, all.Groups[reference].Key)
		if err != nil {
			return err
		}
		entries = append(entries, entry{g.Key, g.Nodes, all.Groups[reference].Nodes, d})
		if c.structured() {
			continue
		}
		if _, err := fmt.Fprintf(out, "--- %s  %s\n+++ %s  %s\n", all.Groups[reference].Nodes, endingOfGroup(&all.Groups[reference]), g.Nodes, endingOfGroup(g)); err != nil {
			return err
		}
		if err := writeDiff(out, s, &d); err != nil {
			return err
		}
	}
	if c.structured() {
		return c.show(cmd, map[string]any{"diffs": entries}, "", nil)
	}
	return end()
}

// of finds the group of a node.
func (all *folds) of(node string) (int, error) {
	for i := range all.Groups {
		names, err := nodeset.Expand(all.Groups[i].Nodes)
		if err != nil {
			return 0, err
		}
		if slices.Contains(names, node) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("no group has the node %s", node)
}
