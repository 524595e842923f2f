package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/core"
)

func testAccountSettings(t *testing.T, f *fixture) {
	ctx := t.Context()
	read := func(account core.AccountID, want map[string]string) {
		t.Helper()
		groups, err := f.AccountSettings(ctx, account)
		is(t, "read", err, nil)
		got := map[string]string{}
		for name, value := range groups {
			got[name] = string(value)
		}
		same(t, "settings", want, got)
	}
	write := func(account core.AccountID, groups map[string]string, refusal error) error {
		return f.ChangeAccountSettings(ctx, account, at(1), func(map[string][]byte) (map[string][]byte, error) {
			changed := map[string][]byte{}
			for name, value := range groups {
				changed[name] = []byte(value)
			}
			return changed, refusal
		})
	}
	read(mine, nil)
	is(t, "write", write(mine, map[string]string{"a": `{"x":"ä\""}`, "b": `{}`}, nil), nil)
	is(t, "write one", write(mine, map[string]string{"b": `{"y":1}`}, nil), nil)
	is(t, "write another account's", write(other, map[string]string{"a": `{}`}, nil), nil)
	refusal := errors.New("refused")
	is(t, "refused", write(mine, map[string]string{"a": `{}`, "c": `{}`}, refusal), refusal)
	is(t, "write none", write(mine, nil, nil), nil)
	read(mine, map[string]string{"a": `{"x":"ä\""}`, "b": `{"y":1}`})
	read(other, map[string]string{"a": `{}`})

	// Changes of one group that race all count.
	const racers = 16
	var all sync.WaitGroup
	for range racers {
		all.Go(func() {
			is(t, "race", f.ChangeAccountSettings(ctx, mine, at(2), func(groups map[string][]byte) (map[string][]byte, error) {
				return map[string][]byte{"n": append(groups["n"], '1')}, nil
			}), nil)
		})
	}
	all.Wait()
	groups, err := f.AccountSettings(ctx, mine)
	is(t, "read", err, nil)
	same(t, "changes", racers, len(groups["n"]))
}

func testOnce(t *testing.T, f *fixture) {
	ctx := t.Context()
	always := func(core.OnceRecord) bool { return true }
	never := func(core.OnceRecord) bool { return false }
	begin := func(r core.OnceRecord, stands func(core.OnceRecord) bool, want core.OnceRecord, wantFresh bool) {
		t.Helper()
		got, fresh, err := f.BeginOnce(ctx, r, stands)
		is(t, "begin", err, nil)
		same(t, "record", want, got)
		same(t, "fresh", wantFresh, fresh)
	}
	first := core.OnceRecord{Account: mine, Action: "make", Token: "t", Hash: "h", CreatedAt: at(1)}
	begin(first, never, first, true)
	again := first
	again.Hash, again.CreatedAt = "other", at(2)
	begin(again, always, first, false)
	for _, r := range []core.OnceRecord{
		{Account: other, Action: "make", Token: "t", CreatedAt: at(2)},
		{Account: mine, Action: "break", Token: "t", CreatedAt: at(2)},
		{Account: mine, Action: "make", Token: "T", CreatedAt: at(2)},
	} {
		begin(r, always, r, true)
	}

	first.Response = []byte{0, 1, 0xff}
	filled(t, first)
	is(t, "end", f.EndOnce(ctx, first), nil)
	begin(again, always, first, false)

	// What does not stand is begun anew, and whoever began it before has no say any more.
	begin(again, never, again, true)
	is(t, "end too late", f.EndOnce(ctx, first), nil)
	begin(first, always, again, false)
	first.Response = nil
	is(t, "give up too late", f.EndOnce(ctx, first), nil)
	begin(first, always, again, false)
	is(t, "give up", f.EndOnce(ctx, again), nil)
	begin(first, always, first, true)

	// Of those who race for a token one wins.
	var wins atomic.Int64
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			_, fresh, err := f.BeginOnce(ctx, core.OnceRecord{Account: mine, Action: "race", Token: "t", Hash: fmt.Sprint(i), CreatedAt: at(i)}, always)
			is(t, "race", err, nil)
			if fresh {
				wins.Add(1)
			}
		})
	}
	all.Wait()
	same(t, "winners", int64(1), wins.Load())
}

func testForgetOnce(t *testing.T, f *fixture) {
	ctx := t.Context()
	absent := map[string]bool{}
	for i := range 4 {
		token := fmt.Sprint("t", i)
		_, _, err := f.BeginOnce(ctx, core.OnceRecord{Account: mine, Action: "a", Token: token, CreatedAt: at(i)}, nil)
		is(t, "begin", err, nil)
		absent[token] = i < 2
	}
	for _, want := range []int{2, 0} {
		n, err := f.ForgetOnce(ctx, at(2))
		is(t, "forget", err, nil)
		same(t, "forgotten", want, n)
	}
	for token, want := range absent {
		_, fresh, err := f.BeginOnce(ctx, core.OnceRecord{Account: mine, Action: "a", Token: token, CreatedAt: at(9)}, func(r core.OnceRecord) bool {
			return r.CreatedAt.Before(at(9).Add(-time.Second))
		})
		is(t, "begin", err, nil)
		same(t, token+" is gone", want, fresh)
	}
}
