package tat

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/core"
)

// fleet is three machines: one that was never seen, one of Windows that is online, and one that went offline. The last joined with the
// first code, the others with the second.
type fleet struct {
	codes             [2]string
	unseen, win, away core.Node
	u, w, a           string // their ids as shown
}

func newFleet(c *client) *fleet {
	c.tb.Helper()
	f := &fleet{}
	var codes []core.RegistrationCode
	var secrets []string
	for range f.codes {
		code, secret, err := c.scene.Service.CreateRegistration(c.tb.Context(), c.scene.Caller, core.RegistrationSpec{Limit: 10})
		if err != nil {
			c.tb.Fatal(err)
		}
		codes, secrets = append(codes, code), append(secrets, secret)
	}
	f.codes = [2]string{codes[0].ID.UUID(), codes[1].ID.UUID()}
	join := func(n *core.Node, code int, e core.Enrolment) {
		e.Code, e.Secret, e.Source = codes[code].ID, secrets[code], netip.MustParseAddr("10.0.0.9")
		var err error
		if *n, err = c.scene.Service.Register(c.tb.Context(), e); err != nil {
			c.tb.Fatal(err)
		}
	}
	join(&f.away, 0, core.Enrolment{
		PublicKey: "UAWAY", NodeID: "ins-away", Name: "db", MachineID: "m1", Tags: []core.Tag{{Key: "env", Value: "prod"}, {Key: "team", Value: "db"}},
		Facts: core.Facts{Hostname: "db.internal", Platform: core.Linux, PrivateIP: "10.0.0.1"},
	})
	c.scene.Online(f.away)
	c.scene.Advance(core.OnlineWindow)
	join(&f.win, 1, core.Enrolment{
		PublicKey: "UWIN", NodeID: "lhins-win", Name: "web", Tags: []core.Tag{{Key: "env", Value: "test"}},
		Facts: core.Facts{Hostname: "WIN7", Platform: core.Windows, PrivateIP: "10.0.0.2"},
	})
	c.scene.Online(f.win)
	join(&f.unseen, 1, core.Enrolment{
		PublicKey: "UUNSEEN", Name: "web", MachineID: "m3", Facts: core.Facts{Hostname: "new", Platform: core.Darwin, PrivateIP: "10.0.0.3"},
	})
	f.u, f.w, f.a = showInstance(f.unseen.ID), f.win.ID, f.away.ID
	return f
}

func TestDescribeRegisterInstances(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	f := newFleet(c)
	if f.u != "rins-"+f.unseen.ID {
		t.Errorf("a generated id is shown as %q", f.u)
	}
	want := golden(t, `{"TotalCount": 3, "RegisterInstanceSet": [
		{"RegisterCodeId": "`+f.codes[1]+`", "InstanceId": "`+f.u+`", "InstanceName": "web", "MachineId": "m3", "SystemName": "Linux",
			"HostName": "new", "LocalIp": "10.0.0.3", "PublicKey": "UUNSEEN", "Status": "Offline",
			"CreatedTime": "2026-11-22T05:43:40Z", "UpdatedTime": "2026-11-22T05:43:40Z", "Tags": []},
		{"RegisterCodeId": "`+f.codes[1]+`", "InstanceId": "lhins-win", "InstanceName": "web", "MachineId": "", "SystemName": "Windows",
			"HostName": "WIN7", "LocalIp": "10.0.0.2", "PublicKey": "UWIN", "Status": "Online",
			"CreatedTime": "2026-11-22T05:43:40Z", "UpdatedTime": "2026-11-22T05:43:40Z", "Tags": [{"Key": "env", "Value": "test"}]},
		{"RegisterCodeId": "`+f.codes[0]+`", "InstanceId": "ins-away", "InstanceName": "db", "MachineId": "m1", "SystemName": "Linux",
			"HostName": "db.internal", "LocalIp": "10.0.0.1", "PublicKey": "UAWAY", "Status": "Offline",
			"CreatedTime": "2026-11-22T05:41:40Z", "UpdatedTime": "2026-11-22T05:41:40Z",
			"Tags": [{"Key": "env", "Value": "prod"}, {"Key": "team", "Value": "db"}]}
	]}`)
	if diff := cmp.Diff(want, raw(c.call("DescribeRegisterInstances", `{}`))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDescribeRegisterInstancesFilters(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	f := newFleet(c)
	u, w, a := f.u, f.w, f.a
	foreign := "4eceee12-56f1-4fbc-9ab1-890f74942176"
	and := func(list ...[]map[string]any) string {
		var all []map[string]any
		for _, l := range list {
			all = append(all, l...)
		}
		return object("Filters", all)
	}
	for name, try := range map[string]struct {
		body  string
		want  []string
		total int
		code  string
	}{
		"page":                {`{"Limit":1,"Offset":1}`, []string{w}, 3, ""},
		"beyond the end":      {`{"Offset":3}`, nil, 3, ""},
		"ids":                 {object("InstanceIds", []string{u, "rins-other", a}), []string{u, a}, 2, ""},
		"id without prefix":   {object("InstanceIds", []string{f.unseen.ID}), []string{u}, 1, ""},
		"filter by id":        {and(filters("instance-id", w, a)), []string{w, a}, 2, ""},
		"id and other id":     {and(filters("instance-id", w), filters("instance-id", a)), nil, 0, ""},
		"name":                {and(filters("instance-name", "db")), []string{a}, 1, ""},
		"names":               {and(filters("instance-name", "db", "web")), []string{u, w, a}, 3, ""},
		"part of a name":      {and(filters("instance-name", "we")), nil, 0, ""},
		"name and name":       {and(filters("instance-name", "db", "web"), filters("instance-name", "web")), []string{u, w}, 2, ""},
		"name and other name": {and(filters("instance-name", "db"), filters("instance-name", "web")), nil, 0, ""},
		"online":              {and(filters("register-status", "Online")), []string{w}, 1, ""},
		"offline":             {and(filters("register-status", "Offline")), []string{u, a}, 2, ""},
		"either":              {and(filters("register-status", "Online", "Offline")), []string{u, w, a}, 3, ""},
		"both at once":        {and(filters("register-status", "Online"), filters("register-status", "Offline")), nil, 0, ""},
		"address":             {and(filters("local-ip", "10.0.0.2")), []string{w}, 1, ""},
		"addresses":           {and(filters("local-ip", "10.0.0.2", "10.0.0.1")), []string{w, a}, 2, ""},
		"connected from":      {and(filters("local-ip", "10.0.0.9")), nil, 0, ""},
		"code":                {and(filters("register-code-id", f.codes[1])), []string{u, w}, 2, ""},
		"code in upper case":  {and(filters("register-code-id", strings.ToUpper(f.codes[0]))), []string{a}, 1, ""},
		"codes":               {and(filters("register-code-id", f.codes[0], f.codes[1])), []string{u, w, a}, 3, ""},
		"code and other code": {and(filters("register-code-id", f.codes[0]), filters("register-code-id", f.codes[1])), nil, 0, ""},
		"foreign code":        {and(filters("register-code-id", foreign)), nil, 0, ""},
		"linux":               {and(filters("sys-name", "Linux")), []string{u, a}, 2, ""},
		"windows":             {and(filters("sys-name", "Windows")), []string{w}, 1, ""},
		"tag key":             {and(filters("tag-key", "env")), []string{w, a}, 2, ""},
		"tag value":           {and(filters("tag-value", "prod", "other")), []string{a}, 1, ""},
		"tag":                 {and(filters("tag:env", "test")), []string{w}, 1, ""},
		"tag, wrong key":      {and(filters("tag:team", "test")), nil, 0, ""},
		"tag, system, paged":  {object("Filters", append(filters("tag-key", "env", "team"), filters("sys-name", "Linux", "Windows")...), "Limit", 1, "Offset", 1), []string{a}, 2, ""},
		"10 filters":          {and(repeat(filters("sys-name", "Windows"), 10)...), []string{w}, 1, ""},

		"11 filters":              {and(repeat(filters("sys-name", "Windows"), 11)...), nil, 0, "InvalidParameterValue.InvalidFilter"},
		"6 values":                {and(filters("instance-name", "1", "2", "3", "4", "5", "6")), nil, 0, "InvalidParameterValue.InvalidFilter"},
		"no values":               {and(filters("local-ip")), nil, 0, "InvalidParameterValue.InvalidFilter"},
		"unknown filter":          {and(filters("colour", "red")), nil, 0, "InvalidParameterValue.InvalidFilter"},
		"tag without colon":       {and(filters("tag", "red")), nil, 0, "InvalidParameterValue.InvalidFilter"},
		"status of no kind":       {and(filters("register-status", "online")), nil, 0, "InvalidParameterValue.InvalidFilter"},
		"system of no kind":       {and(filters("sys-name", "Darwin")), nil, 0, "InvalidParameterValue.InvalidFilter"},
		"bad id":                  {object("InstanceIds", []string{"a b"}), nil, 0, "InvalidParameterValue.InvalidRegisterInstanceId"},
		"bad id in filter":        {and(filters("instance-id", "")), nil, 0, "InvalidParameterValue.InvalidRegisterInstanceId"},
		"bad code in filter":      {and(filters("register-code-id", "x")), nil, 0, "InvalidParameterValue.InvalidRegisterCodeId"},
		"ids and filters":         {object("InstanceIds", []string{a}, "Filters", filters("sys-name", "Linux")), nil, 0, "InvalidParameter.ConflictParameter"},
		"101 ids":                 {object("InstanceIds", repeat("ins-away", 101)), nil, 0, "InvalidParameterValue.LimitExceeded"},
		"limit of 0":              {`{"Limit":0}`, nil, 0, "InvalidParameterValue.TooSmall"},
		"limit of 101":            {`{"Limit":101}`, nil, 0, "InvalidParameterValue.TooLarge"},
		"offset below 0":          {`{"Offset":-1}`, nil, 0, "InvalidParameterValue.TooSmall"},
		"offset too deep":         {`{"Offset":100001}`, nil, 0, "InvalidParameterValue"},
		"a limit that is no":      {`{"Limit":"many"}`, nil, 0, "InvalidParameter"},
		"a parameter that is not": {`{"Status":"Online"}`, nil, 0, "UnknownParameter"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.call("DescribeRegisterInstances", try.body)
			r.known(try.code)
			if r.Code != "" {
				return
			}
			resp := ok[describeRegisterInstancesResponse](r)
			var got []string
			for _, n := range resp.RegisterInstanceSet {
				got = append(got, n.InstanceId)
			}
			if diff := cmp.Diff(try.want, got); diff != "" || resp.TotalCount != try.total || resp.RegisterInstanceSet == nil {
				t.Errorf("%d in all, want %d (-want +got):\n%s", resp.TotalCount, try.total, diff)
			}
		})
	}
	r := c.v1(http.MethodGet, "HmacSHA1", "DescribeRegisterInstances", map[string]string{
		"Filters.0.Name": "sys-name", "Filters.0.Values.0": "Windows", "Limit": "5",
	})
	if got := ok[describeRegisterInstancesResponse](r); got.TotalCount != 1 || got.RegisterInstanceSet[0].InstanceId != w {
		t.Errorf("v1: %+v", got)
	}
}

func TestModifyRegisterInstance(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	f := newFleet(c)
	name := func(id string) string {
		t.Helper()
		resp := ok[describeRegisterInstancesResponse](c.call("DescribeRegisterInstances", object("InstanceIds", []string{id})))
		if len(resp.RegisterInstanceSet) != 1 {
			t.Fatalf("%+v", resp)
		}
		return resp.RegisterInstanceSet[0].InstanceName
	}
	for title, try := range map[string]struct{ body, code string }{
		"no id":           {object("InstanceName", "x"), "MissingParameter"},
		"no name":         {object("InstanceId", f.u), "MissingParameter"},
		"neither":         {`{}`, "MissingParameter"},
		"malformed id":    {object("InstanceId", "a b", "InstanceName", "x"), "InvalidParameterValue.InvalidRegisterInstanceId"},
		"empty id":        {object("InstanceId", "", "InstanceName", "x"), "InvalidParameterValue.InvalidRegisterInstanceId"},
		"unknown id":      {object("InstanceId", "rins-12345678", "InstanceName", "x"), "ResourceNotFound.RegisterInstanceNotFoundCode"},
		"empty name":      {object("InstanceId", f.u, "InstanceName", ""), "InvalidParameterValue"},
		"name of 61":      {object("InstanceId", f.u, "InstanceName", strings.Repeat("机", 61)), "InvalidParameterValue.TooLong"},
		"name of 2 lines": {object("InstanceId", f.u, "InstanceName", "a\nb"), "InvalidParameterValue"},
		"name of no text": {object("InstanceId", f.u, "InstanceName", 7), "InvalidParameter"},
		"one more":        {object("InstanceId", f.u, "InstanceName", "x", "Tags", nil), "UnknownParameter"},
	} {
		t.Run(title, func(t *testing.T) {
			r := c.call("ModifyRegisterInstance", try.body)
			r.known(try.code)
			if strings.Contains(r.Message, "CommandName") {
				t.Errorf("wrong parameter: %s", r.Message)
			}
		})
	}
	if got := name(f.u); got != "web" {
		t.Errorf("refusals renamed it to %q", got)
	}
	c.scene.Advance(time.Hour)
	for _, to := range []string{"x", strings.Repeat("机", 60)} {
		r := c.call("ModifyRegisterInstance", object("InstanceId", f.u, "InstanceName", to))
		if diff := cmp.Diff(map[string]any{}, raw(r)); diff != "" || name(f.u) != to {
			t.Errorf("%q became %q (-want +got):\n%s", to, name(f.u), diff)
		}
	}
	resp := ok[describeRegisterInstancesResponse](c.call("DescribeRegisterInstances", object("InstanceIds", []string{f.u})))
	if n := resp.RegisterInstanceSet[0]; n.CreatedTime != "2026-11-22T05:43:40Z" || n.UpdatedTime != "2026-11-22T06:43:40Z" {
		t.Errorf("created %s, updated %s", n.CreatedTime, n.UpdatedTime)
	}
}

func TestDeleteRegisterInstance(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	f := newFleet(c)
	for title, try := range map[string]struct{ body, code string }{
		"no id":        {`{}`, "MissingParameter"},
		"a list":       {object("InstanceId", []string{f.w}), "InvalidParameter"},
		"malformed id": {object("InstanceId", "-"), "InvalidParameterValue.InvalidRegisterInstanceId"},
		"unknown id":   {object("InstanceId", "rins-12345678"), "ResourceNotFound.RegisterInstanceNotFoundCode"},
		"more ids":     {object("InstanceIds", []string{f.w}), "UnknownParameter"},
	} {
		t.Run(title, func(t *testing.T) { c.call("DeleteRegisterInstance", try.body).known(try.code) })
	}
	c.scene.Online(f.away)
	running := c.run("sleep 1", f.away)
	for _, id := range []string{f.a, f.u} {
		if diff := cmp.Diff(map[string]any{}, raw(c.call("DeleteRegisterInstance", object("InstanceId", id)))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
		c.call("DeleteRegisterInstance", object("InstanceId", id)).want("ResourceNotFound.RegisterInstanceNotFoundCode")
		c.call("ModifyRegisterInstance", object("InstanceId", id, "InstanceName", "x")).want("ResourceNotFound.RegisterInstanceNotFoundCode")
		c.call("RunCommand", object("Content", b64("ls"), "InstanceIds", []string{id})).want("ResourceNotFound.InstanceNotFound")
	}
	left := ok[describeRegisterInstancesResponse](c.call("DescribeRegisterInstances", `{}`))
	if left.TotalCount != 1 || left.RegisterInstanceSet[0].InstanceId != f.w {
		t.Errorf("left: %+v", left)
	}
	// What was under way is given up, and its record stays.
	if tasks := c.tasks(running); len(tasks) != 1 || tasks[0].InstanceId != f.a || tasks[0].TaskStatus != "DELIVER_FAILED" {
		t.Errorf("tasks: %+v", tasks)
	}
}
