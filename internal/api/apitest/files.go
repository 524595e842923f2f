package apitest

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
	"github.com/google/go-cmp/cmp"
)

// sent is how a file arrived on a machine, in the words that ECS and Lingjun share.
type sent struct{ Whole, Machine, ErrorCode string }

// Files sends a file through ECS and reads it from the machine's disk, is kept from writing over it, and writes over it through Lingjun.
func Files(t *testing.T, target Target) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	file := filepath.Join(dir, "notes.bin")
	check := func(content string, mode os.FileMode) {
		t.Helper()
		if got := must(os.ReadFile(file))(t); string(got) != content {
			t.Errorf("the file holds %q, want %q", got, content)
		}
		if got := must(os.Stat(file))(t).Mode(); got != mode {
			t.Errorf("the file's mode is %v, want %v", got, mode)
		}
	}
	const first = "first\x00\xff\n"
	if diff := cmp.Diff(sent{"Success", "Success", ""}, fileThroughECS(t, target, dir, first)); diff != "" {
		t.Errorf("sent through ecs (-want +got):\n%s", diff)
	}
	check(first, 0o640)
	if diff := cmp.Diff(sent{"Failed", "Failed", "FileAlreadyExists"}, fileThroughECS(t, target, dir, "second")); diff != "" {
		t.Errorf("sent again (-want +got):\n%s", diff)
	}
	check(first, 0o640)
	fileThroughEFLO(t, target, dir, "third")
	check("third", 0o755)
}

// arrived is an error while a file is on its way.
func arrived(id, status string) error {
	if slices.Contains(ecsWords.active, status) {
		return fmt.Errorf("%s is still %s", id, status)
	}
	return nil
}

// fileThroughECS sends notes.bin to the first of the nodes and waits for what becomes of it.
func fileThroughECS(t *testing.T, target Target, dir, content string) sent {
	t.Helper()
	c := must(newRPC(target))(t)
	r := ecs.CreateSendFileRequest()
	r.RegionId, r.Name, r.TargetDir, r.InstanceId = alibabaRegion, "notes.bin", dir, &[]string{target.Nodes[0]}
	r.Content, r.ContentType = base64.StdEncoding.EncodeToString([]byte(content)), "Base64"
	r.FileMode, r.FileOwner, r.FileGroup, r.Description, r.Timeout = "0640", "root", "root", "notes", requests.NewInteger(30)
	r.Tag = &[]ecs.SendFileTag{{Key: "file", Value: "notes"}}
	id := must(c.SendFile(r))(t).InvokeId

	describe := ecs.CreateDescribeSendFileResultsRequest()
	describe.RegionId, describe.InvokeId = alibabaRegion, id
	var row ecs.Invocation
	eventually(t, func() error {
		resp := must(c.DescribeSendFileResults(describe))(t)
		if resp.TotalCount != 1 || len(resp.Invocations.Invocation) != 1 {
			t.Fatalf("%d files", resp.TotalCount)
		}
		row = resp.Invocations.Invocation[0]
		return arrived(id, row.InvocationStatus)
	})
	machines := row.InvokeInstances.InvokeInstance
	if len(machines) != 1 || machines[0].InstanceId != target.Nodes[0] {
		t.Fatalf("machines: %+v", machines)
	}
	parseTime(t, machines[0].FinishTime)
	got := sent{row.InvocationStatus, machines[0].InvocationStatus, machines[0].ErrorCode}
	for name, pair := range map[string][2]string{
		"InvokeId": {id, row.InvokeId}, "Name": {r.Name, row.Name}, "TargetDir": {dir, row.TargetDir}, "Content": {r.Content, row.Content},
		"ContentType": {"Base64", row.ContentType}, "Description": {"notes", row.Description}, "FileMode": {"0640", row.FileMode},
		"FileOwner": {"root", row.FileOwner}, "FileGroup": {"root", row.FileGroup}, "Overwrite": {"false", row.Overwrite},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", name, pair[1], pair[0])
		}
	}
	if diff := cmp.Diff([]ecs.Tag{{TagKey: "file", TagValue: "notes"}}, row.Tags.Tag); diff != "" || row.VmCount != 1 {
		t.Errorf("sent to %d machines, tags (-want +got):\n%s", row.VmCount, diff)
	}
	return got
}

// fileThroughEFLO writes over notes.bin through all nodes, one of which may find it written already by the other.
func fileThroughEFLO(t *testing.T, target Target, dir, content string) {
	t.Helper()
	s := must(newACS3(target, efloVersion, true))(t)
	nodes := must((&efloSDK{nodes: target.Nodes}).nodeList())(t)
	var made struct{ InvokeId string }
	if err := s.call("SendFile", map[string]any{
		"Name": "notes.bin", "TargetDir": dir, "Content": content, "ContentType": "PlainText", "NodeIdList": nodes, "Overwrite": true,
		"FileMode": "0755", "Timeout": 30,
	}, &made); err != nil {
		t.Fatal(err)
	}
	type node struct{ NodeId, InvocationStatus, ErrorCode string }
	type answer struct {
		TotalCount  string
		Invocations struct {
			Invocation []struct {
				Name, TargetDir, Content, ContentType, FileMode, InvocationStatus string

				NodeCount   int64
				Overwrite   bool
				InvokeNodes struct{ InvokeNode []node }
			}
		}
	}
	var resp answer
	eventually(t, func() error {
		resp = answer{}
		if err := s.call("DescribeSendFileResults", map[string]any{"InvokeId": made.InvokeId}, &resp); err != nil {
			t.Fatal(err)
		}
		if len(resp.Invocations.Invocation) != 1 {
			t.Fatalf("%d files", len(resp.Invocations.Invocation))
		}
		return arrived(made.InvokeId, resp.Invocations.Invocation[0].InvocationStatus)
	})
	row := resp.Invocations.Invocation[0]
	var want []node
	for _, id := range target.Nodes {
		want = append(want, node{id, "Success", ""})
	}
	if diff := cmp.Diff(want, row.InvokeNodes.InvokeNode); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	if resp.TotalCount != "1" || !row.Overwrite || row.InvocationStatus != "Success" || row.NodeCount != int64(len(target.Nodes)) || row.Name != "notes.bin" || row.TargetDir != dir ||
		row.Content != content || row.ContentType != "PlainText" || row.FileMode != "0755" {
		t.Errorf("sent through eflo: %+v", resp)
	}
}
