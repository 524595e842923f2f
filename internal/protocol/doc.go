// Package protocol is the contract between the server and its agents: the messages, the subjects they travel on, their
// order and their version. Both sides import it and nothing else of each other.
//
// # Subjects
//
// Each node owns two subjects, named by its decimal node key: the server publishes on In(key) and only that node may
// subscribe to it; the node publishes on Out(key) and only that node may. A message on Out(key) is therefore proven to
// come from that node, and no message names its sender.
//
// # Order and loss
//
// Messages are hints. Any of them may be lost, repeated or reordered, and both sides are right in the end because each
// has a durable memory: the server its database, the node its journal.
//
//   - Run is repeated until the node answers with Received, Started, Output or Finished, or its delivery deadline passes. A node that has
//     the task in its journal answers with what it knows and starts nothing.
//   - Stop is repeated until the node answers with Finished. A node that never saw the task writes it down as cancelled, answers Finished with
//     OutcomeNeverStarted, and refuses a Run that arrives later.
//   - Output carries positions in the merged stream, so repeats are harmless. Ack.Have is the next position the server wants.
//   - Watch asks for Output of a running task at once rather than now and then. It changes nothing else, and what it asks for ends by itself.
//   - Finished is repeated until an Ack with Final set arrives, for as long as it takes. It counts only when the server already holds
//     all output before it; otherwise the Ack asks for the missing part.
//   - A Run whose Spec has a Plan hands the planned task to the node, which answers with Planned at once and from then on needs no server.
//     Run is repeated until then. Each run that falls due is told with Started, Output and Finished under the task's name and its Due, and
//     acknowledged one by one. Due is the moment of the plan, also when the run begins later, and no moment has two runs. No two runs live at
//     once and a moment that is missed is not made up for, unless the plan says so: with OverlapQueue one run waits for another, with
//     OverlapAllow several live at once, and CatchUp is how many missed moments are made up for, in their order. Planned says how many
//     moments came to nothing. When nothing will fall due any more and the last run is over, Finished for the task itself (Due 0) repeats how
//     the run of the latest moment ended, without output; OutcomeScheduleOver says that there was none. Run.TTL does not matter to a plan.
//   - A Run for a plan that the node has replaces it if its Plan.Revision is higher; in any case the answer is what the node goes by now.
//     Run.After keeps a node that takes up a plan (or takes it up again, having lost its journal) from what fired already.
//   - Stop for a planned task ends the plan and the runs that live, if any; OutcomeNeverStarted says that no run was ever started. Stop for
//     one run ends only that. An Ack with Final set for a plan that is not over works like Stop: the server knows no such plan any more.
//   - A Run whose Spec has a Transfer moves large files over HTTPS. It is the one kind of task that is begun again when the agent starts anew:
//     what is on disk or at the server already is not moved twice, and a file is put in place once. Progress tells how far it has come.
//   - After Hello a node sends Planned for each plan it carries out, and the server repeats Run for the plans that it misses among them: a
//     node whose journal was damaged carries out no plan before it is asked for it again.
//   - Hello follows every (re)connection and asks the server to repeat what is open for this node. Beat follows every 60 seconds, and every
//     Probe at once.
//   - Upgrade asks a node to replace its own program, if it believes in the release. It is repeated, also after each Hello, until the node
//     answers with an Upgraded that is final. The node keeps its answer, also from before a restart, and gives it again; it tries no
//     release twice that it had to go back from. Upgraded follows each Welcome if there is an answer at all.
//   - Welcome answers Hello once the server took it in. It is what a new program on trial waits for.
//
// # Encoding
//
// A message is one kind byte followed by fields in the protobuf wire format (tag and type, then a varint or a length and
// bytes), written by hand: generated code and its runtime would double the size of the agent. Zero values are left out, unknown
// fields are skipped, so fields can be added without a new version. A struct is never changed in meaning; when the meaning must change,
// a new kind or field is added and Version gets a dated line.
package protocol

import "strconv"

// Version is what a side speaks; Hello carries it.
//
//	1  2026-11  first version
//	1  2026-11  plans, files, dry runs and containers, for nodes that name the feature in their Hello
//	1  2026-11  policies of plans, likewise, and how many of a plan's moments came to nothing
//	1  2026-11  Watch, which older agents pass over
//	1  2026-12  Probe, which an older node leaves unanswered, and the machine's fingerprint in Hello
//	1  2026-12  Welcome and Upgrade, for nodes that name the feature in their Hello
//	1  2026-12  Rotate, which older agents pass over
//	1  2026-12  processors, memory and GPUs in Hello, which older agents leave out
//	1  2026-12  Finished says when its task arrived
const Version = 1

// MaxMessage is the largest message in bytes that either side sends or accepts; Output is cut to fit.
const MaxMessage = 1 << 20

// OutputChunk is the most output bytes that one Output or Finished message carries.
const OutputChunk = 256 << 10

// In is the subject on which the server speaks to the node with this key.
func In(key int64) string { return "errand.in." + strconv.FormatInt(key, 10) }

// Out is the subject on which the node with this key speaks to the server.
func Out(key int64) string { return "errand.out." + strconv.FormatInt(key, 10) }

// OutAll is the subscription that catches every node's messages.
const OutAll = "errand.out.*"

// NodeOf returns the node key in an Out subject.
func NodeOf(subject string) (key int64, ok bool) {
	const prefix = "errand.out."
	if len(subject) <= len(prefix) || subject[:len(prefix)] != prefix {
		return 0, false
	}
	key, err := strconv.ParseInt(subject[len(prefix):], 10, 64)
	return key, err == nil && key > 0
}
