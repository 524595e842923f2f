package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"errand/internal/core"
	"errand/internal/stacktest"
)

// TestCompose orders runs by the form alone.
func TestCompose(t *testing.T) {
	t.Parallel()
	s := stacktest.Start(t)
	s.AddNode(t, "web-1")
	r := newReader(t, s.URL)
	r.signIn()
	form := url.Values{
		"target": {"web-1"}, "script": {"echo \"$GREETING {{who}}\"\r\nid -un"}, "type": {"shell"}, "timeout": {"30"}, "queue": {"0"},
		"params": {"who=the 'world'"}, "secrets": {"GREETING=hush hush"}, "name": {"Greet"}, "reason": {"to be polite"}, "memory": {"256"},
	}
	look := url.Values{"look": {"1"}}
	for name, values := range form {
		look[name] = values
	}
	resp, body := r.do(http.MethodPost, "runs/new", look)
	if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/console/runs/new" {
		t.Fatalf("%s at %s", resp.Status, resp.Request.URL)
	}
	has(t, body, "1 node", "1 of them online", "errand script web-1 -", "--secret GREETING", "--limits mem=256m", "to be polite", `value="Greet"`)
	if strings.Count(body, "hush hush") != 1 {
		t.Error("the secret stands in more than its own field")
	}
	address, body := r.post("runs/new", form)
	has(t, body, "Greet", "to be polite")
	id, _ := core.ParseID(strings.TrimPrefix(address, "runs/"))
	stacktest.Eventually(t, 30*time.Second, func() error { return ended(t.Context(), s, id) })
	body = r.page(address)
	has(t, body, "Succeeded", "*** the &#39;world&#39;")
	has(t, r.page(address+"?tab=script"), "who", "set, never shown", "echo &#34;$GREETING")
	again := r.page("runs/new?from=" + id.String())
	has(t, again, "who=the &#39;world&#39;", "GREETING=", `value="Greet"`)
	if strings.Contains(body+again, "hush") {
		t.Error("the secret is shown")
	}
}

// TestComposeRefused keeps what was written, and says what is wrong with it.
func TestComposeRefused(t *testing.T) {
	t.Parallel()
	s := stacktest.Start(t)
	s.AddNode(t, "web-1")
	r := newReader(t, s.URL)
	r.signIn()
	for name, change := range map[string]url.Values{
		"no target":     {"target": {""}},
		"unknown node":  {"target": {"web-2"}},
		"bad target":    {"target": {"role = ("}},
		"bad timeout":   {"timeout": {"soon"}},
		"bad pick":      {"pick": {"200%"}},
		"bad steps":     {"steps": {"1, many"}},
		"lonely probe":  {"probe": {"true"}},
		"bad cores":     {"cpu": {"NaN"}},
		"bad memory":    {"memory": {"-1"}},
		"no such value": {"script": {"echo {{a}}"}, "params": {"b=1"}},
	} {
		t.Run(name, func(t *testing.T) {
			form := url.Values{"target": {"web-1"}, "script": {"echo kept"}, "type": {"shell"}, "timeout": {"30"}, "queue": {"60"}}
			for field, value := range change {
				form[field] = value
			}
			resp, body := r.do(http.MethodPost, "runs/new", form)
			if resp.StatusCode < 400 || resp.StatusCode > 409 {
				t.Errorf("%s at %s", resp.Status, resp.Request.URL)
			}
			has(t, body, `role="alert"`, "echo ")
		})
	}
	if resp, _ := r.do(http.MethodPost, "runs/new", url.Values{"script": {strings.Repeat("x", 2<<20)}}); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a form of two MiB: %s", resp.Status)
	}
}

// TestSteer does to runs what can be done to them.
func TestSteer(t *testing.T) {
	t.Parallel()
	s := stacktest.Start(t)
	s.AddNode(t, "web-1")
	r := newReader(t, s.URL)
	r.signIn()
	long, _ := r.post("runs/new", url.Values{"target": {"web-1"}, "script": {"sleep 60"}, "type": {"shell"}, "timeout": {"90"}})
	resp, body := r.do(http.MethodPost, long+"/pause", url.Values{})
	if resp.StatusCode != http.StatusConflict {
		t.Errorf("pausing a run without a pace: %s\n%s", resp.Status, body)
	}
	address, body := r.post(long+"/cancel", url.Values{})
	if address != long+"?done=cancelled" {
		t.Errorf("at %s", address)
	}
	has(t, body, "The run is being cancelled.")
	id, _ := core.ParseID(strings.TrimPrefix(long, "runs/"))
	stacktest.Eventually(t, 30*time.Second, func() error { return ended(t.Context(), s, id) })
	failed := order(t, s, "exit 9")
	stacktest.Eventually(t, 30*time.Second, func() error { return ended(t.Context(), s, failed.ID) })
	has(t, r.page("runs/"+failed.ID.String()), "Retry failed")
	again, body := r.post("runs/"+failed.ID.String()+"/retry", url.Values{})
	has(t, body, "This run repeats the nodes that did not succeed.", "repeats")
	if _, body := r.post(strings.TrimSuffix(again, "?done=retried")+"/abort", url.Values{}); !strings.Contains(body, "Nothing more of the run will start.") {
		t.Error(body)
	}
	if resp, _ := r.do(http.MethodPost, "runs/"+core.ID(77).String()+"/cancel", url.Values{}); resp.StatusCode != http.StatusNotFound {
		t.Errorf("cancelling nothing: %s", resp.Status)
	}
	records, _, err := s.Server.Service.AuditRecords(t.Context(), s.Server.RootCaller(), core.AuditFilter{Resource: "invocation/" + id.String()}, core.PageSpec{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, record := range records {
		did = append(did, record.Dialect+" "+record.Action+" "+record.Code)
	}
	all := strings.Join(did, "\n")
	has(t, all, "console POST /console/runs/{id}/cancel ", "console POST /console/runs/{id}/pause conflict", "console POST /console/runs/new ")
	has(t, r.page(long+"?tab=audit"), "/console/runs/{id}/cancel")
}

// TestOutput reads, searches and downloads what a node printed, without JavaScript.
func TestOutput(t *testing.T) {
	t.Parallel()
	s := stacktest.Start(t)
	s.AddNode(t, "web-1")
	v := order(t, s, `for i in $(seq 1 1000); do echo "line $i"; done; printf '\033[31mred\033[0m <i>x</i>\n' >&2`)
	stacktest.Eventually(t, 30*time.Second, func() error { return ended(t.Context(), s, v.ID) })
	r := newReader(t, s.URL)
	r.signIn()
	task := "tasks/" + core.TaskID{Invocation: v.ID}.String()
	body := r.page(task + "?stream=stdout")
	has(t, body, "line 1<", "line 256<", "line=257", "exit 0")
	if strings.Contains(body, "line 257<") {
		t.Error("more than a page of lines")
	}
	has(t, r.page(task+"?stream=stdout&line=700"), "line 700<", "line 695<", "line=439")
	has(t, r.page(task+"?stream=stderr"), `class="a-f1">red</span>`, "&lt;i&gt;x&lt;/i&gt;")
	has(t, r.page(task+"?stream=stdout&q=LINE+99"), "11 lines match", "line 990<")
	has(t, r.page(task+"?q=nowhere"), "0 lines match")
	resp, raw := r.do(http.MethodGet, task+"/raw?stream=stdout", nil)
	if !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "sandbox") ||
		!strings.HasSuffix(raw, "line 1000\n") {
		t.Errorf("%v, %d bytes", resp.Header, len(raw))
	}
	var got struct {
		Lines []struct {
			N uint64
			S []struct{ C, T string }
		}
		Total    uint64
		Complete bool
	}
	_, body = r.do(http.MethodGet, task+"/lines?from=999&stream=stdout", nil)
	if err := json.Unmarshal([]byte(body), &got); err != nil || got.Total != 1000 || !got.Complete || len(got.Lines) != 2 || got.Lines[1].S[0].T != "line 1000" {
		t.Errorf("%+v, %v", got, err)
	}
	_, body = r.do(http.MethodGet, task+"/search?q=line+10&stream=stdout", nil)
	has(t, body, `"total":12`, `[10,100,`)
	for _, bad := range []string{"/lines?from=x", "/lines?from=0"} {
		if resp, _ := r.do(http.MethodGet, task+bad, nil); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", bad, resp.Status)
		}
	}
}

// TestFilterRuns reads the list as somebody looks for something.
func TestFilterRuns(t *testing.T) {
	t.Parallel()
	_, r, v := start(t)
	id := v.ID.String()
	for query, found := range map[string]bool{
		"": true, "?state=failed": true, "?state=open": false, "?state=mine": true, "?q=by:root": true, "?q=by:nobody": false, "?q=node:web-1": true,
		"?q=node:web-9": false, "?q=origin:ecs": false, "?q=nothing": false,
	} {
		if body := r.page("runs" + query); strings.Contains(body, id) != found {
			t.Errorf("%q: found is %v", query, !found)
		}
	}
	if resp, body := r.do(http.MethodGet, "runs?q=colour:red", nil); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("%s", resp.Status)
	} else {
		has(t, body, "There is nothing called colour:")
	}
	later, _ := r.post("runs/new", url.Values{"target": {"web-1"}, "script": {"true"}, "type": {"shell"}, "timeout": {"30"}})
	_, body := r.do(http.MethodGet, "runs?part=live-runs&newest="+id, nil, "HX-Request", "true")
	has(t, body, "1 new", id)
	if strings.Contains(body, later) {
		t.Error("a new run moved the rows")
	}
	_, body = r.do(http.MethodGet, "palette?q=ECHO", nil)
	has(t, body, `"kind":"run"`, id)
	_, body = r.do(http.MethodGet, "palette?q=eb-1", nil)
	has(t, body, `"kind":"node"`, "/console/nodes/web-1")
}

// TestStream tells that something has changed, and of what kind it is.
func TestStream(t *testing.T) {
	t.Parallel()
	s, r, v := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+"/console/stream?types=invocation,task", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := r.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	if !lines.Scan() || lines.Text() != "retry: 1000" {
		t.Fatal(lines.Text())
	}
	order(t, s, "true")
	heard := map[string]bool{}
	for !heard["task"] || !heard["invocation"] {
		if !lines.Scan() {
			t.Fatalf("heard %v, then %v", heard, lines.Err())
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var kinds []string
			if err := json.Unmarshal([]byte(data), &kinds); err != nil {
				t.Fatal(err)
			}
			for _, kind := range kinds {
				heard[kind] = true
			}
		}
	}
	for _, bad := range []string{"", "types=nothing", "types=task&task=" + core.TaskID{Invocation: v.ID + 1}.String()} {
		if resp, _ := r.do(http.MethodGet, "stream?"+bad, nil); resp.StatusCode < 400 {
			t.Errorf("%q: %s", bad, resp.Status)
		}
	}
}

// TestRights checks that the console is no way around them: a user who may only look cannot run, and sees why.
func TestRights(t *testing.T) {
	t.Parallel()
	s, _, v := start(t)
	ctx, root := t.Context(), s.Server.RootCaller()
	if _, err := s.Server.Service.CreateUser(ctx, root, "kim", core.UserPerson, ""); err != nil {
		t.Fatal(err)
	}
	document := `{"Version":"1","Statement":[{"Effect":"Allow","Action":["invocation.list","task.list"],"Resource":"*"}]}`
	if _, err := s.Server.Service.PutPolicy(ctx, root, "look", "", document); err != nil {
		t.Fatal(err)
	}
	if err := s.Server.Service.AttachPolicy(ctx, root, "kim", "look"); err != nil {
		t.Fatal(err)
	}
	key, err := s.Server.Service.IssueKey(ctx, root, core.KeySpec{User: "kim", Kind: core.KeyLong})
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t, s.URL)
	if address, body := r.post("login", url.Values{"key": {key.ID}, "secret": {key.Secret}, "next": {"/console/runs"}}); address != "runs" {
		t.Fatalf("at %s\n%s", address, body)
	}
	page := "runs/" + v.ID.String()
	has(t, r.page(page), "web-1", "kim")
	for _, path := range []string{page + "/cancel", page + "/retry", "runs/new"} {
		resp, body := r.do(http.MethodPost, path, url.Values{"target": {"web-1"}, "script": {"id"}, "type": {"shell"}, "timeout": {"30"}})
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", path, resp.Status)
		}
		has(t, body, "You may not do this")
	}
	if resp, _ := r.do(http.MethodGet, "nodes", nil); resp.StatusCode != http.StatusForbidden {
		t.Errorf("nodes: %s", resp.Status)
	}
}

// TestDiff compares two groups.
func TestDiff(t *testing.T) {
	t.Parallel()
	s := stacktest.Start(t)
	s.AddNode(t, "web-1")
	s.AddNode(t, "web-2")
	r := newReader(t, s.URL)
	r.signIn()
	address, _ := r.post("runs/new", url.Values{
		"target": {"all"}, "script": {fmt.Sprintf("echo same; mkdir %s/one 2>/dev/null && echo '<u>other</u>'; true", t.TempDir())}, "type": {"shell"}, "timeout": {"30"},
	})
	id, _ := core.ParseID(strings.TrimPrefix(address, "runs/"))
	stacktest.Eventually(t, 30*time.Second, func() error { return ended(t.Context(), s, id) })
	groups, _, err := s.Server.Service.Results(t.Context(), s.Server.RootCaller(), id, core.Merged, core.PageSpec{Limit: 5})
	if err != nil || len(groups.Groups) != 2 {
		t.Fatal(errors.Join(err, fmt.Errorf("%d groups", len(groups.Groups))))
	}
	a, b := groups.Groups[0].String(), groups.Groups[1].String()
	body := r.page(address + "/diff?group=" + b)
	has(t, body, "&lt;u&gt;other&lt;/u&gt;", "compared with", "stdout")
	has(t, r.page(address+"/diff?group="+a+"&against="+b), "&lt;u&gt;other&lt;/u&gt;")
	for _, bad := range []string{"", "?group=x", "?group=" + a + "&against=x"} {
		if resp, _ := r.do(http.MethodGet, address+"/diff"+bad, nil); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%q: %s", bad, resp.Status)
		}
	}
}
