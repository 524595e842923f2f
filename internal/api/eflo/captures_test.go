package eflo_test

import (
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api"
	"errand/internal/api/alibaba/caller"
	"errand/internal/api/capture"
	"errand/internal/api/eflo"
	"errand/internal/api/scene"
	"errand/internal/api/sign"
	"errand/internal/core"
)

// The recorded scripts pass a parameter that they do not define, stop an invocation that nobody has, and close such a session.
var answered = map[string]string{
	"RunCommand": "Parameter.NotMatched", "StopInvocation": "InvalidInvokeId.NotFound", "CloseSession": "InvalidSessionId.NotFound",
}

// TestCaptures sends every recorded request for this product to the dialect, at the time it was signed for.
func TestCaptures(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("e01-cn-1")
	s.Node("e01-cn-2")
	if _, err := s.Service.CreateKey(t.Context(), scene.Account, "root", "stsid", capture.Secret(t, "stsid")); err != nil {
		t.Fatal(err)
	}
	d := eflo.New(s.Env())
	server := &api.Server{Dialects: []api.Dialect{d}, Now: s.Now, Log: slog.New(slog.DiscardHandler)}
	seen := map[string]int{}
	for _, r := range capture.Load(t, "../testdata/captures/alibaba") {
		if r.Product != "eflo" {
			continue
		}
		params, err := sign.Params(sign.NewRequest(r.HTTP, r.Body))
		if err != nil {
			t.Fatal(err)
		}
		text := params["Timestamp"]
		if text == "" {
			text = r.HTTP.Header.Get("x-acs-date")
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		s.At(at)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r.HTTP)
		want := answered[r.Action]
		seen[r.Action]++
		if want == "" && w.Code != 200 || want != "" && !strings.Contains(w.Body.String(), `"Code":"`+want+`"`) {
			t.Errorf("%s: %d %s, want %s", r.Name, w.Code, w.Body, want)
		}
	}
	if seen["RunCommand"] < 4 || seen["DescribeInvocations"] < 4 || seen["StopInvocation"] < 3 || seen["DescribeNode"] < 2 ||
		seen["ListClusterNodes"] < 2 || seen["ListFreeNodes"] < 2 || seen["DescribeRegions"] < 2 || seen["TagResources"] < 2 {
		t.Errorf("captures seen: %v", seen)
	}
}

// TestCapturedNodeLists puts the machines into the state that the recorded lists ask for.
func TestCapturedNodeLists(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	inside := s.Node("e01-cn-1")
	s.Node("e01-cn-2")
	s.Online(inside)
	tag := []core.Tag{{Key: "k", Value: "v"}, {Key: core.ClusterTag, Value: "c"}}
	if err := s.Service.Tag(t.Context(), s.Caller, core.KindNode, []string{inside.ID}, tag); err != nil {
		t.Fatal(err)
	}
	for _, r := range capture.Load(t, "../testdata/captures/alibaba") {
		if r.Product != "eflo" || r.Action != "ListClusterNodes" && r.Action != "ListFreeNodes" {
			continue
		}
		params, err := sign.Params(sign.NewRequest(r.HTTP, r.Body))
		if err != nil {
			t.Fatal(err)
		}
		p := caller.Params{}
		for name, value := range params {
			if strings.HasPrefix(name, "Tags.") || slices.Contains([]string{"MaxResults", "OperatingStates", "OperatingStates.1"}, name) {
				p[name] = value
			}
		}
		want := "e01-cn-2"
		if r.Action == "ListClusterNodes" {
			p["ClusterId"], want = core.ClusterID(scene.Account, "c"), "e01-cn-1"
		}
		if diff := cmp.Diff([]string{want}, ids(t, c, r.Action, p)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.Name, diff)
		}
	}
}

// TestCapturedRun makes the recorded script define its parameter, and looks at what is stored.
func TestCapturedRun(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Node("e01-cn-1")
	s.Node("e01-cn-2")
	for _, r := range capture.Load(t, "../testdata/captures/alibaba") {
		if r.Product != "eflo" || r.Action != "RunCommand" {
			continue
		}
		params, err := sign.Params(sign.NewRequest(r.HTTP, r.Body))
		if err != nil {
			t.Fatal(err)
		}
		for name := range params {
			if slices.Contains([]string{"AccessKeyId", "SecurityToken", "Timestamp", "Version", "Action"}, name) || strings.HasPrefix(name, "Signature") {
				delete(params, name)
			}
		}
		params["ClientToken"] = r.Name
		params["CommandContent"] = "ZWNobyB7e25hbWV9fQ=="
		_, id := run(t, c, map[string]string(params))
		v, err := s.Service.Invocation(t.Context(), s.Caller, id)
		if err != nil {
			t.Fatal(err)
		}
		want := core.Definition{
			Name: "n", Type: core.Shell, Content: []byte("echo {{name}}"), Timeout: time.Minute, ParamsEnabled: true,
		}
		v.Defaults = nil // empty
		if diff := cmp.Diff(want, v.Definition); diff != "" || string(v.Script) != "echo Jack" || v.Counts.Total() != 2 {
			t.Errorf("%s: script %q on %d nodes (-want +got):\n%s", r.Name, v.Script, v.Counts.Total(), diff)
		}
	}
}
