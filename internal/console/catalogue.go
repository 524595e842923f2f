package console

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// languages are those that there is a catalogue for; the first is for everybody else.
var languages = []string{"en", "zh"}

//go:embed messages/*.json
var messages embed.FS

// catalogue holds every text of the pages in one language. Texts are formats of package fmt; arguments that another language wants in another
// order are numbered.
type catalogue struct {
	lang  string
	texts map[string]string
}

func loadCatalogue(lang string) (*catalogue, error) {
	c := &catalogue{lang: lang}
	for _, file := range []string{lang, lang + "-admin"} {
		b, err := messages.ReadFile("messages/" + file + ".json")
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, &c.texts); err != nil {
			return nil, fmt.Errorf("messages %s: %w", file, err)
		}
	}
	return c, nil
}

// text is a message. One that is missing shows as its key; a test keeps that from happening.
func (c *catalogue) text(key string, args ...any) string {
	text, ok := c.texts[key]
	switch {
	case !ok:
		return key
	case len(args) == 0:
		return text
	}
	return fmt.Sprintf(text, args...)
}

// count is a message about a number of things, which the key with ".one" says about one of them.
func (c *catalogue) count(key string, n int, args ...any) string {
	if n == 1 {
		key += ".one"
	}
	return c.text(key, append([]any{number(n)}, args...)...)
}

// below returns the messages whose keys begin with a prefix, by the rest of the key: what the browser's programs need.
func (c *catalogue) below(prefix string) map[string]string {
	some := map[string]string{}
	for key, text := range maps.All(c.texts) {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			some[rest] = text
		}
	}
	return some
}

const (
	langCookie  = "errand_lang"
	themeCookie = "errand_theme"
)

// language is what a reader chose, or what the browser asks for.
func language(r *http.Request) string {
	if c, err := r.Cookie(langCookie); err == nil && slices.Contains(languages, c.Value) {
		return c.Value
	}
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		tag, _, _ = strings.Cut(strings.ToLower(tag), "-")
		if slices.Contains(languages, tag) {
			return tag
		}
	}
	return languages[0]
}

// themes that a reader can choose from; the first follows the system.
var themes = []string{"system", "light", "dark"}

func theme(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && slices.Contains(themes, c.Value) {
		return c.Value
	}
	return themes[0]
}
