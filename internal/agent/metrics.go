package agent

import (
	"bytes"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"errand/internal/protocol"
)

// metrics writes what Status says, and what was counted, in the text form that Prometheus reads.
func (a *Agent) metrics() []byte {
	s := a.Status()
	var b bytes.Buffer
	family := func(name, kind, help string) { fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %[1]s %[3]s\n", name, help, kind) }
	one := func(name, kind, help string, v float64) {
		family(name, kind, help)
		fmt.Fprintf(&b, "%s %s\n", name, strconv.FormatFloat(v, 'f', -1, 64))
	}
	family("errand_agent_info", "gauge", "The agent and its node.")
	fmt.Fprintf(&b, "errand_agent_info{version=%q,node=%q} 1\n", s.Version, s.NodeID)
	one("errand_agent_connected", "gauge", "1 while there is a connection to the server.", flag(s.Connected))
	one("errand_agent_connections_total", "counter", "Connections made since the start.", float64(s.Connections))
	one("errand_agent_heartbeat_timestamp_seconds", "gauge", "When the last heartbeat arrived, 0 before the first.", seconds(s.Heartbeat))
	family("errand_agent_tasks", "gauge", "Tasks by how far they have come.")
	for _, t := range []struct {
		state string
		n     int
	}{{"waiting", s.Tasks.Waiting}, {"running", s.Tasks.Running}, {"unreported", s.Tasks.Unreported}, {"planned", s.Tasks.Plans}} {
		fmt.Fprintf(&b, "errand_agent_tasks{state=%q} %d\n", t.state, t.n)
	}
	family("errand_agent_ended_total", "counter", "Tasks that ended since the start, by the number of their outcome in the protocol.")
	a.mu.Lock()
	for outcome, n := range a.ends {
		if n > 0 {
			fmt.Fprintf(&b, "errand_agent_ended_total{outcome=\"%d\"} %d\n", outcome, n)
		}
	}
	a.mu.Unlock()
	one("errand_agent_journal_bytes", "gauge", "Size of the journal.", float64(s.Journal))
	family("errand_agent_loop_stuck", "gauge", "1 for a loop that does not go round any more.")
	for i, name := range loopNames() {
		fmt.Fprintf(&b, "errand_agent_loop_stuck{loop=%q} %v\n", name, flag(a.pulses[i].stuck.Load()))
	}
	one("errand_agent_starts_total", "counter", "Starts on this data folder.", float64(s.Starts.Count))
	one("errand_agent_sudden_ends_total", "counter", "Ends without a goodbye on this data folder.", float64(s.Starts.Sudden))
	one("process_start_time_seconds", "gauge", "When the agent started.", seconds(s.Started))
	one("process_resident_memory_bytes", "gauge", "Memory in use, 0 where the system does not tell.", float64(s.Memory.Resident))
	one("go_memstats_heap_alloc_bytes", "gauge", "Memory in use by objects.", float64(s.Memory.Heap))
	one("go_goroutines", "gauge", "Goroutines.", float64(runtime.NumGoroutine()))
	return b.Bytes()
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// ends counts tasks by outcome.
type ends [256]uint64

func (e *ends) count(o protocol.Outcome) { e[uint8(o)]++ }
