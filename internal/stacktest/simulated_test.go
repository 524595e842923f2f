package stacktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"errand/internal/agent/identity"
	"errand/internal/bus"
	"errand/internal/protocol"
)

// simulation is many simulated nodes of one installation, which speak the real protocol over real connections, keep what they were told across those, and
// note what they do instead of doing it. Each task lasts until the test ends it, or for as long as it says.
type simulation struct {
	i     *installation
	names []string
	// act is what a task does: how long it lasts unless it is ended before, and with which exit code it ends. Nil lets every task last for ever.
	act func(node, content string) (lasts time.Duration, code int64)

	mu     sync.Mutex
	live   map[string]int // tasks that run, by content
	most   map[string]int // the greatest number of them there ever was
	begun  map[string][]string
	ended  map[string][]string
	faults []string
	look   func(node, content string) string // when a task begins, with the lock held: what is wrong with that, if anything
	nodes  map[string]*simulated
}

type simulated struct {
	name  string
	fleet *simulation
	link  *bus.Node
	mu    sync.Mutex
	tasks map[protocol.Task]*simulatedTask
}

type simulatedTask struct {
	content string
	started int64
	end     chan int64
	result  []byte // the message, once there is one; nil again once it is acknowledged
	over    bool
}

// simulate enrols and connects nodes named n00, n01 and so on.
func (i *installation) simulate(n int, act func(node, content string) (time.Duration, int64)) *simulation {
	i.t.Helper()
	f := &simulation{
		i: i, act: act, live: map[string]int{}, most: map[string]int{}, begun: map[string][]string{}, ended: map[string][]string{}, nodes: map[string]*simulated{},
	}
	var code struct{ ID, Code string }
	i.api(http.MethodPost, "registration-codes", map[string]any{"limit": n}, &code)
	for k := range n {
		name := fmt.Sprintf("n%02d", k)
		node := &simulated{name: name, fleet: f, tasks: map[protocol.Task]*simulatedTask{}}
		f.names, f.nodes[name] = append(f.names, name), node
		node.connect(i.t, "http://"+i.listen, code.ID, code.Code)
		i.t.Cleanup(node.link.Close)
	}
	Eventually(i.t, soon, func() error {
		for _, name := range f.names {
			if !f.nodes[name].known() {
				return fmt.Errorf("%s is not connected", name)
			}
		}
		return nil
	})
	return f
}

func (n *simulated) known() bool {
	_, connected := n.link.Peer()
	return connected
}

func (n *simulated) connect(t *testing.T, url, codeID, codeSecret string) {
	t.Helper()
	own, err := identity.New()
	if err != nil {
		t.Fatal(err)
	}
	public, err := own.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	req := protocol.EnrollRequest{
		CodeID: codeID, CodeSecret: codeSecret, PublicKey: public, Timestamp: time.Now().Unix(), NodeID: n.name,
		Facts: protocol.EnrollFacts{Hostname: n.name, OS: "linux", Arch: "amd64", Agent: "simulated"},
	}
	if req.Signature, err = own.Sign(req.SigningText()); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	hr, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+protocol.EnrollPath, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	hr.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(hr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer protocol.EnrollAnswer
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("enrol: %s, %v", resp.Status, err)
	}
	dialled := make(chan struct{}) // Connected may be called before Dial returns
	n.link, err = bus.Dial(bus.NodeConfig{
		URLs: answer.NATSURLs, CA: []byte(answer.CA), Key: answer.NodeKey, PublicKey: public, Sign: own.Sign, Log: Quiet(), Message: n.message,
		Connected: func() {
			go func() {
				<-dialled
				n.hello()
			}()
		},
	})
	close(dialled)
	if err != nil {
		t.Fatal(err)
	}
}

// hello follows each connection: the server repeats what is open, and the node what was not acknowledged.
func (n *simulated) hello() {
	m := protocol.Hello{Version: protocol.Version, Agent: "simulated", Hostname: n.name, OS: "linux", Arch: "amd64", Clock: time.Now().UnixMicro()}
	_ = n.link.Publish(m.Append(nil))
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range n.tasks {
		if t.result != nil {
			_ = n.link.Publish(t.result)
		}
	}
}

func (n *simulated) message(msg []byte) {
	kind, err := protocol.KindOf(msg)
	if err != nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch kind { // the rest is for real nodes
	case protocol.KindRun:
		if m, err := protocol.DecodeRun(msg); err == nil {
			n.run(&m)
		}
	case protocol.KindStop:
		if m, err := protocol.DecodeStop(msg); err == nil {
			n.stop(m.Task)
		}
	case protocol.KindAck:
		if m, err := protocol.DecodeAck(msg); err == nil && m.Final && n.tasks[m.Task] != nil {
			n.tasks[m.Task].result = nil
		}
	}
}

// run begins a task, or says again what is known about it.
func (n *simulated) run(m *protocol.Run) {
	t := n.tasks[m.Task]
	switch {
	case t == nil:
		t = &simulatedTask{content: string(m.Spec.Content), started: time.Now().UnixMicro(), end: make(chan int64, 1)}
		n.tasks[m.Task] = t
		n.fleet.begin(n.name, t.content)
		go n.last(m.Task, t)
	case t.result != nil:
		_ = n.link.Publish(t.result)
		return
	case t.over:
		return
	}
	started := protocol.Started{Task: m.Task, At: t.started}
	_ = n.link.Publish(started.Append(nil))
}

func (n *simulated) stop(task protocol.Task) {
	t := n.tasks[task]
	switch {
	case t == nil:
		m := protocol.Finished{Task: task, Outcome: protocol.OutcomeNeverStarted, Ended: time.Now().UnixMicro()}
		t = &simulatedTask{over: true, result: m.Append(nil)}
		n.tasks[task] = t
		_ = n.link.Publish(t.result)
	case t.result != nil:
		_ = n.link.Publish(t.result)
	case !t.over:
		select {
		case t.end <- stopped:
		default:
		}
	}
}

// stopped is the exit code of a task that was stopped.
const stopped = -1

// last waits until a task ends, and says so.
func (n *simulated) last(task protocol.Task, t *simulatedTask) {
	code := int64(0)
	var over <-chan time.Time
	if n.fleet.act != nil {
		lasts, ends := n.fleet.act(n.name, t.content)
		if lasts > 0 {
			over, code = time.After(lasts), ends
		}
	}
	select {
	case code = <-t.end:
	case <-over:
	case <-n.fleet.i.t.Context().Done():
		return
	}
	m := protocol.Finished{Task: task, Outcome: protocol.OutcomeExited, ExitCode: code, Started: t.started, Ended: time.Now().UnixMicro()}
	if code == stopped {
		m.Outcome, m.ExitCode = protocol.OutcomeStopped, 0
	}
	n.fleet.over(n.name, t.content)
	n.mu.Lock()
	defer n.mu.Unlock()
	t.over, t.result = true, m.Append(nil)
	_ = n.link.Publish(t.result)
}

func (f *simulation) begin(node, content string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.look != nil {
		if fault := f.look(node, content); fault != "" {
			f.faults = append(f.faults, fault)
		}
	}
	if slices.Contains(f.begun[content], node) {
		f.faults = append(f.faults, node+" ran twice")
	}
	f.begun[content] = append(f.begun[content], node)
	f.live[content]++
	f.most[content] = max(f.most[content], f.live[content])
}

func (f *simulation) over(node, content string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live[content]--
	f.ended[content] = append(f.ended[content], node)
}

// finish ends the tasks that run of this content, on one node or on all.
func (f *simulation) finish(content string, code int64, only ...string) {
	for _, n := range f.nodes {
		if len(only) > 0 && !slices.Contains(only, n.name) {
			continue
		}
		n.mu.Lock()
		for _, t := range n.tasks {
			if t.content == content && !t.over {
				select {
				case t.end <- code:
				default:
				}
			}
		}
		n.mu.Unlock()
	}
}

func (f *simulation) numbers(content string) (begun, live, ended int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.begun[content]), f.live[content], len(f.ended[content])
}

// until waits until so many tasks of this content have begun.
func (f *simulation) until(content string, begun int) {
	f.i.t.Helper()
	Eventually(f.i.t, late, func() error {
		if n, _, _ := f.numbers(content); n < begun {
			return fmt.Errorf("%d of %d have begun", n, begun)
		}
		return nil
	})
}

// check reports what went wrong.
func (f *simulation) check(content string, concurrency int) {
	f.i.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range f.faults {
		f.i.t.Error(fault)
	}
	if f.most[content] > concurrency {
		f.i.t.Errorf("%d ran at a time", f.most[content])
	}
}

// api calls the native API. A server that is killed meanwhile fails the test.
func (i *installation) api(method, path string, body, answer any) {
	i.t.Helper()
	if err := i.try(method, path, body, answer); err != nil {
		i.t.Fatal(err)
	}
}

func (i *installation) try(method, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if body == nil {
		text = nil
	}
	req, err := http.NewRequestWithContext(i.t.Context(), method, "http://"+i.listen+"/api/v1/"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.SetBasicAuth(KeyID, Secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		var problem struct{ Detail string }
		_ = json.NewDecoder(resp.Body).Decode(&problem)
		return fmt.Errorf("%s %s: %s %s", method, path, resp.Status, problem.Detail)
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}
