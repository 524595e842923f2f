package executor

import (
	"bytes"
	"strings"
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// NormalizeScript makes a script written on another system run on this one: no byte order mark, no CRLF when every
// line ends in it, and in any case no CR at the end of an interpreter line, where it would become part of a file name.
func NormalizeScript(script []byte, keepCRLF bool) []byte {
	script = bytes.TrimPrefix(script, byteOrderMark)
	crlf := bytes.Count(script, []byte("\r\n"))
	if !keepCRLF && crlf > 0 && crlf == bytes.Count(script, []byte("\n")) {
		return bytes.ReplaceAll(script, []byte("\r\n"), []byte("\n"))
	}
	if !bytes.HasPrefix(script, []byte("#!")) {
		return script
	}
	line, rest, terminated := bytes.Cut(script, []byte("\n"))
	bare := bytes.TrimRight(line, "\r")
	if len(bare) == len(line) {
		return script
	}
	fixed := make([]byte, 0, len(script))
	fixed = append(fixed, bare...)
	if terminated {
		fixed = append(fixed, '\n')
	}
	return append(fixed, rest...)
}

// interpreterLine returns the interpreter named in a script's first line, and its argument if there is one. As the
// kernel does, everything after the interpreter's name is a single argument.
func interpreterLine(script []byte) []string {
	body, ok := bytes.CutPrefix(script, []byte("#!"))
	if !ok {
		return nil
	}
	line, _, _ := bytes.Cut(body, []byte("\n"))
	text := strings.Trim(string(line), " \t\r")
	if text == "" || strings.ContainsRune(text, 0) {
		return nil
	}
	name, arg := text, ""
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		name, arg = text[:i], strings.Trim(text[i:], " \t")
	}
	if arg == "" {
		return []string{name}
	}
	return []string{name, arg}
}
