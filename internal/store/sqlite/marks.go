package sqlite

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

// class is what listings tell invocations of one facet apart by, in one number: the states that any of their tasks is in, a bit for each,
// and their kind, repeat mode and type.
type class int64

const (
	kindShift   = 20
	repeatShift = 23
	typeShift   = 26
	codeMask    = 7
	shapeMask   = 1<<kindShift - 1
)

// The places in these lists are stored.
var (
	repeatCodes = [...]core.RepeatMode{"", core.Once, core.DryRun, core.Period, core.NextReboot, core.EachReboot}
	typeCodes   = [...]core.CommandType{"", core.Shell, core.PowerShell, core.Bat}
)

func classOf(v *core.Invocation, counts *core.Counts) (class, error) {
	repeat, language := slices.Index(repeatCodes[:], v.Repeat), slices.Index(typeCodes[:], v.Type)
	if repeat < 0 || language < 0 || v.Kind > codeMask {
		return 0, fmt.Errorf("no class for repeat mode %q, type %q, kind %d", v.Repeat, v.Type, v.Kind)
	}
	c := class(v.Kind)<<kindShift | class(repeat)<<repeatShift | class(language)<<typeShift
	return c.shaped(counts), nil
}

// shaped is the class of an invocation whose tasks have moved.
func (c class) shaped(counts *core.Counts) class {
	c &^= shapeMask
	for s, n := range counts {
		if n != 0 {
			c |= 1 << s
		}
	}
	return c
}

// example is an invocation of the class, with a count of one for each state.
func (c class) example() *core.Invocation {
	v := &core.Invocation{
		Kind: core.InvocationKind(c >> kindShift & codeMask), Repeat: repeatCodes[c>>repeatShift&codeMask],
		Definition: core.Definition{Type: typeCodes[c>>typeShift&codeMask]},
	}
	for shape := uint64(c & shapeMask); shape != 0; shape &= shape - 1 {
		v.Counts[bits.TrailingZeros64(shape)] = 1
	}
	return v
}

// classFilter selects classes by what a filter says about kind, type, repeat mode and states.
func classFilter(f *core.InvocationFilter) func(class) bool {
	return func(c class) bool {
		v := c.example()
		return (len(f.Kinds) == 0 || slices.Contains(f.Kinds, v.Kind)) &&
			(f.Type == "" || v.Type == f.Type) && (f.Repeat == "" || v.Repeat == f.Repeat) &&
			(!f.Open || v.Counts.Open() > 0) && (f.Keep == nil || f.Keep(v))
	}
}

// dimension is what a facet is about. The numbers go into stored facets.
type dimension byte

const (
	ofAccount dimension = iota
	ofCommand
	ofSchedule
	ofName
	ofGroup
	ofTag
	ofTagKey
	ofPrincipal
	ofRetry
)

// facet is the number of a facet. It is cut from a cryptographic hash, so that nobody can make two that are the same.
func facet(account core.AccountID, d dimension, texts ...string) int64 {
	b := make([]byte, 0, 64)
	b = binary.BigEndian.AppendUint64(b, uint64(account))
	b = append(b, byte(d))
	for _, s := range texts {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	sum := sha256.Sum256(b)
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// idFacet is facet for what has an id. Most commands run once; their facets are in the order of their ids, so that their marks are written
// side by side.
func idFacet(account core.AccountID, d dimension, id core.ID) int64 {
	return facet(account, d) + int64(id)
}

// facetsOf are all facets of an invocation.
func facetsOf(v *core.Invocation) []int64 {
	list := []int64{facet(v.Account, ofAccount), idFacet(v.Account, ofCommand, v.Command)}
	if v.Schedule != 0 {
		list = append(list, idFacet(v.Account, ofSchedule, v.Schedule))
	}
	if v.Principal != "" && v.Principal != core.RootUser { // nearly everything is root's
		list = append(list, facet(v.Account, ofPrincipal, v.Principal))
	}
	if v.RetryOf != 0 {
		list = append(list, idFacet(v.Account, ofRetry, v.RetryOf))
	}
	if v.Name != "" {
		list = append(list, facet(v.Account, ofName, v.Name))
	}
	if v.ResourceGroup != "" {
		list = append(list, facet(v.Account, ofGroup, v.ResourceGroup))
	}
	for _, t := range v.Tags {
		list = append(list, facet(v.Account, ofTag, t.Key, t.Value), facet(v.Account, ofTagKey, t.Key))
	}
	return distinct(list)
}

// facetChoices are the facets that a filter names: an invocation has to have one of each list.
func facetChoices(f *core.InvocationFilter) (lists [][]int64) {
	ids := func(d dimension, ids []core.ID) {
		if len(ids) == 0 {
			return
		}
		var list []int64
		for _, id := range ids {
			list = append(list, idFacet(f.Account, d, id))
		}
		lists = append(lists, distinct(list))
	}
	ids(ofCommand, f.Commands)
	ids(ofSchedule, f.Schedules)
	if f.RetryOf != 0 {
		ids(ofRetry, []core.ID{f.RetryOf})
	}
	if f.Principal != "" && f.Principal != core.RootUser {
		lists = append(lists, []int64{facet(f.Account, ofPrincipal, f.Principal)})
	}
	if f.CommandName != "" {
		lists = append(lists, []int64{facet(f.Account, ofName, f.CommandName)})
	}
	if f.ResourceGroup != "" {
		lists = append(lists, []int64{facet(f.Account, ofGroup, f.ResourceGroup)})
	}
	return append(lists, tagChoices(&core.TaggedFilter{Account: f.Account, Tags: f.Tags})...)
}

// tagChoices is facetChoices for a filter by tags.
func tagChoices(f *core.TaggedFilter) (lists [][]int64) {
	for _, t := range f.Tags {
		lists = append(lists, []int64{facet(f.Account, ofTag, t.Key, t.Value)})
	}
	for _, key := range f.TagKeys {
		lists = append(lists, []int64{facet(f.Account, ofTagKey, key)})
	}
	for _, c := range f.Choices {
		list := []int64{facet(f.Account, ofTagKey, c.Key)}
		if len(c.Values) > 0 {
			list = nil
		}
		for _, value := range c.Values {
			list = append(list, facet(f.Account, ofTag, c.Key, value))
		}
		lists = append(lists, distinct(list))
	}
	return lists
}

func packFacets(facets []int64) []byte {
	b := make([]byte, 0, 8*len(facets))
	for _, f := range facets {
		b = binary.BigEndian.AppendUint64(b, uint64(f))
	}
	return b
}

func unpackFacets(b []byte) []int64 {
	facets := make([]int64, 0, len(b)/8)
	for ; len(b) >= 8; b = b[8:] {
		facets = append(facets, int64(binary.BigEndian.Uint64(b)))
	}
	return facets
}

func mark(conn *sqlite.Conn, facets []int64, c class, id core.ID) error {
	for _, f := range facets {
		if err := exec(conn, "INSERT INTO marks (facet, class, invocation) VALUES (?, ?, ?)", f, int64(c), id); err != nil {
			return err
		}
	}
	return nil
}

func unmark(conn *sqlite.Conn, facets []int64, c class, id core.ID) error {
	for _, f := range facets {
		if err := exec(conn, "DELETE FROM marks WHERE facet = ? AND class = ? AND invocation = ?", f, int64(c), id); err != nil {
			return err
		}
	}
	return nil
}

// remark gives an invocation the marks of what it has become.
func remark(conn *sqlite.Conn, id core.ID) error {
	v, err := readInvocation(conn, "v.id = ?", id)
	if err != nil {
		return err
	}
	var had []int64
	var c class
	err = queryOne(conn, "SELECT class, facets FROM invocations WHERE id = ?", func(r *row) error {
		c, had = class(r.int()), unpackFacets(r.bytes())
		return nil
	}, id)
	if err != nil {
		return err
	}
	has := facetsOf(&v)
	lost := slices.DeleteFunc(slices.Clone(had), func(f int64) bool { return slices.Contains(has, f) })
	won := slices.DeleteFunc(slices.Clone(has), func(f int64) bool { return slices.Contains(had, f) })
	if err := unmark(conn, lost, c, id); err != nil {
		return err
	}
	if err := mark(conn, won, c, id); err != nil {
		return err
	}
	sums := tally{}
	sums.add(lost, c, -1, &v.Counts)
	sums.add(won, c, 1, &v.Counts)
	if err := sums.write(conn); err != nil {
		return err
	}
	return exec(conn, "UPDATE invocations SET facets = ? WHERE id = ?", packFacets(has), id)
}

// markAll marks the invocations of a database that knew no marks.
func markAll(conn *sqlite.Conn) error {
	sums := tally{}
	err := query(conn, "SELECT "+invocationColumns+" FROM "+fromInvocations, func(r *row) error {
		v := scanInvocation(r)
		c, err := classOf(&v, &v.Counts)
		if err != nil {
			return err
		}
		facets := facetsOf(&v)
		sums.add(facets, c, 1, &v.Counts)
		if err := mark(conn, facets, c, v.ID); err != nil {
			return err
		}
		return exec(conn, "UPDATE invocations SET class = ?, facets = ? WHERE id = ?", int64(c), packFacets(facets), v.ID)
	})
	if err != nil {
		return err
	}
	return sums.write(conn)
}

// place is where marks stand side by side in order.
type place struct {
	facet int64
	class class
}

// totals is what the invocations of a place and their tasks sum up to.
type totals struct {
	invocations int64
	tasks       [core.NumStates]int64
}

func (s *totals) add(more *totals) {
	s.invocations += more.invocations
	for state, n := range more.tasks {
		s.tasks[state] += n
	}
}

// tally is what is to be added to totals.
type tally map[place]*totals

// add adds an invocation to places, or takes it away with -1.
func (y tally) add(facets []int64, c class, sign int64, counts *core.Counts) {
	one := totals{invocations: sign}
	for s, n := range counts {
		one.tasks[s] = sign * int64(n)
	}
	for _, f := range facets {
		p := place{f, c}
		if y[p] == nil {
			y[p] = &totals{}
		}
		y[p].add(&one)
	}
}

// write adds up. A place without invocations has no row.
func (y tally) write(conn *sqlite.Conn) error {
	for p, sum := range y {
		if *sum == (totals{}) {
			continue
		}
		err := query(conn, "SELECT invocations, tasks FROM mark_totals WHERE facet = ? AND class = ?", func(r *row) error {
			sum.add(scanTotals(r))
			return nil
		}, p.facet, int64(p.class))
		if err != nil {
			return err
		}
		if sum.invocations == 0 {
			err = exec(conn, "DELETE FROM mark_totals WHERE facet = ? AND class = ?", p.facet, int64(p.class))
		} else {
			err = exec(conn, "INSERT OR REPLACE INTO mark_totals (facet, class, invocations, tasks) VALUES (?, ?, ?, ?)",
				p.facet, int64(p.class), sum.invocations, packCounts(sum.tasks[:]))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func scanTotals(r *row) *totals {
	sum := &totals{invocations: r.int()}
	unpackCounts(r.bytes(), sum.tasks[:])
	return sum
}

// readTotals returns the totals of those classes of some facets that keep lets through.
func readTotals(conn *sqlite.Conn, facets []int64, keep func(class) bool) (map[place]*totals, error) {
	found := map[place]*totals{}
	kept := map[class]bool{} // keep may be asked about the same class for each of many facets
	for _, f := range facets {
		err := query(conn, "SELECT class, invocations, tasks FROM mark_totals WHERE facet = ?", func(r *row) error {
			c := class(r.int())
			ok, known := kept[c]
			if !known {
				ok = keep(c)
				kept[c] = ok
			}
			if ok {
				found[place{f, c}] = scanTotals(r)
			}
			return nil
		}, f)
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
