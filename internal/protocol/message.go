package protocol

import "fmt"

// Kind is the first byte of a message.
type Kind byte

// Kinds from the server to a node are below 64, kinds from a node to the server start there.
const (
	KindRun  Kind = 1
	KindStop Kind = 2
	KindAck  Kind = 3
	// KindWatch is 4; an agent that does not know it goes on as before.
	KindWatch Kind = 4
	// KindProbe asks for a Beat at once, by which the server knows that the node is there. It has no fields.
	KindProbe Kind = 5

	KindWelcome Kind = 6
	KindUpgrade Kind = 7
	// KindRotate is 8; an agent that does not know it keeps its key.
	KindRotate Kind = 8

	KindHello    Kind = 64
	KindBeat     Kind = 65
	KindReceived Kind = 66
	KindStarted  Kind = 67
	KindOutput   Kind = 68
	KindFinished Kind = 69
	KindPlanned  Kind = 70
	KindUpgraded Kind = 71
	KindProgress Kind = 72
)

// Task names one execution on one node: the invocation's number and the position of the node among its targets. A planned task names
// each of its runs by the moment it was due as well.
type Task struct {
	Invocation uint64
	Index      uint32
	Due        int64 // microseconds since 1970, of one run of a planned task; 0 names the task itself
}

// Planned returns the planned task that a run belongs to; any other task is its own.
func (t Task) Planned() Task {
	t.Due = 0
	return t
}

// Run asks the node to execute a task at most once.
type Run struct {
	Task Task
	Spec Spec
	// TTL is how many milliseconds after arrival the task may still be started; 0 means no limit. It is relative because
	// the two clocks need not agree.
	TTL uint64
	// After tells a node that takes up a plan which of its moments are over, microseconds since 1970: none up to and including this one
	// fires. 0 means that none is over.
	After int64
}

// Spec is what to execute. It is the same for all nodes of an invocation, so the server encodes it once.
type Spec struct {
	Content  []byte
	Type     string // "shell", "powershell", "bat"
	Launcher string // command line with the script's place in it; empty means the script's own interpreter
	WorkDir  string // empty means the home of the user
	User     string // empty means the agent's own user
	Timeout  uint64 // seconds from the start of the process; 0 means none
	Grace    uint64 // milliseconds between asking and forcing a process to end
	KillTree bool   // end all descendants, not just the script
	Env      map[string]string

	Plan *Plan // run Content again and again, or later; nil means once and now
	File *File // write Content to a file instead of running it

	// DryRun checks what can be checked without running anything, and ends as a start that fails or as an exit with 0.
	DryRun bool

	// The container to run in, by runtime and id such as "docker://1f2e", by name, or both; empty means the machine itself.
	ContainerID   string
	ContainerName string

	Limits *Limits // nil means none
	Login  bool    // read the user's login profile first; a node without the feature runs the task all the same
	Hidden bool    // Content and Env hold secrets: neither is written down in the clear, and long values of Env are masked in the output
	Power  bool    // ExitPowerOff and ExitReboot mean what they are called, once the result is acknowledged

	Transfer *Transfer // move large files instead of running anything; see transfer.go
}

// The exit codes with which a task whose Spec has Power asks for an end of the machine.
// https://www.alibabacloud.com/help/en/ecs/user-guide/restart-or-shut-down-an-ecs-instance-by-running-a-command
const (
	ExitPowerOff = 193
	ExitReboot   = 194
)

// Limits bounds what a task's processes may use; zero values bound nothing. A node that cannot enforce one does not start the task.
type Limits struct {
	Nice      int64   // -20 to 19
	IOClass   uint64  // 1 realtime, 2 best effort, 3 idle
	IOLevel   uint64  // 0 to 7
	CPU       uint64  // thousandths of a core, all processes together
	Memory    uint64  // bytes, all processes together
	Processes uint64  // all processes and threads together
	OpenFiles uint64  // of each process
	FileSize  uint64  // bytes that each process may make a file long
	CoreSize  *uint64 // bytes of a core dump
}

// Plan is when a node runs a task by itself, also while it has no connection. An invocation that runs at set times has one plan for
// all of its nodes; each evaluates it by its own clock and, unless the expression names one, in its own time zone.
type Plan struct {
	Expr     string // rate(), at() or cron as the vendor writes them; without meaning when Boot is set
	Boot     Boot
	Created  int64  // microseconds since 1970; a rate fires at whole intervals after it
	Revision uint64 // a higher one replaces what the node has

	// What becomes of moments that are no run on time; a plan with any of these needs FeaturePolicy.
	Overlap Overlap // of a moment that comes while a run lives
	CatchUp uint64  // how many moments that were missed are made up for, the latest ones; 0 means none
	Jitter  uint64  // milliseconds by which a node puts its runs off at most
}

// Overlap is what becomes of a moment that comes while a run of the same plan lives.
type Overlap byte

// The overlaps.
const (
	OverlapSkip  Overlap = 0 // it is skipped
	OverlapQueue Overlap = 1 // it runs afterwards; one at most waits
	OverlapAllow Overlap = 2 // it runs all the same, within what the node can bear
)

// Boot is a plan that goes by starts of the machine, not of the agent.
type Boot byte

// The boot plans. The start during which a plan is accepted is not one of those that it waits for.
const (
	BootNone  Boot = 0
	BootNext  Boot = 1 // at the next start, once
	BootEvery Boot = 2 // at each start, once
)

// File is where the content of a task goes that sends a file.
// https://www.alibabacloud.com/help/en/ecs/developer-reference/api-ecs-2014-05-26-sendfile
type File struct {
	Name      string // without folders
	Dir       string // absolute; made if it is missing
	Mode      string // three or four octal digits; empty means 0644
	Owner     string // user name; empty means the agent's own user
	Group     string // empty means the agent's own group
	Overwrite bool   // an existing file, which otherwise is an error
}

// Stop asks the node to end a task, or never to start it.
type Stop struct {
	Task Task
}

// Ack answers Output and Finished after the server has committed them.
type Ack struct {
	Task  Task
	Have  uint64 // next output position wanted
	Final bool   // the result is stored: the node may forget all but the task's name
}

// Watch says that somebody follows the output of a running task: for a while the node shall send what is printed as soon as it can, within a
// quarter of a second. It is repeated as long as somebody watches.
type Watch struct {
	Task Task
	For  uint64 // milliseconds; the node bounds it
}

// Rotate asks the node to replace its key; see NextKeyPath.
type Rotate struct {
	After uint64 // seconds; a later Rotate replaces this one
}

// Hello introduces a node after each connection.
type Hello struct {
	Version  uint64 // of this protocol
	Agent    string // release of the agent program
	BootID   string // changes when the machine starts
	StartID  string // changes when the agent starts
	Hostname string
	OS       string // runtime.GOOS
	OSName   string // for people, such as "Debian GNU/Linux 12"
	Kernel   string
	Arch     string // runtime.GOARCH
	IPs      []string
	Clock    int64  // the node's clock, microseconds since 1970
	Zone     string // the node's time zone name
	Features []string
	Active   uint64   // tasks in progress
	Machine  string   // the machine's fingerprint, see SameMachine
	Crash    string   // of an agent that crashed before this one, in at most MaxCrash bytes; told once
	CPUs     uint64   // processors; 0 if it is not known, as are the next two
	Memory   uint64   // bytes
	GPUs     []string // the model of each
}

// MaxCrash is the most that is told of a crash, in bytes.
const MaxCrash = 4 << 10

// Beat says that the node is alive.
type Beat struct {
	Clock  int64 // microseconds since 1970
	Active uint64
}

// Received says that a task is in the node's journal but waits for its turn.
type Received struct {
	Task Task
}

// Planned says that a node has a planned task in its journal and carries it out. It is sent on acceptance, for each repeated Run, and for
// every plan that is not over after each connection.
type Planned struct {
	Task     Task
	Revision uint64 // that the node goes by
	// How many moments came to no run so far: because a run lived, and because nobody was there to start one. Both only grow, unless
	// the node's journal was lost.
	Skipped, Missed uint64
}

// Progress says how far a task has come that moves files. It is sent now and then, and never repeated.
type Progress struct {
	Task  Task
	Done  uint64 // bytes
	Total uint64
}

// Started says that the process runs. Short tasks send only Finished.
type Started struct {
	Task Task
	At   int64 // microseconds since 1970, the node's clock
}

// Stream tells apart the two outputs of a process.
type Stream byte

// The streams.
const (
	Stdout Stream = 1
	Stderr Stream = 2
)

// Span says how many of the following bytes belong to which stream.
type Span struct {
	Stream Stream
	Len    uint32
}

// Chunk is a piece of merged output: the bytes of both streams in order of arrival.
type Chunk struct {
	Off   uint64 // position of the first byte in the merged stream
	Gap   bool   // what the node had between the server's position and Off is gone: the middle of a very large output
	Spans []Span
	Data  []byte
}

// Output carries a piece of output of a running or ended task.
type Output struct {
	Task  Task
	Chunk Chunk
}

// Outcome is how a task ended on the node.
type Outcome byte

// Outcomes. The numbers travel; new ones are added at the end.
const (
	OutcomeExited         Outcome = 1 // by itself, with ExitCode
	OutcomeTimedOut       Outcome = 2
	OutcomeStopped        Outcome = 3 // after Stop, while running
	OutcomeNeverStarted   Outcome = 4 // after Stop, before it started
	OutcomeExpired        Outcome = 5 // arrived, but could not be started within its TTL
	OutcomeUserNotFound   Outcome = 6
	OutcomeDirNotFound    Outcome = 7
	OutcomeDirDenied      Outcome = 8
	OutcomeNotApplicable  Outcome = 9 // the platform cannot run this type
	OutcomeNoInterpreter  Outcome = 10
	OutcomeInvalid        Outcome = 11 // content, launcher or user refused
	OutcomeNoSpace        Outcome = 12
	OutcomeReadOnly       Outcome = 13 // read-only file system
	OutcomeExecFailed     Outcome = 14
	OutcomeTooMany        Outcome = 15 // the node's limit on waiting tasks
	OutcomeInterrupted    Outcome = 16 // agent stopped between the journal and the start: nobody knows, nothing is guessed
	OutcomeSupervisorGone Outcome = 17 // the supervising process was killed
	OutcomeRebooted       Outcome = 18
	OutcomeOutOfMemory    Outcome = 19
	OutcomeAgentFault     Outcome = 20
	OutcomeBadSchedule    Outcome = 21 // the node cannot read the plan; Detail says why

	OutcomeFileCreate    Outcome = 22 // the file could not be written, see Detail
	OutcomeFileExists    Outcome = 23 // and was not to be overwritten
	OutcomeFileContent   Outcome = 24
	OutcomeFileName      Outcome = 25
	OutcomeFilePath      Outcome = 26
	OutcomeFileMode      Outcome = 27
	OutcomeGroupNotFound Outcome = 28

	OutcomeScheduleOver Outcome = 29 // of a planned task: no run took place and none will

	OutcomeContainerID           Outcome = 30 // malformed
	OutcomeContainerName         Outcome = 31 // malformed
	OutcomeContainerUnsupported  Outcome = 32 // no such container runtime here
	OutcomeContainerMismatch     Outcome = 33 // name and id are of two containers
	OutcomeContainerDuplicated   Outcome = 34 // several containers have the name
	OutcomeContainerNotFound     Outcome = 35
	OutcomeContainerState        Outcome = 36 // it does not run
	OutcomeContainerConnect      Outcome = 37 // no connection to the runtime
	OutcomeContainerRuntimeError Outcome = 38
	OutcomeContainerTimeout      Outcome = 39 // the runtime did not answer in time

	OutcomeLimits Outcome = 40 // a limit cannot be enforced on this node; Detail says which

	OutcomeFileHash       Outcome = 41 // what arrived is not what was sent
	OutcomeFileChanged    Outcome = 42 // while it was read
	OutcomeFileKind       Outcome = 43 // a folder, a device or the like
	OutcomeFileTooLarge   Outcome = 44 // for the server, or for who asked
	OutcomeFileMissing    Outcome = 45
	OutcomeFileUnreadable Outcome = 46
	OutcomeFileRefused    Outcome = 47 // the server would not give or take it; Detail says why

	outcomeEnd Outcome = 48
)

// Valid reports whether o is a known outcome.
func (o Outcome) Valid() bool { return o > 0 && o < outcomeEnd }

// Finished is the result of a task.
type Finished struct {
	Task     Task
	Outcome  Outcome
	ExitCode int64
	Signal   uint64 // number of the signal that ended the process, 0 if none
	Detail   string // for people: which user, which directory, which errno
	Started  int64  // microseconds since 1970; 0 if it never started
	Ended    int64
	Stdout   uint64 // bytes printed in all, kept or not
	Stderr   uint64
	// Last holds the final piece of output, all of it when it was small.
	Last Chunk
	// End is the position after the last kept byte; the result counts once the server holds everything before it.
	End uint64
	// DrainCut says that a child kept the output open, so that later bytes are not part of the result.
	DrainCut bool
	// Skipped and Missed are as in Planned, when a plan is over.
	Skipped, Missed uint64
	// Received is when the task arrived, by the node's clock; 0 if that is not known any more. A short task says nothing else about it.
	Received int64
}

// The features that a node names in its Hello beside the types of scripts it can run. A server must not send what needs one to a node
// without it: to an older agent, all of these look like a command to run at once on the machine.
const (
	FeatureSchedule  = "schedule"  // Spec.Plan
	FeatureFile      = "file"      // Spec.File
	FeatureDryRun    = "dryrun"    // Spec.DryRun
	FeatureContainer = "container" // Spec.ContainerID and Spec.ContainerName
	FeatureLimits    = "limits"    // Spec.Limits
	FeatureLogin     = "login"     // Spec.Login
	FeaturePower     = "power"     // Spec.Power
	FeaturePolicy    = "policy"    // Plan.Overlap, Plan.CatchUp and Plan.Jitter
	FeatureSecret    = "secret"    // Spec.Hidden
	FeatureUpgrade   = "upgrade"   // Welcome and Upgrade
	FeatureTransfer  = "transfer"  // Spec.Transfer
)

// KindOf returns the kind of an encoded message.
func KindOf(b []byte) (Kind, error) {
	if len(b) == 0 {
		return 0, fmt.Errorf("%w: empty", ErrMalformed)
	}
	if len(b) > MaxMessage {
		return 0, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	return Kind(b[0]), nil
}
