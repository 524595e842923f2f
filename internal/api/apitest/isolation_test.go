package apitest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api"
	"errand/internal/api/apitest"
	"errand/internal/api/ecs"
	"errand/internal/api/eflo"
	"errand/internal/api/scene"
	"errand/internal/api/tat"
	"errand/internal/api/zos"
	"errand/internal/core"
)

// owner is one of two accounts that have the same things under the same names.
type owner struct {
	caller core.Caller
	call   map[string]apitest.Caller
	word   string            // stands in the contents, descriptions and outputs of all that is its own
	own    map[string]string // ids and secrets by the name that calls use for them
	heard  *listener
}

// rows is a listing's answer, for those who look for ids in it.
type rows map[string]any

// ask makes a call that must succeed.
func (o *owner) ask(t *testing.T, dialect, action string, params rows) rows {
	t.Helper()
	answer, code := o.call[dialect](action, params)
	if code != "" {
		t.Fatalf("%s: %s %s: %s", o.word, dialect, action, answer)
	}
	var got rows
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// text is a text at the top of an answer.
func (r rows) text(name string) string {
	s, _ := r[name].(string)
	return s
}

// keep remembers texts of an answer, given as the name for later and the vendor's name.
func (o *owner) keep(t *testing.T, r rows, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if o.own[pairs[i]] = r.text(pairs[i+1]); o.own[pairs[i]] == "" {
			t.Fatalf("no %s in %v", pairs[i+1], r)
		}
	}
}

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// furnish gives an owner something of everything.
func (o *owner) furnish(t *testing.T, s *scene.Scene) {
	t.Helper()
	s.Caller = o.caller
	web, gen, spare := s.Node("web-1"), s.Node(""), s.Node("")
	s.Online(web, gen, spare)
	o.own["gen"], o.own["spare"], o.own["key"], o.own["genkey"] = gen.ID, spare.ID, web.PublicKey, gen.PublicKey
	script := "echo " + o.word
	label := []rows{{"Key": "env", "Value": "prod"}, {"Key": "word", "Value": o.word}}
	in := func(more rows) rows {
		out := rows{"RegionId": "cn-hangzhou"}
		maps.Copy(out, more)
		return out
	}

	command := in(rows{
		"Name": "deploy", "Type": "RunShellScript", "CommandContent": base64Of(script), "Description": o.word, "Tag": label, "ClientToken": "token",
	})
	o.keep(t, o.ask(t, "ecs", "CreateCommand", command), "command", "CommandId")
	o.keep(t, o.ask(t, "ecs", "CreateCommand", in(rows{
		"Name": "idle", "Type": "RunShellScript", "CommandContent": base64Of(script), "Description": o.word,
	})), "idle", "CommandId")
	run := in(rows{
		"Type": "RunShellScript", "CommandContent": script, "InstanceId": []string{"web-1", gen.ID}, "Name": "deploy", "Description": o.word, "Tag": label,
		"ClientToken": "token",
	})
	ran := o.ask(t, "ecs", "RunCommand", run)
	o.keep(t, ran, "invocation", "InvokeId", "unkept", "CommandId")
	id, _ := api.InvocationID(ran.text("InvokeId"))
	for _, n := range []core.Node{web, gen} {
		s.Exit(id, n, 3, o.word+" out", o.word+" err")
	}
	o.own["task"] = s.Task(id, gen).String()
	o.keep(t, o.ask(t, "ecs", "RunCommand", in(rows{
		"Type": "RunShellScript", "CommandContent": script, "InstanceId": []string{gen.ID}, "Frequency": "rate(5m)", "Tag": label,
	})), "standing", "InvokeId")
	o.keep(t, o.ask(t, "ecs", "InvokeCommand", in(rows{"CommandId": o.own["command"], "InstanceId": []string{"web-1"}})), "open", "InvokeId")
	for _, name := range []string{"sent", "sentsoon"} {
		o.keep(t, o.ask(t, "ecs", "SendFile", in(rows{
			"Name": "motd", "TargetDir": "/etc", "Content": script, "Description": o.word, "InstanceId": []string{gen.ID}, "Tag": label,
		})), name, "InvokeId")
	}
	for _, name := range []string{"", "second"} {
		o.keep(t, o.ask(t, "ecs", "CreateActivation", in(rows{"InstanceName": "lab", "Description": o.word, "Tag": label})),
			name+"activation", "ActivationId", name+"code", "ActivationCode")
		o.keep(t, o.ask(t, "tat", "CreateRegisterCode", rows{"InstanceNamePrefix": "lab", "Description": o.word}),
			name+"register", "RegisterCodeId", name+"value", "RegisterCodeValue")
		o.keep(t, o.ask(t, "ecs", "StartTerminalSession", in(rows{"InstanceId": []string{gen.ID}, "Username": o.word})),
			name+"session", "SessionId", name+"token", "SecurityToken")
		o.keep(t, o.ask(t, "eflo", "CreateSession", rows{"NodeId": gen.ID}), name+"door", "SessionId", name+"doorkey", "SessionToken")
	}
	zones := map[string]string{"alpha": "Asia/Tokyo", "beta": "Europe/Rome"}
	o.own["zone"] = zones[o.word]
	o.ask(t, "ecs", "ModifyCloudAssistantSettings", in(rows{
		"SettingType": "AgentUpgradeConfig", "AgentUpgradeConfig": `{"Enabled":true,"AllowedUpgradeWindow":["02:00-03:00"],"TimeZone":"` + zones[o.word] + `"}`,
	}))
	for node, cluster := range map[string]string{gen.ID: "gpu", spare.ID: "cpu"} {
		o.ask(t, "eflo", "TagResources", in(rows{
			"ResourceType": "Node", "ResourceId": []string{node}, "Tag": append(slices.Clone(label), rows{"Key": "cluster", "Value": cluster}),
		}))
	}
	o.own["cluster"] = core.ClusterID(o.caller.Account, "gpu")

	o.keep(t, o.ask(t, "tat", "CreateCommand", rows{
		"CommandName": "tat-deploy", "Content": base64Of(script), "Description": o.word, "Tags": label,
	}), "prepared", "CommandId")
	for _, name := range []string{"spared", "spared2", "spared3"} {
		o.keep(t, o.ask(t, "tat", "CreateCommand", rows{"CommandName": "tat-" + name, "Content": base64Of(script), "Description": o.word}), name, "CommandId")
	}
	o.keep(t, o.ask(t, "tat", "CreateInvoker", rows{
		"Name": "nightly", "Type": "SCHEDULE", "CommandId": o.own["prepared"], "InstanceIds": []string{gen.ID}, "Tags": label, "Username": o.word,
		"ScheduleSettings": rows{"Policy": "RECURRENCE", "Recurrence": "0 0 * * *"},
	}), "invoker", "InvokerId")
	o.keep(t, o.ask(t, "tat", "CreateInvoker", rows{
		"Name": "once", "Type": "SCHEDULE", "CommandId": o.own["prepared"], "InstanceIds": []string{gen.ID},
		"ScheduleSettings": rows{"Policy": "ONCE", "InvokeTime": s.Now().Add(time.Second).Format(time.RFC3339)},
	}), "once", "InvokerId")
	s.Advance(2 * time.Second)
	due, err := s.Service.ClaimSchedules(t.Context(), 1)
	if err != nil || len(due) != 1 {
		t.Fatalf("%d invokers are due, %v", len(due), err)
	}
	fired, err := s.Service.Fire(t.Context(), &due[0])
	if err != nil {
		t.Fatal(err)
	}
	o.own["fired"] = fired.Invocation.String()
	for _, name := range []string{"shelf", "idle2"} {
		o.keep(t, o.ask(t, "zos", "CreateCommand", rows{"name": name, "content": script, "type": "SHELL", "description": o.word}), name, "commandId")
	}

	page := in(rows{"MaxResults": 1})
	for _, action := range []string{
		"DescribeCommands", "DescribeInvocations", "DescribeSendFileResults", "DescribeActivations", "DescribeManagedInstances",
		"DescribeCloudAssistantStatus", "DescribeTerminalSessions",
	} {
		o.keep(t, o.ask(t, "ecs", action, page), "next "+action, "NextToken")
	}
	results, _ := o.ask(t, "ecs", "DescribeInvocationResults", page)["Invocation"].(map[string]any)
	o.keep(t, results, "next DescribeInvocationResults", "NextToken")
	for _, action := range []string{"ListClusters", "ListFreeNodes"} {
		if action == "ListFreeNodes" {
			free := s.Node("free-1")
			s.Online(free)
		}
		o.keep(t, o.ask(t, "eflo", action, rows{"MaxResults": 1}), "next "+action, "NextToken")
	}
}

// secrets are the texts that only this owner may see, in lower case.
func (o *owner) secrets() []string {
	list := []string{o.word, base64Of("echo " + o.word), base64Of(o.word + " out" + o.word + " err"), o.caller.Account.String()}
	for name, s := range o.own {
		if strings.HasPrefix(name, "next ") {
			continue // a token for pages says nothing to those who hold it
		}
		if id, ok := api.InvocationID(s); ok {
			s = id.String()
		} else if id, ok := api.CommandID(s); ok {
			s = id.String()
		}
		list = append(list, s)
	}
	for i, s := range list {
		list[i] = strings.ToLower(s)
	}
	return list
}

// fill puts an owner's ids in the place of their names, which begin with $.
func (o *owner) fill(v any) any {
	switch v := v.(type) {
	case string:
		if name, ok := strings.CutPrefix(v, "$"); ok {
			return o.own[name]
		}
	case []string:
		out := make([]string, len(v))
		for i := range v {
			out[i], _ = o.fill(v[i]).(string)
		}
		return out
	case []rows:
		out := make([]rows, len(v))
		for i := range v {
			out[i] = o.fill(v[i]).(rows) //nolint:forcetypeassert // see below
		}
		return out
	case rows:
		out := rows{}
		for name, value := range v {
			out[name] = o.fill(value)
		}
		return out
	}
	return v
}

// attempt is a call that succeeds for the one whose ids it names. Another who makes it with the same ids is refused with a code or, without
// one, is answered as if they named nothing.
type attempt struct {
	dialect, action string
	params          rows
	code            string
	own             bool // the answer shows what is the other's own, because the call names nothing
}

// listener is a subscriber's web server.
type listener struct {
	*httptest.Server

	mu   sync.Mutex
	text strings.Builder
}

func listen(t *testing.T) *listener {
	t.Helper()
	l := &listener{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.text.Write(body)
	}))
	t.Cleanup(l.Close)
	return l
}

// furnished sets a scene with two accounts that have the same, and subscribe to all that happens.
func furnished(t *testing.T) (s *scene.Scene, alpha, beta *owner) {
	t.Helper()
	s, target := serve(t)
	stranger := core.Caller{Account: scene.Account + 1, Principal: core.RootUser, Root: true, KeyID: "strangerid"}
	if _, err := s.Service.CreateAccount(t.Context(), stranger.Account, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Service.CreateKey(t.Context(), stranger.Account, "root", stranger.KeyID, scene.Secret); err != nil {
		t.Fatal(err)
	}
	alpha = &owner{caller: s.Caller, call: apitest.Callers(t, target), word: "alpha", own: map[string]string{}, heard: listen(t)}
	target.KeyID = stranger.KeyID
	beta = &owner{caller: stranger, call: apitest.Callers(t, target), word: "beta", own: map[string]string{}, heard: listen(t)}
	for _, o := range []*owner{alpha, beta} {
		sub, secret, err := s.Service.Subscribe(t.Context(), o.caller, core.SubscriptionSpec{Name: "all", URL: o.heard.URL})
		if err != nil {
			t.Fatal(err)
		}
		o.own["subscription"], o.own["signing"] = sub.ID.String(), secret
		o.furnish(t, s)
	}
	return s, alpha, beta
}

// TestIsolation lets an account try every action of every dialect with the ids, filters, tags, client tokens and paging tokens of another that
// has the same under the same names. It sees nothing and changes nothing.
func TestIsolation(t *testing.T) {
	t.Parallel()
	s, alpha, beta := furnished(t)
	for name, id := range alpha.own { // made by the same calls, some with the same client token
		if beta.own[name] == id {
			t.Errorf("both have %s %s", name, id)
		}
	}
	before := alpha.sees(t)
	for _, a := range attempts {
		beta.try(t, a, alpha)
	}
	if diff := cmp.Diff(before, alpha.sees(t)); diff != "" {
		t.Errorf("what it had, before and after another's attempts:\n%s", diff)
	}
	alpha.events(t, s, beta)
	beta.events(t, s, alpha)

	tried := map[string]bool{}
	for _, a := range attempts { // the calls themselves are right
		tried[a.dialect+" "+a.action] = true
		params, _ := alpha.fill(a.params).(rows)
		if answer, code := alpha.call[a.dialect](a.action, params); code != "" {
			t.Errorf("%s %s %v by its owner: %s", a.dialect, a.action, a.params, answer)
		}
	}
	env := api.Env{}
	for dialect, actions := range map[string]map[string]api.Action{
		"ecs": ecs.New(env).Actions, "eflo": eflo.New(env).Actions, "tat": tat.New(env).Actions, "zos": zos.New(env).Actions,
	} {
		for action := range actions {
			if !tried[dialect+" "+action] {
				t.Errorf("%s %s was not tried", dialect, action)
			}
		}
	}
}

// try makes a call with another's ids.
func (o *owner) try(t *testing.T, a attempt, other *owner) {
	t.Helper()
	params, _ := other.fill(a.params).(rows)
	answer, code := o.call[a.dialect](a.action, params)
	name := fmt.Sprintf("%s %s %v", a.dialect, a.action, a.params)
	if code != a.code {
		t.Errorf("%s: %q, want %q: %s", name, code, a.code, answer)
	}
	sent, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	asked, got := strings.ToLower(string(sent)), strings.ToLower(answer)
	for _, secret := range other.secrets() {
		if strings.Contains(got, secret) && (code == "" || !strings.Contains(asked, secret)) { // refusals repeat what was asked for
			t.Errorf("%s shows %q: %s", name, secret, answer)
		}
	}
	if a.own && !slices.ContainsFunc(o.secrets(), func(secret string) bool { return strings.Contains(got, secret) }) {
		t.Errorf("%s does not show the caller its own: %s", name, answer)
	}
}

// sees is everything that reading actions show an owner of its own.
func (o *owner) sees(t *testing.T) map[string]string {
	t.Helper()
	seen := map[string]string{}
	for _, a := range attempts {
		if !strings.HasPrefix(a.action, "Describe") && !strings.HasPrefix(a.action, "List") {
			continue
		}
		params, _ := o.fill(a.params).(rows)
		answer, code := o.call[a.dialect](a.action, params)
		var got map[string]any
		if code == "" {
			if err := json.Unmarshal([]byte(answer), &got); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"RequestId", "requestId"} {
				delete(got, name)
			}
			b, err := json.MarshalIndent(got, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			answer = string(b)
		}
		seen[fmt.Sprintf("%s %s %v", a.dialect, a.action, a.params)] = answer
	}
	return seen
}

// events sends what waits for subscribers; an owner hears of its own alone, by web and by reading the feed, and cannot touch another's
// subscription.
func (o *owner) events(t *testing.T, s *scene.Scene, other *owner) {
	t.Helper()
	for {
		subs, err := s.Service.ClaimSubscriptions(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, sub := range subs {
			if _, err := s.Service.Notify(t.Context(), sub, func(d time.Duration) time.Duration { return d }); err != nil {
				t.Fatal(err)
			}
		}
		if len(subs) == 0 {
			break
		}
	}
	list, err := s.Service.Events(t.Context(), o.caller, 0, core.MaxEvents)
	if err != nil || len(list) == 0 {
		t.Fatalf("%d events, %v", len(list), err)
	}
	for i := range list {
		if list[i].Account != o.caller.Account {
			t.Errorf("%s reads of %+v", o.word, list[i])
		}
	}
	o.heard.mu.Lock()
	heard := strings.ToLower(o.heard.text.String())
	o.heard.mu.Unlock()
	if id, _ := api.InvocationID(o.own["invocation"]); !strings.Contains(heard, id.String()) {
		t.Errorf("%s heard nothing of its own invocation", o.word)
	}
	for _, secret := range other.secrets() {
		if strings.Contains(heard, secret) {
			t.Errorf("%s heard of %q", o.word, secret)
		}
	}

	id, _ := core.ParseID(other.own["subscription"])
	enabled := false
	for what, do := range map[string]func() error{
		"read":   func() error { _, err := s.Service.Subscription(t.Context(), o.caller, id); return err },
		"dead":   func() error { _, err := s.Service.DeadLetters(t.Context(), o.caller, id); return err },
		"replay": func() error { _, err := s.Service.Replay(t.Context(), o.caller, id, core.Moment{}); return err },
		"change": func() error {
			_, _, err := s.Service.ChangeSubscription(t.Context(), o.caller, id, core.SubscriptionChange{Enabled: &enabled})
			return err
		},
	} {
		if err := do(); core.AsError(err).Code != core.CodeNotFound {
			t.Errorf("%s: another's subscription: %v", what, err)
		}
	}
}
