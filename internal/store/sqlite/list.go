package sqlite

import (
	"encoding/json"
	"strings"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

// listing is a SELECT in the making. Lists of alternatives are passed as one JSON parameter, so that there are few different texts and
// each connection keeps them prepared.
type listing struct {
	from  string
	where []string
	args  []any // in the order of the question marks
	// once says that the text is one of many, and not worth being kept prepared.
	once bool
}

// and adds a condition.
func (l *listing) and(condition string, args ...any) {
	l.where = append(l.where, condition)
	l.args = append(l.args, args...)
}

// text adds the condition that a column has a value, unless that is empty.
func (l *listing) text(column, value string) {
	if value != "" {
		l.and(column+" = ?", value)
	}
}

// account adds the condition that a row belongs to an account; zero means all of them.
func (l *listing) account(column string, id core.AccountID) {
	if id != 0 {
		l.and(column+" = ?", id)
	}
}

// tags adds the condition that a column holds all these tags.
func (l *listing) tags(column string, tags []core.Tag) {
	for _, t := range tags {
		l.and("EXISTS (SELECT 1 FROM json_each("+column+") e WHERE e.value ->> 0 = ? AND e.value ->> 1 = ?)", t.Key, t.Value)
	}
}

// tagKeys adds the condition that a column holds tags with all these keys.
func (l *listing) tagKeys(column string, keys []string) {
	for _, key := range keys {
		l.and("EXISTS (SELECT 1 FROM json_each("+column+") e WHERE e.value ->> 0 = ?)", key)
	}
}

// choices adds the condition that a column holds one tag of each choice.
func (l *listing) choices(column string, choices []core.Choice) {
	for _, c := range choices {
		if len(c.Values) == 0 {
			l.tagKeys(column, []string{c.Key})
			continue
		}
		l.and("EXISTS (SELECT 1 FROM json_each("+column+") e WHERE e.value ->> 0 = ? AND e.value ->> 1 IN (SELECT value FROM json_each(?)))",
			c.Key, jsonList(c.Values))
	}
}

// pattern adds the condition that a column matches.
func (l *listing) pattern(column string, p core.Pattern) {
	if p.Text == "" {
		return
	}
	param := "?"
	if p.Fold {
		column, param = "lower("+column+")", "lower(?)" // of ASCII letters
	}
	switch {
	case p.Prefix && p.Suffix:
		l.and("instr("+column+", "+param+") > 0", p.Text)
	case p.Prefix:
		l.and("instr("+column+", "+param+") = 1", p.Text)
	case p.Suffix:
		l.and("substr("+column+", -length(?)) = "+param, p.Text, p.Text)
	default:
		l.and(column+" = "+param, p.Text)
	}
}

// among adds the condition that a column has one of these values, unless there are none. One alone is compared by itself, which lets the
// database read an index in order.
func among[T any](l *listing, column string, values []T) {
	switch len(values) {
	case 0:
	case 1:
		l.and(column+" = ?", values[0])
	default:
		l.and(column+" IN (SELECT value FROM json_each(?))", jsonList(values))
	}
}

// jsonList is a list of numbers or texts as a parameter of json_each.
func jsonList[T any](values []T) string {
	text, err := json.Marshal(values)
	if err != nil {
		panic(err) // only for types that have no JSON form
	}
	return string(text)
}

// query is the text of the SELECT.
func (l *listing) query(columns, tail string) string {
	var b strings.Builder
	b.WriteString("SELECT " + columns + " FROM " + l.from)
	for i, condition := range l.where {
		if i == 0 {
			b.WriteString(" WHERE ")
		} else {
			b.WriteString(" AND ")
		}
		b.WriteString(condition)
	}
	b.WriteString(tail)
	return b.String()
}

// count counts all rows.
func (l *listing) count(conn *sqlite.Conn) (n int, err error) {
	err = l.run(conn, l.query("count(*)", ""), func(r *row) error {
		n = int(r.int())
		return nil
	}, l.args)
	return n, err
}

// limit bounds the rows of a SELECT. It is a sum so that the planner cannot make use of the number: to a statement with a bare parameter here
// it would turn anew for every value, which costs more than most pages.
const limit = " LIMIT 0 + ?"

// page calls visit for the rows of a page, in the order given. Conditions for Page.After are the caller's.
func (l *listing) page(conn *sqlite.Conn, columns, order string, p core.Page, visit func(*row) error) error {
	offset := p.Offset
	if p.After != nil {
		offset = 0
	}
	args := append(l.args[:len(l.args):len(l.args)], p.Limit, offset)
	return l.run(conn, l.query(columns, " ORDER BY "+order+limit+" OFFSET 0 + ?"), visit, args)
}

// run calls visit for the rows of a query that was made of the listing.
func (l *listing) run(conn *sqlite.Conn, text string, visit func(*row) error, args []any) error {
	if l.once {
		return queryTransient(conn, text, visit, args)
	}
	return query(conn, text, visit, args...)
}

// countedPage is pageByKey that also counts all rows, if the page asks for it.
func (l *listing) countedPage(conn *sqlite.Conn, columns, key string, p core.Page, total *int, visit func(*row) error) (err error) {
	if p.Count {
		if *total, err = l.count(conn); err != nil {
			return err
		}
	}
	return l.pageByKey(conn, columns, key, p, visit)
}

// pageByKey is page for a listing by an integer key, newest first.
func (l *listing) pageByKey(conn *sqlite.Conn, columns, key string, p core.Page, visit func(*row) error) error {
	if p.After != nil {
		l.and(key+" < ?", p.After.A)
	}
	return l.page(conn, columns, key+" DESC", p, visit)
}
