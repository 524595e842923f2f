package stacktest

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The stories in this file break an installation on purpose. What a command notes in the oracle tells whether it ran, and how often.

// late is how long a result may take when agents have to find their server again: their pauses between tries grow to half a minute.
const late = 75 * time.Second

func TestServerKilledBetweenAcceptAndDelivery(t *testing.T) {
	t.Parallel()
	i, o := install(t), newOracle(t)
	i.startServer()
	i.startAgent()
	i.online()
	i.kill(i.agent)
	id := i.client.Run(t, o.note("ran"), nil, "i-node")
	i.kill(i.server) // the call has just succeeded
	i.startServer()
	i.startAgent()
	if r := i.client.Await(t, id, late)[0]; r.InvocationStatus != "Success" {
		t.Errorf("%+v", r)
	}
	o.once("ran")
}

func TestServerKilledWhileCommandRuns(t *testing.T) {
	t.Parallel()
	i, o := install(t), newOracle(t)
	i.startServer()
	i.startAgent()
	i.online()
	id := i.client.Run(t, "echo first; "+o.note("begin")+"; sleep 3; echo last; "+o.note("end"), nil, "i-node")
	o.await("begin")
	i.kill(i.server)
	i.startServer()
	if r := i.client.Await(t, id, late)[0]; r.InvocationStatus != "Success" || r.Output != "first\nlast\n" {
		t.Errorf("%+v", r)
	}
	o.once("begin", "end")
}

func TestAgentKilledWhileCommandRuns(t *testing.T) {
	t.Parallel()
	i, o := install(t), newOracle(t)
	i.startServer()
	i.startAgent()
	i.online()
	id := i.client.Run(t, "echo first; "+o.note("begin")+"; sleep 3; echo last; "+o.note("end")+"; exit 5", nil, "i-node")
	o.await("begin")
	i.kill(i.agent)
	i.startAgent()
	if r := i.client.Await(t, id, late)[0]; r.InvocationStatus != "Failed" || r.ExitCode != 5 || r.Output != "first\nlast\n" {
		t.Errorf("%+v", r)
	}
	o.once("begin", "end")
}

// TestBothKilled also lets the command end while nobody is there to see it.
func TestBothKilled(t *testing.T) {
	t.Parallel()
	i, o := install(t), newOracle(t)
	i.startServer()
	i.startAgent()
	i.online()
	id := i.client.Run(t, o.note("begin")+"; sleep 2; head -c 100000 /dev/zero | tr '\\0' x; "+o.note("end"), nil, "i-node")
	o.await("begin")
	i.kill(i.agent)
	i.kill(i.server)
	o.await("end")
	i.startServer()
	i.startAgent()
	r := i.client.Await(t, id, late)[0]
	if r.InvocationStatus != "Success" || len(r.Output) != 24576 || r.Dropped != 75424 {
		t.Errorf("%s, %d bytes, %d dropped", r.InvocationStatus, len(r.Output), r.Dropped)
	}
	o.once("begin", "end")
}

func TestCableCutForAMinute(t *testing.T) {
	t.Parallel()
	i, o := install(t), newOracle(t)
	c := newCable(t, i.agents, nil)
	i.advertise = c.lis.Addr().String()
	i.startServer()
	i.startAgent()
	i.online()
	id := i.client.Run(t, "echo first; "+o.note("begin")+"; sleep 5; echo last; "+o.note("end"), url.Values{"Timeout": {"300"}}, "i-node")
	i.await(id, "Running")
	c.set(true)
	o.await("end")
	time.Sleep(time.Minute) // the story is about this minute
	c.set(false)
	if r := i.client.Await(t, id, late)[0]; r.InvocationStatus != "Success" || r.Output != "first\nlast\n" {
		t.Errorf("%+v", r)
	}
	o.once("begin", "end")
}

// TestPresumedEndIsReplaced cuts the cable before the node could say that it has the task. The server gives the task up as undelivered, and
// takes the word back when the result comes after all.
func TestPresumedEndIsReplaced(t *testing.T) {
	t.Parallel()
	i, o := install(t), newOracle(t)
	c := newCable(t, i.agents, nil)
	i.advertise = c.lis.Addr().String()
	i.startServer()
	i.startAgent()
	i.online()
	id := i.client.Run(t, o.note("begin")+"; sleep 1; echo done", nil, "i-node")
	o.await("begin")
	c.set(true)
	i.await(id, "Aborted")
	c.set(false)
	i.await(id, "Success")
	o.once("begin")
}

// TestUndeliverable lets a task wait for a node that does not come, until the documented minute is over.
func TestUndeliverable(t *testing.T) {
	t.Parallel()
	i, o := install(t), newOracle(t)
	i.startServer()
	i.startAgent()
	i.online()
	i.kill(i.agent)
	began := time.Now()
	id := i.client.Run(t, o.note("ran"), nil, "i-node")
	r := i.client.Await(t, id, late)[0]
	if r.InvocationStatus != "Aborted" || r.ErrorCode == "" {
		t.Errorf("%+v", r)
	}
	if took := time.Since(began); took < 55*time.Second || took > 70*time.Second {
		t.Errorf("given up after %v", took)
	}
	i.startAgent()
	id = i.client.Run(t, o.note("after"), nil, "i-node")
	i.client.Await(t, id, late)
	o.once("after")
	if o.count("ran") != 0 {
		t.Error("an aborted command ran")
	}
}

// TestAgentDiskFull gives the agent a data folder with no space left.
func TestAgentDiskFull(t *testing.T) {
	t.Parallel()
	i, o := install(t), newOracle(t)
	disk := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=2m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	i.agentData = filepath.Join(disk, "agent")
	i.startServer()
	i.startAgent()
	i.online()
	fill := filepath.Join(disk, "fill")
	if out, err := exec.Command("dd", "if=/dev/zero", "of="+fill, "bs=4k").CombinedOutput(); err == nil {
		t.Fatalf("the disk did not get full: %s", out)
	}
	id := i.client.Run(t, o.note("ran"), nil, "i-node")
	if r := i.client.Await(t, id, late)[0]; r.InvocationStatus != "Error" {
		t.Errorf("%+v", r)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	id = i.client.Run(t, o.note("after"), nil, "i-node")
	if r := i.client.Await(t, id, late)[0]; r.InvocationStatus != "Success" {
		t.Errorf("with space again: %+v", r)
	}
	o.once("after")
	if o.count("ran") != 0 {
		t.Error("a command ran that was reported as not started")
	}
}

func TestTwoServersOneFolder(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.startServer()
	out, err := exec.Command(i.exe, "server", "--data", filepath.Join(i.dir, "server"), "--listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "in use by another server") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestManyKills kills server and agent at random moments while commands run; none is lost and none runs twice.
func TestManyKills(t *testing.T) {
	t.Parallel()
	i, o := install(t), newOracle(t)
	i.startServer()
	i.startAgent()
	i.online()
	var ids, words []string
	for round := range 6 {
		for n := range 5 {
			word := fmt.Sprintf("r%dn%d", round, n)
			words = append(words, word)
			ids = append(ids, i.client.Run(t, o.note(word)+fmt.Sprintf("; sleep 0.%d; echo %s", n*2, word), nil, "i-node"))
		}
		time.Sleep(time.Duration(round) * 70 * time.Millisecond) // a different moment each time
		if round%2 == 0 {
			i.kill(i.agent)
			i.startAgent()
		} else {
			i.kill(i.server)
			i.startServer()
		}
	}
	ran := 0
	for n, id := range ids {
		r := i.client.Await(t, id, late)[0]
		switch {
		case r.InvocationStatus == "Success" && r.Output == words[n]+"\n":
			ran++
			o.once(words[n])
		case r.InvocationStatus == "Error" && o.count(words[n]) <= 1:
			t.Logf("%s: %s, noted %d times", words[n], r.ErrorCode, o.count(words[n])) // killed in the gap: said so, not guessed
		default:
			t.Errorf("%s: %+v, noted %d times", words[n], r, o.count(words[n]))
		}
	}
	if ran < len(ids)*3/4 {
		t.Errorf("only %d of %d commands ran", ran, len(ids))
	}
}
