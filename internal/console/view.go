package console

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"errand/internal/core"
)

//go:embed templates/*.html
var templates embed.FS

// views are the templates of all pages in one language.
type views struct {
	words *catalogue
	pages map[string]*template.Template
	js    template.JS // messages for the browser's programs, as JSON
}

// frame are the files that every page is made with.
var frame = []string{"templates/layout.html", "templates/parts.html"}

func (c *Console) parse(lang string) (*views, error) {
	words, err := loadCatalogue(lang)
	if err != nil {
		return nil, err
	}
	js, err := json.Marshal(words.below("js."))
	if err != nil {
		return nil, err
	}
	base, err := template.New("").Funcs(c.functions(words)).ParseFS(templates, frame...)
	if err != nil {
		return nil, err
	}
	v := &views{words: words, pages: map[string]*template.Template{}, js: template.JS(js)} //nolint:gosec // texts of our own, encoded as JSON
	files, err := templates.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		page, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if v.pages[name], err = page.ParseFS(templates, "templates/"+f.Name()); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// functions are what templates can call.
func (c *Console) functions(words *catalogue) template.FuncMap {
	return template.FuncMap{
		"t":        words.text,
		"tn":       words.count,
		"asset":    c.assets.url,
		"icon":     icon,
		"number":   number,
		"number64": func(n uint64) string { return number(int(n)) },
		"tones":    func() []string { return tones },
		"bytes":    words.bytes,
		"duration": words.duration,
		"ago":      func(t time.Time) when { return words.when(t, c.Now()) },
		"mark":     words.mark,
		"dict":     dict,
		"keymap":   keymap,
		"query":    withQuery,
	}
}

// dict makes a map out of names and values, for parts that take more than one thing.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict of %d", len(pairs))
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m, nil
}

// withQuery sets a parameter of an address, or takes it away if it is empty.
func withQuery(address, name, value string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	q := u.Query()
	if q.Set(name, value); value == "" {
		q.Del(name)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// page is what the layout shows around a view's own data.
type page struct {
	Lang, Theme, Nav, Title string
	User, Account           string      // empty for whoever is not signed in
	Here                    string      // the page's own address, without part
	Done                    string      // what was just done, a key below "done."
	Messages                template.JS // for the browser's programs
	Stream                  string      // where the page hears that something has changed; empty if it stays as it is
	Languages, Themes       []string
	Data                    any
}

func (c *Console) render(w http.ResponseWriter, r *request, a answer) error {
	v := c.views[r.lang]
	tmpl, ok := v.pages[a.view]
	if !ok {
		return fmt.Errorf("no template %q", a.view)
	}
	p := page{
		Lang: r.lang, Theme: r.theme, Nav: a.nav, Title: a.title, User: r.caller.Principal, Here: withQuery(r.URL.RequestURI(), "part", ""),
		Messages: v.js, Languages: languages, Themes: themes, Data: a.data,
	}
	if r.caller.Account != 0 {
		p.Account = r.caller.Account.String()
	}
	if a.follow != "" {
		p.Stream = root + "stream?" + a.follow
	}
	if done := "done." + r.URL.Query().Get("done"); v.words.texts[done] != "" {
		p.Done = done
		p.Here = withQuery(p.Here, "done", "")
	}
	block := "layout"
	if r.part != "" && a.status == 0 {
		if block = r.part; tmpl.Lookup(block) == nil || !strings.HasPrefix(block, "live-") {
			return fmt.Errorf("%s has no part %q", a.view, block)
		}
	}
	var b bytes.Buffer
	if err := tmpl.ExecuteTemplate(&b, block, &p); err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", r.lang)
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	_, err := w.Write(b.Bytes())
	if err != nil {
		c.Log.Debug("console", "path", path.Clean(r.URL.Path), "error", err) // the reader has gone
	}
	return nil
}

// number writes a whole number with its thousands apart.
func number(n int) string {
	if n < 0 {
		return "-" + number(-n)
	}
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// bytes is an amount of data for people.
func (c *catalogue) bytes(n uint64) string {
	const unit = 1024
	if n < unit {
		return c.text("size.b", number(int(n)))
	}
	size, name := float64(n)/unit, "kib"
	for _, next := range []string{"mib", "gib", "tib"} {
		if size < unit {
			break
		}
		size, name = size/unit, next
	}
	return c.text("size."+name, strconv.FormatFloat(size, 'f', 1, 64))
}

// duration is a stretch of time for people, in two units at most.
func (c *catalogue) duration(d time.Duration) string {
	switch {
	case d < 0:
		return c.duration(0)
	case d < time.Second:
		return c.text("time.ms", d.Milliseconds())
	case d < 10*time.Second:
		return c.text("time.s", strconv.FormatFloat(d.Seconds(), 'f', 1, 64))
	case d < time.Minute:
		return c.text("time.s", strconv.Itoa(int(d.Seconds())))
	case d < time.Hour:
		return c.text("time.m_s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return c.text("time.h_m", int(d.Hours()), int(d.Minutes())%60)
	}
	return c.text("time.d_h", int(d.Hours())/24, int(d.Hours())%24)
}

// when is a moment: for programs, for people, and exactly.
type when struct {
	Machine, Short, Exact string
	Never                 bool
}

func (c *catalogue) when(t, now time.Time) when {
	if t.IsZero() {
		return when{Never: true}
	}
	w := when{Machine: t.UTC().Format(time.RFC3339Nano), Exact: t.UTC().Format("2006-01-02 15:04:05.000 MST")}
	switch d := now.Sub(t); {
	case d < -time.Minute:
		w.Short = c.text("time.in", c.rough(-d))
	case d < 5*time.Second:
		w.Short = c.text("time.now")
	default:
		w.Short = c.text("time.ago", c.rough(d))
	}
	return w
}

// rough is a stretch of time in one unit.
func (c *catalogue) rough(d time.Duration) string {
	switch {
	case d < time.Minute:
		return c.text("time.s", strconv.Itoa(int(d.Seconds())))
	case d < time.Hour:
		return c.text("time.m", int(d.Minutes()))
	case d < 48*time.Hour:
		return c.text("time.h", int(d.Hours()))
	}
	return c.text("time.d", int(d.Hours())/24)
}

// mark is how something's state is shown: an icon, a word and a colour, so that none of them has to be told alone.
type mark struct{ Tone, Icon, Word string }

func (c *catalogue) mark(name string) mark {
	m := mark{Word: c.text("state." + name), Tone: "wait", Icon: "clock"}
	if tone, ok := markTones[name]; ok {
		m.Tone, m.Icon = tone[0], tone[1]
		return m
	}
	switch name {
	case "succeeded", "online":
		m.Tone, m.Icon = "ok", "check"
	case "failed", "timed_out", "start_failed", "invalid", "exception", "aborted":
		m.Tone, m.Icon = "bad", "cross"
	case "lost", "delivery_failed":
		m.Tone, m.Icon = "lost", "alert"
	case "cancelled", "terminated", "offline":
		m.Tone, m.Icon = "off", "minus"
	case "running", "stopping", "probing":
		m.Tone, m.Icon = "run", "spinner"
	case "paused", "cordoned":
		m.Tone, m.Icon = "warn", "pause"
	}
	return m
}

// tones are the colours of states, in the order in which bars show them.
var tones = []string{"ok", "bad", "lost", "off", "run", "wait"}

// toneOf is the colour of a task's state.
func toneOf(s core.State) string {
	switch s {
	case core.Succeeded:
		return "ok"
	case core.Failed, core.TimedOut, core.StartFailed, core.Invalid, core.Exception:
		return "bad"
	case core.Lost, core.DeliveryFailed:
		return "lost"
	case core.Cancelled, core.Terminated:
		return "off"
	case core.Running, core.Stopping:
		return "run"
	case core.Queued, core.Scheduled, core.Delivering, core.Deferred:
		return "wait"
	}
	return "wait"
}
