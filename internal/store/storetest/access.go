package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"errand/internal/core"
)

var errRefused = errors.New("refused")

func testAccountChange(t *testing.T, f *fixture) {
	ctx := t.Context()
	is(t, "insert", f.InsertAccount(ctx, core.Account{ID: mine, Name: "a", CreatedAt: at(1)}), nil)
	is(t, "change", f.ChangeAccount(ctx, mine, func(a *core.Account) error { a.Name, a.Disabled = "b", true; return nil }), nil)
	is(t, "refusal", f.ChangeAccount(ctx, mine, func(a *core.Account) error { a.Name = "c"; return errRefused }), errRefused)
	is(t, "no such account", f.ChangeAccount(ctx, other, func(*core.Account) error { return nil }), core.ErrNotFound)
	got, err := f.Account(ctx, mine)
	is(t, "read", err, nil)
	same(t, "account", core.Account{ID: mine, Name: "b", Disabled: true, CreatedAt: at(1)}, got)
}

func testKeyChange(t *testing.T, f *fixture) {
	ctx := t.Context()
	key := func(account core.AccountID, principal, id string, kind core.KeyKind) core.AccessKey {
		k := core.AccessKey{ID: id, Account: account, Principal: principal, Kind: kind, CreatedAt: at(1)}
		is(t, "insert", f.InsertKey(ctx, k), nil)
		return k
	}
	a, b := key(mine, "root", "a", core.KeyLong), key(mine, "root", "b", core.KeyLong)
	c, d := key(mine, "root", "c", core.KeyBearer), key(mine, "user", "d", core.KeyLong)
	e := key(other, "root", "e", core.KeyLong)
	for _, tt := range []struct {
		name   string
		filter core.KeyFilter
		want   []core.AccessKey
	}{
		{"all", core.KeyFilter{}, []core.AccessKey{a, b, c, d, e}},
		{"of an account", core.KeyFilter{Account: mine}, []core.AccessKey{a, b, c, d}},
		{"of a principal", core.KeyFilter{Account: mine, Principal: "root"}, []core.AccessKey{a, b, c}},
		{"of a kind", core.KeyFilter{Account: mine, Principal: "root", Kind: core.KeyBearer}, []core.AccessKey{c}},
		{"of nobody", core.KeyFilter{Account: mine, Principal: "nobody"}, nil},
	} {
		got, err := f.ListKeys(ctx, tt.filter)
		is(t, tt.name, err, nil)
		same(t, tt.name, tt.want, got)
	}
	var counted []int
	disable := func(k *core.AccessKey, others int) (bool, error) {
		counted = append(counted, others)
		k.Disabled, k.Sealed, k.Dialects = true, []byte("new"), []string{"ecs"}
		return true, nil
	}
	is(t, "change", f.ChangeKey(ctx, mine, "a", disable), nil)
	is(t, "change the other", f.ChangeKey(ctx, mine, "b", disable), nil)
	is(t, "change that of a user", f.ChangeKey(ctx, mine, "d", disable), nil)
	same(t, "other keys of the same principal and kind that are enabled", []int{1, 0, 0}, counted)
	is(t, "another account's", f.ChangeKey(ctx, mine, "e", disable), core.ErrNotFound)
	is(t, "unknown", f.ChangeKey(ctx, mine, "z", disable), core.ErrNotFound)
	is(t, "refused", f.ChangeKey(ctx, mine, "c", func(k *core.AccessKey, _ int) (bool, error) {
		k.Disabled = true
		return true, errRefused
	}), errRefused)
	is(t, "delete", f.ChangeKey(ctx, mine, "d", func(*core.AccessKey, int) (bool, error) { return false, nil }), nil)
	a.Disabled, a.Sealed, a.Dialects = true, []byte("new"), []string{"ecs"}
	got, err := f.Key(ctx, "a")
	is(t, "read", err, nil)
	same(t, "changed key", a, got)
	got, err = f.Key(ctx, "c")
	is(t, "read", err, nil)
	same(t, "refused change", c, got)
	_, err = f.Key(ctx, "d")
	is(t, "deleted key", err, core.ErrNotFound)
}

func testKeyTimes(t *testing.T, f *fixture) {
	ctx := t.Context()
	for i, id := range []string{"a", "b", "c"} {
		kind := []core.KeyKind{core.KeyTemporary, core.KeyLogin}[i%2]
		is(t, "insert", f.InsertKey(ctx, core.AccessKey{ID: id, Account: mine, Kind: kind, ExpiresAt: at(10 * (i + 1))}), nil)
	}
	is(t, "insert", f.InsertKey(ctx, core.AccessKey{ID: "endless", Account: mine, Kind: core.KeyLogin}), nil)
	is(t, "insert", f.InsertKey(ctx, core.AccessKey{ID: "long", Account: mine, Kind: core.KeyLong, ExpiresAt: at(1)}), nil)
	is(t, "used", f.SetKeysUsed(ctx, map[string]time.Time{"a": at(5), "b": at(6), "gone": at(7)}), nil)
	is(t, "used before", f.SetKeysUsed(ctx, map[string]time.Time{"a": at(4), "b": at(8)}), nil)
	for id, want := range map[string]time.Time{"a": at(5), "b": at(8), "c": {}} {
		k, err := f.Key(ctx, id)
		is(t, "read", err, nil)
		same(t, "last use of "+id, want, k.UsedAt)
	}
	for _, want := range []int{2, 1, 0} {
		n, err := f.DeleteExpiredKeys(ctx, at(40), 2)
		is(t, "delete", err, nil)
		same(t, "deleted", want, n)
	}
	left, err := f.ListKeys(ctx, core.KeyFilter{})
	is(t, "list", err, nil)
	if len(left) != 2 || left[0].ID != "endless" || left[1].ID != "long" {
		t.Errorf("left are %v", left)
	}
}

func (f *fixture) user(t *testing.T, account core.AccountID, name string) core.User {
	t.Helper()
	u := core.User{Account: account, Name: name, Kind: core.UserPerson, CreatedAt: at(1), UpdatedAt: at(1)}
	is(t, "insert user", f.InsertUser(t.Context(), u), nil)
	return u
}

func testUsers(t *testing.T, f *fixture) {
	ctx := t.Context()
	want := core.User{
		Account: mine, Name: "ann", Kind: core.UserRole, Description: "dëscription", Disabled: true, CreatedAt: at(1), UpdatedAt: at(2),
	}
	filled(t, want)
	is(t, "insert", f.InsertUser(ctx, want), nil)
	is(t, "insert twice", f.InsertUser(ctx, core.User{Account: mine, Name: "ann"}), core.ErrTaken)
	theirs := f.user(t, other, "ann")
	zoe := f.user(t, mine, "zoe")
	got, err := f.User(ctx, mine, "ann")
	is(t, "read", err, nil)
	same(t, "user", want, got)
	_, err = f.User(ctx, mine, "Ann")
	is(t, "user by another case", err, core.ErrNotFound)
	is(t, "refused", f.ChangeUser(ctx, mine, "ann", func(u *core.User) error { u.Description = "x"; return errRefused }), errRefused)
	is(t, "no such user", f.ChangeUser(ctx, mine, "bob", func(*core.User) error { return nil }), core.ErrNotFound)
	is(t, "change", f.ChangeUser(ctx, mine, "ann", func(u *core.User) error {
		u.Description, u.Disabled, u.UpdatedAt = "new", false, at(3)
		return nil
	}), nil)
	want.Description, want.Disabled, want.UpdatedAt = "new", false, at(3)
	rows, err := f.ListUsers(ctx, mine)
	is(t, "list", err, nil)
	same(t, "users", []core.User{want, zoe}, rows)
	rows, err = f.ListUsers(ctx, other)
	is(t, "list", err, nil)
	same(t, "users of the other account", []core.User{theirs}, rows)
}

func testUserDelete(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, account := range []core.AccountID{mine, other} {
		f.user(t, account, "ann")
		is(t, "attach", f.Attach(ctx, account, "ann", "p", false), nil)
		is(t, "insert key", f.InsertKey(ctx, core.AccessKey{ID: "of " + account.String(), Account: account, Principal: "ann"}), nil)
	}
	is(t, "delete", f.DeleteUser(ctx, mine, "ann"), nil)
	is(t, "delete twice", f.DeleteUser(ctx, mine, "ann"), core.ErrNotFound)
	_, err := f.User(ctx, mine, "ann")
	is(t, "deleted user", err, core.ErrNotFound)
	f.user(t, mine, "ann") // a new one of this name has nothing of the old one's
	names, err := f.Attached(ctx, mine, "ann")
	is(t, "policies", err, nil)
	same(t, "policies of the new user", []string(nil), names)
	left, err := f.ListKeys(ctx, core.KeyFilter{Principal: "ann"})
	is(t, "keys", err, nil)
	if len(left) != 1 || left[0].Account != other {
		t.Errorf("keys left are %v", left)
	}
}

func testPolicies(t *testing.T, f *fixture) {
	ctx := t.Context()
	want := core.Policy{
		Account: mine, Name: "p", Description: "dëscription", Document: `{"Version":"1"}`, CreatedAt: at(1), UpdatedAt: at(2),
	}
	filled(t, want)
	is(t, "put", f.PutPolicy(ctx, want), nil)
	theirs := core.Policy{Account: other, Name: "p", Document: "theirs"}
	is(t, "put", f.PutPolicy(ctx, theirs), nil)
	want.Description, want.Document, want.UpdatedAt = "", "new", at(3)
	is(t, "replace", f.PutPolicy(ctx, core.Policy{Account: mine, Name: "p", Document: "new", CreatedAt: at(3), UpdatedAt: at(3)}), nil)
	got, err := f.Policy(ctx, mine, "p")
	is(t, "read", err, nil)
	same(t, "policy", want, got)
	_, err = f.Policy(ctx, mine, "q")
	is(t, "unknown policy", err, core.ErrNotFound)
	first := core.Policy{Account: mine, Name: "a"}
	is(t, "put", f.PutPolicy(ctx, first), nil)
	rows, err := f.ListPolicies(ctx, mine)
	is(t, "list", err, nil)
	same(t, "policies", []core.Policy{first, want}, rows)

	f.user(t, mine, "zoe")
	f.user(t, mine, "ann")
	is(t, "attach", f.Attach(ctx, mine, "zoe", "p", true), nil)
	is(t, "attach", f.Attach(ctx, mine, "ann", "p", true), nil)
	is(t, "refused", f.DeletePolicy(ctx, mine, "p", func(users []string) error {
		same(t, "users of the policy", []string{"ann", "zoe"}, users)
		return errRefused
	}), errRefused)
	is(t, "unknown", f.DeletePolicy(ctx, mine, "q", func([]string) error { return nil }), core.ErrNotFound)
	is(t, "delete", f.DeletePolicy(ctx, mine, "p", func([]string) error { return nil }), nil)
	_, err = f.Policy(ctx, mine, "p")
	is(t, "deleted policy", err, core.ErrNotFound)
	names, err := f.Attached(ctx, mine, "ann")
	is(t, "attached", err, nil)
	same(t, "what is left attached", []string(nil), names)
	got, err = f.Policy(ctx, other, "p")
	is(t, "read", err, nil)
	same(t, "the other account's", theirs, got)
}

func testAttachments(t *testing.T, f *fixture) {
	ctx := t.Context()
	f.user(t, mine, "ann")
	f.user(t, other, "bob")
	is(t, "put", f.PutPolicy(ctx, core.Policy{Account: mine, Name: "p"}), nil)
	is(t, "attach", f.Attach(ctx, mine, "ann", "p", true), nil)
	is(t, "attach again", f.Attach(ctx, mine, "ann", "p", true), nil)
	is(t, "attach one that comes along", f.Attach(ctx, mine, "ann", "full", false), nil)
	is(t, "no such policy", f.Attach(ctx, mine, "ann", "q", true), core.ErrNotFound)
	is(t, "no such user", f.Attach(ctx, mine, "bob", "p", true), core.ErrNotFound)
	is(t, "another account's policy", f.Attach(ctx, other, "bob", "p", true), core.ErrNotFound)
	names, err := f.Attached(ctx, mine, "ann")
	is(t, "attached", err, nil)
	same(t, "policies", []string{"full", "p"}, names)
	is(t, "detach", f.Detach(ctx, mine, "ann", "full"), nil)
	is(t, "detach twice", f.Detach(ctx, mine, "ann", "full"), core.ErrNotFound)
	is(t, "detach in another account", f.Detach(ctx, other, "ann", "p"), core.ErrNotFound)
	names, err = f.Attached(ctx, mine, "ann")
	is(t, "attached", err, nil)
	same(t, "policies", []string{"p"}, names)
}

func testGrants(t *testing.T, f *fixture) {
	ctx := t.Context()
	grant := func(what string, account core.AccountID, principal string, want core.Grant) {
		t.Helper()
		got, err := f.Grant(ctx, account, principal)
		is(t, what, err, nil)
		same(t, what, want, got)
	}
	_, err := f.Grant(ctx, mine, "root")
	is(t, "no such account", err, core.ErrNotFound)
	for _, account := range []core.AccountID{mine, other} {
		is(t, "insert", f.InsertAccount(ctx, core.Account{ID: account}), nil)
		f.user(t, account, "ann")
		is(t, "put", f.PutPolicy(ctx, core.Policy{Account: account, Name: "p", Document: "of " + account.String()}), nil)
	}
	_, err = f.Grant(ctx, mine, "bob")
	is(t, "no such user", err, core.ErrNotFound)
	is(t, "attach", f.Attach(ctx, mine, "ann", "p", true), nil)
	is(t, "attach", f.Attach(ctx, mine, "ann", "full", false), nil)
	want := core.Grant{Stored: []core.Policy{{Name: "p", Document: "of " + mine.String()}}, Builtin: []string{"full"}}
	grant("root", mine, core.RootUser, core.Grant{})
	grant("user", mine, "ann", want)
	grant("user without rights", other, "ann", core.Grant{})
	is(t, "disable user", f.ChangeUser(ctx, mine, "ann", func(u *core.User) error { u.Disabled = true; return nil }), nil)
	want.Suspended = true
	grant("disabled user", mine, "ann", want)
	is(t, "enable user", f.ChangeUser(ctx, mine, "ann", func(u *core.User) error { u.Disabled = false; return nil }), nil)
	is(t, "disable account", f.ChangeAccount(ctx, mine, func(a *core.Account) error { a.Disabled = true; return nil }), nil)
	grant("user of a disabled account", mine, "ann", want)
	grant("root of a disabled account", mine, core.RootUser, core.Grant{Suspended: true})
}

func testQuotas(t *testing.T, f *fixture) {
	ctx := t.Context()
	is(t, "set", f.SetQuota(ctx, mine, "a", 1), nil)
	is(t, "set again", f.SetQuota(ctx, mine, "a", 2), nil)
	is(t, "set", f.SetQuota(ctx, mine, "b", 0), nil)
	is(t, "set for all", f.SetQuota(ctx, 0, "a", 1<<40), nil)
	for account, want := range map[core.AccountID]map[string]int64{mine: {"a": 2, "b": 0}, 0: {"a": 1 << 40}, other: {}} {
		got, err := f.Quotas(ctx, account)
		is(t, "read", err, nil)
		same(t, "quotas", want, got)
	}
	is(t, "delete", f.DeleteQuota(ctx, mine, "a"), nil)
	is(t, "delete again", f.DeleteQuota(ctx, mine, "a"), nil)
	got, err := f.Quotas(ctx, mine)
	is(t, "read", err, nil)
	same(t, "quotas", map[string]int64{"b": 0}, got)

	first := f.invocation(t, mine, keys(1)...)
	second := f.invocation(t, mine, keys(1)...)
	f.invocation(t, other, keys(1)...)
	for since, want := range map[core.ID]int{0: 2, first.ID: 2, second.ID: 1, second.ID + 1: 0} {
		n, err := f.CountInvocations(ctx, mine, since)
		is(t, "count", err, nil)
		same(t, "invocations", want, n)
	}
}

// audited inserts some records of an account, one a second, and returns them newest first, as they are listed.
func (f *fixture) audited(t *testing.T, account core.AccountID, n int) []core.AuditRecord {
	t.Helper()
	made := make([]core.AuditRecord, n)
	for i := range made {
		made[i] = core.AuditRecord{
			Account: account, At: at(i + 1), Principal: string(rune('a' + i)), KeyID: "k", Dialect: "ecs", Action: []string{"Run", "Stop"}[i%2],
			RequestID: "r", Source: "192.0.2.1", UserAgent: "curl/8", Resources: []string{"node/w", "command/" + string(rune('0'+i))}, Code: "Forbidden.RAM",
		}
	}
	is(t, "insert", f.InsertAudit(t.Context(), made), nil)
	rows, err := f.ListAudit(t.Context(), core.AuditFilter{Account: account}, everything)
	is(t, "list", err, nil)
	slices.Reverse(made)
	for i := range rows {
		if i < len(made) {
			made[i].ID = rows[i].ID
		}
		if i > 0 && rows[i].ID >= rows[i-1].ID {
			t.Errorf("record %d follows %d", rows[i].ID, rows[i-1].ID)
		}
	}
	same(t, "records", made, rows)
	return made
}

func testAudit(t *testing.T, f *fixture) {
	ctx := t.Context()
	made := f.audited(t, mine, 4)
	filled(t, made[0])
	f.audited(t, other, 2)
	is(t, "bare record", f.InsertAudit(ctx, []core.AuditRecord{{Account: 8}}), nil)
	bare, err := f.ListAudit(ctx, core.AuditFilter{Account: 8}, everything)
	is(t, "list", err, nil)
	if len(bare) != 1 || bare[0].Resources != nil || !bare[0].At.IsZero() {
		t.Errorf("bare record is %+v", bare)
	}
	for _, tt := range []struct {
		name   string
		filter core.AuditFilter
		want   []core.AuditRecord
	}{
		{"principal", core.AuditFilter{Principal: "b"}, made[2:3]},
		{"key", core.AuditFilter{KeyID: "k"}, made},
		{"another key", core.AuditFilter{KeyID: "l"}, nil},
		{"action", core.AuditFilter{Action: "Stop"}, []core.AuditRecord{made[0], made[2]}},
		{"resource", core.AuditFilter{Resource: "command/3"}, made[:1]},
		{"part of a resource", core.AuditFilter{Resource: "command"}, nil},
		{"since", core.AuditFilter{Since: at(3)}, made[:2]},
		{"until", core.AuditFilter{Until: at(3)}, made[2:]},
		{"both", core.AuditFilter{Since: at(2), Until: at(4), Action: "Run"}, made[1:2]},
	} {
		tt.filter.Account = mine
		got, err := f.ListAudit(ctx, tt.filter, everything)
		is(t, tt.name, err, nil)
		same(t, tt.name, tt.want, got)
	}
	page, err := f.ListAudit(ctx, core.AuditFilter{Account: mine}, core.Page{Limit: 2, After: &core.Cursor{A: made[0].ID}})
	is(t, "page", err, nil)
	same(t, "page", made[1:3], page)
}

func testAuditDelete(t *testing.T, f *fixture) {
	ctx := t.Context()
	made := f.audited(t, mine, 5)
	theirs := f.audited(t, other, 1)
	for _, want := range []int{2, 1, 0} {
		n, err := f.DeleteAudit(ctx, mine, at(4), 2)
		is(t, "delete", err, nil)
		same(t, "deleted", want, n)
	}
	left, err := f.ListAudit(ctx, core.AuditFilter{Account: mine}, everything)
	is(t, "list", err, nil)
	same(t, "what is left", made[:2], left)
	left, err = f.ListAudit(ctx, core.AuditFilter{Account: other}, everything)
	is(t, "list", err, nil)
	same(t, "the other account's", theirs, left)
}
