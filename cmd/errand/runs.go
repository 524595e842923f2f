package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
)

func newRuns() *cobra.Command {
	return group("runs", "Look at runs, follow them, and pause, end or repeat them",
		`A run is named by its id, by the beginning or the last four or more characters of it if no other run of late has the same, by @last, the last one that you started, or
by @last-failed, the last one of yours in which some node failed.`,
		runsList, runsShow, runsWatch, runsWait, runsLogs, runsDiff, runsExport,
		func(c *connection) *cobra.Command {
			return runsAct(c, "pause", "Let a run take no further nodes until it is resumed", "What runs, runs on.")
		},
		func(c *connection) *cobra.Command {
			return runsAct(c, "resume", "Let a paused run go on", "Failures that were forgiven so far count no more against its budget.")
		},
		func(c *connection) *cobra.Command {
			return runsAct(c, "abort", "Take no further nodes for good", "What runs, runs on to its end; errand runs cancel ends that too.")
		},
		runsCancel, runsRetry,
	)
}

const runHeader = "ID NAME STATE NODES OK FAILED OPEN BY CREATED +ENDED +ORIGIN +KIND +REASON +COMMAND"

func runRow(v *native.Invocation) []string {
	return []string{
		v.ID, v.Name, runState(v), strconv.Itoa(v.Tasks), strconv.Itoa(v.States["succeeded"]), strconv.Itoa(bad(v.States)), strconv.Itoa(v.Open),
		v.By, when(&v.CreatedAt), when(v.EndedAt), v.Origin, v.Kind, v.Reason, v.Command,
	}
}

// runState is how a run stands, in a word.
func runState(v *native.Invocation) string {
	switch p := paceOf(v); {
	case p.State == "paused" || p.State == "aborted":
		return p.State
	case v.Open > 0:
		return "open"
	case bad(v.States) > 0:
		return "failed"
	default:
		return "ok"
	}
}

func runsList(c *connection) *cobra.Command {
	var state, name, by, origin, since string
	var nodes, kinds []string
	var limit int
	cmd := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List runs, the latest first",
		Example: `  errand runs ls
  errand runs ls --state failed --since 24h
  errand runs ls --node web-1 --limit 5 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{"node": nodes, "kind": kinds}
			for key, value := range map[string]string{"state": state, "name": name, "by": by, "origin": origin} {
				if value != "" {
					query.Set(key, value)
				}
			}
			if since != "" {
				from, err := instant(since)
				if err != nil {
					return usage(err)
				}
				query.Set("since", from.UTC().Format(time.RFC3339Nano))
			}
			if limit < 1 {
				return usage(errors.New("--limit is 1 or more"))
			}
			api, err := c.dial()
			if err != nil {
				return err
			}
			list, err := listRuns(cmd.Context(), api, query, limit)
			if err != nil {
				return err
			}
			return c.show(cmd, list, runHeader, each(list.Invocations, runRow))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&state, "state", "", "only runs that are `open`, ended or failed")
	flags.StringVar(&name, "name", "", "only those with this `NAME`")
	flags.StringVar(&by, "by", "", "only those that `USER` started")
	flags.StringVar(&origin, "origin", "", "only those from this `API`: native, ecs, eflo, tat or zos")
	flags.StringSliceVar(&nodes, "node", nil, "only those on this `NODE`; may be repeated, for any of several")
	flags.StringSliceVar(&kinds, "kind", nil, "only of this `KIND`: once, standing, occurrence, file, push or fetch; left out, all but occurrences")
	flags.StringVar(&since, "since", "", "only since a `TIME`, 2026-01-02T15:04:05Z, or for a duration until now, 24h")
	flags.IntVar(&limit, "limit", 20, "at most `N` runs")
	return cmd
}

// listRuns reads pages until there are enough runs.
func listRuns(ctx context.Context, api *client.Client, query url.Values, limit int) (native.Invocations, error) {
	all := native.Invocations{Invocations: []native.Invocation{}}
	err := client.Pages(ctx, api, "invocations", query, limit, func(page native.Invocations) (int, string) {
		all.Invocations, all.Next = append(all.Invocations, page.Invocations...), page.Next
		return len(page.Invocations), page.Next
	})
	return all, err
}

const (
	idLength   = 16 // of the id of a run
	recentRuns = 1000
	leastTail  = 4
)

// find finds the run that somebody names.
func (c *connection) find(cmd *cobra.Command, name string) (*runAPI, error) {
	api, err := c.dial()
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	switch {
	case name == "@last" || name == "@last-failed":
		if name == "@last-failed" {
			query.Set("state", "failed")
		}
		if me := whoCalls(cmd.Context(), api); me != "" {
			query.Set("by", me)
		}
		list, err := listRuns(cmd.Context(), api, query, 1)
		if err != nil {
			return nil, err
		}
		if len(list.Invocations) == 0 {
			return nil, fmt.Errorf("there is no run that %s could be", name)
		}
		return &runAPI{api, list.Invocations[0].ID}, nil
	case strings.HasPrefix(name, "@") || name == "":
		return nil, usage(fmt.Errorf("%q is no run; besides ids there are @last and @last-failed", name))
	case len(name) >= idLength:
		return &runAPI{api, name}, nil
	}
	list, err := listRuns(cmd.Context(), api, query, recentRuns)
	if err != nil {
		return nil, err
	}
	var like []string
	for i := range list.Invocations {
		if id := list.Invocations[i].ID; strings.HasPrefix(id, name) || len(name) >= leastTail && strings.HasSuffix(id, name) {
			like = append(like, id)
		}
	}
	switch len(like) {
	case 0:
		return nil, fmt.Errorf("no run of late has an id that begins or ends with %q; errand runs ls lists them", name)
	case 1:
		return &runAPI{api, like[0]}, nil
	default:
		return nil, usage(fmt.Errorf("%d runs have ids like %q: %s", len(like), name, strings.Join(like[:min(len(like), 5)], ", ")))
	}
}

// whoCalls is the caller as runs name it; empty if the server does not say.
func whoCalls(ctx context.Context, api *client.Client) string {
	var me struct {
		User string `json:"user"`
	}
	if err := api.Call(ctx, http.MethodGet, "whoami", nil, nil, &me); err != nil {
		return ""
	}
	return me.User
}

func runsShow(c *connection) *cobra.Command {
	var states []string
	var timeline string
	var limit int
	cmd := &cobra.Command{
		Use: "show RUN [NODE]...", Short: "Show a run and what became of it on its nodes",
		Example: `  errand runs show @last
  errand runs show @last --state failed -o csv
  errand runs show @last --timeline web-1`,
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: c.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := c.find(cmd, args[0])
			if err != nil {
				return err
			}
			if timeline != "" {
				return c.showTimeline(cmd, r, timeline)
			}
			v, err := r.invocation(cmd.Context())
			if err != nil {
				return err
			}
			tasks, more, err := r.tasks(cmd.Context(), limit, states, args[1:])
			if err != nil {
				return err
			}
			if c.structured() {
				return c.show(cmd, map[string]any{"run": v, "tasks": tasks}, "", nil)
			}
			if c.name == "table" {
				if err := describe(cmd, &v); err != nil {
					return err
				}
			}
			if err := c.show(cmd, nil, nodeHeader, each(tasks, taskRow)); err != nil {
				return err
			}
			if more {
				fmt.Fprintf(cmd.ErrOrStderr(), "errand: %d nodes are shown of %d; see --limit and --state\n", len(tasks), v.Tasks)
			}
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&states, "state", nil, "only nodes in this `STATE`; also open, ended and failed")
	cmd.Flags().StringVar(&timeline, "timeline", "", "show the moments of the run on this `NODE`")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most `N` nodes")
	return cmd
}

// describe writes what a run is about, for people.
func describe(cmd *cobra.Command, v *native.Invocation) error {
	w := cmd.OutOrStdout()
	s := styleFor(w)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-9s %s\n", name, printable(value))
		}
	}
	fmt.Fprintf(w, "%-9s %s  %s\n", "run", s.bold(v.ID), runState(v))
	line("name", v.Name)
	line("reason", v.Reason)
	line("by", strings.TrimSpace(v.By+"  "+v.Origin))
	line("created", when(&v.CreatedAt))
	if v.EndedAt != nil {
		line("ended", when(v.EndedAt)+"  in "+brief(lasted(v.CreatedAt, v.EndedAt, v.CreatedAt)))
	}
	line("retry of", v.RetryOf)
	if p := paceOf(v); p.State != "" {
		line("pace", p.text())
	}
	first, rest, _ := strings.Cut(strings.TrimRight(v.Content, "\n"), "\n")
	if rest != "" {
		first += " …"
	}
	line("command", first)
	_, err := fmt.Fprintf(w, "%-9s %s\n\n", "nodes", tally(v.States, s))
	return err
}

// showTimeline shows the moments of a task, each with the time since the first.
func (c *connection) showTimeline(cmd *cobra.Command, r *runAPI, node string) error {
	t, err := r.taskOn(cmd.Context(), node)
	if err != nil {
		return err
	}
	var d native.TaskDetail
	if err := r.get(cmd.Context(), client.Path("tasks", t.ID), nil, &d); err != nil {
		return err
	}
	return c.show(cmd, d, "WHAT AT AFTER", each(d.Timeline, func(m *native.Moment) []string {
		return []string{m.What, m.At.UTC().Format("2006-01-02 15:04:05.000"), brief(m.At.Sub(d.Timeline[0].At))}
	}))
}

// taskOn is the task on a node.
func (r *runAPI) taskOn(ctx context.Context, node string) (native.Task, error) {
	tasks, _, err := r.tasks(ctx, 1, nil, []string{node})
	if err != nil {
		return native.Task{}, err
	}
	if len(tasks) == 0 {
		return native.Task{}, fmt.Errorf("%s is no node of run %s", node, r.id)
	}
	return tasks[0], nil
}

func runsWatch(c *connection) *cobra.Command {
	var w watching
	cmd := &cobra.Command{
		Use: "watch RUN", Short: "Follow a run to its end, and show its results",
		Long:    "Follows a run as errand run does, from wherever it is, with the same keys, formats and exit codes.",
		Example: "  errand runs watch @last\n  errand runs watch @last --diff\n  errand runs watch @last --progress jsonl -o json", Args: cobra.ExactArgs(1),
		ValidArgsFunction: c.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.check(c); err != nil {
				return usage(err)
			}
			r, err := c.find(cmd, args[0])
			if err != nil {
				return err
			}
			v, err := r.invocation(cmd.Context())
			if err != nil {
				return err
			}
			return w.watch(cmd, c, r.api, &v, v.Tasks == 1)
		},
	}
	w.add(cmd)
	return cmd
}

func runsWait(c *connection) *cobra.Command {
	w := watching{group: true, show: "none"}
	cmd := &cobra.Command{
		Use: "wait RUN", Short: "Wait for the end of a run; the exit code says how it ended",
		Example: "  errand runs wait @last\n  errand runs wait @last --wait-timeout 10m -o json", Args: cobra.ExactArgs(1),
		ValidArgsFunction: c.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.check(c); err != nil {
				return usage(err)
			}
			r, err := c.find(cmd, args[0])
			if err != nil {
				return err
			}
			v, err := r.invocation(cmd.Context())
			if err != nil {
				return err
			}
			f := newRunWatch(cmd, r, &w, &v)
			if err := f.run(cmd.Context(), nil); err != nil || !c.structured() {
				return err
			}
			return c.show(cmd, &f.last, runHeader, [][]string{runRow(&f.last)})
		},
	}
	cmd.Flags().StringVar(&w.progress, "progress", "auto", "auto: a block on a terminal and lines elsewhere; plain, jsonl or none")
	cmd.Flags().DurationVar(&w.waitTimeout, "wait-timeout", 0, "stop waiting after this time; the run goes on")
	cmd.Flags().StringVar(&w.rc, "rc", "", "max: exit with the largest exit code of any node")
	cmd.Flags().Lookup("rc").NoOptDefVal = "max"
	return cmd
}

func runsLogs(c *connection) *cobra.Command {
	var w watching
	var follow bool
	var stream string
	cmd := &cobra.Command{
		Use: "logs RUN [NODE]...", Short: "Print what nodes printed",
		Long: `Prints the whole output of one node as it is, both streams apart, or that of several or all nodes with the node before each line. With -f it goes on until they
have ended.`,
		Example: "  errand runs logs @last\n  errand runs logs @last web-1 -f\n  errand runs logs @last web-1 --stream stderr", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: c.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			if stream != "" && stream != "stdout" && stream != "stderr" {
				return usage(fmt.Errorf("--stream is stdout or stderr, not %q", stream))
			}
			r, err := c.find(cmd, args[0])
			if err != nil {
				return err
			}
			return w.logs(cmd, r, args[1:], stream, follow)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the nodes have ended")
	cmd.Flags().StringVar(&stream, "stream", "", "only `stdout` or stderr")
	cmd.Flags().BoolVar(&w.raw, "raw", false, "let control characters of the output reach the terminal")
	return cmd
}

// logs prints outputs one node after the other or, when they are followed, as they come.
func (w *watching) logs(cmd *cobra.Command, r *runAPI, nodes []string, stream string, follow bool) error {
	ctx := cmd.Context()
	tasks, _, err := r.tasks(ctx, allTasks, nil, nodes)
	if err != nil {
		return err
	}
	if len(tasks) == 0 {
		return fmt.Errorf("run %s has no such node", r.id)
	}
	out, endOut := w.toTerminal(cmd.OutOrStdout())
	say, endErr := w.toTerminal(cmd.ErrOrStderr())
	write := streams(out, say)
	only := func(next func(string, []byte) error) func(string, []byte) error {
		return func(s string, data []byte) error {
			if stream != "" && s != stream {
				return nil
			}
			if stream != "" {
				s = "stdout" // the only one is the result
			}
			return next(s, data)
		}
	}
	if len(tasks) == 1 {
		_, err := r.outputOf(ctx, tasks[0].ID, follow, only(write))
		return errors.Join(err, endOut(), endErr())
	}
	l := newLineFeed(r, w, cmd)
	l.only, l.once = stream, !follow
	defer l.stop()
	if follow {
		return l.all(tasks)
	}
	for i := range tasks {
		if l.follow(&tasks[i]); l.err != nil {
			return l.err
		}
	}
	return l.finish()
}

func runsDiff(c *connection) *cobra.Command {
	var raw bool
	var against string
	cmd := &cobra.Command{
		Use: "diff RUN [NODE]", Short: "Show how the outputs of a run differ",
		Long: `Shows how the output of each group of nodes differs from that of the largest group that succeeded, or only the group of one node; --against compares with that of
another node.`,
		Example: "  errand runs diff @last\n  errand runs diff @last web-2 --against web-1", Args: cobra.RangeArgs(1, 2),
		ValidArgsFunction: c.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := c.find(cmd, args[0])
			if err != nil {
				return err
			}
			return c.diff(cmd, r, args[1:], against, raw)
		},
	}
	cmd.Flags().StringVar(&against, "against", "", "compare with the group of this `NODE`")
	cmd.Flags().BoolVar(&raw, "raw", false, "let control characters of the output reach the terminal")
	return cmd
}

func runsExport(c *connection) *cobra.Command {
	var w watching
	cmd := &cobra.Command{
		Use: "export RUN", Short: "Write a run with all its outputs as JSON, one node on each line, or to a folder",
		Example: "  errand runs export @last > run.jsonl\n  errand runs export @last --outdir results", Args: cobra.ExactArgs(1),
		ValidArgsFunction: c.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := c.find(cmd, args[0])
			if err != nil {
				return err
			}
			v, err := r.invocation(cmd.Context())
			if err != nil {
				return err
			}
			w.show = "all"
			if w.outdir != "" {
				return w.fill(cmd.Context(), r)
			}
			lines := *c
			lines.format.name = "jsonl"
			return w.data(cmd.Context(), cmd, &lines, r, &v)
		},
	}
	cmd.Flags().StringVar(&w.outdir, "outdir", "", "write each node's output to files in `DIR`: NODE.out and NODE.err")
	return cmd
}

func runsAct(c *connection, verb, short, long string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " RUN", Short: short, Long: short + ". " + long, Example: "  errand runs " + verb + " @last", Args: cobra.ExactArgs(1), ValidArgsFunction: c.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := c.find(cmd, args[0])
			if err != nil {
				return err
			}
			v, err := r.act(cmd.Context(), verb, nil)
			if err != nil {
				return err
			}
			return c.show(cmd, &v, runHeader, [][]string{runRow(&v)})
		},
	}
}

func runsCancel(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "cancel RUN [NODE]...", Short: "End a run, or what of it is on some nodes",
		Long: `Ends what runs, with all its processes, and lets nothing begin that has not. With nodes it does so on those alone.`,
		Example: `  errand runs cancel @last
  errand runs cancel @last web-2`,
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: c.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := c.find(cmd, args[0])
			if err != nil {
				return err
			}
			v, err := r.act(cmd.Context(), "cancel", map[string]any{"nodes": args[1:]})
			if err != nil {
				return err
			}
			return c.show(cmd, &v, runHeader, [][]string{runRow(&v)})
		},
	}
}

func runsRetry(c *connection) *cobra.Command {
	var w watching
	var states []string
	var detach bool
	cmd := &cobra.Command{
		Use: "retry RUN [NODE]...", Short: "Run it again on the nodes on which it did not succeed",
		Long: `Makes a new run of exactly those nodes of a run that failed, timed out, were lost or never ran, or of the nodes that are named. The new run knows which one it came
from; it is watched as with errand run. What is still under way is not repeated.`,
		Example: "  errand runs retry @last-failed\n  errand runs retry @last --state failed,lost --detach\n  errand runs retry @last web-2", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: c.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.check(c); err != nil {
				return usage(err)
			}
			r, err := c.find(cmd, args[0])
			if err != nil {
				return err
			}
			body := map[string]any{}
			if len(states) > 0 {
				body["states"] = states
			}
			if len(args) > 1 {
				body["only"] = args[1:]
			}
			v, err := r.act(cmd.Context(), "retry", body)
			if err != nil {
				return err
			}
			if detach {
				return c.show(cmd, &v, runHeader, [][]string{runRow(&v)})
			}
			return w.watch(cmd, c, r.api, &v, v.Tasks == 1)
		},
	}
	w.add(cmd)
	cmd.Flags().StringSliceVar(&states, "state", nil, "only nodes that ended in this `STATE`: failed, timed_out, lost, ...")
	cmd.Flags().BoolVar(&detach, "detach", false, "print the run's id and do not wait")
	return cmd
}
