package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vendorActions is every action of the four contracts, written down apart from the table of verbs.
func vendorActions() map[string][]string {
	return map[string][]string{
		"ecs": strings.Fields(`
			RunCommand InvokeCommand CreateCommand ModifyCommand DeleteCommand DescribeCommands DescribeInvocations
			DescribeInvocationResults StopInvocation ModifyInvocationAttribute SendFile DescribeSendFileResults
			DescribeCloudAssistantStatus InstallCloudAssistant DescribeCloudAssistantSettings ModifyCloudAssistantSettings
			StartTerminalSession EndTerminalSession DescribeTerminalSessions CreateActivation DisableActivation DeleteActivation
			DescribeActivations DescribeManagedInstances ModifyManagedInstance DeregisterManagedInstance TagResources UntagResources
			ListTagResources DescribeRegions DescribeInstances DescribeInstanceStatus ListPluginStatus`),
		"eflo": strings.Fields(`
			RunCommand DescribeInvocations StopInvocation SendFile DescribeSendFileResults CreateSession CloseSession DescribeNode
			ListClusterNodes ListFreeNodes ListClusters DescribeRegions TagResources UntagResources ListTagResources`),
		"tat": strings.Fields(`
			CreateCommand ModifyCommand DeleteCommand DeleteCommands DescribeCommands PreviewReplacedCommandContent DescribeScenes
			RunCommand InvokeCommand CancelInvocation DescribeInvocations DescribeInvocationTasks DescribeAutomationAgentStatus
			DescribeRegions DescribeQuotas CreateInvoker ModifyInvoker DeleteInvoker EnableInvoker DisableInvoker DescribeInvokers
			DescribeInvokerRecords CreateRegisterCode DescribeRegisterCodes DisableRegisterCodes DeleteRegisterCodes
			DescribeRegisterInstances ModifyRegisterInstance DeleteRegisterInstance`),
		"zos": strings.Fields(`
			CreateCommand ModifyCommand DeleteCommand DescribeCommands InvokeCommand DescribeCommandInvocations`),
	}
}

func TestEveryActionHasOneVerb(t *testing.T) {
	t.Parallel()
	under := map[string][]string{}
	for _, v := range Verbs() {
		for _, a := range v.Actions {
			under[a.String()] = append(under[a.String()], v.Name)
		}
	}
	known := 0
	for product, actions := range vendorActions() {
		for _, name := range actions {
			known++
			verbs := under[product+":"+name]
			if len(verbs) != 1 {
				t.Errorf("%s:%s is under %q, want one verb", product, name, verbs)
				continue
			}
			if got, ok := VerbOf(product, name); !ok || got != verbs[0] {
				t.Errorf("VerbOf(%s, %s) = %q, %v, want %q", product, name, got, ok, verbs[0])
			}
		}
	}
	if len(under) != known {
		t.Errorf("the table has %d actions, the contracts %d", len(under), known)
	}
	if len(vendorActions()["tat"]) != 29 {
		t.Errorf("TAT has %d actions here, want 29", len(vendorActions()["tat"]))
	}
	if got, ok := VerbOf("zos", "RunCommand"); ok {
		t.Errorf("VerbOf(zos, RunCommand) = %q, but there is no such action", got)
	}
}

func TestVerbs(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(Verbs(), Verbs()); diff != "" {
		t.Errorf("order changes (-first +second):\n%s", diff)
	}
	ownKinds := []string{}
	for _, k := range kinds() {
		if k.system == "" {
			ownKinds = append(ownKinds, k.neutral)
		}
	}
	seen := map[string]bool{}
	for _, v := range Verbs() {
		noun, deed, ok := strings.Cut(v.Name, ".")
		if !ok || noun == "" || deed == "" || strings.ToLower(v.Name) != v.Name {
			t.Errorf("%q is not noun.verb", v.Name)
		}
		if seen[v.Name] {
			t.Errorf("%s is listed twice", v.Name)
		}
		seen[v.Name] = true
		if v.Access != Read && v.Access != Write && v.Access != List {
			t.Errorf("%s has access %q", v.Name, v.Access)
		}
		for _, kind := range v.Resources {
			if !slices.Contains(ownKinds, kind) {
				t.Errorf("%s is about %q, which no policy can name", v.Name, kind)
			}
		}
	}
	for _, k := range kinds() {
		if !slices.Contains(ownKinds, k.neutral) {
			t.Errorf("%s:%s %s means %q, which no policy can name", k.system, k.product, k.word, k.neutral)
		}
	}
	for _, name := range []string{"invocation.run", "task.list", "command.create", "event.subscribe"} {
		if !seen[name] {
			t.Errorf("there is no %s", name)
		}
	}
}
