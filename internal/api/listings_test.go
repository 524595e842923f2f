package api_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/api"
	"errand/internal/api/ecs"
	"errand/internal/api/eflo"
	"errand/internal/api/sign"
	"errand/internal/api/tat"
	"errand/internal/api/zos"
	"errand/internal/core"
	"errand/internal/store/blob"
	"errand/internal/store/sqlite"
	"errand/internal/store/storetest"
)

const (
	archiveAccount = core.AccountID(1000000000000001)
	archiveKey     = "benchkey"
	archiveSecret  = "benchsecret"
	archiveNodes   = 10_000
	archiveRepeats = 40_000 // occurrences of one standing invocation, all on the first node
	archiveOrders  = 1_000  // stored commands; half of all invocations are of the first
)

// archive is a server with many stored tasks: in wide invocations, of all nodes, or in narrow ones, of one node each.
type archive struct {
	b      *testing.B
	store  core.Store
	now    time.Time
	server *api.Server
	token  string
	ids    *core.IDs

	nodes    []core.NodeKey
	commands []core.ID
	standing core.ID
	schedule core.ID
	some     core.ID // an invocation from the middle
}

// BenchmarkListings calls the listings of all dialects, everything but the network included: proof of who calls, decoding, the answer's
// encoding. A page has 50 rows unless fewer match; matches is the total that the answer names. ERRAND_BENCH_TASKS names another number of tasks than
// a million.
func BenchmarkListings(b *testing.B) {
	b.Run("wide", func(b *testing.B) { benchListings(b, newArchive(b, archiveNodes)) })
	b.Run("narrow", func(b *testing.B) { benchListings(b, newArchive(b, 1)) })
}

func newArchive(b *testing.B, width int) *archive {
	b.Helper()
	a := &archive{b: b, now: time.Date(2026, 11, 22, 5, 41, 40, 0, time.UTC), ids: core.NewIDs(1)}
	dir := b.TempDir()
	store, err := sqlite.Open(b.Context(), filepath.Join(dir, "errand.db"), slog.New(slog.DiscardHandler))
	a.must(err)
	b.Cleanup(func() { _ = store.Close() })
	a.store = store
	blobs, err := blob.NewFolder(filepath.Join(dir, "blobs"))
	a.must(err)
	sealer, err := core.NewSealer(make([]byte, 32))
	a.must(err)
	log := slog.New(slog.DiscardHandler)
	clock := func() time.Time { return a.now }
	service := core.NewService(core.Config{
		Store: store, Blobs: blobs, Sealer: sealer, IDs: a.ids, Now: clock, Log: log, Feed: &core.Feed{}, PageKey: make([]byte, 32),
	})
	_, err = service.CreateAccount(b.Context(), archiveAccount, "bench")
	a.must(err)
	_, err = service.CreateKey(b.Context(), archiveAccount, core.RootUser, archiveKey, archiveSecret)
	a.must(err)
	a.token, err = service.CreateBearer(b.Context(), archiveAccount, core.RootUser)
	a.must(err)
	env := api.Env{Service: service, Now: clock, Nonces: new(sign.NonceCache)}
	a.server = &api.Server{Dialects: []api.Dialect{zos.New(env), tat.New(env), eflo.New(env), ecs.New(env)}, Now: clock, Log: log}
	a.fill(width)
	return a
}

func (a *archive) must(err error) {
	a.b.Helper()
	if err != nil {
		a.b.Fatal(err)
	}
}

func (a *archive) id() core.ID { return a.ids.Next(a.now) }

// fill stores nodes, commands, and a million tasks in invocations of so many each.
func (a *archive) fill(width int) {
	ctx := a.b.Context()
	for i := range archiveNodes {
		key, err := a.store.InsertNode(ctx, core.Node{
			Account: archiveAccount, ID: fmt.Sprintf("i-%08d", i), Name: fmt.Sprint("node", i), Region: "region", PublicKey: fmt.Sprintf("UKEY%060d", i),
			RegisteredAt: a.now, UpdatedAt: a.now, Hostname: fmt.Sprint("host", i), Platform: core.Linux, OSName: "Debian GNU/Linux 13",
			Kernel: "6.12.0", Arch: "amd64", MachineID: fmt.Sprintf("%032x", i), BootID: fmt.Sprintf("%032x", i), Zone: "UTC",
			PrivateIP: "10.1.2.3", PublicIP: "192.0.2.1", Agent: "1.0.0", Features: []string{"session"}, LastSeen: a.now,
		})
		a.must(err)
		a.nodes = append(a.nodes, key)
	}
	for i := range archiveOrders {
		a.commands = append(a.commands, a.id())
		a.must(a.store.InsertCommand(ctx, core.Command{
			ID: a.commands[i], Account: archiveAccount, Region: "region", CreatedAt: a.now, UpdatedAt: a.now, Definition: a.definition(i),
		}, false))
	}
	a.schedule = a.id()
	a.must(a.store.InsertSchedule(ctx, core.Schedule{ID: a.schedule, Account: archiveAccount, Command: a.commands[0], Enabled: true}))
	work := make(chan func(), 1000)
	var group sync.WaitGroup
	for range 256 { // they share transactions
		group.Go(func() {
			for insert := range work {
				insert()
			}
		})
	}
	all := 1_000_000
	if n, err := strconv.Atoi(os.Getenv("ERRAND_BENCH_TASKS")); err == nil {
		all = n
	}
	n := all / width
	if width == 1 {
		n = max(n-archiveRepeats, archiveNodes)
		a.standing = a.insert(-1, core.KindStanding, 0, a.nodes[:1])
		for i := range archiveRepeats {
			work <- func() { a.insert(-2-i, core.KindOccurrence, a.standing, a.nodes[:1]) }
		}
	}
	for i := range n {
		work <- func() {
			kind, nodes := core.KindOnce, a.nodes
			if i%25 == 24 {
				kind = core.KindFile
			}
			if width == 1 {
				nodes = nodes[i%len(nodes):][:1]
			}
			id := a.insert(i, kind, 0, nodes)
			if i == n/2 {
				a.some = id
			}
		}
	}
	close(work)
	group.Wait()
	for i := range 2000 {
		a.must(a.store.InsertFiring(ctx, core.Firing{
			ID: a.id(), Account: archiveAccount, Schedule: a.schedule, Due: a.now.Add(time.Duration(i) * time.Minute), Invocation: a.some,
		}, 10_000, func(*core.Schedule) {}))
	}
}

func (a *archive) definition(command int) core.Definition {
	return core.Definition{
		Name: fmt.Sprint("command", command), Type: core.Shell, Content: []byte("df -h /var && systemctl is-active nginx || systemctl restart nginx"),
		Timeout: time.Minute,
	}
}

// insert stores the i-th invocation: half of them are of the first command, one in fifty failed, half are tagged as production, one in a hundred
// thousand has the tag, group, and type that rare listings look for.
func (a *archive) insert(i int, kind core.InvocationKind, schedule core.ID, nodes []core.NodeKey) core.ID {
	command := 0
	if i%2 == 1 {
		command = 1 + i/2%(archiveOrders-1)
	}
	v := core.Invocation{
		ID: a.id(), Account: archiveAccount, Region: "region", Origin: core.OriginECS, Kind: kind, Command: a.commands[command], Saved: true,
		Definition: a.definition(command), Repeat: core.Once, Schedule: schedule, CreatedAt: a.now, StartedAt: a.now, EndedAt: a.now, UpdatedAt: a.now,
		ResourceGroup: fmt.Sprint("rg", max(i, 0)%10), DeliverWithin: time.Minute, KillTree: true,
	}
	switch kind {
	case core.KindOnce:
	case core.KindOccurrence:
		v.Due = a.now.Add(time.Duration(i) * time.Minute)
	case core.KindStanding:
		v.Repeat, v.Frequency = core.Period, "rate(1m)"
	case core.KindFile:
		v.File = &core.File{Name: "nginx.conf", Dir: "/etc/nginx", Mode: "0644", Owner: "root", Group: "root"}
	}
	if i%4 < 2 {
		v.Tags = []core.Tag{{Key: "env", Value: "prod"}}
	}
	if i%100_000 == 7 {
		v.Tags, v.ResourceGroup, v.Type, v.Name = []core.Tag{{Key: "ticket", Value: "4711"}}, "rare", core.Bat, "rare"
	}
	tasks := make([]core.Task, len(nodes))
	for j, node := range nodes {
		t := core.Task{
			ID: core.TaskID{Invocation: v.ID, Index: uint32(j)}, Node: node, State: core.Succeeded, Exited: true, Tries: 1, SentAt: a.now, ReceivedAt: a.now,
			StartedAt: a.now, EndedAt: a.now, UpdatedAt: a.now, Stdout: 20,
			Output: core.Output{Recent: core.Chunk{Spans: []core.Span{{Stream: core.Stdout, Len: 20}}, Data: []byte("twenty bytes of text")}},
		}
		switch {
		case kind == core.KindStanding:
			t.State = core.Scheduled
		case (i+j)%50 == 49:
			t.State, t.ExitCode, t.Cause = core.Failed, 1, core.CauseExitNonzero
		case (i+j)%5000 == 111:
			t.State, t.Cause = core.Lost, core.CauseAgentUnresponsive
		}
		tasks[j] = t
	}
	if err := a.store.InsertInvocation(a.b.Context(), &v, tasks); err != nil {
		a.b.Error(err)
	}
	return v.ID
}

// listed is a call of the benchmarks.
type listed struct {
	name    string
	request func() *http.Request
}

func benchListings(b *testing.B, a *archive) {
	wide := a.standing == 0
	node := "i-00000123"
	if !wide {
		node = "i-00000000" // the one with all the occurrences
	}
	ecs := func(name, action string, params ...string) listed {
		if !strings.Contains(name, "status of") {
			params = append([]string{"PageSize", "50"}, params...)
		}
		return listed{"ecs " + action + ": " + name, func() *http.Request { return a.acs(action, "2014-05-26", params) }}
	}
	tat := func(name, action, body string) listed {
		return listed{"tat " + action + ": " + name, func() *http.Request { return a.tc3(action, body) }}
	}
	zos := func(name, action, body string) listed {
		return listed{"zos " + action + ": " + name, func() *http.Request { return a.bearer(action, body) }}
	}
	some := "t-" + a.some.String()
	calls := []listed{
		ecs("all", "DescribeInvocations"),
		ecs("status Success", "DescribeInvocations", "InvokeStatus", "Success"),
		ecs("status Failed", "DescribeInvocations", "InvokeStatus", "Failed"),
		ecs("status Running", "DescribeInvocations", "InvokeStatus", "Running"),
		ecs("a machine", "DescribeInvocations", "InstanceId", node),
		ecs("a machine, status Finished", "DescribeInvocations", "InstanceId", node, "InvokeStatus", "Finished"),
		ecs("a machine, status Failed", "DescribeInvocations", "InstanceId", node, "InvokeStatus", "Failed"),
		ecs("a common command", "DescribeInvocations", "CommandId", "c-"+a.commands[0].String()),
		ecs("a rare command", "DescribeInvocations", "CommandId", "c-"+a.commands[77].String()),
		ecs("a common command, status Failed", "DescribeInvocations", "CommandId", "c-"+a.commands[0].String(), "InvokeStatus", "Failed"),
		ecs("a common name", "DescribeInvocations", "CommandName", "command0"),
		ecs("a rare name", "DescribeInvocations", "CommandName", "rare"),
		ecs("a rare type", "DescribeInvocations", "CommandType", "RunBatScript"),
		ecs("repeated ones", "DescribeInvocations", "RepeatMode", "Period"),
		ecs("timed ones", "DescribeInvocations", "Timed", "true"),
		ecs("a common tag", "DescribeInvocations", "Tag.1.Key", "env", "Tag.1.Value", "prod"),
		ecs("a rare tag", "DescribeInvocations", "Tag.1.Key", "ticket", "Tag.1.Value", "4711"),
		ecs("a common group", "DescribeInvocations", "ResourceGroupId", "rg3"),
		ecs("a rare group", "DescribeInvocations", "ResourceGroupId", "rare"),
		ecs("a common tag and a rare command", "DescribeInvocations", "Tag.1.Key", "env", "Tag.1.Value", "prod", "CommandId", "c-"+a.commands[77].String()),
		ecs("a common tag and a common command", "DescribeInvocations", "Tag.1.Key", "env", "Tag.1.Value", "prod", "CommandId", "c-"+a.commands[0].String()),
		ecs("page 200", "DescribeInvocations", "PageNumber", "200"),
		ecs("status Finished, page 200", "DescribeInvocations", "PageNumber", "200", "InvokeStatus", "Finished"),
		ecs("all", "DescribeInvocationResults"),
		ecs("an invocation", "DescribeInvocationResults", "InvokeId", some),
		ecs("status Failed", "DescribeInvocationResults", "InvokeRecordStatus", "Failed"),
		ecs("status Finished", "DescribeInvocationResults", "InvokeRecordStatus", "Finished"),
		ecs("status Running", "DescribeInvocationResults", "InvokeRecordStatus", "Running"),
		ecs("a machine", "DescribeInvocationResults", "InstanceId", node),
		ecs("a machine, status Failed", "DescribeInvocationResults", "InstanceId", node, "InvokeRecordStatus", "Failed"),
		ecs("a common command", "DescribeInvocationResults", "CommandId", "c-"+a.commands[0].String()),
		ecs("a common command, status Failed", "DescribeInvocationResults", "CommandId", "c-"+a.commands[0].String(), "InvokeRecordStatus", "Failed"),
		ecs("a rare tag", "DescribeInvocationResults", "Tag.1.Key", "ticket", "Tag.1.Value", "4711"),
		ecs("page 200", "DescribeInvocationResults", "PageNumber", "200"),
		ecs("history", "DescribeInvocationResults", "InvokeId", "t-"+a.standing.String(), "IncludeHistory", "true"),
		ecs("all", "DescribeCommands"),
		ecs("a name", "DescribeCommands", "Name", "command77"),
		ecs("all", "DescribeSendFileResults"),
		ecs("status Failed", "DescribeSendFileResults", "InvocationStatus", "Failed"),
		ecs("all", "DescribeCloudAssistantStatus"),
		ecs("status of a machine", "DescribeCloudAssistantStatus", "InstanceId.1", node),
		ecs("all", "DescribeManagedInstances"),
		ecs("connected", "DescribeManagedInstances", "Connected", "true"),
		ecs("all", "DescribeInstances"),
		ecs("tags of invocations", "ListTagResources", "ResourceType", "invocation", "Tag.1.Key", "ticket", "Tag.1.Value", "4711"),
		{"eflo DescribeInvocations: one", func() *http.Request {
			return a.acs("DescribeInvocations", "2022-12-15", []string{"InvokeId", some, "NodeId", node})
		}},
		tat("all", "DescribeInvocations", `{"Limit":50}`),
		tat("a common command", "DescribeInvocations", `{"Limit":50,"Filters":[{"Name":"command-id","Values":["cmd-`+a.commands[0].String()+`"]}]}`),
		tat("all", "DescribeInvocationTasks", `{"Limit":50,"HideOutput":false}`),
		tat("an instance", "DescribeInvocationTasks", `{"Limit":50,"HideOutput":false,"Filters":[{"Name":"instance-id","Values":["`+node+`"]}]}`),
		tat("a command", "DescribeInvocationTasks", `{"Limit":50,"HideOutput":false,"Filters":[{"Name":"command-id","Values":["cmd-`+a.commands[0].String()+`"]}]}`),
		tat("all", "DescribeCommands", `{"Limit":50}`),
		tat("all", "DescribeAutomationAgentStatus", `{"Limit":50}`),
		tat("all", "DescribeInvokerRecords", `{"Limit":50}`),
		zos("all", "DescribeCommandInvocations", `{"pageSize":50}`),
		zos("status Failed", "DescribeCommandInvocations", `{"pageSize":50,"invocationStatuses":["Failed","PartialFailed"]}`),
		zos("an instance", "DescribeCommandInvocations", `{"pageSize":50,"instanceIds":["`+node+`"]}`),
		zos("an instance, status Failed", "DescribeCommandInvocations", `{"pageSize":50,"instanceIds":["`+node+`"],"invocationStatuses":["Failed"]}`),
		zos("all", "DescribeCommands", `{"pageSize":50}`),
	}
	total := regexp.MustCompile(`"(?:TotalCount|totalCount)": ?"?([0-9]+)`)
	for _, c := range calls {
		if wide && strings.HasSuffix(c.name, "history") {
			continue
		}
		b.Run(c.name, func(b *testing.B) {
			var r *http.Request
			var w *httptest.ResponseRecorder
			storetest.Cost(b, "page", 1, func() { r, w = c.request(), httptest.NewRecorder() }, func() { a.server.ServeHTTP(w, r) })
			if w.Code != http.StatusOK {
				b.Fatalf("%d: %.500s", w.Code, w.Body)
			}
			if m := total.FindSubmatch(w.Body.Bytes()); m != nil {
				n, _ := strconv.ParseFloat(string(m[1]), 64) // the pattern has digits only
				b.ReportMetric(n, "matches")
			}
			b.ReportMetric(float64(w.Body.Len())/1024, "KiB")
		})
	}
}

func (a *archive) acs(action, version string, params []string) *http.Request {
	query := url.Values{"RegionId": {"cn-hangzhou"}}
	for i := 0; i < len(params); i += 2 {
		query.Set(params[i], params[i+1])
	}
	r := httptest.NewRequestWithContext(a.b.Context(), http.MethodPost, "http://errand.test/?"+query.Encode(), http.NoBody)
	r.Header.Set("x-acs-action", action)
	r.Header.Set("x-acs-version", version)
	r.Header.Set("Accept", "application/json")
	a.must(sign.SignACS3(r, nil, archiveKey, archiveSecret, core.NewSecret(), a.now))
	return r
}

func (a *archive) tc3(action, body string) *http.Request {
	r := httptest.NewRequestWithContext(a.b.Context(), http.MethodPost, "http://errand.test/", strings.NewReader(body))
	sum := func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	stamp, scope := strconv.FormatInt(a.now.Unix(), 10), a.now.Format(time.DateOnly)+"/tat/tc3_request"
	canonical := "POST\n/\n\ncontent-type:application/json\nhost:errand.test\n\ncontent-type;host\n" + sum(body)
	key := []byte("TC3" + archiveSecret)
	for _, part := range append(strings.Split(scope, "/"), "TC3-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+sum(canonical)) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-TC-Action": action, "X-TC-Version": "2020-10-28", "X-TC-Timestamp": stamp, "X-TC-Region": "ap-guangzhou",
		"Authorization": "TC3-HMAC-SHA256 Credential=" + archiveKey + "/" + scope + ", SignedHeaders=content-type;host, Signature=" + hex.EncodeToString(key),
	} {
		r.Header.Set(name, value)
	}
	return r
}

func (a *archive) bearer(action, body string) *http.Request {
	r := httptest.NewRequestWithContext(a.b.Context(), http.MethodPost, "http://errand.test/api/v2/zos", strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:40000"
	for name, value := range map[string]string{
		"Authorization": "Bearer " + a.token, "Content-Type": "application/json", "X-Zc-Action": action, "X-Zc-Version": zos.Version,
	} {
		r.Header.Set(name, value)
	}
	return r
}
