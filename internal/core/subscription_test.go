package core_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
)

func TestSubscriptionLimits(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	const good = "https://example.com/hook?x=1"
	long := "https://example.com/" + strings.Repeat("x", 2048-len("https://example.com/"))
	tests := map[string]struct {
		spec  core.SubscriptionSpec
		field string // at fault; empty if it is accepted
	}{
		"least":              {core.SubscriptionSpec{URL: good}, ""},
		"plain HTTP":         {core.SubscriptionSpec{URL: "http://[::1]:80"}, ""},
		"most":               {core.SubscriptionSpec{URL: long, Batch: 100, Types: many("errand.*", 20), Commands: make([]core.ID, 100)}, ""},
		"every type":         {core.SubscriptionSpec{URL: good, Types: []string{"*", "errand.task.delivery_failed", "errand.invocation.ended"}}, ""},
		"no address":         {core.SubscriptionSpec{}, "url"},
		"long address":       {core.SubscriptionSpec{URL: long + "x"}, "url"},
		"another scheme":     {core.SubscriptionSpec{URL: "ftp://example.com"}, "url"},
		"no host":            {core.SubscriptionSpec{URL: "https:///x"}, "url"},
		"no host but a port": {core.SubscriptionSpec{URL: "https://:443/x"}, "url"},
		"malformed address":  {core.SubscriptionSpec{URL: "https://[::1/x"}, "url"},
		"password":           {core.SubscriptionSpec{URL: "https://a:b@example.com"}, "url"},
		"fragment":           {core.SubscriptionSpec{URL: good + "#a"}, "url"},
		"control characters": {core.SubscriptionSpec{URL: good, Name: "a\nb"}, "name"},
		"unknown type":       {core.SubscriptionSpec{URL: good, Types: []string{"errand.task.eaten"}}, "types"},
		"type of nothing":    {core.SubscriptionSpec{URL: good, Types: []string{"errand.task.queued"}}, "types"},
		"malformed type":     {core.SubscriptionSpec{URL: good, Types: []string{"errand.[", "*"}}, "types"},
		"the ping":           {core.SubscriptionSpec{URL: good, Types: []string{"errand.ping"}}, "types"},
		"many types":         {core.SubscriptionSpec{URL: good, Types: many("*", 21)}, "types"},
		"many commands":      {core.SubscriptionSpec{URL: good, Commands: make([]core.ID, 101)}, "commands"},
		"batch below":        {core.SubscriptionSpec{URL: good, Batch: -1}, "batch"},
		"batch above":        {core.SubscriptionSpec{URL: good, Batch: 101}, "batch"},
	}
	accepted := 0
	for name, tt := range tests {
		_, _, err := s.Service.Subscribe(t.Context(), s.Caller, tt.spec)
		var refused *core.Error
		if errors.As(err, &refused); tt.field == "" && err != nil || tt.field != "" && (refused == nil || refused.Field != tt.field) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			accepted++
		}
	}
	for range core.MaxSubscriptions - accepted {
		if _, _, err := s.Service.Subscribe(t.Context(), s.Caller, core.SubscriptionSpec{URL: good}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.Service.Subscribe(t.Context(), s.Caller, core.SubscriptionSpec{URL: good}); !core.ReasonQuotaObjects.Is(err) {
		t.Errorf("one too many: %v", err)
	}
	if _, _, err := s.Service.Subscribe(t.Context(), core.Caller{Account: 42, Root: true}, core.SubscriptionSpec{URL: good}); err != nil {
		t.Errorf("another account's first: %v", err)
	}
}

func many(text string, n int) []string {
	return strings.Fields(strings.Repeat(text+" ", n))
}

// TestSubscriptionsOfOthers tries everything with a subscription of another account, and with none of the rights.
func TestSubscriptionsOfOthers(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	sub, secret, err := s.Service.Subscribe(ctx, s.Caller, core.SubscriptionSpec{URL: "https://example.com/"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(secret, "whsec_") || strings.Contains(fmt.Sprint(sub), secret) || bytes.Contains(sub.Sealed, []byte(secret[6:])) {
		t.Errorf("the secret %s is kept in clear", secret)
	}
	calls := map[string]func(core.Caller) error{
		"show": func(c core.Caller) error { _, err := s.Service.Subscription(ctx, c, sub.ID); return err },
		"change": func(c core.Caller) error {
			_, _, err := s.Service.ChangeSubscription(ctx, c, sub.ID, core.SubscriptionChange{RotateSecret: true})
			return err
		},
		"delete":      func(c core.Caller) error { return s.Service.Unsubscribe(ctx, c, sub.ID) },
		"ping":        func(c core.Caller) error { _, err := s.Service.Ping(ctx, c, sub.ID); return err },
		"replay":      func(c core.Caller) error { _, err := s.Service.Replay(ctx, c, sub.ID, core.Moment{}); return err },
		"dead":        func(c core.Caller) error { _, err := s.Service.DeadLetters(ctx, c, sub.ID); return err },
		"replay dead": func(c core.Caller) error { _, err := s.Service.ReplayDead(ctx, c, sub.ID, 0); return err },
	}
	for name, call := range calls {
		if err := call(core.Caller{Account: 42, Root: true}); core.AsError(err).Code != core.CodeNotFound {
			t.Errorf("%s by another account: %v", name, err)
		}
		if err := call(core.Caller{Account: s.Caller.Account, Principal: "ann"}); !core.ReasonDenied.Is(err) {
			t.Errorf("%s without the right: %v", name, err)
		}
	}
	nobody := core.Caller{Account: s.Caller.Account, Principal: "ann"}
	if _, err := s.Service.Subscriptions(ctx, nobody); !core.ReasonDenied.Is(err) {
		t.Errorf("list without the right: %v", err)
	}
	if _, err := s.Service.Events(ctx, nobody, 0, 1); !core.ReasonDenied.Is(err) {
		t.Errorf("read without the right: %v", err)
	}
	if _, _, err := s.Service.Subscribe(ctx, nobody, core.SubscriptionSpec{URL: "https://example.com/"}); !core.ReasonDenied.Is(err) {
		t.Errorf("subscribe without the right: %v", err)
	}
	rows, err := s.Service.Subscriptions(ctx, core.Caller{Account: 42, Root: true})
	if err != nil || len(rows) != 0 {
		t.Errorf("another account lists %d, %v", len(rows), err)
	}
	if rows, err = s.Service.Subscriptions(ctx, s.Caller); err != nil || len(rows) != 1 || rows[0].ID != sub.ID {
		t.Errorf("%+v, %v", rows, err)
	}
}

// TestEventPages reads what happened page by page.
func TestEventPages(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	s.Online(n)
	if _, _, err := s.Service.Subscribe(t.Context(), s.Caller, core.SubscriptionSpec{URL: "https://example.com/", Disabled: true}); err != nil {
		t.Fatal(err)
	}
	v, err := s.Service.Run(t.Context(), s.Caller, core.RunSpec{
		Targets: []string{"n"}, Definition: core.Definition{Type: core.Shell, Content: []byte("x"), Timeout: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Exit(v.ID, n, 0, "", "")
	var types []string
	for after, more := int64(0), true; more; {
		page, err := s.Service.Events(t.Context(), s.Caller, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page {
			types = append(types, page[i].Type())
			after = page[i].Seq
		}
		more = len(page) > 0
	}
	want := "[errand.invocation.accepted errand.invocation.started errand.task.succeeded errand.invocation.ended]"
	if got := fmt.Sprint(types); got != want {
		t.Errorf("%s", got)
	}
	for _, limit := range []int{0, -1, core.MaxEvents + 1} {
		if _, err := s.Service.Events(t.Context(), s.Caller, 0, limit); !core.ReasonPageSize.Is(err) {
			t.Errorf("%d rows: %v", limit, err)
		}
	}
}
