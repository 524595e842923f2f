package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/cast"
	"errand/internal/client"
)

func newSessions() *cobra.Command {
	return group("sessions", "Look at terminals and their recordings",
		`A session is a terminal or a forwarded port. It is named by its id, or by @last, the newest one.`,
		sessionsList, sessionsShow, sessionsWatch, sessionsPlay, sessionsSearch, sessionsEnd,
	)
}

const sessionHeader = "ID NODE STATE MODE USER BY CREATED ENDED RECORDED +SOURCE +COMMAND +REASON"

func sessionRow(s *native.Session) []string {
	recorded, reason := "no", ""
	if s.Recorded {
		recorded = "yes"
	}
	if len(s.Nodes) > 0 {
		reason = s.Nodes[0].Reason
	}
	what := s.Command
	if s.Port > 0 {
		what = forwarding{host: s.Host, port: s.Port}.String()
	}
	return []string{s.ID, s.Node, s.State, s.Mode, s.User, s.By, when(&s.CreatedAt), when(s.EndedAt), recorded, s.Source, what, reason}
}

func sessionsList(c *connection) *cobra.Command {
	var node string
	var open, ended bool
	var limit int
	cmd := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List sessions, the latest first", Args: cobra.NoArgs,
		Example: "  errand sessions ls\n  errand sessions ls --open\n  errand sessions ls --node web-1 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > 1000 {
				return usage(errors.New("--limit is 1 to 1000"))
			}
			query := url.Values{"limit": {strconv.Itoa(limit)}}
			if node != "" {
				query.Set("node", node)
			}
			switch {
			case open && ended:
				return usage(errors.New("a session is open or ended"))
			case open:
				query.Set("state", "open")
			case ended:
				query.Set("state", "ended")
			}
			var list native.Sessions
			if err := c.call(cmd, http.MethodGet, "sessions", query, nil, &list); err != nil {
				return err
			}
			return c.show(cmd, list, sessionHeader, each(list.Sessions, sessionRow))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&node, "node", "", "only those on a `NODE`")
	flags.BoolVar(&open, "open", false, "only those that have not ended")
	flags.BoolVar(&ended, "ended", false, "only those that have")
	flags.IntVar(&limit, "limit", 100, "`NUMBER` of sessions, at most 1000")
	return cmd
}

// session is the id of a session that is named.
func (c *connection) session(cmd *cobra.Command, name string) (string, error) {
	if name != "@last" {
		return name, nil
	}
	var list native.Sessions
	if err := c.call(cmd, http.MethodGet, "sessions", url.Values{"limit": {"1"}}, nil, &list); err != nil {
		return "", err
	}
	if len(list.Sessions) == 0 {
		return "", errors.New("there is no session yet")
	}
	return list.Sessions[0].ID, nil
}

func sessionsShow(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "show SESSION", Short: "Show a session and how it ended", Args: cobra.ExactArgs(1),
		Example: "  errand sessions show @last\n  errand sessions show @last -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := c.session(cmd, args[0])
			if err != nil {
				return err
			}
			var s native.Session
			if err := c.call(cmd, http.MethodGet, client.Path("sessions", id), nil, nil, &s); err != nil {
				return err
			}
			rows := make([][]string, 0, len(s.Nodes))
			for i := range s.Nodes {
				n := &s.Nodes[i]
				exit := ""
				if n.ExitCode != nil {
					exit = strconv.Itoa(int(*n.ExitCode))
				} else if n.Signal > 0 {
					exit = "signal " + strconv.Itoa(int(n.Signal))
				}
				rows = append(rows, []string{s.ID, n.Node, n.State, n.Reason, exit, s.Mode, s.User, s.By, when(n.StartedAt), when(n.EndedAt), n.Detail})
			}
			return c.show(cmd, s, "SESSION NODE STATE REASON EXIT MODE USER BY STARTED ENDED DETAIL", rows)
		},
	}
}

func sessionsEnd(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "end SESSION...", Short: "End sessions, whoever uses them", Args: cobra.MinimumNArgs(1),
		Example: "  errand sessions end @last",
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range args {
				id, err := c.session(cmd, name)
				if err != nil {
					return err
				}
				if err := c.call(cmd, http.MethodDelete, client.Path("sessions", id), nil, nil, nil); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func sessionsWatch(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "watch SESSION", Short: "Look on at a session without taking part", Args: cobra.ExactArgs(1),
		Long: `Shows what a session prints from now on, until it is over or you interrupt. Whoever uses it is told that somebody looks on. Control
sequences but those of colours are shown rather than obeyed.`,
		Example: "  errand sessions watch @last",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := c.session(cmd, args[0])
			if err != nil {
				return err
			}
			api, err := c.dial()
			if err != nil {
				return err
			}
			var start native.SessionStart
			if err := api.Call(cmd.Context(), http.MethodPost, client.Path("sessions", id, "watch"), nil, nil, &start); err != nil {
				return err
			}
			out := &tamed{w: cmd.OutOrStdout()}
			t := api.Terminal(start.URL, start.Token)
			t.Watch = true
			t.Output = func(b []byte) error { _, err := out.Write(b); return err }
			end, err := t.Run(cmd.Context())
			if err := errors.Join(err, out.end()); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.ErrOrStderr(), "the session is over:", printable(end.Reason+" "+end.Message))
			return err
		},
	}
}

func sessionsSearch(c *connection) *cobra.Command {
	var node string
	var limit int
	cmd := &cobra.Command{
		Use: "search TEXT", Short: "Find text that terminals printed", Args: cobra.ExactArgs(1),
		Long: `Finds recordings in which a line has the text, whatever the case of its letters, the latest first, and shows the first lines of each with the time at
which they were printed. An empty text lists all recordings.`,
		Example: "  errand sessions search 'permission denied'\n  errand sessions search error --node web-1 -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > 1000 {
				return usage(errors.New("--limit is 1 to 1000"))
			}
			query := url.Values{"q": {args[0]}, "limit": {strconv.Itoa(limit)}}
			if node != "" {
				query.Set("node", node)
			}
			all := native.Recordings{Recordings: []native.Recording{}}
			for {
				var page native.Recordings
				if err := c.call(cmd, http.MethodGet, "recordings", query, nil, &page); err != nil {
					return err
				}
				all.Recordings = append(all.Recordings, page.Recordings...)
				if page.Next == "" || len(all.Recordings) >= limit {
					break
				}
				query.Set("cursor", page.Next)
			}
			var rows [][]string
			for i := range all.Recordings {
				r := &all.Recordings[i]
				row := func(at, text string) {
					rows = append(rows, []string{r.ID, r.Node, r.By, when(&r.StartedAt), at, text})
				}
				for _, m := range r.Matches {
					row(clock(m.Seconds), m.Text)
				}
				if more := r.Total - len(r.Matches); more > 0 {
					row("", fmt.Sprintf("... and %d more lines", more))
				}
				if args[0] == "" {
					row(clock(r.Seconds), r.Command)
				}
			}
			return c.show(cmd, all, "SESSION NODE BY STARTED AT TEXT", rows)
		},
	}
	cmd.Flags().StringVar(&node, "node", "", "only those of a `NODE`")
	cmd.Flags().IntVar(&limit, "limit", 100, "`NUMBER` of recordings, at most 1000")
	return cmd
}

// clock writes a time of a recording as minutes and seconds.
func clock(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// playing is how a recording is shown.
type playing struct {
	node            string
	speed           float64
	pause           time.Duration
	from            time.Duration
	raw, text, file bool
}

func sessionsPlay(c *connection) *cobra.Command {
	var p playing
	cmd := &cobra.Command{
		Use: "play SESSION", Short: "Show the recording of a session", Args: cobra.ExactArgs(1),
		Long: `Shows what a session printed, at the pace at which it did so and with pauses cut to --pause, or, if standard output is no terminal, at once. Control
sequences but those of colours are shown rather than obeyed; --raw obeys them, which full-screen programs need, and does to your terminal whatever
the node wanted to do to the one at that time. --text shows only the lines of text; --cast writes the recording itself, for other players.`,
		Example: `  errand sessions play @last --text
  errand sessions play @last --speed 4 --from 90s
  errand sessions play @last --cast > session.cast`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if p.speed <= 0 || p.pause < 0 || p.from < 0 {
				return usage(errors.New("speed and times are positive"))
			}
			if p.raw && p.text || p.raw && p.file || p.text && p.file {
				return usage(errors.New("--raw, --text and --cast exclude each other"))
			}
			id, err := c.session(cmd, args[0])
			if err != nil {
				return err
			}
			api, err := c.dial()
			if err != nil {
				return err
			}
			query := url.Values{}
			if p.node != "" {
				query.Set("node", p.node)
			}
			var file bytes.Buffer
			if _, err := api.Download(cmd.Context(), client.Path("sessions", id, "recording"), query, &file); err != nil {
				return err
			}
			return p.play(cmd.Context(), cmd.OutOrStdout(), file.Bytes())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&p.node, "node", "", "of a session with several nodes, that of this `NODE`")
	flags.Float64Var(&p.speed, "speed", 1, "so many `TIMES` as fast")
	flags.DurationVar(&p.pause, "pause", 2*time.Second, "wait no longer than this `TIME` between two outputs")
	flags.DurationVar(&p.from, "from", 0, "begin at this `TIME` of the recording")
	flags.BoolVar(&p.raw, "raw", false, "obey control sequences")
	flags.BoolVar(&p.text, "text", false, "only lines of text, with the time of each")
	flags.BoolVar(&p.file, "cast", false, "the recording as it is, as asciicast v2")
	return cmd
}

func (p *playing) play(ctx context.Context, out io.Writer, file []byte) error {
	if p.file {
		_, err := out.Write(file)
		return err
	}
	head, events, _ := bytes.Cut(file, []byte("\n"))
	var h cast.Header
	if err := json.Unmarshal(head, &h); err != nil || h.Version != 2 {
		return errors.New("the recording is none that this program knows")
	}
	if p.text {
		lines, err := cast.Text(events)
		for _, l := range lines {
			if l.At < p.from {
				continue
			}
			if _, err := fmt.Fprintf(out, "%s  %s\n", clock(l.At.Seconds()), printable(l.Text)); err != nil {
				return err
			}
		}
		return err
	}
	_, paced := terminalOf(out)
	w := out
	if !p.raw {
		tame := &tamed{w: out}
		defer tame.end() //nolint:errcheck // an error was seen before
		w = tame
	}
	at := p.from
	for e, err := range cast.Events(events) {
		if err != nil {
			return err
		}
		if e.Kind != cast.Output {
			continue
		}
		if wait := min(e.At-at, p.pause); paced && wait > 0 {
			select {
			case <-time.After(time.Duration(float64(wait) / p.speed)):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		at = max(at, e.At)
		if e.At < p.from && !p.raw { // raw, all of it has to be drawn
			continue
		}
		if _, err := io.WriteString(w, e.Data); err != nil {
			return err
		}
	}
	return nil
}
