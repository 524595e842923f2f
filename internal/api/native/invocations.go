package native

import (
	"cmp"
	"context"
	"errors"
	"time"

	"errand/internal/api"
	"errand/internal/core"
)

type createInvocation struct {
	Content string `json:"content"` // what runs, unless Command names it
	Command string `json:"command"` // id of a stored command
	// Params are filled in for {{name}}. In Content that is done only if there are any; otherwise braces mean nothing.
	Params   map[string]string `json:"params"`
	Type     string            `json:"type"`     // of Content: shell, powershell or bat; shell if left out
	Launcher *string           `json:"launcher"` // the program that reads Content
	Targets  []string          `json:"targets"`  // nodes by their ids; or else a target
	Name     string            `json:"name"`
	Reason   string            `json:"reason"` // what it is for, for whoever looks at it later
	Tags     any               `json:"tags"`   // an object of texts

	// TimeoutSeconds counts from the start of each process; left out, it is the stored command's, or 60.
	TimeoutSeconds *int64 `json:"timeout_seconds"`
	// QueueSeconds is how long a task waits for its node, at most 90 days; 60 if left out. With 0, tasks of nodes that are offline by now do not run.
	QueueSeconds *int64  `json:"queue_seconds"`
	WorkDir      *string `json:"work_dir"`
	User         *string `json:"user"`
	// Secrets are variables of the command's environment whose values stay out of the database, logs and listings, and are masked in the output.
	Secrets map[string]string `json:"secrets"`
	// Login reads the user's login profile first.
	Login bool `json:"login"`
	// PowerActions makes exit code 193 power the machine off and 194 restart it, after the result is stored here.
	PowerActions  bool       `json:"power_actions"`
	Resources     *resources `json:"resources"`
	ContainerID   string     `json:"container_id"`
	ContainerName string     `json:"container_name"`

	Repeat    string `json:"repeat"`    // once, period, next_reboot, each_reboot or dry_run; left out: once, or period with a frequency
	Frequency string `json:"frequency"` // rate(), at() or cron
	policy
	selection

	// Pace lets the run reach its nodes bit by bit.
	Pace *pacePlan `json:"pace"`
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

func (d *Dialect) createInvocation(ctx context.Context, c core.Caller, req *createInvocation) (*Invocation, error) {
	spec, err := req.spec()
	if err != nil {
		return nil, err
	}
	runOnce(ctx, c, &spec)
	v, err := d.env.Service.Run(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	return d.show(ctx, c, &v)
}

// style is how parameters are written: as every vendor does, and with Tencent's mark for secret ones, so that stored commands of all run.
var style = core.ParamStyle{Required: true, Hidden: "tat-hidden:"}

// runLimits are what a run may be. There is none on the number of its targets.
func runLimits() core.Limits {
	return core.Limits{DefaultTimeout: time.Minute, MinTimeout: time.Second, Name: 128, User: 255, WorkDir: 4096, Launcher: 1024, Dense: true}
}

func (req *createInvocation) spec() (spec core.RunSpec, err error) {
	spec = core.RunSpec{
		Origin: core.OriginNative, Reason: req.Reason, Targets: api.NodeIDs(req.Targets), KillTree: true, Params: req.Params, Style: style,
		Secrets: req.Secrets, Login: req.Login, Power: req.PowerActions, Resources: req.Resources.neutral(),
		ContainerID: req.ContainerID, ContainerName: req.ContainerName,
		Repeat: core.RepeatMode(req.Repeat), Frequency: req.Frequency,
		Limits: runLimits(),
	}
	if req.Repeat == "" && req.Frequency != "" {
		spec.Repeat = core.Period
	}
	if spec.Policy, err = req.policy.neutral(); err != nil {
		return spec, err
	}
	if spec.Select, err = req.selection.neutral(); err != nil {
		return spec, err
	}
	if spec.Tags, err = readTags(req.Tags); err != nil {
		return spec, err
	}
	if spec.Pace, err = req.Pace.neutral(); err != nil {
		return spec, err
	}
	if req.QueueSeconds != nil {
		if spec.DeliverWithin, err = period("queue_seconds", *req.QueueSeconds); err != nil {
			return spec, err
		}
		if *req.QueueSeconds == 0 {
			spec.DeliverWithin = core.NoWaiting
		}
	}
	var timeout *time.Duration
	if req.TimeoutSeconds != nil {
		timeout = new(time.Duration)
		*timeout = seconds64(*req.TimeoutSeconds)
	}
	if req.Command == "" {
		spec.Definition = core.Definition{
			Type: core.CommandType(cmp.Or(req.Type, string(core.Shell))), Content: []byte(req.Content), Name: req.Name, ParamsEnabled: len(req.Params) > 0,
		}
		core.Override{WorkDir: req.WorkDir, User: req.User, Launcher: req.Launcher, Timeout: timeout}.Apply(&spec.Definition)
		return spec, nil
	}
	if req.Content != "" || req.Type != "" {
		return spec, &api.ParamError{Name: "command", Err: errors.New("content and type are those of the command")}
	}
	var ok bool
	if spec.Command, ok = api.CommandID(req.Command); !ok {
		return spec, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonCommandNotFound, Detail: "no such command"}
	}
	spec.Override = core.Override{WorkDir: req.WorkDir, User: req.User, Launcher: req.Launcher, Timeout: timeout}
	if req.Name != "" {
		spec.Override.Name = &req.Name
	}
	return spec, nil
}

type getInvocation struct {
	ID    string `json:"-" path:"id"`
	Until string `json:"-" query:"until"` // what to wait for: all, any-failure or percent:90 of its tasks to end
	Wait  *int   `json:"-" query:"wait"`  // seconds to wait for it, at most 60; 30 if left out
}

const (
	usualWait = 30
	maxWait   = 60
)

func (d *Dialect) getInvocation(ctx context.Context, c core.Caller, req *getInvocation) (*Invocation, error) {
	id, err := invocationID(req.ID)
	if err != nil {
		return nil, err
	}
	if req.Until == "" {
		v, err := d.env.Service.Invocation(ctx, c, id)
		if err != nil {
			return nil, err
		}
		return d.show(ctx, c, &v)
	}
	until, err := core.ParseUntil(req.Until)
	if err != nil {
		return nil, err
	}
	wait := usualWait * time.Second
	if req.Wait != nil {
		if *req.Wait < 0 || *req.Wait > maxWait {
			return nil, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonFilter, Field: "wait", Detail: "0 to 60 seconds"}
		}
		wait = time.Duration(*req.Wait) * time.Second
	}
	v, met, err := d.env.Service.Await(ctx, c, id, until, wait)
	if err != nil {
		return nil, err
	}
	out, err := d.show(ctx, c, &v)
	if err == nil {
		out.Met = &met
	}
	return out, err
}

// invocationID reads the id of an invocation in a path.
func invocationID(text string) (core.ID, error) {
	id, ok := api.InvocationID(text)
	if !ok {
		return 0, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonInvocationNotFound, Detail: "no such invocation"}
	}
	return id, nil
}
