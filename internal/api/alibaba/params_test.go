package alibaba

import (
	"encoding/json"
	"maps"
	"testing"
	"unicode/utf8"

	"errand/internal/core"
)

func TestParametersRoundTrip(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                             `{}`,
		`{}`:                           `{}`,
		`{"b":"2","a":"<&>"}`:          `{"a":"<&>","b":"2"}`,
		`{ "n": 3.50, "name": "Jack"}`: `{ "n": 3.50, "name": "Jack"}`, // numbers come back as they were written
		`{"yes":true}`:                 `{"yes":true}`,
	} {
		o := Order{Parameters: text}
		spec, err := o.Spec("")
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := Parameters(&core.Invocation{Params: spec.Params, Extra: spec.Extra}); got != want {
			t.Errorf("%s came back as %s, want %s", text, got, want)
		}
	}
}

func TestParametersOfOthersStaySecret(t *testing.T) {
	t.Parallel()
	v := &core.Invocation{
		Definition: core.Definition{Content: []byte("login {{user}} {{tat-hidden:password}}")},
		Params:     map[string]string{"user": "u", "password": "p"},
	}
	if got := Parameters(v); got != `{"password":"******","user":"u"}` {
		t.Errorf("parameters are shown as %s", got)
	}
}

// TestBuiltInParameters are filled in on the machine, so they are no business of the call.
func TestBuiltInParameters(t *testing.T) {
	t.Parallel()
	if err := checkPlaceholders([]byte("{{ACS::InstanceId}} {{ name }} {{\nname2\n}} ${{}")); err != nil {
		t.Error(err)
	}
}

func FuzzParameters(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":"b"}`, `{"a":1e9,"b":false}`, `{"a":"1","A":"2"}`, `[1]`, `{"a":{}}`, `{"":""}`, `{"a":"\ud800"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseParameters(text)
		if err != nil || text == "" {
			return
		}
		var want map[string]any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("%q was taken although it is not an object: %v", text, err)
		}
		if len(want) != len(p.values) {
			t.Fatalf("%q: %d values, want %d", text, len(p.values), len(want))
		}
		for name := range maps.Keys(want) {
			if v, ok := p.values[name]; !ok || !utf8.ValidString(v) {
				t.Fatalf("%q: value of %q is %q", text, name, v)
			}
		}
	})
}

func FuzzEncoding(f *testing.F) {
	f.Add([]byte("echo"), "ZWNobw==")
	f.Add([]byte{0xff, 0}, "ZWNobw")
	f.Fuzz(func(t *testing.T, b []byte, s string) {
		back, err := Base64.Bytes(Base64.Text(b))
		if err != nil || string(back) != string(b) {
			t.Fatalf("%q came back as %q: %v", b, back, err)
		}
		if !utf8.ValidString(PlainText.Text(b)) {
			t.Fatalf("%q is no text", PlainText.Text(b))
		}
		_, _ = Base64.Bytes(s) // must not panic
	})
}
