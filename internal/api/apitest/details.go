package apitest

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
	"github.com/google/go-cmp/cmp"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	zos "github.com/zenlayer/zenlayercloud-sdk-go/zenlayercloud/zos20251010"
)

// LongOutput prints 100,000 bytes and compares what each dialect shows of them: ECS and Lingjun the head and the tail, the others the head,
// 24 KB in all cases. Where bytes that are not shown are counted, all of them are.
func LongOutput(t *testing.T, target Target) {
	t.Helper()
	const (
		total = 100_000
		shown = 24_576
		head  = 6_000
	)
	var b strings.Builder
	for i := 1; b.Len() < total; i++ {
		fmt.Fprintf(&b, "%05d\n", i)
	}
	printed := b.String()[:total]
	begin := printed[:shown]
	ends := printed[:head] + printed[total-(shown-head):]

	all := readers(t, target)
	id := mustRun(t, all[&ecsWords], "seq -w 1 20000 | head -c 100000")
	await(t, all[&ecsWords], id, func(r *Reading) bool { return r.ended(ecsWords.active) })
	for d, want := range map[*dialect]Machine{
		&ecsWords:  {Output: ends, Dropped: total - shown},
		&efloWords: {Output: ends, Dropped: total - shown},
		&tatWords:  {Output: begin, Dropped: total - shown},
		&zosWords:  {Output: begin},
	} {
		for node, got := range mustRead(t, all[d], id).Nodes {
			if diff := cmp.Diff(want, Machine{Output: got.Output, Dropped: got.Dropped}); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s", d.name, node, diff)
			}
		}
	}
}

// Timeout lets a command that left a child behind run into its time limit of two seconds: it is over within four, with all its processes.
func Timeout(t *testing.T, target Target) {
	t.Helper()
	s := newTAT(target, methodTC3)
	marks := t.TempDir()
	began := time.Now()
	id, err := s.runFor(fmt.Sprintf(`{ sleep 300 & echo $! >%[1]s/child.$$; } ; echo $$ >%[1]s/script.$$; sleep 300`, marks), 2)
	if err != nil {
		t.Fatal(err)
	}
	r := await(t, s, id, func(r *Reading) bool { return r.ended(tatWords.active) })
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("over after %v", took)
	}
	for node, m := range r.Nodes {
		if m.Words[0] != "TIMEOUT" || m.ExitCode != -1 {
			t.Errorf("%s: %+v", node, m)
		}
	}
	files, err := filepath.Glob(marks + "/*")
	if err != nil || len(files) != 2*len(target.Nodes) {
		t.Fatalf("%d processes noted themselves, %v", len(files), err)
	}
	for _, file := range files {
		pid, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat("/proc/" + strings.TrimSpace(string(pid))); err == nil {
			t.Errorf("%s: process %s is alive", filepath.Base(file), pid)
		}
	}
}

// Agents asks both vendors that can tell what they know of the agents.
func Agents(t *testing.T, target Target) {
	t.Helper()
	fresh := func(node, heartbeat string) {
		t.Helper()
		if age := time.Since(parseTime(t, heartbeat)); age < -2*time.Second || age > 2*time.Minute {
			t.Errorf("%s was last heard of at %s, %v ago", node, heartbeat, age)
		}
	}
	rpc, err := newRPC(target)
	if err != nil {
		t.Fatal(err)
	}
	r := ecs.CreateDescribeCloudAssistantStatusRequest()
	r.RegionId, r.InstanceId = alibabaRegion, &target.Nodes
	resp, err := rpc.DescribeCloudAssistantStatus(r)
	if err != nil {
		t.Fatal(err)
	}
	list := resp.InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus
	if len(list) != len(target.Nodes) || resp.TotalCount != int64(len(target.Nodes)) {
		t.Errorf("ecs knows %d agents, %d in all, want %d", len(list), resp.TotalCount, len(target.Nodes))
	}
	for _, a := range list {
		fresh(a.InstanceId, a.LastHeartbeatTime)
		if a.CloudAssistantStatus != "true" || a.CloudAssistantVersion == "" || a.OSType != "Linux" {
			t.Errorf("ecs: %+v", a)
		}
	}

	var tat struct {
		TotalCount         uint64
		AutomationAgentSet []struct{ InstanceId, Version, LastHeartbeatTime, AgentStatus, Environment string }
	}
	req := &describeRequest{BaseRequest: base("DescribeAutomationAgentStatus"), Filters: []*tatFilter{
		{Name: common.StringPtr("instance-id"), Values: common.StringPtrs(target.Nodes)},
		{Name: common.StringPtr("agent-status"), Values: common.StringPtrs([]string{"Online"})},
	}}
	if err := newTAT(target, methodTC3).call("DescribeAutomationAgentStatus", req, &tat); err != nil {
		t.Fatal(err)
	}
	if len(tat.AutomationAgentSet) != len(target.Nodes) || tat.TotalCount != uint64(len(target.Nodes)) {
		t.Errorf("tat knows %d agents, %d in all, want %d", len(tat.AutomationAgentSet), tat.TotalCount, len(target.Nodes))
	}
	for _, a := range tat.AutomationAgentSet {
		fresh(a.InstanceId, a.LastHeartbeatTime)
		if a.AgentStatus != "Online" || a.Environment != "Linux" || a.Version == "" {
			t.Errorf("tat: %+v", a)
		}
	}
}

// Pages lists the runs of one stored command in pages of two, by every form of paging that the vendors have.
func Pages(t *testing.T, target Target) {
	t.Helper()
	rpc, err := newRPC(target)
	if err != nil {
		t.Fatal(err)
	}
	create := ecs.CreateCreateCommandRequest()
	create.RegionId, create.Name, create.Type = alibabaRegion, "pages", "RunShellScript"
	create.CommandContent = base64.StdEncoding.EncodeToString([]byte("true"))
	command, err := rpc.CreateCommand(create)
	if err != nil {
		t.Fatal(err)
	}
	var want []string // newest first
	for range 5 {
		invoke := ecs.CreateInvokeCommandRequest()
		invoke.RegionId, invoke.CommandId, invoke.InstanceId = alibabaRegion, command.CommandId, &target.Nodes
		v, err := rpc.InvokeCommand(invoke)
		if err != nil {
			t.Fatal(err)
		}
		want = append([]string{bare(v.InvokeId)}, want...)
	}
	for name, pages := range map[string]func(t *testing.T, target Target, commandID string) [][]string{
		"ecs, tokens": ecsTokens, "ecs, numbers": ecsNumbers, "tat, offsets": tatOffsets, "zos, numbers": zosNumbers,
	} {
		t.Run(name, func(t *testing.T) {
			got := pages(t, target, command.CommandId)
			if diff := cmp.Diff([][]string{want[:2], want[2:4], want[4:]}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// bare is an id without the vendor's prefix.
func bare(id string) string { return id[strings.LastIndex(id, "-")+1:] }

// ecsPage lists one page; the request says which.
func ecsPage(t *testing.T, target Target, commandID string, which func(*ecs.DescribeInvocationsRequest)) (ids []string, next string) {
	t.Helper()
	rpc, err := newRPC(target)
	if err != nil {
		t.Fatal(err)
	}
	r := ecs.CreateDescribeInvocationsRequest()
	r.RegionId, r.CommandId = alibabaRegion, commandID
	which(r)
	resp, err := rpc.DescribeInvocations(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range resp.Invocations.Invocation {
		ids = append(ids, bare(v.InvokeId))
	}
	return ids, resp.NextToken
}

func ecsTokens(t *testing.T, target Target, commandID string) (pages [][]string) {
	t.Helper()
	for token := ""; ; {
		page, next := ecsPage(t, target, commandID, func(r *ecs.DescribeInvocationsRequest) {
			r.MaxResults, r.NextToken = requests.NewInteger(2), token
		})
		pages = append(pages, page)
		if next == "" || len(pages) > 5 {
			return pages
		}
		token = next
	}
}

func ecsNumbers(t *testing.T, target Target, commandID string) (pages [][]string) {
	t.Helper()
	for number := range 3 {
		page, _ := ecsPage(t, target, commandID, func(r *ecs.DescribeInvocationsRequest) {
			r.PageSize, r.PageNumber = requests.NewInteger(2), requests.NewInteger(number+1)
		})
		pages = append(pages, page)
	}
	return pages
}

func tatOffsets(t *testing.T, target Target, commandID string) (pages [][]string) {
	t.Helper()
	for number := range uint64(3) {
		var resp struct {
			TotalCount    uint64
			InvocationSet []struct{ InvocationId string }
		}
		req := &describeRequest{
			BaseRequest: base("DescribeInvocations"), Filters: filterBy("command-id", "cmd-"+bare(commandID)),
			Limit: common.Uint64Ptr(2), Offset: common.Uint64Ptr(2 * number),
		}
		if err := newTAT(target, methodTC3).call("DescribeInvocations", req, &resp); err != nil {
			t.Fatal(err)
		}
		if resp.TotalCount != 5 {
			t.Errorf("%d in all", resp.TotalCount)
		}
		var page []string
		for _, v := range resp.InvocationSet {
			page = append(page, bare(v.InvocationId))
		}
		pages = append(pages, page)
	}
	return pages
}

func zosNumbers(t *testing.T, target Target, commandID string) (pages [][]string) {
	t.Helper()
	c, err := newZOS(target)
	if err != nil {
		t.Fatal(err)
	}
	for number := range 3 {
		req := zos.NewDescribeCommandInvocationsRequest()
		req.CommandIds, req.PageSize, req.PageNum = []string{commandID}, ptr(2), ptr(number+1)
		resp, err := c.DescribeCommandInvocations(req)
		if err != nil {
			t.Fatal(err)
		}
		if *resp.Response.TotalCount != 5 {
			t.Errorf("%d in all", *resp.Response.TotalCount)
		}
		var page []string
		for _, v := range resp.Response.DataSet {
			page = append(page, bare(*v.InvocationId))
		}
		pages = append(pages, page)
	}
	return pages
}
