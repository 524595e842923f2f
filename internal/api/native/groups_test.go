package native_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"errand/internal/api/scene"
	"errand/internal/core"
)

func TestGroupsOfARun(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	a, b, c := s.Node("web1"), s.Node("web2"), s.Node("web3")
	v := started(t, s, a, b, c)
	s.Exit(v.ID, a, 0, "x\nsame\n", "")
	s.Exit(v.ID, b, 3, "y\nsame\n", "<b>\xff")
	url := serve(t, s).URL + "/api/v1/invocations/" + v.ID.String() + "/groups"
	code, page := call(t, url, http.MethodGet, "", key)
	if code != http.StatusOK || page["total"] != 2.0 || page["running"] != 1.0 || page["ended"] != 2.0 {
		t.Fatalf("%d %v", code, page)
	}
	group := func(i int) map[string]any { return page["groups"].([]any)[i].(map[string]any) }
	if g := group(0); g["state"] != "succeeded" || g["exit_code"] != 0.0 || g["count"] != 1.0 || g["nodes"] != "web1" || g["reference"] != true || g["head"] != "x\nsame\n" {
		t.Errorf("%v", g)
	}
	if g := group(1); g["state"] != "failed" || g["cause"] != "exit_nonzero" || g["exit_code"] != 3.0 || g["reference"] != false ||
		g["head"] != "y\nsame\n<b>\uFFFD" || g["bytes"] != 11.0 || g["sample_task"] != s.Task(v.ID, b).String() {
		t.Errorf("%v", g)
	}
	odd := url + "/" + group(1)["key"].(string)
	code, tasks := call(t, odd+"/tasks", http.MethodGet, "", key)
	if list, _ := tasks["tasks"].([]any); code != http.StatusOK || len(list) != 1 {
		t.Errorf("%d %v", code, tasks)
	}
	code, diff := call(t, odd+"/diff", http.MethodGet, "", key)
	if code != http.StatusOK || diff["against"] != group(0)["key"] || diff["truncated"] != false || len(diff["hunks"].([]any)) != 2 {
		t.Fatalf("%d %v", code, diff)
	}
	if got, want := fmt.Sprint(diff["hunks"].([]any)[0]),
		"map[lines:[map[op:- text:x] map[op:+ text:y] map[op:  text:same]] new_start:1 old_start:1 stream:stdout]"; got != want {
		t.Errorf("diff: %s", got)
	}
	code, page = call(t, url+"?stream=stdout&limit=1", http.MethodGet, "", key)
	if code != http.StatusOK || len(page["groups"].([]any)) != 1 || page["next"] == nil {
		t.Errorf("%d %v", code, page)
	}
	for path, want := range map[string]int{
		url + "?stream=x":                                           http.StatusBadRequest,
		url + "?limit=1001":                                         http.StatusBadRequest,
		url + "/x/tasks":                                            http.StatusNotFound,
		odd + "/diff?against=x":                                     http.StatusNotFound,
		odd + "/diff?against=failed.-.9.0.0":                        http.StatusNotFound,
		strings.Replace(odd, v.ID.String(), "x", 1):                 http.StatusNotFound,
		strings.Replace(url, v.ID.String(), core.ID(7).String(), 1): http.StatusNotFound,
	} {
		if code, answer := call(t, path, http.MethodGet, "", key); code != want {
			t.Errorf("%s: %d %v", path, code, answer)
		}
	}
}

func TestLinesOfATask(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	v := started(t, s, n)
	s.Exit(v.ID, n, 0, "one\ntwo\nthree", "err\n")
	url := serve(t, s).URL + "/api/v1/tasks/" + s.Task(v.ID, n).String()
	code, page := call(t, url+"/lines?from_line=2&count=2", http.MethodGet, "", key)
	if got, want := fmt.Sprint(page["lines"]), "[map[n:2 stream:stdout text:two] map[n:3 stream:stdout text:three]]"; code != http.StatusOK || got != want ||
		page["total_lines"] != 4.0 || page["complete"] != true || page["next"] != 17.0 {
		t.Errorf("%d %v", code, page)
	}
	code, page = call(t, url+"/search?q=t.*e&regex=true", http.MethodGet, "", key)
	if got, want := fmt.Sprint(page["matches"]), "[map[n:3 stream:stdout text:three]]"; code != http.StatusOK || got != want || page["total"] != 1.0 {
		t.Errorf("%d %v", code, page)
	}
	for path, want := range map[string]int{
		"/lines?count=5001": http.StatusBadRequest, "/lines?stream=x": http.StatusBadRequest, "/search": http.StatusBadRequest,
		"/search?q=(&regex=true": http.StatusBadRequest, "/search?q=x&limit=1001": http.StatusBadRequest, "/search?q=x&from_line=-1": http.StatusBadRequest,
	} {
		if code, answer := call(t, url+path, http.MethodGet, "", key); code != want {
			t.Errorf("%s: %d %v", path, code, answer)
		}
	}
	for _, what := range []string{"lines", "search?q=x", "raw"} {
		if code, answer := call(t, strings.TrimSuffix(url, s.Task(v.ID, n).String())+"x/"+what, http.MethodGet, "", key); code != http.StatusNotFound {
			t.Errorf("%s of no task: %d %v", what, code, answer)
		}
	}
}

// TestRawIsADownload keeps browsers from taking what a node prints for a page.
func TestRawIsADownload(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	v := started(t, s, n)
	s.Exit(v.ID, n, 0, "<script>alert(1)</script>", "e")
	id := s.Task(v.ID, n).String()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, serve(t, s).URL+"/api/v1/tasks/"+id+"/raw?stream=stdout", nil)
	if err != nil {
		t.Fatal(err)
	}
	key(req)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "<script>alert(1)</script>" || resp.ContentLength != int64(len(body)) {
		t.Errorf("%v, %q", err, body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/octet-stream", "Content-Disposition": `attachment; filename="` + id + `.stdout.log"`,
		"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
