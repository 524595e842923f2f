package core

import (
	"math"
	"strconv"
	"strings"
)

// Share is a number of things, or a part of however many there are. The zero Share is none given.
type Share struct {
	Count   int
	Percent float64 // above 0 and up to 100; then Count is 0
}

// ParseShare reads "3", "5%" or "0.5%". The empty text is the zero Share.
func ParseShare(text string) (Share, error) {
	if text == "" {
		return Share{}, nil
	}
	if number, ok := strings.CutSuffix(text, "%"); ok {
		p, err := strconv.ParseFloat(number, 64)
		if err != nil || !(p > 0 && p <= 100) {
			return Share{}, invalid(ReasonInvalidValue, "", "%q is not a percentage above 0 and up to 100", text)
		}
		return Share{Percent: p}, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return Share{}, invalid(ReasonInvalidValue, "", "%q is neither a number above 0 nor a percentage", text)
	}
	return Share{Count: n}, nil
}

// Of is the share of so many things: never more than there are, and of a part at least one, for 5% of 3 is not nothing.
func (s Share) Of(total int) int {
	if s.Percent > 0 {
		// What a percentage means is decimal: 7% of 100 is 7, whatever 7.0/100*100 is.
		return min(total, int(math.Ceil(float64(total)*s.Percent/100-1e-9)))
	}
	return min(total, s.Count)
}

// IsZero reports whether no share was given.
func (s Share) IsZero() bool { return s == Share{} }

// String is the text that ParseShare reads.
func (s Share) String() string {
	switch {
	case s.Percent > 0:
		return strconv.FormatFloat(s.Percent, 'f', -1, 64) + "%"
	case s.Count > 0:
		return strconv.Itoa(s.Count)
	}
	return ""
}
