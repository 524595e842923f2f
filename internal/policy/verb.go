package policy

import (
	"fmt"
	"strings"
)

// Access is how far a verb reaches.
type Access string

// The levels of access.
const (
	List  Access = "list"  // sees that things exist, and their state
	Read  Access = "read"  // sees the content of one thing, or what the installation offers
	Write Access = "write" // changes something, or runs something
)

// Action is a vendor's name for an operation.
type Action struct {
	Product string // "ecs", "eflo", "tat" or "zos"
	Name    string // "RunCommand"
}

// String is the action as policies name it, "ecs:RunCommand".
func (a Action) String() string { return a.Product + ":" + a.Name }

// Verb is one neutral operation.
type Verb struct {
	Name      string   // "invocation.run"
	Access    Access   // how far it reaches
	Resources []string // kinds of resources it is asked about, "node"; none if it concerns no resource of its own
	Actions   []Action // every vendor action that comes down to it; none if only the native interface has it
}

// native is the product under which a policy may name the verbs themselves: "errand:invocation.run".
const native = "errand"

// Verbs returns the whole list, always in the same order. Vendor actions are those of Alibaba ECS 2014-05-26 (Cloud Assistant) and
// eflo-controller 2022-12-15, Tencent TAT 2020-10-28 and Zenlayer ZOS 2025-10-10; each stands under exactly one verb.
func Verbs() []Verb {
	return []Verb{
		{"command.create", Write, of("command"), by("ecs:CreateCommand tat:CreateCommand zos:CreateCommand")},
		{"command.modify", Write, of("command"), by("ecs:ModifyCommand tat:ModifyCommand zos:ModifyCommand")},
		{"command.delete", Write, of("command"), by("ecs:DeleteCommand tat:DeleteCommand tat:DeleteCommands zos:DeleteCommand")},
		{"command.list", List, of("command"), by("ecs:DescribeCommands tat:DescribeCommands zos:DescribeCommands")},
		{"command.preview", Read, of("command"), by("tat:PreviewReplacedCommandContent")},

		{"invocation.run", Write, of("node", "command"), by("ecs:RunCommand eflo:RunCommand tat:RunCommand")},
		{"invocation.invoke", Write, of("node", "command"), by("ecs:InvokeCommand tat:InvokeCommand zos:InvokeCommand")},
		{"invocation.modify", Write, of("invocation", "node"), by("ecs:ModifyInvocationAttribute")},
		{"invocation.stop", Write, of("invocation", "node"), by("ecs:StopInvocation eflo:StopInvocation tat:CancelInvocation")},
		{"invocation.pause", Write, of("invocation", "node"), nil},
		{"invocation.resume", Write, of("invocation", "node"), nil},
		{"invocation.abort", Write, of("invocation", "node"), nil},
		{"invocation.list", List, of("invocation", "command", "node"), by(
			"ecs:DescribeInvocations eflo:DescribeInvocations tat:DescribeInvocations zos:DescribeCommandInvocations",
		)},
		{"task.list", List, of("invocation", "command", "node"), by("ecs:DescribeInvocationResults tat:DescribeInvocationTasks")},

		{"file.send", Write, of("node"), by("ecs:SendFile eflo:SendFile")},
		{"file.list", List, of("invocation", "node"), by("ecs:DescribeSendFileResults eflo:DescribeSendFileResults")},

		{"file.upload", Write, nil, nil},
		{"file.push", Write, of("node"), nil},
		{"file.fetch", Write, of("node"), nil},
		{"file.download", Read, of("invocation"), nil},

		{"schedule.create", Write, of("node", "command"), by("tat:CreateInvoker")},
		{"schedule.modify", Write, of("schedule", "node", "command"), by("tat:ModifyInvoker")},
		{"schedule.delete", Write, of("schedule"), by("tat:DeleteInvoker")},
		{"schedule.enable", Write, of("schedule"), by("tat:EnableInvoker")},
		{"schedule.disable", Write, of("schedule"), by("tat:DisableInvoker")},
		{"schedule.list", List, of("schedule"), by("tat:DescribeInvokers")},
		{"schedule.history", List, of("schedule"), by("tat:DescribeInvokerRecords")},

		{"agent.status", List, of("node"), by("ecs:DescribeCloudAssistantStatus ecs:ListPluginStatus tat:DescribeAutomationAgentStatus")},
		{"agent.install", Write, of("node"), by("ecs:InstallCloudAssistant")},

		{"registration.create", Write, of("registration"), by("ecs:CreateActivation tat:CreateRegisterCode")},
		{"registration.disable", Write, of("registration"), by("ecs:DisableActivation tat:DisableRegisterCodes")},
		{"registration.delete", Write, of("registration"), by("ecs:DeleteActivation tat:DeleteRegisterCodes")},
		{"registration.list", List, of("registration"), by("ecs:DescribeActivations tat:DescribeRegisterCodes")},

		{"node.list", List, of("node"), by(
			"ecs:DescribeManagedInstances ecs:DescribeInstances ecs:DescribeInstanceStatus " +
				"eflo:DescribeNode eflo:ListClusterNodes eflo:ListFreeNodes eflo:ListClusters tat:DescribeRegisterInstances",
		)},
		{"node.modify", Write, of("node"), by("ecs:ModifyManagedInstance tat:ModifyRegisterInstance")},
		{"node.remove", Write, of("node"), by("ecs:DeregisterManagedInstance tat:DeleteRegisterInstance")},

		{"node.cordon", Write, of("node"), nil},
		{"group.set", Write, of("group"), nil},
		{"group.delete", Write, of("group"), nil},
		{"group.list", List, of("group"), nil},

		{"session.start", Write, of("node"), by("ecs:StartTerminalSession eflo:CreateSession")},
		{"session.exec", Write, of("node"), nil},
		{"session.forward", Write, of("node"), nil},
		{"session.watch", Read, of("session", "node"), nil},
		{"session.take", Write, of("session", "node"), nil},
		{"session.play", Read, of("session", "node"), nil},
		{"session.end", Write, of("session"), by("ecs:EndTerminalSession eflo:CloseSession")},
		{"session.list", List, of("session", "node"), by("ecs:DescribeTerminalSessions")},

		{"tag.add", Write, of("node", "command", "invocation", "registration"), by("ecs:TagResources eflo:TagResources")},
		{"tag.remove", Write, of("node", "command", "invocation", "registration"), by("ecs:UntagResources eflo:UntagResources")},
		{"tag.list", List, of("node", "command", "invocation", "registration"), by("ecs:ListTagResources eflo:ListTagResources")},

		{"settings.read", Read, nil, by("ecs:DescribeCloudAssistantSettings")},
		{"settings.modify", Write, nil, by("ecs:ModifyCloudAssistantSettings")},
		{"region.list", List, nil, by("ecs:DescribeRegions eflo:DescribeRegions tat:DescribeRegions")},
		{"scene.list", List, nil, by("tat:DescribeScenes")},
		{"quota.list", List, nil, by("tat:DescribeQuotas")},
		{"quota.modify", Write, nil, nil},

		{"account.create", Write, of("account"), nil},
		{"account.modify", Write, of("account"), nil},
		{"account.delete", Write, of("account"), nil},
		{"account.list", List, of("account"), nil},
		{"user.create", Write, of("user"), nil},
		{"user.modify", Write, of("user"), nil},
		{"user.delete", Write, of("user"), nil},
		{"user.list", List, of("user"), nil},
		{"key.create", Write, of("user"), nil},
		{"key.enable", Write, of("key", "user"), nil},
		{"key.disable", Write, of("key", "user"), nil},
		{"key.rotate", Write, of("key", "user"), nil},
		{"key.delete", Write, of("key", "user"), nil},
		{"key.list", List, of("key", "user"), nil},
		{"policy.create", Write, of("policy"), nil},
		{"policy.modify", Write, of("policy"), nil},
		{"policy.delete", Write, of("policy"), nil},
		{"policy.attach", Write, of("policy", "user"), nil},
		{"policy.detach", Write, of("policy", "user"), nil},
		{"policy.list", List, of("policy"), nil},
		{"policy.explain", Read, of("user"), nil},
		{"audit.list", List, nil, nil},

		{"release.trust", Write, of("release"), nil},
		{"release.add", Write, of("release"), nil},
		{"release.remove", Write, of("release"), nil},
		{"release.list", List, of("release"), nil},
		{"upgrade.start", Write, of("release"), nil},
		{"upgrade.modify", Write, of("rollout"), nil},
		{"upgrade.list", List, of("rollout"), nil},

		{"event.subscribe", Write, of("subscription"), nil},
		{"event.modify", Write, of("subscription"), nil},
		{"event.unsubscribe", Write, of("subscription"), nil},
		{"event.replay", Write, of("subscription"), nil},
		{"event.list", List, of("subscription"), nil},
		{"event.watch", Read, nil, nil},
	}
}

// VerbOf is the verb that a vendor's action comes down to: "invocation.run" for "ecs" and "RunCommand". Both are case-sensitive.
func VerbOf(product, action string) (string, bool) {
	name, ok := verbs.byAction[Action{product, action}]
	return name, ok
}

func of(kinds ...string) []string { return kinds }

func by(actions string) []Action {
	words := strings.Fields(actions)
	list := make([]Action, len(words))
	for i, w := range words {
		list[i].Product, list[i].Name, _ = strings.Cut(w, ":")
	}
	return list
}

// verbIndex is the list of verbs, prepared for looking up. It never changes.
type verbIndex struct {
	byName   map[string]int // the verb's place in the list
	byAction map[Action]string
	spelled  [][]string // by place: every name a policy may use for the verb, in lower case
}

var verbs = indexVerbs(Verbs())

func indexVerbs(list []Verb) verbIndex {
	x := verbIndex{byName: map[string]int{}, byAction: map[Action]string{}, spelled: make([][]string, len(list))}
	for i, v := range list {
		x.byName[v.Name] = i
		x.spelled[i] = []string{v.Name, native + ":" + v.Name}
		for _, a := range v.Actions {
			x.byAction[a] = v.Name
			x.spelled[i] = append(x.spelled[i], strings.ToLower(a.String()))
		}
	}
	return x
}

// verbSet holds verbs by their place in the list.
type verbSet [2]uint64

func (s *verbSet) add(verb int) { s[verb/64] |= 1 << (verb % 64) }

func (s *verbSet) has(verb int) bool { return s[verb/64]&(1<<(verb%64)) != 0 }

func (s *verbSet) merge(other verbSet) {
	for i := range s {
		s[i] |= other[i]
	}
}

// actionPattern is one entry of an Action or NotAction element.
type actionPattern struct {
	text  string // as written
	verbs verbSet
}

// parseAction finds the verbs that an entry names. Letter case does not count, as with the vendor. An entry that names nothing is
// refused: it is a slip of the pen, and in a Deny statement a dangerous one.
// https://www.alibabacloud.com/help/en/resource-management/resource-directory/user-guide/languages-of-access-control-policies
func parseAction(text string) (actionPattern, error) {
	a := actionPattern{text: text}
	lower := strings.ToLower(text)
	p := newPattern(lower)
	bare := !strings.Contains(lower, ":")
	found := false
	for verb, names := range verbs.spelled {
		if bare {
			names = names[:1]
		}
		for _, name := range names {
			if p.matches(name) {
				a.verbs.add(verb)
				found = true
			}
		}
	}
	if !found {
		return a, fmt.Errorf("%.100q names no action", text)
	}
	return a, nil
}
