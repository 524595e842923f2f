package tat

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api"
	"errand/internal/api/capture"
	"errand/internal/api/scene"
	"errand/internal/api/sign"
	"errand/internal/core"
)

const (
	captures  = "../testdata/captures/tencent"
	captureID = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"
)

// listed are the parameters that most captures of DescribeInvocationTasks carry, in each client's own encoding.
func listed() *describeInvocationTasksRequest {
	return &describeInvocationTasksRequest{
		HideOutput: ptr(false),
		listing: listing{
			Limit: ptr[int64](10), Offset: ptr[int64](0), Filters: []filter{
				{"invocation-id", []string{"inv-1vll7hda"}}, {"instance-id", []string{"ins-a", "ins b&c=d"}},
			},
		},
	}
}

func runOf(content string, instances ...string) *runCommandRequest {
	return &runCommandRequest{
		placed: placed{"ap-guangzhou"}, commandFields: commandFields{Content: ptr(content)}, InstanceIds: instances,
	}
}

func runWithParameters() *runCommandRequest {
	r := runOf("ZWNobyB7e3dvcmR9fQ==", "ins-a1b2c3d4")
	r.CommandName, r.Timeout, r.EnableParameter, r.Parameters = ptr("名字-1"), ptr[int64](60), true, ptr(`{"word":"a<b"}`)
	return r
}

// read makes an api.Request of a capture, as the server does.
func read(t *testing.T, c capture.Request) *api.Request {
	t.Helper()
	r := &api.Request{Request: c.HTTP, Body: c.Body}
	params, err := sign.Params(r.Signed())
	if err != nil {
		t.Fatal(err)
	}
	r.Params = params
	return r
}

// TestCapturesDecode reads what the vendor's own clients sent.
func TestCapturesDecode(t *testing.T) {
	t.Parallel()
	want := map[string]any{
		"001_go_tat_RunCommand":                  runWithParameters(),
		"002_go_tat_DescribeInvocationTasks":     listed(),
		"003_go_tat_DescribeInvocationTasks":     listed(),
		"004_go_tat_DescribeInvocationTasks":     listed(),
		"005_go_tat_RunCommand":                  runOf("bHM=", "ins-a"),
		"006_go_tat_DescribeRegions":             &describeRegionsRequest{},
		"007_gocommon_tat_DescribeInvocations":   &describeInvocationsRequest{InvocationIds: []string{"inv-a1b2c3d4"}},
		"008_go2021_tat_RunCommand":              runOf("ZWNobyBoaQ==", "ins-a1b2c3d4"),
		"009_node_tat_RunCommand":                runWithParameters(),
		"010_node_tat_DescribeInvocationTasks":   listed(),
		"011_node_tat_DescribeInvocationTasks":   listed(),
		"012_python_tat_RunCommand":              runWithParameters(),
		"013_python_tat_DescribeInvocationTasks": listed(),
		"014_python_tat_DescribeInvocationTasks": listed(),
		"015_tccli_tat_DescribeInvocationTasks": &describeInvocationTasksRequest{
			HideOutput: ptr(false), listing: listing{Filters: []filter{{"invocation-id", []string{"inv-1vll7hda"}}}},
		},
	}
	fresh := map[string]func() any{
		"RunCommand":              func() any { return new(runCommandRequest) },
		"DescribeInvocationTasks": func() any { return new(describeInvocationTasksRequest) },
		"DescribeInvocations":     func() any { return new(describeInvocationsRequest) },
		"DescribeRegions":         func() any { return new(describeRegionsRequest) },
	}
	d := New(api.Env{})
	for _, c := range capture.Load(t, captures) {
		r := read(t, c)
		if !d.Recognise(r) {
			t.Errorf("%s is not recognised", c.Name)
		}
		if a, err := d.Action(r); err != nil || a.Name != c.Action {
			t.Errorf("%s names %q (%v)", c.Name, a.Name, err)
		}
		got := fresh[c.Action]()
		if err := d.decode(r, got); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		if diff := cmp.Diff(want[c.Name], got, cmp.AllowUnexported(
			runCommandRequest{}, placed{}, commandFields{}, describeInvocationTasksRequest{}, describeInvocationsRequest{},
		)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.Name, diff)
		}
	}
}

// capturedAt is when a capture was signed.
func capturedAt(t *testing.T, r *api.Request) time.Time {
	t.Helper()
	seconds, err := strconv.ParseInt(common(r, "Timestamp"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(seconds, 0)
}

// TestCapturesAnswered serves them at their own time, at the end of the vendor's window and after it.
func TestCapturesAnswered(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	if _, err := c.scene.Service.CreateKey(t.Context(), scene.Account, "root", captureID, capture.Secret(t, captureID)); err != nil {
		t.Fatal(err)
	}
	nodes := []core.Node{c.scene.Node("ins-a1b2c3d4"), c.scene.Node("ins-a")}
	runs := 0
	for _, late := range []time.Duration{0, 300 * time.Second, 301 * time.Second} {
		for _, captured := range capture.Load(t, captures) {
			r := read(t, captured)
			c.scene.At(capturedAt(t, r).Add(late))
			c.scene.Online(nodes...)
			got := serve(t, c, captured.HTTP)
			switch {
			case late > 300*time.Second:
				got.want("AuthFailure.SignatureExpire")
				continue
			case captured.Action == "DescribeInvocationTasks" && !strings.HasPrefix(captured.Name, "015"):
				got.want("InvalidParameterValue.InvalidInstanceId") // "ins b&c=d" is none
			case captured.Action == "DescribeInvocationTasks":
				if resp := ok[describeInvocationTasksResponse](got); resp.TotalCount != 0 || resp.InvocationTaskSet == nil {
					t.Errorf("%s: %s", captured.Name, got.Raw)
				}
			case captured.Action == "DescribeInvocations":
				if resp := ok[describeInvocationsResponse](got); resp.TotalCount != 0 || resp.InvocationSet == nil {
					t.Errorf("%s: %s", captured.Name, got.Raw)
				}
			case captured.Action == "DescribeRegions":
				ok[describeRegionsResponse](got)
			case captured.Action == "RunCommand":
				runs++
				resp := ok[runCommandResponse](got)
				checkCapturedRun(t, c, captured.Name, c.invocation(resp.InvocationId))
			}
			if id := captured.HTTP.Header.Get("X-Tc-Traceid"); got.Header.Get("X-TC-TraceId") != id {
				t.Errorf("%s: trace id %q", captured.Name, got.Header.Get("X-TC-TraceId"))
			}
		}
	}
	if stored := c.stored(); stored != runs {
		t.Errorf("%d rows, want one for each of %d runs", stored, runs)
	}
}

// checkCapturedRun compares what the core was told.
func checkCapturedRun(t *testing.T, c *client, name string, id core.ID) {
	t.Helper()
	v, err := c.scene.Service.Invocation(t.Context(), c.scene.Caller, id)
	if err != nil {
		t.Fatal(err)
	}
	want := core.Definition{Type: core.Shell, Timeout: time.Minute, Content: []byte("echo {{word}}")}
	script := "echo a<b"
	switch name {
	case "005_go_tat_RunCommand":
		want.Content, script = []byte("ls"), ""
	case "008_go2021_tat_RunCommand":
		want.Content, script = []byte("echo hi"), ""
	default:
		want.Name, want.ParamsEnabled = "名字-1", true
	}
	if diff := cmp.Diff(want, v.Definition); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
	if string(v.Script) != script || v.Origin != core.OriginTAT || v.Region != "ap-guangzhou" || v.Saved || !v.KillTree ||
		v.DeliverWithin != time.Minute || v.Counts.Total() != 1 {
		t.Errorf("%s: %+v", name, v)
	}
}

func serve(t *testing.T, c *client, r *http.Request) reply {
	t.Helper()
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	resp := w.Result()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return open(t, resp, body)
}

// TestCaptureChanged changes one byte of a capture's body.
func TestCaptureChanged(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	if _, err := c.scene.Service.CreateKey(t.Context(), scene.Account, "root", captureID, capture.Secret(t, captureID)); err != nil {
		t.Fatal(err)
	}
	n := c.scene.Node("ins-a1b2c3d4")
	captured := capture.Load(t, captures)[0]
	c.scene.At(capturedAt(t, read(t, captured)))
	c.scene.Online(n)
	captured.HTTP.Body = io.NopCloser(strings.NewReader(strings.Replace(string(captured.Body), "60", "61", 1)))
	serve(t, c, captured.HTTP).want("AuthFailure.SignatureFailure")
	if c.stored() != 0 {
		t.Error("something was stored")
	}
}

// TestUnsignedPayload takes a request whose body is not signed from this machine only.
func TestUnsignedPayload(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	if _, err := c.scene.Service.CreateKey(t.Context(), scene.Account, "root", captureID, capture.Secret(t, captureID)); err != nil {
		t.Fatal(err)
	}
	captured := capture.Load(t, captures)[4]
	c.scene.At(capturedAt(t, read(t, captured)))
	c.scene.Online(c.scene.Node("ins-a"))
	captured.HTTP.RemoteAddr = "192.0.2.1:1234"
	serve(t, c, captured.HTTP).want("UnsupportedProtocol")
	if c.stored() != 0 {
		t.Error("something was stored")
	}
}
