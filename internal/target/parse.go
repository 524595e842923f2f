package target

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"errand/internal/nodeset"
)

// Bounds of an expression.
const (
	MaxText  = 256 << 10 // bytes
	MaxDepth = 50        // parentheses and negations inside each other
	MaxTerms = 500       // comparisons and the like, those of groups included
)

// Error is an expression that cannot be read.
type Error struct {
	Pos  int // byte at which the trouble is, from 0
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("at character %d: %s", e.Pos+1, e.Text) }

// Parse reads an expression. Errors are of the type *Error.
//
//	expression = conjunction { ("||" | "or" | ",") conjunction }
//	conjunction = factor { ("&&" | "and") factor }
//	factor = ("!" | "not") factor | "(" expression ")" | term
//	term = "all" | "online" | "offline" | "cordoned" | "@" group | names | pattern | "tag." key
//	     | field ("=" | "!=" | "<" | "<=" | ">" | ">=") value | field ("~" | "!~") pattern | field ["not"] "in" "(" value { "," value } ")"
//	field = fact | tag key | "tag." key | "fact." fact
func Parse(text string) (Expr, error) {
	p := &parser{text: text}
	if err := p.checkText(); err != nil {
		return nil, err
	}
	p.space()
	if p.pos == len(text) {
		return nil, p.errorf("an empty expression; all nodes are spelled out: all")
	}
	e, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.pos < len(text) {
		return nil, p.unexpected("the expression went on")
	}
	terms := 0
	Walk(e, func(x Expr) { terms += countTerm(x) })
	if terms > MaxTerms {
		return nil, p.errorAt(0, "%d terms, and at most %d are allowed", terms, MaxTerms)
	}
	return e, nil
}

// countTerm is 1 for what is a term.
func countTerm(e Expr) int {
	switch e.(type) {
	case Not, And, Or:
		return 0
	}
	return 1
}

type parser struct {
	text  string
	pos   int
	names int
}

func (p *parser) errorf(format string, args ...any) error { return p.errorAt(p.pos, format, args...) }

func (p *parser) errorAt(pos int, format string, args ...any) error {
	return &Error{pos, fmt.Sprintf(format, args...)}
}

func (p *parser) checkText() error {
	if len(p.text) > MaxText {
		return p.errorAt(MaxText, "longer than %d bytes", MaxText)
	}
	for i, r := range p.text {
		if unicode.IsControl(r) && !strings.ContainsRune(" \t\r\n", r) {
			return p.errorAt(i, "a control character")
		}
		if _, size := utf8.DecodeRuneInString(p.text[i:]); r == utf8.RuneError && size == 1 {
			return p.errorAt(i, "not UTF-8")
		}
	}
	return nil
}

func (p *parser) space() {
	p.pos += len(p.text[p.pos:]) - len(strings.TrimLeft(p.text[p.pos:], " \t\r\n"))
}

// take goes past a sign and the blanks after it, if it comes next.
func (p *parser) take(sign string) bool {
	if !strings.HasPrefix(p.text[p.pos:], sign) {
		return false
	}
	p.pos += len(sign)
	p.space()
	return true
}

// takeWord is take for a word.
func (p *parser) takeWord(word string) bool {
	if p.peekWord() != word {
		return false
	}
	return p.take(word)
}

// peekWord is the word that comes next, if one does.
func (p *parser) peekWord() string { return p.text[p.pos:nodeset.WordEnd(p.text, p.pos)] }

// unexpected says what is there instead of what could be.
func (p *parser) unexpected(while string) error {
	if p.pos == len(p.text) {
		return p.errorf("it ends where %s", while)
	}
	for _, slip := range [][2]string{
		{"&", "&&"}, {"|", "||"}, {"=~", "~"}, {"=", "a tag or fact before ="}, {"<>", "!="}, {"'", `"`}, {"AND", "and"}, {"OR", "or"}, {"IN", "in"},
	} {
		if strings.HasPrefix(p.text[p.pos:], slip[0]) {
			return p.errorf("unexpected %s: did you mean %s?", slip[0], slip[1])
		}
	}
	if word := p.peekWord(); word != "" {
		return p.errorf("unexpected %.100q: && or || belongs before it", word)
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.pos:])
	return p.errorf("unexpected %q", r)
}

func (p *parser) or(depth int) (Expr, error) {
	var list Or
	var names, literal []string // of all alternatives that are names; they become one
	place := -1
	add := func(e Expr) {
		n, ok := e.(Names)
		if !ok {
			list = append(list, e)
			return
		}
		if place < 0 {
			place = len(list)
			list = append(list, nil)
		}
		names, literal = append(names, n.List...), append(literal, n.Literal...)
	}
	for {
		e, err := p.and(depth)
		if err != nil {
			return nil, err
		}
		if inner, ok := e.(Or); ok {
			for _, x := range inner {
				add(x)
			}
		} else {
			add(e)
		}
		if !p.take("||") && !p.take(",") && !p.takeWord("or") {
			break
		}
	}
	if place >= 0 {
		list[place] = Names{merged(names), merged(literal)}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return list, nil
}

// merged is a list in order, each entry once.
func merged(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

func (p *parser) and(depth int) (Expr, error) {
	var list And
	for {
		e, err := p.not(depth)
		if err != nil {
			return nil, err
		}
		if more, ok := e.(And); ok {
			list = append(list, more...)
		} else {
			list = append(list, e)
		}
		if !p.take("&&") && !p.takeWord("and") {
			break
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return list, nil
}

func (p *parser) not(depth int) (Expr, error) {
	if depth > MaxDepth {
		return nil, p.errorf("more than %d parentheses and negations inside each other", MaxDepth)
	}
	switch {
	case p.take("!") || p.takeWord("not"):
		e, err := p.not(depth + 1)
		if err != nil {
			return nil, err
		}
		return Not{e}, nil
	case p.text[p.pos:] == "":
		return nil, p.unexpected("nodes have to be named")
	case p.text[p.pos] == '(':
		open := p.pos
		p.take("(")
		e, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if !p.take(")") {
			if p.pos < len(p.text) {
				return nil, p.unexpected("")
			}
			return nil, p.errorAt(open, "the parenthesis is not closed")
		}
		return e, nil
	}
	e, err := p.term()
	p.space()
	return e, err
}

// term reads what cannot be taken apart.
func (p *parser) term() (Expr, error) {
	switch c := p.text[p.pos]; c {
	case '@':
		return p.group()
	case '~':
		p.take("~")
		pattern, err := p.pattern()
		return Glob{pattern}, err
	case '"':
		start := p.pos
		name, err := p.quoted()
		if err == nil && name == "" {
			err = p.errorAt(start, "an empty name")
		}
		if err == nil && p.operator() != "" {
			err = p.errorAt(start, "a quoted key is written tag.%s", nodeset.Quote(name))
		}
		return p.list([]string{name}, true), err
	}
	start := p.pos
	end := nodeset.WordEnd(p.text, start)
	if strings.IndexByte("*?", p.byteAt(end)) >= 0 {
		return p.glob()
	}
	if end == start {
		return nil, p.unexpected("")
	}
	word := p.text[start:end]
	p.pos = end
	if key, ok := strings.CutPrefix(word, "tag."); ok {
		return p.tagTerm(key)
	}
	p.space()
	if op := p.operator(); op != "" {
		if strings.Contains(word, "[") {
			return nil, p.errorAt(start, "%.100q is neither a tag nor a fact", word)
		}
		field, err := p.field(start, word, op)
		if err != nil {
			return nil, err
		}
		if field == (Field{}) {
			return p.flagCompare(Flag(word), op)
		}
		return p.compare(field, op)
	}
	return p.bare(start, word)
}

func (p *parser) byteAt(pos int) byte {
	if pos < len(p.text) {
		return p.text[pos]
	}
	return ' '
}

// bare makes sense of a word that stands alone.
func (p *parser) bare(start int, word string) (Expr, error) {
	switch word {
	case "all":
		return All{}, nil
	case "online":
		return Online, nil
	case "offline":
		return Not{Online}, nil
	case "cordoned":
		return Cordoned, nil
	case "and", "or", "in":
		return nil, p.errorAt(start, "unexpected %q; a node of this name is written in quotes", word)
	}
	if name, ok := strings.CutPrefix(word, "fact."); ok {
		return nil, p.errorAt(start, "%.100q is compared with nothing", name)
	}
	names, err := nodeset.Expand(word)
	if err != nil {
		var e *nodeset.Error
		if errors.As(err, &e) {
			return nil, p.errorAt(start+e.Pos, "%s", e.Text)
		}
		return nil, err
	}
	if p.names += len(names); p.names > nodeset.MaxNames {
		return nil, p.errorAt(start, "more than %d names", nodeset.MaxNames)
	}
	return p.list(names, !strings.Contains(word, "[")), nil
}

func (p *parser) list(names []string, literal bool) Names {
	n := Names{List: merged(names)}
	if literal {
		n.Literal = slices.Clone(n.List)
	}
	return n
}

func (p *parser) group() (Expr, error) {
	start := p.pos
	p.pos++
	end := nodeset.WordEnd(p.text, p.pos)
	name := p.text[p.pos:end]
	if err := CheckGroupName(name); err != nil {
		return nil, p.errorAt(start, "%s", err)
	}
	p.pos = end
	return Group{name}, nil
}

// glob reads a pattern that stands where a name could.
func (p *parser) glob() (Expr, error) {
	start := p.pos
	pattern, err := p.pattern()
	if err != nil {
		return nil, err
	}
	p.space()
	if op := p.operator(); op != "" {
		return nil, p.errorAt(start, "a pattern is compared with nothing; FIELD~PATTERN has it on the right")
	}
	if strings.ContainsAny(pattern, "[]") {
		return nil, p.errorAt(start, "a pattern has no brackets")
	}
	return Glob{pattern}, nil
}

// tagTerm reads what follows "tag.": a key, and perhaps what its value is compared with.
func (p *parser) tagTerm(key string) (Expr, error) {
	if key == "" && p.byteAt(p.pos) == '"' {
		var err error
		if key, err = p.quoted(); err != nil {
			return nil, err
		}
	}
	if key == "" {
		return nil, p.errorf("want the key of a tag")
	}
	if strings.Contains(key, "[") {
		return nil, p.errorf("the key of a tag with brackets is written in quotes")
	}
	p.space()
	if op := p.operator(); op != "" {
		return p.compare(Field{Tag: key}, op)
	}
	return Has{key}, nil
}

// The comparisons as they are written; the longer ones come first.
var operators = []string{"!=", "!~", "<=", ">=", "==", "=", "~", "<", ">"}

// operator is the comparison that comes next, if one does.
func (p *parser) operator() string {
	rest := p.text[p.pos:]
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			return op
		}
	}
	switch p.peekWord() {
	case "in":
		return "in"
	case "not":
		after := p.text[p.pos+len("not"):]
		if after = strings.TrimLeft(after, " \t\r\n"); after[:nodeset.WordEnd(after, 0)] == "in" {
			return "not in"
		}
	}
	return ""
}

// field is the tag or fact that a word names. It is none for a flag.
func (p *parser) field(start int, word, op string) (Field, error) {
	name, explicit := strings.CutPrefix(word, "fact.")
	switch {
	case isFact(name):
		return Field{Fact: Fact(name)}, nil
	case explicit:
		return Field{}, p.unknownFact(start, name, nearFact(name, false))
	case name == string(Online) || name == "offline" || name == string(Cordoned):
		return Field{}, nil
	case slices.Contains(keywords, name):
		return Field{}, p.errorAt(start, "unexpected %q", name)
	}
	orders := strings.ContainsAny(op, "<>")
	if f := nearFact(name, !orders); f != "" {
		return Field{}, p.errorAt(start, "unknown fact %.100q: did you mean %s? (a tag of this name is written tag.%[1]s)", name, f)
	}
	return Field{Tag: name}, nil
}

func (p *parser) unknownFact(start int, name string, f Fact) error {
	if f != "" {
		return p.errorAt(start, "unknown fact %.100q: did you mean %s?", name, f)
	}
	list := make([]string, len(facts))
	for i := range facts {
		list[i] = string(facts[i].Name)
	}
	return p.errorAt(start, "unknown fact %.100q; there are %s", name, strings.Join(list, ", "))
}

// flagCompare reads "=true" and the like.
func (p *parser) flagCompare(f Flag, op string) (Expr, error) {
	start := p.pos
	var e Expr = f
	if f == "offline" {
		e = Not{Online}
	}
	if op != "=" && op != "==" && op != "!=" {
		return nil, p.errorAt(start, "%s is yes or no; it stands alone", f)
	}
	p.take(op)
	at := p.pos
	value, err := p.value()
	if err != nil {
		return nil, err
	}
	if value != "true" && value != "false" {
		return nil, p.errorAt(at, "%s is true or false", f)
	}
	if (value == "false") != (op == "!=") {
		return Not{e}, nil
	}
	return e, nil
}

// compare reads an operator and what comes after it.
func (p *parser) compare(f Field, written string) (Expr, error) {
	not := strings.HasPrefix(written, "!") || written == "not in"
	op := Op(strings.TrimPrefix(written, "!"))
	c := Compare{Field: f, Op: op}
	if op == Matches && f.Tag == "" && f.Fact.Kind() == Number {
		return nil, p.errorf("%s is a number, and no pattern matches it", f.Fact)
	}
	var err error
	switch written {
	case "in", "not in":
		c.Op = Equal
		if written == "not in" {
			p.takeWord("not")
		}
		p.takeWord("in")
		if c.Values, err = p.values(f); err != nil {
			return nil, err
		}
	default:
		p.take(written)
		if op == "==" {
			c.Op = Equal
		}
		start := p.pos
		var value string
		if c.Op == Matches {
			value, err = p.pattern()
		} else {
			value, err = p.value()
		}
		if err == nil {
			err = p.checkValue(start, f, value)
		}
		if err != nil {
			return nil, err
		}
		c.Values = []string{value}
	}
	if not {
		return Not{c}, nil
	}
	return c, nil
}

// values reads a list in parentheses.
func (p *parser) values(f Field) (values []string, err error) {
	if !p.take("(") {
		return nil, p.errorf("want ( and values with commas between them")
	}
	for {
		start := p.pos
		value, err := p.value()
		if err == nil {
			err = p.checkValue(start, f, value)
		}
		if err != nil {
			return nil, err
		}
		if !slices.Contains(values, value) {
			values = append(values, value)
		}
		p.space()
		switch {
		case p.take(","):
		case p.take(")"):
			return values, nil
		default:
			return nil, p.errorf("want , or )")
		}
	}
}

func (p *parser) checkValue(start int, f Field, value string) error {
	if f.Tag != "" || f.Fact.Kind() != Number {
		return nil
	}
	if _, ok := number(value); !ok {
		return p.errorAt(start, "%s is compared with a number, not %.100q", f.Fact, value)
	}
	return nil
}

// value reads a word or a quoted text.
func (p *parser) value() (string, error) {
	if p.byteAt(p.pos) == '"' {
		return p.quoted()
	}
	end := nodeset.WordEnd(p.text, p.pos)
	word := p.text[p.pos:end]
	switch {
	case strings.ContainsAny(word, "[]"):
		return "", p.errorf("a value with brackets is written in quotes")
	case strings.IndexByte("*?", p.byteAt(end)) >= 0:
		return "", p.errorf("patterns are matched with ~; a value with this character is written in quotes")
	case word == "":
		if p.pos < len(p.text) && p.text[p.pos] == '\'' {
			return "", p.unexpected("")
		}
		return "", p.errorf(`want a value; an empty one is written ""`)
	}
	p.pos = end
	return word, nil
}

// pattern is value for text with wildcards.
func (p *parser) pattern() (string, error) {
	if p.byteAt(p.pos) == '"' {
		return p.quoted()
	}
	end := p.pos
	for end < len(p.text) {
		r, size := utf8.DecodeRuneInString(p.text[end:])
		if !nodeset.Plain(r) && r != '*' && r != '?' {
			break
		}
		end += size
	}
	if end == p.pos {
		return "", p.errorf("want a pattern such as web*")
	}
	pattern := p.text[p.pos:end]
	p.pos = end
	if c := p.byteAt(end); c == '[' || c == ']' {
		return "", p.errorf("a pattern has no brackets; one that matches them is written in quotes")
	}
	return pattern, nil
}

func (p *parser) quoted() (string, error) {
	text, end, err := nodeset.Unquote(p.text, p.pos)
	if err != nil {
		return "", p.errorf("the quote does not end")
	}
	if strings.ContainsAny(text, "\t\r\n") {
		return "", p.errorf("a line break or tab in quotes")
	}
	p.pos = end
	return text, nil
}
