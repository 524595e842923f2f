package tat

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/core"
)

func TestRegisterCodes(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	first := ok[createRegisterCodeResponse](c.call("CreateRegisterCode", `{}`))
	second := ok[createRegisterCodeResponse](c.call("CreateRegisterCode", object(
		"Description", "rack 7", "InstanceNamePrefix", "web", "RegisterLimit", 2, "EffectiveTime", 100000, "IpAddressRange", "10.1.2.3/8",
	)))
	third := ok[createRegisterCodeResponse](c.call("CreateRegisterCode", object("IpAddressRange", "192.0.2.1", "EffectiveTime", 99999)))
	id, known := core.ParseUUID(second.RegisterCodeId)
	if !known || second.RegisterCodeValue == first.RegisterCodeValue {
		t.Fatalf("%+v", second)
	}
	n, err := c.scene.Service.Register(t.Context(), core.Enrolment{
		Code: id, Secret: second.RegisterCodeValue, PublicKey: "p", Source: netip.MustParseAddr("10.9.9.9"), Facts: core.Facts{Platform: core.Linux},
	})
	if err != nil || n.Name != "web-1" {
		t.Fatalf("%+v, %v", n, err)
	}
	c.scene.Advance(4 * time.Hour)
	want := golden(t, `{"TotalCount": 3, "RegisterCodeSet": [
		{"RegisterCodeId": "`+third.RegisterCodeId+`", "Description": "", "InstanceNamePrefix": "", "RegisterLimit": 10,
			"ExpiredTime": "2038-04-19T20:41:40Z", "IpAddressRange": "192.0.2.1", "Enabled": true, "RegisteredCount": 0,
			"CreatedTime": "2026-11-22T05:41:40Z", "UpdatedTime": "2026-11-22T05:41:40Z"},
		{"RegisterCodeId": "`+second.RegisterCodeId+`", "Description": "rack 7", "InstanceNamePrefix": "web", "RegisterLimit": 2,
			"ExpiredTime": null, "IpAddressRange": "10.0.0.0/8", "Enabled": true, "RegisteredCount": 1,
			"CreatedTime": "2026-11-22T05:41:40Z", "UpdatedTime": "2026-11-22T05:41:40Z"},
		{"RegisterCodeId": "`+first.RegisterCodeId+`", "Description": "", "InstanceNamePrefix": "", "RegisterLimit": 10,
			"ExpiredTime": "2026-11-22T09:41:40Z", "IpAddressRange": "", "Enabled": false, "RegisteredCount": 0,
			"CreatedTime": "2026-11-22T05:41:40Z", "UpdatedTime": "2026-11-22T05:41:40Z"}
	]}`)
	if diff := cmp.Diff(want, raw(c.call("DescribeRegisterCodes", `{}`))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	foreign := "4eceee12-56f1-4fbc-9ab1-890f74942176"
	got := ok[describeRegisterCodesResponse](c.call("DescribeRegisterCodes", object(
		"RegisterCodeIds", []string{strings.ToUpper(first.RegisterCodeId), foreign})))
	if got.TotalCount != 1 || got.RegisterCodeSet[0].RegisterCodeId != first.RegisterCodeId {
		t.Errorf("%+v", got)
	}
	for name, try := range map[string]struct{ action, body, code string }{
		"description of 128": {"CreateRegisterCode", object("Description", strings.Repeat("字", 128)), ""},
		"description of 129": {"CreateRegisterCode", object("Description", strings.Repeat("字", 129)), "InvalidParameterValue.TooLong"},
		"prefix of 32":       {"CreateRegisterCode", object("InstanceNamePrefix", strings.Repeat("x", 32)), ""},
		"prefix of 33":       {"CreateRegisterCode", object("InstanceNamePrefix", strings.Repeat("x", 33)), "InvalidParameterValue.TooLong"},
		"limit of 0":         {"CreateRegisterCode", `{"RegisterLimit":0}`, "InvalidParameterValue.TooSmall"},
		"limit of 1":         {"CreateRegisterCode", `{"RegisterLimit":1}`, ""},
		"limit of 10000":     {"CreateRegisterCode", `{"RegisterLimit":10000}`, ""},
		"limit of 10001":     {"CreateRegisterCode", `{"RegisterLimit":10001}`, "InvalidParameterValue.TooLarge"},
		"no hours":           {"CreateRegisterCode", `{"EffectiveTime":0}`, "InvalidParameterValue.TooSmall"},
		"one hour":           {"CreateRegisterCode", `{"EffectiveTime":1}`, ""},
		"no network":         {"CreateRegisterCode", `{"IpAddressRange":"here"}`, "InvalidParameter"},
		"network of IPv6":    {"CreateRegisterCode", `{"IpAddressRange":"2001:db8::/32"}`, "InvalidParameter"},
		"network too narrow": {"CreateRegisterCode", `{"IpAddressRange":"10.0.0.1/33"}`, "InvalidParameter"},
		"malformed id":       {"DescribeRegisterCodes", object("RegisterCodeIds", []string{"x"}), "InvalidParameterValue.InvalidRegisterCodeId"},
		"101 ids":            {"DescribeRegisterCodes", object("RegisterCodeIds", repeat(foreign, 101)), "InvalidParameterValue.TooLong"},
		"page of 0":          {"DescribeRegisterCodes", `{"Limit":0}`, "InvalidParameterValue.TooSmall"},
		"page below 0":       {"DescribeRegisterCodes", `{"Limit":-1}`, "InvalidParameterValue.TooSmall"},
		"offset below 0":     {"DescribeRegisterCodes", `{"Offset":-1}`, "InvalidParameterValue.TooSmall"},
		"page of 101":        {"DescribeRegisterCodes", `{"Limit":101}`, "InvalidParameterValue.TooLarge"},
		"filters, not here":  {"DescribeRegisterCodes", `{"Filters":[]}`, "UnknownParameter"},
	} {
		t.Run(name, func(t *testing.T) { c.call(try.action, try.body).want(try.code) })
	}
}

func TestRegisterCodesEnd(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	first := ok[createRegisterCodeResponse](c.call("CreateRegisterCode", `{}`))
	second := ok[createRegisterCodeResponse](c.call("CreateRegisterCode", `{}`))
	third := ok[createRegisterCodeResponse](c.call("CreateRegisterCode", `{}`))
	join := func(code createRegisterCodeResponse) error {
		id, _ := core.ParseUUID(code.RegisterCodeId)
		_, err := c.scene.Service.Register(t.Context(), core.Enrolment{
			Code: id, Secret: code.RegisterCodeValue, PublicKey: core.NewSecret(), Facts: core.Facts{Platform: core.Linux},
		})
		return err
	}
	for _, code := range []createRegisterCodeResponse{first, second, third} {
		if err := join(code); err != nil {
			t.Fatal(err)
		}
	}
	foreign := "4eceee12-56f1-4fbc-9ab1-890f74942176"
	body := func(ids ...string) string { return object("RegisterCodeIds", ids) }
	for name, try := range map[string]struct{ body, code string }{
		"none named":       {`{}`, "MissingParameter"},
		"an empty list":    {body(), "MissingParameter"},
		"null":             {`{"RegisterCodeIds":null}`, "MissingParameter"},
		"no list":          {object("RegisterCodeIds", first.RegisterCodeId), "InvalidParameter"},
		"malformed":        {body(first.RegisterCodeId, "x"), "InvalidParameterValue.InvalidRegisterCodeId"},
		"empty id":         {body(""), "InvalidParameterValue.InvalidRegisterCodeId"},
		"twice":            {body(first.RegisterCodeId, second.RegisterCodeId, first.RegisterCodeId), "InvalidParameterValue.ParameterKeyDuplicated"},
		"twice, in cases":  {body(first.RegisterCodeId, strings.ToUpper(first.RegisterCodeId)), "InvalidParameterValue.ParameterKeyDuplicated"},
		"twice, unknown":   {body(foreign, foreign), "InvalidParameterValue.ParameterKeyDuplicated"},
		"unknown":          {body(foreign), "ResourceNotFound.RegisterCodesNotFoundCode"},
		"one is unknown":   {body(first.RegisterCodeId, foreign), "ResourceNotFound.RegisterCodesNotFoundCode"},
		"101":              {body(repeat(foreign, 101)...), "InvalidParameterValue.TooLong"},
		"other parameters": {object("RegisterCodeIds", []string{first.RegisterCodeId}, "Force", true), "UnknownParameter"},
	} {
		for _, action := range []string{"DisableRegisterCodes", "DeleteRegisterCodes"} {
			t.Run(action+" "+name, func(t *testing.T) { c.call(action, try.body).known(try.code) })
		}
	}
	many := make([]string, 100)
	for i := range many {
		many[i] = core.ID(i + 1).UUID()
	}
	c.call("DisableRegisterCodes", body(many...)).want("ResourceNotFound.RegisterCodesNotFoundCode")
	c.call("DeleteRegisterCodes", body(many...)).want("InvalidParameterValue.TooLong")
	c.call("DeleteRegisterCodes", body(many[:99]...)).want("ResourceNotFound.RegisterCodesNotFoundCode")

	// All or none: what was refused left no trace.
	enabled := func() (list []bool) {
		for _, code := range ok[describeRegisterCodesResponse](c.call("DescribeRegisterCodes", `{}`)).RegisterCodeSet {
			list = append(list, code.Enabled)
		}
		return list
	}
	if diff := cmp.Diff([]bool{true, true, true}, enabled()); diff != "" {
		t.Errorf("after refusals (-want +got):\n%s", diff)
	}
	c.scene.Advance(time.Minute)
	for range 2 { // once more is no mistake
		r := c.call("DisableRegisterCodes", body(first.RegisterCodeId, strings.ToUpper(second.RegisterCodeId)))
		if diff := cmp.Diff(map[string]any{}, raw(r)); diff != "" {
			t.Errorf("disable (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff([]bool{true, false, false}, enabled()); diff != "" {
		t.Errorf("after disabling (-want +got):\n%s", diff)
	}
	if err := join(first); !core.ReasonRegistrationRefused.Is(err) {
		t.Errorf("joins with a disabled code: %v", err)
	}
	if diff := cmp.Diff(map[string]any{}, raw(c.call("DeleteRegisterCodes", body(second.RegisterCodeId, third.RegisterCodeId)))); diff != "" {
		t.Errorf("delete (-want +got):\n%s", diff)
	}
	left := ok[describeRegisterCodesResponse](c.call("DescribeRegisterCodes", `{}`))
	if left.TotalCount != 1 || left.RegisterCodeSet[0].RegisterCodeId != first.RegisterCodeId || left.RegisterCodeSet[0].UpdatedTime != "2026-11-22T05:42:40Z" {
		t.Errorf("after deleting: %+v", left)
	}
	if got := ok[describeRegisterInstancesResponse](c.call("DescribeRegisterInstances", `{}`)); got.TotalCount != 3 {
		t.Errorf("%d machines stayed, want 3", got.TotalCount)
	}
	c.call("DeleteRegisterCodes", body(third.RegisterCodeId)).want("ResourceNotFound.RegisterCodesNotFoundCode")
}
