package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func document(t testing.TB, statements ...string) Document {
	t.Helper()
	d, err := Parse([]byte(`{"Version": "1", "Statement": [` + strings.Join(statements, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	const fine = `{"Effect": "Allow", "Action": "*", "Resource": "*"}`
	in := func(statement string) string {
		return `{"Version": "1", "Statement": [` + fine + `, ` + statement + `]}`
	}
	with := func(condition string) string {
		return in(`{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": ` + condition + `}`)
	}
	about := func(resource string) string {
		return in(`{"Effect": "Allow", "Action": "*", "Resource": ` + resource + `}`)
	}
	doing := func(action string) string {
		return in(`{"Effect": "Allow", "Action": ` + action + `, "Resource": "*"}`)
	}
	tests := []struct{ name, text, want string }{
		{"empty", ``, "policy is not JSON"},
		{"not JSON", `{"Version"`, "policy is not JSON"},
		{"two documents", `{} {}`, "policy is not JSON"},
		{"not an object", `[]`, "policy: not an object"},
		{"not UTF-8", "{\"Version\": \"1\xff\"}", "not UTF-8"},
		{"no version", `{"Statement": [` + fine + `]}`, `Version: "" is not "1"`},
		{"other version", `{"Version": "2.0", "Statement": [` + fine + `]}`, `Version: "2.0" is not "1"`},
		{"version is a number", `{"Version": 1, "Statement": [` + fine + `]}`, "Version: "},
		{"no statement", `{"Version": "1"}`, "Statement: missing or empty"},
		{"empty statements", `{"Version": "1", "Statement": []}`, "Statement: missing or empty"},
		{"statement not in a list", `{"Version": "1", "Statement": ` + fine + `}`, "Statement: "},
		{"unknown field", `{"Version": "1", "Id": "x", "Statement": [` + fine + `]}`, "Id: unknown field"},
		{"letter case", `{"version": "1", "Statement": [` + fine + `]}`, "version: unknown field"},
		{"twice", `{"Version": "1", "Version": "1", "Statement": [` + fine + `]}`, "Version: comes twice"},
		{
			"too many statements", `{"Version": "1", "Statement": [` + strings.Repeat(`{},`, 100) + `{}]}`,
			"Statement: 101 are more than 100",
		},
		{"too long", `{"Version": "` + strings.Repeat("1", MaxBytes) + `"}`, "more than 6144"},

		{"statement is null", in(`null`), "statement 1: not an object"},
		{"statement is empty", in(`{}`), "statement 1: no Effect"},
		{"no effect", in(`{"Action": "*", "Resource": "*"}`), "statement 1: no Effect"},
		{"unknown effect", in(`{"Effect": "allow", "Action": "*", "Resource": "*"}`), `statement 1: Effect: "allow" is neither`},
		{"effect is null", in(`{"Effect": null}`), `statement 1: Effect: "" is neither`},
		{"effect is a list", in(`{"Effect": ["Allow"]}`), "statement 1: Effect: "},
		{"effect twice", in(`{"Effect": "Deny", "Effect": "Allow"}`), "statement 1: Effect: comes twice"},
		{"field of another vendor", in(`{"Sid": "a", "Effect": "Allow"}`), "statement 1: Sid: unknown field"},
		{"principal", in(`{"Principal": "*"}`), "statement 1: Principal: unknown field"},

		{"no action", in(`{"Effect": "Allow", "Resource": "*"}`), "statement 1: neither Action nor NotAction"},
		{"both actions", in(`{"Action": "*", "NotAction": "*"}`), "statement 1: NotAction: either Action or NotAction"},
		{"empty action", doing(`""`), `statement 1: Action: "" names no action`},
		{"empty actions", doing(`[]`), "statement 1: Action: empty list"},
		{"action is null", doing(`null`), "statement 1: Action: want a text"},
		{"action is a number", doing(`[1]`), "statement 1: Action: want a text"},
		{"misspelt action", doing(`["ecs:RunCommand", "ecs:RunComand"]`), `statement 1: Action: "ecs:RunComand" names no action`},
		{"action without product", doing(`"RunCommand"`), `names no action`},
		{"action of another product", doing(`"oss:*"`), `"oss:*" names no action`},
		{"action that a vendor lacks", doing(`"zos:RunCommand"`), `names no action`},
		{"other actions misspelt", in(`{"NotAction": "ecs:Foo"}`), "statement 1: NotAction: "},

		{"no resource", in(`{"Effect": "Allow", "Action": "*"}`), "statement 1: neither Resource nor NotResource"},
		{"both resources", in(`{"Resource": "*", "NotResource": "*"}`), "statement 1: NotResource: either Resource or NotResource"},
		{"empty resource", about(`""`), "statement 1: Resource: "},
		{"empty resources", about(`[]`), "statement 1: Resource: empty list"},
		{"resource is an object", about(`{}`), "statement 1: Resource: want a text"},
		{"resource cut short", about(`"acs:ecs:*:instance/i-1"`), "is not acs:product:region:account:kind/id"},
		{"Tencent resource cut short", about(`"qcs::tat:*:command/*"`), "is not qcs::product:region:account:kind/id"},
		{"Tencent project", about(`"qcs:id/1:tat:*:*:command/*"`), "is not qcs::product:region:account:kind/id"},
		{"kind alone", about(`"acs:ecs:*:*:instance"`), "want kind/id"},
		{"kind without id", about(`"node/"`), "want kind/id"},
		{"unknown kind", about(`"acs:ecs:*:*:disk/d-1"`), "no such kind of resource"},
		{"kind of another product", about(`"acs:eflo:*:*:instance/i-1"`), "no such kind of resource"},
		{"unknown product", about(`"acs:oss:*:*:*"`), "no such kind of resource"},
		{"unknown neutral kind", about(`"instance/i-1"`), "no such kind of resource"},
		{"other system", about(`"arn:aws:ec2:::instance/i-1"`), "no such kind of resource"},

		{"condition is a list", with(`[]`), "statement 1: Condition: not an object"},
		{"unknown operator", with(`{"StringMatches": {"errand:User": "a"}}`), "StringMatches errand:User: there is no such operator"},
		{"operator of another vendor", with(`{"StringEqualsIfExists": {"errand:User": "a"}}`), "there is no such operator"},
		{"operator without key", with(`{"StringEquals": {}}`), "statement 1: Condition: StringEquals: no key"},
		{"operator is a text", with(`{"StringEquals": "a"}`), "statement 1: Condition: StringEquals: not an object"},
		{"operator twice", with(`{"Bool": {"acs:SecureTransport": true}, "Bool": {"acs:SecureTransport": false}}`), "Bool: comes twice"},
		{"unknown key", with(`{"StringEquals": {"acs:Foo": "a"}}`), "StringEquals acs:Foo: there is no such key"},
		{"key in other letter case", with(`{"IpAddress": {"acs:sourceip": "::1"}}`), "there is no such key"},
		{"key of another vendor", with(`{"StringEquals": {"aws:SourceIp": "a"}}`), "there is no such key"},
		{"tag without key", with(`{"StringEquals": {"acs:ResourceTag/": "a"}}`), "there is no such key"},
		{"key with a tail", with(`{"StringEquals": {"errand:User/x": "a"}}`), "there is no such key"},
		{"text against address", with(`{"StringLike": {"acs:SourceIp": "10.*"}}`), "StringLike does not compare this kind of key"},
		{"address against text", with(`{"IpAddress": {"errand:User": "10.0.0.1"}}`), "IpAddress does not compare this kind of key"},
		{"number against time", with(`{"NumericLessThan": {"acs:CurrentTime": "1"}}`), "does not compare this kind of key"},
		{"no value", with(`{"StringEquals": {"errand:User": []}}`), "StringEquals errand:User: empty list"},
		{"value is null", with(`{"StringEquals": {"errand:User": null}}`), "want a text"},
		{"value is a list", with(`{"StringEquals": {"errand:User": [["a"]]}}`), "want a text"},
		{"not a number", with(`{"NumericEquals": {"acs:RequestTag/n": "ten"}}`), `"ten" is not a number`},
		{"not a finite number", with(`{"NumericEquals": {"acs:RequestTag/n": "NaN"}}`), `"NaN" is not a number`},
		{"not a time", with(`{"DateLessThan": {"acs:CurrentTime": "tomorrow"}}`), `"tomorrow" is not a time`},
		{"not a truth value", with(`{"Bool": {"acs:SecureTransport": "1"}}`), `"1" is neither true nor false`},
		{"not an address", with(`{"IpAddress": {"acs:SourceIp": ["10.0.0.1", "10.0.0"]}}`), `"10.0.0" is neither an address`},
		{"not a network", with(`{"IpAddress": {"acs:SourceIp": "10.0.0.0/33"}}`), `"10.0.0.0/33" is neither an address`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestParseLimits(t *testing.T) {
	t.Parallel()
	d := document(t, strings.TrimSuffix(strings.Repeat(`{"Effect":"Deny","Action":"*","Resource":"*"},`, MaxStatements), ","))
	if got := len(d.statements); got != MaxStatements {
		t.Errorf("%d statements, want %d", got, MaxStatements)
	}
	// A comma and a text of n bytes in quotation marks are n+3 bytes.
	long := func(n int) string {
		const head, tail = `{"Version":"1","Statement":[{"Effect":"Deny","Action":"*","Resource":["*","node/`, `"]}]}`
		return head + strings.Repeat("x", n-len(head)-len(tail)) + tail
	}
	if d, err := Parse([]byte(long(MaxBytes))); err != nil || len(d.Text()) != MaxBytes {
		t.Errorf("%d bytes: %v", MaxBytes, err)
	}
	if _, err := Parse([]byte(long(MaxBytes + 1))); err == nil {
		t.Errorf("%d bytes are accepted", MaxBytes+1)
	}
	if _, err := Parse([]byte(strings.Repeat(" ", MaxBytes) + long(MaxBytes))); err != nil {
		t.Errorf("blanks count: %v", err)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte(`{
		"Statement": [{"Resource": "*", "Effect": "Allow", "Action": ["ecs:*", "*.list"], "Condition": {}}],
		"Version": "1"
	}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Statement":[{"Resource":"*","Effect":"Allow","Action":["ecs:*","*.list"],"Condition":{}}],"Version":"1"}`
	text := d.Text()
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	text[0] = 'x'
	if string(d.Text()) != want {
		t.Error("the caller's copy is the document's own text")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`))
	f.Add([]byte(`{"Version":"1","Statement":[{"Effect":"Deny","NotAction":["ecs:Describe*"],"NotResource":["acs:ecs:*:*:instance/i-*"]}]}`))
	f.Add([]byte(`{"Version":"1","Statement":[{"Effect":"Deny","Action":"tat:*","Resource":"qcs::tat::uin/1:command/*","Condition":
		{"IpAddress":{"acs:SourceIp":["10.0.0.0/8","::1"]},"Bool":{"acs:SecureTransport":false},"NumericLessThan":{"acs:RequestTag/n":1e3}}}]}`))
	for _, b := range Builtin() {
		f.Add(b.Document.Text())
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Parse(text)
		if err != nil {
			return
		}
		if len(d.Text()) > MaxBytes || !json.Valid(d.Text()) {
			t.Errorf("accepted %q", d.Text())
		}
		again, err := Parse(d.Text())
		if err != nil {
			t.Fatalf("accepted once but not again: %v", err)
		}
		if fmt.Sprint(again) != fmt.Sprint(d) {
			t.Error("means something else the second time")
		}
		r := &Request{Verb: "invocation.run", Action: "ecs:RunCommand", Resources: []Resource{{Name: "node/web1"}}}
		decision := Set{{"p", d}}.Decide(r)
		if decision.Allowed == (decision.Reason != "") {
			t.Errorf("unclear decision %+v", decision)
		}
	})
}
