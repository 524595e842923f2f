package console

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template/parse"
	"unicode"

	"errand/internal/core"
)

// verb is a place in a message where an argument goes.
var verb = regexp.MustCompile(`%(\[\d+\])?[sd]`)

// TestCatalogues checks that every language says everything, with the same arguments.
func TestCatalogues(t *testing.T) {
	t.Parallel()
	first, err := loadCatalogue(languages[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range languages[1:] {
		other, err := loadCatalogue(lang)
		if err != nil {
			t.Fatal(err)
		}
		for key, text := range first.texts {
			switch there, ok := other.texts[key]; {
			case !ok:
				t.Errorf("%s: no %q", lang, key)
			case strings.TrimSpace(there) == "":
				t.Errorf("%s: nothing for %q", lang, key)
			case len(verb.FindAllString(there, -1)) != len(verb.FindAllString(text, -1)):
				t.Errorf("%s: %q has other arguments: %q and %q", lang, key, text, there)
			}
		}
		for key := range other.texts {
			if _, ok := first.texts[key]; !ok {
				t.Errorf("%s: %q is in no other language", lang, key)
			}
		}
	}
}

// TestMessagesExist checks that every message that the program asks for by its name is there, and that every message is asked for.
func TestMessagesExist(t *testing.T) {
	t.Parallel()
	words, err := loadCatalogue(languages[0])
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	var prefixes []string
	need := func(where, key string) {
		used[key] = true
		if words.texts[key] == "" {
			t.Errorf("%s: no message %q", where, key)
		}
	}
	literal := regexp.MustCompile(`(?:\bt|\.text) ?\(?"([a-z0-9_.]+)"|\((?:tn) "([a-z0-9_.]+)"|(?:label|hint|title|text|action)" "([a-z0-9_.]+)"`)
	counted := regexp.MustCompile(`(?:\btn |\.count\()"([a-z0-9_.]+)"`)
	joined := regexp.MustCompile(`print "([a-z0-9_.]+\.)"|"([a-z0-9_.]+\.)" ?\+|"([a-z_]+\.)", `)
	browser := regexp.MustCompile(`\btext\("([a-z0-9_.]+)"`)
	for pattern, js := range map[string]bool{"templates/*.html": false, "*.go": false, "../../web/src/*.ts": true} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || file == "doc.go" {
				continue
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if js {
				for _, m := range browser.FindAllStringSubmatch(string(b), -1) {
					need(file, "js."+m[1])
				}
				for _, m := range regexp.MustCompile("text\\(`([a-z0-9_.]+\\.)\\$").FindAllStringSubmatch(string(b), -1) {
					prefixes = append(prefixes, "js."+m[1])
				}
				continue
			}
			for _, m := range literal.FindAllStringSubmatch(string(b), -1) {
				if key := m[1] + m[2] + m[3]; !strings.HasSuffix(key, ".") {
					need(file, key)
				}
			}
			for _, m := range counted.FindAllStringSubmatch(string(b), -1) {
				need(file, m[1])
				need(file, m[1]+".one")
			}
			for _, m := range joined.FindAllStringSubmatch(string(b), -1) {
				prefixes = append(prefixes, m[1]+m[2]+m[3])
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(words.texts)) {
		if !used[key] && !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) }) {
			t.Errorf("nobody asks for %q", key)
		}
	}
	for s := range core.NumStates {
		need("states", "state."+core.State(s).String())
	}
	for cause := range core.NumCauses {
		if name := core.Cause(cause).String(); name != "" {
			need("causes", "cause."+name)
		}
	}
	for code := core.CodeInternal; code <= core.CodeUnavailable; code++ {
		need("codes", "refusal."+codeName(code))
		need("codes", "refusal."+codeName(code)+".text")
	}
}

// TestTemplatesHoldNoWords looks at what stands in templates between the tags, and in the attributes that people read.
func TestTemplatesHoldNoWords(t *testing.T) {
	t.Parallel()
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	tag := regexp.MustCompile(`(?s)<[^>]*>`)
	read := regexp.MustCompile(`(?:aria-label|title|alt|placeholder)="([^"{]*)`)
	for name, page := range c.views[languages[0]].pages {
		for _, block := range page.Templates() {
			if block.Tree == nil {
				continue
			}
			var source strings.Builder
			texts(block.Tree.Root, &source)
			markup := source.String()
			for _, m := range read.FindAllStringSubmatch(markup, -1) {
				if strings.ContainsFunc(m[1], unicode.IsLetter) {
					t.Errorf("%s, %s: %q stands in an attribute", name, block.Name(), m[1])
				}
			}
			markup = regexp.MustCompile(`(?s)<(kbd|code)[^>]*>.*?</(kbd|code)>`).ReplaceAllString(markup, "") // names of keys, and what is typed
			if words := strings.TrimSpace(tag.ReplaceAllString(markup, "")); strings.ContainsFunc(words, unicode.IsLetter) {
				t.Errorf("%s, %s: words of its own: %q", name, block.Name(), words)
			}
		}
	}
}

// texts gathers the text of a template, with a mark for everything that is put in.
func texts(node parse.Node, into *strings.Builder) {
	list := func(lists ...*parse.ListNode) {
		for _, l := range lists {
			if l == nil {
				continue
			}
			for _, n := range l.Nodes {
				texts(n, into)
			}
		}
	}
	switch n := node.(type) {
	case *parse.ListNode:
		list(n)
	case *parse.TextNode:
		into.Write(n.Text)
	case *parse.ActionNode, *parse.TemplateNode:
		into.WriteString("{}")
	case *parse.IfNode:
		list(n.List, n.ElseList)
	case *parse.RangeNode:
		list(n.List, n.ElseList)
	case *parse.WithNode:
		list(n.List, n.ElseList)
	}
}
