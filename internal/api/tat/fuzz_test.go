package tat

import (
	"errors"
	"strings"
	"testing"

	"errand/internal/api"
	"errand/internal/core"
)

// FuzzParameters reads parameters from any text: it is refused with one of the vendor's codes, or read back the same.
func FuzzParameters(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":"b"}`, `{"a":"b","a":"c"}`, `{"a":1}`, `["a"]`, `{"a":{"b":["c"]}}`, `{"a":"\ud800"}`, `null`, ``, ` {"a" : "b"} `} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values, err := parseParameters("Parameters", &text)
		if err != nil {
			var own *fault
			if !errors.As(err, &own) || !strings.HasPrefix(string(own.code), "InvalidParameterValue.Parameter") {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		again := showParameters(values)
		back, err := parseParameters("Parameters", &again)
		if err != nil || len(back) != len(values) {
			t.Fatalf("%q became %q: %v", text, again, err)
		}
		for name, value := range values {
			if back[name] != value {
				t.Errorf("%q: %q became %q", name, value, back[name])
			}
		}
	})
}

// FuzzPreview fills one value into any content: what is not a placeholder of it stays.
func FuzzPreview(f *testing.F) {
	f.Add("echo {{a}} {{tat-hidden:a}} {{b}}", "x")
	f.Add("{{{a}}}", "{{a}}")
	f.Fuzz(func(t *testing.T, content, value string) {
		got := string(preview([]byte(content), map[string]string{"a": value}))
		want := strings.NewReplacer("{{a}}", "\x00", "{{tat-hidden:a}}", "\x00").Replace(content)
		if strings.Contains(content, "\x00") {
			return
		}
		if got != strings.ReplaceAll(want, "\x00", value) {
			t.Errorf("%q with %q became %q", content, value, got)
		}
	})
}

// FuzzIDs reads any text as an id of each kind. What is taken for one of ours is written again as it was, but for its prefix.
func FuzzIDs(f *testing.F) {
	for _, s := range []string{"cmd-1vll7hda", "inv-1vll7hda", "invt-08oe5fe2", core.ID(77).String(), "c-" + core.ID(77).String(), core.ID(77).UUID(), "", "-", "00000000-0000-0001-0000-000000000000", "cmd-00000000000y2vyk"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list := []string{s}
		if ids, err := commandIDs(list, "x"); err == nil && ids[0] != 0 && !strings.HasSuffix(s, ids[0].String()) {
			t.Errorf("command %q is %v", s, ids[0])
		}
		if ids, err := invocationIDs(list, "x"); err == nil && ids[0] != 0 && !strings.HasSuffix(s, ids[0].String()) {
			t.Errorf("invocation %q is %v", s, ids[0])
		}
		if ids, err := taskIDs(list, "x"); err == nil && ids[0] != (core.TaskID{}) && !strings.HasSuffix(s, ids[0].String()) {
			t.Errorf("task %q is %v", s, ids[0])
		}
		if ids, err := invokerIDs(list, "x"); err == nil && ids[0] != 0 && !strings.HasSuffix(s, ids[0].String()) {
			t.Errorf("invoker %q is %v", s, ids[0])
		}
		if ids, err := registerCodeIDs(list, "x"); err == nil && ids[0] != 0 && !strings.EqualFold(ids[0].UUID(), s) {
			t.Errorf("register code %q is %v", s, ids[0])
		}
		if ids, err := instanceIDs(list, "x"); err == nil && api.NodeID(showInstance(ids[0])) != ids[0] {
			t.Errorf("instance %q is shown as %q", s, showInstance(ids[0]))
		}
	})
}
