package console

import (
	"time"

	"errand/internal/core"
)

// sheet is a page of parts that stand below each other: what administration is made of. templates/sheet.html draws it, so that all of these pages
// have the same headings, tables and forms. Its texts are in the reader's language already.
type sheet struct {
	Crumbs  []link
	State   string // of the thing that the page is about, as mark knows it
	Tags    []core.Tag
	Note    string // beside the heading
	Intro   string // one sentence below it
	Actions []link // buttons beside the heading
	Tabs    []link
	Parts   []section
	Heading string // the page's title, unless it is another one
}

// link leads somewhere.
type link struct {
	Href, Text, Icon string
	Primary          bool
	Danger           bool // what cannot be undone begins there
	Current          bool
}

// section is one part of a sheet; what is empty is left out.
type section struct {
	ID      string
	Heading string
	Hint    string // a sentence
	Warn    string // a sentence that nobody should overlook
	Figures []figure
	Facts   []fact
	Filter  *filter
	Table   *table
	Form    *form
	Code    []code
	Actions []link
	Acts    []act
	Next    string // cursor of the table's next page
	Half    bool   // stands beside the one after it, where there is room
}

type figure struct{ Value, Text, Of, Tone string }

type fact struct {
	Name string
	datum
}

// code is text to copy.
type code struct{ ID, Label, Text string }

// filter is a form that leads to the same page with other parameters.
type filter struct {
	Search string // name of the parameter that is typed; empty for none
	Label  string
	Value  string
	Hint   string
	Fields []*field
	Keep   map[string]string
	Choice *choice
}

// choice is one parameter with few values, each a link.
type choice struct {
	Label string
	Links []link
}

// table is rows under headings.
type table struct {
	Caption string
	Columns []column
	Rows    []tableRow
	None    string // title of what stands in place of an empty table
	NoneWhy string
}

type column struct {
	Text string
	Num  bool
}

type tableRow struct {
	ID    string
	Cells []datum
}

// datum is a value and how it is shown.
type datum struct {
	Text, Sub, Href string
	Mono, Num, Main bool
	State           string
	When            *time.Time
	Took            *time.Duration
	Bytes           *uint64
	Tags            []core.Tag
	Chips           []string
	Links           []link
	Acts            []act
	Bar             *float64 // percent
}

// act is something that a button does at once.
type act struct {
	Action, Text, Icon string
	Danger             bool
	Fields             [][2]string
}

func says(s string) datum  { return datum{Text: s} }
func mono(s string) datum  { return datum{Text: s, Mono: true} }
func count(n int) datum    { return datum{Text: number(n), Num: true} }
func state(s string) datum { return datum{State: s} }
func instant(t time.Time) datum {
	return datum{When: &t}
}

func took(d time.Duration) datum { return datum{Took: &d} }
func size(n int64) datum {
	u := uint64(max(n, 0))
	return datum{Bytes: &u, Num: true}
}
func title(href, s, sub string) datum { return datum{Text: s, Sub: sub, Href: href, Main: true} }

// either is a text, or a dash for none.
func either(s string) datum {
	if s == "" {
		return datum{Text: "–"}
	}
	return datum{Text: s}
}

func columns(texts ...string) []column {
	list := make([]column, len(texts))
	for i, text := range texts {
		list[i] = column{Text: text}
	}
	return list
}

// numbers marks columns whose values stand at the right.
func (t *table) numbers(at ...int) *table {
	for _, i := range at {
		t.Columns[i].Num = true
	}
	return t
}

func (t *table) row(id string, cells ...datum) {
	t.Rows = append(t.Rows, tableRow{ID: id, Cells: cells})
}

// show makes a page of a sheet.
func (r *request) show(nav, title string, s *sheet) answer {
	if s.Heading == "" {
		s.Heading = title
	}
	return answer{view: "sheet", nav: nav, title: title, data: s}
}

// page is which page of a list the reader asks for.
func (r *request) page() core.PageSpec {
	return core.PageSpec{Limit: pageSize, Token: r.URL.Query().Get("cursor"), Count: true}
}

// markTones are states beyond those of tasks and nodes, with their colour and their icon.
var markTones = map[string][2]string{
	"enabled": {"ok", "check"}, "disabled": {"off", "minus"}, "usable": {"ok", "check"}, "revoked": {"off", "minus"}, "expired": {"off", "clock"},
	"used_up": {"off", "check"}, "allowed": {"ok", "check"}, "denied": {"bad", "cross"}, "done": {"ok", "check"}, "refused": {"bad", "cross"},
	"live": {"run", "spinner"}, "ended": {"off", "minus"}, "connecting": {"wait", "clock"}, "failing": {"bad", "alert"}, "ready": {"ok", "check"},
	"blocked": {"bad", "cross"}, "caution": {"warn", "alert"}, "over": {"off", "check"}, "frozen": {"bad", "alert"}, "finished": {"ok", "check"},
	"replaced": {"off", "minus"}, "complete": {"ok", "check"}, "partial": {"warn", "alert"}, "offered": {"wait", "clock"}, "fetching": {"run", "spinner"},
	"trying": {"run", "spinner"}, "rolled_back": {"bad", "retry"}, "missed": {"warn", "alert"}, "matches": {"ok", "check"}, "passes": {"off", "minus"},
}

func percent(n int64, of int64) *float64 {
	if of <= 0 {
		return nil
	}
	p := min(100, float64(n)*100/float64(of))
	return &p
}
