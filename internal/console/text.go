package console

import (
	"cmp"
	"strings"
)

func compare(a, b string) int { return cmp.Compare(a, b) }

// lines cuts text at its line ends.
func lines(b []byte) []string {
	text := strings.TrimSuffix(strings.ToValidUTF8(string(b), "\uFFFD"), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
