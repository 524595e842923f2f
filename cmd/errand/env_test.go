package main

import (
	"bytes"
	"flag"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"errand/internal/stacktest"
)

var update = flag.Bool("update", false, "write docs/clients.md anew")

// printEnv runs "errand env".
func printEnv(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(append([]string{"env"}, args...))
	root.SetOut(&out)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// TestEnvPrograms runs the programs that "errand env" prints against a server: what is documented is what works.
func TestEnvPrograms(t *testing.T) {
	stack := stacktest.Start(t)
	stack.AddNode(t, "web-1")
	t.Setenv("ERRAND_ACCESS_KEY_ID", stack.KeyID)
	t.Setenv("ERRAND_ACCESS_KEY_SECRET", stack.Secret)
	modules, err := filepath.Abs("../../internal/api/apitest/node/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		client, file string
		run          []string
		want         []string
	}{
		{"go", "main.go", []string{"go", "run"}, []string{"ECS 1\n", `"InstanceId":"web-1"`, "ZOS 0\n"}},
		{"node", "main.js", []string{"node"}, []string{"ECS 1\n", "TAT 1\n"}},
	} {
		text, err := printEnv(t, tt.client, "--server", "http://"+stack.HostPort)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), tt.file)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), tt.run[0], append(tt.run[1:], file)...)
		cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", tt.client, err, out)
		}
		for _, want := range tt.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s printed %q, want %q in it", tt.client, out, want)
			}
		}
	}
}

// TestUnsigned calls each API without a signature, as curl does in the README, and gets the vendor's own refusal.
func TestUnsigned(t *testing.T) {
	t.Parallel()
	stack := stacktest.Start(t)
	url := "http://" + stack.HostPort
	for _, tt := range []struct {
		name, path, body string
		header           map[string]string
		status           int
		want             string
	}{
		{"ecs", "/?Action=DescribeInvocations&Version=2014-05-26&Format=JSON", "", nil, 400, `"Code":"MissingAccessKeyId"`},
		{"eflo", "/?Action=DescribeInvocations&Version=2022-12-15&Format=JSON", "", nil, 400, `"Code":"MissingAccessKeyId"`},
		{"tat", "/", "{}", map[string]string{"X-TC-Action": "DescribeInvocations", "X-TC-Version": "2020-10-28"}, 200, `"Error":{"Code":"`},
		{"zos", "/api/v2/zos", "{}", map[string]string{"X-ZC-Action": "DescribeCommands", "X-ZC-Version": "2025-10-10"}, 401, `"code":"AUTHFAILURE`},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range tt.header {
			req.Header.Set(k, v)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		_, err = body.ReadFrom(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status || !strings.Contains(body.String(), tt.want) {
			t.Errorf("%s: %d %s (%v)", tt.name, resp.StatusCode, body.String(), err)
		}
	}
}

func TestEnvRefuses(t *testing.T) {
	t.Setenv("ERRAND_ACCESS_KEY_ID", "id")
	for _, args := range [][]string{
		nil,
		{"gcloud"},
		{"aliyun", "tccli"},
		{"aliyun", "--server", "example.com"},
		{"aliyun", "--server", "https://example.com/path"},
		{"aliyun", "--server", "ftp://example.com"},
	} {
		if out, err := printEnv(t, args...); err == nil || codeOf(err) != int(exitUsage) {
			t.Errorf("%q: %v, %q", args, err, out)
		}
	}
}

const clientsIntro = `# Clients

Settings that point the vendors' unmodified clients at an Errand server. ` + "`errand env`" + ` prints them with your server's address and your key
in place; this page is what it prints for ` + "`https://errand.example.com`" + `. The two programs are run by the tests against a server; the command lines and the
Terraform providers are not installed there, their settings follow the vendors' documents.

Every client talks to one host and port at path ` + "`/`" + `. A path in front of it breaks the signatures of most of them.
`

// TestClientsPage compares docs/clients.md with what is printed: go test ./cmd/errand -run TestClientsPage -update.
func TestClientsPage(t *testing.T) {
	t.Setenv("ERRAND_ACCESS_KEY_ID", "KEYID")
	t.Setenv("ERRAND_ACCESS_KEY_SECRET", "SECRET")
	var page strings.Builder
	page.WriteString(clientsIntro)
	for _, s := range []struct{ client, title, language string }{
		{"aliyun", "Alibaba Cloud CLI", "sh"},
		{"tccli", "Tencent Cloud CLI", "sh"},
		{"zenlayer", "Zenlayer CLI", "sh"},
		{"terraform", "Terraform", "hcl"},
		{"go", "SDKs in Go", "go"},
		{"node", "SDKs in Node.js", "js"},
	} {
		text, err := printEnv(t, s.client, "--server", "https://errand.example.com")
		if err != nil {
			t.Fatal(err)
		}
		page.WriteString("\n## " + s.title + "\n\n`errand env " + s.client + "`\n\n```" + s.language + "\n" + text + "```\n")
	}
	const path = "../../docs/clients.md"
	if *update {
		if err := os.WriteFile(path, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != page.String() {
		t.Errorf("%s is out of date (%v): go test ./cmd/errand -run TestClientsPage -update", path, err)
	}
}
