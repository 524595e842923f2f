package consoletest

import (
	"fmt"
	"os"
	"testing"

	"errand/internal/core"
	"errand/internal/stacktest"
)

// TestAdminPages looks at the pages of administration as TestPages does at the others.
func TestAdminPages(t *testing.T) {
	t.Parallel()
	s := stacktest.Start(t)
	for i := range 2 {
		s.AddNode(t, fmt.Sprintf("web-%d", i+1))
	}
	root, svc, ctx := s.Server.RootCaller(), s.Server.Service, t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := svc.PutNodeGroup(ctx, root, "front", "online && os=linux", "what people see")
	check(err)
	_, err = svc.ModifyNode(ctx, root, "web-1", core.NodeChange{Tags: []core.Tag{{Key: "role", Value: "web"}, {Key: "zone", Value: "a"}}})
	check(err)
	cmd, err := svc.CreateCommand(ctx, root, core.CommandSpec{Definition: core.Definition{
		Name: "restart", Description: "Restarts a service and tells how it is", Type: core.Shell, Content: []byte("systemctl restart {{unit}}\nsystemctl is-active {{unit}}\n"),
		ParamsEnabled: true, Defaults: map[string]string{"unit": "nginx"},
	}, Limits: core.Limits{DefaultTimeout: 60e9}})
	check(err)
	trigger, err := core.ZonedTrigger("Europe/Berlin", "30 3 * * 1-5")
	check(err)
	sched, err := svc.CreateSchedule(ctx, root, core.ScheduleSpec{Origin: core.OriginNative, Name: "nightly", Command: cmd.ID, Trigger: trigger, Targets: []string{"web-1"}, KillTree: true})
	check(err)
	_, err = svc.CreateUser(ctx, root, "kim", core.UserPerson, "Kim of operations")
	check(err)
	check(svc.AttachPolicy(ctx, root, "kim", "ReadOnlyAccess"))
	key, err := svc.IssueKey(ctx, root, core.KeySpec{User: "kim", Kind: core.KeyLong, Description: "laptop"})
	check(err)
	_, _, err = svc.CreateRegistration(ctx, root, core.RegistrationSpec{Limit: 3, Validity: 3600e9, Description: "the new rack", Tags: []core.Tag{{Key: "rack", Value: "7"}}})
	check(err)
	sub, _, err := svc.Subscribe(ctx, root, core.SubscriptionSpec{Name: "chat", URL: "https://chat.example.com/hook", Types: []string{"errand.invocation.*"}, Disabled: true})
	check(err)
	fetch, err := svc.Run(ctx, root, core.RunSpec{Origin: core.OriginNative, Targets: []string{"web-1"}, Transfer: &core.Transfer{Paths: []string{"/etc/hostname"}}})
	check(err)
	b := open(t, s.URL)
	b.signIn()
	pages := []struct{ name, path string }{
		{"nodes", "nodes?q=online"},
		{"node", "nodes/web-1"},
		{"node-remove", "nodes/web-1/remove"},
		{"groups", "groups"},
		{"group", "groups/front"},
		{"commands", "commands"},
		{"command", "commands/" + cmd.ID.String()},
		{"command-edit", "commands/" + cmd.ID.String() + "/edit"},
		{"schedules", "schedules"},
		{"schedule", "schedules/" + sched.ID.String()},
		{"schedule-new", "schedules/new"},
		{"files", "files"},
		{"fetch", "files/" + fetch.ID.String()},
		{"push", "files/push"},
		{"sessions", "sessions"},
		{"session-new", "sessions/new"},
		{"recordings", "recordings"},
		{"users", "users"},
		{"user", "users/kim"},
		{"keys", "keys"},
		{"key", "keys/" + key.ID},
		{"key-new", "keys/new"},
		{"policies", "policies"},
		{"policy", "policies/ReadOnlyAccess"},
		{"policy-new", "policies/new"},
		{"accounts", "accounts"},
		{"quotas", "quotas"},
		{"codes", "registrations"},
		{"code-new", "registrations/new"},
		{"events", "events"},
		{"event", "events/" + sub.ID.String()},
		{"audit", "audit"},
		{"agents", "agents"},
		{"explorer", "explorer?product=tat"},
		{"settings", "settings"},
		{"system", "system"},
	}
	for _, scheme := range []string{"light", "dark"} {
		width := int64(1280) // the other theme is looked at where there is no room
		if scheme == "dark" {
			width = 320
		}
		b.size(width, 860, scheme)
		for _, page := range pages {
			if width == 320 && os.Getenv(shotsEnv) == "" && len(page.name)%2 == 0 {
				continue // the same parts as on the others
			}
			b.visit(page.path)
			name := fmt.Sprintf("admin-%s-%s-%d", page.name, scheme, width)
			b.axe(name)
			b.shot(name)
		}
	}
	b.quiet()
}
