package native_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"errand/internal/api/scene"
)

// sse reads events from a stream until so many have come.
func sse(t *testing.T, url, last string, most int) (ids []string, events []map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	key(req)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s, %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(resp.Body)
	id, name := "", ""
	for len(events) < most && lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			id = value
		case "event":
			name = value
		case "data":
			event := map[string]any{"event": name}
			if err := json.Unmarshal([]byte(value), &event); err != nil {
				t.Fatal(err)
			}
			ids, events = append(ids, id), append(events, event)
		}
	}
	return ids, events
}

func TestStream(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	v := started(t, s, n)
	s.Exit(v.ID, n, 3, "out\nä", "\xff<b>")
	base := serve(t, s).URL + "/api/v1/stream"
	url := base + "?invocation=" + v.ID.String()
	ids, events := sse(t, url, "", 6)
	types := func(events []map[string]any) string {
		var list []string
		for _, e := range events {
			list = append(list, e["event"].(string)+" "+strings.TrimPrefix(e["type"].(string), "errand."))
		}
		return strings.Join(list, ", ")
	}
	if got, want := types(events), "invocation invocation.accepted, invocation invocation.started, task task.running, output task.output, "+
		"task task.failed, invocation invocation.ended"; got != want {
		t.Fatalf("%s", got)
	}
	out := events[3]
	if out["from"] != nil || out["to"] != 10.0 || out["task"] != s.Task(v.ID, n).String() || out["node"].(map[string]any)["id"] != "n" ||
		!strings.Contains(jsonText(t, out["pieces"]), `[{"stream":"stdout","text":"out\nä"},{"data":"/zxiPg==","stream":"stderr"}]`) {
		t.Errorf("%v", out)
	}
	if e := events[4]; e["exit_code"] != 3.0 || e["cause"] != "exit_nonzero" || e["state"] != "failed" || e["kind"] != "once" {
		t.Errorf("%v", e)
	}
	if e := events[5]; e["tasks"] != 1.0 || jsonText(t, e["states"]) != `{"failed":1}` || e["ended_at"] == nil {
		t.Errorf("%v", e)
	}
	// The header goes before the address.
	for i := range 5 {
		more, events := sse(t, url+"&from=0", ids[i], 5-i)
		if strings.Join(more, " ") != strings.Join(ids[i+1:], " ") {
			t.Errorf("after %s: %v %s", ids[i], more, types(events))
		}
		if more, _ = sse(t, url+"&from="+ids[i], "", 1); more[0] != ids[i+1] {
			t.Errorf("from %s: %v", ids[i], more)
		}
	}
	_, events = sse(t, url+"&types=output,node&from=0", "", 2)
	if got := types(events); got != "node node.joined, output task.output" {
		t.Errorf("some types: %s", got)
	}
	for query, want := range map[string]int{
		"?types=x": http.StatusBadRequest, "?from=x": http.StatusBadRequest, "?from=999": http.StatusBadRequest, "?invocation=x": http.StatusNotFound,
		"?task=x": http.StatusNotFound, "?node=x": http.StatusNotFound, "?wait=1": http.StatusBadRequest,
	} {
		if code, answer := call(t, base+query, http.MethodGet, "", key); code != want {
			t.Errorf("%s: %d %v", query, code, answer)
		}
	}
	if code, _ := call(t, base, http.MethodGet, "", nobody); code != http.StatusUnauthorized {
		t.Errorf("without a key: %d", code)
	}
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	b := &strings.Builder{}
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}
