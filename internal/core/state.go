package core

import "fmt"

// State is where a task is in its life. The numbers are stored: new states are added at the end.
type State uint8

// The states of a task. docs/state.md draws them.
const (
	Queued         State = iota // committed, not yet handed to the bus
	Scheduled                   // its node has it and waits for its time, or for the machine to start
	Delivering                  // handed to the bus, not yet confirmed
	Deferred                    // the node was away; another try follows
	Running                     // the process runs
	Stopping                    // a stop was asked for and is not yet confirmed
	Succeeded                   // exit code 0
	Failed                      // another exit code
	TimedOut                    // ended because its time was over
	StartFailed                 // the node could not start it
	Invalid                     // the node or the server refused it after it was accepted
	DeliveryFailed              // could not be handed over before its deadline
	Lost                        // the node stopped reporting
	Exception                   // something on the node broke it
	Cancelled                   // stopped before it started
	Terminated                  // stopped while it ran
	NumStates      = int(iota)
)

var stateNames = [NumStates]string{
	"queued", "scheduled", "delivering", "deferred", "running", "stopping", "succeeded", "failed", "timed_out",
	"start_failed", "invalid", "delivery_failed", "lost", "exception", "cancelled", "terminated",
}

func (s State) String() string {
	if int(s) < NumStates {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// next is the only judge of what may follow what.
//
// Two lines go beyond the plain path. A task in Delivering may already be in the node's hands, so a stop turns it into Stopping until the
// node has said whether it ever started. And two ends are only presumed, Lost and DeliveryFailed: the node may have run the task
// all along with a cut cable, and then its late result replaces the presumption, once.
//
// Scheduled is where a task of a standing invocation waits: its node has it and starts it again and again. Each run is a task of
// its own, in an occurrence; the standing task ends as its last run did.
var next = [NumStates][]State{
	Scheduled: {
		Stopping, Succeeded, Failed, TimedOut, StartFailed, Invalid, DeliveryFailed, Lost, Exception, Cancelled, Terminated,
	},
	Queued:     {Delivering, Deferred, Cancelled, DeliveryFailed, Invalid},
	Delivering: {Scheduled, Deferred, Running, StartFailed, Stopping, Cancelled, DeliveryFailed, Invalid, Exception},
	Deferred:   {Scheduled, Delivering, Running, StartFailed, Stopping, Cancelled, DeliveryFailed, Invalid, Exception},
	Running:    {Succeeded, Failed, TimedOut, Exception, Lost, Stopping},
	Stopping:   {Terminated, Cancelled, Succeeded, Failed, TimedOut, StartFailed, Invalid, Exception, Lost, DeliveryFailed},
	Lost:       {Succeeded, Failed, TimedOut, StartFailed, Invalid, Exception, Cancelled, Terminated},
	DeliveryFailed: {
		Succeeded, Failed, TimedOut, StartFailed, Invalid, Exception, Terminated,
	},
}

// CanBecome reports whether the table allows the step from s to t.
func (s State) CanBecome(t State) bool {
	if int(s) >= NumStates {
		return false
	}
	for _, n := range next[s] {
		if n == t {
			return true
		}
	}
	return false
}

// Ended reports whether s is an end, presumed or not.
func (s State) Ended() bool { return s >= Succeeded }

// Presumed reports whether s is an end that a late result may still replace.
func (s State) Presumed() bool { return s == Lost || s == DeliveryFailed }

// Bad reports whether s is an end that nobody wanted: the command failed, did not end in time, or did not run. What was stopped is not bad.
func (s State) Bad() bool { return s.Ended() && s != Succeeded && s != Cancelled && s != Terminated }

// Waiting reports whether the task is on its way to its node.
func (s State) Waiting() bool { return s == Queued || s == Delivering || s == Deferred }

// Counts is how many tasks of an invocation are in each state.
type Counts [NumStates]int32

// Of sums the counts of some states.
func (c *Counts) Of(states ...State) (n int) {
	for _, s := range states {
		n += int(c[s])
	}
	return n
}

// Open is how many tasks have not ended.
func (c *Counts) Open() (n int) {
	for s := range Succeeded {
		n += int(c[s])
	}
	return n
}

// Bad is how many tasks ended badly.
func (c *Counts) Bad() (n int) {
	for s, v := range c {
		if State(s).Bad() {
			n += int(v)
		}
	}
	return n
}

// Total is how many tasks there are.
func (c *Counts) Total() (n int) {
	for _, v := range c {
		n += int(v)
	}
	return n
}
