package native

import (
	"context"
	"time"

	"errand/internal/api"
	"errand/internal/core"
)

type createInvocation struct {
	Content string   `json:"content"`
	Targets []string `json:"targets"`
	// TimeoutSeconds counts from the start of each process; 60 if left out.
	TimeoutSeconds *int64  `json:"timeout_seconds"`
	WorkDir        *string `json:"work_dir"`
	User           *string `json:"user"`
	// Secrets are variables of the command's environment whose values stay out of the database, logs and listings, and are masked in the output.
	Secrets map[string]string `json:"secrets"`
	// Login reads the user's login profile first.
	Login bool `json:"login"`
	// PowerActions makes exit code 193 power the machine off and 194 restart it, after the result is stored here.
	PowerActions bool       `json:"power_actions"`
	Resources    *resources `json:"resources"`

	Repeat    string `json:"repeat"`    // once, period, next_reboot, each_reboot or dry_run; left out: once, or period with a frequency
	Frequency string `json:"frequency"` // rate(), at() or cron
	policy
}

// resources bounds what the run may use on each node.
type resources struct {
	Nice     int    `json:"nice"`     // -20 to 19
	IOClass  string `json:"io_class"` // realtime, best-effort or idle
	IOLevel  int    `json:"io_level"` // 0 to 7
	CPU      int64  `json:"cpu_millicores"`
	Memory   int64  `json:"memory_bytes"`
	PIDs     int64  `json:"pids"` // processes and threads
	Files    int64  `json:"open_files"`
	FileSize int64  `json:"file_bytes"`
	CoreSize *int64 `json:"core_bytes"`
}

func (r *resources) neutral() *core.Resources {
	if r == nil {
		return nil
	}
	return &core.Resources{
		Nice: r.Nice, IO: core.IOClass(r.IOClass), IOLevel: r.IOLevel, CPU: r.CPU, Memory: r.Memory, Processes: r.PIDs,
		OpenFiles: r.Files, FileSize: r.FileSize, CoreSize: r.CoreSize,
	}
}

// Invocation is an invocation with the number of its tasks in each state that has any.
type Invocation struct {
	ID        string         `json:"id"`
	CreatedAt time.Time      `json:"created_at"`
	EndedAt   *time.Time     `json:"ended_at,omitempty"`
	Tasks     int            `json:"tasks"`
	Open      int            `json:"open"`
	States    map[string]int `json:"states"`
	Repeat    *repeat        `json:"schedule,omitempty"` // of one that repeats
}

func (d *Dialect) createInvocation(ctx context.Context, c core.Caller, req *createInvocation) (*Invocation, error) {
	spec := core.RunSpec{
		Origin: core.OriginNative, Targets: api.NodeIDs(req.Targets), KillTree: true,
		Definition: core.Definition{Type: core.Shell, Content: []byte(req.Content)},
		Secrets:    req.Secrets,
		Login:      req.Login, Power: req.PowerActions, Resources: req.Resources.neutral(),
		Repeat: core.RepeatMode(req.Repeat), Frequency: req.Frequency,
		Limits: core.Limits{DefaultTimeout: time.Minute, MinTimeout: time.Second, User: 255, WorkDir: 4096, Dense: true},
	}
	if req.Repeat == "" && req.Frequency != "" {
		spec.Repeat = core.Period
	}
	var err error
	if spec.Policy, err = req.policy.neutral(); err != nil {
		return nil, err
	}
	if req.TimeoutSeconds != nil {
		spec.Timeout = time.Duration(*req.TimeoutSeconds) * time.Second
	}
	if req.WorkDir != nil {
		spec.WorkDir = *req.WorkDir
	}
	if req.User != nil {
		spec.User = *req.User
	}
	v, err := d.env.Service.Run(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	return show(&v), nil
}

type getInvocation struct {
	ID string `json:"-" path:"id"`
}

func (d *Dialect) getInvocation(ctx context.Context, c core.Caller, req *getInvocation) (*Invocation, error) {
	id, ok := api.InvocationID(req.ID)
	if !ok {
		return nil, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonInvocationNotFound, Detail: "no such invocation"}
	}
	v, err := d.env.Service.Invocation(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return show(&v), nil
}

func show(v *core.Invocation) *Invocation {
	out := &Invocation{
		ID: v.ID.String(), CreatedAt: v.CreatedAt, Tasks: v.Counts.Total(), Open: v.Counts.Open(), States: map[string]int{},
	}
	if !v.EndedAt.IsZero() {
		out.EndedAt = &v.EndedAt
	}
	if v.Kind == core.KindStanding {
		out.Repeat = showRepeat(v)
	}
	for s, n := range v.Counts {
		if n > 0 {
			out.States[core.State(s).String()] = int(n)
		}
	}
	return out
}
