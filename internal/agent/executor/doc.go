// Package executor runs one command on this machine under a small supervisor child process, so that the command
// outlives the agent that started it. Everything the two processes share lies in one folder per task: the plan, the
// script, the output in positioned segments and, at the end, a durable exit record; a restarted agent takes a task up
// again from that folder alone. The package knows neither transport nor journal: running a task at most once is the
// caller's business, helped by Start refusing a folder that was used before.
package executor

// SuperviseArg is the hidden first argument with which a program re-executes itself as a supervisor. Its main function
// must look for it before anything else and then exit with what Supervise returns for the second argument.
const SuperviseArg = "exec-supervise"

// Names inside a task's folder.
const (
	planFile      = "spec.json"  // what to run, written by the agent; its existence claims the folder
	stateFile     = "state.json" // who runs it since when, written by the supervisor
	exitFile      = "exit.json"  // how it ended, complete and durable once it has this name
	exitTemp      = "exit.tmp"   // space for the exit record, taken before the command starts
	aliveFIFO     = "alive"      // FIFO with a writer from before the supervisor's start until the result is final
	controlFIFO   = "ctl"        // FIFO through which the agent asks the supervisor to stop the command
	scriptBase    = "script"     // followed by a suffix
	segmentPrefix = "output."    // followed by the merged offset of the segment's first byte
)
