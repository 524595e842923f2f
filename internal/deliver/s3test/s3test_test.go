package s3test

import (
	"os"
	"strings"
	"testing"
)

// TestVersion keeps the tests and the Makefile at one version.
func TestVersion(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	if want := "\nVERSITYGW_VERSION := " + Version + "\n"; !strings.Contains(string(makefile), want) {
		t.Errorf("the Makefile has no line %q", strings.TrimSpace(want))
	}
}
