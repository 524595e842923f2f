package sqlite

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

// visited is what a listing needs of an invocation before it reads the row; of a task only its position.
type visited struct {
	at     core.Cursor // position in the listing; A is the invocation's id
	part   int64
	counts core.Counts
}

func scanVisited(r *row) visited {
	v := visited{at: core.Cursor{A: r.int()}, part: r.int()}
	unpackCounts(r.bytes(), v.counts[:])
	return v
}

// follows reports whether b comes after a in a listing.
func follows(a, b core.Cursor) bool { return a.A > b.A || a.A == b.A && a.B < b.B }

// start is before the first row of every listing.
var start = core.Cursor{A: math.MaxInt64, B: -1}

const (
	firstBatch = 16
	mostBatch  = 1024
)

// lane is a part of a listing that an index holds in order. It is read some rows at a time, as they are wanted.
type lane struct {
	read func(after core.Cursor, most int, visit func(visited)) error

	ahead []visited
	after core.Cursor // the last row read
	batch int
	ended bool
}

// fill reads on if there is nothing ahead.
func (l *lane) fill() error {
	if len(l.ahead) > 0 || l.ended {
		return nil
	}
	l.ahead = l.ahead[:0]
	if err := l.read(l.after, l.batch, func(v visited) { l.ahead = append(l.ahead, v) }); err != nil {
		return err
	}
	l.ended = len(l.ahead) < l.batch
	if len(l.ahead) > 0 {
		l.after = l.ahead[len(l.ahead)-1].at
	}
	l.batch = min(2*l.batch, mostBatch)
	return nil
}

// merge calls visit for the rows of all lanes after a position, in order and each once, until visit returns errStop. wanted is how many that
// may be; it only says how many are read first.
func merge(lanes []*lane, after core.Cursor, wanted int, visit func(*visited) error) error {
	for _, l := range lanes {
		l.after = after
		if l.batch = min(firstBatch, wanted); len(lanes) == 1 {
			l.batch = min(max(wanted, 1), mostBatch)
		}
	}
	for {
		var next *lane
		for _, l := range lanes {
			if err := l.fill(); err != nil {
				return err
			}
			if len(l.ahead) > 0 && (next == nil || follows(l.ahead[0].at, next.ahead[0].at)) {
				next = l
			}
		}
		if next == nil {
			return nil
		}
		v := next.ahead[0]
		next.ahead = next.ahead[1:]
		if !follows(after, v.at) {
			continue // it is in another lane too
		}
		after = v.at
		if err := visit(&v); err != nil {
			if errors.Is(err, errStop) {
				return nil
			}
			return err
		}
	}
}

// page calls visit for the rows of a page of what lanes hold.
func page(lanes []*lane, p core.Page, visit func(*visited) error) error {
	after, skip, left := start, p.Offset, p.Limit
	if p.After != nil {
		after, skip = *p.After, 0
	}
	return merge(lanes, after, skip+left, func(v *visited) error {
		if skip > 0 {
			skip--
			return nil
		}
		if err := visit(v); err != nil {
			return err
		}
		if left--; left == 0 {
			return errStop
		}
		return nil
	})
}

// search finds invocations by their marks.
type search struct {
	conn   *sqlite.Conn
	places []found
	sum    totals                 // of all that is found, if exact
	exact  bool                   // a place holds nothing else
	more   *core.InvocationFilter // what marks do not say; nil if that is nothing
}

// found is a place, and the lists of facets of which its invocations have to have one each to be found there.
type found struct {
	place
	also [][]int64
}

// newSearch looks up where the invocations are that have a facet of each list and are of a class that keep lets through. Within a class, the
// list with the fewest invocations leads to them.
func newSearch(conn *sqlite.Conn, lists [][]int64, keep func(class) bool) (*search, error) {
	s := &search{conn: conn, exact: len(lists) == 1}
	sums := make([]map[place]*totals, len(lists))
	sizes := make([]map[class]int64, len(lists))
	for i, facets := range lists {
		var err error
		if sums[i], err = readTotals(conn, facets, keep); err != nil {
			return nil, err
		}
		sizes[i] = map[class]int64{}
		for p, sum := range sums[i] {
			sizes[i][p.class] += sum.invocations
		}
	}
	for c := range sizes[0] {
		least := 0
		for i := range sizes {
			if sizes[i][c] < sizes[least][c] {
				least = i
			}
		}
		also := slices.Delete(slices.Clone(lists), least, least+1)
		for p, sum := range sums[least] {
			if p.class == c {
				s.places = append(s.places, found{p, also})
				s.sum.add(sum)
			}
		}
	}
	return s, nil
}

// marked is a search for what a filter selects, apart from names and nodes.
func marked(conn *sqlite.Conn, f *core.InvocationFilter) (*search, error) {
	lists := facetChoices(f)
	if len(lists) == 0 {
		lists = [][]int64{{facet(f.Account, ofAccount)}}
	}
	s, err := newSearch(conn, lists, classFilter(f))
	if err == nil && unmarked(f) {
		s.exact, s.more = false, f
	}
	return s, err
}

// unmarked reports whether a filter asks for what an invocation is not marked with.
func unmarked(f *core.InvocationFilter) bool {
	return f.Principal == core.RootUser || f.Origin != "" || f.From != 0
}

// order adds the conditions on what was ordered, by whom and when.
func (l *listing) order(f *core.InvocationFilter) {
	l.text("o.principal", f.Principal)
	l.text("o.origin", string(f.Origin))
	if f.From != 0 {
		l.and("v.id >= ?", f.From)
	}
	if f.RetryOf != 0 {
		l.and("o.retry_of = ?", f.RetryOf)
	}
}

// listing begins the listing of a place.
func (s *search) listing(place *found, from string) *listing {
	if s.more == nil {
		return place.listing(from)
	}
	l := place.listing("marks m CROSS JOIN " + fromInvocations + " AND v.id = m.invocation")
	if s.more.From != 0 {
		l.and("m.invocation >= ?", s.more.From)
	}
	l.order(s.more)
	return l
}

func (f *found) listing(from string) *listing {
	l := &listing{from: from}
	l.and("m.facet = ? AND m.class = ?", f.facet, int64(f.class))
	for _, facets := range f.also {
		l.and(`EXISTS (SELECT 1 FROM marks x WHERE x.facet IN (SELECT value FROM json_each(?)) AND x.class = m.class
			AND x.invocation = m.invocation)`, jsonList(facets))
	}
	return l
}

// lanes are the lanes of a listing of what was found, with what a visit of the invocations needs or with their positions alone.
func (s *search) lanes(visits bool) []*lane {
	from, columns := "marks m", "m.invocation"
	if visits {
		from, columns = "marks m CROSS JOIN invocations v ON v.id = m.invocation", "m.invocation, v.part, v.counts"
	}
	lanes := make([]*lane, len(s.places))
	for i := range s.places {
		lanes[i] = &lane{read: func(after core.Cursor, most int, visit func(visited)) error {
			l := s.listing(&s.places[i], from)
			l.and("m.invocation < ?", after.A)
			return l.page(s.conn, columns, "m.invocation DESC", core.Page{Limit: most}, func(r *row) error {
				v := visited{}
				if visits {
					v = scanVisited(r)
				} else {
					v.at.A = r.int()
				}
				visit(v)
				return nil
			})
		}}
	}
	return lanes
}

// count is how many invocations there are.
func (s *search) count() (total int, err error) {
	if s.exact {
		return int(s.sum.invocations), nil
	}
	for i := range s.places {
		n, err := s.listing(&s.places[i], "marks m").count(s.conn)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// nodeLanes are the lanes of a listing by nodes, one for each node and kind. from adds tables to parts p and tasks t, and the listing that
// restrict is given has conditions for them added. With whole, the rows are invocations instead of tasks.
func nodeLanes(
	conn *sqlite.Conn, nodes []core.NodeKey, kinds []core.InvocationKind, from string, restrict func(*listing), whole bool,
) (lanes []*lane, err error) {
	if kinds, err = partKinds(conn, kinds); err != nil {
		return nil, err
	}
	for _, node := range existing(nodes) {
		for _, kind := range kinds {
			lanes = append(lanes, &lane{read: func(after core.Cursor, most int, visit func(visited)) error {
				l := nodeListing(node, kind, from)
				restrict(l)
				l.and("p.first <= ? AND t.invocation <= ? AND (t.invocation < ? OR t.idx > ?)", after.A, after.A, after.A, after.B)
				return l.page(conn, "t.invocation, t.idx", nodeOrder, core.Page{Limit: most}, func(r *row) error {
					v := visited{at: core.Cursor{A: r.int(), B: r.int()}}
					if whole {
						v.at.B = math.MaxInt64 // goes on behind all its tasks
					}
					visit(v)
					return nil
				})
			}})
		}
	}
	return lanes, nil
}

// nodeOrder is the order of a nodeListing: that of its index.
const nodeOrder = "p.id DESC, t.invocation DESC, t.idx"

func nodeListing(node core.NodeKey, kind core.InvocationKind, from string) *listing {
	return &listing{
		from: "parts p CROSS JOIN tasks t INDEXED BY tasks_node ON t.part = p.id AND t.node = ? CROSS JOIN invocations v ON v.id = t.invocation" + from,
		args: []any{node, int(kind)}, where: []string{"p.kind = ?"},
	}
}

// countOnNodes counts what nodeLanes lists, by an aggregate function.
func countOnNodes(
	conn *sqlite.Conn, nodes []core.NodeKey, kinds []core.InvocationKind, aggregate, from string, restrict func(*listing),
) (total int, err error) {
	if kinds, err = partKinds(conn, kinds); err != nil {
		return 0, err
	}
	l := &listing{
		from: "json_each(?) j CROSS JOIN parts p CROSS JOIN tasks t INDEXED BY tasks_node ON t.part = p.id AND t.node = j.value " +
			"CROSS JOIN invocations v ON v.id = t.invocation" + from,
		args: []any{jsonList(existing(nodes))},
	}
	among(l, "p.kind", widened(kinds))
	restrict(l)
	err = queryOne(conn, l.query(aggregate, ""), func(r *row) error { total = int(r.int()); return nil }, l.args...)
	return total, err
}

// partKinds are those of some kinds of which there are parts; all of them if none are named.
func partKinds(conn *sqlite.Conn, kinds []core.InvocationKind) (there []core.InvocationKind, err error) {
	err = query(conn, "SELECT DISTINCT kind FROM parts ORDER BY kind", func(r *row) error {
		if kind := core.InvocationKind(r.int()); len(kinds) == 0 || slices.Contains(kinds, kind) {
			there = append(there, kind)
		}
		return nil
	})
	return there, err
}

// existing are the nodes of a filter, each once, without keys that no node can have: filters by unknown names have such.
func existing(nodes []core.NodeKey) []core.NodeKey {
	return slices.DeleteFunc(distinct(nodes), func(key core.NodeKey) bool { return key <= 0 })
}

func distinct[T cmp.Ordered](values []T) []T {
	values = slices.Clone(values)
	slices.Sort(values)
	return slices.Compact(values)
}
