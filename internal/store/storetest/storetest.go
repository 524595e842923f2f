// Package storetest is what every store must do: one suite of tests and benchmarks that each implementation of core.Store and
// core.Blobs runs from a test of its own. A change of what the core asks for begins here.
package storetest

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"errand/internal/core"
)

// Open opens the store that is kept at a place: an existing directory of which every test has its own. Opening the same place again after
// Close finds what was stored. The suite closes what it opens.
type Open func(tb testing.TB, place string) core.Store

// Run runs the suite.
func Run(t *testing.T, open Open) {
	tests := []struct {
		name string
		run  func(*testing.T, *fixture)
	}{
		{"accounts", testAccounts},
		{"account list", testListAccounts},
		{"keys", testKeys},
		{"settings", testSettings},
		{"account change", testAccountChange},
		{"key change", testKeyChange},
		{"key use and expiry", testKeyTimes},
		{"users", testUsers},
		{"user delete", testUserDelete},
		{"policies", testPolicies},
		{"attachments", testAttachments},
		{"grants", testGrants},
		{"quotas", testQuotas},
		{"audit", testAudit},
		{"audit delete", testAuditDelete},
		{"node round trip", testNodeRoundTrip},
		{"node uniqueness", testNodeUniqueness},
		{"node change", testNodeChange},
		{"nodes by id", testNodesByID},
		{"node filters", testNodeFilters},
		{"node expressions", testNodeExpressions},
		{"selected nodes", testSelectNodes},
		{"groups of nodes", testGroups},
		{"last seen", testLastSeen},
		{"node loads", testNodeLoads},
		{"registration round trip", testRegistrationRoundTrip},
		{"registration use", testRegistrationUse},
		{"registration change", testRegistrationChange},
		{"registration filters", testRegistrationFilters},
		{"command round trip", testCommandRoundTrip},
		{"command uniqueness", testCommandUniqueness},
		{"command change", testCommandChange},
		{"command rename", testCommandRename},
		{"command delete", testCommandDelete},
		{"command runs", testCommandRuns},
		{"command filters", testCommandFilters},
		{"command patterns", testCommandPatterns},
		{"invocation round trip", testInvocationRoundTrip},
		{"invocation uniqueness", testInvocationUniqueness},
		{"invocation filters", testInvocationFilters},
		{"open invocations", testOpenInvocations},
		{"paces", testPaces},
		{"kinds", testKinds},
		{"occurrences", testOccur},
		{"revised invocation", testRevise},
		{"nth invocation", testNthInvocation},
		{"delete invocations", testDeleteInvocations},
		{"task round trip", testTaskRoundTrip},
		{"task change", testTaskChange},
		{"task counts", testTaskCounts},
		{"task filters", testTaskFilters},
		{"task pages", testTaskPages},
		{"tasks of each", testTasksOfEach},
		{"task marks", testTaskMarks},
		{"results", testResults},
		{"parcel round trip", testParcelRoundTrip},
		{"parcel change", testParcelChange},
		{"parcel filters", testParcelFilters},
		{"deliveries", testDeliveries},
		{"delivery claims", testDeliveryClaims},
		{"tag change", testTagChange},
		{"tag filters", testTagFilters},
		{"schedule round trip", testScheduleRoundTrip},
		{"schedule change", testScheduleChange},
		{"schedule filters", testScheduleFilters},
		{"schedule claims", testScheduleClaims},
		{"firings", testFirings},
		{"firing filters", testFiringFilters},
		{"delete firings", testDeleteFirings},
		{"release keys", testReleaseKeys},
		{"releases", testReleases},
		{"rollouts", testRollouts},
		{"upgrades of nodes", testNodeUpgrades},
		{"account settings", testAccountSettings},
		{"session round trip", testSessionRoundTrip},
		{"session load", testSessionLoad},
		{"session change", testSessionChange},
		{"session filters", testSessionFilters},
		{"session delete", testSessionDelete},
		{"recordings", testRecords},
		{"recording filters", testRecordFilters},
		{"recordings of sessions that are gone", testRecordsRemoved},
		{"once", testOnce},
		{"once, forgotten", testForgetOnce},
		{"subscription round trip", testSubscriptionRoundTrip},
		{"subscription claims", testClaims},
		{"events", testEvents},
		{"events of tasks that ended at once", testEventsOfAdded},
		{"events undone", testEventsUndone},
		{"old events", testOldEvents},
		{"stream of output", testOutputEvents},
		{"stream of nodes", testNodeEvents},
		{"concurrent changes", testConcurrentChanges},
		{"concurrent everything", testConcurrentEverything},
		{"panic", testPanic},
		{"cancelled", testCancelled},
		{"transitions", testTransitions},
		{"listings", testListings},
		{"reopen", testReopen},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t, newFixture(t, open))
		})
	}
}

// reporter is what checks need of a test.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// epoch is when the tests take place.
var epoch = time.Date(2026, 3, 14, 15, 9, 26, 535897000, time.UTC)

// at is a time some seconds into the test.
func at(seconds int) time.Time {
	return epoch.Add(time.Duration(seconds)*time.Second + time.Microsecond)
}

// fixture is a store with what tests put into it.
type fixture struct {
	core.Store
	open  Open
	place string
	ids   *core.IDs
}

// The accounts that tests use: mine is looked at, other must never be seen.
const (
	mine  core.AccountID = 1234567890123456
	other core.AccountID = 7
)

func newFixture(tb testing.TB, open Open) *fixture {
	tb.Helper()
	f := &fixture{open: open, place: tb.TempDir(), ids: core.NewIDs(1)}
	f.Store = open(tb, f.place)
	tb.Cleanup(func() {
		if err := f.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return f
}

// reopen closes the store and opens it again.
func (f *fixture) reopen(tb testing.TB) {
	tb.Helper()
	if err := f.Close(); err != nil {
		tb.Fatalf("close: %v", err)
	}
	f.Store = f.open(tb, f.place)
}

func (f *fixture) id() core.ID { return f.ids.Next(epoch) }

// node inserts a node of an account and returns it as stored.
func (f *fixture) node(tb reporter, account core.AccountID, id string) core.Node {
	tb.Helper()
	n := core.Node{Account: account, ID: id, PublicKey: "key of " + id, Platform: core.Linux, RegisteredAt: epoch}
	var err error
	if n.Key, err = f.InsertNode(context.Background(), n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// invocation inserts an invocation with a task for each of the nodes and returns it.
func (f *fixture) invocation(tb reporter, account core.AccountID, nodes ...core.NodeKey) core.Invocation {
	tb.Helper()
	return f.insert(tb, core.Invocation{Account: account, Command: f.id()}, nodes...)
}

// insert gives an invocation its id and its tasks and inserts it.
func (f *fixture) insert(tb reporter, v core.Invocation, nodes ...core.NodeKey) core.Invocation {
	tb.Helper()
	v.ID, v.CreatedAt, v.UpdatedAt = f.id(), epoch, epoch
	tasks := make([]core.Task, len(nodes))
	for i, key := range nodes {
		tasks[i] = core.Task{ID: core.TaskID{Invocation: v.ID, Index: uint32(i)}, Node: key, UpdatedAt: epoch}
		v.Counts[core.Queued]++
	}
	if err := f.InsertInvocation(context.Background(), &v, tasks); err != nil {
		tb.Fatal(err)
	}
	return v
}

// keys returns some node keys that no node has to have.
func keys(n int) []core.NodeKey {
	keys := make([]core.NodeKey, n)
	for i := range keys {
		keys[i] = core.NodeKey(100 + i)
	}
	return keys
}

// set moves tasks of an invocation to a state.
func (f *fixture) set(tb reporter, id core.ID, s core.State, when time.Time, indexes ...uint32) {
	tb.Helper()
	names := make([]core.TaskID, len(indexes))
	for i, index := range indexes {
		names[i] = core.TaskID{Invocation: id, Index: index}
	}
	err := f.ChangeTasks(context.Background(), names, func(t *core.Task) bool {
		t.State, t.UpdatedAt = s, when
		return true
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// tasks returns all tasks of an invocation with their output.
func (f *fixture) tasks(tb reporter, id core.ID) []core.Task {
	tb.Helper()
	rows, _, err := f.ListTasks(context.Background(), core.TaskFilter{Invocations: []core.ID{id}, Output: true}, core.Page{Limit: 1 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	return rows
}

// same compares what was stored with what was read. Empty lists and maps are the same as none.
func same(tb reporter, what string, want, got any) {
	tb.Helper()
	opts := cmp.Options{cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
	if diff := cmp.Diff(want, got, opts); diff != "" {
		tb.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// is checks which error an operation returned; nil is none.
func is(tb reporter, what string, err, want error) {
	tb.Helper()
	if !errors.Is(err, want) {
		tb.Errorf("%s: error is %v, want %v", what, err, want)
	}
}

// filled checks that a struct for a round trip leaves nothing out, so that a field added to the core cannot be forgotten here and in a
// store.
func filled(tb reporter, v any, except ...string) {
	tb.Helper()
	unset(tb, reflect.ValueOf(v), reflect.TypeOf(v).Name(), except)
}

func unset(tb reporter, v reflect.Value, path string, except []string) {
	tb.Helper()
	if slices.Contains(except, path) {
		return
	}
	if v.IsZero() {
		tb.Errorf("%s is not set in the test's own data", path)
	}
	if _, isTime := v.Interface().(time.Time); v.Kind() != reflect.Struct || isTime {
		return
	}
	for i := range v.NumField() {
		unset(tb, v.Field(i), path+"."+v.Type().Field(i).Name, except)
	}
}
