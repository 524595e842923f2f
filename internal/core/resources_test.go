package core_test

import (
	"errors"
	"testing"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// TestResources refuses limits that no node could set.
func TestResources(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("n")
	negative := int64(-1)
	for field, r := range map[string]core.Resources{
		"nice":           {Nice: 20},
		"io_class":       {IO: "fast"},
		"io_level":       {IO: core.IOIdle, IOLevel: 1},
		"cpu_millicores": {CPU: 9},
		"memory_bytes":   {Memory: 1 << 20},
		"pids":           {Processes: -1},
		"open_files":     {OpenFiles: 3},
		"file_bytes":     {FileSize: 1},
		"core_bytes":     {CoreSize: &negative},
	} {
		spec := order("n")
		spec.Resources = &r
		_, err := s.Service.Run(t.Context(), s.Caller, spec)
		var e *core.Error
		if !errors.As(err, &e) || e.Reason != core.ReasonInvalidValue || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for name, change := range map[string]func(*core.RunSpec){
		"limits": func(o *core.RunSpec) { o.Resources = &core.Resources{Nice: 1} },
		"login":  func(o *core.RunSpec) { o.Login = true },
		"power":  func(o *core.RunSpec) { o.Power = true },
	} {
		spec := order("n")
		change(&spec)
		if v := run(t, s, spec); v.ID == 0 {
			t.Errorf("%s: %+v", name, v)
		}
		spec.ContainerName = "web"
		if _, err := s.Service.Run(t.Context(), s.Caller, spec); !core.ReasonUnsupported.Is(err) {
			t.Errorf("%s in a container: %v", name, err)
		}
	}
}

// TestAgentTooOldForResources gives nothing to agents that would run it without limits.
func TestAgentTooOldForResources(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	s.Online(n)
	for name, test := range map[string]struct {
		change func(*core.RunSpec)
		cause  core.Cause
	}{
		"plain":           {func(*core.RunSpec) {}, core.NoCause},
		"limits":          {func(o *core.RunSpec) { o.Resources = &core.Resources{Nice: 1} }, core.CauseAgentTooOld},
		"login":           {func(o *core.RunSpec) { o.Login = true }, core.CauseAgentTooOld},
		"power":           {func(o *core.RunSpec) { o.Power = true }, core.CauseAgentTooOld},
		"login by custom": {func(o *core.RunSpec) { o.Login, o.Origin = true, core.OriginTAT }, core.NoCause},
	} {
		spec := order("n")
		test.change(&spec)
		if got := state(t, s, run(t, s, spec), n); got.Cause != test.cause {
			t.Errorf("%s: %s, %s", name, got.State, got.Cause)
		}
	}
}
