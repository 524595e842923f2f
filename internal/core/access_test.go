package core_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
	"errand/internal/policy"
)

const everything = `{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// person makes a user with the rights of a document; none without one.
func person(t *testing.T, s *scene.Scene, name, document string) {
	t.Helper()
	ctx := t.Context()
	if _, err := s.Service.CreateUser(ctx, s.Caller, name, core.UserPerson, ""); err != nil {
		t.Fatal(err)
	}
	if document == "" {
		return
	}
	if _, err := s.Service.PutPolicy(ctx, s.Caller, "of-"+name, "", document); err != nil {
		t.Fatal(err)
	}
	if err := s.Service.AttachPolicy(ctx, s.Caller, name, "of-"+name); err != nil {
		t.Fatal(err)
	}
}

func keyOf(t *testing.T, s *scene.Scene, user string) core.IssuedKey {
	t.Helper()
	k, err := s.Service.IssueKey(t.Context(), s.Caller, core.KeySpec{User: user, Kind: core.KeyLong})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// by is the caller who has proved a key.
func by(t *testing.T, s *scene.Scene, k core.AccessKey) core.Caller {
	t.Helper()
	c, err := s.Service.Caller(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	c.Source, c.Time = netip.MustParseAddr("192.0.2.7"), s.Now()
	return c
}

func reason(t *testing.T, what string, err error, want core.Reason) {
	t.Helper()
	if !want.Is(err) {
		t.Errorf("%s: %v, want reason %d", what, err, want)
	}
}

func TestZeroCallerMayDoNothing(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	nobody := core.Caller{Account: scene.Account}
	_, err := s.Service.CreateCommand(t.Context(), nobody, core.CommandSpec{})
	reason(t, "create command", err, core.ReasonDenied)
	_, err = s.Service.Users(t.Context(), nobody)
	reason(t, "list users", err, core.ReasonDenied)
}

func TestUserRights(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	person(t, s, "ann", "")
	k := keyOf(t, s, "ann")
	_, err := s.Service.Users(ctx, by(t, s, k.AccessKey))
	reason(t, "without a policy", err, core.ReasonDenied)
	if err := s.Service.AttachPolicy(ctx, s.Caller, "ann", "ReadOnlyAccess"); err != nil {
		t.Fatal(err)
	}
	if users, err := s.Service.Users(ctx, by(t, s, k.AccessKey)); err != nil || len(users) != 1 {
		t.Errorf("with ReadOnlyAccess: %v, %v", users, err)
	}
	_, err = s.Service.CreateUser(ctx, by(t, s, k.AccessKey), "bob", core.UserPerson, "")
	reason(t, "create a user with ReadOnlyAccess", err, core.ReasonDenied)
	if err := s.Service.DetachPolicy(ctx, s.Caller, "ann", "ReadOnlyAccess"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Service.Users(ctx, by(t, s, k.AccessKey))
	reason(t, "after the policy was taken away", err, core.ReasonDenied)

	disabled := true
	if _, err := s.Service.ChangeUser(ctx, s.Caller, "ann", core.UserChange{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	_, err = s.Service.Caller(ctx, k.AccessKey)
	reason(t, "key of a disabled user", err, core.ReasonKeyDisabled)
	if err := s.Service.DeleteUser(ctx, s.Caller, "ann"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Service.Key(ctx, k.ID)
	reason(t, "key of a deleted user", err, core.ReasonKeyUnknown)
	_, err = s.Service.Caller(ctx, k.AccessKey)
	reason(t, "caller whose user was deleted meanwhile", err, core.ReasonKeyDisabled)
}

func TestUserNames(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	person(t, s, "ann@example.com", "")
	for name, want := range map[string]core.Reason{
		"": core.ReasonMissing, "root": core.ReasonNameInvalid, "a/b": core.ReasonNameInvalid, "ä": core.ReasonNameInvalid,
		strings.Repeat("x", 65): core.ReasonNameTooLong, "ann@example.com": core.ReasonNameTaken,
	} {
		_, err := s.Service.CreateUser(t.Context(), s.Caller, name, core.UserPerson, "")
		reason(t, fmt.Sprintf("%q", name), err, want)
	}
	_, err := s.Service.CreateUser(t.Context(), s.Caller, "x", "robot", "")
	reason(t, "kind", err, core.ReasonInvalidValue)
	_, err = s.Service.CreateUser(t.Context(), s.Caller, "x", core.UserPerson, "a\nb")
	reason(t, "description", err, core.ReasonInvalidValue)
}

func TestKeyLife(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	person(t, s, "ann", "")
	k, err := s.Service.IssueKey(ctx, s.Caller, core.KeySpec{User: "ann", Kind: core.KeyLong, Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	secret := func(want string) {
		t.Helper()
		if got, err := s.Service.Key(ctx, k.ID); err != nil || got.Secret != want {
			t.Errorf("%v", err)
		}
	}
	secret(k.Secret)
	disable := func(disabled bool) {
		t.Helper()
		if _, err := s.Service.ChangeKey(ctx, s.Caller, k.ID, core.KeyChange{Disabled: &disabled}); err != nil {
			t.Fatal(err)
		}
	}
	disable(true)
	_, err = s.Service.Key(ctx, k.ID)
	reason(t, "disabled key", err, core.ReasonKeyDisabled)
	disable(false)
	secret(k.Secret)

	fresh, err := s.Service.RotateKey(ctx, s.Caller, k.ID, 10*time.Minute)
	if err != nil || fresh.ID != k.ID || fresh.Secret == k.Secret {
		t.Fatalf("rotated to %s, %v", fresh.ID, err)
	}
	if got, err := s.Service.Key(ctx, k.ID); err != nil || got.Secret != fresh.Secret || got.OldSecret != k.Secret {
		t.Errorf("within the overlap: %v", err)
	}
	s.Advance(10 * time.Minute)
	if got, err := s.Service.Key(ctx, k.ID); err != nil || got.Secret != fresh.Secret || got.OldSecret != "" {
		t.Errorf("after the overlap: %v", err)
	}
	_, err = s.Service.RotateKey(ctx, s.Caller, k.ID, core.MaxOverlap+1)
	reason(t, "long overlap", err, core.ReasonTooLarge)
	if now, err := s.Service.RotateKey(ctx, s.Caller, k.ID, 0); err != nil {
		t.Error(err)
	} else if got, err := s.Service.Key(ctx, k.ID); err != nil || got.Secret != now.Secret || got.OldSecret != "" {
		t.Errorf("rotated without overlap: %v", err)
	}

	s.Advance(time.Hour)
	_, err = s.Service.Key(ctx, k.ID)
	reason(t, "expired key", err, core.ReasonKeyExpired)
	if err := s.Service.DeleteKey(ctx, s.Caller, k.ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.Service.Key(ctx, k.ID)
	reason(t, "deleted key", err, core.ReasonKeyUnknown)
	reason(t, "delete again", s.Service.DeleteKey(ctx, s.Caller, k.ID), core.ReasonAccessNotFound)
}

func TestBearerRotation(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	k, err := s.Service.IssueKey(ctx, s.Caller, core.KeySpec{Kind: core.KeyBearer})
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := s.Service.RotateKey(ctx, s.Caller, k.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{k.Token, fresh.Token} {
		if got, err := s.Service.Bearer(ctx, token); err != nil || got.ID != k.ID {
			t.Errorf("within the overlap: %v", err)
		}
	}
	s.Advance(time.Minute)
	_, err = s.Service.Bearer(ctx, k.Token)
	reason(t, "old token", err, core.ReasonKeyUnknown)
	for _, token := range []string{"", k.ID, k.ID + ".", scene.Key + "." + scene.Secret, "x." + fresh.Token} {
		_, err = s.Service.Bearer(ctx, token)
		reason(t, "invented token "+token, err, core.ReasonKeyUnknown)
	}
}

// TestRootStays keeps the account from losing its last key, and users from reaching root's.
func TestRootStays(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	disabled := true
	reason(t, "delete the last key", s.Service.DeleteKey(ctx, s.Caller, scene.Key), core.ReasonInvalidValue)
	_, err := s.Service.ChangeKey(ctx, s.Caller, scene.Key, core.KeyChange{Disabled: &disabled})
	reason(t, "disable the last key", err, core.ReasonInvalidValue)

	person(t, s, "admin", everything)
	admin := by(t, s, keyOf(t, s, "admin").AccessKey)
	_, err = s.Service.IssueKey(ctx, admin, core.KeySpec{User: core.RootUser, Kind: core.KeyLong})
	reason(t, "a user makes a root key", err, core.ReasonDenied)
	_, err = s.Service.IssueRootKey(ctx, admin, scene.Account)
	reason(t, "a user makes the operator's root key", err, core.ReasonDenied)
	_, err = s.Service.RotateKey(ctx, admin, scene.Key, 0)
	reason(t, "a user rotates a root key", err, core.ReasonDenied)
	reason(t, "a user deletes a root key", s.Service.DeleteKey(ctx, admin, scene.Key), core.ReasonDenied)

	second := keyOf(t, s, core.RootUser)
	if err := s.Service.DeleteKey(ctx, s.Caller, scene.Key); err != nil {
		t.Errorf("delete a key that is not the last: %v", err)
	}
	reason(t, "delete the last key", s.Service.DeleteKey(ctx, s.Caller, second.ID), core.ReasonInvalidValue)
}

func TestTokens(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	if _, err := s.Service.CreateUser(ctx, s.Caller, "deploy", core.UserRole, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.Service.AttachPolicy(ctx, s.Caller, "deploy", "AdministratorAccess"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Service.IssueKey(ctx, s.Caller, core.KeySpec{User: "deploy", Kind: core.KeyLong})
	reason(t, "a long key of a role", err, core.ReasonInvalidValue)

	person(t, s, "ann", `{"Version":"1","Statement":[{"Effect":"Allow","Action":"key.create","Resource":"user/deploy"}]}`)
	ann := by(t, s, keyOf(t, s, "ann").AccessKey)
	narrow := `{"Version":"1","Statement":[{"Effect":"Allow","Action":"user.list","Resource":"*"}]}`
	k, err := s.Service.IssueToken(ctx, ann, core.TokenSpec{Role: "deploy", Policy: narrow, Lifetime: core.MinToken})
	if err != nil || k.Token == "" || k.Secret == "" || k.TokenHash != core.HashToken(k.Token) {
		t.Fatalf("%v", err)
	}
	deploy := by(t, s, k.AccessKey)
	if _, err := s.Service.Users(ctx, deploy); err != nil {
		t.Errorf("allowed by role and session: %v", err)
	}
	_, err = s.Service.Policies(ctx, deploy)
	reason(t, "allowed by the role, not by the session", err, core.ReasonDenied)
	_, err = s.Service.IssueToken(ctx, deploy, core.TokenSpec{Lifetime: core.MinToken})
	reason(t, "a temporary key renews itself", err, core.ReasonDenied)

	own, err := s.Service.IssueToken(ctx, ann, core.TokenSpec{Lifetime: core.MaxToken})
	if err != nil || own.Principal != "ann" {
		t.Fatalf("a user's own: %v", err)
	}
	_, err = s.Service.Users(ctx, by(t, s, own.AccessKey))
	reason(t, "a user's own may not do more than the user", err, core.ReasonDenied)
	rooted, err := s.Service.IssueToken(ctx, s.Caller, core.TokenSpec{Policy: narrow, Lifetime: core.MinToken})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Service.Policies(ctx, by(t, s, rooted.AccessKey))
	reason(t, "root, narrowed", err, core.ReasonDenied)

	for what, tt := range map[string]struct {
		spec core.TokenSpec
		want core.Reason
	}{
		"too short":        {core.TokenSpec{Lifetime: core.MinToken - 1}, core.ReasonTooSmall},
		"too long":         {core.TokenSpec{Lifetime: core.MaxToken + 1}, core.ReasonTooLarge},
		"long policy":      {core.TokenSpec{Lifetime: time.Hour, Policy: strings.Repeat(" ", 2049)}, core.ReasonTooLong},
		"malformed policy": {core.TokenSpec{Lifetime: time.Hour, Policy: "{}"}, core.ReasonInvalidValue},
		"unknown role":     {core.TokenSpec{Lifetime: time.Hour, Role: "nobody"}, core.ReasonAccessNotFound},
		"not a role":       {core.TokenSpec{Lifetime: time.Hour, Role: "ann"}, core.ReasonInvalidValue},
	} {
		_, err := s.Service.IssueToken(ctx, s.Caller, tt.spec)
		reason(t, what, err, tt.want)
	}
	_, err = s.Service.IssueToken(ctx, by(t, s, keyOf(t, s, core.RootUser).AccessKey), core.TokenSpec{Lifetime: time.Hour, Role: "deploy"})
	if err != nil {
		t.Errorf("root assumes the role: %v", err)
	}

	s.Advance(core.MinToken)
	_, err = s.Service.Key(ctx, k.ID)
	reason(t, "expired", err, core.ReasonKeyExpired)
	s.Advance(25 * time.Hour)
	retain(t, s, core.Retention{}, 0)
	_, err = s.Service.Key(ctx, k.ID)
	reason(t, "expired a day ago", err, core.ReasonKeyUnknown)
}

func TestKeyRestrictions(t *testing.T) {
	t.Parallel()
	c := core.Caller{
		Account: scene.Account, Dialects: []string{"ecs", "tat"},
		Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
	}
	for _, tt := range []struct {
		dialect, from string
		denied        bool
	}{
		{"ecs", "10.1.2.3", false},
		{"tat", "fd00::1", false},
		{"ecs", "::ffff:10.1.2.3", false},
		{"zos", "10.1.2.3", true},
		{"ecs", "192.0.2.1", true},
		{"native", "192.0.2.1", true},
	} {
		c.Dialect, c.Source = tt.dialect, netip.MustParseAddr(tt.from)
		if err := c.CheckKey(); core.ReasonDenied.Is(err) != tt.denied {
			t.Errorf("%s from %s: %v", tt.dialect, tt.from, err)
		}
	}
	s := scene.New(t)
	_, err := s.Service.IssueKey(t.Context(), s.Caller, core.KeySpec{Kind: core.KeyLong, Dialects: []string{"gcp"}})
	reason(t, "unknown dialect", err, core.ReasonInvalidValue)
}

// TestLastUse is written in batches and listed at once.
func TestLastUse(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	person(t, s, "ann", "")
	k := keyOf(t, s, "ann")
	last := func() time.Time {
		t.Helper()
		keys, err := s.Service.Keys(t.Context(), s.Caller, "ann", false)
		if err != nil || len(keys) != 1 {
			t.Fatalf("%v, %v", keys, err)
		}
		return keys[0].UsedAt
	}
	if got := last(); !got.IsZero() {
		t.Errorf("used at %v", got)
	}
	s.Advance(time.Minute)
	by(t, s, k.AccessKey)
	if got := last(); !got.Equal(s.Now()) {
		t.Errorf("used at %v, want %v", got, s.Now())
	}
}

func TestPolicyManagement(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	person(t, s, "ann", everything)
	for what, tt := range map[string]struct {
		name, document string
		want           core.Reason
	}{
		"malformed":           {"p", `{"Version":"1","Statement":[{"Effect":"Perhaps","Action":"*","Resource":"*"}]}`, core.ReasonInvalidValue},
		"no JSON":             {"p", "Allow *", core.ReasonInvalidValue},
		"too long":            {"p", strings.Replace(everything, `"*"`, `"`+strings.Repeat("*", policy.MaxBytes)+`"`, 1), core.ReasonInvalidValue},
		"of the program":      {"OperatorAccess", everything, core.ReasonNameTaken},
		"a name that is none": {"a b", everything, core.ReasonNameInvalid},
	} {
		_, err := s.Service.PutPolicy(ctx, s.Caller, tt.name, "", tt.document)
		reason(t, what, err, tt.want)
	}
	reason(t, "attach an unknown policy", s.Service.AttachPolicy(ctx, s.Caller, "ann", "nothing"), core.ReasonAccessNotFound)
	reason(t, "attach to nobody", s.Service.AttachPolicy(ctx, s.Caller, "bob", "of-ann"), core.ReasonAccessNotFound)
	reason(t, "delete while attached", s.Service.DeletePolicy(ctx, s.Caller, "of-ann"), core.ReasonInvalidValue)
	reason(t, "delete one of the program", s.Service.DeletePolicy(ctx, s.Caller, "ReadOnlyAccess"), core.ReasonInvalidValue)
	if err := s.Service.DetachPolicy(ctx, s.Caller, "ann", "of-ann"); err != nil {
		t.Error(err)
	}
	reason(t, "detach again", s.Service.DetachPolicy(ctx, s.Caller, "ann", "of-ann"), core.ReasonAccessNotFound)
	if err := s.Service.DeletePolicy(ctx, s.Caller, "of-ann"); err != nil {
		t.Error(err)
	}
	reason(t, "delete again", s.Service.DeletePolicy(ctx, s.Caller, "of-ann"), core.ReasonAccessNotFound)
	rows, err := s.Service.Policies(ctx, s.Caller)
	if err != nil || len(rows) != len(policy.Builtin()) {
		t.Errorf("%d policies, %v", len(rows), err)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	n := s.Node("web1")
	if err := s.Service.Tag(ctx, s.Caller, core.KindNode, []string{n.ID}, []core.Tag{{Key: "env", Value: "prod"}}); err != nil {
		t.Fatal(err)
	}
	person(t, s, "ann", `{"Version":"1","Statement":[
		{"Effect":"Allow","Action":"ecs:RunCommand","Resource":"*"},
		{"Effect":"Deny","Action":"*","Resource":"node/*","Condition":{"StringEquals":{"acs:ResourceTag/env":"prod"}}}]}`)
	for _, tt := range []struct {
		what      string
		q         core.Question
		allowed   bool
		statement int
	}{
		{"a node with the tag", core.Question{User: "ann", Action: "ecs:RunCommand", Resources: []string{"node/web1"}}, false, 1},
		{"another node", core.Question{User: "ann", Action: "ecs:RunCommand", Resources: []string{"node/web2"}}, true, 0},
		{"by verb", core.Question{User: "ann", Action: "invocation.run", Resources: []string{"node/web2"}}, true, 0},
		{"through another dialect", core.Question{User: "ann", Action: "tat:RunCommand", Resources: []string{"node/web2"}}, true, 0},
		{"nothing allows", core.Question{User: "ann", Action: "errand:user.list", Resources: []string{"user/*"}}, false, -1},
		{"root", core.Question{User: "root", Action: "errand:user.list"}, true, -1},
		{
			"assumed tags",
			core.Question{User: "ann", Action: "ecs:RunCommand", Resources: []string{"node/x"}, ResourceTags: []core.Tag{{Key: "env", Value: "prod"}}},
			false, 1,
		},
	} {
		e, err := s.Service.Explain(ctx, s.Caller, tt.q)
		if err != nil || e.Allowed != tt.allowed || e.Statement != tt.statement || e.Policy != "" != (tt.statement >= 0) {
			t.Errorf("%s: %+v, %v", tt.what, e.Decision, err)
		}
	}
	_, err := s.Service.Explain(ctx, s.Caller, core.Question{User: "bob", Action: "ecs:RunCommand"})
	reason(t, "unknown user", err, core.ReasonAccessNotFound)
	_, err = s.Service.Explain(ctx, s.Caller, core.Question{User: "ann", Action: "ecs:Nonsense"})
	reason(t, "unknown action", err, core.ReasonInvalidValue)
	_, err = s.Service.Explain(ctx, s.Caller, core.Question{User: "ann", Action: "ecs:RunCommand", Source: "here"})
	reason(t, "not an address", err, core.ReasonInvalidValue)
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	a, k, err := s.Service.AddAccount(ctx, s.Caller, "lab")
	if err != nil {
		t.Fatal(err)
	}
	lab := by(t, s, k.AccessKey)
	if lab.Account != a.ID || !lab.Root {
		t.Errorf("%+v", lab)
	}
	// The same names in two accounts.
	person(t, s, "ann", everything)
	if _, err := s.Service.CreateUser(ctx, lab, "ann", core.UserPerson, ""); err != nil {
		t.Error(err)
	}
	if users, err := s.Service.Users(ctx, lab); err != nil || len(users) != 1 || users[0].Account != a.ID {
		t.Errorf("%v, %v", users, err)
	}
	if keys, err := s.Service.Keys(ctx, lab, "", true); err != nil || len(keys) != 1 || keys[0].ID != k.ID {
		t.Errorf("%v, %v", keys, err)
	}
	if names, err := s.Service.AttachedPolicies(ctx, lab, "ann"); err != nil || len(names) != 0 {
		t.Errorf("%v, %v", names, err)
	}
	_, err = s.Service.Policy(ctx, lab, "of-ann")
	reason(t, "another account's policy", err, core.ReasonAccessNotFound)
	reason(t, "another account's key", s.Service.DeleteKey(ctx, lab, scene.Key), core.ReasonAccessNotFound)
	_, err = s.Service.Account(ctx, lab, scene.Account)
	reason(t, "another account", err, core.ReasonAccessNotFound)
	if rows, err := s.Service.Accounts(ctx, lab); err != nil || len(rows) != 1 || rows[0].ID != a.ID {
		t.Errorf("%v, %v", rows, err)
	}
	if rows, err := s.Service.Accounts(ctx, s.Caller); err != nil || len(rows) != 2 {
		t.Errorf("%v, %v", rows, err)
	}
	// What only the operator may.
	_, _, err = s.Service.AddAccount(ctx, lab, "x")
	reason(t, "a tenant makes an account", err, core.ReasonDenied)
	_, err = s.Service.IssueRootKey(ctx, lab, scene.Account)
	reason(t, "a tenant makes a root key of another", err, core.ReasonDenied)
	most := int64(1)
	reason(t, "a tenant sets its own quota", s.Service.SetQuota(ctx, lab, a.ID, core.QuotaNodes, &most), core.ReasonDenied)
	_, err = s.Service.Quotas(ctx, lab, scene.Account)
	reason(t, "a tenant reads another's quotas", err, core.ReasonAccessNotFound)

	_, err = s.Service.DisableAccount(ctx, s.Caller, scene.Account, true)
	reason(t, "disable the operator", err, core.ReasonInvalidValue)
	if _, err := s.Service.DisableAccount(ctx, s.Caller, a.ID, true); err != nil {
		t.Fatal(err)
	}
	_, err = s.Service.Caller(ctx, k.AccessKey)
	reason(t, "key of a disabled account", err, core.ReasonKeyDisabled)
	if _, err := s.Service.DisableAccount(ctx, s.Caller, a.ID, false); err != nil {
		t.Fatal(err)
	}
	if second, err := s.Service.IssueRootKey(ctx, s.Caller, a.ID); err != nil || by(t, s, second.AccessKey).Account != a.ID {
		t.Error(err)
	}
	_, err = s.Service.IssueRootKey(ctx, s.Caller, 7)
	reason(t, "unknown account", err, core.ReasonAccessNotFound)
}

// TestVerbsExist looks for verbs in the source: one that the policies do not know could be given to nobody.
func TestVerbsExist(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	verb := regexp.MustCompile(`"([a-z]+\.[a-z]+)"`)
	var known, found []string
	for _, v := range policy.Verbs() {
		known = append(known, v.Name)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range verb.FindAllStringSubmatch(string(text), -1) {
			if strings.HasPrefix(m[1], "errand.") {
				continue // an event
			}
			found = append(found, m[1])
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s asks for %s, which is no verb", file, m[1])
			}
		}
	}
	if len(found) < 30 {
		t.Errorf("only %d verbs are asked for", len(found))
	}
}

// TestEveryOperationIsJudged reads the source: whatever a caller can ask of the Service comes to Allow, except what only completes an
// answer that was judged.
func TestEveryOperationIsJudged(t *testing.T) {
	t.Parallel()
	// Once carries out what is judged by itself; everybody may have a temporary key of their own or borrow one, sign in and out, and ask who they are.
	exempt := []string{"TasksOf", "NodeKeys", "Once", "IssueToken", "BorrowKey", "Login", "LoginOther", "Logout", "WhoAmI"}
	packages, err := parser.ParseDir(token.NewFileSet(), ".", nil, 0) //nolint:staticcheck // one folder, no build tags
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string][]string{} // by method, of any type: the methods it calls
	var asked []string
	for _, file := range packages["core"].Files {
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv == nil {
				continue
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if method, ok := call.Fun.(*ast.SelectorExpr); ok {
						calls[fn.Name.Name] = append(calls[fn.Name.Name], method.Sel.Name)
					}
				}
				return true
			})
			for _, param := range fn.Type.Params.List {
				if name, ok := param.Type.(*ast.Ident); ok && name.Name == "Caller" && fn.Name.IsExported() {
					asked = append(asked, fn.Name.Name)
				}
			}
		}
	}
	var judged func(method string, depth int) bool
	judged = func(method string, depth int) bool {
		return method == "Allow" || depth > 0 && slices.ContainsFunc(calls[method], func(m string) bool { return judged(m, depth-1) })
	}
	for _, method := range asked {
		if !slices.Contains(exempt, method) && !judged(method, 3) {
			t.Errorf("%s asks nobody whether the caller may", method)
		}
	}
	if len(asked) < 50 {
		t.Errorf("only %d operations were found", len(asked))
	}
}
