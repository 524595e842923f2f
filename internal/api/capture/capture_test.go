package capture_test

import (
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/capture"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	counts := make(map[string]map[string]int)
	for _, dir := range []string{"alibaba", "tencent", "tencent/refused", "zenlayer"} {
		counts[dir] = make(map[string]int)
		for _, c := range capture.Load(t, "../testdata/captures/"+dir) {
			counts[dir][c.Client+" "+c.Product]++
		}
	}
	want := map[string]map[string]int{
		"alibaba": {
			"gov2 ecs": 36, "gov2 eflo": 14, "gov1 ecs": 33, "gov1 eflo": 5, "cli ecs": 32, "cli eflo": 12,
			"node ecs": 34, "popcore ecs": 7, "popcore eflo": 2,
		},
		"tencent":         {"go tat": 6, "gocommon tat": 1, "go2021 tat": 1, "node tat": 3, "python tat": 3, "tccli tat": 1},
		"tencent/refused": {"tccli tat": 1},
		"zenlayer":        {"go zos": 2, "python zos": 1, "zeno zos": 3},
	}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("captures (-want +got):\n%s", diff)
	}
}

func TestLoadKeepsBytes(t *testing.T) {
	t.Parallel()
	first := capture.Load(t, "../testdata/captures/tencent")[0]
	if first.Name != "001_go_tat_RunCommand" || first.Action != "RunCommand" {
		t.Errorf("first capture is %s, action %s", first.Name, first.Action)
	}
	body, err := io.ReadAll(first.HTTP.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(body) != 165 || first.HTTP.ContentLength != 165 || string(body) != string(first.Body) {
		t.Errorf("body has %d bytes, Content-Length is %d, want 165", len(body), first.HTTP.ContentLength)
	}
	if got := first.HTTP.Header.Get("X-TC-Action"); got != "RunCommand" {
		t.Errorf("X-TC-Action is %q", got)
	}
}
