package apitest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// registerCode is a register code as TAT lists it.
type registerCode struct {
	RegisterCodeId, Description, InstanceNamePrefix, IpAddressRange string

	RegisterLimit, RegisteredCount int64
	Enabled                        bool
}

// Registering makes a register code of TAT, lets a machine join with it, shows both, closes the code to others, renames the machine, takes it
// out again, and deletes the code.
func Registering(t *testing.T, target Target) {
	t.Helper()
	c := newTAT(target, methodTC3)
	ask := func(action string, params map[string]any, into any) {
		t.Helper()
		if err := c.ask(action, params, into); err != nil {
			t.Fatalf("%s: %v", action, err)
		}
	}
	var made struct{ RegisterCodeId, RegisterCodeValue string }
	ask("CreateRegisterCode", map[string]any{
		"Description": "machines of the story", "InstanceNamePrefix": "tat", "RegisterLimit": 3, "EffectiveTime": 2, "IpAddressRange": "127.0.0.0/8",
	}, &made)
	if err := target.Enrol(t, "registers-1", made.RegisterCodeId, made.RegisterCodeValue); err != nil {
		t.Fatal(err)
	}

	ids := map[string]any{"RegisterCodeIds": []string{made.RegisterCodeId}}
	codes := func() []registerCode {
		t.Helper()
		var resp struct {
			TotalCount      int
			RegisterCodeSet []struct {
				registerCode
				ExpiredTime, CreatedTime string
			}
		}
		ask("DescribeRegisterCodes", ids, &resp)
		var list []registerCode
		for _, r := range resp.RegisterCodeSet {
			if valid := parseTime(t, r.ExpiredTime).Sub(parseTime(t, r.CreatedTime)); valid != 2*time.Hour {
				t.Errorf("valid for %v", valid)
			}
			list = append(list, r.registerCode)
		}
		if resp.TotalCount != len(list) {
			t.Errorf("%d codes, %d in all", len(list), resp.TotalCount)
		}
		return list
	}
	want := registerCode{made.RegisterCodeId, "machines of the story", "tat", "127.0.0.0/8", 3, 1, true}
	if diff := cmp.Diff([]registerCode{want}, codes()); diff != "" {
		t.Errorf("code (-want +got):\n%s", diff)
	}

	type machine struct{ RegisterCodeId, InstanceId, InstanceName, SystemName, Status string }
	machines := func() []machine {
		t.Helper()
		var resp struct{ RegisterInstanceSet []machine }
		ask("DescribeRegisterInstances", map[string]any{"Filters": filterBy("register-code-id", made.RegisterCodeId)}, &resp)
		return resp.RegisterInstanceSet
	}
	joined := machine{made.RegisterCodeId, "registers-1", "tat-1", "Linux", "Online"}
	if diff := cmp.Diff([]machine{joined}, machines()); diff != "" {
		t.Errorf("machine (-want +got):\n%s", diff)
	}

	ask("DisableRegisterCodes", ids, &struct{}{})
	want.Enabled = false
	if diff := cmp.Diff([]registerCode{want}, codes()); diff != "" {
		t.Errorf("closed code (-want +got):\n%s", diff)
	}
	if err := target.Enrol(t, "registers-2", made.RegisterCodeId, made.RegisterCodeValue); err == nil {
		t.Error("a machine joined with a closed code")
	}
	ask("ModifyRegisterInstance", map[string]any{"InstanceId": "registers-1", "InstanceName": "renamed"}, &struct{}{})
	joined.InstanceName = "renamed"
	if diff := cmp.Diff([]machine{joined}, machines()); diff != "" {
		t.Errorf("renamed (-want +got):\n%s", diff)
	}

	leave := map[string]any{"InstanceId": "registers-1"}
	ask("DeleteRegisterInstance", leave, &struct{}{})
	if left := machines(); len(left) != 0 {
		t.Errorf("machines after it left: %+v", left)
	}
	if code := refusal(t, c.ask("DeleteRegisterInstance", leave, &struct{}{})); code != "ResourceNotFound.RegisterInstanceNotFoundCode" {
		t.Errorf("deleted twice: %s", code)
	}
	ask("DeleteRegisterCodes", ids, &struct{}{})
	if left := codes(); len(left) != 0 {
		t.Errorf("codes after it was deleted: %+v", left)
	}
	if code := refusal(t, c.ask("DisableRegisterCodes", ids, &struct{}{})); code != "ResourceNotFound.RegisterCodesNotFoundCode" {
		t.Errorf("closed after it was deleted: %s", code)
	}
}
