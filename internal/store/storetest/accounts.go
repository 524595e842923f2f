package storetest

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"errand/internal/core"
)

func testAccounts(t *testing.T, f *fixture) {
	ctx := t.Context()
	_, err := f.Account(ctx, mine)
	is(t, "account that was never made", err, core.ErrNotFound)
	want := core.Account{ID: mine, Name: "äccount", Disabled: true, CreatedAt: at(1)}
	filled(t, want)
	is(t, "insert", f.InsertAccount(ctx, want), nil)
	is(t, "insert twice", f.InsertAccount(ctx, core.Account{ID: mine, Name: "another"}), core.ErrTaken)
	got, err := f.Account(ctx, mine)
	is(t, "read", err, nil)
	same(t, "account", want, got)

	// Times are kept to the microsecond and come back in UTC.
	east := time.FixedZone("east", 3600)
	is(t, "insert", f.InsertAccount(ctx, core.Account{ID: other, CreatedAt: epoch.Add(987 * time.Nanosecond).In(east)}), nil)
	got, err = f.Account(ctx, other)
	is(t, "read", err, nil)
	if got.CreatedAt != epoch { // == on purpose: Equal would overlook the zone
		t.Errorf("time came back as %v, want %v", got.CreatedAt, epoch)
	}
}

func testKeys(t *testing.T, f *fixture) {
	ctx := t.Context()
	want := core.AccessKey{
		ID: "ek1", Account: mine, Principal: "root", Kind: core.KeyTemporary, Description: "dëscription", Sealed: []byte{0, 1, 0xff},
		TokenHash: core.HashToken("t"), Session: "{}", Dialects: []string{"ecs", "tat"},
		Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
		Disabled: true, CreatedAt: at(1), ExpiresAt: at(2), UsedAt: at(3),
		OldSealed: []byte{2}, OldTokenHash: core.HashToken("o"), OldUntil: at(4), Parent: "ek0", Idle: time.Minute,
	}
	filled(t, want)
	bare := core.AccessKey{ID: "ek2", Account: other}
	is(t, "insert", f.InsertKey(ctx, want), nil)
	is(t, "insert without optional fields", f.InsertKey(ctx, bare), nil)
	is(t, "insert twice", f.InsertKey(ctx, core.AccessKey{ID: "ek1", Account: other}), core.ErrTaken)
	for _, want := range []core.AccessKey{want, bare} {
		got, err := f.Key(ctx, want.ID)
		is(t, "read", err, nil)
		same(t, "key", want, got)
	}
	_, err := f.Key(ctx, "EK1")
	is(t, "key by another case", err, core.ErrNotFound)
}

func testSettings(t *testing.T, f *fixture) {
	ctx := t.Context()
	_, err := f.Setting(ctx, "never")
	is(t, "setting that was never set", err, core.ErrNotFound)

	// Replicas race to set; all of them must go away with the same value.
	const replicas = 8
	var got [replicas][]byte
	var all sync.WaitGroup
	for i := range replicas {
		all.Go(func() {
			v, err := f.SetSetting(ctx, "key", fmt.Appendf(nil, "value of %d", i))
			is(t, "set", err, nil)
			got[i] = v
		})
	}
	all.Wait()
	holds, err := f.Setting(ctx, "key")
	is(t, "read", err, nil)
	for i := range got {
		same(t, "setting as seen by a replica", string(holds), string(got[i]))
	}
	v, err := f.SetSetting(ctx, "empty", nil)
	is(t, "set to nothing", err, nil)
	same(t, "empty setting", 0, len(v))
	_, err = f.Setting(ctx, "empty")
	is(t, "read of an empty setting", err, nil)
}
