package errand_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"errand/internal/target"
)

// TestPathOfOneCommand checks that what docs/architecture.md names exists.
func TestPathOfOneCommand(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	step := regexp.MustCompile("(?m)^\\| (\\d+) \\| `([^`]+\\.go)` `([^`]+)` \\|")
	steps := step.FindAllStringSubmatch(string(page), -1)
	if len(steps) != 12 {
		t.Errorf("the path has %d steps", len(steps))
	}
	for _, s := range steps {
		source, err := os.ReadFile(s[2])
		if err != nil {
			t.Errorf("step %s: %v", s[1], err)
			continue
		}
		pattern := `(?m)^func ` + regexp.QuoteMeta(s[3]) + `[\[(]`
		if receiver, method, ok := strings.Cut(s[3], "."); ok {
			pattern = `(?m)^func \(\w+ \*?` + receiver + `\) ` + method + `\(`
		}
		if !regexp.MustCompile(pattern).Match(source) {
			t.Errorf("step %s: %s has no function %s", s[1], s[2], s[3])
		}
	}
}

// TestTestsNamedInPages checks that the tests exist that docs/schedules.md names.
func TestTestsNamedInPages(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/schedules.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for test := range testSources(t) {
		there[test.name] = true
	}
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 20 {
		t.Errorf("the page names %d tests", len(named))
	}
	for _, test := range named {
		if !there[test[1]] {
			t.Errorf("there is no %s", test[1])
		}
	}
}

// TestBehaviourHasTests checks that each row of docs/agent-behaviour.md names tests, and that they exist. A folder counts until the next one of
// its row; what follows a slash is the name of a subtest.
func TestBehaviourHasTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/agent-behaviour.md")
	if err != nil {
		t.Fatal(err)
	}
	there := testSources(t)
	quoted := regexp.MustCompile("`([^`]+)`")
	rows := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if !strings.HasPrefix(line, "| ") || strings.HasSuffix(cells[len(cells)-1], "Test |") {
			continue
		}
		rows++
		folder, tests := "", 0
		for _, word := range quoted.FindAllStringSubmatch(cells[len(cells)-1], -1) {
			if !strings.HasPrefix(word[1], "Test") {
				folder = word[1]
				continue
			}
			tests++
			name, sub, _ := strings.Cut(word[1], "/")
			source, ok := there[testName{folder, name}]
			if !ok || sub != "" && !strings.Contains(source, `"`+sub+`"`) {
				t.Errorf("there is no %s in %q", word[1], folder)
			}
		}
		if tests == 0 {
			t.Errorf("no test for %q", cells[0])
		}
	}
	if rows < 100 {
		t.Errorf("the page has %d rows", rows)
	}
}

// testName names a test by its folder.
type testName struct{ folder, name string }

// testSources returns the file of each test.
func testSources(t *testing.T) map[testName]string {
	t.Helper()
	there := map[testName]string{}
	for _, pattern := range []string{"cmd/*/*_test.go", "internal/*/*_test.go", "internal/*/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, test := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(source), -1) {
				there[testName{filepath.ToSlash(filepath.Dir(file)), test[1]}] = string(source)
			}
		}
	}
	return there
}

// TestFactsInPage checks that docs/targets.md lists the facts that there are, with their meanings.
func TestFactsInPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/targets.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range target.Facts() {
		if row := "| `" + string(f.Name) + "` | " + f.About + " |\n"; !strings.Contains(string(page), row) {
			t.Errorf("the page has no row %s", row)
		}
	}
}
