package protocol

import "strings"

// MachineSeparator stands between the parts of a machine's fingerprint.
const MachineSeparator = "."

// SameMachine compares two fingerprints of machines: hashes of what tells machines apart, always in the same order, an unknown one left empty.
// They are the same unless something that both know differs; known says that there was anything to compare.
func SameMachine(a, b string) (same, known bool) {
	x, y := strings.Split(a, MachineSeparator), strings.Split(b, MachineSeparator)
	for i := range min(len(x), len(y)) {
		switch {
		case x[i] == "" || y[i] == "":
		case x[i] != y[i]:
			return false, true
		default:
			known = true
		}
	}
	return true, known
}
