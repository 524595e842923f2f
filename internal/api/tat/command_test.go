package tat

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/core"
)

// raw decodes an answer without knowing its fields, so that a missing or renamed one is seen.
func raw(r reply) map[string]any {
	r.tb.Helper()
	m := ok[map[string]any](r)
	delete(m, "RequestId")
	return m
}

// golden parses what an answer should be.
func golden(tb testing.TB, text string) map[string]any {
	tb.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		tb.Fatal(err)
	}
	return m
}

func (c *client) create(pairs ...any) string {
	c.tb.Helper()
	return ok[createCommandResponse](c.call("CreateCommand", object(pairs...))).CommandId
}

// TestCommandRoundTrip reads back everything that was written.
func TestCommandRoundTrip(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	id := c.create(
		"CommandName", "名字_1.a-b", "Content", b64("echo {{a}} {{tat-hidden:b}}"), "Description", "what it does", "CommandType", "SHELL",
		"WorkingDirectory", "/srv", "Timeout", 86400, "EnableParameter", true, "Username", "ubuntu",
		"DefaultParameterConfs", []map[string]string{
			{"ParameterName": "a", "ParameterValue": "<1>", "ParameterDescription": "first"},
			{"ParameterName": "b", "ParameterValue": "2"},
		},
		"Tags", []map[string]string{{"Key": "env", "Value": "prod"}},
		"OutputCOSBucketUrl", "https://x-1.cos.ap-beijing.myqcloud.com", "OutputCOSKeyPrefix", "a/b",
	)
	want := golden(t, `{"TotalCount": 1, "CommandSet": [{
		"CommandId": "`+id+`", "CommandName": "名字_1.a-b", "Description": "what it does",
		"Content": "`+b64("echo {{a}} {{tat-hidden:b}}")+`", "CommandType": "SHELL", "WorkingDirectory": "/srv", "Timeout": 86400,
		"CreatedTime": "2026-11-22T05:41:40Z", "UpdatedTime": "2026-11-22T05:41:40Z", "EnableParameter": true,
		"DefaultParameters": "{\"a\":\"<1>\",\"b\":\"2\"}", "DefaultParameterConfs": [
			{"ParameterName": "a", "ParameterValue": "<1>", "ParameterDescription": "first"},
			{"ParameterName": "b", "ParameterValue": "2", "ParameterDescription": ""}
		], "Scenes": [], "FormattedDescription": "", "CreatedBy": "USER", "Tags": [{"Key": "env", "Value": "prod"}],
		"Username": "ubuntu", "OutputCOSBucketUrl": "https://x-1.cos.ap-beijing.myqcloud.com", "OutputCOSKeyPrefix": "a/b"
	}]}`)
	got := c.call("DescribeCommands", object("CommandIds", []string{id}))
	if diff := cmp.Diff(want, raw(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// What was not sent has the vendor's defaults.
	c.scene.Advance(time.Second)
	plain := c.create("CommandName", "plain", "Content", b64("ls"))
	want = golden(t, `{"TotalCount": 1, "CommandSet": [{
		"CommandId": "`+plain+`", "CommandName": "plain", "Description": "", "Content": "`+b64("ls")+`", "CommandType": "SHELL",
		"WorkingDirectory": "/root", "Timeout": 60, "CreatedTime": "2026-11-22T05:41:41Z", "UpdatedTime": "2026-11-22T05:41:41Z",
		"EnableParameter": false, "DefaultParameters": "", "DefaultParameterConfs": [], "Scenes": [], "FormattedDescription": "",
		"CreatedBy": "USER", "Tags": [], "Username": "root", "OutputCOSBucketUrl": "", "OutputCOSKeyPrefix": ""
	}]}`)
	got = c.call("DescribeCommands", object("Filters", filters("command-name", "plain")))
	if diff := cmp.Diff(want, raw(got)); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestModifyCommand(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	id := c.create("CommandName", "one", "Content", b64("echo {{a}}{{b}}"), "EnableParameter", true, "DefaultParameters", `{"a":"1","b":"2"}`,
		"OutputCOSBucketUrl", "https://bucket", "OutputCOSKeyPrefix", "p", "Description", "d")
	other := c.create("CommandName", "two", "Content", b64("ls"))
	show := func() command {
		t.Helper()
		return ok[describeCommandsResponse](c.call("DescribeCommands", object("CommandIds", []string{id}))).CommandSet[0]
	}
	before := show()

	// Nothing sent changes nothing but the time.
	c.scene.Advance(time.Second)
	c.call("ModifyCommand", object("CommandId", id)).want("")
	want := before
	want.UpdatedTime = "2026-11-22T05:41:41Z"
	if diff := cmp.Diff(want, show()); diff != "" {
		t.Errorf("empty change (-want +got):\n%s", diff)
	}

	c.call("ModifyCommand", object(
		"CommandId", id, "CommandName", "uno", "Description", "", "Content", b64("echo {{c}}"), "CommandType", "BAT", "WorkingDirectory", `C:\`,
		"Timeout", 1, "Username", "me", "OutputCOSKeyPrefix", "", "DefaultParameterConfs", []map[string]string{
			{"ParameterName": "c", "ParameterValue": "3", "ParameterDescription": "third"},
		},
	)).want("")
	want.CommandName, want.Description, want.Content, want.CommandType, want.WorkingDirectory = "uno", "", b64("echo {{c}}"), "BAT", `C:\`
	want.Timeout, want.Username, want.OutputCOSKeyPrefix, want.DefaultParameters = 1, "me", "", `{"c":"3"}`
	want.DefaultParameterConfs = []shownParameterConf{{"c", "3", "third"}}
	if diff := cmp.Diff(want, show()); diff != "" {
		t.Errorf("full change (-want +got):\n%s", diff)
	}
	c.call("ModifyCommand", object("CommandId", id, "DefaultParameters", `{"c":"4"}`)).want("")
	if got := show(); len(got.DefaultParameterConfs) != 1 || got.DefaultParameterConfs[0] != (shownParameterConf{"c", "4", ""}) {
		t.Errorf("a description outlived its default: %+v", got.DefaultParameterConfs)
	}
	c.call("ModifyCommand", object("CommandId", id, "DefaultParameters", "")).want("")
	if got := show(); got.DefaultParameters != "" || len(got.DefaultParameterConfs) != 0 {
		t.Errorf("defaults were not emptied: %+v", got)
	}
	c.call("ModifyCommand", object("CommandId", id, "OutputCOSBucketUrl", "https://other")).want("")
	if got := show(); got.OutputCOSBucketUrl != "https://other" || got.OutputCOSKeyPrefix != "" {
		t.Errorf("bucket was not changed alone: %+v", got)
	}

	for name, try := range map[string]struct{ body, code string }{
		"its own name":        {object("CommandId", id, "CommandName", "uno"), ""},
		"another's name":      {object("CommandId", id, "CommandName", "two"), "InvalidParameterValue.CommandNameDuplicated"},
		"no id":               {object("CommandName", "x"), "MissingParameter"},
		"malformed id":        {object("CommandId", "xx"), "InvalidParameterValue.InvalidCommandId"},
		"unknown id":          {object("CommandId", "cmd-1vll7hda"), "ResourceNotFound.CommandNotFound"},
		"deleted":             {object("CommandId", commandPrefix+core.ID(1).String(), "CommandName", "x"), "ResourceNotFound.CommandNotFound"},
		"deleted, half sink":  {object("CommandId", commandPrefix+core.ID(1).String(), "OutputCOSKeyPrefix", "x"), "ResourceNotFound.CommandNotFound"},
		"fixed at creation":   {object("CommandId", id, "EnableParameter", false), "UnknownParameter"},
		"tags":                {object("CommandId", id, "Tags", []string{}), "UnknownParameter"},
		"empty name":          {object("CommandId", id, "CommandName", ""), "InvalidParameterValue.InvalidCommandName"},
		"empty content":       {object("CommandId", id, "Content", ""), "InvalidParameterValue.InvalidContent"},
		"no Base64":           {object("CommandId", id, "Content", "ls -l"), "InvalidParameterValue.CommandContentInvalid"},
		"type":                {object("CommandId", id, "CommandType", "PERL"), "InvalidParameterValue"},
		"description":         {object("CommandId", id, "Description", strings.Repeat("x", 121)), "InvalidParameterValue.TooLong"},
		"timeout":             {object("CommandId", id, "Timeout", 0), "InvalidParameterValue.Range"},
		"prefix":              {object("CommandId", id, "OutputCOSKeyPrefix", "/a"), "InvalidParameterValue.InvalidOutputCOSKeyPrefix"},
		"defaults, malformed": {object("CommandId", id, "DefaultParameters", "["), "InvalidParameterValue.ParameterInvalidJsonFormat"},
		"defaults of a command without parameters": {
			object("CommandId", other, "DefaultParameters", `{"a":"1"}`), "InvalidParameterValue.SupportParametersOnlyIfEnableParameter",
		},
	} {
		t.Run(name, func(t *testing.T) { c.call("ModifyCommand", try.body).want(try.code) })
	}

	// A command from elsewhere may be longer than this API allows; other fields of it can be changed all the same.
	foreign, err := c.scene.Service.CreateCommand(t.Context(), c.scene.Caller, core.CommandSpec{Definition: core.Definition{
		Name: strings.Repeat("n", 100), Description: strings.Repeat("d", 200), Type: core.Shell, Content: []byte("ls"),
	}, Limits: core.Limits{DefaultTimeout: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	c.call("ModifyCommand", object("CommandId", commandPrefix+foreign.ID.String(), "Timeout", 5)).want("")
}

// TestDefinitionLimits tries each limit of a definition below, at and above it, through each action that takes one.
func TestDefinitionLimits(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.node("ins-a")
	names := func(n int) string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprintf("p%d", i)] = "v"
		}
		b, _ := json.Marshal(m)
		return string(b)
	}
	confs := func(n int) []map[string]string {
		var list []map[string]string
		for i := range n {
			list = append(list, map[string]string{"ParameterName": fmt.Sprintf("p%d", i), "ParameterValue": "v"})
		}
		return list
	}
	content := func(n int) string { return b64(strings.Repeat("#", n/4*3)) }
	tags := func(n int) []map[string]string {
		var list []map[string]string
		for i := range n {
			list = append(list, map[string]string{"Key": fmt.Sprintf("k%d", i), "Value": "v"})
		}
		return list
	}
	tries := []struct {
		name  string
		pairs []any
		code  string
	}{
		{"name of 60 bytes", []any{"CommandName", strings.Repeat("字", 20)}, ""},
		{"name of 61 bytes", []any{"CommandName", strings.Repeat("字", 20) + "a"}, "InvalidParameterValue.InvalidCommandName"},
		{"name with a blank", []any{"CommandName", "a b"}, "InvalidParameterValue.InvalidCommandName"},
		{"name with a slash", []any{"CommandName", "a/b"}, "InvalidParameterValue.InvalidCommandName"},
		{"description of 120", []any{"Description", strings.Repeat("字", 120)}, ""},
		{"description of 121", []any{"Description", strings.Repeat("字", 121)}, "InvalidParameterValue.TooLong"},
		{"content of 64 KB", []any{"Content", content(65536)}, ""},
		{"content of 64 KB and 4", []any{"Content", content(65540)}, "InvalidParameterValue.TooLong"},
		{"content that is no Base64", []any{"Content", "echo hi"}, "InvalidParameterValue.CommandContentInvalid"},
		{"content without padding", []any{"Content", "bHM"}, "InvalidParameterValue.CommandContentInvalid"},
		{"content in URL alphabet", []any{"Content", "_-8="}, "InvalidParameterValue.CommandContentInvalid"},
		{"empty content", []any{"Content", ""}, "InvalidParameterValue.InvalidContent"},
		{"no content", []any{"Content", nil}, "MissingParameter"},
		{"type", []any{"CommandType", "shell"}, "InvalidParameterValue"},
		{"directory", []any{"WorkingDirectory", "/a b/字"}, ""},
		{"directory with a newline", []any{"WorkingDirectory", "/a\nb"}, "InvalidParameterValue.InvalidWorkingDirectory"},
		{"timeout of 1", []any{"Timeout", 1}, ""},
		{"timeout of 0", []any{"Timeout", 0}, "InvalidParameterValue.Range"},
		{"timeout of -1", []any{"Timeout", -1}, "InvalidParameterValue.Range"},
		{"timeout of 86400", []any{"Timeout", 86400}, ""},
		{"timeout of 86401", []any{"Timeout", 86401}, "InvalidParameterValue.Range"},
		{"timeout beyond any", []any{"Timeout", int64(1) << 60}, "InvalidParameterValue.Range"},
		{"user of 256", []any{"Username", strings.Repeat("u", 256)}, ""},
		{"user of 257", []any{"Username", strings.Repeat("u", 257)}, "InvalidParameterValue.InvalidUsername"},
		{"user with a newline", []any{"Username", "a\nb"}, "InvalidParameterValue.InvalidUsername"},
		{"bucket", []any{"OutputCOSBucketUrl", "https://b"}, ""},
		{"bucket without TLS", []any{"OutputCOSBucketUrl", "http://b"}, "InvalidParameterValue.InvalidOutputCOSBucketUrl"},
		{"bucket without a host", []any{"OutputCOSBucketUrl", "https://"}, "InvalidParameterValue.InvalidOutputCOSBucketUrl"},
		{"prefix of 60", []any{"OutputCOSKeyPrefix", strings.Repeat("字", 60)}, ""},
		{"prefix of 61", []any{"OutputCOSKeyPrefix", strings.Repeat("字", 61)}, "InvalidParameterValue.InvalidOutputCOSKeyPrefix"},
		{"prefix a/..b", []any{"OutputCOSKeyPrefix", "a/..b"}, ""},
		{"prefix a/..", []any{"OutputCOSKeyPrefix", "a/.."}, "InvalidParameterValue.InvalidOutputCOSKeyPrefix"},
		{"prefix a//b", []any{"OutputCOSKeyPrefix", "a//b"}, "InvalidParameterValue.InvalidOutputCOSKeyPrefix"},
		{"prefix /a", []any{"OutputCOSKeyPrefix", "/a"}, "InvalidParameterValue.InvalidOutputCOSKeyPrefix"},
		{"10 tags", []any{"Tags", tags(10)}, ""},
		{"11 tags", []any{"Tags", tags(11)}, "FailedOperation.TagOperationFailed"},
		{"a tag twice", []any{"Tags", append(tags(1), tags(1)...)}, "FailedOperation.TagOperationFailed"},
		{"a tag without a key", []any{"Tags", []map[string]string{{"Value": "x"}}}, "FailedOperation.TagOperationFailed"},

		{"20 defaults", []any{"EnableParameter", true, "DefaultParameters", names(20)}, ""},
		{"21 defaults", []any{"EnableParameter", true, "DefaultParameters", names(21)}, "InvalidParameterValue.ParameterNumberExceeded"},
		{"20 confs", []any{"EnableParameter", true, "DefaultParameterConfs", confs(20)}, ""},
		{"21 confs", []any{"EnableParameter", true, "DefaultParameterConfs", confs(21)}, "InvalidParameterValue.ParameterNumberExceeded"},
		{
			"21 placeholders",
			[]any{"EnableParameter", true, "DefaultParameters", names(20), "Content", b64(placeholders(21))},
			"InvalidParameterValue.ParameterNumberExceeded",
		},
		{"key of 64", []any{"EnableParameter", true, "DefaultParameters", `{"` + strings.Repeat("k", 64) + `":"v"}`}, ""},
		{
			"key of 65",
			[]any{"EnableParameter", true, "DefaultParameters", `{"` + strings.Repeat("k", 65) + `":"v"}`},
			"InvalidParameterValue.ParameterKeyLenExceeded",
		},
		{"empty key", []any{"EnableParameter", true, "DefaultParameters", `{"":"v"}`}, "InvalidParameterValue.ParameterKeyLenExceeded"},
		{"key with a dot", []any{"EnableParameter", true, "DefaultParameters", `{"a.b":"v"}`}, "InvalidParameterValue.ParameterKeyContainsInvalidChar"},
		{"key twice", []any{"EnableParameter", true, "DefaultParameters", `{"a":"v","a":"w"}`}, "InvalidParameterValue.ParameterKeyDuplicated"},
		{"value of a number", []any{"EnableParameter", true, "DefaultParameters", `{"a":1}`}, "InvalidParameterValue.ParameterValueNotString"},
		{"value of null", []any{"EnableParameter", true, "DefaultParameters", `{"a":null}`}, "InvalidParameterValue.ParameterValueNotString"},
		{"no JSON", []any{"EnableParameter", true, "DefaultParameters", `{"a"`}, "InvalidParameterValue.ParameterInvalidJsonFormat"},
		{"no object", []any{"EnableParameter", true, "DefaultParameters", `["a"]`}, "InvalidParameterValue.ParameterInvalidJsonFormat"},
		{"two objects", []any{"EnableParameter", true, "DefaultParameters", `{}{}`}, "InvalidParameterValue.ParameterInvalidJsonFormat"},
		{
			"both carriers",
			[]any{"EnableParameter", true, "DefaultParameters", `{"a":"v"}`, "DefaultParameterConfs", confs(1)},
			"InvalidParameter.ConflictParameter",
		},
		{
			"conf twice",
			[]any{"EnableParameter", true, "DefaultParameterConfs", append(confs(1), confs(1)...)},
			"InvalidParameter.ParameterNameDuplicated",
		},
		{
			"conf without a name",
			[]any{"EnableParameter", true, "DefaultParameterConfs", []map[string]string{{"ParameterValue": "v"}}},
			"MissingParameter",
		},
		{
			"conf without a value",
			[]any{"EnableParameter", true, "DefaultParameterConfs", []map[string]string{{"ParameterName": "a"}}},
			"MissingParameter",
		},
		{
			"defaults though disabled",
			[]any{"DefaultParameters", `{"a":"v"}`},
			"InvalidParameterValue.SupportParametersOnlyIfEnableParameter",
		},
		{
			"confs though disabled",
			[]any{"EnableParameter", false, "DefaultParameterConfs", confs(1)},
			"InvalidParameterValue.SupportParametersOnlyIfEnableParameter",
		},
		{"empty defaults though disabled", []any{"DefaultParameters", `{}`}, ""},
	}
	for i, try := range tries {
		t.Run(try.name, func(t *testing.T) {
			before := c.stored()
			create := object(append([]any{"CommandName", fmt.Sprintf("c%d", i), "Content", b64("ls")}, try.pairs...)...)
			c.call("CreateCommand", create).want(try.code)
			run := object(append([]any{"InstanceIds", []string{"ins-a"}, "Content", b64("ls")}, try.pairs...)...)
			if try.name != "21 placeholders" { // which has no value for the last one either
				c.call("RunCommand", run).want(try.code)
			}
			if after := c.stored(); try.code != "" && after != before {
				t.Errorf("%d rows were stored", after-before)
			}
		})
	}
}

func placeholders(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{{p%d}}", i)
	}
	return b.String()
}

func TestCommandNames(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create("CommandName", "one", "Content", b64("ls"))
	c.call("CreateCommand", object("CommandName", "one", "Content", b64("ls"))).want("InvalidParameterValue.CommandNameDuplicated")
	c.call("CreateCommand", object("Content", b64("ls"))).want("MissingParameter")
	c.call("CreateCommand", object("CommandName", "", "Content", b64("ls"))).want("InvalidParameterValue.InvalidCommandName")
	// Names are taken region by region.
	c.header("X-TC-Region", "ap-tokyo").call("CreateCommand", object("CommandName", "one", "Content", b64("ls"))).want("")
}

func TestDeleteCommands(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	n := c.node("ins-a")
	idle := c.create("CommandName", "idle", "Content", b64("ls"))
	busy := c.create("CommandName", "busy", "Content", b64("ls"))
	inv := c.invocation(ok[invokeCommandResponse](c.call("InvokeCommand", object("CommandId", busy, "InstanceIds", []string{"ins-a"}))).InvocationId)
	gone := commandPrefix + core.ID(1).String()
	total := func() int {
		t.Helper()
		return ok[describeCommandsResponse](c.call("DescribeCommands", `{}`)).TotalCount
	}

	c.call("DeleteCommand", object("CommandId", busy)).want("ResourceUnavailable.CommandInExecuting")
	c.call("DeleteCommands", object("CommandIds", []string{idle, busy})).want("ResourceUnavailable.CommandInExecuting")
	c.call("DeleteCommands", object("CommandIds", []string{idle, gone})).want("ResourceNotFound.CommandNotFound")
	c.call("DeleteCommands", object("CommandIds", []string{idle, "cmd-12345678"})).want("ResourceNotFound.CommandNotFound")
	c.call("DeleteCommands", object("CommandIds", []string{idle, "nonsense"})).want("InvalidParameterValue.InvalidCommandId")
	c.call("DeleteCommands", `{}`).want("MissingParameter")
	c.call("DeleteCommands", `{"CommandIds":[]}`).want("MissingParameter")
	c.call("DeleteCommands", object("CommandIds", make([]string, 101))).want("InvalidParameterValue.LimitExceeded")
	c.call("DeleteCommand", `{}`).want("MissingParameter")
	c.call("DeleteCommand", object("CommandId", "")).want("InvalidParameterValue.InvalidCommandId")
	c.call("DeleteCommand", object("CommandId", gone)).want("ResourceNotFound.CommandNotFound")
	if total() != 2 {
		t.Fatalf("%d commands, want 2", total())
	}

	c.scene.Exit(inv, n, 0, "", "")
	c.call("DeleteCommand", object("CommandId", busy)).want("")
	c.call("DeleteCommand", object("CommandId", busy)).want("ResourceNotFound.CommandNotFound")
	c.call("DeleteCommands", object("CommandIds", []string{idle, idle})).want("")
	if total() != 0 {
		t.Errorf("%d commands, want none", total())
	}
	// History keeps its copy.
	if got := ok[describeInvocationsResponse](c.call("DescribeInvocations", `{}`)); got.InvocationSet[0].CommandName != "busy" {
		t.Errorf("%+v", got.InvocationSet)
	}
}

func TestDescribeCommandsFilters(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	tagged := func(key, value string) []map[string]string { return []map[string]string{{"Key": key, "Value": value}} }
	a := c.create("CommandName", "a", "Content", b64("ls"), "Tags", tagged("env", "prod"))
	b := c.create("CommandName", "b", "Content", b64("ls"), "Tags", tagged("env", "test"))
	d := c.create("CommandName", "d", "Content", b64("dir"), "CommandType", "BAT", "Tags", tagged("team", "prod"))
	unsaved := c.node("ins-a")
	c.run("echo unsaved", unsaved)
	and := func(list ...[]map[string]any) string {
		var all []map[string]any
		for _, l := range list {
			all = append(all, l...)
		}
		return object("Filters", all)
	}
	for name, try := range map[string]struct {
		body  string
		names string
		total int
		code  string
	}{
		"all":                     {`{}`, "dba", 3, ""},
		"empty lists":             {`{"CommandIds":[],"Filters":[]}`, "dba", 3, ""},
		"first page":              {`{"Limit":2}`, "db", 3, ""},
		"second page":             {`{"Limit":2,"Offset":2}`, "a", 3, ""},
		"beyond the end":          {`{"Offset":100000}`, "", 3, ""},
		"ids":                     {object("CommandIds", []string{a, d, "cmd-12345678"}), "da", 2, ""},
		"id":                      {and(filters("command-id", a, b)), "ba", 2, ""},
		"id and id":               {and(filters("command-id", a, b), filters("command-id", b, d)), "b", 1, ""},
		"id and no id":            {and(filters("command-id", a), filters("command-id", d)), "", 0, ""},
		"name":                    {and(filters("command-name", "b")), "b", 1, ""},
		"names":                   {and(filters("command-name", "a", "d", "x")), "da", 2, ""},
		"names, paged":            {object("Filters", filters("command-name", "a", "b", "d"), "Limit", 1, "Offset", 1), "b", 3, ""},
		"name and name":           {and(filters("command-name", "a"), filters("command-name", "b")), "", 0, ""},
		"part of a name":          {and(filters("command-name", "")), "", 0, ""},
		"type":                    {and(filters("command-type", "BAT", "POWERSHELL")), "d", 1, ""},
		"type and type":           {and(filters("command-type", "BAT"), filters("command-type", "SHELL")), "", 0, ""},
		"by users":                {and(filters("created-by", "USER")), "dba", 3, ""},
		"by anybody":              {and(filters("created-by", "USER", "TAT")), "dba", 3, ""},
		"by the vendor":           {and(filters("created-by", "TAT")), "", 0, ""},
		"scene":                   {and(filters("scene-id", "sc-12345678")), "", 0, ""},
		"tag key":                 {and(filters("tag-key", "env")), "ba", 2, ""},
		"tag keys":                {and(filters("tag-key", "env", "team")), "dba", 3, ""},
		"tag value":               {and(filters("tag-value", "prod")), "da", 2, ""},
		"tag":                     {and(filters("tag:env", "prod", "other")), "a", 1, ""},
		"tag and type":            {and(filters("tag-value", "prod"), filters("command-type", "SHELL")), "a", 1, ""},
		"unknown filter":          {and(filters("colour", "red")), "", 0, "InvalidParameterValue.InvalidFilter"},
		"type that is none":       {and(filters("command-type", "shell")), "", 0, "InvalidParameterValue.InvalidFilter"},
		"maker that is none":      {and(filters("created-by", "ME")), "", 0, "InvalidParameterValue.InvalidFilter"},
		"malformed id":            {object("CommandIds", []string{"x"}), "", 0, "InvalidParameterValue.InvalidCommandId"},
		"malformed id in filter":  {and(filters("command-id", "x")), "", 0, "InvalidParameterValue.InvalidCommandId"},
		"ids and filters":         {object("CommandIds", []string{a}, "Filters", filters("command-name", "a")), "", 0, "InvalidParameter.ConflictParameter"},
		"5 values":                {and(filters("command-name", "a", "b", "c", "e", "f")), "ba", 2, ""},
		"6 values":                {and(filters("command-name", "a", "b", "c", "d", "e", "f")), "", 0, "InvalidParameterValue.InvalidFilter"},
		"no values":               {and(filters("command-name")), "", 0, "InvalidParameterValue.InvalidFilter"},
		"10 filters":              {object("Filters", repeat(filters("created-by", "USER")[0], 10)), "dba", 3, ""},
		"11 filters":              {object("Filters", repeat(filters("created-by", "USER")[0], 11)), "", 0, "InvalidParameterValue.InvalidFilter"},
		"100 ids":                 {object("CommandIds", repeat(a, 100)), "a", 1, ""},
		"101 ids":                 {object("CommandIds", repeat(a, 101)), "", 0, "InvalidParameterValue.LimitExceeded"},
		"limit of 1":              {`{"Limit":1}`, "d", 3, ""},
		"limit of 0":              {`{"Limit":0}`, "", 0, "InvalidParameterValue.TooSmall"},
		"limit of 100":            {`{"Limit":100}`, "dba", 3, ""},
		"limit of 101":            {`{"Limit":101}`, "", 0, "InvalidParameterValue.TooLarge"},
		"offset below zero":       {`{"Offset":-1}`, "", 0, "InvalidParameterValue.TooSmall"},
		"offset deeper than read": {`{"Offset":100001}`, "", 0, "InvalidParameterValue"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.call("DescribeCommands", try.body)
			r.want(try.code)
			if r.Code != "" {
				return
			}
			resp := ok[describeCommandsResponse](r)
			names := ""
			for _, cmd := range resp.CommandSet {
				names += cmd.CommandName
			}
			if names != try.names || resp.TotalCount != try.total {
				t.Errorf("%q of %d, want %q of %d", names, resp.TotalCount, try.names, try.total)
			}
		})
	}
}

// TestManyCommands filters more commands than are read at a time.
func TestManyCommands(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	const total = scanned + 2
	var wg sync.WaitGroup
	for i := range total {
		wg.Go(func() {
			_, err := c.scene.Service.CreateCommand(t.Context(), c.scene.Caller, core.CommandSpec{Definition: core.Definition{
				Name: fmt.Sprintf("c%d", i), Type: core.Shell, Content: []byte("ls"),
			}, Tags: []core.Tag{{Key: "half", Value: strconv.Itoa(i % 2)}}, Limits: limits()})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for offset := 0; offset < total/2; offset += 100 {
		resp := ok[describeCommandsResponse](c.call("DescribeCommands", object("Filters", filters("tag:half", "1"), "Limit", 100, "Offset", offset)))
		if resp.TotalCount != total/2 {
			t.Fatalf("%d commands, want %d", resp.TotalCount, total/2)
		}
		for _, cmd := range resp.CommandSet {
			seen[cmd.CommandName] = true
		}
	}
	if len(seen) != total/2 {
		t.Errorf("%d commands were listed, want %d", len(seen), total/2)
	}
}

func repeat[T any](v T, n int) []T {
	list := make([]T, n)
	for i := range list {
		list[i] = v
	}
	return list
}

func TestPreview(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	stored := c.create("CommandName", "a", "Content", b64("{{a}} {{tat-hidden:b}} {{c}}"), "EnableParameter", true, "DefaultParameters", `{"a":"1","b":"2"}`)
	plain := c.create("CommandName", "b", "Content", b64("ls {{a}}"))
	content := b64("ls {{a}}\necho {{b}} {{c}}")
	for name, try := range map[string]struct{ body, want, code string }{
		"the vendor's sample": {object("Content", content, "Parameters", `{"a":"123"}`), "ls 123\necho {{b}} {{c}}", ""},
		"value with braces":   {object("Content", content, "Parameters", `{"a":"{{b}}","b":"2"}`), "ls {{b}}\necho 2 {{c}}", ""},
		"defaults":            {object("CommandId", stored), "1 2 {{c}}", ""},
		"over defaults":       {object("CommandId", stored, "Parameters", `{"a":"9","c":"3"}`), "9 2 3", ""},
		"without parameters":  {object("CommandId", plain), "ls {{a}}", ""},
		"nothing to fill in":  {object("Content", b64("ls")), "ls", ""},
		"no values":           {object("Content", content), "", "InvalidParameterValue.LackOfParameters"},
		"though disabled":     {object("CommandId", plain, "Parameters", `{"a":"1"}`), "", "InvalidParameterValue.ParameterDisabled"},
		"both":                {object("CommandId", plain, "Content", content), "", "InvalidParameter.ConflictParameter"},
		"neither":             {`{}`, "", "MissingParameter"},
		"unknown command":     {object("CommandId", "cmd-12345678"), "", "ResourceNotFound.CommandNotFound"},
		"deleted command":     {object("CommandId", commandPrefix+core.ID(1).String()), "", "ResourceNotFound.CommandNotFound"},
		"malformed id":        {object("CommandId", "x"), "", "InvalidParameterValue.InvalidCommandId"},
		"no Base64":           {object("Content", "!"), "", "InvalidParameterValue.CommandContentInvalid"},
		"empty content":       {object("Content", ""), "", "InvalidParameterValue.CommandContentInvalid"},
		"64 KB":               {object("Content", b64(strings.Repeat("#", 65536/4*3))), strings.Repeat("#", 65536/4*3), ""},
		"more than 64 KB":     {object("Content", b64(strings.Repeat("#", 65536/4*3+1))), "", "InvalidParameterValue.Range"},
		"malformed values":    {object("Content", content, "Parameters", "x"), "", "InvalidParameterValue.ParameterInvalidJsonFormat"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.call("PreviewReplacedCommandContent", try.body)
			r.want(try.code)
			if r.Code == "" && ok[previewResponse](r).ReplacedContent != b64(try.want) {
				t.Errorf("%s, want %s", r.Raw, b64(try.want))
			}
		})
	}
}
