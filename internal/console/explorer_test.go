package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"errand/internal/core"
)

// TestExplorer calls each vendor's API as its own client would, and leaves no key behind.
func TestExplorer(t *testing.T) {
	t.Parallel()
	s, r, _ := start(t)
	has(t, r.page("explorer"), "DescribeManagedInstances", "Tencent TAT", "RunCommand")
	for product, call := range map[string]struct{ action, parameters, want, line string }{
		"ecs":  {"DescribeCloudAssistantStatus", "InstanceId.1=web-1", "&#34;CloudAssistantStatus&#34;: &#34;true&#34;", "aliyun ecs DescribeCloudAssistantStatus --InstanceId.1 web-1"},
		"eflo": {"ListClusters", "", "&#34;RequestId&#34;", "errand api eflo ListClusters"},
		"tat":  {"DescribeAutomationAgentStatus", `{"InstanceIds": ["web-1"]}`, "&#34;Online&#34;", "tccli tat DescribeAutomationAgentStatus"},
		"zos":  {"DescribeCommands", "", "&#34;totalCount&#34;", "errand api zos DescribeCommands"},
	} {
		_, body := r.post("explorer", url.Values{"product": {product}, "action": {call.action}, "parameters": {call.parameters}})
		has(t, body, "Answer, status 200", call.want, "POST http://", call.line, "Authorization: ")
	}
	_, body := r.post("explorer", url.Values{"product": {"ecs"}, "action": {"RunCommand"}, "parameters": {"CommandContent=true"}, "dry": {"on"}})
	if has(t, body, "CommandContent=true&amp;RegionId="); strings.Contains(body, "Answer, status") {
		t.Error("it was sent")
	}
	for parameters, field := range map[string]string{"nothing": "NAME=VALUE", "{": "JSON object"} {
		resp, body := r.do(http.MethodPost, "explorer", url.Values{"product": {"tat"}, "action": {"DescribeRegions"}, "parameters": {parameters}})
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, `aria-invalid="true"`) || !strings.Contains(body, field) {
			t.Errorf("%q: %s\n%s", parameters, resp.Status, body)
		}
	}
	_, body = stranger(t, s).post("explorer", url.Values{"product": {"ecs"}, "action": {"DescribeManagedInstances"}})
	has(t, body, "Answer, status 403")
	keys, err := s.Server.Service.Keys(t.Context(), s.Server.RootCaller(), "", true)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.Description == "lent for a call" {
			t.Errorf("a key is still there: %+v", k)
		}
	}
}

// TestBorrowedKey can do no more, and lasts no longer, than whoever borrows it.
func TestBorrowedKey(t *testing.T) {
	t.Parallel()
	s, _, _ := start(t)
	svc, root := s.Server.Service, s.Server.RootCaller()
	k, err := svc.BorrowKey(t.Context(), root, false)
	if err != nil {
		t.Fatal(err)
	}
	if k.Kind != core.KeyTemporary || k.Token == "" || k.ExpiresAt.Sub(svc.Now()) > time.Minute {
		t.Errorf("%+v", k.AccessKey)
	}
	if err := svc.ReturnKey(t.Context(), &k); err != nil {
		t.Fatal(err)
	}
	if _, err := svc.Key(t.Context(), k.ID); core.AsError(err).Code != core.CodeUnauthenticated {
		t.Errorf("a key that was handed back: %v", err)
	}
	narrow, err := svc.IssueToken(t.Context(), root, core.TokenSpec{
		Policy: `{"Version":"1","Statement":[{"Effect":"Allow","Action":"node.list","Resource":"*"}]}`, Lifetime: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	who, err := svc.Caller(t.Context(), narrow.AccessKey)
	if err != nil {
		t.Fatal(err)
	}
	if k, err := svc.BorrowKey(t.Context(), who, false); err != nil || k.Session != narrow.Session {
		t.Errorf("%+v %v", k.AccessKey, err)
	}
	if _, err := svc.BorrowKey(t.Context(), who, true); core.AsError(err).Code != core.CodeDenied {
		t.Errorf("without a token: %v", err)
	}
}
