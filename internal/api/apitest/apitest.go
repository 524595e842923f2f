// Package apitest tells one story through each vendor's own SDK, unmodified, against a running product: run a script on some machines,
// read how it ended, stop another, ask whether the agents are there, and be refused with a wrong secret. What one SDK began, the SDKs of
// all dialects read, each in its vendor's words.
//
// A story is a function of a test and a Target, so that it can be told to any server. The SDKs never enter the product.
package apitest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Target is a server to tell stories to, reached by plain HTTP, and machines that are online there.
type Target struct {
	HostPort string
	KeyID    string
	Secret   string
	Nodes    []string // at least two, Linux
	// Enrol starts an agent that joins with a registration code as the node of this id, and returns when it is online; the error is why it
	// could not join. The agent ends with the test.
	Enrol func(t *testing.T, node, code, secret string) error
}

// Reading is what an SDK says about an invocation.
type Reading struct {
	Words []string           `json:"words"` // the vendor's words for the whole
	Nodes map[string]Machine `json:"nodes"` // by node id
}

// Machine is what an SDK says about an invocation on one machine.
type Machine struct {
	Words    []string `json:"words"` // the vendor's words for the state, then for the reason if it has one
	ExitCode int64    `json:"exitCode"`
	Output   string   `json:"output"` // of both streams, or stdout alone where the vendor tells them apart
	Stderr   string   `json:"stderr"`
	Dropped  int64    `json:"dropped"`
	Start    string   `json:"start"` // as the vendor writes times
	End      string   `json:"end"`
}

// all reports whether the first word of every machine is this one.
func (r *Reading) all(word string) bool {
	for _, m := range r.Nodes {
		if m.Words[0] != word {
			return false
		}
	}
	return len(r.Nodes) > 0
}

// ended reports whether the first word of no machine, nor that for the whole, is one of the active ones.
func (r *Reading) ended(active []string) bool {
	if slices.Contains(active, r.Words[0]) {
		return false
	}
	for _, m := range r.Nodes {
		if slices.Contains(active, m.Words[0]) {
			return false
		}
	}
	return len(r.Nodes) > 0
}

// Tale is how the story went with one SDK.
type Tale struct {
	Failed  Chapter           `json:"failed"`
	Stopped Chapter           `json:"stopped"`
	Agents  map[string]string `json:"agents"`  // the vendor's word for each agent's presence; nil where it has none
	Refusal string            `json:"refusal"` // the code in the SDK's own error type after a request with a wrong secret
}

// Chapter is one invocation and what the SDK that made it read at its end.
type Chapter struct {
	ID      string  `json:"id"`
	Reading Reading `json:"reading"`
}

// The scripts of the story. The first writes to both streams, apart in time so that their order is the same wherever they are merged.
const (
	failingScript = "echo out; sleep 0.2; echo err >&2; exit 3"
	endlessScript = "sleep 300"
	timeout       = 60 // seconds, the most that every dialect allows
)

// dialect is what a vendor's SDKs are expected to say.
type dialect struct {
	name    string
	active  []string // first words of a machine whose task has not ended
	running string
	apart   bool // the streams are told apart
	failed  words
	stopped words
	online  string // presence of an agent
	refusal string // error code for a wrong secret
}

// words are the vendor's for one outcome.
type words struct{ whole, machine []string }

var (
	ecsWords = dialect{
		name: "ecs", active: []string{"Pending", "Running", "Stopping", "Scheduled"}, running: "Running",
		failed:  words{[]string{"Failed", "Finished"}, []string{"Failed", "Finished", "ExitCodeNonzero"}},
		stopped: words{[]string{"Stopped", "Stopped"}, []string{"Terminated", "Stopped", "ExecutionInterrupted"}},
		online:  "true", refusal: "SignatureDoesNotMatch",
	}
	efloWords = dialect{
		name: "eflo", active: ecsWords.active, running: ecsWords.running, failed: ecsWords.failed, stopped: ecsWords.stopped,
		refusal: ecsWords.refusal,
	}
	tatWords = dialect{
		name: "tat", active: []string{"PENDING", "DELIVERING", "DELIVER_DELAYED", "RUNNING", "CANCELLING"}, running: "RUNNING",
		failed: words{[]string{"FAILED"}, []string{"FAILED"}}, stopped: words{[]string{"CANCELLED"}, []string{"TERMINATED"}},
		online: "Online", refusal: "AuthFailure.SignatureFailure",
	}
	zosWords = dialect{
		name: "zos", active: []string{"Pending", "Running"}, running: "Running", apart: true,
		failed:  words{[]string{"Failed"}, []string{"Failed", "ExecutionExitNoneZero"}},
		stopped: words{[]string{"Failed"}, []string{"Error", "SystemError"}},
		refusal: "AUTHFAILURE_SIGNATURE_FAILURE",
	}
)

// checkFailed compares a reading of the failing script with what the dialect should say. The invocation ran between since and now.
func (d *dialect) checkFailed(t *testing.T, nodes []string, r Reading, since time.Time) {
	t.Helper()
	for id, m := range r.Nodes {
		checkTimes(t, id, m, since)
		if !d.apart {
			m.Output = sortLines(m.Output) // two pipes have no order between them that a busy machine must keep
		}
		m.Start, m.End = "", ""
		r.Nodes[id] = m
	}
	one := Machine{Words: d.failed.machine, ExitCode: 3, Output: "err\nout\n"}
	if d.apart {
		one.Output, one.Stderr = "out\n", "err\n"
	}
	want := Reading{Words: d.failed.whole, Nodes: map[string]Machine{}}
	for _, id := range nodes {
		want.Nodes[id] = one
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("the failed run (-want +got):\n%s", diff)
	}
}

// checkStopped compares a reading of the stopped script with what the dialect should say.
func (d *dialect) checkStopped(t *testing.T, nodes []string, r Reading) {
	t.Helper()
	want := Reading{Words: d.stopped.whole, Nodes: map[string]Machine{}}
	for _, id := range nodes {
		want.Nodes[id] = Machine{Words: d.stopped.machine}
	}
	for id, m := range r.Nodes {
		r.Nodes[id] = Machine{Words: m.Words, Output: m.Output, Stderr: m.Stderr, Dropped: m.Dropped}
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("the stopped run (-want +got):\n%s", diff)
	}
}

func checkTimes(t *testing.T, id string, m Machine, since time.Time) {
	t.Helper()
	start, end := parseTime(t, m.Start), parseTime(t, m.End)
	if start.Before(since.Add(-time.Second)) || end.Before(start) || end.After(time.Now().Add(time.Second)) {
		t.Errorf("%s ran from %s to %s, the test began at %s", id, m.Start, m.End, since.UTC().Format(time.RFC3339))
	}
}

// parseTime reads a time in any vendor's form.
func parseTime(t *testing.T, s string) time.Time {
	t.Helper()
	for _, form := range []string{time.RFC3339, time.DateTime} {
		if at, err := time.Parse(form, s); err == nil {
			return at
		}
	}
	t.Errorf("%q is not a time", s)
	return time.Time{}
}

func sortLines(s string) string {
	lines := strings.SplitAfter(s, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}
