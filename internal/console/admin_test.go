package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"errand/internal/core"
	"errand/internal/stacktest"
)

// adminPages are the pages of administration that take no id, each with what stands on it in English.
var adminPages = map[string][]string{
	"nodes?q=online": {"1 of 1 online", "web-1", "Save as group"}, "nodes?q=os%3Dplan9": {"No nodes"},
	"groups": {"Groups", "New group"}, "groups/new": {"Expression"}, "groups/new?target=role%3Dweb": {`value="role=web"`},
	"commands": {"No commands"}, "commands/new": {"Script", "Default values"},
	"schedules": {"Carried out by the server", "Kept by nodes"}, "schedules/new": {"Cron or rate", "If the last one still runs"},
	"files": {"No files"}, "files/push": {`type="file"`}, "files/fetch": {"Absolute, one in a line."},
	"sessions": {"No terminals"}, "sessions?state=ended": {"No terminals"}, "sessions/new?node=web-1": {`value="web-1"`}, "recordings": {"No recordings"},
	"users": {"No users"}, "users/new": {"Role"}, "keys": {stacktest.KeyID}, "keys/new": {"Bearer token"},
	"policies": {"Built in", "Try it out"}, "policies/new": {"statements"}, "policies/test": {"Nothing is done."},
	"accounts": {core.RootAccount.String()}, "accounts/new": {"Account"}, "quotas": {"invocations-per-day", "Set a quota"}, "quotas?account=default": {"All accounts"},
	"registrations": {"Registration codes"}, "registrations/new": {"Valid for, in minutes"},
	"events": {"No subscriptions"}, "events/new": {"Patterns such as"},
	"audit": {"Audit"}, "audit?user=nobody&since=2026-01-01T00%3A00": {"No record"},
	"agents": {"No rollouts", "No releases"}, "agents/new?version=v9": {`value="v9"`},
	"explorer": {"API explorer", "DescribeManagedInstances"}, "explorer?product=tat": {"CreateInvoker"}, "settings": {"Terminals may be opened"}, "system": {"System health", "Nodes connected", "Database answers", "Agents by version"},
}

// TestAdminPages reads every page of administration without JavaScript, in both languages.
func TestAdminPages(t *testing.T) {
	t.Parallel()
	_, r, _ := start(t)
	for path, want := range adminPages {
		t.Run(path, func(t *testing.T) {
			has(t, r.page(path), append(want, "<main", "<h1>")...)
			_, body := r.do(http.MethodGet, path, nil, "Accept-Language", "zh")
			has(t, body, `lang="zh"`)
			if key := regexp.MustCompile(`>[a-z]+\.[a-z_.]+<`).FindString(body); key != "" {
				t.Errorf("a message is missing: %s", key)
			}
		})
	}
}

// stranger makes a user without any right, and a reader who is signed in as that user.
func stranger(t *testing.T, s *stacktest.Stack) *reader {
	t.Helper()
	root := s.Server.RootCaller()
	if _, err := s.Server.Service.CreateUser(t.Context(), root, "nobody", core.UserPerson, ""); err != nil {
		t.Fatal(err)
	}
	k, err := s.Server.Service.IssueKey(t.Context(), root, core.KeySpec{User: "nobody", Kind: core.KeyLong})
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t, s.URL)
	if resp, body := r.do(http.MethodPost, "login", url.Values{"key": {k.ID}, "secret": {k.Secret}, "next": {"/console/keys/new"}}); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s\n%s", resp.Status, body)
	}
	return r
}

// TestAdminDenied gives whoever lacks the right a page that says so, for what is shown and for what is done.
func TestAdminDenied(t *testing.T) {
	t.Parallel()
	s, _, _ := start(t)
	r := stranger(t, s)
	forms := regexp.MustCompile(`/(new|push|fetch|test)(\?|$)`) // they show nothing; what they send is refused
	for path := range adminPages {
		if forms.MatchString(path) || strings.HasPrefix(path, "accounts") || strings.HasPrefix(path, "quotas") || strings.HasPrefix(path, "explorer") {
			continue
		}
		resp, body := r.do(http.MethodGet, path, nil)
		if resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "You may not do this") {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	for path, form := range map[string]url.Values{
		"groups/new": {"name": {"g"}, "target": {"online"}}, "commands/new": {"name": {"c"}, "type": {"shell"}, "content": {"true"}, "timeout": {"60"}},
		"users/new": {"name": {"eve"}, "kind": {"user"}}, "keys/new": {"kind": {"long"}}, "policies/new": {"name": {"p"}, "document": {`{}`}},
		"accounts/new": {"name": {"a"}}, "registrations/new": {"limit": {"1"}, "minutes": {"5"}}, "events/new": {"url": {"https://a.example/"}, "batch": {"1"}},
		"settings": {}, "sessions/new": {"node": {"web-1"}}, "files/fetch": {"target": {"online"}, "paths": {"/etc/hostname"}},
		"schedules/new": {"target": {"online"}, "content": {"true"}, "how": {"cron"}, "expr": {"0 0 * * *"}, "missed": {"skip"}}, "policies/test": {"user": {"u"}, "action": {"node.list"}},
		"nodes/web-1/cordon": {"on": {"1"}}, "nodes/web-1/remove": {}, "nodes/web-1/rotate": {}, "nodes/web-1/backlog": {}, "nodes/web-1/tags": {"tags": {"a=b"}},
		"quotas": {"name": {"nodes"}, "limit": {"1"}},
	} {
		resp, body := r.do(http.MethodPost, path, form)
		if resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "You may not do this") {
			t.Errorf("%s: %s\n%s", path, resp.Status, body)
		}
	}
}

// TestAdminUnknown gives what is not there a page that says so.
func TestAdminUnknown(t *testing.T) {
	t.Parallel()
	_, r, _ := start(t)
	id := core.ID(12345).String()
	for _, path := range []string{
		"nodes/none", "nodes/none/remove", "nodes/none/rotate", "groups/none", "groups/none/delete", "commands/none", "commands/" + id, "commands/" + id + "/edit",
		"commands/" + id + "/delete", "schedules/none", "schedules/" + id, "schedules/" + id + "/delete", "standing/none", "standing/" + id, "standing/" + id + "/end",
		"files/none", "files/" + id, "files/" + id + "/" + id, "sessions/none", "sessions/" + id, "recordings/none", "recordings/" + id, "recordings/" + id + "/cast",
		"users/none", "users/none/delete", "users/none/keys/new", "keys/none", "keys/none/delete", "policies/none", "policies/none/delete", "accounts/none",
		"accounts/12", "accounts/12/key", "events/none", "events/" + id, "events/" + id + "/delete", "agents/none", "agents/" + id, "agents/" + id + "/abort",
	} {
		resp, body := r.do(http.MethodGet, path, nil)
		if resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "Not found") {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	for _, path := range []string{
		"nodes/none/cordon", "nodes/none/tags", "nodes/none/backlog", "schedules/" + id + "/pause", "sessions/" + id + "/end", "sessions/" + id + "/watch",
		"sessions/" + id + "/paint", "registrations/none/revoke", "registrations/" + id + "/revoke", "events/" + id + "/ping", "keys/none/disable", "users/none/disable",
		"users/none/attach", "agents/" + id, "agents/releases/v1/delete", "accounts/12/disable", "policies/none/delete", "groups/none/delete",
	} {
		resp, body := r.do(http.MethodPost, path, url.Values{"on": {"1"}, "do": {"pause"}, "policy": {"x"}})
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("POST %s: %s\n%s", path, resp.Status, body)
		}
	}
}

// TestAdminForms shows a form that was refused once more: with what was typed, and with what is wrong beside the field.
func TestAdminForms(t *testing.T) {
	t.Parallel()
	_, r, _ := start(t)
	for name, form := range map[string]struct {
		path   string
		values url.Values
		field  string
		want   []string
	}{
		"group, expression":    {"groups/new", url.Values{"name": {"mine"}, "target": {"role=="}}, "target", []string{`value="mine"`, `value="role=="`}},
		"command, none":        {"commands/new", url.Values{"name": {"deploy"}, "content": {""}, "type": {"shell"}, "timeout": {"60"}}, "content", []string{`value="deploy"`}},
		"command, defaults":    {"commands/new", url.Values{"name": {"deploy"}, "content": {"true"}, "defaults": {"nothing"}}, "defaults", []string{"Want NAME=VALUE"}},
		"user, name":           {"users/new", url.Values{"name": {"a b"}, "kind": {"user"}, "description": {"<i>"}}, "name", []string{`value="a b"`, "&lt;i&gt;"}},
		"key, network":         {"keys/new", url.Values{"kind": {"long"}, "networks": {"nowhere"}}, "networks", []string{`value="nowhere"`, "no address or network"}},
		"key, hours":           {"keys/new", url.Values{"kind": {"long"}, "hours": {"-1"}}, "hours", []string{"whole number"}},
		"policy, document":     {"policies/new", url.Values{"name": {"p"}, "document": {"{"}}, "document", []string{`value="p"`}},
		"code, limit":          {"registrations/new", url.Values{"limit": {"0"}, "minutes": {"5"}}, "limit", []string{"From 1 to"}},
		"code, minutes":        {"registrations/new", url.Values{"limit": {"2"}, "minutes": {"x"}}, "minutes", []string{`value="2"`}},
		"subscription, url":    {"events/new", url.Values{"url": {"ftp://x"}, "batch": {"1"}}, "url", []string{`value="ftp://x"`}},
		"subscription, types":  {"events/new", url.Values{"url": {"https://x.example/"}, "types": {"errand.nothing"}, "batch": {"1"}}, "types", []string{"errand.nothing"}},
		"settings, windows":    {"settings", url.Values{"windows": {"night"}, "zone": {"UTC"}}, "windows", []string{`value="night"`}},
		"settings, cpu":        {"settings", url.Values{"cpu": {"5"}, "memory": {"50"}, "overloads": {"3"}, "log_files": {"30"}, "log_size": {"100"}, "zone": {"UTC"}}, "cpu", []string{`value="5"`}},
		"schedule, expression": {"schedules/new", url.Values{"target": {"online"}, "content": {"true"}, "how": {"cron"}, "expr": {"61 * * * *"}, "missed": {"skip"}}, "expr", []string{`value="61 * * * *"`}},
		"schedule, zone":       {"schedules/new", url.Values{"target": {"online"}, "content": {"true"}, "how": {"cron"}, "expr": {"1 * * * *"}, "zone": {"Mars/Base"}}, "zone", []string{"no time zone"}},
		"schedule, target":     {"schedules/new", url.Values{"content": {"true"}, "how": {"cron"}, "expr": {"1 * * * *"}}, "target", []string{"Something is needed here."}},
		"schedule, missed":     {"schedules/new", url.Values{"target": {"online"}, "content": {"true"}, "how": {"rate"}, "expr": {"5m"}, "missed": {"often"}}, "missed", nil},
		"fetch, target":        {"files/fetch", url.Values{"paths": {"/etc/hosts"}}, "target", []string{"/etc/hosts"}},
		"fetch, nobody":        {"files/fetch", url.Values{"paths": {"/etc/hosts"}, "target": {"os=plan9"}, "queue": {"60"}}, "target", []string{"no node matches"}},
		"session, node":        {"sessions/new", url.Values{"node": {""}}, "node", nil},
		"node, tags":           {"nodes/web-1/tags", url.Values{"name": {"web-1"}, "tags": {"=x"}}, "tags", []string{"Want NAME=VALUE"}},
		"quota":                {"quotas", url.Values{"name": {"nodes"}, "limit": {"many"}}, "limit", []string{`value="many"`}},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := r.do(http.MethodPost, form.path, form.values)
			if resp.StatusCode/100 != 4 {
				t.Fatalf("%s\n%s", resp.Status, body)
			}
			has(t, body, form.want...)
			wrong := regexp.MustCompile(`<(?:input|textarea|select)[^>]* name="` + form.field + `"[^>]*aria-invalid="true"`)
			if !wrong.MatchString(body) {
				t.Errorf("%s is not marked as wrong:\n%s", form.field, body[strings.Index(body, "<main"):])
			}
		})
	}
}

// TestAccess walks through what an administrator does for a new colleague.
func TestAccess(t *testing.T) {
	t.Parallel()
	s, r, _ := start(t)
	address, body := r.post("users/new", url.Values{"name": {"kim"}, "kind": {"user"}, "description": {"<b>Kim</b>"}})
	if address != "users/kim?done=saved" {
		t.Fatalf("at %s", address)
	}
	has(t, body, "&lt;b&gt;Kim&lt;/b&gt;", "The user may do nothing yet.", "Saved.")
	_, body = r.post("users/kim/attach", url.Values{"policy": {"ReadOnlyAccess"}})
	has(t, body, `href="/console/policies/ReadOnlyAccess"`)
	_, body = r.post("users/kim/keys/new", url.Values{"kind": {"long"}, "description": {"laptop"}, "networks": {"127.0.0.0/8, ::1"}, "hours": {"24"}})
	has(t, body, "The secret is shown only now.", "ERRAND_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_ACCESS_KEY_ID", "TENCENTCLOUD_SECRET_ID")
	id := regexp.MustCompile(`href="/console/keys/(ek\w+)"`).FindStringSubmatch(body)
	secret := regexp.MustCompile(`id="secret">(\w+)<`).FindStringSubmatch(body)
	if id == nil || secret == nil {
		t.Fatal(body)
	}
	if page := r.page("keys/" + id[1]); strings.Contains(page, secret[1]) {
		t.Error("the secret is shown again")
	}
	kim := newReader(t, s.URL)
	if address, _ := kim.post("login", url.Values{"key": {id[1]}, "secret": {secret[1]}}); address != "" {
		t.Fatalf("at %s", address)
	}
	has(t, kim.page("nodes"), "web-1")
	if resp, _ := kim.do(http.MethodPost, "nodes/web-1/cordon", url.Values{"on": {"1"}}); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a reader cordons: %s", resp.Status)
	}
	_, body = r.post("policies/test", url.Values{"user": {"kim"}, "action": {"ecs:RunCommand"}, "resources": {"web-1"}})
	has(t, body, "Denied", "invocation.run")
	_, body = r.post("policies/test", url.Values{"user": {"kim"}, "action": {"node.list"}})
	has(t, body, "Allowed", "ReadOnlyAccess, statement 1")
	_, body = r.post("keys/"+id[1]+"/rotate", url.Values{"overlap": {"0"}})
	has(t, body, "The secret is shown only now.")
	has(t, r.page("keys/"+id[1]+"/delete"), "cannot be undone", `class="primary destroy"`)
	if address, _ := r.post("keys/"+id[1]+"/delete", url.Values{}); address != "keys?done=deleted" {
		t.Errorf("at %s", address)
	}
	if resp, _ := kim.do(http.MethodGet, "nodes", nil); resp.Request.URL.Path != "/console/login" {
		t.Errorf("kim is still in: %s", resp.Request.URL)
	}
	r.post("users/kim/detach", url.Values{"policy": {"ReadOnlyAccess"}})
	if address, _ := r.post("users/kim/delete", url.Values{}); address != "users?done=deleted" {
		t.Errorf("at %s", address)
	}
	has(t, r.page("audit?action="+url.QueryEscape("POST /console/users/{name}/keys/new")), "POST /console/users/{name}/keys/new", "Done")
}

// TestRegistrationLine makes a machine a node with the line that the page shows.
func TestRegistrationLine(t *testing.T) {
	t.Parallel()
	_, r, _ := start(t)
	_, body := r.post("registrations/new", url.Values{"limit": {"3"}, "minutes": {"30"}, "name_prefix": {"db"}, "tags": {"role=db\r\nnote=it's"}, "networks": {"10.0.0.0/8"}})
	has(t, body, "shown only now", "curl -fsSL http://", "wget -qO- http://", "ERRAND_ACTIVATION_ID=", "role=db")
	body = r.page("registrations")
	has(t, body, "0 of 3", "10.0.0.0/8", "<b>db</b>")
	id := regexp.MustCompile(`registrations/(\w+)/revoke`).FindStringSubmatch(body)
	if id == nil {
		t.Fatal(body)
	}
	_, body = r.post("registrations/"+id[1]+"/revoke", url.Values{})
	has(t, body, "Revoked", "lets no further machine join")
}

// TestStored saves a command, runs it with a parameter, schedules it and takes all of it away again.
func TestStored(t *testing.T) {
	t.Parallel()
	s, r, _ := start(t)
	address, _ := r.post("commands/new", url.Values{"name": {"greet"}, "type": {"shell"}, "content": {"echo hello {{who}}\r\n"}, "defaults": {"who=world"}, "timeout": {"30"}})
	path, _, _ := strings.Cut(address, "?")
	has(t, r.page(path), "hello {{who}}", `value="world"`, "Run it")
	has(t, r.page("commands?q=GRE"), "greet")
	run, _ := r.post(path, url.Values{"target": {"web-1"}, "p-who": {"you"}, "reason": {"to see"}})
	id, ok := core.ParseID(strings.TrimPrefix(run, "runs/"))
	if !ok {
		t.Fatalf("at %s", run)
	}
	stacktest.Eventually(t, 30*time.Second, func() error { return ended(t.Context(), s, id) })
	has(t, r.page(path), "Succeeded")
	if resp, body := r.do(http.MethodPost, path, url.Values{"target": {"nobody"}, "p-who": {"x"}}); resp.StatusCode != http.StatusNotFound || !strings.Contains(body, `value="nobody"`) {
		t.Errorf("%s\n%s", resp.Status, body)
	}
	at, _ := r.post(path+"/edit", url.Values{"name": {"greet2"}, "type": {"shell"}, "content": {"echo {{who}}"}, "defaults": {"who=all"}, "timeout": {"40"}})
	if !strings.HasPrefix(at, path+"?") {
		t.Errorf("at %s", at)
	}
	_, command, _ := strings.Cut(path, "/")
	schedule, body := r.post("schedules/new", url.Values{
		"name": {"nightly"}, "target": {"web-1"}, "command": {command}, "how": {"cron"}, "expr": {"30 3 * * *"}, "zone": {"Asia/Tokyo"}, "params": {"who=night"},
	})
	has(t, body, "nightly", "Asia/Tokyo", "18:30:00 UTC", "who=night")
	if n := strings.Count(body, "18:30:00 UTC"); n != 10 {
		t.Errorf("%d moments ahead", n)
	}
	schedule, _, _ = strings.Cut(schedule, "?")
	_, body = r.post(schedule+"/pause", url.Values{"on": {"1"}})
	has(t, body, "Paused", "Resume")
	r.post(schedule+"/pause", url.Values{})
	has(t, r.page("schedules"), "nightly", "Enabled")
	if resp, body := r.do(http.MethodPost, path+"/delete", url.Values{}); resp.StatusCode != http.StatusConflict {
		t.Errorf("a command that a schedule needs: %s\n%s", resp.Status, body)
	}
	has(t, r.page(schedule+"/delete"), "It fires no more.")
	r.post(schedule+"/delete", url.Values{})
	if at, _ := r.post(path+"/delete", url.Values{}); at != "commands?done=deleted" {
		t.Errorf("at %s", at)
	}
}

// TestStanding hands a script to a node for every so often, and takes it away again.
func TestStanding(t *testing.T) {
	t.Parallel()
	_, r, _ := start(t)
	for expr, form := range map[string]url.Values{
		"rate(5m)":                {"how": {"rate"}, "expr": {"5m"}, "overlap": {"queue"}, "missed": {"catch-up:3"}, "jitter": {"30"}},
		"0 30 3 ? * 1-5":          {"how": {"cron"}, "expr": {"30 3 * * 1-5"}, "overlap": {"skip"}, "missed": {"once"}},
		"at(2098-01-02 03:04:00)": {"how": {"at"}, "at": {"2098-01-02T03:04"}, "missed": {"skip"}},
	} {
		form.Set("target", "web-1")
		form.Set("content", "true")
		form.Set("timeout", "60")
		at, body := r.post("schedules/new", form)
		has(t, body, strings.ReplaceAll(expr, "+", "&#43;"), "Next times")
		at, _, _ = strings.Cut(at, "?")
		has(t, r.page("schedules"), at)
		has(t, r.page(at+"/end"), "cannot be undone")
		if to, _ := r.post(at+"/end", url.Values{}); to != "schedules?done=ended" {
			t.Errorf("at %s", to)
		}
	}
}

// TestNodePage tags, cordons, and removes a node, and keeps a group of it.
func TestNodePage(t *testing.T) {
	t.Parallel()
	_, r, _ := start(t)
	_, body := r.post("nodes/web-1/tags", url.Values{"name": {"front"}, "tags": {"role=web\r\nzone=a"}})
	has(t, body, "front", "<b>web</b>")
	_, body = r.post("nodes/web-1/cordon", url.Values{"on": {"1"}})
	has(t, body, "Uncordon")
	_, body = r.post("nodes", url.Values{"q": {"role=web"}, "node": {"web-1"}, "do": {"uncordon"}})
	has(t, body, "Saved.", `value="role=web"`)
	_, body = r.post("nodes", url.Values{"node": {"web-1"}, "do": {"tag"}, "tags": {"-zone, tier=1"}})
	if has(t, body, "tier"); strings.Contains(body, "<span>zone</span>") {
		t.Error("a tag is still there")
	}
	if _, body = r.post("nodes", url.Values{"do": {"run"}}); !strings.Contains(body, "No node was picked.") {
		t.Error(body)
	}
	if at, body := r.post("nodes", url.Values{"node": {"web-1"}, "do": {"run"}}); !strings.HasPrefix(at, "runs/new?target=") || !strings.Contains(body, "1 node") {
		t.Errorf("at %s\n%s", at, body)
	}
	at, body := r.post("groups/new", url.Values{"name": {"front"}, "target": {"role=web"}, "description": {"what people see"}})
	if has(t, body, "@front", "front"); at != "groups/front?done=saved" {
		t.Errorf("at %s", at)
	}
	if resp, body := r.do(http.MethodPost, "groups/new", url.Values{"name": {"front"}, "target": {"online"}}); resp.StatusCode/100 != 4 {
		t.Errorf("%s\n%s", resp.Status, body)
	}
	has(t, r.page("groups"), "1 of 1")
	r.post("groups/front", url.Values{"target": {"role=web && online"}})
	has(t, r.page("groups/front/delete"), "Delete group @front?")
	r.post("groups/front/delete", url.Values{})
	_, body = r.post("nodes/web-1/rotate", url.Values{})
	has(t, body, "gets a new key")
	has(t, r.page("nodes/web-1/remove"), "cannot be undone")
	if at, _ := r.post("nodes/web-1/remove", url.Values{}); at != "nodes?done=removed" {
		t.Errorf("at %s", at)
	}
	if resp, _ := r.do(http.MethodGet, "nodes/web-1", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("it is still there: %s", resp.Status)
	}
}

// TestBacklogPage cancels what waits for a node that is away.
func TestBacklogPage(t *testing.T) {
	t.Parallel()
	s := stacktest.Start(t)
	node := s.AddNode(t, "web-1")
	node()
	r := newReader(t, s.URL)
	r.signIn()
	order(t, s, "echo later")
	has(t, r.page("nodes/web-1"), "Cancel what waits", "echo later")
	_, body := r.post("nodes/web-1/backlog", url.Values{})
	has(t, body, "Nothing waits for this node", "Cancelled")
}
