package executor

import (
	"errors"
	"fmt"
	"strings"
)

// placeholder stands for the script's path inside a parsed launcher. NUL cannot occur in an argument.
const placeholder = "\x00"

var errLauncherQuote = errors.New("launcher: unbalanced quotes or braces")

// launcher is a parsed launcher template.
type launcher struct {
	words  []string // with placeholder where the script's path belongs
	suffix string   // of the script file, as asked for with Ext
}

// argv returns the command line that starts the script at path.
func (l launcher) argv(path string) []string {
	argv := make([]string, len(l.words))
	for i, word := range l.words {
		argv[i] = strings.ReplaceAll(word, placeholder, path)
	}
	return argv
}

// parseLauncher splits a template into words as a POSIX shell would, but knows only blanks, quotes and backslashes:
// nothing is expanded except {{ACS::ScriptFileName}}, which may ask for a suffix with |Ext(".py"). A template that
// names no script gets its path as the last argument.
// https://www.alibabacloud.com/help/en/ecs/developer-reference/api-ecs-2014-05-26-runcommand
func parseLauncher(template string) (launcher, error) {
	if strings.Contains(template, placeholder) {
		return launcher{}, errors.New("launcher: NUL byte")
	}
	p := launcherParser{rest: template}
	for p.rest != "" {
		if err := p.next(); err != nil {
			return launcher{}, err
		}
	}
	if p.quote != 0 {
		return launcher{}, errLauncherQuote
	}
	p.endWord()
	if len(p.words) == 0 || p.words[0] == "" {
		return launcher{}, errors.New("launcher: no program")
	}
	if !p.named {
		p.words = append(p.words, placeholder)
	}
	return p.launcher, nil
}

type launcherParser struct {
	launcher
	rest   string
	word   strings.Builder
	inWord bool
	quote  byte // the quote we are inside, or 0
	named  bool // the script's path was asked for
}

// next takes one character, escape or placeholder off the rest.
func (p *launcherParser) next() error {
	if body, ok := strings.CutPrefix(p.rest, "{{"); ok {
		return p.variable(body)
	}
	c := p.rest[0]
	p.rest = p.rest[1:]
	switch {
	case c == p.quote:
		p.quote = 0
	case p.quote == '\'':
		p.add(c)
	case c == '\\':
		return p.escape()
	case p.quote == '"':
		p.add(c)
	case c == '\'' || c == '"':
		p.quote = c
		p.inWord = true
	case strings.IndexByte(" \t\r\n", c) >= 0:
		p.endWord()
	default:
		p.add(c)
	}
	return nil
}

// escape handles what follows a backslash. Inside double quotes it protects only a quote and itself.
func (p *launcherParser) escape() error {
	if p.rest == "" {
		return errLauncherQuote
	}
	c := p.rest[0]
	p.rest = p.rest[1:]
	if p.quote == '"' && c != '"' && c != '\\' {
		p.add('\\')
	}
	p.add(c)
	return nil
}

func (p *launcherParser) variable(body string) error {
	name, rest, ok := strings.Cut(body, "}}")
	if !ok {
		return errLauncherQuote
	}
	suffix, ok := scriptVariable(name)
	if !ok {
		return fmt.Errorf("launcher: unknown placeholder {{%s}}", name)
	}
	if suffix != "" {
		if p.suffix != "" && p.suffix != suffix {
			return fmt.Errorf("launcher: two suffixes, %s and %s", p.suffix, suffix)
		}
		p.suffix = suffix
	}
	p.named = true
	p.add(placeholder[0])
	p.rest = rest
	return nil
}

// scriptVariable reads what stands between the braces: ACS::ScriptFileName, perhaps with |Ext(".suffix").
func scriptVariable(name string) (suffix string, ok bool) {
	name, filter, filtered := strings.Cut(name, "|")
	if strings.TrimSpace(name) != "ACS::ScriptFileName" {
		return "", false
	}
	if !filtered {
		return "", true
	}
	arg, isExt := strings.CutPrefix(strings.TrimSpace(filter), "Ext(")
	arg, isCall := strings.CutSuffix(arg, ")")
	arg = strings.TrimSpace(arg)
	quoted := len(arg) > 2 && arg[0] == '"' && arg[len(arg)-1] == '"'
	if !isExt || !isCall || !quoted {
		return "", false
	}
	suffix = arg[1 : len(arg)-1]
	set := lowerCase + strings.ToUpper(lowerCase) + digits + "._-"
	return suffix, suffix[0] == '.' && made(suffix[1:], set, 16)
}

func (p *launcherParser) add(c byte) {
	p.word.WriteByte(c)
	p.inWord = true
}

func (p *launcherParser) endWord() {
	if p.inWord {
		p.words = append(p.words, p.word.String())
		p.word.Reset()
		p.inWord = false
	}
}
