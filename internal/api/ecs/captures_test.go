package ecs_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api"
	"errand/internal/api/capture"
	"errand/internal/api/ecs"
	"errand/internal/api/scene"
	"errand/internal/api/sign"
	"errand/internal/core"
)

// answered is what becomes of the recorded requests: they were made against a logger that had none of the objects they name, and some
// name labels that no machine carries. All other actions succeed.
var answered = map[string]string{
	"RunCommand Period":         "InvalidResourceTag.InstanceNotFound",
	"InvokeCommand Period":      "InvalidCmdId.NotFound",
	"ModifyCommand":             "InvalidCmdId.NotFound",
	"DeleteCommand":             "InvalidCmdId.NotFound",
	"StopInvocation":            "InvalidInvokeId.NotFound",
	"ModifyInvocationAttribute": "InvalidInvokeId.NotFound",
	"DisableActivation":         "ActivationId.NotFound",
	"DeleteActivation":          "ActivationId.NotFound",
	"TagResources":              "InvalidResourceId.NotFound",
	"UntagResources":            "InvalidResourceId.NotFound",
	"ListTagResources":          "InvalidResourceId.NotFound",
	"EndTerminalSession":        "InvalidSessionId.NotFound",
}

// joined is the machine that the recorded requests rename and then remove.
const joined = "mi-hz018jrc1o00001"

// TestCaptures sends every recorded request for this product to the dialect, at the time it was signed for.
func TestCaptures(t *testing.T) {
	t.Parallel()
	built := map[string]bool{}
	for _, name := range []string{
		"CreateCommand", "DescribeCommands", "ModifyCommand", "DeleteCommand", "RunCommand", "InvokeCommand", "StopInvocation",
		"DescribeInvocations", "DescribeInvocationResults", "DescribeCloudAssistantStatus", "DescribeManagedInstances", "CreateActivation",
		"DescribeActivations", "DescribeRegions", "DisableActivation", "DeleteActivation", "ModifyManagedInstance", "DeregisterManagedInstance",
		"DescribeInstances", "TagResources", "UntagResources", "ListTagResources",
		"ModifyInvocationAttribute", "SendFile", "DescribeSendFileResults", "StartTerminalSession", "EndTerminalSession",
		"DescribeTerminalSessions",
		"InstallCloudAssistant", "DescribeCloudAssistantSettings", "ModifyCloudAssistantSettings",
	} {
		built[name] = true
	}
	byClient := map[string][]capture.Request{}
	for _, r := range capture.Load(t, "../testdata/captures/alibaba") {
		if r.Product == "ecs" {
			byClient[r.Client] = append(byClient[r.Client], r)
		}
	}
	for client, requests := range byClient {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			s := stageCapture(t)
			server := &api.Server{
				Dialects: []api.Dialect{ecs.New(s.Env())}, Now: s.Now, Log: slog.New(slog.DiscardHandler),
			}
			for _, r := range requests {
				params, err := sign.Params(sign.NewRequest(r.HTTP, r.Body))
				if err != nil {
					t.Fatal(err)
				}
				s.At(signedAt(t, params, r.HTTP.Header.Get("x-acs-date")))
				w := httptest.NewRecorder()
				server.ServeHTTP(w, r.HTTP)
				want := answered[strings.TrimSpace(r.Action+" "+strings.ReplaceAll(params["RepeatMode"], "Once", ""))]
				switch {
				case !built[r.Action]:
					want = "InvalidAction.NotFound"
				case params["NextToken"] != "":
					want = "InvalidParameter.NextToken" // it was made up
				}
				switch {
				case want != "" && !strings.Contains(w.Body.String(), `"Code":"`+want+`"`):
					t.Errorf("%s: want %s, got %d %s", r.Name, want, w.Code, w.Body)
				case want == "" && (w.Code != 200 || strings.Contains(w.Body.String(), `"Code"`)):
					t.Errorf("%s: %d %s", r.Name, w.Code, w.Body)
				case want == "":
					checkStored(t, s, r.Action)
					checkShown(t, r.Action, w.Body.String())
					checkDecodes(t, r.Action, w.Body.String())
				}
			}
		})
	}
}

// TestPublishedExample sends the request that the vendor prints as its example of a signature, by GET and for XML.
func TestPublishedExample(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.At(time.Date(2016, 2, 23, 12, 46, 24, 0, time.UTC))
	server := &api.Server{Dialects: []api.Dialect{ecs.New(s.Env())}, Now: s.Now, Log: slog.New(slog.DiscardHandler)}
	w := httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?AccessKeyId=testid&Action=DescribeRegions&Format=XML"+
		"&Signature=OLeaidS1JvxuMvnyHOwuJ%2BuX5qY%3D&SignatureMethod=HMAC-SHA1&SignatureNonce=3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"+
		"&SignatureVersion=1.0&Timestamp=2016-02-23T12%3A46%3A24Z&Version=2014-05-26", nil))
	body := w.Body.String()
	if w.Code != 200 || !strings.Contains(body, "<DescribeRegionsResponse><RequestId>") ||
		!strings.Contains(body, "<Regions><Region><RegionId>cn-hangzhou</RegionId><RegionEndpoint>example.com</RegionEndpoint>") {
		t.Errorf("%d %s", w.Code, body)
	}
}

// stageCapture sets a scene with the machines and keys of the recordings.
func stageCapture(t *testing.T) *scene.Scene {
	t.Helper()
	s := scene.New(t)
	s.Online(s.Node("i-bp1aaaaaaaaaaaaaaaaa"), s.Node("i-bp1bbbbbbbbbbbbbbbbb"), s.Node(joined))
	if _, err := s.Service.CreateKey(t.Context(), scene.Account, "root", "stsid", capture.Secret(t, "stsid")); err != nil {
		t.Fatal(err)
	}
	return s
}

func signedAt(t *testing.T, params sign.Values, header string) time.Time {
	t.Helper()
	text := params["Timestamp"]
	if text == "" {
		text = header
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// checkStored looks at what a recorded request put into the store. All clients were given the same parameters.
func checkStored(t *testing.T, s *scene.Scene, action string) {
	t.Helper()
	switch action {
	case "RunCommand":
		rows, _, err := s.Service.Invocations(t.Context(), s.Caller, core.InvocationFilter{}, core.PageSpec{Limit: 1})
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d invocations: %v", len(rows), err)
		}
		v := rows[0]
		want := core.Invocation{
			ID: v.ID, Account: scene.Account, Region: "cn-hangzhou", Origin: core.OriginECS, Principal: core.RootUser, Command: v.Command,
			Definition: core.Definition{
				Name: "hello", Description: "demo 描述", Type: core.Shell, Content: []byte(`echo "hi {{name}}" ~ * + / = & 中文`), WorkDir: "/root",
				User: "root", Launcher: `python3 -u {{ACS::ScriptFileName|Ext(".py")}}`, Timeout: 2 * time.Minute, ParamsEnabled: true,
			},
			Params: map[string]string{"name": "Jack"}, Script: []byte(`echo "hi Jack" ~ * + / = & 中文`), KillTree: true,
			Termination: "ProcessTree", Repeat: core.Once, DeliverWithin: time.Minute, ClientToken: "123e4567-e89b-12d3-a456-426655440000",
			RequestHash: v.RequestHash, Tags: []core.Tag{{Key: "owner", Value: "ops team"}},
			CreatedAt: v.CreatedAt, UpdatedAt: v.CreatedAt, Counts: v.Counts,
		}
		v.Defaults, v.Extra = nil, nil // empty
		if diff := cmp.Diff(want, v); diff != "" {
			t.Errorf("invocation (-want +got):\n%s", diff)
		}
		if n := v.Counts.Of(core.Delivering); n != 2 || len(v.RequestHash) != 64 {
			t.Errorf("%d tasks on their way, hash %q", n, v.RequestHash)
		}
	case "CreateCommand":
		rows, _, err := s.Service.Commands(t.Context(), s.Caller, core.CommandFilter{}, core.PageSpec{Limit: 1})
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d commands: %v", len(rows), err)
		}
		got := rows[0]
		want := core.Command{
			ID: got.ID, Account: scene.Account, Region: "cn-hangzhou", CreatedAt: got.CreatedAt, UpdatedAt: got.UpdatedAt,
			Definition: core.Definition{
				Name: "n1", Type: core.Shell, Content: []byte("echo 123"), WorkDir: "/home/user", Timeout: time.Minute,
			},
			Tags: []core.Tag{{Key: "k"}},
		}
		got.Defaults, got.Extra = nil, nil // empty
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("command (-want +got):\n%s", diff)
		}
	case "ModifyManagedInstance":
		found, err := s.Service.NodesByID(t.Context(), s.Caller, []string{joined})
		if err != nil || found[joined].Name != "web-01" {
			t.Errorf("renamed %+v: %v", found, err)
		}
	case "InstallCloudAssistant":
		found, err := s.Service.NodesByID(t.Context(), s.Caller, []string{"i-bp1aaaaaaaaaaaaaaaaa"})
		if at := found["i-bp1aaaaaaaaaaaaaaaaa"].InstallAskedAt; err != nil || !at.Equal(s.Now()) {
			t.Errorf("installation asked for at %v: %v", at, err)
		}
	case "ModifyCloudAssistantSettings":
		got, err := s.Service.Settings(t.Context(), s.Caller)
		want := core.DefaultSettings()
		want.AgentUpgrade.Custom, want.AgentUpgrade.Zone = true, "Asia/Shanghai"
		want.AgentUpgrade.Windows = []core.DailyWindow{{From: 120, To: 180}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("settings: %v (-want +got):\n%s", err, diff)
		}
	case "DeregisterManagedInstance":
		if found, err := s.Service.NodesByID(t.Context(), s.Caller, []string{joined}); err != nil || len(found) > 0 {
			t.Errorf("removed, but found %+v: %v", found, err)
		}
	case "CreateActivation":
		rows, _, err := s.Service.Registrations(t.Context(), s.Caller, core.RegistrationFilter{NamePrefix: "lab"}, core.PageSpec{Limit: 1})
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d activations: %v", len(rows), err)
		}
		if r := rows[0]; r.Limit != 10 || r.ExpiresAt.Sub(r.CreatedAt) != 4*time.Hour || r.Networks[0].String() != "0.0.0.0/0" || r.Tags[0].Value != "v" {
			t.Errorf("activation %+v", r)
		}
	}
}

// checkShown looks at the answers that say how a request was understood and leave nothing in the store.
func checkShown(t *testing.T, action, body string) {
	t.Helper()
	want := map[string][]string{
		"DescribeCloudAssistantSettings": {
			`"AgentUpgradeConfig":{"Enabled":false,"AllowedUpgradeWindows":{"AllowedUpgradeWindow":[]},"TimeZone":"UTC"`,
			`"OssDeliveryConfigs":{"OssDeliveryConfig":[{"DeliveryType":"SessionManager","Enabled":false`,
		},
		"DescribeInstances":         {`"TotalCount":1,"PageNumber":1,"PageSize":10,"NextToken":""`, `[{"InstanceId":"i-bp1aaaaaaaaaaaaaaaaa",`},
		"ModifyManagedInstance":     {`"Instance":{"InstanceId":"` + joined + `","InstanceName":"web-01"}`},
		"DeregisterManagedInstance": {`"Instance":{"InstanceId":"` + joined + `","InstanceName":"web-01",`},
	}
	for _, part := range want[action] {
		if !strings.Contains(body, part) {
			t.Errorf("%s: no %s in %s", action, part, body)
		}
	}
}
