package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"errand/internal/core"
)

// session is one of an account, with connections to nodes that need not exist.
func (f *fixture) session(account core.AccountID, nodes ...core.NodeKey) core.Session {
	s := core.Session{
		ID: f.id(), Account: account, Region: "here", Origin: core.OriginECS, Mode: core.SessionShell, TokenHash: "hash",
		CreatedAt: at(1), ExpiresAt: at(601),
	}
	for _, n := range nodes {
		s.Connections = append(s.Connections, core.Connection{Node: n, NodeID: "n", Shown: "mi-n"})
	}
	return s
}

func (f *fixture) insertSession(tb testing.TB, s core.Session) core.Session {
	tb.Helper()
	is(tb, "insert", f.InsertSession(tb.Context(), &s, func(core.SessionLoad) error { return nil }), nil)
	return s
}

func testSessionRoundTrip(t *testing.T, f *fixture) {
	ctx := t.Context()
	s := core.Session{
		ID: f.id(), Account: mine, Region: "r", Origin: core.OriginEFLO, Mode: core.SessionCommand, Kind: "Sol", User: "u", PasswordName: "p",
		Command: "top", Port: 22, Host: "db", Network: "Internet", Encryption: core.SessionEncryption{Enabled: true, Mode: "Auto", KeyID: "k"},
		Rows: 40, Columns: 132, Idle: time.Minute, Limit: time.Hour, Record: true, RecordInput: true,
		TokenHash: "hash", CreatedAt: at(1), ExpiresAt: at(2), EndedAt: at(3), ClientIP: "10.0.0.1", Principal: "me", Identity: core.IdentityRole,
		Connections: []core.Connection{{
			Node: 101, NodeID: "n", Shown: "mi-n", Status: core.ConnectionFailed, Closed: core.ClosedByAgent, Detail: "why", Exit: &core.Exit{Code: -7, Signal: 9},
			StartedAt: at(4), EndedAt: at(5),
		}, {Node: 100, NodeID: "m", Shown: "m"}},
	}
	filled(t, s)
	filled(t, s.Connections[0])
	f.insertSession(t, s)
	is(t, "insert again", f.InsertSession(ctx, &s, func(core.SessionLoad) error { return nil }), core.ErrTaken)
	bare := f.insertSession(t, f.session(other))
	for _, want := range []core.Session{s, bare} {
		got, err := f.Session(ctx, want.ID)
		is(t, "read", err, nil)
		same(t, "session", want, got)
	}
	_, err := f.Session(ctx, f.id())
	is(t, "read what is not there", err, core.ErrNotFound)
}

// testSessionLoad counts what the check has to know.
func testSessionLoad(t *testing.T, f *fixture) {
	connected := func(s core.Session) core.Session {
		for i := range s.Connections {
			s.Connections[i].Status = core.ConnectionConnected
		}
		return s
	}
	over := connected(f.session(mine, 100))
	over.Connections[0].Status, over.EndedAt = core.ConnectionTerminated, at(9)
	elsewhere := f.session(mine)
	elsewhere.Region = "there"
	for _, s := range []core.Session{
		over, elsewhere, connected(f.session(mine, 100, 101)), connected(f.session(other, 100)), f.session(mine, 100),
	} {
		f.insertSession(t, s)
	}
	refusal := errors.New("refused")
	s := f.session(mine, 100, 101, 102)
	var got core.SessionLoad
	err := f.InsertSession(t.Context(), &s, func(l core.SessionLoad) error { got = l; return refusal })
	is(t, "refused", err, refusal)
	same(t, "load", core.SessionLoad{Open: 2, Connected: map[core.NodeKey]int{100: 2, 101: 1, 102: 0}}, got)
	_, err = f.Session(t.Context(), s.ID)
	is(t, "what was refused", err, core.ErrNotFound)
}

func testSessionChange(t *testing.T, f *fixture) {
	ctx := t.Context()
	s := f.insertSession(t, f.session(mine, 100, 101))
	refusal := errors.New("refused")
	change := func(err error) error {
		return f.ChangeSession(ctx, s.ID, func(got *core.Session) error {
			same(t, "before", s, *got)
			got.EndedAt = at(8)
			got.Connections[1].Status, got.Connections[1].Closed, got.Connections[1].Detail = core.ConnectionFailed, core.ClosedMalformed, "why"
			got.Connections[1].StartedAt, got.Connections[1].EndedAt = at(6), at(7)
			got.Connections[1].Exit = &core.Exit{Code: 3}
			if err == nil {
				s = *got
			}
			return err
		})
	}
	is(t, "refused", change(refusal), refusal)
	is(t, "changed", change(nil), nil)
	got, err := f.Session(ctx, s.ID)
	is(t, "read", err, nil)
	same(t, "after", s, got)
	is(t, "missing", f.ChangeSession(ctx, f.id(), func(*core.Session) error { return nil }), core.ErrNotFound)
}

func testSessionFilters(t *testing.T, f *fixture) {
	var all []core.Session
	for i := range 5 {
		s := f.session(mine, core.NodeKey(100+i%2))
		if i == 4 {
			s.Account, s.EndedAt = other, at(3)
		}
		all = append(all, f.insertSession(t, s))
	}
	pick := func(indexes ...int) []core.ID {
		var ids []core.ID
		for _, i := range indexes {
			ids = append(ids, all[i].ID)
		}
		return ids
	}
	for name, tt := range map[string]struct {
		filter core.SessionFilter
		want   []core.ID
	}{
		"all":        {core.SessionFilter{}, pick(4, 3, 2, 1, 0)},
		"an account": {core.SessionFilter{Account: mine}, pick(3, 2, 1, 0)},
		"by id":      {core.SessionFilter{Account: mine, IDs: pick(0, 2, 4)}, pick(2, 0)},
		"a node":     {core.SessionFilter{Nodes: []core.NodeKey{100}}, pick(4, 2, 0)},
		"nodes":      {core.SessionFilter{Account: mine, Nodes: []core.NodeKey{100, 101}}, pick(3, 2, 1, 0)},
		"ended":      {core.SessionFilter{Ended: true}, pick(4)},
		"open":       {core.SessionFilter{Open: true, Nodes: []core.NodeKey{100}}, pick(2, 0)},
		"none":       {core.SessionFilter{Nodes: []core.NodeKey{99}}, nil},
	} {
		var got []core.ID
		for p := (core.Page{Limit: 2, Count: true}); ; {
			rows, total, err := f.ListSessions(t.Context(), tt.filter, p)
			is(t, name, err, nil)
			if p.After == nil { // of the page's own rows only afterwards
				same(t, name+": total", len(tt.want), total)
			}
			for i := range rows {
				got = append(got, rows[i].ID)
				same(t, name, all[slices.IndexFunc(all, func(s core.Session) bool { return s.ID == rows[i].ID })], rows[i])
			}
			if len(rows) < p.Limit {
				break
			}
			p = core.Page{Limit: 2, After: &core.Cursor{A: int64(rows[1].ID)}}
		}
		same(t, name, tt.want, got)
	}
}

func testSessionDelete(t *testing.T, f *fixture) {
	ctx := t.Context()
	var all []core.Session
	for i := range 6 {
		s := f.session(mine, 100)
		if i != 1 {
			s.EndedAt = at(2)
		}
		all = append(all, f.insertSession(t, s))
	}
	theirs := f.session(other, 100)
	theirs.EndedAt = at(2)
	f.insertSession(t, theirs)
	id, err := f.NthSession(ctx, mine, 2)
	is(t, "second newest", err, nil)
	same(t, "second newest", all[4].ID, id)
	_, err = f.NthSession(ctx, mine, 7)
	is(t, "after the last", err, core.ErrNotFound)
	for _, want := range []int{2, 1, 0} {
		n, err := f.DeleteSessions(ctx, mine, all[4].ID, 2)
		is(t, "delete", err, nil)
		same(t, "deleted", want, n)
	}
	for i, gone := range []bool{true, false, true, true, false, false} {
		_, err := f.Session(ctx, all[i].ID)
		if want := map[bool]error{true: core.ErrNotFound}[gone]; !errors.Is(err, want) {
			t.Errorf("session %d: %v", i, err)
		}
	}
	rows, _, err := f.ListSessions(ctx, core.SessionFilter{Nodes: []core.NodeKey{100}}, core.Page{Limit: 10})
	is(t, "list", err, nil)
	same(t, "left", 4, len(rows))
}
