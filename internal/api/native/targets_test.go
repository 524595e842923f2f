package native_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// fleet is web1 to web4 and db1 with tags, of which web4 was never seen.
func fleet(t *testing.T, s *scene.Scene) {
	t.Helper()
	for i, id := range []string{"web1", "web2", "web3", "web4", "db1"} {
		n := s.Node(id)
		if id != "web4" {
			err := s.Service.Introduce(t.Context(), n.Key, core.Facts{
				Hostname: id + ".example.com", OSName: "Debian GNU/Linux 12", Arch: "amd64", Platform: core.Linux, Agent: "1.2.3",
				CPUs: 4 * (i + 1), Memory: int64(16*(i+1)) << 30, GPUs: []string{"NVIDIA A100"}[:i%2], Features: []string{"shell", "file"},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		tags := []core.Tag{{Key: "role", Value: strings.Trim(id, "1234")}}
		if err := s.Service.Tag(t.Context(), s.Caller, core.KindNode, []string{id}, tags); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNodesByExpression(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	fleet(t, s)
	at := serve(t, s).URL + "/api/v1/"
	for filter, want := range map[string]string{
		"":                                    "db1 web4 web3 web2 web1",
		"role=web && mem_gib>=32 && online":   "web3 web2",
		"gpus>0":                              "web2",
		"hostname~*.example.com && !role=web": "db1",
		"web[1-2],db1":                        "db1 web2 web1",
		"offline":                             "web4",
		"role=nothing":                        "",
	} {
		code, list := call(t, at+"nodes?filter="+url.QueryEscape(filter), http.MethodGet, "", key)
		var got []string
		for _, n := range list["nodes"].([]any) {
			got = append(got, n.(map[string]any)["id"].(string))
		}
		if code != http.StatusOK || strings.Join(got, " ") != want || list["total"] != float64(len(got)) {
			t.Errorf("%s: %d %v of %v, want %s", filter, code, got, list["total"], want)
		}
	}
	// Pages.
	var got []string
	cursor := ""
	for range 5 {
		code, list := call(t, at+"nodes?filter=role%3Dweb&limit=3&cursor="+cursor, http.MethodGet, "", key)
		if code != http.StatusOK || list["total"] != 4.0 {
			t.Fatalf("%d %v", code, list)
		}
		for _, n := range list["nodes"].([]any) {
			got = append(got, n.(map[string]any)["id"].(string))
		}
		if cursor, _ = list["next"].(string); cursor == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"web4", "web3", "web2", "web1"}, got); diff != "" {
		t.Error(diff)
	}
	for filter, want := range map[string]string{
		"hostnme=x":  "did you mean hostname?",
		"web[1-":     "at character 4",
		"@nobody":    "no group @nobody",
		"cpus>=many": "a number",
	} {
		code, answer := call(t, at+"nodes?filter="+url.QueryEscape(filter), http.MethodGet, "", key)
		if code < 400 || code >= 500 || !strings.Contains(fmt.Sprint(answer["detail"]), want) {
			t.Errorf("%s: %d %v, want %q", filter, code, answer, want)
		}
	}
}

func TestOneNode(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	fleet(t, s)
	at := serve(t, s).URL + "/api/v1/nodes/"
	code, n := call(t, at+"web2", http.MethodGet, "", key)
	now := s.Now().UTC().Format(time.RFC3339Nano)
	want := map[string]any{
		"id": "web2", "name": n["name"], "hostname": "web2.example.com", "platform": "linux", "os": "Debian GNU/Linux 12", "arch": "amd64",
		"agent": "1.2.3", "cpus": 8.0, "memory_bytes": float64(32 << 30), "gpus": []any{"NVIDIA A100"}, "online": true, "connected": true,
		"cordoned": false, "last_seen": now, "registered_at": now, "registration": n["registration"], "tags": map[string]any{"role": "web"},
		"features": []any{"shell", "file"}, "active": 0.0, "finished": 0.0,
	}
	delete(n, "public_ip")
	if diff := cmp.Diff(want, n); code != http.StatusOK || diff != "" {
		t.Errorf("%d %s", code, diff)
	}
	code, n = call(t, at+"web2", http.MethodPatch, `{"name":"second","tags":{"role":null,"rack":"7"},"cordoned":true,"reason":"disk"}`, key)
	if code != http.StatusOK || n["name"] != "second" || n["cordoned"] != true {
		t.Errorf("%d %v", code, n)
	}
	if diff := cmp.Diff(map[string]any{"rack": "7"}, n["tags"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"since": now, "by": "root", "reason": "disk"}, n["cordon"]); diff != "" {
		t.Error(diff)
	}
	for body, status := range map[string]int{
		`{}`:                              400,
		`{"reason":"x"}`:                  400,
		`{"name":""}`:                     400,
		`{"tags":{"":"x"}}`:               400,
		`{"cordoned":false,"reason":"x"}`: 400,
		`{"unknown":1}`:                   400,
	} {
		if code, answer := call(t, at+"web1", http.MethodPatch, body, key); code != status {
			t.Errorf("%s: %d %v", body, code, answer)
		}
	}
	for _, path := range []string{"nobody", "nobody/why"} {
		if code, answer := call(t, at+path, http.MethodGet, "", key); code != http.StatusNotFound {
			t.Errorf("%s: %d %v", path, code, answer)
		}
	}
	code, why := call(t, at+"web2/why", http.MethodGet, "", key)
	if code != http.StatusOK || why["ready"] != true || !strings.Contains(fmt.Sprint(why["conditions"]), "cordoned by root") {
		t.Errorf("%d %v", code, why)
	}
	code, why = call(t, at+"web4/why", http.MethodGet, "", key)
	if code != http.StatusOK || why["ready"] != false || !strings.Contains(fmt.Sprint(why["conditions"]), "never connected") {
		t.Errorf("%d %v", code, why)
	}
}

func TestTargetPreview(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	fleet(t, s)
	at := serve(t, s).URL + "/api/v1/"
	if code, answer := call(t, at+"groups/web", http.MethodPut, `{"target":"role=web","description":"all of them"}`, key); code != http.StatusOK {
		t.Fatalf("%d %v", code, answer)
	}
	call(t, at+"nodes/web3", http.MethodPatch, `{"cordoned":true}`, key)
	preview := func(body string) (int, map[string]any) {
		code, p := call(t, at+"targets/preview", http.MethodPost, body, key)
		delete(p, "sample")
		return code, p
	}
	answer := func(target, nodes string, total, online, cordoned int, missing ...any) map[string]any {
		return map[string]any{
			"target": target, "nodes": nodes, "total": float64(total), "online": float64(online), "offline": float64(total - online),
			"cordoned": float64(cordoned), "missing": append([]any{}, missing...),
		}
	}
	for body, want := range map[string]map[string]any{
		`{"target":"@web"}`:                           answer("role=web", "web[1-2,4]", 3, 2, 1),
		`{"target":"@web || cordoned"}`:               answer("role=web || cordoned", "web[1-4]", 4, 3, 0),
		`{"target":"all","exclude":"@web"}`:           answer("all", "db1", 1, 1, 0),
		`{"target":"all","exclude":"@web && online"}`: answer("all", "db1,web4", 2, 1, 0),
		`{"target":"role=x"}`:                         answer("role=x", "", 0, 0, 0),
		`{"target":"db1,db2"}`:                        answer("db[1-2]", "db1", 1, 1, 0, "db2"),
	} {
		if code, got := preview(body); code != http.StatusOK || !cmp.Equal(want, got) {
			t.Errorf("%s: %d %s", body, code, cmp.Diff(want, got))
		}
	}
	_, first := preview(`{"target":"all","pick":"2","seed":7}`)
	_, again := preview(`{"target":"all","pick":"2","seed":7}`)
	if first["total"] != 2.0 || !cmp.Equal(first, again) {
		t.Errorf("picked %v, then %v", first, again)
	}
	for body, want := range map[string]string{
		`{}`:                           "target",
		`{"exclude":"all"}`:            "spelled out",
		`{"target":"all","pick":"x"}`:  "pick",
		`{"target":"all","pick":"0%"}`: "pick",
		`{"target":"("}`:               "ends where",
		`{"target":"web3"}`:            "cordoned by root",
	} {
		if code, got := preview(body); code < 400 || !strings.Contains(fmt.Sprint(got["detail"]), want) {
			t.Errorf("%s: %d %v", body, code, got)
		}
	}
}

func TestGroupsAPI(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	fleet(t, s)
	at := serve(t, s).URL + "/api/v1/groups"
	put := func(name, target string) (int, map[string]any) {
		return call(t, at+"/"+name, http.MethodPut, fmt.Sprintf(`{"target":%q}`, target), key)
	}
	for _, g := range [][2]string{{"web", "role=web"}, {"big", "@web && mem_gib>=32"}, {"all-big", "@big || db1"}} {
		if code, answer := put(g[0], g[1]); code != http.StatusOK || answer["target"] != g[1] || answer["by"] != "root" {
			t.Fatalf("%s: %d %v", g[0], code, answer)
		}
	}
	for _, g := range []struct{ name, target, want string }{
		{"web", "@all-big", "contains itself: @web > @all-big > @big > @web"},
		{"self", "@self", "contains itself"},
		{"x", "@bgi", "did you mean @big?"},
		{"x", "role=", "at character 6"},
		{"-x", "all", "cannot be the name"},
		{"x", "", "empty"},
	} {
		if code, answer := put(g.name, g.target); code < 400 || !strings.Contains(fmt.Sprint(answer["detail"]), g.want) {
			t.Errorf("%s: %d %v, want %q", g.name, code, answer, g.want)
		}
	}
	code, list := call(t, at+"?limit=2", http.MethodGet, "", key)
	if code != http.StatusOK || len(list["groups"].([]any)) != 2 || list["next"] == nil {
		t.Errorf("%d %v", code, list)
	}
	if code, answer := call(t, at+"/web", http.MethodDelete, "", key); code != http.StatusConflict || !strings.Contains(fmt.Sprint(answer["detail"]), "@big is made of it") {
		t.Errorf("%d %v", code, answer)
	}
	for _, name := range []string{"all-big", "big", "web"} {
		if code, answer := call(t, at+"/"+name, http.MethodDelete, "", key); code != http.StatusOK {
			t.Errorf("%s: %d %v", name, code, answer)
		}
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			if code, _ := call(t, at+"/"+name, method, "", key); code != http.StatusNotFound {
				t.Errorf("%s %s: %d", method, name, code)
			}
		}
	}
}

// TestRunOnTarget orders runs by expression.
func TestRunOnTarget(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	fleet(t, s)
	at := serve(t, s).URL + "/api/v1/"
	call(t, at+"nodes/web2", http.MethodPatch, `{"cordoned":true,"reason":"disk"}`, key)
	code, v := call(t, at+"invocations", http.MethodPost, `{"content":"true","target":"role=web && online","exclude":"web3"}`, key)
	if code != http.StatusOK || v["tasks"] != 1.0 || v["target"] != "role=web && online" || v["exclude"] != "web3" {
		t.Errorf("%d %v", code, v)
	}
	code, v = call(t, at+"invocations", http.MethodPost, `{"content":"true","target":"web1 || cordoned","pick":"100%","seed":9}`, key)
	if code != http.StatusOK || v["tasks"] != 2.0 || v["pick"] != "100%" || v["seed"] != 9.0 {
		t.Errorf("%d %v", code, v)
	}
	for body, want := range map[string]struct {
		status int
		detail string
	}{
		`{"content":"true","target":"role=nothing"}`:            {404, "no node matches"},
		`{"content":"true","target":"wbe1"}`:                    {404, "did you mean web1?"},
		`{"content":"true","target":"web1,nobody,nothing"}`:     {404, "no such nodes: nobody,nothing"},
		`{"content":"true","target":"web2"}`:                    {409, "cordoned by root"},
		`{"content":"true","targets":["web2"]}`:                 {409, "disk"},
		`{"content":"true","target":"web[2-2]"}`:                {409, "all 1 nodes that match are cordoned"},
		`{"content":"true","target":"all","targets":["web1"]}`:  {400, "beside targets"},
		`{"content":"true","pick":"3"}`:                         {400, "spelled out"},
		`{"content":"true","target":"all","exclude":"all"}`:     {404, "no node matches"},
		`{"content":"true","target":"all","exclude":"role in"}`: {400, "exclude"},
	} {
		code, answer := call(t, at+"invocations", http.MethodPost, body, key)
		if code != want.status || !strings.Contains(fmt.Sprint(answer["detail"]), want.detail) {
			t.Errorf("%s: %d %v, want %v", body, code, answer, want)
		}
	}
}
