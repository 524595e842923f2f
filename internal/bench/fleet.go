// Package bench measures a running server from the outside: it speaks the real protocol over real TLS connections and replaces nothing but
// the process that a node would run.
package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"errand/internal/agent/identity"
	"errand/internal/api/native"
	"errand/internal/bus"
	"errand/internal/protocol"
)

// Fleet is what to measure.
type Fleet struct {
	URL, KeyID, Secret string
	Nodes              int
	Runs               int // invocations of all nodes, one after another
	Log                *slog.Logger
	Progress           io.Writer
}

// Result is what was measured. Server figures are the server's own, from its metrics.
type Result struct {
	Nodes             int     `json:"nodes"`
	Runs              int     `json:"runs"`
	EnrolSeconds      float64 `json:"enrol_seconds"`
	ConnectSeconds    float64 `json:"connect_seconds"`
	ServerRSSPerNode  float64 `json:"server_rss_bytes_per_node"` // growth from before the first connection
	ConnectCPUPerNode float64 `json:"server_cpu_seconds_per_connect"`
	AcceptSeconds     float64 `json:"accept_seconds"`                  // median: call sent to call answered
	LastResultSeconds float64 `json:"accepted_to_last_result_seconds"` // median over the runs
	P50Milliseconds   float64 `json:"task_p50_ms"`                     // call sent to result acknowledged
	P99Milliseconds   float64 `json:"task_p99_ms"`
	ResultsPerSecond  float64 `json:"results_per_second"`
	CPUPerTask        float64 `json:"server_cpu_seconds_per_task"`
	Stored            int     `json:"results_stored"`
}

// node is a simulated machine.
type node struct {
	own    identity.Identity
	public string
	answer protocol.EnrollAnswer
	id     string
	link   *bus.Node
	fleet  *run
}

// run is one fan-out as the nodes see it.
type run struct {
	start   atomic.Int64 // nanoseconds
	mu      sync.Mutex
	latency []time.Duration
	acked   map[protocol.Task]bool
}

// Measure runs the whole measurement.
func (f *Fleet) Measure(ctx context.Context) (Result, error) {
	res := Result{Nodes: f.Nodes, Runs: f.Runs}
	shared := &run{acked: map[protocol.Task]bool{}}
	nodes, took, err := f.enrol(ctx, shared)
	if err != nil {
		return res, err
	}
	res.EnrolSeconds = took.Seconds()
	before, err := f.scrape(ctx)
	if err != nil {
		return res, err
	}
	defer func() {
		for _, n := range nodes {
			if n.link != nil {
				n.link.Close()
			}
		}
	}()
	if took, err = f.connect(ctx, nodes); err != nil {
		return res, err
	}
	res.ConnectSeconds = took.Seconds()
	idle, err := f.scrape(ctx)
	if err != nil {
		return res, err
	}
	res.ServerRSSPerNode = (idle.rss - before.rss) / float64(f.Nodes)
	res.ConnectCPUPerNode = (idle.cpu - before.cpu) / float64(f.Nodes)
	return res, f.fanOut(ctx, nodes, shared, &res)
}

// workers bounds how many nodes enrol or connect at the same time.
const workers = 32

// each calls fn for every index, some at a time, and stops at the first error.
func each(ctx context.Context, n int, fn func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := fn(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

func (f *Fleet) enrol(ctx context.Context, shared *run) ([]*node, time.Duration, error) {
	var code native.NewRegistration
	err := f.call(ctx, http.MethodPost, "registration-codes", map[string]any{"limit": f.Nodes, "description": "simulated fleet"}, &code)
	if err != nil {
		return nil, 0, err
	}
	nodes := make([]*node, f.Nodes)
	began := time.Now()
	stamp := strconv.FormatInt(began.UnixNano(), 36)
	err = each(ctx, f.Nodes, func(ctx context.Context, i int) error {
		n := &node{id: fmt.Sprintf("sim-%s-%d", stamp, i), fleet: shared}
		nodes[i] = n
		return n.enrol(ctx, f.URL, &code)
	})
	fmt.Fprintf(f.Progress, "enrolled %d nodes\n", f.Nodes)
	return nodes, time.Since(began), err
}

func (n *node) enrol(ctx context.Context, url string, code *native.NewRegistration) (err error) {
	if n.own, err = identity.New(); err != nil {
		return err
	}
	if n.public, err = n.own.PublicKey(); err != nil {
		return err
	}
	req := protocol.EnrollRequest{
		CodeID: code.ID, CodeSecret: code.Code, PublicKey: n.public, Timestamp: time.Now().Unix(), NodeID: n.id,
		Facts: protocol.EnrollFacts{Hostname: n.id, OS: "linux", Arch: "amd64", Agent: "simulated"},
	}
	if req.Signature, err = n.own.Sign(req.SigningText()); err != nil {
		return err
	}
	body, err := json.Marshal(req)
	if err != nil {
		return err
	}
	hr, err := http.NewRequestWithContext(ctx, http.MethodPost, url+protocol.EnrollPath, bytes.NewReader(body))
	if err != nil {
		return err
	}
	hr.Header.Set("Content-Type", "application/json")
	return fetch(hr, &n.answer)
}

func (f *Fleet) connect(ctx context.Context, nodes []*node) (time.Duration, error) {
	began := time.Now()
	err := each(ctx, len(nodes), func(ctx context.Context, i int) error { return nodes[i].connect(ctx, f.Log) })
	took := time.Since(began)
	fmt.Fprintf(f.Progress, "connected %d nodes\n", len(nodes))
	return took, err
}

func (n *node) connect(ctx context.Context, log *slog.Logger) error {
	connected := make(chan struct{}, 1)
	var err error
	n.link, err = bus.Dial(bus.NodeConfig{
		URLs: n.answer.NATSURLs, CA: []byte(n.answer.CA), Key: n.answer.NodeKey, PublicKey: n.public, Sign: n.own.Sign, Log: log,
		Message: n.message,
		Connected: func() {
			select {
			case connected <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		return err
	}
	select {
	case <-connected:
	case <-ctx.Done():
		return ctx.Err()
	}
	hello := protocol.Hello{
		Version: protocol.Version, Agent: "simulated", Hostname: n.id, OS: "linux", Arch: "amd64", Clock: time.Now().UnixMicro(),
	}
	return n.link.Publish(hello.Append(nil))
}

// message answers a Run with a result of 20 bytes of output, as the shortest real command would.
func (n *node) message(msg []byte) {
	kind, err := protocol.KindOf(msg)
	if err != nil {
		return
	}
	if kind == protocol.KindRun {
		m, err := protocol.DecodeRun(msg)
		if err != nil {
			return
		}
		now := time.Now().UnixMicro()
		out := []byte("output of twenty by\n")
		done := protocol.Finished{
			Task: m.Task, Outcome: protocol.OutcomeExited, Started: now, Ended: now, Stdout: uint64(len(out)), End: uint64(len(out)),
			Last: protocol.Chunk{Spans: []protocol.Span{{Stream: protocol.Stdout, Len: uint32(len(out))}}, Data: out},
		}
		_ = n.link.Publish(done.Append(nil)) // what is lost is asked for again
	}
	if kind == protocol.KindAck {
		m, err := protocol.DecodeAck(msg)
		if err == nil && m.Final {
			n.fleet.note(m.Task)
		}
	}
}

func (r *run) note(t protocol.Task) {
	took := time.Duration(time.Now().UnixNano() - r.start.Load())
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.acked[t] {
		r.acked[t] = true
		r.latency = append(r.latency, took)
	}
}

func (f *Fleet) fanOut(ctx context.Context, nodes []*node, shared *run, res *Result) error {
	ids := make([]string, len(nodes))
	for i, n := range nodes {
		ids[i] = n.id
	}
	before, err := f.scrape(ctx)
	if err != nil {
		return err
	}
	var accepts, lasts []float64
	began := time.Now()
	for range f.Runs {
		sent := time.Now()
		shared.start.Store(sent.UnixNano())
		var v native.Invocation
		if err := f.call(ctx, http.MethodPost, "invocations", map[string]any{"content": "true", "targets": ids}, &v); err != nil {
			return err
		}
		accepted := time.Now()
		accepts = append(accepts, accepted.Sub(sent).Seconds())
		for v.Open > 0 {
			time.Sleep(10 * time.Millisecond)
			if err := f.call(ctx, http.MethodGet, "invocations/"+v.ID, nil, &v); err != nil {
				return err
			}
			if time.Since(accepted) > 2*time.Minute {
				return fmt.Errorf("%d results of %d are missing: %v", v.Open, v.Tasks, v.States)
			}
		}
		lasts = append(lasts, time.Since(accepted).Seconds())
		res.Stored += v.States["succeeded"]
	}
	total := time.Since(began).Seconds()
	after, err := f.scrape(ctx)
	if err != nil {
		return err
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	slices.Sort(shared.latency)
	slices.Sort(accepts)
	slices.Sort(lasts)
	tasks := float64(f.Nodes * f.Runs)
	res.AcceptSeconds, res.LastResultSeconds = accepts[len(accepts)/2], lasts[len(lasts)/2]
	res.P50Milliseconds, res.P99Milliseconds = quantile(shared.latency, 0.5), quantile(shared.latency, 0.99)
	res.ResultsPerSecond = tasks / total
	res.CPUPerTask = (after.cpu - before.cpu) / tasks
	return nil
}

func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[int(q*float64(len(sorted)-1))]) / float64(time.Millisecond)
}

// usage is what the server says about itself.
type usage struct{ cpu, rss float64 }

func (f *Fleet) scrape(ctx context.Context) (u usage, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.URL+"/metrics", nil)
	if err != nil {
		return u, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return u, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(body)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "errand_process_cpu_seconds_total":
			u.cpu, err = strconv.ParseFloat(value, 64)
		case "errand_process_resident_memory_bytes":
			u.rss, err = strconv.ParseFloat(value, 64)
		}
		if err != nil {
			return u, fmt.Errorf("metric %s: %w", name, err)
		}
	}
	if u.rss == 0 {
		return u, errors.New("the server does not say how much memory it uses")
	}
	return u, nil
}

// call makes a native API call.
func (f *Fleet) call(ctx context.Context, method, path string, body, answer any) error {
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, f.URL+"/api/v1/"+path, reader)
	if err != nil {
		return err
	}
	req.SetBasicAuth(f.KeyID, f.Secret)
	return fetch(req, answer)
}

func fetch(req *http.Request, answer any) error {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, resp.Status, bytes.TrimSpace(body))
	}
	return json.Unmarshal(body, answer)
}
