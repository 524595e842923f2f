package storetest

import (
	"testing"

	"errand/internal/core"
)

func (f *fixture) insertParcel(tb testing.TB, p core.Parcel) core.Parcel {
	tb.Helper()
	p.ID = f.id()
	p.CreatedAt = at(1)
	if p.UpdatedAt.IsZero() {
		p.UpdatedAt = at(1)
	}
	is(tb, "insert", f.InsertParcel(tb.Context(), p), nil)
	return p
}

func testParcelRoundTrip(t *testing.T, f *fixture) {
	ctx := t.Context()
	full := f.insertParcel(t, core.Parcel{
		Account: mine, Principal: "me", Invocation: 9, Index: 1 << 20, File: 3, Name: "/var/x", Size: 1 << 40, Hash: "ab", Stamp: "s",
		Have: 5, State: []byte{0, 1}, Sealed: true, UpdatedAt: at(2),
	})
	filled(t, full)
	bare := f.insertParcel(t, core.Parcel{Account: other})
	for _, want := range []core.Parcel{full, bare} {
		got, err := f.Parcel(ctx, want.ID)
		is(t, "read", err, nil)
		same(t, "parcel", want, got)
	}
	_, err := f.Parcel(ctx, f.id())
	is(t, "read what is not there", err, core.ErrNotFound)
	is(t, "insert again", f.InsertParcel(ctx, full), core.ErrTaken)
	full.ID = f.id()
	is(t, "insert another of the same file", f.InsertParcel(ctx, full), core.ErrTaken)
	n, err := f.ParcelBytes(ctx)
	is(t, "bytes", err, nil)
	same(t, "bytes", int64(1<<40), n)
}

func testParcelChange(t *testing.T, f *fixture) {
	ctx := t.Context()
	p := f.insertParcel(t, core.Parcel{Account: mine, Principal: "me", Size: 10, Hash: "ab"})
	used := f.insertParcel(t, core.Parcel{Account: mine, Invocation: 9})
	want := core.Parcel{
		ID: p.ID, Account: mine, Principal: "you", Invocation: 8, Index: 1, File: 2, Name: "n", Size: 11, Hash: "cd", Stamp: "s", Have: 4,
		State: []byte("x"), Sealed: true, CreatedAt: at(1), UpdatedAt: at(3),
	}
	is(t, "change", f.ChangeParcel(ctx, p.ID, func(p *core.Parcel) (bool, error) { *p = want; return true, nil }), nil)
	is(t, "take a taken place", f.ChangeParcel(ctx, p.ID, func(p *core.Parcel) (bool, error) {
		p.Invocation, p.Index, p.File = used.Invocation, 0, 0
		return true, nil
	}), core.ErrTaken)
	is(t, "refuse", f.ChangeParcel(ctx, p.ID, func(p *core.Parcel) (bool, error) { p.Size = 0; return false, errRefused }), errRefused)
	got, err := f.Parcel(ctx, p.ID)
	is(t, "read", err, nil)
	same(t, "parcel", want, got)
	is(t, "delete", f.ChangeParcel(ctx, p.ID, func(*core.Parcel) (bool, error) { return false, nil }), nil)
	_, err = f.Parcel(ctx, p.ID)
	is(t, "read", err, core.ErrNotFound)
	is(t, "change what is gone", f.ChangeParcel(ctx, p.ID, func(*core.Parcel) (bool, error) { return true, nil }), core.ErrNotFound)
}

func testParcelFilters(t *testing.T, f *fixture) {
	ctx := t.Context()
	free := f.insertParcel(t, core.Parcel{Account: mine, Principal: "me", Hash: "ab", UpdatedAt: at(5)})
	yours := f.insertParcel(t, core.Parcel{Account: mine, Principal: "you", Hash: "ab"})
	theirs := f.insertParcel(t, core.Parcel{Account: other, Principal: "me", Hash: "ab"})
	second := f.insertParcel(t, core.Parcel{Account: mine, Invocation: 9, Index: 1, File: 1})
	first := f.insertParcel(t, core.Parcel{Account: mine, Invocation: 9, Index: 1})
	alone := f.insertParcel(t, core.Parcel{Account: mine, Invocation: 9})
	pushed := f.insertParcel(t, core.Parcel{Account: mine, Invocation: 8, Principal: "me", Hash: "ab"})
	for _, tt := range []struct {
		filter core.ParcelFilter
		want   []core.Parcel
	}{
		{core.ParcelFilter{}, []core.Parcel{free, yours, theirs, pushed, alone, first, second}},
		{core.ParcelFilter{Account: mine, Principal: "me", Hash: "ab", Free: true}, []core.Parcel{free}},
		{core.ParcelFilter{Account: mine, Hash: "cd", Free: true}, nil},
		{core.ParcelFilter{Invocations: []core.ID{9, 8}}, []core.Parcel{pushed, alone, first, second}},
		{core.ParcelFilter{Task: &core.TaskID{Invocation: 9, Index: 1}}, []core.Parcel{first, second}},
		{core.ParcelFilter{Before: at(5), Limit: 2}, []core.Parcel{yours, theirs}},
	} {
		got, err := f.ListParcels(ctx, tt.filter)
		is(t, "list", err, nil)
		same(t, "parcels", tt.want, got)
	}
}
