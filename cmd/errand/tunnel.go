package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
)

// forwarding is one way through a node: from a port here to one of the node's or of another host.
type forwarding struct {
	local int // 0 means any
	host  string
	port  int
}

// parseForwarding reads PORT, HOST:PORT, L:PORT and L:HOST:PORT. A first part of digits is a port of this machine.
func parseForwarding(text string) (f forwarding, err error) {
	wrong := usage(fmt.Errorf("%q is not [L:]HOST:PORT or [L:]PORT", text))
	rest := text
	port := func(s string) (int, bool) {
		n, err := strconv.Atoi(s)
		return n, err == nil && n >= 0 && n < 1<<16
	}
	first, after, several := strings.Cut(rest, ":")
	if n, ok := port(first); ok && several {
		f.local, rest = n, after
	} else {
		f.local = -1
	}
	if n, ok := port(rest); ok {
		f.port = n
	} else {
		host, p, err := net.SplitHostPort(rest)
		if err != nil || host == "" {
			return f, wrong
		}
		if f.port, ok = port(p); !ok {
			return f, wrong
		}
		f.host = host
	}
	if f.port == 0 {
		return f, wrong
	}
	if f.local < 0 {
		f.local = f.port
	}
	return f, nil
}

func (f forwarding) String() string {
	if f.host == "" {
		return "port " + strconv.Itoa(f.port)
	}
	return net.JoinHostPort(f.host, strconv.Itoa(f.port))
}

// tunnel is what the connections of a command have in common.
type tunnel struct {
	api    *client.Client
	node   string
	errors io.Writer
	slots  chan struct{}

	mu sync.Mutex // of errors
}

// maxTunnels is how many connections go through a node at a time, which is as many sessions as it has.
const maxTunnels = 20

// linger is how long a connection is kept for an answer after its client has said its last word: sessions have no half ends.
const linger = 5 * time.Second

func newTunnel() *cobra.Command {
	var c connection
	var bind string
	var stdio bool
	cmd := &cobra.Command{
		Use:   "tunnel NODE [L:]HOST:PORT|[L:]PORT ...",
		Short: "Reach ports of a node, and of hosts behind it",
		Long: `Listens on this machine and carries each connection through a node to one of its own ports, or to a port of a host as the node resolves its name.
L is the port here, by default the same; 0 takes any that is free. Each address that is listened on is printed on a line of its own. The command goes on until
it is interrupted.

Up to 20 connections go through a node at a time. A break of the network that lasts less than a minute ends none of them. Nodes refuse addresses that only make
sense to themselves, such as that of a cloud's metadata service.

With --stdio one connection is carried between standard input and output, as programs such as ssh want it.` + connectHelp,
		Example: `  errand tunnel web-1 8080:80
  errand tunnel db-1 5432 6380:cache.internal:6379
  ssh -o ProxyCommand='errand tunnel web-1 22 --stdio' root@web-1`,
		Args:              func(cmd *cobra.Command, args []string) error { return usage(cobra.MinimumNArgs(2)(cmd, args)) },
		ValidArgsFunction: completeTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			var ways []forwarding
			for _, text := range args[1:] {
				f, err := parseForwarding(text)
				if err != nil {
					return err
				}
				ways = append(ways, f)
			}
			api, err := c.dial()
			if err != nil {
				return err
			}
			t := &tunnel{api: api, node: args[0], errors: cmd.ErrOrStderr(), slots: make(chan struct{}, maxTunnels)}
			if stdio {
				if len(ways) != 1 {
					return usage(errors.New("--stdio carries one connection"))
				}
				return t.carry(cmd.Context(), ways[0], struct {
					io.Reader
					io.Writer
				}{cmd.InOrStdin(), cmd.OutOrStdout()})
			}
			return t.listen(cmd.Context(), cmd.OutOrStdout(), bind, ways)
		},
	}
	c.add(cmd)
	cmd.Flags().StringVar(&bind, "bind", "127.0.0.1", "`ADDRESS` of this machine to listen on")
	cmd.Flags().BoolVar(&stdio, "stdio", false, "carry one connection between standard input and output")
	return cmd
}

// listen serves all ways until the context ends.
func (t *tunnel) listen(ctx context.Context, out io.Writer, bind string, ways []forwarding) error {
	// A node that is not there is said at once, rather than by the first connection.
	if err := t.api.Call(ctx, http.MethodGet, client.Path("nodes", t.node), nil, nil, nil); err != nil {
		return noNode(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var serving sync.WaitGroup
	defer serving.Wait()
	defer cancel()
	for _, f := range ways {
		lis, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(bind, strconv.Itoa(f.local)))
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, lis.Addr()); err != nil {
			return err
		}
		t.say("%s leads to %s of %s", lis.Addr(), f, t.node)
		serving.Go(func() { t.accept(ctx, lis, f) })
		serving.Go(func() {
			<-ctx.Done()
			_ = lis.Close()
		})
	}
	<-ctx.Done()
	return nil
}

func (t *tunnel) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = fmt.Fprintln(t.errors, printable(fmt.Sprintf(format, args...)))
}

func (t *tunnel) accept(ctx context.Context, lis net.Listener, f forwarding) {
	var carrying sync.WaitGroup
	defer carrying.Wait()
	for {
		conn, err := lis.Accept()
		if err != nil {
			return
		}
		carrying.Go(func() {
			defer func() { _ = conn.Close() }()
			select {
			case t.slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			defer func() { <-t.slots }()
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer stop()
			if err := t.carry(ctx, f, conn); err != nil && ctx.Err() == nil {
				t.say("%s: %v", conn.RemoteAddr(), err)
			}
		})
	}
}

// carry carries one connection.
func (t *tunnel) carry(ctx context.Context, f forwarding, conn io.ReadWriter) error {
	var start native.SessionStart
	body := map[string]any{"node": t.node, "port": f.port, "host": f.host}
	if err := t.api.Call(ctx, http.MethodPost, "sessions", nil, body, &start); err != nil {
		return noNode(err)
	}
	s := t.api.Terminal(start.URL, start.Token)
	s.Output = func(b []byte) error { _, err := conn.Write(b); return err }
	over := make(chan struct{})
	go func() { // ends with the connection, or with the process
		_, _ = io.Copy(s, conn)
		select {
		case <-over:
		case <-time.After(linger):
			s.End()
		}
	}()
	end, err := s.Run(ctx)
	close(over)
	switch {
	case err != nil:
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		_ = t.api.Call(end, http.MethodDelete, client.Path("sessions", start.ID), nil, nil, nil) // nobody will come back to it
		return err
	case end.Reason == "exited" || end.Reason == "ended":
		return nil
	default:
		return errors.New(printable(end.Message))
	}
}
