package apitest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Stage is where the tasks of a Matrix meet their fates: a server whose only machine does what the test wants.
type Stage interface {
	// Ready makes the machine ready for a task that is to meet this fate.
	Ready(t *testing.T, fate string)
	// Lead leads the task of an invocation, named as an SDK names it, to a fate.
	Lead(t *testing.T, fate, invocation string)
}

// The fates of the matrix, which a Stage has to know.
const (
	Succeeds      = "success"
	Exits         = "exit code"
	RunsOutOfTime = "timeout"
	CannotStart   = "start failure"
	StoppedBefore = "stopped before it ran"
	StoppedWhile  = "stopped while it ran"
	Undeliverable = "undeliverable"
	GetsLost      = "lost"
	LosesNode     = "node removed"
)

// fated is what a dialect says about an invocation whose one task met a fate, and the exit code it shows.
type fated struct {
	whole, machine []string
	exit           int64
}

// fates is the whole matrix. What ECS and Lingjun say differs in the codes for machines alone.
var fates = []struct {
	name                string
	ecs, eflo, tat, zos fated
}{
	{
		Succeeds,
		fated{say("Success", "Finished"), say("Success", "Finished"), 0},
		fated{say("Success", "Finished"), say("Success", "Finished"), 0},
		fated{say("SUCCESS"), say("SUCCESS"), 0},
		fated{say("Success"), say("Success"), 0},
	},
	{
		Exits,
		fated{say("Failed", "Finished"), say("Failed", "Finished", "ExitCodeNonzero"), 3},
		fated{say("Failed", "Finished"), say("Failed", "Finished", "ExitCodeNonzero"), 3},
		fated{say("FAILED"), say("FAILED"), 3},
		fated{say("Failed"), say("Failed", "ExecutionExitNoneZero"), 3},
	},
	{
		RunsOutOfTime,
		fated{say("Failed", "Failed"), say("Timeout", "Failed", "ExecutionTimeout"), 137},
		fated{say("Failed", "Failed"), say("Timeout", "Failed", "ExecutionTimeout"), 137},
		fated{say("TIMEOUT"), say("TIMEOUT"), -1},
		fated{say("Failed"), say("Timeout", "ExecutionTimeout"), 137},
	},
	{
		CannotStart,
		fated{say("Failed", "Failed"), say("Invalid", "Failed", "AccountNotExists"), 0},
		fated{say("Failed", "Failed"), say("Invalid", "Failed", "AccountNotExists"), 0},
		fated{say("FAILED"), say("START_FAILED", "InvalidUser: the user does not exist"), -1},
		fated{say("Failed"), say("Error", "SystemError"), 0},
	},
	{
		StoppedBefore,
		fated{say("Stopped", "Stopped"), say("Cancelled", "Stopped", "ExecutionInterrupted"), 0},
		fated{say("Stopped", "Stopped"), say("Cancelled", "Stopped", "ExecutionInterrupted"), 0},
		fated{say("CANCELLED"), say("CANCELLED"), -1},
		fated{say("Failed"), say("Error", "SystemError"), 0},
	},
	{
		StoppedWhile,
		fated{say("Stopped", "Stopped"), say("Terminated", "Stopped", "ExecutionInterrupted"), 143},
		fated{say("Stopped", "Stopped"), say("Terminated", "Stopped", "ExecutionInterrupted"), 143},
		fated{say("CANCELLED"), say("TERMINATED"), -1},
		fated{say("Failed"), say("Error", "SystemError"), 143},
	},
	{
		Undeliverable,
		fated{say("Failed", "Failed"), say("Aborted", "Failed", "DeliveryTimeout"), 0},
		fated{say("Failed", "Failed"), say("Aborted", "Failed", "DeliveryTimeout"), 0},
		fated{say("FAILED"), say("DELIVER_FAILED", "DeliverTimeout: the agent did not take the task in time"), -1},
		fated{say("Failed"), say("Error", "SystemError"), 0},
	},
	{
		GetsLost,
		fated{say("Failed", "Failed"), say("Error", "Failed", "ClientNotResponse"), 0},
		fated{say("Failed", "Failed"), say("Error", "Failed", "ClientNotResponse"), 0},
		fated{say("TIMEOUT"), say("TASK_TIMEOUT", "AgentUnresponsive: the agent stopped reporting"), -1},
		fated{say("Failed"), say("Error", "SystemError"), 0},
	},
	{
		LosesNode,
		fated{say("Failed", "Failed"), say("Error", "Failed", "InstanceReleased"), 0},
		fated{say("Failed", "Failed"), say("Error", "Failed", "NodeReleased"), 0},
		fated{say("TIMEOUT"), say("TASK_TIMEOUT", "InstanceReleased: the instance was removed"), -1},
		fated{say("Failed"), say("Error", "InstanceNotExists", "gone"), 0},
	},
}

func say(list ...string) []string { return list }

// Matrix makes invocations through the SDK of one dialect, leads the task of each to another fate, and reads it through the SDKs of all of
// them. Node is the target's only one; the last fate removes it.
func Matrix(t *testing.T, target Target, through string, stage Stage) {
	t.Helper()
	all := readers(t, target)
	maker := map[string]sdk{"ecs": all[&ecsWords], "eflo": all[&efloWords], "tat": all[&tatWords], "zos": all[&zosWords]}[through]
	for _, f := range fates {
		stage.Ready(t, f.name)
		id := mustRun(t, maker, failingScript)
		stage.Lead(t, f.name, id)
		for reader, want := range map[*dialect]fated{&ecsWords: f.ecs, &efloWords: f.eflo, &tatWords: f.tat, &zosWords: f.zos} {
			got := mustRead(t, all[reader], id)
			read := fated{whole: got.Words}
			for _, m := range got.Nodes {
				read.machine, read.exit = m.Words, m.ExitCode
			}
			if diff := cmp.Diff(want, read, cmp.AllowUnexported(fated{})); diff != "" || len(got.Nodes) != len(target.Nodes) {
				t.Errorf("%s, made through %s, read through %s: %d machines (-want +got):\n%s", f.name, through, reader.name, len(got.Nodes), diff)
			}
		}
	}
}
