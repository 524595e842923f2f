package agent

import (
	"regexp"
	"strings"
	"testing"

	"errand/internal/protocol"
)

// TestFingerprint is the same each time, has a part for each source, and gives none of them away.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	mark := Fingerprint()
	if again := Fingerprint(); again != mark {
		t.Errorf("%q, then %q", mark, again)
	}
	parts, sources := strings.Split(mark, protocol.MachineSeparator), []string{installationID(), hardwareID(), diskID()}
	if len(parts) != len(sources) {
		t.Fatalf("%q has %d parts", mark, len(parts))
	}
	for i, source := range sources {
		switch known := source != ""; {
		case known != regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(parts[i]) || !known && parts[i] != "":
			t.Errorf("%q stands for %q", parts[i], source)
		case known && strings.Contains(strings.ReplaceAll(source, "-", ""), parts[i]):
			t.Errorf("%q gives %q away", parts[i], source)
		}
	}
}
