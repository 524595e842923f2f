package ecs_test

import (
	"strconv"
	"strings"
	"testing"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/api/alibaba/caller"
	"errand/internal/api/ecs"
	"errand/internal/api/scene"
	"errand/internal/core"
)

// open sets a scene with the dialect and a caller.
func open(t *testing.T, options ...func(*core.Config)) (*scene.Scene, *caller.Client) {
	t.Helper()
	s := scene.New(t, options...)
	c := caller.New(t, s, alibaba.VersionECS, ecs.New(s.Env()))
	c.Common["RegionId"] = "cn-hangzhou"
	return s, c
}

// shell is a command that can be run; the test names the machine.
func shell(ids ...string) caller.Params {
	return caller.Params{"Type": "RunShellScript", "CommandContent": "echo hi"}.With(list("InstanceId", ids...)...)
}

// list flattens a list of scalars.
func list(name string, values ...string) []string {
	var pairs []string
	for i, v := range values {
		pairs = append(pairs, name+"."+strconv.Itoa(i+1), v)
	}
	return pairs
}

type ran struct{ RequestId, CommandId, InvokeId string }

// run runs a command and returns the ids.
func run(t *testing.T, c *caller.Client, p caller.Params) (ran, core.ID) {
	t.Helper()
	var r ran
	c.Call("RunCommand", p).Into(t, &r)
	id, ok := api.InvocationID(r.InvokeId)
	if !ok || !strings.HasPrefix(r.InvokeId, "t-") || !strings.HasPrefix(r.CommandId, "c-") {
		t.Fatalf("ids %+v", r)
	}
	return r, id
}

// tally counts what is stored, to see that a refused call left nothing behind.
func tally(t *testing.T, s *scene.Scene) [3]int {
	t.Helper()
	page := core.PageSpec{Limit: 1, Count: true}
	_, commands, err1 := s.Service.Commands(t.Context(), s.Caller, core.CommandFilter{}, page)
	_, invocations, err2 := s.Service.Invocations(t.Context(), s.Caller, core.InvocationFilter{}, page)
	_, codes, err3 := s.Service.Registrations(t.Context(), s.Caller, core.RegistrationFilter{}, page)
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	return [3]int{commands.Total, invocations.Total, codes.Total}
}
