package zos_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"errand/internal/api"
	"errand/internal/core"
)

// TestDocumentedErrors provokes every code of the action pages and of the common table that a request can provoke here.
func TestDocumentedErrors(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	command := c.create("job", "work")
	c.online("on")
	c.online("off")
	c.Advance(core.OnlineWindow)
	for _, id := range []string{"on", "busy"} {
		if id == "busy" {
			c.online(id)
			continue
		}
		nodes, err := c.Service.NodesByID(t.Context(), c.Caller, []string{id})
		if err != nil {
			t.Fatal(err)
		}
		c.Online(nodes[id])
	}
	c.Node("never")
	c.Online(c.NodeOn(core.Windows, "windows"))
	running := c.create("running", "work")
	c.invoke(running, "busy")

	long := func(n int) string { return strings.Repeat("ü", n) }
	many := func(n int, item any) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = item
		}
		return list
	}
	type m = map[string]any
	created := func(changes m) string {
		all := m{"name": "n", "content": "c", "type": "SHELL"}
		for k, v := range changes {
			all[k] = v
		}
		return body(all)
	}
	tags := func(list ...m) m { return m{"tags": m{"tags": list}} }
	invoked := func(timeout any, instances ...any) string {
		return body(m{"commandId": command, "instanceIds": instances, "timeout": timeout})
	}
	tests := []struct {
		action, body string
		status       int
		code         string
	}{
		{"CreateCommand", created(m{"name": nil}), 400, "MISSING_PARAMETER"},
		{"CreateCommand", created(m{"content": nil}), 400, "MISSING_PARAMETER"},
		{"CreateCommand", created(m{"type": nil}), 400, "MISSING_PARAMETER"},
		{"CreateCommand", created(m{"name": ""}), 400, "INVALID_PARAMETER_LESS_LENGTH"},
		{"CreateCommand", created(m{"content": ""}), 400, "INVALID_PARAMETER_LESS_LENGTH"},
		{"CreateCommand", created(m{"name": long(65)}), 400, "INVALID_PARAMETER_EXCEED_LENGTH"},
		{"CreateCommand", created(m{"content": long(16385)}), 400, "INVALID_PARAMETER_EXCEED_LENGTH"},
		{"CreateCommand", created(m{"description": long(256)}), 400, "INVALID_PARAMETER_EXCEED_LENGTH"},
		{"CreateCommand", created(m{"type": "shell"}), 400, "INVALID_PARAMETER_VALUE"},
		{"CreateCommand", created(m{"name": 5}), 400, "INVALID_PARAMETER_TYPE"},
		{"CreateCommand", created(m{"tags": many(1, m{})}), 400, "INVALID_PARAMETER_TYPE"},
		{"CreateCommand", created(tags(m{"value": "v"})), 400, "INVALID_PARAMETER_LESS_LENGTH"},
		{"CreateCommand", created(tags(m{"key": "k", "value": ""})), 400, "INVALID_PARAMETER_LESS_LENGTH"},
		{"CreateCommand", created(tags(m{"key": long(65), "value": "v"})), 400, "INVALID_PARAMETER_EXCEED_LENGTH"},
		{"CreateCommand", created(tags(m{"key": "k", "value": long(65)})), 400, "INVALID_PARAMETER_EXCEED_LENGTH"},
		{"CreateCommand", created(tags(m{"key": "acs:k", "value": "v"})), 400, "INVALID_PARAMETER_PATTERN_ERROR"},
		{"CreateCommand", created(tags(m{"key": "k", "value": "v"}, m{"key": "k", "value": "w"})), 400, "INVALID_PARAMETER_VALUE"},
		{"CreateCommand", created(m{"tags": m{"tags": many(21, m{"key": "k", "value": "v"})}}), 400, "INVALID_PARAMETER_EXCEED_LENGTH"},

		{"ModifyCommand", `{}`, 400, "MISSING_PARAMETER"},
		{"ModifyCommand", `{"commandId":""}`, 400, "INVALID_PARAMETER_LESS_LENGTH"},
		{"ModifyCommand", `{"commandId":"1234567890"}`, 404, "INVALID_COMMAND_NOT_FOUND"},
		{"ModifyCommand", body(m{"commandId": c.Service.NewID().String()}), 404, "INVALID_COMMAND_NOT_FOUND"},
		{"ModifyCommand", body(m{"commandId": running, "name": "x"}), 400, "INVALID_COMMAND_INVOCATION_RUNNING_EXIST"},
		{"ModifyCommand", body(m{"commandId": command, "name": ""}), 400, "INVALID_PARAMETER_LESS_LENGTH"},
		{"ModifyCommand", body(m{"commandId": command, "content": ""}), 400, "INVALID_PARAMETER_LESS_LENGTH"},
		{"ModifyCommand", body(m{"commandId": command, "name": long(65)}), 400, "INVALID_PARAMETER_EXCEED_LENGTH"},
		{"ModifyCommand", body(m{"commandId": command, "content": long(16385)}), 400, "INVALID_PARAMETER_EXCEED_LENGTH"},
		{"ModifyCommand", body(m{"commandId": command, "description": long(256)}), 400, "INVALID_PARAMETER_EXCEED_LENGTH"},

		{"DeleteCommand", `{"commandId":null}`, 400, "MISSING_PARAMETER"},
		{"DeleteCommand", `{"commandId":7}`, 400, "INVALID_PARAMETER_TYPE"},
		{"DeleteCommand", body(m{"commandId": c.Service.NewID().String()}), 404, "INVALID_COMMAND_NOT_FOUND"},
		{"DeleteCommand", body(m{"commandId": running}), 400, "INVALID_COMMAND_INVOCATION_RUNNING_EXIST"},

		{"DescribeCommands", body(m{"commandIds": many(101, "x")}), 400, "INVALID_PARAMETER_EXCEED_LENGTH"},
		{"DescribeCommands", body(m{"tagKeys": many(21, "x")}), 400, "INVALID_PARAMETER_EXCEED_LENGTH"},
		{"DescribeCommands", body(m{"tags": many(21, m{"key": "k"})}), 400, "INVALID_PARAMETER_EXCEED_LENGTH"},
		{"DescribeCommands", `{"types":["SHELL","PYTHON"]}`, 400, "INVALID_PARAMETER_VALUE"},
		{"DescribeCommands", `{"tags":{"tags":[]}}`, 400, "INVALID_PARAMETER_TYPE"},
		{"DescribeCommands", `{"pageSize":0}`, 400, "INVALID_PARAMETER_LESS_MINIMUM"},
		{"DescribeCommands", `{"pageSize":1001}`, 400, "INVALID_PARAMETER_EXCEED_MAXIMUM"},
		{"DescribeCommands", `{"pageNum":0}`, 400, "INVALID_PARAMETER_LESS_MINIMUM"},
		{"DescribeCommands", `{"pageSize":"20"}`, 400, "INVALID_PARAMETER_TYPE"},
		{"DescribeCommands", `{"pageSize":1.5}`, 400, "INVALID_PARAMETER_TYPE"},
		{"DescribeCommands", `{"commandIds":"x"}`, 400, "INVALID_PARAMETER_TYPE"},
		{"DescribeCommands", `{"commandIds":[null]}`, 400, "INVALID_PARAMETER_TYPE"},
		{"DescribeCommands", ``, 400, "INVALID_PARAMETER_PATTERN_ERROR"},
		{"DescribeCommands", `{`, 400, "INVALID_PARAMETER_PATTERN_ERROR"},
		{"DescribeCommands", `[]`, 400, "INVALID_PARAMETER_PATTERN_ERROR"},
		{"DescribeCommands", `{}{}`, 400, "INVALID_PARAMETER_PATTERN_ERROR"},
		{"DescribeCommands", `{"name":"` + strings.Repeat("x", api.MaxBody) + `"}`, 400, "INVALID_PARAMETER_EXCEED_LENGTH"},

		{"InvokeCommand", `{"instanceIds":["on"]}`, 400, "MISSING_PARAMETER"},
		{"InvokeCommand", body(m{"commandId": command}), 400, "MISSING_PARAMETER"},
		{"InvokeCommand", body(m{"commandId": command, "instanceIds": []string{}}), 400, "INVALID_PARAMETER_LESS_LENGTH"},
		{"InvokeCommand", body(m{"commandId": "1234567890", "instanceIds": []string{"on"}}), 404, "INVALID_COMMAND_NOT_FOUND"},
		{"InvokeCommand", body(m{"commandId": c.Service.NewID().String(), "instanceIds": []string{"on"}}), 404, "INVALID_COMMAND_NOT_FOUND"},
		{"InvokeCommand", invoked(nil, "on", "nowhere"), 404, "INVALID_INSTANCE_NOT_FOUND"},
		{"InvokeCommand", invoked(nil, "on", "off"), 400, "INVALID_INSTANCE_NOT_RUNNING"},
		{"InvokeCommand", invoked(nil, "on", "never"), 400, "INVALID_INSTANCE_QGA_REQUIRED"},
		{"InvokeCommand", invoked(nil, "on", "windows"), 400, "INVALID_COMMAND_NOT_SUPPORT_OS"},
		{"InvokeCommand", invoked(nil, many(201, "on")...), 400, "INVALID_PARAMETER_EXCEED_LENGTH"},
		{"InvokeCommand", invoked(0, "on"), 400, "INVALID_PARAMETER_LESS_MINIMUM"},
		{"InvokeCommand", invoked(61, "on"), 400, "INVALID_PARAMETER_EXCEED_MAXIMUM"},
		{"InvokeCommand", invoked("30", "on"), 400, "INVALID_PARAMETER_TYPE"},
		{"InvokeCommand", invoked(true, "on"), 400, "INVALID_PARAMETER_TYPE"},

		{"DescribeCommandInvocations", `{"pageSize":-1}`, 400, "INVALID_PARAMETER_LESS_MINIMUM"},
		{"DescribeCommandInvocations", `{"pageSize":10001}`, 400, "INVALID_PARAMETER_EXCEED_MAXIMUM"},
		{"DescribeCommandInvocations", `{"pageNum":-1}`, 400, "INVALID_PARAMETER_LESS_MINIMUM"},
		{"DescribeCommandInvocations", `{"invocationStatuses":["Stopped"]}`, 400, "INVALID_PARAMETER_VALUE"},
		{"DescribeCommandInvocations", `{"invocationStatuses":"Success"}`, 400, "INVALID_PARAMETER_TYPE"},
		{"DescribeCommandInvocations", `{"instanceIds":[1]}`, 400, "INVALID_PARAMETER_TYPE"},

		{"RunCommand", `{}`, 401, "AUTHFAILURE_UNAUTHORIZED_OPERATION"},
		{"describecommands", `{}`, 401, "AUTHFAILURE_UNAUTHORIZED_OPERATION"},
		{"", `{}`, 400, "MISSING_PARAMETER"},
	}
	for i, tt := range tests {
		t.Run(strconv.Itoa(i)+" "+tt.action, func(t *testing.T) {
			c.fails(tt.action, tt.body, tt.status, tt.code)
		})
	}
	if v, _, err := c.Service.Invocations(t.Context(), c.Caller, core.InvocationFilter{}, core.PageSpec{Limit: 10}); err != nil || len(v) != 1 {
		t.Errorf("refused calls left %d invocations (%v)", len(v), err)
	}
	if v, _, err := c.Service.Commands(t.Context(), c.Caller, core.CommandFilter{}, core.PageSpec{Limit: 10}); err != nil || len(v) != 2 {
		t.Errorf("refused calls left %d commands (%v)", len(v), err)
	}
}

// TestLimitsAreInclusive accepts what lies exactly on a limit, counted in characters.
func TestLimitsAreInclusive(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	long := func(n int) string { return strings.Repeat("ü", n) }
	var made struct{ CommandID string }
	c.do("CreateCommand", body(map[string]any{
		"name": long(64), "content": long(16384), "description": long(255), "type": "SHELL",
		"tags": map[string]any{"tags": []map[string]string{{"key": long(64), "value": long(64)}}},
	}), &made)
	var ids []string
	for i := range 200 {
		ids = append(ids, c.online(fmt.Sprintf("web-%d", i)).ID)
	}
	for _, timeout := range []int{1, 60} {
		c.do("InvokeCommand", body(map[string]any{"commandId": made.CommandID, "instanceIds": ids, "timeout": timeout}), &struct{}{})
	}
	c.do("DescribeCommands", `{"pageSize":1000}`, &struct{}{})
	c.do("DescribeCommandInvocations", `{"pageSize":10000}`, &struct{}{})
}

// TestRequestsAround sends what is wrong outside the body.
func TestRequestsAround(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	tests := map[string]struct {
		change func(*http.Request)
		status int
		code   string
	}{
		"as it should be": {func(*http.Request) {}, 200, ""},
		"charset":         {func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset=utf-8") }, 200, ""},
		"bearer in any case": {
			func(r *http.Request) { r.Header.Set("Authorization", "bearer "+c.token) }, 200, "",
		},
		"no authorization": {func(r *http.Request) { r.Header.Del("Authorization") }, 401, "AUTHFAILURE_INVALID_AUTHORIZATION"},
		"another scheme": {
			func(r *http.Request) { r.Header.Set("Authorization", "Basic eDp5") }, 401, "AUTHFAILURE_INVALID_AUTHORIZATION",
		},
		"unknown token": {
			func(r *http.Request) { r.Header.Set("Authorization", "Bearer TOKENEXAMPLE") }, 401, "AUTHFAILURE_INVALID_AUTHORIZATION",
		},
		"token in clear text from elsewhere": {
			func(r *http.Request) { r.RemoteAddr = "192.0.2.7:40000" }, 401, "AUTHFAILURE_INVALID_AUTHORIZATION",
		},
		"no version": {func(r *http.Request) { r.Header.Del("X-Zc-Version") }, 400, "MISSING_PARAMETER"},
		"other version": {
			func(r *http.Request) { r.Header.Set("X-Zc-Version", "2020-01-01") }, 401, "AUTHFAILURE_UNAUTHORIZED_OPERATION",
		},
		"other service": {func(r *http.Request) { r.URL.Path = "/api/v2/zec" }, 401, "AUTHFAILURE_UNAUTHORIZED_OPERATION"},
		"other path":    {func(r *http.Request) { r.URL.Path = "/" }, 401, "AUTHFAILURE_UNAUTHORIZED_OPERATION"},
		"other method":  {func(r *http.Request) { r.Method = http.MethodPut }, 401, "AUTHFAILURE_UNAUTHORIZED_OPERATION"},
		"broken query":  {func(r *http.Request) { r.URL.RawQuery = "%zz" }, 400, "INVALID_PARAMETER_PATTERN_ERROR"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := c.request("DescribeCommands", `{}`)
			tt.change(r)
			if a := c.send(r); a.status != tt.status || a.Code != tt.code {
				t.Errorf("%d %s (%s), want %d %s", a.status, a.Code, a.Message, tt.status, tt.code)
			}
		})
	}
}

// TestErrorsWithoutRequest writes the errors that no request provokes by itself.
func TestErrorsWithoutRequest(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	tests := map[string]struct {
		err    error
		status int
		code   string
	}{
		"a fault of ours":   {errors.New("disk on fire"), 500, "INTERNAL_SERVER_ERROR"},
		"a fault in core":   {&core.Error{Code: core.CodeInternal, Detail: "disk on fire"}, 500, "INTERNAL_SERVER_ERROR"},
		"too slow":          {fmt.Errorf("read: %w", context.DeadlineExceeded), 503, "REQUEST_TIMED_OUT"},
		"given up":          {fmt.Errorf("read: %w", context.Canceled), 503, "SERVICE_TEMPORARY_UNAVAILABLE"},
		"too many":          {&core.Error{Code: core.CodeThrottled, Reason: core.ReasonThrottled}, 429, "REQUEST_LIMIT_EXCEEDED"},
		"denied":            {&core.Error{Code: core.CodeDenied, Reason: core.ReasonDenied}, 401, "AUTHFAILURE_UNAUTHORIZED_OPERATION"},
		"no such object":    {&core.Error{Code: core.CodeNotFound, Reason: core.ReasonInvocationNotFound}, 404, "OPERATION_FAILED_RESOURCE_NOT_FOUND"},
		"key with no token": {&api.TokenError{Missing: true}, 401, "AUTHFAILURE_INVALID_AUTHORIZATION"},
		"repeated":          {&api.ReplayError{}, 401, "AUTHFAILURE_SIGNATURE_FAILURE"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			code := c.dialect.Write(w, &api.Request{ID: api.NewRequestID(), Received: time.Time{}}, nil, tt.err)
			if w.Code != tt.status || code != tt.code {
				t.Errorf("%d %s, want %d %s", w.Code, code, tt.status, tt.code)
			}
			if strings.Contains(w.Body.String(), "fire") {
				t.Errorf("the cause went out: %s", w.Body)
			}
		})
	}
}

// FuzzBody sends strangers' bodies to every action: each is answered in the vendor's form, and never as a fault of ours.
func FuzzBody(f *testing.F) {
	f.Add("CreateCommand", `{"name":"n","content":"c","type":"SHELL","tags":{"tags":[{"key":"k","value":"v"}]}}`)
	f.Add("ModifyCommand", `{"commandId":"0","name":"n"}`)
	f.Add("DeleteCommand", `{"commandId":"c-0000000000000000"}`)
	f.Add("DescribeCommands", `{"commandIds":["1"],"name":"%_\\","types":["BAT"],"tagKeys":["a","b"],"pageSize":1,"pageNum":99999999999}`)
	f.Add("InvokeCommand", `{"commandId":"1234567890","instanceIds":["i-1","i-2"],"timeout":30}`)
	f.Add("DescribeCommandInvocations", `{"invocationIds":["987654321"],"instanceIds":["a","a"],"invocationStatuses":["Failed"]}`)
	shared := newClient(f)
	f.Fuzz(func(t *testing.T, action, text string) {
		c := *shared
		c.tb = t
		r := c.request("x", text)
		r.Header["X-Zc-Action"] = []string{action}
		if a := c.send(r); a.status >= 500 {
			t.Fatalf("%d %s: %s", a.status, a.Code, a.Message)
		}
	})
}
