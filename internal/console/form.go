package console

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"errand/internal/core"
)

// form is fields with a button. A form that was refused is shown again with what was typed, and says what is wrong beside the field.
type form struct {
	ID      string // tells the fields of several forms of one page apart
	Action  string
	Text    string // above the fields
	Fields  []*field
	Submit  string
	Icon    string
	Danger  bool   // the button does what cannot be undone
	Cancel  string // where to go instead
	Problem string // with all of it
	Files   bool   // has a field for files
	read    bool   // values are those that were sent
}

// field is one field of a form.
type field struct {
	Name, Label, Hint, Value, Problem, Placeholder string
	Kind                                           string // of input, or area, code, select, check
	Options                                        []option
	Required, On, Wide                             bool
	core                                           []string // what the core calls it, where that is not Name
}

type option struct {
	Value, Text string
	On          bool
}

// newForm makes a form. Where the request sends just this form, its values are what was sent.
func (r *request) newForm(action, submit string, fields ...*field) *form {
	f := &form{Action: root + action, Submit: submit, Fields: fields, read: r.Method == http.MethodPost && r.URL.EscapedPath() == root+action}
	for _, field := range fields {
		if f.read {
			field.Value = r.PostForm.Get(field.Name)
			field.On = field.Value != ""
		}
		if field.Kind == "select" {
			for i := range field.Options {
				field.Options[i].On = field.Options[i].Value == field.Value
			}
		}
	}
	return f
}

// named tells the fields of a form apart from those of others on the page.
func (f *form) named(id string) *form { f.ID = id; return f }

func (f *form) back(href string) *form { f.Cancel = root + href; return f }

// get is a value without the space around it.
func (f *form) get(name string) string { return strings.TrimSpace(f.raw(name)) }

// raw is a value as it was typed, with the line ends of this side.
func (f *form) raw(name string) string {
	for _, field := range f.Fields {
		if field.Name == name {
			return strings.ReplaceAll(field.Value, "\r\n", "\n")
		}
	}
	return ""
}

func (f *form) on(name string) bool {
	for _, field := range f.Fields {
		if field.Name == name {
			return field.On
		}
	}
	return false
}

// problem is a refusal of the console itself, about one field.
func problem(name, detail string) error {
	return &core.Error{Code: core.CodeInvalid, Reason: core.ReasonInvalidValue, Field: name, Detail: detail}
}

// number reads a whole number; empty is what it is otherwise.
func (f *form) number(r *request, name string, otherwise int64) (int64, error) {
	text := f.get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, problem(name, r.t.text("form.number"))
	}
	return n, nil
}

// seconds reads a number of seconds.
func (f *form) seconds(r *request, name string, otherwise time.Duration) (time.Duration, error) {
	const most = 10 * 365 * 24 * 60 * 60
	n, err := f.number(r, name, int64(otherwise/time.Second))
	if err == nil && n > most {
		err = problem(name, r.t.text("form.number"))
	}
	return time.Duration(n) * time.Second, err
}

// pairs reads lines NAME=VALUE.
func (f *form) pairs(r *request, name string) (map[string]string, error) {
	m := map[string]string{}
	for line := range strings.Lines(f.raw(name)) {
		line = strings.TrimRight(line, "\n")
		if strings.TrimSpace(line) == "" {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if key = strings.TrimSpace(key); !ok || key == "" {
			return nil, problem(name, r.t.text("form.pairs", line))
		}
		m[key] = value
	}
	return m, nil
}

// tags reads lines NAME=VALUE as tags, in the order of their keys.
func (f *form) tags(r *request, name string) ([]core.Tag, error) {
	m, err := f.pairs(r, name)
	return tagsOf(m), err
}

func tagsOf(m map[string]string) []core.Tag {
	var tags []core.Tag
	for key, value := range m {
		tags = append(tags, core.Tag{Key: key, Value: strings.TrimSpace(value)})
	}
	slices.SortFunc(tags, func(a, b core.Tag) int { return compare(a.Key, b.Key) })
	return tags
}

// words reads what is parted by commas, spaces or lines.
func (f *form) words(name string) []string {
	return strings.FieldsFunc(f.raw(name), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' })
}

// again shows a form that was refused once more: page is the page that it stands on. What no change of the form can help is returned.
func (f *form) again(r *request, err error, page func() (answer, error)) (answer, error) {
	e := core.AsError(err)
	helps := slices.Contains([]core.Code{core.CodeInvalid, core.CodeNotFound, core.CodeConflict, core.CodeLimit, core.CodeUnavailable}, e.Code) ||
		e.Code == core.CodeDenied && e.Reason == core.ReasonUnsupported // to nobody, and not to this reader
	if !errors.As(err, new(*core.Error)) || !helps {
		return answer{}, err
	}
	detail := e.Detail
	if detail == "" {
		detail = r.t.text("refusal." + codeName(e.Code) + ".text")
	}
	f.Problem = detail
	for _, field := range f.Fields {
		if e.Field != "" && (field.Name == e.Field || slices.Contains(field.core, e.Field)) {
			field.Problem, f.Problem = detail, ""
		}
	}
	if f.Problem != "" && e.Field != "" {
		f.Problem = e.Field + ": " + detail
	}
	a, failed := page()
	a.status, a.err = statusOf(e.Code), err
	return a, failed
}

// confirm is the page that asks before something is done that cannot be undone.
func (r *request) confirm(nav, title, text, action, submit, back string, fields ...*field) answer {
	f := r.newForm(action, submit, fields...).back(back)
	f.Danger, f.Text = true, text
	return r.show(nav, title, &sheet{Parts: []section{{Form: f}}})
}

// done leads to a page, which says what was done.
func done(path, what string) (answer, error) {
	return answer{redirect: withQuery(root+path, "done", what)}, nil
}
