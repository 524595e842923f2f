package server_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"errand/internal/core"
)

// How each vendor says that somebody may not.
const (
	ecsDenied    = "403 Forbidden.RAM"
	efloDenied   = "403 Forbidden.RAM"
	tatDenied    = "200 UnauthorizedOperation.CamAuthFailed"
	zosDenied    = "401 AUTHFAILURE_UNAUTHORIZED_OPERATION"
	nativeDenied = "403 Forbidden"
)

// statement is a document with one statement.
func statement(effect, action, resource, condition string) string {
	return document(one(effect, action, resource, condition))
}

func one(effect, action, resource, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return fmt.Sprintf(`{"Effect":%q,"Action":%q,"Resource":%q%s}`, effect, action, resource, condition)
}

func document(statements ...string) string {
	return `{"Version":"1","Statement":[` + strings.Join(statements, ",") + `]}`
}

var script = base64.StdEncoding.EncodeToString([]byte("true"))

// TestPolicies has users with one policy each call the dialects, and looks at what these answer.
func TestPolicies(t *testing.T) {
	t.Parallel()
	s := start(t, config(t))
	defer stop(t, s)
	ctx, root := t.Context(), s.RootCaller()
	machine(t, s, "web1", core.Tag{Key: "env", Value: "prod"})
	machine(t, s, "web2", core.Tag{Key: "env", Value: "test"})
	stored := func(name string) core.ID {
		c, err := s.Service.CreateCommand(ctx, root, core.CommandSpec{
			Definition: core.Definition{Name: name, Type: core.Shell, Content: []byte("true"), Timeout: time.Minute},
		})
		if err != nil {
			t.Fatal(err)
		}
		return c.ID
	}
	mine, other := stored("mine"), stored("other")
	v, err := s.Service.Run(ctx, root, core.RunSpec{
		Origin: core.OriginECS, Targets: []string{"web2"}, KillTree: true,
		Definition: core.Definition{Type: core.Shell, Content: []byte("true"), Timeout: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	run := func(nodes ...string) func(*caller) string {
		return func(c *caller) string {
			p := []string{"Type", "RunShellScript", "CommandContent", "true"}
			for i, n := range nodes {
				p = append(p, fmt.Sprintf("InstanceId.%d", i+1), n)
			}
			return c.ecs("RunCommand", p...)
		}
	}
	ecs := func(action string, p ...string) func(*caller) string {
		return func(c *caller) string { return c.ecs(action, p...) }
	}
	tat := func(action, body string) func(*caller) string {
		return func(c *caller) string { return c.tat(action, body) }
	}
	zos := func(action, body string) func(*caller) string {
		return func(c *caller) string { return c.zos(action, body) }
	}
	native := func(method, path, body string) func(*caller) string {
		return func(c *caller) string { return c.native(method, path, body) }
	}
	efloRun := func(node string) func(*caller) string {
		return func(c *caller) string {
			return c.eflo("RunCommand", "NodeIdList", `["`+node+`"]`, "CommandContent", script, "ContentEncoding", "Base64", "Name", "n", "Timeout", "60")
		}
	}
	tatRun := func(node string) func(*caller) string {
		return tat("RunCommand", `{"Content":"`+script+`","InstanceIds":["`+node+`"]}`)
	}
	nativeRun := func(node string) func(*caller) string {
		return native("POST", "invocations", `{"content":"true","targets":["`+node+`"]}`)
	}
	invoke := func(id core.ID) func(*caller) string {
		return zos("InvokeCommand", `{"commandId":"`+id.String()+`","instanceIds":["web1"]}`)
	}
	const (
		allow = "Allow"
		deny  = "Deny"
		all   = "*"
	)
	tests := []struct {
		name, rights string
		call         func(*caller) string
		want         string
	}{
		{"nothing, ECS", "", ecs("DescribeCommands"), ecsDenied},
		{"nothing, eflo", "", efloRun("web1"), efloDenied},
		{"nothing, TAT", "", tat("DescribeCommands", "{}"), tatDenied},
		{"nothing, ZOS", "", zos("DescribeCommands", "{}"), zosDenied},
		{"nothing, native", "", nativeRun("web1"), nativeDenied},
		{"nothing, regions", "", ecs("DescribeRegions"), ecsDenied},
		{"nothing, managed machines", "", ecs("DescribeManagedInstances"), ecsDenied},

		{"an action, ECS", statement(allow, "ecs:RunCommand", all, ""), run("web1"), ran},
		{"an action by another vendor's name, TAT", statement(allow, "ecs:RunCommand", all, ""), tatRun("web1"), ran},
		{"an action by another vendor's name, eflo", statement(allow, "tat:RunCommand", all, ""), efloRun("web1"), ran},
		{"the neutral verb, native", statement(allow, "invocation.run", all, ""), nativeRun("web1"), ran},
		{"another action", statement(allow, "ecs:StopInvocation", all, ""), run("web1"), ecsDenied},
		{"wildcard", statement(allow, "tat:Describe*", all, ""), tat("DescribeCommands", "{}"), ran},
		{"outside of the wildcard", statement(allow, "tat:Describe*", all, ""), tatRun("web1"), tatDenied},
		{"only through TAT, TAT", statement(allow, "tat:*", all, `{"StringEquals":{"errand:Dialect":"tat"}}`), tatRun("web1"), ran},
		{"only through TAT, ECS", statement(allow, "tat:*", all, `{"StringEquals":{"errand:Dialect":"tat"}}`), run("web1"), ecsDenied},

		{"one machine", statement(allow, "ecs:RunCommand", "acs:ecs:*:*:instance/web1", ""), run("web1"), ran},
		{"one machine, another", statement(allow, "ecs:RunCommand", "acs:ecs:*:*:instance/web1", ""), run("web2"), ecsDenied},
		{"one machine, both", statement(allow, "ecs:RunCommand", "acs:ecs:*:*:instance/web1", ""), run("web1", "web2"), ecsDenied},
		{"one machine, TAT", statement(allow, all, "qcs::cvm:::instance/web1", ""), tatRun("web1"), ran},
		{"one machine, eflo", statement(allow, all, "node/web1", ""), efloRun("web2"), efloDenied},
		{"machines by a wildcard", statement(allow, all, "node/web?", ""), run("web1", "web2"), ran},
		{"machines by tag", statement(allow, all, "node/*", `{"StringEquals":{"acs:ResourceTag/env":"test"}}`), run("web2"), ran},
		{"machines by tag, another", statement(allow, all, "node/*", `{"StringEquals":{"acs:ResourceTag/env":"test"}}`), tatRun("web1"), tatDenied},
		{
			"a denial wins", document(one(allow, all, all, ""), one(deny, "ecs:RunCommand", "node/*", `{"StringEquals":{"acs:ResourceTag/env":"prod"}}`)),
			nativeRun("web1"), nativeDenied,
		},
		{
			"a denial of another machine", document(one(allow, all, all, ""), one(deny, "*", "node/web1", "")),
			run("web2"), ran,
		},
		{"another account's machines", statement(allow, all, "acs:ecs:*:42:instance/*", ""), run("web1"), ecsDenied},
		{"in the region", statement(allow, all, "acs:ecs:cn-hangzhou:*:instance/*", ""), run("web1"), ran},
		{"in another region", statement(allow, all, "acs:ecs:cn-beijing:*:instance/*", ""), run("web1"), ecsDenied},

		{"a command, ZOS", document(one(allow, all, "command/"+mine.String(), ""), one(allow, all, "node/*", "")), invoke(mine), ran},
		{"another command, ZOS", document(one(allow, all, "command/"+mine.String(), ""), one(allow, all, "node/*", "")), invoke(other), zosDenied},
		{"a command, but no machine", statement(allow, all, "acs:ecs:*:*:command/c-"+mine.String(), ""), invoke(mine), zosDenied},
		{"change a command", statement(allow, "zos:ModifyCommand", "command/"+mine.String(), ""), ecs("ModifyCommand", "CommandId", "c-"+mine.String(), "Name", "x"), ran},
		{"change another command", statement(allow, all, "command/"+mine.String(), ""), ecs("ModifyCommand", "CommandId", "c-"+other.String(), "Name", "x"), ecsDenied},
		{"delete another command", statement(allow, all, "command/"+mine.String(), ""), tat("DeleteCommand", `{"CommandId":"cmd-`+other.String()+`"}`), tatDenied},
		{"list named commands", statement(allow, all, "command/"+mine.String(), ""), ecs("DescribeCommands", "CommandId", "c-"+mine.String()), ran},
		{"list all commands", statement(allow, all, "command/"+mine.String(), ""), ecs("DescribeCommands"), ecsDenied},
		{
			"put on the wanted tag", statement(allow, "command.create", all, `{"StringEquals":{"acs:RequestTag/env":"test"}}`),
			ecs("CreateCommand", "Name", "n", "Type", "RunShellScript", "CommandContent", script, "Tag.1.Key", "env", "Tag.1.Value", "test"), ran,
		},
		{
			"leave out the wanted tag", statement(allow, "command.create", all, `{"StringEquals":{"acs:RequestTag/env":"test"}}`),
			ecs("CreateCommand", "Name", "n", "Type", "RunShellScript", "CommandContent", script), ecsDenied,
		},

		{"read results", "ReadOnlyAccess", ecs("DescribeInvocationResults", "InvokeId", "t-"+v.ID.String()), ran},
		{"read invocations, TAT", "ReadOnlyAccess", tat("DescribeInvocations", "{}"), ran},
		{"read invocations, ZOS", "ReadOnlyAccess", zos("DescribeCommandInvocations", "{}"), ran},
		{"read quotas, TAT", "ReadOnlyAccess", tat("DescribeQuotas", `{"ResourceNames":["COMMAND"]}`), ran},
		{"read and run", "ReadOnlyAccess", tatRun("web1"), tatDenied},
		{"read and stop", "ReadOnlyAccess", ecs("StopInvocation", "InvokeId", "t-"+v.ID.String()), ecsDenied},
		{"read and stop, TAT", "ReadOnlyAccess", tat("CancelInvocation", `{"InvocationId":"inv-`+v.ID.String()+`"}`), tatDenied},
		{"operate", "OperatorAccess", efloRun("web1"), ran},
		{"operate and admit machines", "OperatorAccess", ecs("CreateActivation"), ecsDenied},
		{"operate and remove machines", "OperatorAccess", tat("DeleteRegisterInstance", `{"InstanceId":"rins-web1"}`), tatDenied},
		{"operate and manage users", "OperatorAccess", native("GET", "users", ""), nativeDenied},
		{"administer", "AdministratorAccess", native("POST", "users", `{"name":"made-by-admin"}`), ran},
		{"administer and admit machines", "AdministratorAccess", ecs("CreateActivation"), ran},

		{"stop one", document(one(allow, "invocation.stop", "invocation/"+v.ID.String(), ""), one(allow, "invocation.stop", "node/*", "")), ecs("StopInvocation", "InvokeId", "t-"+v.ID.String()), ran},
		{"tag a machine", statement(allow, "ecs:TagResources", "node/web1", ""), ecs("TagResources", "ResourceType", "instance", "ResourceId.1", "web1", "Tag.1.Key", "a", "Tag.1.Value", "b"), ran},
		{"tag another machine", statement(allow, "ecs:TagResources", "node/web1", ""), ecs("TagResources", "ResourceType", "instance", "ResourceId.1", "web2", "Tag.1.Key", "a", "Tag.1.Value", "b"), ecsDenied},
		{"rename another machine", statement(allow, all, "node/web1", ""), ecs("ModifyManagedInstance", "InstanceId", "web2", "InstanceName", "abc"), ecsDenied},
		{"status of one machine", statement(allow, "agent.status", "node/web1", ""), ecs("DescribeCloudAssistantStatus", "InstanceId.1", "web1"), ran},
		{"status of all machines", statement(allow, "agent.status", "node/web1", ""), ecs("DescribeCloudAssistantStatus"), ecsDenied},

		{"from here", statement(allow, all, all, `{"IpAddress":{"acs:SourceIp":"127.0.0.0/8"}}`), run("web1"), ran},
		{"from elsewhere", statement(allow, all, all, `{"IpAddress":{"acs:SourceIp":["10.0.0.0/8","fd00::/8"]}}`), run("web1"), ecsDenied},
		{"only over TLS", statement(allow, all, all, `{"Bool":{"acs:SecureTransport":"true"}}`), tatRun("web1"), tatDenied},
		{"until a time that is over", statement(allow, all, all, `{"DateLessThan":{"acs:CurrentTime":"2020-01-01T00:00:00Z"}}`), zos("DescribeCommands", "{}"), zosDenied},
		{"since a time", statement(allow, all, all, `{"DateGreaterThan":{"acs:CurrentTime":"2020-01-01T00:00:00Z"}}`), zos("DescribeCommands", "{}"), ran},
		{"all but", `{"Version":"1","Statement":[{"Effect":"Allow","NotAction":"ecs:RunCommand","Resource":"*"}]}`, run("web1"), ecsDenied},
		{"all but, another", `{"Version":"1","Statement":[{"Effect":"Allow","NotAction":"ecs:RunCommand","Resource":"*"}]}`, ecs("DescribeCommands"), ran},
		{"all but a machine", `{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","NotResource":"node/web1"}]}`, run("web1"), ecsDenied},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := as(t, s, user(t, s, fmt.Sprintf("user%d", i), tt.rights))
			if got := tt.call(c); got != tt.want {
				t.Errorf("%s, want %s: %s", got, tt.want, c.raw)
			}
		})
	}
}

// TestTemporaryKey signs by each scheme that can carry a security token.
func TestTemporaryKey(t *testing.T) {
	t.Parallel()
	s := start(t, config(t))
	defer stop(t, s)
	machine(t, s, "web1")
	root, err := s.Service.IssueKey(t.Context(), s.RootCaller(), core.KeySpec{User: core.RootUser, Kind: core.KeyLong})
	if err != nil {
		t.Fatal(err)
	}
	operator := as(t, s, root)
	if got := operator.native("POST", "users", `{"name":"deploy","kind":"role"}`); got != ran {
		t.Fatal(got)
	}
	if got := operator.native("PUT", "users/deploy/policies/OperatorAccess", ""); got != ran {
		t.Fatal(got)
	}
	body := `{"role":"deploy","policy":` + statement("Deny", "tat:DescribeCommands", "*", "") + `}`
	if got := operator.native("POST", "tokens", body); got != ran {
		t.Fatal(got, operator.raw)
	}
	var issued struct{ ID, Secret, Token string }
	operator.decode([]byte(operator.raw), &issued)
	c := &caller{tb: t, url: s.URL(), id: issued.ID, secret: issued.Secret, token: issued.Token, region: "cn-hangzhou"}
	// The session permits nothing by itself.
	if got := c.ecs("DescribeCommands"); got != ecsDenied {
		t.Error(got)
	}
	body = `{"role":"deploy","policy":` + document(
		`{"Effect":"Allow","Action":"*","Resource":"*"}`, `{"Effect":"Deny","Action":"command.list","Resource":"*"}`,
	) + `,"duration_seconds":900}`
	if got := operator.native("POST", "tokens", body); got != ran {
		t.Fatal(got, operator.raw)
	}
	operator.decode([]byte(operator.raw), &issued)
	c.id, c.secret, c.token = issued.ID, issued.Secret, issued.Token
	for name, got := range map[string][2]string{
		"ACS3":           {c.ecs("RunCommand", "Type", "RunShellScript", "CommandContent", "true", "InstanceId.1", "web1"), ran},
		"ACS3, narrowed": {c.ecs("DescribeCommands"), ecsDenied},
		"TC3":            {c.tat("RunCommand", `{"Content":"`+script+`","InstanceIds":["web1"]}`), ran},
		"TC3, narrowed":  {c.tat("DescribeCommands", "{}"), tatDenied},
		"native":         {c.native("POST", "invocations", `{"content":"true","targets":["web1"]}`), ran},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %s, want %s", name, got[0], got[1])
		}
	}
	for token, want := range map[string][3]string{
		"":      {"400 MissingSecurityToken", "200 AuthFailure.TokenFailure", "401 Unauthorized"},
		"wrong": {"400 InvalidSecurityToken.MismatchWithAccessKey", "200 AuthFailure.TokenFailure", "401 Unauthorized"},
	} {
		c.token = token
		got := [3]string{c.ecs("DescribeCommands"), c.tat("DescribeCommands", "{}"), c.native("GET", "keys", "")}
		if got != want {
			t.Errorf("token %q: %v, want %v", token, got, want)
		}
	}
}

// TestKeyIsNarrowed refuses dialects and networks that a key is not for, and knows it by its old secret while it may.
func TestKeyIsNarrowed(t *testing.T) {
	t.Parallel()
	s := start(t, config(t))
	defer stop(t, s)
	ctx, root := t.Context(), s.RootCaller()
	k, err := s.Service.IssueKey(ctx, root, core.KeySpec{User: core.RootUser, Kind: core.KeyLong, Dialects: []string{"tat", "native"}})
	if err != nil {
		t.Fatal(err)
	}
	c := as(t, s, k)
	c.token = ""
	if got := c.tat("DescribeCommands", "{}"); got != ran {
		t.Error(got)
	}
	if got := c.ecs("DescribeCommands"); got != ecsDenied {
		t.Error(got)
	}
	if got := c.zos("DescribeCommands", "{}"); got != zosDenied {
		t.Error(got)
	}
	if got := c.native("PATCH", "keys/"+k.ID, `{"networks":["10.0.0.0/8"]}`); got != ran {
		t.Error(got, c.raw)
	}
	if got := c.tat("DescribeCommands", "{}"); got != tatDenied {
		t.Error(got)
	}
	fresh, err := s.Service.RotateKey(ctx, root, k.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Service.ChangeKey(ctx, root, k.ID, core.KeyChange{Networks: new([]netip.Prefix)}); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{k.Secret, fresh.Secret} {
		c.secret = secret
		if got := c.tat("DescribeCommands", "{}"); got != ran {
			t.Error(got)
		}
		if got := c.native("GET", "keys", ""); got != ran {
			t.Error(got)
		}
	}
}

// TestAudit leaves a record of each call that changes something, also of one that was refused and through whatever dialect.
func TestAudit(t *testing.T) {
	t.Parallel()
	conf := config(t)
	s := start(t, conf)
	machine(t, s, "web1")
	k := user(t, s, "ann", document(
		one("Allow", "invocation.run", "*", ""), one("Deny", "eflo:RunCommand", "*", `{"StringEquals":{"errand:Dialect":"eflo"}}`),
	))
	c := as(t, s, k)
	if got := c.ecs("RunCommand", "Type", "RunShellScript", "CommandContent", "true", "InstanceId.1", "web1"); got != ran {
		t.Fatal(got)
	}
	c.ecs("DescribeCommands") // changes nothing, and leaves no record
	c.ecs("RunCommand", "Type", "RunShellScript", "CommandContent", "true", "InstanceId.1", "nobody")
	c.eflo("RunCommand", "NodeIdList", `["web1"]`, "CommandContent", script, "Timeout", "60")
	c.tat("CreateCommand", `{"CommandName":"n","Content":"`+script+`"}`)
	c.zos("DeleteCommand", `{"commandId":"`+core.ID(1<<20).String()+`"}`)
	c.native("DELETE", "users/ann", "")
	stop(t, s)
	s = start(t, conf)
	defer stop(t, s)
	rows, info, err := s.Service.AuditRecords(t.Context(), s.RootCaller(), core.AuditFilter{Principal: "ann"}, core.PageSpec{Limit: 100})
	if err != nil || info.Next != "" {
		t.Fatal(err, info)
	}
	want := []core.AuditRecord{
		{Dialect: "native", Action: "DELETE users/{name}", Code: "denied", Resources: []string{"user/ann"}},
		{Dialect: "zos", Action: "DeleteCommand", Code: "AUTHFAILURE_UNAUTHORIZED_OPERATION"},
		{Dialect: "tat", Action: "CreateCommand", Code: "UnauthorizedOperation.CamAuthFailed", Resources: []string{"command/*"}},
		{Dialect: "eflo", Action: "RunCommand", Code: "Forbidden.RAM", Resources: []string{"node/web1"}},
		{Dialect: "ecs", Action: "RunCommand", Code: "InvalidInstance.NotFound"},
		{Dialect: "ecs", Action: "RunCommand", Resources: []string{"node/web1"}},
	}
	if len(rows) != len(want) {
		t.Fatalf("%d records: %+v", len(rows), rows)
	}
	for i, w := range want {
		r := rows[i]
		if r.Dialect != w.Dialect || r.Action != w.Action || r.Code != w.Code || len(w.Resources) > 0 && (len(r.Resources) == 0 || r.Resources[0] != w.Resources[0]) {
			t.Errorf("record %d is %+v", i, r)
		}
		if r.KeyID != k.ID || r.Source != "127.0.0.1" || r.UserAgent != "test/1" || len(r.RequestID) != 36 || time.Since(r.At) > time.Minute {
			t.Errorf("record %d is %+v", i, r)
		}
	}
}

// TestThrottling answers in each vendor's words, and says when to come again.
func TestThrottling(t *testing.T) {
	t.Parallel()
	s := start(t, config(t))
	defer stop(t, s)
	k := user(t, s, "ann", "ReadOnlyAccess")
	c := as(t, s, k)
	most, none := int64(2), int64(0)
	set := func(name string, most *int64) {
		t.Helper()
		if err := s.Service.SetQuota(t.Context(), s.RootCaller(), core.RootAccount, name, most); err != nil {
			t.Fatal(err)
		}
	}
	set(core.QuotaRate+"/ecs:DescribeCommands", &most)
	for i, want := range []string{ran, ran, "400 Throttling.User"} {
		if got := c.ecs("DescribeCommands"); got != want {
			t.Errorf("call %d: %s", i, got)
		}
	}
	if got := c.ecs("DescribeInvocations"); got != ran {
		t.Errorf("another action: %s", got)
	}
	set(core.QuotaRate+"/ecs:DescribeCommands", nil)
	set(core.QuotaRate, &none)
	for name, got := range map[string][2]string{
		"ecs":    {c.ecs("DescribeCommands"), "400 Throttling.User"},
		"eflo":   {c.eflo("DescribeInvocations", "InvokeId", "t-x"), "400 Throttling.User"},
		"tat":    {c.tat("DescribeCommands", "{}"), "200 RequestLimitExceeded"},
		"zos":    {c.zos("DescribeCommands", "{}"), "429 REQUEST_LIMIT_EXCEEDED"},
		"native": {c.native("GET", "users", ""), "429 Too Many Requests"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %s, want %s", name, got[0], got[1])
		}
	}
	set(core.QuotaRate, nil)
	set(core.QuotaConcurrent, &none)
	if got := c.zos("DescribeCommands", "{}"); got != "429 REQUEST_LIMIT_EXCEEDED" {
		t.Error(got)
	}
}

// TestSecretsStaySecret looks for the secrets of keys in everything that the server writes.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	conf := config(t)
	var log safeBuffer
	conf.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	conf.RootKeyID, conf.RootSecret = "rootkey", "the-secret-of-the-root-key"
	s := start(t, conf)
	c := &caller{tb: t, url: s.URL(), id: conf.RootKeyID, secret: conf.RootSecret, region: "cn-hangzhou"}
	secrets := []string{conf.RootSecret}
	issue := func(method, path, body string) {
		t.Helper()
		if got := c.native(method, path, body); got != ran {
			t.Fatal(got, c.raw)
		}
		var k struct {
			ID, Secret, Token string
			Key               struct{ Secret string }
		}
		c.decode([]byte(c.raw), &k)
		for _, text := range []string{k.Secret, k.Token, k.Key.Secret} {
			if text != "" {
				secrets = append(secrets, text)
			}
		}
	}
	issue("POST", "users/root/keys", "{}")
	issue("POST", "users/root/keys", `{"kind":"bearer"}`)
	bearer := caller{tb: t, url: s.URL(), token: secrets[len(secrets)-1]}
	if got := bearer.native("GET", "keys", ""); got != ran {
		t.Error(got)
	}
	issue("POST", "tokens", "{}")
	issue("POST", "accounts", `{"name":"lab"}`)
	var list struct{ Keys []struct{ ID string } }
	c.native("GET", "keys", "")
	c.decode([]byte(c.raw), &list)
	issue("POST", "keys/"+list.Keys[0].ID+"/rotate", "")
	c.ecs("DescribeCommands")
	c.secret += "x"
	c.native("GET", "keys", "")
	c.ecs("DescribeCommands")
	stop(t, s)
	if len(secrets) < 7 {
		t.Fatalf("only %d secrets", len(secrets))
	}
	for i, secret := range secrets {
		if strings.Contains(log.String(), secret) {
			t.Errorf("secret %d is in the log", i)
		}
	}
	err := filepath.WalkDir(conf.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for i, secret := range secrets {
			if strings.Contains(string(text), secret) {
				t.Errorf("secret %d is in %s", i, path)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestAccessOverHTTP manages access over HTTP, from a tenant to its last key.
func TestAccessOverHTTP(t *testing.T) {
	t.Parallel()
	conf := config(t)
	conf.RootKeyID, conf.RootSecret = "rootkey", "rootsecret"
	s := start(t, conf)
	defer stop(t, s)
	c := &caller{tb: t, url: s.URL(), id: "rootkey", secret: "rootsecret", region: "cn-hangzhou"}
	call := func(c *caller, method, path, body, want string) {
		t.Helper()
		if got := c.native(method, path, body); got != want {
			t.Errorf("%s %s: %s, want %s: %s", method, path, got, want, c.raw)
		}
	}
	call(c, "POST", "accounts", `{"name":"lab"}`, ran)
	var lab struct {
		ID  string
		Key struct{ ID, Secret string }
	}
	c.decode([]byte(c.raw), &lab)
	tenant := &caller{tb: t, url: s.URL(), id: lab.Key.ID, secret: lab.Key.Secret, region: "cn-hangzhou"}
	call(tenant, "POST", "users", `{"name":"ann","description":"on call"}`, ran)
	call(tenant, "POST", "users", `{"name":"ann"}`, "409 Conflict")
	call(tenant, "GET", "users/ann", "", ran)
	call(tenant, "GET", "users/bob", "", "404 Not Found")
	call(tenant, "PATCH", "users/ann", `{"description":"off duty"}`, ran)
	call(tenant, "PUT", "policies/p", `{"document":`+statement("Allow", "command.list", "*", "")+`}`, ran)
	call(tenant, "PUT", "policies/p", `{"document":{"Version":"1"}}`, "400 Bad Request")
	call(tenant, "GET", "policies/p", "", ran)
	call(tenant, "GET", "policies", "", ran)
	call(tenant, "PUT", "users/ann/policies/p", "", ran)
	call(tenant, "GET", "users/ann/policies", "", ran)
	call(tenant, "DELETE", "policies/p", "", "409 Conflict")
	call(tenant, "POST", "policies/explain", `{"user":"ann","action":"ecs:DescribeCommands","resources":["command/*"]}`, ran)
	if !strings.Contains(tenant.raw, `"allowed":true`) || !strings.Contains(tenant.raw, `"policy":"p"`) {
		t.Error(tenant.raw)
	}
	call(tenant, "POST", "users/ann/keys", `{"networks":["127.0.0.1"],"hours":1}`, ran)
	var k struct{ ID, Secret string }
	tenant.decode([]byte(tenant.raw), &k)
	ann := &caller{tb: t, url: s.URL(), id: k.ID, secret: k.Secret, region: "cn-hangzhou"}
	if got := ann.ecs("DescribeCommands"); got != ran {
		t.Error(got)
	}
	call(ann, "GET", "users", "", nativeDenied)
	call(tenant, "PATCH", "keys/"+k.ID, `{"disabled":true}`, ran)
	if got := ann.ecs("DescribeCommands"); got != "400 InvalidAccessKeyId.Inactive" {
		t.Error(got)
	}
	call(ann, "GET", "users", "", "401 Unauthorized")
	call(tenant, "POST", "users/ann/keys", `{"networks":["here"]}`, "400 Bad Request")
	call(tenant, "DELETE", "keys/"+k.ID, "", ran)
	call(tenant, "DELETE", "keys/rootkey", "", "404 Not Found")
	call(tenant, "GET", "users/ann/keys?temporary=true", "", ran)
	call(tenant, "GET", "users/ann/keys?nonsense=1", "", "400 Bad Request")

	call(tenant, "GET", "quotas", "", ran)
	call(tenant, "PUT", "quotas", `{"name":"users","limit":100}`, nativeDenied)
	call(c, "PUT", "quotas", `{"account":"`+lab.ID+`","name":"users","limit":1}`, ran)
	call(tenant, "POST", "users", `{"name":"bob"}`, "422 Unprocessable Entity")
	call(c, "PUT", "quotas", `{"account":"`+lab.ID+`","name":"users"}`, ran)
	call(tenant, "POST", "users", `{"name":"bob"}`, ran)
	call(c, "GET", "quotas?account=default", "", ran)
	call(c, "GET", "quotas?account=nonsense", "", ran)

	call(tenant, "GET", "audit?user=root&limit=2", "", ran)
	var page struct {
		Next    string
		Records []struct{ Action, User, Code string }
	}
	tenant.decode([]byte(tenant.raw), &page)
	if len(page.Records) != 2 || page.Next == "" || page.Records[0].Action != "POST users" {
		t.Errorf("%+v", page)
	}
	call(tenant, "GET", "audit?user=root&cursor="+page.Next, "", ran)
	call(c, "GET", "audit?user=root&cursor="+page.Next, "", "400 Bad Request") // of another account
	call(tenant, "GET", "audit?limit=1001", "", "400 Bad Request")
	call(tenant, "GET", "audit?since=yesterday", "", "400 Bad Request")

	call(tenant, "GET", "accounts", "", ran)
	if strings.Contains(tenant.raw, core.RootAccount.String()) {
		t.Error(tenant.raw)
	}
	call(tenant, "GET", "accounts/"+core.RootAccount.String(), "", "404 Not Found")
	call(c, "GET", "accounts/"+lab.ID, "", ran)
	call(c, "GET", "accounts/x", "", "404 Not Found")
	call(c, "PATCH", "accounts/"+lab.ID, `{}`, "400 Bad Request")
	call(c, "POST", "accounts/"+lab.ID+"/keys", "", ran)
	call(c, "PATCH", "accounts/"+lab.ID, `{"disabled":true}`, ran)
	call(tenant, "GET", "users", "", "401 Unauthorized")
	call(c, "DELETE", "users/ann", "", "404 Not Found") // of another account
	var names json.RawMessage
	call(c, "GET", "users", "", ran)
	c.decode([]byte(c.raw), &names)
	if strings.Contains(string(names), "ann") {
		t.Errorf("%s", names)
	}
}
