package main

import (
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"
)

// invisible reports whether a character does something to a terminal, or to the order in which a line is read, instead of being seen.
func invisible(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// printable takes out of a text what would move the terminal's cursor or hide what is written.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if invisible(r) {
			return '?'
		}
		return r
	}, text)
}

// displayWidth is how many columns of a terminal a printable text takes.
func displayWidth(text string) int {
	n := 0
	for _, r := range text {
		switch k := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case k == width.EastAsianWide || k == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

func when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateTime)
}

func state(disabled bool) string {
	if disabled {
		return "disabled"
	}
	return "enabled"
}

// each turns the entries of a list into rows.
func each[T any](list []T, row func(*T) []string) [][]string {
	rows := make([][]string, len(list))
	for i := range list {
		rows[i] = row(&list[i])
	}
	return rows
}

func joined(list []string) string { return strings.Join(list, ",") }
