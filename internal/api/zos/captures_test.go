package zos

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"errand/internal/api"
	"errand/internal/api/capture"
	"errand/internal/api/scene"
	"errand/internal/core"
)

const captures = "../testdata/captures/zenlayer"

// TestCapturesDecode reads what the vendor's own clients sent.
func TestCapturesDecode(t *testing.T) {
	t.Parallel()
	want := map[string]any{
		"001_go_zos_InvokeCommand": &invokeCommandRequest{
			CommandID: ptr("1234567890"), InstanceIDs: []string{"i-1", "i-2"}, Timeout: ptr[int64](30),
		},
		"002_go_zos_DescribeCommandInvocations": &describeCommandInvocationsRequest{
			InvocationIDs: []string{"987654321"}, pageRequest: pageRequest{PageSize: ptr[int64](20), PageNum: ptr[int64](1)},
		},
		"003_python_zos_CreateCommand": &createCommandRequest{Name: ptr("Test"), Content: ptr("echo 1"), Type: ptr("SHELL")},
		"004_zeno_zos_CreateCommand": &createCommandRequest{
			Name: ptr("Test Command"), Content: ptr("echo 1"), Type: ptr("SHELL"), Tags: tagList{[]tag{{"env", "prod"}}},
		},
		"005_zeno_zos_DescribeCommands": &describeCommandsRequest{
			TagKeys: []string{"env"}, Tags: []tag{{"env", "prod"}}, pageRequest: pageRequest{PageSize: ptr[int64](10)},
		},
		"006_zeno_zos_DescribeCommandInvocations": &describeCommandInvocationsRequest{
			pageRequest: pageRequest{PageSize: ptr[int64](100), PageNum: ptr[int64](1)},
		},
	}
	fresh := map[string]func() any{
		"InvokeCommand":              func() any { return new(invokeCommandRequest) },
		"CreateCommand":              func() any { return new(createCommandRequest) },
		"DescribeCommands":           func() any { return new(describeCommandsRequest) },
		"DescribeCommandInvocations": func() any { return new(describeCommandInvocationsRequest) },
	}
	for _, c := range capture.Load(t, captures) {
		got := fresh[c.Action]()
		if err := decode(&api.Request{Body: c.Body}, got); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		if diff := cmp.Diff(want[c.Name], got, cmpopts.EquateEmpty(), cmp.AllowUnexported(
			describeCommandsRequest{}, describeCommandInvocationsRequest{},
		)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.Name, diff)
		}
	}
}

// TestCapturesAnswered serves them at their own time, and five minutes later. The token and the ids in them exist nowhere.
func TestCapturesAnswered(t *testing.T) {
	t.Parallel()
	const keyID = "0D9UtpyKYcHxms5v"
	s := scene.New(t)
	if _, err := s.Service.CreateKey(t.Context(), scene.Account, "root", keyID, capture.Secret(t, keyID)); err != nil {
		t.Fatal(err)
	}
	server := &api.Server{Dialects: []api.Dialect{New(s.Env())}, Now: s.Now, Log: slog.New(slog.DiscardHandler)}
	want := map[string]string{
		"001_go_zos_InvokeCommand":              "INVALID_COMMAND_NOT_FOUND",
		"002_go_zos_DescribeCommandInvocations": "AUTHFAILURE_INVALID_AUTHORIZATION",
	}
	var code string
	server.Observe = func(c api.Call) { code = c.Code }
	serve := func(c capture.Request) string {
		server.ServeHTTP(httptest.NewRecorder(), c.HTTP)
		return code
	}
	for _, late := range []time.Duration{0, 300 * time.Second, 301 * time.Second} {
		for _, c := range capture.Load(t, captures) {
			expected := want[c.Name]
			if text := c.HTTP.Header.Get("X-Zc-Timestamp"); text != "" {
				seconds, err := strconv.ParseInt(text, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				s.At(time.Unix(seconds, 0).Add(late))
				if late > 300*time.Second {
					expected = "AUTHFAILURE_SIGNATURE_EXPIRED"
				}
			}
			if got := serve(c); got != expected {
				t.Errorf("%s after %v: %q, want %q", c.Name, late, got, expected)
			}
		}
	}

	changed := capture.Load(t, captures)[0]
	changed.HTTP.Body = io.NopCloser(strings.NewReader(strings.Replace(string(changed.Body), "i-2", "i-3", 1)))
	s.At(time.Unix(1795325864, 0))
	if got := serve(changed); got != "AUTHFAILURE_SIGNATURE_FAILURE" {
		t.Errorf("one byte changed: %q", got)
	}
	stranger := capture.Load(t, captures)[0]
	stranger.HTTP.Header.Set("Authorization", "ZC2-HMAC-SHA256 Credential=nobody, SignedHeaders=content-type;host, "+
		"Signature=29bb3bbaa4a752541e0abc7249754c409428706e3aaf38951265e25c10dc05ab")
	if got := serve(stranger); got != "AUTHFAILURE_INVALID_AUTHORIZATION" {
		t.Errorf("unknown key: %q", got)
	}
	broken := capture.Load(t, captures)[0]
	broken.HTTP.Header.Set("X-Zc-Timestamp", "yesterday")
	if got := serve(broken); got != "INVALID_PARAMETER_DATE_FORMAT_ERROR" {
		t.Errorf("unreadable time: %q", got)
	}
	if rows, _, err := s.Service.Commands(t.Context(), s.Caller, core.CommandFilter{}, core.PageSpec{Limit: 10}); err != nil || len(rows) != 4 {
		t.Errorf("%d commands were made (%v), want two by each of the requests that were in time", len(rows), err)
	}
}

func ptr[T any](v T) *T { return &v }
