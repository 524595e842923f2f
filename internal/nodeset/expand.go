package nodeset

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error is a text that cannot be read.
type Error struct {
	Pos  int // byte at which the trouble is, from 0
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("at character %d: %s", e.Pos+1, e.Text) }

// Expand reads words with commas between them, web[01-40,44],db1, and returns the names they stand for, each once and in the order in which they
// come. [a-b] counts with as many digits as a has if it begins with a zero, [a-b/n] in steps of n; a name of other characters stands in double
// quotes. Errors are of the type *Error; more than MaxNames names are one.
func Expand(text string) ([]string, error) {
	var names []string
	pos := 0
	for {
		pos += blanks(text[pos:])
		var err error
		if names, pos, err = expandWord(names, text, pos); err != nil {
			return nil, err
		}
		pos += blanks(text[pos:])
		if pos == len(text) {
			return distinct(names), nil
		}
		if text[pos] != ',' {
			r, _ := utf8.DecodeRuneInString(text[pos:])
			return nil, &Error{pos, fmt.Sprintf("unexpected %q", r)}
		}
		pos++
	}
}

func blanks(s string) int { return len(s) - len(strings.TrimLeft(s, " \t\r\n")) }

func distinct(names []string) []string {
	seen := make(map[string]bool, len(names))
	return slices.DeleteFunc(names, func(name string) bool {
		twice := seen[name]
		seen[name] = true
		return twice
	})
}

// expandWord reads the word at a position and adds its names.
func expandWord(names []string, text string, pos int) ([]string, int, error) {
	if pos < len(text) && text[pos] == '"' {
		name, end, err := Unquote(text, pos)
		if err == nil && name == "" {
			err = &Error{pos, "an empty name"}
		}
		return append(names, name), end, err
	}
	end := WordEnd(text, pos)
	if end == pos {
		return nil, pos, &Error{pos, "want a name"}
	}
	list, err := expand(text[pos:end], MaxNames-len(names))
	if err != nil {
		err.Pos += pos
		return nil, pos, err
	}
	return append(names, list...), end, nil
}

// Unquote reads the quoted text at a position, of which backslashes keep the next character from having a meaning. It returns where it ends.
func Unquote(text string, pos int) (string, int, error) {
	var b strings.Builder
	for i := pos + 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), i + 1, nil
		case '\\':
			if i++; i == len(text) {
				return "", i, &Error{pos, "the quote does not end"}
			}
		}
		b.WriteByte(text[i])
	}
	return "", len(text), &Error{pos, "the quote does not end"}
}

// WordEnd is where the word at a position ends: after its last plain character or bracket.
func WordEnd(text string, pos int) int {
	for pos < len(text) {
		if text[pos] == '[' {
			if end := strings.IndexByte(text[pos:], ']'); end >= 0 {
				pos += end + 1
				continue
			}
			return len(text) // expand says what is missing
		}
		r, size := utf8.DecodeRuneInString(text[pos:])
		if !Plain(r) {
			break
		}
		pos += size
	}
	return pos
}

// expand returns the names of one word, at most so many.
func expand(text string, most int) ([]string, *Error) {
	names := []string{""}
	for pos := 0; pos < len(text); {
		if text[pos] != '[' {
			end := strings.IndexByte(text[pos:], '[')
			if end < 0 {
				end = len(text) - pos
			}
			for i := range names {
				names[i] += text[pos : pos+end]
			}
			pos += end
			continue
		}
		end := strings.IndexByte(text[pos:], ']')
		if end < 0 {
			return nil, &Error{pos, "the bracket is not closed"}
		}
		numbers, err := expandRanges(text[pos+1:pos+end], most/len(names))
		if err != nil {
			err.Pos += pos + 1
			return nil, err
		}
		product := make([]string, 0, len(names)*len(numbers))
		for _, name := range names {
			for _, n := range numbers {
				product = append(product, name+n)
			}
		}
		names = product
		pos += end + 1
	}
	if len(names) > most {
		return nil, &Error{0, tooMany}
	}
	return names, nil
}

var tooMany = fmt.Sprintf("stands for more than %d names", MaxNames)

// expandRanges reads what stands between brackets.
func expandRanges(text string, most int) (list []string, _ *Error) {
	pos := 0
	for part := range strings.SplitSeq(text, ",") {
		numbers, err := expandRange(part, most-len(list))
		if err != nil {
			err.Pos += pos
			return nil, err
		}
		list = append(list, numbers...)
		pos += len(part) + 1
	}
	return list, nil
}

// expandRange reads a, a-b or a-b/n.
func expandRange(text string, most int) ([]string, *Error) {
	spec, step, stepped := strings.Cut(text, "/")
	first, last, isRange := strings.Cut(spec, "-")
	if !isRange {
		last = first
	}
	if !isNumber(first) || !isNumber(last) || stepped && (!isRange || !isNumber(step)) {
		return nil, &Error{0, fmt.Sprintf("%q is neither a number nor a range such as 01-40", text)}
	}
	from, to, by := value(first), value(last), int64(1)
	if stepped {
		by = value(step)
	}
	width := 0
	if len(first) > 1 && first[0] == '0' {
		width = len(first)
	}
	switch {
	case by < 1:
		return nil, &Error{0, "a range with steps of 0"}
	case to < from:
		return nil, &Error{0, fmt.Sprintf("the range %s ends before it begins", text)}
	case width > 0 && len(last) != width, width == 0 && len(last) > 1 && last[0] == '0':
		return nil, &Error{0, fmt.Sprintf("the range %s has numbers of different width", text)}
	case (to-from)/by >= int64(most):
		return nil, &Error{0, tooMany}
	}
	var list []string
	for n := from; n <= to; n += by {
		digits := strconv.FormatInt(n, 10)
		list = append(list, strings.Repeat("0", max(0, width-len(digits)))+digits)
	}
	return list, nil
}

func isNumber(s string) bool { return s != "" && len(s) <= maxDigits && digits(s) == len(s) }
