package storetest

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"errand/internal/core"
)

func testRegistrationRoundTrip(t *testing.T, f *fixture) {
	ctx := t.Context()
	full := core.RegistrationCode{
		ID: f.id(), Account: mine, Region: "r1", SecretHash: core.HashToken("s"), NamePrefix: "web", Description: "dëscription", Limit: 10,
		Registered: 3, Deregistered: 2, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")},
		CreatedAt: at(1), UpdatedAt: at(2), ExpiresAt: at(3), Disabled: true, ResourceGroup: "rg", Tags: []core.Tag{{Key: "k", Value: "v"}},
	}
	filled(t, full)
	for _, want := range []core.RegistrationCode{full, {ID: f.id(), Account: other}} {
		is(t, "insert", f.InsertRegistration(ctx, want), nil)
		got, err := f.Registration(ctx, want.ID)
		is(t, "read", err, nil)
		same(t, "registration", want, got)
	}
	is(t, "insert twice", f.InsertRegistration(ctx, core.RegistrationCode{ID: full.ID, Account: other}), core.ErrTaken)
	_, err := f.Registration(ctx, f.id())
	is(t, "registration that was never made", err, core.ErrNotFound)
}

func testRegistrationUse(t *testing.T, f *fixture) {
	ctx := t.Context()
	code := core.RegistrationCode{ID: f.id(), Account: mine, Limit: 5}
	is(t, "insert", f.InsertRegistration(ctx, code), nil)
	full := errors.New("full")
	use := func(id string) (core.Node, error) {
		return f.UseRegistration(ctx, code.ID, func(r *core.RegistrationCode) (core.Node, error) {
			if r.Registered == r.Limit {
				return core.Node{}, full
			}
			r.Registered++
			r.UpdatedAt, r.ExpiresAt, r.Disabled = at(1), at(2), r.Registered == r.Limit
			return core.Node{Account: mine, ID: id, Registration: r.ID, PublicKey: "key of " + id}, nil
		})
	}
	n, err := use("a")
	is(t, "use", err, nil)
	got, err := f.Node(ctx, n.Key)
	is(t, "read", err, nil)
	same(t, "node", n, got)
	_, err = use("a")
	is(t, "use for an id in use", err, core.ErrTaken)

	// The limit holds when machines race for the last places, and a failed use takes none.
	var joined, refused int
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			_, err := use(fmt.Sprint("racer", i))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				joined++
			case errors.Is(err, full):
				refused++
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	same(t, "joined and refused", []int{4, 8}, []int{joined, refused})
	_, total, err := f.ListNodes(ctx, core.NodeFilter{Account: mine}, core.Page{Limit: 1, Count: true})
	is(t, "list", err, nil)
	same(t, "nodes", 5, total)
	code.Registered, code.UpdatedAt, code.ExpiresAt, code.Disabled = 5, at(1), at(2), true
	after, err := f.Registration(ctx, code.ID)
	is(t, "read", err, nil)
	same(t, "code", code, after)

	_, err = f.UseRegistration(ctx, f.id(), func(*core.RegistrationCode) (core.Node, error) {
		t.Error("use was called without a code")
		return core.Node{}, nil
	})
	is(t, "use of no code", err, core.ErrNotFound)
}

func testRegistrationFilters(t *testing.T, f *fixture) {
	var rows []core.RegistrationCode
	for i := range 12 {
		r := core.RegistrationCode{
			ID: f.id(), Account: mine, NamePrefix: fmt.Sprint("prefix", i%3), ResourceGroup: fmt.Sprint("rg", i%4),
		}
		if i%2 == 0 {
			r.Tags = []core.Tag{{Key: "n", Value: fmt.Sprint(i % 4)}}
		}
		is(t, "insert", f.InsertRegistration(t.Context(), r), nil)
		rows = append(rows, r)
		r.ID, r.Account = f.id(), other
		is(t, "insert", f.InsertRegistration(t.Context(), r), nil)
	}
	l := listing[core.RegistrationFilter, core.RegistrationCode]{
		base: core.RegistrationFilter{Account: mine}, rows: newest(rows), list: f.ListRegistrations,
		cursor: func(r *core.RegistrationCode) core.Cursor { return core.Cursor{A: int64(r.ID)} },
		parts: []part[core.RegistrationFilter, core.RegistrationCode]{
			{
				"ids", func(f *core.RegistrationFilter) { f.IDs = []core.ID{rows[0].ID, rows[1].ID, 5, rows[6].ID} },
				func(r *core.RegistrationCode) bool {
					return r.ID == rows[0].ID || r.ID == rows[1].ID || r.ID == rows[6].ID
				},
			},
			{
				"prefix", func(f *core.RegistrationFilter) { f.NamePrefix = "prefix1" },
				func(r *core.RegistrationCode) bool { return r.NamePrefix == "prefix1" },
			},
			{
				"group", func(f *core.RegistrationFilter) { f.ResourceGroup = "rg0" },
				func(r *core.RegistrationCode) bool { return r.ResourceGroup == "rg0" },
			},
			{
				"tag", func(f *core.RegistrationFilter) { f.Tags = []core.Tag{{Key: "n", Value: "2"}} },
				func(r *core.RegistrationCode) bool { return hasTags(r.Tags, []core.Tag{{Key: "n", Value: "2"}}) },
			},
		},
	}
	l.check(t)
}

func testRegistrationChange(t *testing.T, f *fixture) {
	ctx := t.Context()
	a, b := core.RegistrationCode{ID: f.id(), Account: mine, Limit: 1}, core.RegistrationCode{ID: f.id(), Account: mine, Limit: 2}
	foreign := core.RegistrationCode{ID: f.id(), Account: other}
	for _, r := range []core.RegistrationCode{a, b, foreign} {
		is(t, "insert", f.InsertRegistration(ctx, r), nil)
	}
	disable := func(r *core.RegistrationCode) (bool, error) {
		r.Disabled, r.UpdatedAt = true, at(5)
		return true, nil
	}
	got, err := f.ChangeRegistrations(ctx, mine, []core.ID{b.ID, a.ID}, disable)
	is(t, "change", err, nil)
	a.Disabled, a.UpdatedAt, b.Disabled, b.UpdatedAt = true, at(5), true, at(5)
	same(t, "changed", []core.RegistrationCode{b, a}, got)

	// All or none: for one that is missing, one that is another account's, and one that change refuses.
	refusal := errors.New("no")
	remove := func(r *core.RegistrationCode) (bool, error) {
		if r.ID == b.ID {
			return false, refusal
		}
		return false, nil
	}
	_, err = f.ChangeRegistrations(ctx, mine, []core.ID{a.ID, f.id()}, remove)
	is(t, "change one that is missing", err, core.ErrNotFound)
	_, err = f.ChangeRegistrations(ctx, mine, []core.ID{a.ID, foreign.ID}, remove)
	is(t, "change another account's", err, core.ErrNotFound)
	_, err = f.ChangeRegistrations(ctx, mine, []core.ID{a.ID, b.ID}, remove)
	is(t, "change against a refusal", err, refusal)
	kept, err := f.Registration(ctx, a.ID)
	is(t, "read", err, nil)
	same(t, "untouched", a, kept)

	got, err = f.ChangeRegistrations(ctx, mine, []core.ID{a.ID}, remove)
	is(t, "remove", err, nil)
	same(t, "removed", []core.RegistrationCode{a}, got)
	_, err = f.Registration(ctx, a.ID)
	is(t, "read a removed one", err, core.ErrNotFound)
}
