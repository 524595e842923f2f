package storetest

import (
	"testing"
	"time"

	"errand/internal/core"
)

// record is a recording that has just begun.
func (f *fixture) record(account core.AccountID, session core.ID, position int, node core.NodeKey) core.Record {
	return core.Record{
		Session: session, Position: position, Account: account, Node: node, NodeID: "n", User: "u", By: "me", Command: "top", Rows: 24, Columns: 80,
		StartedAt: at(1),
	}
}

func (f *fixture) insertRecord(tb testing.TB, r core.Record) core.Record {
	tb.Helper()
	got, err := f.InsertRecord(tb.Context(), &r)
	is(tb, "insert", err, nil)
	return got
}

// testRecords is the life of a recording: parts are added, those that come again change nothing, and become a segment.
func testRecords(t *testing.T, f *fixture) {
	ctx := t.Context()
	want := f.record(mine, f.id(), 1, 100)
	same(t, "inserted", want, f.insertRecord(t, want))
	other := want
	other.By = "another"
	same(t, "inserted again", want, f.insertRecord(t, other))
	whole := f.record(mine, f.id(), 2, 101)
	whole.EndedAt, whole.Length, whole.Output, whole.Bytes, whole.Unsealed, whole.Cut = at(9), time.Second+time.Microsecond, 7, 8, 9, true
	whole.Segments = []core.RecordSegment{{Events: 5, Text: 4}, {Events: 6}}
	filled(t, whole)
	same(t, "with everything", whole, f.insertRecord(t, whole))

	add := func(p core.RecordPart) {
		t.Helper()
		got, err := f.AddToRecord(ctx, want.Session, want.Position, &p)
		is(t, "add", err, nil)
		same(t, "after adding", want, got)
	}
	parts := func(all ...string) {
		t.Helper()
		got, data, err := f.Record(ctx, want.Session, want.Position)
		is(t, "read", err, nil)
		same(t, "read", want, got)
		var texts []string
		for _, d := range data {
			texts = append(texts, string(d))
		}
		same(t, "parts", all, texts)
	}
	want.Length, want.Output, want.Bytes, want.Unsealed = time.Second, 10, 3, 3
	add(core.RecordPart{Data: []byte("one"), Length: time.Second, Output: 10})
	add(core.RecordPart{Data: []byte("old"), Length: time.Second, Output: 9})                     // of a process that was too slow
	add(core.RecordPart{Data: []byte("old"), Length: time.Second - time.Microsecond, Output: 11}) // the same
	want.Output, want.Bytes, want.Unsealed = 12, 6, 6
	add(core.RecordPart{Data: []byte("two"), Length: time.Second, Output: 12})
	parts("one", "two")
	is(t, "seal what is not there", f.SealRecord(ctx, want.Session, want.Position, core.RecordSegment{Events: 3}), core.ErrNotFound)
	is(t, "seal", f.SealRecord(ctx, want.Session, want.Position, core.RecordSegment{Events: 6, Text: 2}), nil)
	want.Unsealed, want.Segments = 0, []core.RecordSegment{{Events: 6, Text: 2}}
	parts()
	is(t, "seal nothing", f.SealRecord(ctx, want.Session, want.Position, core.RecordSegment{}), core.ErrNotFound)
	want.Length, want.Output, want.Bytes, want.Unsealed, want.Cut = 2*time.Second, 20, 11, 5, true
	add(core.RecordPart{Data: []byte("three"), Length: 2 * time.Second, Output: 20, Cut: true})
	add(core.RecordPart{Data: []byte("four"), Length: 3 * time.Second, Output: 30}) // after the cut
	want.EndedAt = at(5)
	add(core.RecordPart{Ended: at(5)})
	add(core.RecordPart{Ended: at(6)})
	parts("three")

	_, err := f.AddToRecord(ctx, f.id(), 0, &core.RecordPart{})
	is(t, "add to nothing", err, core.ErrNotFound)
	_, _, err = f.Record(ctx, want.Session, 0)
	is(t, "read nothing", err, core.ErrNotFound)
	is(t, "seal nothing", f.SealRecord(ctx, f.id(), 0, core.RecordSegment{Events: 1}), core.ErrNotFound)
}

func testRecordFilters(t *testing.T, f *fixture) {
	a, b, c := f.id(), f.id(), f.id()
	rows := []core.Record{
		f.insertRecord(t, f.record(other, c, 0, 100)), f.insertRecord(t, f.record(mine, b, 0, 100)), f.insertRecord(t, f.record(mine, b, 1, 101)),
		f.insertRecord(t, f.record(mine, a, 0, 101)),
	}
	for name, tt := range map[string]struct {
		filter core.RecordFilter
		want   []int
	}{
		"all":        {core.RecordFilter{}, []int{0, 1, 2, 3}},
		"an account": {core.RecordFilter{Account: mine}, []int{1, 2, 3}},
		"a session":  {core.RecordFilter{Account: mine, Sessions: []core.ID{b}}, []int{1, 2}},
		"a node":     {core.RecordFilter{Nodes: []core.NodeKey{101}}, []int{2, 3}},
		"nodes":      {core.RecordFilter{Account: mine, Nodes: []core.NodeKey{100, 101, 102}}, []int{1, 2, 3}},
		"none":       {core.RecordFilter{Nodes: []core.NodeKey{7}}, nil},
	} {
		var want, got []core.Record
		for _, i := range tt.want {
			want = append(want, rows[i])
		}
		for p := (core.Page{Limit: 1, Count: true}); ; {
			page, total, err := f.ListRecords(t.Context(), tt.filter, p)
			is(t, name, err, nil)
			if p.Count {
				same(t, name+": total", len(want), total)
			}
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			p = core.Page{Limit: 1, After: &core.Cursor{A: int64(page[0].Session), B: int64(page[0].Position)}}
		}
		same(t, name, want, got)
	}
}

// testRecordsRemoved lets recordings go with their sessions, and notes which had some.
func testRecordsRemoved(t *testing.T, f *fixture) {
	ctx := t.Context()
	var all []core.Session
	for range 3 {
		s := f.session(mine, 100)
		s.EndedAt = at(2)
		all = append(all, f.insertSession(t, s))
	}
	for _, i := range []int{0, 2} {
		f.insertRecord(t, f.record(mine, all[i].ID, 0, 100))
		_, err := f.AddToRecord(ctx, all[i].ID, 0, &core.RecordPart{Data: []byte("x"), Output: 1})
		is(t, "add", err, nil)
	}
	_, err := f.DeleteSessions(ctx, mine, all[2].ID, 10)
	is(t, "delete", err, nil)
	_, _, err = f.Record(ctx, all[0].ID, 0)
	is(t, "of one that is gone", err, core.ErrNotFound)
	_, parts, err := f.Record(ctx, all[2].ID, 0)
	is(t, "of one that stays", err, nil)
	same(t, "parts", 1, len(parts))
	ids, err := f.RemovedRecords(ctx)
	is(t, "removed", err, nil)
	same(t, "removed", []core.ID{all[0].ID}, ids)
	is(t, "forget", f.ForgetRecords(ctx, ids), nil)
	ids, err = f.RemovedRecords(ctx)
	is(t, "removed", err, nil)
	same(t, "after forgetting", 0, len(ids))
}
