package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// terminalOf returns the file behind a writer if it is a terminal that understands control sequences.
func terminalOf(w io.Writer) (*os.File, bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil, false
	}
	return f, true
}

// onTerminal reports whether a writer ends at a terminal of any kind.
func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// columnsOf is how wide a terminal is; 80 if it does not say.
func columnsOf(f *os.File) int {
	if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
		return n
	}
	return 80
}

// style colours texts for one writer, or leaves them.
type style struct{ on bool }

// styleFor follows NO_COLOR and CLICOLOR_FORCE. Colour never says anything that is not also there as a word.
func styleFor(w io.Writer) style {
	_, able := terminalOf(w)
	force := os.Getenv("CLICOLOR_FORCE")
	if force != "" && force != "0" {
		able = true
	}
	return style{able && os.Getenv("NO_COLOR") == "" && os.Getenv("CLICOLOR") != "0"}
}

func (s style) paint(code, text string) string {
	if !s.on {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string { return s.paint("1", text) }
func (s style) dim(text string) string  { return s.paint("2", text) }

// state colours a text by a state's kind.
func (s style) state(state, text string) string {
	switch state {
	case "succeeded":
		return s.paint("32", text)
	case "running", "delivering", "deferred", "queued", "scheduled", "stopping":
		return s.paint("33", text)
	default:
		return s.paint("31", text)
	}
}
