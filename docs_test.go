package errand_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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
	for _, pattern := range []string{"internal/*/*_test.go", "internal/*/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			source, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, test := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(source), -1) {
				there[test[1]] = true
			}
		}
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
