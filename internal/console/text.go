package console

import (
	"bytes"
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

// splitLines cuts output at its line ends.
func splitLines(b []byte) [][]byte {
	b = bytes.TrimSuffix(b, []byte("\n"))
	if len(b) == 0 {
		return nil
	}
	return bytes.Split(b, []byte("\n"))
}
