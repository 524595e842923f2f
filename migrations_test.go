package errand_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestMigrationsAreNumbered catches two migrations with the same number, which each was right until they met.
func TestMigrationsAreNumbered(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("internal/store/sqlite/migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for i, file := range files {
		if name := filepath.Base(file); !strings.HasPrefix(name, fmt.Sprintf("%04d_", i+1)) {
			t.Errorf("%s should have number %d", name, i+1)
		}
	}
}
