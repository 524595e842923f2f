package stacktest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/api/native"
	"errand/internal/client"
)

// frail is a connection that breaks after some bytes were read from it.
type frail struct {
	net.Conn
	left int
}

func (f *frail) Read(b []byte) (int, error) {
	if f.left <= 0 {
		return 0, errors.New("cut by the test")
	}
	n, err := f.Conn.Read(b[:min(len(b), f.left)])
	f.left -= n
	return n, err
}

// cutter is a client whose connections break after some bytes, until they are to be steady.
type cutter struct {
	*client.Client
	t      *testing.T
	cuts   atomic.Int64
	steady atomic.Bool
}

func (i *installation) cutter() *cutter {
	i.t.Helper()
	c := &cutter{t: i.t}
	cable := newCable(i.t, i.listen, func(conn net.Conn) net.Conn {
		if c.steady.Load() {
			return conn
		}
		c.cuts.Add(1)
		return &frail{conn, 1 + rand.IntN(1<<(4+rand.IntN(16)))}
	})
	var err error
	if c.Client, err = client.New(client.Config{URL: "http://" + cable.lis.Addr().String(), KeyID: KeyID, Secret: Secret}); err != nil {
		i.t.Fatal(err)
	}
	return c
}

// await waits until the connections have been cut so often.
func (c *cutter) await(n int64) {
	c.t.Helper()
	Eventually(c.t, time.Minute, func() error {
		if got := c.cuts.Load(); got < n {
			return fmt.Errorf("cut %d times", got)
		}
		return nil
	})
}

// agentAs starts another agent beside i-node.
func (i *installation) agentAs(t *testing.T, node string) {
	t.Helper()
	agent := i.start(nil, "agent", "--server", cmp.Or(i.agentServer, "http://"+i.listen), "--activation-id", i.activationID, "--activation-code", i.code,
		"--data", filepath.Join(i.dir, "agent-"+node), "--node-id", node, "--log-level", "warn")
	t.Cleanup(func() { i.kill(agent) })
	i.onlineAs(node)
}

// heard is what somebody who follows was told.
type heard struct {
	ids    []string
	events []string // all but output
	output map[string]map[string]*bytes.Buffer
	next   map[string]uint64
	ended  bool
}

func newHeard() *heard {
	return &heard{output: map[string]map[string]*bytes.Buffer{}, next: map[string]uint64{}}
}

var errEnough = errors.New("enough")

func (h *heard) take(e client.StreamEvent) error {
	var data native.StreamEvent
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return err
	}
	h.ids = append(h.ids, e.ID)
	if e.Name != "output" {
		h.events = append(h.events, fmt.Sprint(e.ID, " ", data.Type, " ", data.Task))
		h.ended = h.ended || data.Type == "errand.invocation.ended"
		if h.ended {
			return errEnough
		}
		return nil
	}
	if data.From != h.next[data.Task] {
		return fmt.Errorf("output of %s goes on at %d, not at %d", data.Task, data.From, h.next[data.Task])
	}
	h.next[data.Task] = data.To
	for _, p := range data.Pieces {
		h.add(data.Task, p.Stream, append([]byte(p.Text), p.Data...))
	}
	return nil
}

func (h *heard) add(task, stream string, data []byte) {
	if h.output[task] == nil {
		h.output[task] = map[string]*bytes.Buffer{"stdout": {}, "stderr": {}}
	}
	h.output[task][stream].Write(data)
}

// TestStreamThroughBreaks has three nodes print while the connections of those who follow are cut at any byte, more than a hundred times, and the server
// is killed in between. The stream and the log cursor have every event and every byte once.
func TestStreamThroughBreaks(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.startServer()
	i.startAgent()
	i.online()
	nodes := []string{"i-node", "i-two", "i-three"}
	i.agentAs(t, nodes[1])
	i.agentAs(t, nodes[2])

	const breaks = 100
	follows, polls := i.cutter(), i.cutter()
	enough := filepath.Join(t.TempDir(), "enough")
	script := fmt.Sprintf(`n=0
until [ -e %s ]; do
	echo "line $n"
	[ $((n %% 5)) = 0 ] && echo "trouble $n" >&2
	[ $((n %% 40)) = 0 ] && head -c 40000 /dev/urandom
	n=$((n+1)); sleep 0.02
done
printf 'the end of %%s' "$n"`, enough)
	var v native.Invocation
	i.api(http.MethodPost, "invocations", map[string]any{"content": script, "targets": nodes, "timeout_seconds": 300}, &v)
	var page native.Tasks
	i.api(http.MethodGet, "invocations/"+v.ID+"/tasks", nil, &page)

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	broken, cursor := newHeard(), newHeard()
	var group sync.WaitGroup
	group.Go(func() {
		if err := follows.Stream(ctx, url.Values{"invocation": {v.ID}}, broken.take); !errors.Is(err, errEnough) {
			t.Errorf("stream: %v", err)
		}
	})
	group.Go(func() {
		for _, task := range page.Tasks {
			if task.Node == nodes[0] {
				cursor.poll(ctx, t, polls.Client, task.ID)
			}
		}
	})
	follows.await(breaks / 2)
	i.kill(i.server)
	i.startServer()
	follows.await(breaks + 1)
	polls.await(breaks + 1)
	if err := os.WriteFile(enough, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	follows.steady.Store(true)
	polls.steady.Store(true)
	group.Wait()

	later := newHeard()
	if err := follows.Stream(ctx, url.Values{"invocation": {v.ID}}, later.take); !errors.Is(err, errEnough) {
		t.Error(err)
	}
	if got, want := strings.Join(broken.events, "\n"), strings.Join(later.events, "\n"); got != want || len(broken.events) != 9 {
		t.Errorf("events\n%s\nwant\n%s", got, want)
	}
	seen := map[string]bool{}
	for _, id := range broken.ids {
		if seen[id] {
			t.Errorf("%s came twice", id)
		}
		seen[id] = true
	}
	for _, task := range page.Tasks {
		for _, stream := range []string{"stdout", "stderr"} {
			var want bytes.Buffer
			if _, err := follows.Download(ctx, "tasks/"+task.ID+"/raw", url.Values{"stream": {stream}}, &want); err != nil {
				t.Fatal(err)
			}
			if want.Len() == 0 || stream == "stdout" && !strings.Contains(want.String(), "the end of") {
				t.Errorf("%s of %s is only %d bytes", stream, task.Node, want.Len())
			}
			heard := map[string]*heard{"with breaks": broken, "afterwards": later}
			if task.Node == nodes[0] {
				heard["by cursor"] = cursor
			}
			for name, h := range heard {
				if h.output[task.ID] == nil || !bytes.Equal(h.output[task.ID][stream].Bytes(), want.Bytes()) {
					t.Errorf("%s of %s %s is not what is kept", stream, task.Node, name)
				}
			}
		}
	}
	t.Logf("%d events, cut %d times", len(broken.ids), follows.cuts.Load())
}

// poll reads a task's output by its cursor until the task has ended, whatever becomes of its calls.
func (h *heard) poll(ctx context.Context, t *testing.T, caller *client.Client, task string) {
	for ctx.Err() == nil {
		var out native.Output
		query := url.Values{"from": {strconv.FormatUint(h.next[task], 10)}, "wait": {"2"}}
		err := caller.Call(ctx, http.MethodGet, "tasks/"+task+"/output", query, nil, &out)
		if err != nil {
			if !client.Temporary(err) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("log cursor: %v", err)
				return
			}
			continue
		}
		for _, p := range out.Pieces {
			if p.Offset != h.next[task] {
				t.Errorf("log cursor goes on at %d, not at %d", p.Offset, h.next[task])
			}
			h.add(task, p.Stream, p.Data)
			h.next[task] += uint64(len(p.Data))
		}
		if !out.Open && len(out.Pieces) == 0 {
			return
		}
	}
}
