package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"errand/internal/api/native"
	"errand/internal/client"
)

// shelling is an order for a terminal.
type shelling struct {
	user                string
	idle, limit         time.Duration
	noRecord, withInput bool
	quiet               bool
}

func newShell() *cobra.Command {
	var c connection
	var s shelling
	cmd := &cobra.Command{
		Use:   "shell NODE [-- COMMAND [ARG]...]",
		Short: "Open a terminal on a node",
		Long: `Opens the login shell of a user on a node, or runs one command there, with a terminal. The exit code is that of the remote program, and 128 and the
number of the signal that ended it.

When the network breaks, the program on the node goes on, and so does the terminal as soon as there is a network again within a minute: nothing that was typed
or printed is lost or comes twice. What happens is said on standard error.

After a line end, ~. ends the session, ~? shows what else there is, and ~~ is a tilde.

In a pipe, without a terminal on either side of this program, lines go to the command as they are, and its output comes back as it is: nothing is echoed, and
the end of the input is the end of the command's. It is for text in lines of at most 4095 bytes; errand push and errand fetch move files.

The installation may record what the node prints: errand sessions play shows it. --no-record asks for none, --record-input for a recording of what
is typed too, passwords included.` + connectHelp,
		Example: `  errand shell web-1
  errand shell web-1 -- top
  errand shell web-1 --user nobody -- id
  echo 'uptime; df -h /' | errand shell web-1 -- sh`,
		Args: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			switch {
			case dash == 1 && len(args) == 1:
				return usage(errors.New("a command belongs behind --"))
			case len(args) == 0 || dash == 0:
				return usage(errors.New("the name of a node is wanted"))
			case dash != 1 && len(args) > 1:
				return usage(errors.New("-- belongs before the command"))
			}
			return nil
		},
		ValidArgsFunction: completeTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			line := ""
			if len(args) > 1 {
				line = strings.TrimSpace(commandLine(args[1:]))
			}
			return s.run(cmd, &c, args[0], line)
		},
	}
	c.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&s.user, "user", "", "`USER` on the node; left out, the agent's own user")
	flags.DurationVar(&s.idle, "idle", 0, "end the session when nothing was typed for this `TIME`; left out, what the server grants")
	flags.DurationVar(&s.limit, "limit", 0, "end the session after this `TIME`; left out, what the server grants")
	flags.BoolVar(&s.noRecord, "no-record", false, "ask the server not to record the session")
	flags.BoolVar(&s.withInput, "record-input", false, "record what is typed too")
	flags.BoolVarP(&s.quiet, "quiet", "q", false, "say nothing about the connection")
	return cmd
}

// order is the body of the call that starts the session.
func (s *shelling) order(node, line string) map[string]any {
	body := map[string]any{"node": node, "user": s.user, "command": line, "record_input": s.withInput}
	if s.noRecord {
		body["record"] = false
	} else if s.withInput {
		body["record"] = true
	}
	if s.idle > 0 {
		body["idle_seconds"] = int64(s.idle.Seconds())
	}
	if s.limit > 0 {
		body["limit_seconds"] = int64(s.limit.Seconds())
	}
	return body
}

// separator stands before the output of a command in a pipe: what a terminal prints before is none of it. In recordings it is not seen.
const separator = "\x1b[0m"

// piped is a command that reads lines as they are and whose output is not changed by its terminal.
func piped(line string) string {
	if line == "" {
		line = `cat | "${SHELL:-/bin/sh}" -l`
	}
	return "exec /bin/sh -c " + quoted(`stty -echo -opost -isig 2>/dev/null; printf '\033[0m'; `+line)
}

func (s *shelling) run(cmd *cobra.Command, c *connection, node, line string) error {
	api, err := c.dial()
	if err != nil {
		return err
	}
	in, out := cmd.InOrStdin(), cmd.OutOrStdout()
	tty, typed := in.(*os.File)
	screen, shown := out.(*os.File)
	interactive := typed && shown && term.IsTerminal(int(tty.Fd())) && term.IsTerminal(int(screen.Fd()))
	var body map[string]any
	if interactive {
		body = s.order(node, line)
		if columns, rows, err := term.GetSize(int(screen.Fd())); err == nil {
			body["rows"], body["cols"] = rows, columns
		}
	} else {
		body = s.order(node, piped(line))
	}
	var start native.SessionStart
	if err := api.Call(cmd.Context(), http.MethodPost, "sessions", nil, body, &start); err != nil {
		return noNode(err)
	}
	t := api.Terminal(start.URL, start.Token)
	says := &crier{w: cmd.ErrOrStderr(), node: node, quiet: s.quiet, raw: interactive}
	t.Notice = says.notice
	if !interactive {
		return s.pipe(cmd, api, t, &start, in, out)
	}
	return s.interact(cmd, api, t, &start, tty, screen, says)
}

// noNode is an error about a node that there is not.
func noNode(err error) error {
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return unmatched{err}
	}
	return err
}

// interact connects this terminal with that of the node.
func (s *shelling) interact(
	cmd *cobra.Command, api *client.Client, t *client.Terminal, start *native.SessionStart, tty, screen *os.File, says *crier,
) error {
	before, err := term.MakeRaw(int(tty.Fd()))
	if err != nil {
		return fmt.Errorf("switch the terminal to raw: %w", err)
	}
	defer term.Restore(int(tty.Fd()), before) //nolint:errcheck // there is nothing else to restore
	t.Output = func(b []byte) error { _, err := screen.Write(b); return err }
	sized := make(chan os.Signal, 1)
	signal.Notify(sized, syscall.SIGWINCH)
	defer signal.Stop(sized)
	go func() {
		for range sized {
			if columns, rows, err := term.GetSize(int(screen.Fd())); err == nil {
				t.Resize(rows, columns)
			}
		}
	}()
	keys := &tilde{t: t, says: says}
	go func() { _, _ = io.Copy(keys, tty) }() // it ends with the process
	end, err := t.Run(cmd.Context())
	if err != nil || end.Reason != "exited" {
		// The program had no chance to put back what it changed: the other screen, the mouse, pasting, colours, the cursor.
		_, _ = io.WriteString(screen, "\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?25h\x1b[0m\r\n")
	}
	_ = term.Restore(int(tty.Fd()), before) // before anything is said
	return s.ended(cmd, api, start, end, err)
}

// pipe connects a command with a program's input and output.
func (s *shelling) pipe(cmd *cobra.Command, api *client.Client, t *client.Terminal, start *native.SessionStart, in io.Reader, out io.Writer) error {
	begun, before := false, ""
	ready := make(chan struct{})
	t.Output = func(b []byte) error {
		if !begun {
			before += string(b)
			_, rest, ok := strings.Cut(before, separator)
			if !ok {
				return nil
			}
			begun, b = true, []byte(rest)
			close(ready)
		}
		_, err := out.Write(b)
		return err
	}
	go func() {
		<-ready // before, the terminal would echo
		last := &lastByte{w: t, last: '\n'}
		_, err := io.Copy(last, in)
		eof := "\x04" // the end of a line that is not ended, and again of the input
		if last.last != '\n' {
			eof += "\x04"
		}
		if err == nil {
			_, _ = io.WriteString(t, eof)
		}
	}()
	end, err := t.Run(cmd.Context())
	return s.ended(cmd, api, start, end, err)
}

// lastByte remembers the last byte that was written.
type lastByte struct {
	w    io.Writer
	last byte
}

func (l *lastByte) Write(b []byte) (int, error) {
	if len(b) > 0 {
		l.last = b[len(b)-1]
	}
	return l.w.Write(b)
}

// ended turns the end of a session into that of the program.
func (s *shelling) ended(cmd *cobra.Command, api *client.Client, start *native.SessionStart, end client.TerminalEnd, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, io.ErrClosedPipe) {
		// Interrupted: nobody will come back to it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), 3*time.Second)
		defer cancel()
		_ = api.Call(ctx, http.MethodDelete, client.Path("sessions", start.ID), nil, nil, nil)
		return err
	}
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status == http.StatusForbidden {
		// The server does not say to those who come with a token why it is good for nothing any more. The row does.
		var row native.Session
		if api.Call(cmd.Context(), http.MethodGet, client.Path("sessions", start.ID), nil, nil, &row) == nil && row.EndedAt != nil && len(row.Nodes) > 0 {
			return fmt.Errorf("the session is over: %s (%s)", strings.TrimSpace(row.State+" "+row.Nodes[0].Detail), row.Nodes[0].Reason)
		}
	}
	switch {
	case err != nil:
		return err
	case end.Signal > 0:
		return exitCode(128 + int(end.Signal))
	case end.ExitCode != nil && *end.ExitCode != 0:
		return exitCode(*end.ExitCode)
	case end.Reason == "exited":
		return nil
	case end.Reason == "ended" && end.Message == "":
		return nil
	case end.Reason == "offline":
		return fmt.Errorf("%s; errand node ls shows which nodes are online", printable(end.Message))
	default:
		return errors.New(printable(end.Message))
	}
}

// crier says on standard error what happens to the connection.
type crier struct {
	w       io.Writer
	node    string
	quiet   bool
	raw     bool // the terminal is: lines end with a carriage return too
	looking atomic.Int32
}

func (c *crier) say(format string, args ...any) {
	if c.quiet {
		return
	}
	line := "[errand: " + printable(fmt.Sprintf(format, args...)) + "]"
	if c.raw {
		line = "\r\n" + line + "\r"
	}
	_, _ = fmt.Fprintln(c.w, line)
}

func (c *crier) notice(n client.Notice) {
	switch {
	case n.Lost != nil:
		c.say("the connection broke (%v); trying again", n.Lost)
	case n.Hello != nil && n.Back:
		c.say("connected again")
	case n.Online == nil:
		return
	case !*n.Online:
		c.say("%s is offline; the session waits for it for a minute", c.node)
	default:
		if n.Watchers != nil && c.looking.Swap(int32(*n.Watchers)) != int32(*n.Watchers) {
			c.say("people who look on: %d", *n.Watchers)
		}
	}
}

// tilde looks for what is meant for this program rather than for the node: a tilde at the beginning of a line and what follows it.
type tilde struct {
	t     *client.Terminal
	says  *crier
	state int // 0: within a line, 1: after a line end, 2: after a tilde there
	begun bool
}

func (k *tilde) Write(b []byte) (int, error) {
	var out []byte
	for _, c := range b {
		if !k.begun {
			k.begun, k.state = true, 1
		}
		switch {
		case k.state == 2 && c == '.':
			k.t.End()
			return len(b), nil
		case k.state == 2 && c == '?':
			k.says.say("~. ends the session, ~~ is a tilde")
			k.state = 1
			continue
		case k.state == 2 && c != '~':
			out = append(out, '~')
		case k.state == 1 && c == '~':
			k.state = 2
			continue
		}
		out = append(out, c)
		if k.state = 0; c == '\r' || c == '\n' {
			k.state = 1
		}
	}
	if len(out) > 0 {
		if _, err := k.t.Write(out); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}
