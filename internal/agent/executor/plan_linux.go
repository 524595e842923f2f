package executor

import "time"

// plan is a Spec with everything looked up that can be looked up beforehand. It is all the supervisor knows.
type plan struct {
	ID     string   `json:"id"`
	Mark   string   `json:"mark"`            // in the environment of the task's processes and of no other
	BootID string   `json:"boot_id"`         // of the machine when the task was started
	Argv   []string `json:"argv"`            // the first word may still have to be found in PATH
	Inner  string   `json:"inner,omitempty"` // what Argv will execute in its turn, if that is a path
	Script string   `json:"script"`          // path; occurs in Argv
	Env    []string `json:"env"`

	Dir  string      `json:"dir,omitempty"` // working directory, if one was asked for
	Home string      `json:"home"`          // else this one, if it can be entered
	User *credential `json:"user,omitempty"`

	Timeout      time.Duration `json:"timeout_ns,omitempty"`
	TimeoutGrace time.Duration `json:"timeout_grace_ns"`
	Grace        time.Duration `json:"grace_ns"`
	Tree         bool          `json:"tree"`

	Hidden     bool    `json:"hidden,omitempty"` // script and part of the environment come through secretFD
	OutputCap  int64   `json:"output_cap"`
	Normalized bool    `json:"normalized,omitempty"`
	Limits     *Limits `json:"limits,omitempty"`
	groups             // made for this task
}

// credential is who a command runs as when that is not the agent's own user.
type credential struct {
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups"`
}

// state names the living processes of a task. Start ticks tell a process from a later one with the same id.
type state struct {
	PID         int       `json:"pid"`
	Ticks       uint64    `json:"ticks"`
	ScriptPID   int       `json:"script_pid"` // also its session
	ScriptTicks uint64    `json:"script_ticks"`
	StartedAt   time.Time `json:"started_at"`
}

// stateSize is the space taken for a state before it is known.
const stateSize = 512
