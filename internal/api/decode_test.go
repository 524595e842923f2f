package api

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/sign"
	"errand/internal/core"
)

type pair struct{ Key, Value string }

type filter struct {
	Name   string
	Values []string
}

type settings struct {
	Enabled *bool
	Window  []string
}

type common struct {
	RegionID string `json:"RegionId"`
}

type request struct {
	common
	Name       *string
	Timeout    *int64
	Size       *uint64
	Enable     *bool
	InstanceID []string `json:"InstanceId"`
	Tag        []pair
	Filters    []filter
	Settings   *settings
	Anything   any
}

func ptr[T any](v T) *T { return &v }

func TestDecodeFlat(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in   sign.Values
		want request
		bad  string // parameter that is at fault
	}{
		"nothing":           {sign.Values{}, request{}, ""},
		"scalars":           {sign.Values{"Name": "n", "Timeout": "60", "Enable": "true", "RegionId": "r"}, request{common: common{"r"}, Name: ptr("n"), Timeout: ptr(int64(60)), Enable: ptr(true)}, ""},
		"empty is a value":  {sign.Values{"Name": ""}, request{Name: ptr("")}, ""},
		"python booleans":   {sign.Values{"Enable": "False"}, request{Enable: ptr(false)}, ""},
		"list from one":     {sign.Values{"InstanceId.1": "a", "InstanceId.2": "b"}, request{InstanceID: []string{"a", "b"}}, ""},
		"list from zero":    {sign.Values{"InstanceId.0": "a", "InstanceId.1": "b"}, request{InstanceID: []string{"a", "b"}}, ""},
		"gaps order":        {sign.Values{"InstanceId.10": "b", "InstanceId.9": "a"}, request{InstanceID: []string{"a", "b"}}, ""},
		"list as JSON":      {sign.Values{"InstanceId": `["a","b"]`}, request{InstanceID: []string{"a", "b"}}, ""},
		"structs":           {sign.Values{"Tag.1.Key": "k", "Tag.1.Value": "v", "Tag.2.Key": "l"}, request{Tag: []pair{{"k", "v"}, {"l", ""}}}, ""},
		"structs in lists":  {sign.Values{"Filters.0.Name": "n", "Filters.0.Values.0": "a", "Filters.0.Values.1": "b"}, request{Filters: []filter{{"n", []string{"a", "b"}}}}, ""},
		"dotted struct":     {sign.Values{"Settings.Enabled": "true", "Settings.Window.1": "w"}, request{Settings: &settings{ptr(true), []string{"w"}}}, ""},
		"struct as JSON":    {sign.Values{"Settings": `{"Enabled":true,"Window":["w"]}`}, request{Settings: &settings{ptr(true), []string{"w"}}}, ""},
		"unknown":           {sign.Values{"OwnerId": "1", "Deep.er.1": "x"}, request{}, ""},
		"not a number":      {sign.Values{"Timeout": "1.0"}, request{}, "Timeout"},
		"too large":         {sign.Values{"Timeout": "9223372036854775808"}, request{}, "Timeout"},
		"negative unsigned": {sign.Values{"Size": "-1"}, request{}, "Size"},
		"not a boolean":     {sign.Values{"Enable": "yes"}, request{}, "Enable"},
		"not an index":      {sign.Values{"InstanceId.x": "a"}, request{}, "InstanceId.x"},
		"odd index":         {sign.Values{"InstanceId.01": "a"}, request{}, "InstanceId.01"},
		"list and value":    {sign.Values{"InstanceId.1": "a", "InstanceId.1.2": "b"}, request{}, "InstanceId.1.2"},
		"value for list":    {sign.Values{"InstanceId": "a"}, request{}, "InstanceId"},
		"list for value":    {sign.Values{"Name.1": "a"}, request{}, "Name"},
		"struct in scalars": {sign.Values{"InstanceId": `[{"a":1}]`}, request{}, "InstanceId.0"},
		"null in a list":    {sign.Values{"InstanceId": `[null]`}, request{}, "InstanceId.0"},
		"text after JSON":   {sign.Values{"InstanceId": `["a"] x`}, request{}, "InstanceId"},
	}
	for name, tt := range tests {
		var got request
		err := DecodeFlat(tt.in, &got)
		if tt.bad != "" {
			var p *ParamError
			if !errors.As(err, &p) || !strings.HasPrefix(p.Name, strings.Split(tt.bad, ".")[0]) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(request{})); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
	}
}

func TestDecodeJSON(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in      string
		want    request
		bad     string
		unknown bool
	}{
		"empty object":      {`{}`, request{}, "", false},
		"null is absent":    {`{"Name":null,"InstanceId":null}`, request{}, "", false},
		"explicit zeros":    {`{"Name":"","Timeout":0,"Enable":false,"InstanceId":[]}`, request{Name: ptr(""), Timeout: ptr(int64(0)), Enable: ptr(false), InstanceID: []string{}}, "", false},
		"nested":            {`{"Filters":[{"Name":"n","Values":["a"]}]}`, request{Filters: []filter{{"n", []string{"a"}}}}, "", false},
		"quoted number":     {`{"Timeout":"60"}`, request{}, "Timeout", false},
		"fraction":          {`{"Timeout":60.0}`, request{}, "Timeout", false},
		"quoted boolean":    {`{"Enable":"true"}`, request{}, "Enable", false},
		"number for text":   {`{"Name":1}`, request{}, "Name", false},
		"text for list":     {`{"InstanceId":"a"}`, request{}, "InstanceId", false},
		"object for list":   {`{"InstanceId":{"0":"a"}}`, request{}, "InstanceId", false},
		"unknown member":    {`{"Nome":"n"}`, request{}, "Nome", true},
		"unknown inside":    {`{"Filters":[{"name":"n"}]}`, request{}, "Filters.0.name", true},
		"not an object":     {`[]`, request{}, "", false},
		"malformed":         {`{"Name":`, request{}, "", false},
		"text after":        {`{} {}`, request{}, "", false},
		"list of the wrong": {`{"InstanceId":["a",2]}`, request{}, "InstanceId.1", false},
	}
	for name, tt := range tests {
		var got request
		err := DecodeJSON([]byte(tt.in), &got, true)
		if tt.bad != "" || name == "not an object" || name == "malformed" || name == "text after" {
			var p *ParamError
			if !errors.As(err, &p) || p.Name != tt.bad || p.Unknown != tt.unknown {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(request{})); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
	}
}

func TestTooManyParameters(t *testing.T) {
	t.Parallel()
	in := sign.Values{}
	for i := range maxParams + 1 {
		in["P"+strings.Repeat("x", i%50)+string(rune('a'+i%26))+string(rune('a'+i/26%26))+string(rune('a'+i/676))] = ""
	}
	if err := DecodeFlat(in, &request{}); len(in) > maxParams && err == nil {
		t.Errorf("%d parameters are taken", len(in))
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("InstanceId.1=a&Tag.1.Key=k", `{"Name":"n","Filters":[{"Values":["a"]}]}`)
	f.Fuzz(func(_ *testing.T, flat, text string) {
		in := sign.Values{}
		for kv := range strings.SplitSeq(flat, "&") {
			k, v, _ := strings.Cut(kv, "=")
			in[k] = v
		}
		_ = DecodeFlat(in, &request{})
		_ = DecodeJSON([]byte(text), &request{}, true)
	})
}

func TestEncodeXML(t *testing.T) {
	t.Parallel()
	type item struct {
		ID    string `json:"Id"`
		Count int64
		On    bool
		Gone  string `json:"Gone,omitempty"`
	}
	type answer struct {
		common
		Items struct{ Item []item }
		Bare  []item
		None  []item
		Ptr   *item
	}
	a := answer{common: common{"r<&>"}}
	a.Items.Item = []item{{ID: "1", On: true}, {ID: "2", Count: 3, Gone: "x"}}
	a.Bare = []item{{ID: "3"}}
	b, err := EncodeXML("DescribeResponse", &a)
	want := `<?xml version='1.0' encoding='UTF-8'?><DescribeResponse><RegionId>r&lt;&amp;&gt;</RegionId><Items>` +
		`<Item><Id>1</Id><Count>0</Count><On>true</On></Item><Item><Id>2</Id><Count>3</Count><On>false</On><Gone>x</Gone></Item></Items>` +
		`<Bare><Id>3</Id><Count>0</Count><On>false</On></Bare></DescribeResponse>`
	if d := cmp.Diff(want, string(b)); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
}

func TestIDForms(t *testing.T) {
	t.Parallel()
	id := core.ID(1<<50 + 12345)
	for _, form := range []string{id.String(), "c-" + id.String(), "cmd-" + id.String()} {
		if got, ok := CommandID(form); !ok || got != id {
			t.Errorf("CommandID(%q) = %v, %v", form, got, ok)
		}
	}
	for _, prefix := range nodePrefixes {
		if shown := ShowNode(prefix, id.String()); shown != prefix+id.String() || NodeID(shown) != id.String() {
			t.Errorf("shown as %q, read as %q", shown, NodeID(shown))
		}
	}
	for _, given := range []string{"i-bp1aaaaaaaaaaaaaaaaa", "ins-a1b2c3d4", "e01-cn-lbj36wkp70b", "my.host:1", ""} {
		if NodeID(given) != given || ShowNode("mi-", given) != given {
			t.Errorf("%q does not stay as the operator gave it", given)
		}
	}
	for _, bad := range []string{"", "c-", "c-0", "t-zzzzzzzzzzzzzzzz", strings.Repeat("a", 200)} {
		if _, ok := CommandID(bad); ok {
			t.Errorf("CommandID(%q) takes it", bad)
		}
	}
}
