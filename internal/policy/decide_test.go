package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	gen1 = "0d5qkz8w3e7ta4mn" // ids of the form the server makes
	gen2 = "0d5qkz8w3e7tb9xy"
)

// call is a request through one of the dialects, for a table to change.
func call(action, verb string, resources ...string) Request {
	r := Request{
		Verb: verb, Action: action, Account: "1000000000000001", Region: "cn-hangzhou", User: "ana",
		Source: netip.MustParseAddr("203.0.113.7"), Secure: true, Time: time.Date(2026, 3, 1, 12, 0, 0, 500e6, time.UTC),
	}
	for _, name := range resources {
		r.Resources = append(r.Resources, Resource{Name: name})
	}
	return r
}

func (r Request) from(addr string) Request {
	r.Source, _ = netip.ParseAddr(addr)
	return r
}

func (r Request) at(t time.Time) Request {
	r.Time = t
	return r
}

func (r Request) plain() Request {
	r.Secure = false
	return r
}

func (r Request) in(region, account string) Request {
	r.Region, r.Account = region, account
	return r
}

// tagged gives tags to the resource of that number.
func (r Request) tagged(resource int, pairs ...string) Request {
	r.Resources[resource].Tags = tags(pairs)
	return r
}

func (r Request) giving(pairs ...string) Request {
	r.RequestTags = tags(pairs)
	return r
}

func (r Request) by(user string) Request {
	r.User = user
	return r
}

func tags(pairs []string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

func run(resources ...string) Request { return call("ecs:RunCommand", "invocation.run", resources...) }

func allow(action, resource string) string { return statementText("Allow", action, resource, "") }

func deny(action, resource string) string { return statementText("Deny", action, resource, "") }

// when is a statement that allows everything under a condition.
func when(operator, key, values string) string {
	return statementText("Allow", `"*"`, `"*"`, fmt.Sprintf(`{%q: {%q: %s}}`, operator, key, values))
}

func statementText(effect, action, resource, condition string) string {
	if condition == "" {
		condition = "{}"
	}
	return fmt.Sprintf(`{"Effect": %q, "Action": %s, "Resource": %s, "Condition": %s}`, effect, action, resource, condition)
}

func TestDecide(t *testing.T) {
	t.Parallel()
	const all = `"*"`
	one := func(statements ...string) []string { return statements }
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name       string
		statements []string
		request    Request
		want       bool
	}{
		// Actions.
		{"nothing permits nothing", nil, run("node/web1"), false},
		{"everything", one(allow(all, all)), run("node/web1"), true},
		{"vendor action", one(allow(`"ecs:RunCommand"`, all)), run("node/web1"), true},
		{"vendor action in any letter case", one(allow(`"ECS:runcommand"`, all)), run("node/web1"), true},
		{"vendor action through another dialect", one(allow(`"ecs:RunCommand"`, all)), call("tat:RunCommand", "invocation.run", "node/web1"), true},
		{"eflo action through ECS", one(allow(`"eflo:RunCommand"`, all)), run("node/web1"), true},
		{"another vendor action", one(allow(`"ecs:StopInvocation"`, all)), run("node/web1"), false},
		{"one of several", one(allow(`["ecs:StopInvocation", "ecs:RunCommand"]`, all)), run("node/web1"), true},
		{"vendor wildcard", one(allow(`"ecs:Describe*"`, all)), call("ecs:DescribeCommands", "command.list"), true},
		{"vendor wildcard through Zenlayer", one(allow(`"ecs:Describe*"`, all)), call("zos:DescribeCommandInvocations", "invocation.list"), true},
		{"vendor wildcard stops there", one(allow(`"ecs:Describe*"`, all)), run("node/web1"), false},
		{"question mark", one(allow(`"ecs:???Command"`, all)), run("node/web1"), true},
		{"question mark stands for one character", one(allow(`"ecs:??????Command"`, all)), run("node/web1"), false},
		{"all of a product", one(allow(`"tat:*"`, all)), call("tat:CreateInvoker", "schedule.create", "node/web1"), true},
		{"all of a product that lacks it", one(allow(`"ecs:*"`, all)), call("tat:CreateInvoker", "schedule.create", "node/web1"), false},
		{"all of ZOS", one(allow(`"zos:*"`, all)), call("zos:InvokeCommand", "invocation.invoke", "command/"+gen1), true},
		{"all of ZOS does not run", one(allow(`"zos:*"`, all)), run("node/web1"), false},
		{"same name in every product", one(allow(`"*:StopInvocation"`, all)), call("tat:CancelInvocation", "invocation.stop", "node/web1"), true},
		{"neutral verb", one(allow(`"invocation.run"`, all)), run("node/web1"), true},
		{"neutral verb with product", one(allow(`"errand:invocation.run"`, all)), run("node/web1"), true},
		{"neutral wildcard", one(allow(`"*.list"`, all)), call("tat:DescribeInvocationTasks", "task.list"), true},
		{"native verb", one(allow(`"user.*"`, all)), call("errand:user.create", "user.create", "user/bo"), true},
		{"product wildcard has no native verbs", one(allow(`["ecs:*", "eflo:*", "tat:*", "zos:*"]`, all)), call("", "user.create", "user/bo"), false},
		{"other action", one(`{"Effect": "Allow", "NotAction": "ecs:RunCommand", "Resource": "*"}`), call("", "task.list"), true},
		{"not that action", one(`{"Effect": "Allow", "NotAction": "ecs:RunCommand", "Resource": "*"}`), run("node/web1"), false},
		{"not those actions", one(`{"Effect": "Allow", "NotAction": ["user.*", "*:Run*"], "Resource": "*"}`), run("node/web1"), false},
		{"deny all other actions", one(allow(all, all), `{"Effect": "Deny", "NotAction": "*.list", "Resource": "*"}`), run("node/web1"), false},
		{"unknown verb", one(allow(all, all)), call("ecs:Foo", "foo.bar", "node/web1"), false},
		{"unknown verb is no other action", one(`{"Effect": "Allow", "NotAction": "user.*", "Resource": "*"}`), call("", "foo.bar"), false},

		// Resource names of each dialect.
		{"neutral name", one(allow(all, `"node/web1"`)), run("node/web1"), true},
		{"neutral name of another", one(allow(all, `"node/web1"`)), run("node/web2"), false},
		{"letter case of ids counts", one(allow(all, `"node/web1"`)), run("node/WEB1"), false},
		{"neutral wildcard name", one(allow(all, `"node/web*"`)), run("node/web2"), true},
		{"wildcard in the middle", one(allow(all, `"node/web*-eu-?"`)), run("node/web2-eu-3"), true},
		{"wildcard kind", one(allow(all, `"*/web1"`)), run("node/web1"), true},
		{"kind is not an id", one(allow(all, `"node/*"`)), call("", "command.create", "command/*"), false},
		{"ECS instance", one(allow(all, `"acs:ecs:*:*:instance/i-`+gen1+`"`)), run("node/" + gen1), true},
		{"ECS managed instance", one(allow(all, `"acs:ecs:*:*:instance/mi-`+gen1+`"`)), run("node/" + gen1), true},
		{"ECS instance without prefix", one(allow(all, `"acs:ecs:*:*:instance/`+gen1+`"`)), run("node/" + gen1), true},
		{"ECS instance, another", one(allow(all, `"acs:ecs:*:*:instance/i-`+gen2+`"`)), run("node/" + gen1), false},
		{"ECS instance that the operator named", one(allow(all, `"acs:ecs:*:*:instance/i-web1"`)), run("node/i-web1"), true},
		{"its prefix stays", one(allow(all, `"acs:ecs:*:*:instance/i-web1"`)), run("node/web1"), false},
		{"prefix and wildcard, generated", one(allow(all, `"acs:ecs:*:*:instance/i-0d5*"`)), run("node/" + gen1), true},
		{"prefix and wildcard, operator's", one(allow(all, `"acs:ecs:*:*:instance/i-*"`)), run("node/i-web1"), true},
		{"prefix and wildcard, operator's without", one(allow(all, `"acs:ecs:*:*:instance/i-*"`)), run("node/web1"), false},
		{"wildcard over the prefix", one(allow(all, `"acs:ecs:*:*:instance/i*4mn"`)), run("node/" + gen1), true},
		{"all ECS instances", one(allow(all, `"acs:ecs:*:*:instance/*"`)), run("node/web1", "node/"+gen1), true},
		{"all of ECS", one(allow(all, `"acs:ecs:*:*:*"`)), run("node/web1", "command/"+gen1), true},
		{"all of ECS, also what has no name", one(allow(all, `"acs:ecs:*:*:*"`)), call("", "region.list"), true},
		{"ECS command", one(allow(all, `"acs:ecs:*:*:command/c-`+gen1+`"`)), call("ecs:InvokeCommand", "invocation.invoke", "command/"+gen1), true},
		{"ECS commands", one(allow(all, `"acs:ecs:*:*:command/c-*"`)), call("tat:InvokeCommand", "invocation.invoke", "command/"+gen1), true},
		{"ECS command is no instance", one(allow(all, `"acs:ecs:*:*:command/*"`)), run("node/web1"), false},
		{"ECS invocation", one(allow(all, `"acs:ecs:*:*:invocation/t-`+gen1+`"`)), call("", "invocation.stop", "invocation/"+gen1), true},
		{"ECS file task", one(allow(all, `"acs:ecs:*:*:invocation/f-`+gen1+`"`)), call("", "file.list", "invocation/"+gen1), true},
		{
			"ECS activation", one(allow(all, `"acs:ecs:*:*:activation/01234567-89AB-8DEF-8123-456789ABCDEF"`)),
			call("", "registration.disable", "registration/01234567-89ab-8def-8123-456789abcdef"), true,
		},
		{"ECS session", one(allow(all, `"acs:ecs:*:*:session/s-`+gen1+`"`)), call("", "session.end", "session/"+gen1), true},
		{"eflo node", one(allow(all, `"acs:eflo:cn-hangzhou:1000000000000001:node/e01-`+gen1+`"`)), run("node/" + gen1), true},
		{"eflo nodes", one(allow(all, `"acs:eflo:*:*:node/*"`)), call("eflo:DescribeInvocations", "invocation.list", "node/*"), true},
		{"eflo nodes are not everything", one(allow(all, `"acs:eflo:*:*:node/*"`)), call("eflo:DescribeRegions", "region.list"), false},
		{"either Alibaba product", one(allow(all, `"acs:*:*:*:node/web1"`)), run("node/web1"), true},
		{"CVM instance", one(allow(all, `"qcs::cvm:*:uin/*:instance/ins-`+gen1+`"`)), run("node/" + gen1), true},
		{"CVM, managed instance", one(allow(all, `"qcs::cvm:::instance/rins-`+gen1+`"`)), run("node/" + gen1), true},
		{"Lighthouse instance", one(allow(all, `"qcs::lighthouse:::instance/lhins-`+gen1+`"`)), run("node/" + gen1), true},
		{"TAT command", one(allow(all, `"qcs::tat::uin/1000000000000001:command/cmd-`+gen1+`"`)), call("", "command.delete", "command/"+gen1), true},
		{"TAT command, another", one(allow(all, `"qcs::tat:::command/cmd-`+gen1+`"`)), call("", "command.delete", "command/"+gen2), false},
		{"TAT invoker", one(allow(all, `"qcs::tat:::invoker/ivk-`+gen1+`"`)), call("", "schedule.delete", "schedule/"+gen1), true},
		{"node id with colons", one(allow(all, `"acs:ecs:*:*:instance/rack:7:a"`)), run("node/rack:7:a"), true},
		{"collection", one(allow(all, `"command/*"`)), call("", "command.create", "command/*"), true},
		{"collection is not one of it", one(allow(all, `"node/web1"`)), call("", "node.list", "node/*"), false},
		{"no resource needs *", one(allow(all, `"node/*"`)), call("", "node.list"), false},
		{"other resource", one(`{"Effect": "Allow", "Action": "*", "NotResource": "node/db*"}`), run("node/web1"), true},
		{"not that resource", one(`{"Effect": "Allow", "Action": "*", "NotResource": "node/db*"}`), run("node/db1"), false},
		{"not those resources", one(`{"Effect": "Allow", "Action": "*", "NotResource": ["node/a", "acs:ecs:*:*:instance/b"]}`), run("node/b"), false},
		{"deny all other resources", one(allow(all, all), `{"Effect": "Deny", "Action": "*", "NotResource": "node/web*"}`), run("node/db1"), false},

		// Account and region.
		{"region", one(allow(all, `"acs:ecs:cn-hangzhou:*:instance/*"`)), run("node/web1"), true},
		{"another region", one(allow(all, `"acs:ecs:cn-beijing:*:instance/*"`)), run("node/web1"), false},
		{"region wildcard", one(allow(all, `"acs:ecs:cn-*:*:instance/*"`)), run("node/web1"), true},
		{"empty region", one(allow(all, `"acs:ecs::1000000000000001:instance/*"`)), run("node/web1"), true},
		{"region unknown", one(allow(all, `"acs:ecs:cn-*:*:instance/*"`)), run("node/web1").in("", "1000000000000001"), false},
		{"account", one(allow(all, `"acs:ecs:*:1000000000000001:instance/*"`)), run("node/web1"), true},
		{"another account", one(allow(all, `"acs:ecs:*:1000000000000002:instance/*"`)), run("node/web1"), false},
		{"another Tencent account", one(allow(all, `"qcs::cvm::uin/1000000000000002:instance/*"`)), run("node/web1"), false},
		{"another region's deny", one(allow(all, all), deny(all, `"acs:ecs:cn-beijing:*:*"`)), run("node/web1"), true},

		// Several resources, several statements.
		{"deny wins after", one(allow(all, all), deny(`"ecs:RunCommand"`, `"node/web1"`)), run("node/web1"), false},
		{"deny wins before", one(deny(`"ecs:RunCommand"`, `"node/web1"`), allow(all, all)), run("node/web1"), false},
		{"deny of another action", one(deny(`"file.*"`, all), allow(all, all)), run("node/web1"), true},
		{"deny of another resource", one(deny(all, `"node/db*"`), allow(all, all)), run("node/web1"), true},
		{"deny of one among many", one(allow(all, all), deny(all, `"node/db*"`)), run("node/web1", "node/db1", "node/web2"), false},
		{"all resources allowed", one(allow(all, `"node/web*"`)), run("node/web1", "node/web2"), true},
		{"one resource is not", one(allow(all, `"node/web*"`)), run("node/web1", "node/web2", "node/db1"), false},
		{"by different statements", one(allow(all, `"node/web*"`), allow(all, `"node/db*"`)), run("node/web1", "node/db1"), true},
		{
			"command and node", one(allow(all, `["acs:ecs:*:*:instance/web1", "acs:ecs:*:*:command/c-`+gen1+`"]`)),
			call("ecs:InvokeCommand", "invocation.invoke", "command/"+gen1, "node/web1"), true,
		},
		{
			"command but not node", one(allow(all, `"acs:ecs:*:*:command/*"`)),
			call("ecs:InvokeCommand", "invocation.invoke", "command/"+gen1, "node/web1"), false,
		},

		// Conditions on text.
		{"StringEquals", one(when("StringEquals", "errand:User", `"ana"`)), run("node/web1"), true},
		{"StringEquals, other", one(when("StringEquals", "errand:User", `["bo", "Ana"]`)), run("node/web1"), false},
		{"StringEquals has no wildcards", one(when("StringEquals", "errand:User", `"a*"`)), run("node/web1"), false},
		{"StringNotEquals", one(when("StringNotEquals", "errand:User", `["bo", "cy"]`)), run("node/web1"), true},
		{"StringNotEquals, one of them", one(when("StringNotEquals", "errand:User", `["bo", "ana"]`)), run("node/web1"), false},
		{"StringEqualsIgnoreCase", one(when("StringEqualsIgnoreCase", "errand:User", `"ANA"`)), run("node/web1"), true},
		{"StringEqualsIgnoreCase, other", one(when("StringEqualsIgnoreCase", "errand:User", `"AN"`)), run("node/web1"), false},
		{"StringNotEqualsIgnoreCase", one(when("StringNotEqualsIgnoreCase", "errand:User", `"Bo"`)), run("node/web1"), true},
		{"StringNotEqualsIgnoreCase, same", one(when("StringNotEqualsIgnoreCase", "errand:User", `"Ana"`)), run("node/web1"), false},
		{"StringLike", one(when("StringLike", "errand:Action", `["tat:*", "ecs:Run*"]`)), run("node/web1"), true},
		{"StringLike, other", one(when("StringLike", "errand:Action", `"ecs:Stop*"`)), run("node/web1"), false},
		{"StringNotLike", one(when("StringNotLike", "errand:Action", `"tat:*"`)), run("node/web1"), true},
		{"StringNotLike, like", one(when("StringNotLike", "errand:Action", `"ecs:*"`)), run("node/web1"), false},
		{"dialect", one(when("StringEquals", "errand:Dialect", `"ecs"`)), run("node/web1"), true},
		{"another dialect", one(when("StringEquals", "errand:Dialect", `"ecs"`)), call("tat:RunCommand", "invocation.run", "node/web1"), false},

		// Tags.
		{"resource tag", one(when("StringEquals", "acs:ResourceTag/env", `["test", "dev"]`)), run("node/web1").tagged(0, "env", "dev"), true},
		{"resource tag by its older name", one(when("StringEquals", "ecs:tag/env", `"dev"`)), run("node/web1").tagged(0, "env", "dev"), true},
		{"resource tag, other value", one(when("StringEquals", "acs:ResourceTag/env", `"dev"`)), run("node/web1").tagged(0, "env", "prod"), false},
		{"resource tag missing", one(when("StringEquals", "acs:ResourceTag/env", `"dev"`)), run("node/web1"), false},
		{"resource tag missing, Not", one(when("StringNotEquals", "acs:ResourceTag/env", `"prod"`)), run("node/web1"), true},
		{"resource tag with an empty value", one(when("StringEquals", "acs:ResourceTag/env", `""`)), run("node/web1").tagged(0, "env", ""), true},
		{
			"resource tag on each", one(when("StringEquals", "acs:ResourceTag/env", `"dev"`)),
			run("node/a", "node/b").tagged(0, "env", "dev").tagged(1, "env", "dev"), true,
		},
		{"resource tag on one only", one(when("StringEquals", "acs:ResourceTag/env", `"dev"`)), run("node/a", "node/b").tagged(0, "env", "dev"), false},
		{
			"deny by resource tag", one(allow(all, all), statementText("Deny", all, all, `{"StringEquals": {"acs:ResourceTag/env": "prod"}}`)),
			run("node/a", "node/b").tagged(1, "env", "prod"), false,
		},
		{"request tag", one(when("StringLike", "acs:RequestTag/team", `"ops-*"`)), run("node/web1").giving("team", "ops-1"), true},
		{"request tag missing", one(when("StringLike", "acs:RequestTag/team", `"*"`)), run("node/web1").tagged(0, "team", "ops-1"), false},
		{"all keys", one(when("StringEquals", "errand:User", `"ana", "errand:Dialect": "ecs"`)), run("node/web1"), true},
		{"all keys, one fails", one(when("StringEquals", "errand:User", `"ana", "errand:Dialect": "tat"`)), run("node/web1"), false},
		{
			"all operators", one(statementText("Allow", all, all, `{"Bool": {"acs:SecureTransport": true}, "StringEquals": {"errand:User": "ana"}}`)),
			run("node/web1").plain(), false,
		},
		{"user unknown", one(when("StringLike", "errand:User", `"*"`)), run("node/web1").by(""), false},

		// Numbers, read from tags.
		{"NumericEquals", one(when("NumericEquals", "acs:ResourceTag/n", `"10"`)), run("node/a").tagged(0, "n", "1e1"), true},
		{"NumericEquals, other", one(when("NumericEquals", "acs:ResourceTag/n", `10`)), run("node/a").tagged(0, "n", "11"), false},
		{"NumericEquals, no number", one(when("NumericEquals", "acs:ResourceTag/n", `10`)), run("node/a").tagged(0, "n", "ten"), false},
		{"NumericNotEquals", one(when("NumericNotEquals", "acs:ResourceTag/n", `[10, 12]`)), run("node/a").tagged(0, "n", "11"), true},
		{"NumericNotEquals, same", one(when("NumericNotEquals", "acs:ResourceTag/n", `[10, 11]`)), run("node/a").tagged(0, "n", "11"), false},
		{"NumericNotEquals, no number", one(when("NumericNotEquals", "acs:ResourceTag/n", `10`)), run("node/a").tagged(0, "n", "ten"), true},
		{"NumericLessThan", one(when("NumericLessThan", "acs:ResourceTag/n", `10`)), run("node/a").tagged(0, "n", "9.5"), true},
		{"NumericLessThan, equal", one(when("NumericLessThan", "acs:ResourceTag/n", `10`)), run("node/a").tagged(0, "n", "10"), false},
		{"NumericLessThanEquals", one(when("NumericLessThanEquals", "acs:ResourceTag/n", `10`)), run("node/a").tagged(0, "n", "10"), true},
		{"NumericGreaterThan", one(when("NumericGreaterThan", "acs:ResourceTag/n", `-1`)), run("node/a").tagged(0, "n", "0"), true},
		{"NumericGreaterThan, equal", one(when("NumericGreaterThan", "acs:ResourceTag/n", `0`)), run("node/a").tagged(0, "n", "0"), false},
		{"NumericGreaterThanEquals", one(when("NumericGreaterThanEquals", "acs:ResourceTag/n", `0`)), run("node/a").tagged(0, "n", "0"), true},
		{"NumericGreaterThanEquals, missing", one(when("NumericGreaterThanEquals", "acs:ResourceTag/n", `0`)), run("node/a"), false},

		// Time.
		{"DateEquals", one(when("DateEquals", "acs:CurrentTime", `"2026-03-01T20:00:00+08:00"`)), run("node/web1"), true},
		{"DateEquals, other", one(when("DateEquals", "acs:CurrentTime", `"2026-03-01T12:00:01Z"`)), run("node/web1"), false},
		{"DateNotEquals", one(when("DateNotEquals", "acs:CurrentTime", `"2026-03-01T12:00:01Z"`)), run("node/web1"), true},
		{"DateLessThan", one(when("DateLessThan", "acs:CurrentTime", `"2026-03-01T12:00:01Z"`)), run("node/web1"), true},
		{"DateLessThan, equal", one(when("DateLessThan", "acs:CurrentTime", `"2026-03-01T12:00:00Z"`)), run("node/web1").at(noon), false},
		{"DateLessThanEquals", one(when("DateLessThanEquals", "acs:CurrentTime", `"2026-03-01T12:00:00Z"`)), run("node/web1"), true},
		{"DateGreaterThan", one(when("DateGreaterThan", "acs:CurrentTime", `"2026-03-01T11:59:59Z"`)), run("node/web1"), true},
		{"DateGreaterThan, equal", one(when("DateGreaterThan", "acs:CurrentTime", `"2026-03-01T12:00:00Z"`)), run("node/web1").at(noon), false},
		{"DateGreaterThanEquals", one(when("DateGreaterThanEquals", "acs:CurrentTime", `"2026-03-01T12:00:00Z"`)), run("node/web1").at(noon), true},
		{"time unknown", one(when("DateLessThan", "acs:CurrentTime", `"2030-01-01T00:00:00Z"`)), run("node/web1").at(time.Time{}), false},
		{"time unknown, Not", one(when("DateNotEquals", "acs:CurrentTime", `"2030-01-01T00:00:00Z"`)), run("node/web1").at(time.Time{}), true},
		{
			"time in a tag", one(when("DateGreaterThan", "acs:ResourceTag/until", `"2026-01-01T00:00:00Z"`)),
			run("node/a").tagged(0, "until", "2026-06-01T00:00:00Z"), true,
		},

		// Transport and address.
		{"Bool", one(when("Bool", "acs:SecureTransport", `"true"`)), run("node/web1"), true},
		{"Bool, other", one(when("Bool", "acs:SecureTransport", `true`)), run("node/web1").plain(), false},
		{"Bool false", one(when("Bool", "acs:SecureTransport", `["False"]`)), run("node/web1").plain(), true},
		{"truth in a tag", one(when("Bool", "acs:ResourceTag/open", `true`)), run("node/a").tagged(0, "open", "True"), true},
		{"no truth in a tag", one(when("Bool", "acs:ResourceTag/open", `false`)), run("node/a").tagged(0, "open", "no"), false},
		{"IpAddress", one(when("IpAddress", "acs:SourceIp", `["10.0.0.0/8", "203.0.113.7"]`)), run("node/web1"), true},
		{"IpAddress, network", one(when("IpAddress", "acs:SourceIp", `"203.0.113.99/24"`)), run("node/web1"), true},
		{"IpAddress, elsewhere", one(when("IpAddress", "acs:SourceIp", `"203.0.113.8/29"`)), run("node/web1"), false},
		{"IpAddress, IPv4 in IPv6", one(when("IpAddress", "acs:SourceIp", `"203.0.113.0/24"`)), run("node/web1").from("::ffff:203.0.113.7"), true},
		{"IpAddress, IPv6", one(when("IpAddress", "acs:SourceIp", `"2001:db8::/32"`)), run("node/web1").from("2001:db8::1"), true},
		{"IpAddress, IPv6 with zone", one(when("IpAddress", "acs:SourceIp", `"fe80::/10"`)), run("node/web1").from("fe80::1%eth0"), true},
		{"IpAddress, other family", one(when("IpAddress", "acs:SourceIp", `"::/0"`)), run("node/web1"), false},
		{"IpAddress unknown", one(when("IpAddress", "acs:SourceIp", `"0.0.0.0/0"`)), run("node/web1").from(""), false},
		{"NotIpAddress", one(when("NotIpAddress", "acs:SourceIp", `["10.0.0.0/8", "192.168.0.0/16"]`)), run("node/web1"), true},
		{"NotIpAddress, inside", one(when("NotIpAddress", "acs:SourceIp", `["10.0.0.0/8", "203.0.113.0/24"]`)), run("node/web1"), false},
		{"NotIpAddress unknown", one(when("NotIpAddress", "acs:SourceIp", `"10.0.0.0/8"`)), run("node/web1").from(""), true},
		{
			"deny from outside", one(allow(all, all), statementText("Deny", all, all, `{"NotIpAddress": {"acs:SourceIp": "10.0.0.0/8"}}`)),
			run("node/web1"), false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var set Set
			for i, s := range tt.statements { // one document each, which must make no difference
				set = append(set, Named{fmt.Sprintf("p%d", i), document(t, s)})
			}
			got := set.Decide(&tt.request)
			if got.Allowed != tt.want {
				t.Errorf("allowed %v, want %v: %s", got.Allowed, tt.want, got.Reason)
			}
			if len(set) > 0 {
				if whole := (Set{{"whole", document(t, tt.statements...)}}).Decide(&tt.request); whole.Allowed != tt.want {
					t.Errorf("in one document: allowed %v, want %v", whole.Allowed, tt.want)
				}
			}
			if explained := verdict(set.Explain(&tt.request)); explained != got.Allowed {
				t.Errorf("the explanation amounts to %v, the decision is %v", explained, got.Allowed)
			}
		})
	}
}

// verdict is what a list of traces amounts to.
func verdict(traces []Trace) bool {
	allowed := map[string]bool{}
	for _, tr := range traces {
		if tr.Matched && tr.Effect == Deny {
			return false
		}
		allowed[tr.Resource] = allowed[tr.Resource] || tr.Matched
	}
	for _, ok := range allowed {
		if !ok {
			return false
		}
	}
	return len(traces) > 0
}

func TestBuiltin(t *testing.T) {
	t.Parallel()
	tests := []struct {
		policy, verb string
		want         bool
	}{
		{"AdministratorAccess", "invocation.run", true},
		{"AdministratorAccess", "account.create", true},
		{"AdministratorAccess", "policy.attach", true},
		{"ReadOnlyAccess", "task.list", true},
		{"ReadOnlyAccess", "command.preview", true},
		{"ReadOnlyAccess", "audit.list", true},
		{"ReadOnlyAccess", "invocation.run", false},
		{"ReadOnlyAccess", "session.start", false},
		{"ReadOnlyAccess", "key.create", false},
		{"ReadOnlyAccess", "event.replay", false},
		{"OperatorAccess", "invocation.run", true},
		{"OperatorAccess", "invocation.stop", true},
		{"OperatorAccess", "file.send", true},
		{"OperatorAccess", "task.list", true},
		{"OperatorAccess", "node.list", true},
		{"OperatorAccess", "node.remove", false},
		{"OperatorAccess", "registration.create", false},
		{"OperatorAccess", "tag.add", false},
		{"OperatorAccess", "account.list", false},
		{"OperatorAccess", "user.list", false},
		{"OperatorAccess", "key.list", false},
		{"OperatorAccess", "audit.list", false},
	}
	byName := map[string]Document{}
	for _, b := range Builtin() {
		byName[b.Name] = b.Document
	}
	for _, tt := range tests {
		r := call("", tt.verb, "node/web1")
		if got := (Set{{tt.policy, byName[tt.policy]}}).Decide(&r); got.Allowed != tt.want {
			t.Errorf("%s on %s: %v, want %v", tt.policy, tt.verb, got.Allowed, tt.want)
		}
	}
	readOnly := Set{{"ReadOnlyAccess", byName["ReadOnlyAccess"]}}
	for _, v := range Verbs() {
		r := call("", v.Name)
		if got := readOnly.Decide(&r).Allowed; got != (v.Access != Write) {
			t.Errorf("ReadOnlyAccess permits %s: %v, which is to %s", v.Name, got, v.Access)
		}
	}
}

func TestDecision(t *testing.T) {
	t.Parallel()
	set := Set{
		{"base", document(t, allow(`"*.list"`, `"*"`), allow(`["tat:*", "ecs:Run*"]`, `["node/db1", "acs:ecs:*:*:instance/web*"]`))},
		{"guard", document(t,
			deny(`"file.*"`, `"*"`),
			statementText("Deny", `"ecs:*"`, `"node/*"`, `{"StringEquals": {"acs:ResourceTag/env": ["prod", "live"]}}`))},
	}
	tests := []struct {
		name    string
		request Request
		want    Decision
	}{
		{
			"allowed", run("node/web1", "node/db1"),
			Decision{Allowed: true, Policy: "base", Statement: 1, Resource: "node/web1"},
		},
		{
			"denied by no statement", run("node/web1", "node/db2"),
			Decision{Statement: -1, Resource: "node/db2", Reason: "no statement allows invocation.run on node/db2"},
		},
		{
			"denied by a statement", run("node/web1", "node/web2").tagged(1, "env", "prod"),
			Decision{
				Policy: "guard", Statement: 1, Resource: "node/web2",
				Reason: `statement 1 of policy guard denies invocation.run on node/web2 because Action "ecs:*" names invocation.run, ` +
					`Resource "node/*" names node/web2, StringEquals acs:ResourceTag/env "prod" or "live" holds`,
			},
		},
		{
			"denied without resources", call("ecs:SendFile", "file.send"),
			Decision{
				Policy: "guard", Statement: 0, Resource: "*",
				Reason: `statement 0 of policy guard denies file.send on * because Action "file.*" names file.send, Resource "*" names *`,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, set.Decide(&tt.request)); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	set := Set{{"mixed", document(t,
		allow(`"*.list"`, `"*"`),
		allow(`"ecs:Run*"`, `"node/db1"`),
		`{"Effect": "Allow", "NotAction": "*", "Resource": "*"}`,
		`{"Effect": "Allow", "NotAction": "user.*", "NotResource": "node/web*"}`,
		`{"Effect": "Allow", "NotAction": "user.*", "NotResource": "node/db*"}`,
		statementText("Deny", `"*"`, `"*"`, `{"IpAddress": {"acs:SourceIp": "10.0.0.0/8"}}`),
		statementText("Deny", `"*"`, `"*"`, `{"DateGreaterThan": {"acs:CurrentTime": "2027-01-01T00:00:00Z"}}`),
		statementText("Deny", `"*"`, `"*"`, `{"Bool": {"acs:SecureTransport": false}}`),
		statementText("Deny", `"*"`, `"*"`, `{"StringEquals": {"acs:ResourceTag/env": "prod"}}`),
		statementText("Deny", `"*"`, `"*"`, `{"StringEquals": {"errand:User": "bo"}}`),
	)}}
	r := run("node/web1")
	want := []Trace{
		{Statement: 0, Effect: Allow, Reason: "Action does not name invocation.run"},
		{Statement: 1, Effect: Allow, Reason: "Resource does not name node/web1"},
		{Statement: 2, Effect: Allow, Reason: `NotAction "*" names invocation.run`},
		{Statement: 3, Effect: Allow, Reason: `NotResource "node/web*" names node/web1`},
		{Statement: 4, Effect: Allow, Matched: true, Reason: "NotAction does not name invocation.run, NotResource does not name node/web1"},
		{Statement: 5, Effect: Deny, Reason: `IpAddress acs:SourceIp "10.0.0.0/8" does not hold, the value is 203.0.113.7`},
		{
			Statement: 6, Effect: Deny,
			Reason: `DateGreaterThan acs:CurrentTime "2027-01-01T00:00:00Z" does not hold, the value is 2026-03-01T12:00:00Z`,
		},
		{Statement: 7, Effect: Deny, Reason: `Bool acs:SecureTransport "false" does not hold, the value is true`},
		{Statement: 8, Effect: Deny, Reason: `StringEquals acs:ResourceTag/env "prod" does not hold, the value is none`},
		{Statement: 9, Effect: Deny, Reason: `StringEquals errand:User "bo" does not hold, the value is "ana"`},
	}
	for i := range want {
		want[i].Policy, want[i].Resource = "mixed", "node/web1"
	}
	if diff := cmp.Diff(want, set.Explain(&r)); diff != "" {
		t.Errorf("explanation (-want +got):\n%s", diff)
	}
	unknown := call("", "foo.bar", "node/a", "node/b")
	traces := set.Explain(&unknown)
	if len(traces) != 20 || traces[0].Reason != "there is no verb foo.bar" || traces[1].Resource != "node/b" {
		t.Errorf("unknown verb on two nodes: %d traces, first %+v", len(traces), traces[0])
	}
}

func FuzzDecide(f *testing.F) {
	f.Add("ecs:Run*", "acs:ecs:*:*:instance/i-*", "StringLike", "acs:ResourceTag/env", "p*", uint8(5), "node/web1", "prod")
	f.Add("*", "node/web1", "NumericLessThan", "acs:RequestTag/n", "5", uint8(20), "node/*", "4")
	f.Add("tat:*", "qcs::tat:*:uin/*:command/cmd-*", "IpAddress", "acs:SourceIp", "10.0.0.0/8", uint8(0), "command/x", "")
	f.Fuzz(func(t *testing.T, action, resource, operator, key, val string, verb uint8, name, tag string) {
		denyAll := Named{"deny", document(t, deny(`"*"`, `"*"`))}
		set := Set{{"allow", document(t, allow(`"*"`, `"*"`))}}
		for _, effect := range []Effect{Allow, Deny} {
			text := fmt.Sprintf(`{"Version":"1","Statement":[{"Effect":%q,"Action":%s,"Resource":%s,"Condition":{%s:{%s:%s}}}]}`,
				effect, jsonText(action), jsonText(resource), jsonText(operator), jsonText(key), jsonText(val))
			d, err := Parse([]byte(text))
			if err != nil {
				return
			}
			set = append(set, Named{"fuzzed", d})
		}
		all := Verbs()
		r := call("ecs:RunCommand", all[int(verb)%len(all)].Name, name, "node/web2").tagged(0, "env", tag).giving("n", tag)
		for n := range len(set) + 1 {
			got := set[:n].Decide(&r)
			if got.Allowed != verdict(set[:n].Explain(&r)) {
				t.Errorf("decided %+v, explained %+v", got, set[:n].Explain(&r))
			}
			if got := append(set[:n:n], denyAll).Decide(&r); got.Allowed || got.Policy == "" {
				t.Errorf("allowed although everything is denied: %+v", got)
			}
		}
		// The fuzzed statement allows exactly what it denies.
		if allows, denies := set[1:2].Decide(&r), (Set{set[0], set[2]}).Decide(&r); allows.Allowed && denies.Allowed {
			t.Errorf("allows %+v but does not deny %+v", allows, denies)
		}
	})
}

func jsonText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// largeCall is a call on a hundred nodes by somebody with twenty statements, of which only the last allows it.
func largeCall(tb testing.TB) (Set, *Request) {
	var set Set
	for i := range 9 {
		set = append(set, Named{fmt.Sprintf("p%d", i), document(tb,
			statementText("Deny", `"ecs:*"`, fmt.Sprintf(`"acs:ecs:cn-*:*:instance/secret%d*"`, i), `{"Bool": {"acs:SecureTransport": true}}`),
			allow(`"ecs:*"`, fmt.Sprintf(`"acs:ecs:*:*:instance/db%d-*"`, i)))})
	}
	set = append(set, Named{"last", document(tb,
		statementText("Deny", `"*"`, `"*"`, `{"StringEquals": {"acs:ResourceTag/env": "prod"}}`),
		statementText("Allow", `"invocation.*"`, `"acs:ecs:*:*:instance/i-*"`, `{"StringLike": {"acs:ResourceTag/env": ["test", "dev*"]}}`))})
	r := run()
	env := map[string]string{"env": "development", "team": "web"}
	for range 100 {
		r.Resources = append(r.Resources, Resource{Name: "node/" + gen1, Tags: env})
	}
	return set, &r
}

func TestDecideDoesNotAllocate(t *testing.T) {
	set, r := largeCall(t)
	if got := set.Decide(r); !got.Allowed {
		t.Fatal(got.Reason)
	}
	if n := testing.AllocsPerRun(100, func() { set.Decide(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDecide(b *testing.B) {
	set, r := largeCall(b)
	b.ReportAllocs()
	for b.Loop() {
		if !set.Decide(r).Allowed {
			b.Fatal("denied")
		}
	}
}
