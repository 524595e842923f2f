package tat

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/scene"
	"errand/internal/core"
)

const logsBucket = "https://logs-1250000000.cos.ap-beijing.myqcloud.com"

// TestOutputDelivery has the words for each thing that can become of an upload; the rest of the task stays as it is.
func TestOutputDelivery(t *testing.T) {
	t.Parallel()
	c := newClient(t, scene.Buckets("logs-1250000000"))
	n := c.node("ins-a")
	stored := ok[createCommandResponse](c.call("CreateCommand", object(
		"CommandName", "a", "Content", b64("ls"), "OutputCOSBucketUrl", logsBucket, "OutputCOSKeyPrefix", "p",
	)))
	for fault := range core.DeliveryFault(core.NumFaults) {
		id := c.invocation(ok[invokeCommandResponse](c.call("InvokeCommand", object("CommandId", stored.CommandId, "InstanceIds", []string{"ins-a"}))).InvocationId)
		read := func() taskResult {
			t.Helper()
			task := c.tasks(id)[0]
			if task.CommandDocument.OutputCOSBucketUrl != logsBucket || task.CommandDocument.OutputCOSKeyPrefix != "p" {
				t.Errorf("%v: %+v", fault, task.CommandDocument)
			}
			return task.TaskResult
		}
		c.scene.Exit(id, n, 3, "out", "")
		before := read()
		if before.OutputUrl != "" || before.OutputUploadCOSErrorInfo != "" || before.ExitCode != 3 {
			t.Errorf("%v, under way: %+v", fault, before)
		}
		url := logsBucket + "/p/x.log"
		c.scene.Settle(c.scene.Task(id, n), fault, url)
		want := before
		if fault == core.NoFault {
			want.OutputUrl = url
		} else {
			want.OutputUploadCOSErrorInfo = fault.String()
		}
		if diff := cmp.Diff(want, read()); diff != "" || (want.OutputUrl == "") == (want.OutputUploadCOSErrorInfo == "") {
			t.Errorf("%v (-want +got):\n%s", fault, diff)
		}
	}
}

// TestNeverRun says so of a task whose instance was gone before it had it.
func TestNeverRun(t *testing.T) {
	t.Parallel()
	c := newClient(t, scene.Buckets("logs-1250000000"))
	n := c.node("ins-a")
	c.scene.Service.Gone(n.Key)
	resp := ok[runCommandResponse](c.call("RunCommand", object("Content", b64("ls"), "InstanceIds", []string{"ins-a"}, "OutputCOSBucketUrl", logsBucket)))
	id := c.invocation(resp.InvocationId)
	c.call("CancelInvocation", object("InvocationId", resp.InvocationId)).want("")
	if got := c.tasks(id)[0].TaskResult; got.OutputUrl != "" || got.OutputUploadCOSErrorInfo != "the command was not run" {
		t.Errorf("%+v", got)
	}
}

// TestBucketOfCall refuses a bucket that is missing at once, in each call that names one. A store that does not answer holds up no call.
func TestBucketOfCall(t *testing.T) {
	t.Parallel()
	c := newClient(t, scene.Buckets("logs-1250000000"))
	c.node("ins-a")
	id := ok[createCommandResponse](c.call("CreateCommand", object("CommandName", "stored", "Content", b64("ls")))).CommandId
	for i, tt := range []struct{ bucket, want string }{
		{logsBucket, ""},
		{"https://cos.example.com/logs-1250000000", ""},
		{"https://missing-1250000000.cos.ap-beijing.myqcloud.com", "ResourceNotFound.CosBucketNotFoundCode"},
		{"https://not_a_bucket.cos.ap-beijing.myqcloud.com", "ResourceNotFound.CosBucketNotFoundCode"},
		{"http://logs-1250000000.cos.ap-beijing.myqcloud.com", "InvalidParameterValue.InvalidOutputCOSBucketUrl"},
		{"", ""},
	} {
		for action, params := range map[string][]any{
			"CreateCommand": {"CommandName", fmt.Sprint("c", i), "Content", b64("ls")},
			"ModifyCommand": {"CommandId", id},
			"RunCommand":    {"Content", b64("ls"), "InstanceIds", []string{"ins-a"}},
			"InvokeCommand": {"CommandId", id, "InstanceIds", []string{"ins-a"}},
		} {
			before := c.stored()
			c.call(action, object(append(params, "OutputCOSBucketUrl", tt.bucket)...)).want(tt.want)
			if tt.want != "" && c.stored() != before {
				t.Errorf("%s with %q left something behind", action, tt.bucket)
			}
		}
	}
	begin := time.Now()
	c.call("RunCommand", object("Content", b64("ls"), "InstanceIds", []string{"ins-a"}, "OutputCOSBucketUrl", "https://silent.cos.example.com")).want("")
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestObjectName: both ids are those that callers see.
func TestObjectName(t *testing.T) {
	t.Parallel()
	id := core.TaskID{Invocation: 5, Index: 2}
	invocation, task := ObjectName(&core.Invocation{ID: 9}, &core.Task{ID: id}, &core.Node{})
	if invocation != "inv-"+id.Invocation.String() || task != "invt-"+id.String() {
		t.Errorf("%s/%s", invocation, task)
	}
}
