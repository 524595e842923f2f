package core_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/scene"
	"errand/internal/core"
)

func TestTagging(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	var ids []string
	for _, id := range []string{"one", "two"} {
		ids = append(ids, s.Node(id).ID)
	}
	shown := func(f core.TaggedFilter) map[string][]core.Tag {
		t.Helper()
		rows, _, err := s.Service.Tagged(ctx, s.Caller, core.KindNode, f, core.PageSpec{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string][]core.Tag{}
		for _, r := range rows {
			got[r.ID] = r.Tags
		}
		return got
	}
	check := func(what string, want map[string][]core.Tag) {
		t.Helper()
		if diff := cmp.Diff(want, shown(core.TaggedFilter{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	a, b := core.Tag{Key: "a", Value: "1"}, core.Tag{Key: "b", Value: "2"}
	must(s.Service.Tag(ctx, s.Caller, core.KindNode, []string{"one", "one"}, []core.Tag{a}))
	must(s.Service.Tag(ctx, s.Caller, core.KindNode, ids, []core.Tag{{Key: "a", Value: "3"}, b}))
	check("overwritten", map[string][]core.Tag{"one": {{Key: "a", Value: "3"}, b}, "two": {{Key: "a", Value: "3"}, b}})

	many := make([]core.Tag, 19)
	for i := range many {
		many[i].Key = fmt.Sprint("k", i)
	}
	must(s.Service.Untag(ctx, s.Caller, core.KindNode, []string{"one"}, []string{"a", "never"}))
	must(s.Service.Tag(ctx, s.Caller, core.KindNode, []string{"one"}, many))
	before := shown(core.TaggedFilter{})
	stranger := core.Caller{Account: 42, Root: true}
	for _, m := range []struct {
		name   string
		err    error
		reason core.Reason
	}{
		{"one more than twenty", s.Service.Tag(ctx, s.Caller, core.KindNode, []string{"two", "one"}, []core.Tag{a}), core.ReasonTagCount},
		{"unknown node", s.Service.Tag(ctx, s.Caller, core.KindNode, []string{"two", "three"}, []core.Tag{a}), core.ReasonTargetNotFound},
		{"another account", s.Service.Tag(ctx, stranger, core.KindNode, ids, []core.Tag{a}), core.ReasonTargetNotFound},
		{"untagged by another account", s.Service.Untag(ctx, stranger, core.KindNode, ids, nil), core.ReasonTargetNotFound},
		{"long key", s.Service.Tag(ctx, s.Caller, core.KindNode, ids, []core.Tag{{Key: strings.Repeat("x", 129)}}), core.ReasonTagKeyInvalid},
		{"empty key", s.Service.Untag(ctx, s.Caller, core.KindNode, ids, []string{""}), core.ReasonTagKeyMissing},
		{"no id", s.Service.Untag(ctx, s.Caller, core.KindCommand, []string{"one"}, nil), core.ReasonCommandNotFound},
		{"no invocation", s.Service.Untag(ctx, s.Caller, core.KindInvocation, []string{core.ID(9).String()}, nil), core.ReasonInvocationNotFound},
		{"no code", s.Service.Untag(ctx, s.Caller, core.KindRegistration, []string{core.ID(9).String()}, nil), core.ReasonRegistrationNotFound},
	} {
		if !m.reason.Is(m.err) {
			t.Errorf("%s: %v", m.name, m.err)
		}
	}
	check("after refusals", before)
	if _, err := s.Service.TaggedByID(ctx, stranger, core.KindNode, ids, core.TaggedFilter{}); !core.ReasonTargetNotFound.Is(err) {
		t.Errorf("another account lists: %v", err)
	}
	if got, err := s.Service.TaggedByID(ctx, s.Caller, core.KindNode, ids, core.TaggedFilter{TagKeys: []string{"a"}, Tags: []core.Tag{b}}); err != nil ||
		len(got) != 1 || got[0].ID != "two" {
		t.Errorf("named and filtered: %+v, %v", got, err)
	}
	must(s.Service.Untag(ctx, s.Caller, core.KindNode, ids, nil))
	check("no tags", map[string][]core.Tag{"one": nil, "two": nil})
}
