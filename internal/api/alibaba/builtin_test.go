package alibaba

import (
	"testing"

	"errand/internal/core"
)

func TestBuiltIns(t *testing.T) {
	t.Parallel()
	v := &core.Invocation{
		ID: 1 << 40, Command: 1<<40 + 1, Account: 42, Region: "cn-hangzhou", Definition: core.Definition{ParamsEnabled: true},
	}
	machine := &core.Node{ID: core.ID(1<<40 + 2).String(), Name: "web-1"}
	given := &core.Node{ID: "i-bp1", Name: "{{ACS::RegionId}}"}
	tests := []struct {
		script string
		node   *core.Node
		want   string
	}{
		{"echo {{ACS::InstanceId}}", given, "echo i-bp1"},
		{"echo {{ACS::InstanceId}}", machine, "echo mi-" + machine.ID},
		{"{{ ACS :: RegionId }} {{ACS::AccountId}}", given, "cn-hangzhou 0000000000000042"},
		{"{{ACS::InvokeId}} {{ACS::CommandId}}", given, "t-" + v.ID.String() + " c-" + v.Command.String()},
		{"{{ACS::InstanceName}}", given, "{{ACS::RegionId}}"}, // what was filled in is not looked at again
		{"{{acs::RegionId}} {{ACS::Nothing}} {{name}}", given, "{{acs::RegionId}} {{ACS::Nothing}} {{name}}"},
	}
	fill := BuiltIns("mi-")
	for _, tt := range tests {
		if got := string(fill([]byte(tt.script), v, tt.node)); got != tt.want {
			t.Errorf("%q becomes %q, want %q", tt.script, got, tt.want)
		}
	}
	off := *v
	off.ParamsEnabled = false
	if got := string(fill([]byte("{{ACS::RegionId}}"), &off, given)); got != "{{ACS::RegionId}}" {
		t.Errorf("without parameters: %q", got)
	}
	if err := checkPlaceholders([]byte("{{ACS::Nothing}}")); err == nil {
		t.Error("an unknown built-in parameter is taken")
	}
}
