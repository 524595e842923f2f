package errand_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// direction lists what each part must not reach, directly or through others.
// A pattern names one package, or with a final "/..." all packages from there
// down. A leading "!" admits an exception; the last pattern that matches wins.
//
// The import lists in .golangci.yml name the line that is wrong, but see only
// direct imports.
func direction() map[string][]string {
	serverSide := []string{
		"errand/internal/core", "errand/internal/api/...", "errand/internal/store/...",
		"errand/internal/dispatch", "errand/internal/server", "errand/internal/bus/broker", "errand/internal/deliver",
		"errand/internal/policy",
		"database/sql", "zombiezen.com/...", "modernc.org/...", "github.com/nats-io/nats-server/...",
	}
	testSide := []string{
		"testing",
		"errand/internal/api/apitest/...", "errand/internal/api/alibaba/caller", "errand/internal/api/capture", "errand/internal/api/scene",
		"errand/internal/agent/reach/reachtest", "errand/internal/deliver/s3test", "errand/internal/login/oidctest", "github.com/zitadel/...", "errand/internal/session/sessiontest", "errand/internal/store/storetest", "errand/internal/stacktest",
		"errand/internal/target/targettest",
		"github.com/alibabacloud-go/...", "github.com/aliyun/...", "github.com/tencentcloud/...", "github.com/zenlayer/...",
		"errand/web/...", "github.com/evanw/...", "github.com/chromedp/...",
	}
	rules := map[string][]string{
		"errand/internal/core": {
			"net/http", "database/sql", "os/exec", "errand/internal/...", "!errand/internal/policy", "!errand/internal/release",
			"!errand/internal/schedule", "!errand/internal/cast", "!errand/internal/linediff", "!errand/internal/target", "!errand/internal/nodeset",
		},
		"errand/internal/linediff": {"net/http", "errand/internal/..."},
		"errand/internal/policy":   {"net/http", "errand/internal/..."},
		"errand/internal/release":  {"net/http", "errand/internal/..."},
		"errand/internal/schedule": {"net/http", "errand/internal/..."},
		"errand/internal/nodeset":  {"net/http", "errand/internal/..."},
		"errand/internal/target":   {"net/http", "errand/internal/...", "!errand/internal/nodeset"},
		"errand/internal/protocol": {"net/http", "errand/internal/..."},
		"errand/internal/handout":  {"net/http", "errand/internal/..."},
		"errand/internal/console": {
			"errand/internal/api/...", "errand/internal/store/...", "errand/internal/dispatch", "errand/internal/bus/...", "errand/internal/server",
			"errand/internal/agent/...", "database/sql", "os/exec",
		},
		"errand/internal/agent":          serverSide,
		"errand/internal/agent/executor": {"net/http", "errand/internal/...", "!errand/internal/agent/executor/..."},
		"errand/cmd/errand":              testSide,
		"errand/cmd/errand-agent":        slices.Concat(serverSide, testSide),
	}
	// A dialect is a translator on its own: no sibling, and nothing that
	// carries out what it translates.
	for _, name := range []string{"ecs", "eflo", "tat", "zos"} {
		pkg := "errand/internal/api/" + name
		rules[pkg] = []string{
			"errand/internal/api/...",
			"!errand/internal/api", "!errand/internal/api/sign", "!" + pkg + "/...",
			"errand/internal/store/...", "errand/internal/dispatch", "errand/internal/bus/...",
			"errand/internal/server", "errand/internal/agent/...",
		}
	}
	// The two Alibaba products share their gateway.
	for _, pkg := range []string{"errand/internal/api/ecs", "errand/internal/api/eflo"} {
		rules[pkg] = append(rules[pkg], "!errand/internal/api/alibaba")
	}
	return rules
}

func TestDirection(t *testing.T) {
	t.Parallel()
	for pkg, rules := range direction() {
		t.Run(pkg, func(t *testing.T) {
			t.Parallel()
			for _, dep := range goList(t, "-deps", pkg) {
				if dep != pkg && barred(rules, dep) {
					t.Errorf("%s reaches %s", pkg, dep)
				}
			}
		})
	}
}

// TestDirectionNamesRealPackages catches a rule that bars nothing because what
// it names was renamed or never existed.
func TestDirectionNamesRealPackages(t *testing.T) {
	t.Parallel()
	ours := goList(t, "./...")
	for pkg, rules := range direction() {
		for _, rule := range rules {
			pattern := strings.TrimPrefix(rule, "!")
			if !strings.HasPrefix(pattern, "errand/") {
				continue
			}
			if !slices.ContainsFunc(ours, func(p string) bool { return matches(pattern, p) }) {
				t.Errorf("the rule %q for %s names no package", rule, pkg)
			}
		}
	}
}

// TestPackageComments keeps one sentence in front of every package.
func TestPackageComments(t *testing.T) {
	t.Parallel()
	for _, line := range goList(t, "-f", "{{if .GoFiles}}{{.ImportPath}}\t{{.Doc}}{{end}}", "./...") {
		if pkg, doc, _ := strings.Cut(line, "\t"); doc == "" {
			t.Errorf("%s has no package comment", pkg)
		}
	}
}

// TestContributingNamesRealPaths keeps the guide from naming what has moved.
func TestContributingNamesRealPaths(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:cmd|internal|docs|changes)[a-z0-9_./-]*)`").FindAllSubmatch(guide, -1)
	if len(named) == 0 {
		t.Fatal("the guide names no path")
	}
	for _, match := range named {
		if _, err := os.Stat(string(match[1])); err != nil {
			t.Errorf("CONTRIBUTING.md: %v", err)
		}
	}
}

func TestBarred(t *testing.T) {
	t.Parallel()
	rules := []string{"net/http", "errand/internal/api/...", "!errand/internal/api/sign"}
	for pkg, want := range map[string]bool{
		"net/http":                    true,
		"net/http/httptest":           false,
		"net":                         false,
		"errand/internal/api":         true,
		"errand/internal/api/ecs":     true,
		"errand/internal/api/sign":    false,
		"errand/internal/apiary":      false,
		"errand/internal/store":       false,
		"other/internal/api":          false,
		"errand/internal/api/sign/v3": true,
	} {
		if got := barred(rules, pkg); got != want {
			t.Errorf("barred(%q) = %v, want %v", pkg, got, want)
		}
	}
}

func barred(rules []string, pkg string) (bad bool) {
	for _, rule := range rules {
		pattern, exception := strings.CutPrefix(rule, "!")
		if matches(pattern, pkg) {
			bad = !exception
		}
	}
	return bad
}

func matches(pattern, pkg string) bool {
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == root || strings.HasPrefix(pkg, root+"/")
	}
	return pkg == pattern
}

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}
