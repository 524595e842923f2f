package apitest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Depot is the object store of a server, as the stories about output that is delivered find it.
type Depot struct {
	Bucket    string // may be written to
	Forbidden string // exists, and may not
	Missing   string // does not exist
	// Object reads an object back.
	Object func(t *testing.T, bucket, key string) []byte
}

// countingExit is what a script of counting exits with.
const countingExit = 3

// counting is a script that prints some of the numbers from 1 on, at most six million bytes of them.
func counting(size int) string {
	return fmt.Sprintf("seq 1 1000000 | head -c %d; exit %d", size, countingExit)
}

// counted is what it prints.
func counted(size int) []byte {
	var b bytes.Buffer
	for i := 1; b.Len() < size; i++ {
		fmt.Fprintln(&b, i)
	}
	return b.Bytes()[:size]
}

// carried is what a vendor shows of a task and of the delivery of its output.
type carried struct {
	Status   string
	ExitCode int64
	Output   string
	Place    string // where the output was to go
	// URI is where it is, Delivery how far it is, in the vendor's word if there is one, and Fault what went wrong.
	URI, Delivery, Fault string
}

// sender runs scripts on a machine whose output is to be delivered to a bucket, through the SDK of a vendor that has such deliveries.
type sender interface {
	// send runs a script and returns the id of the invocation.
	send(script, bucket, prefix string) (string, error)
	// look reads what became of it.
	look(id string) (carried, error)
	// place is how the vendor writes a bucket with a prefix, and key what an object in it is called.
	place(bucket, prefix string) string
	key(prefix, id string) string
	// uri is how the vendor writes where an object is.
	uri(bucket, key string) string
}

type ecsSender struct {
	*acs3
	node string
}

func (s *ecsSender) send(script, bucket, prefix string) (string, error) {
	var ran struct{ InvokeId string }
	err := s.call("RunCommand", map[string]any{
		"RegionId": alibabaRegion, "Type": "RunShellScript", "CommandContent": script, "InstanceId": []string{s.node},
		"OssOutputDelivery": s.place(bucket, prefix),
	}, &ran)
	return ran.InvokeId, err
}

func (s *ecsSender) look(id string) (carried, error) {
	type result struct {
		InvocationStatus, Output, OssOutputDelivery, OssOutputUri, OssOutputStatus, OssOutputErrorCode string
		ExitCode                                                                                       int64
	}
	var answer struct {
		Invocation struct {
			InvocationResults struct{ InvocationResult []result }
		}
	}
	err := s.call("DescribeInvocationResults", map[string]any{"RegionId": alibabaRegion, "InvokeId": id, "ContentEncoding": "PlainText"}, &answer)
	if err == nil && len(answer.Invocation.InvocationResults.InvocationResult) != 1 {
		err = fmt.Errorf("%d results of %s", len(answer.Invocation.InvocationResults.InvocationResult), id)
	}
	if err != nil {
		return carried{}, err
	}
	r := answer.Invocation.InvocationResults.InvocationResult[0]
	return carried{
		Status: r.InvocationStatus, ExitCode: r.ExitCode, Output: r.Output, Place: r.OssOutputDelivery, URI: r.OssOutputUri,
		Delivery: r.OssOutputStatus, Fault: r.OssOutputErrorCode,
	}, nil
}

func (*ecsSender) place(bucket, prefix string) string { return "oss://" + bucket + "/" + prefix }

func (s *ecsSender) key(prefix, id string) string { return prefix + "/" + id + "/" + s.node + ".log" }

func (*ecsSender) uri(bucket, key string) string { return "oss://" + bucket + "/" + key }

type tatSender struct {
	*tatSDK
	tasks map[string]string // by invocation
}

func (s *tatSender) send(script, bucket, prefix string) (string, error) {
	var ran struct{ InvocationId string }
	err := s.ask("RunCommand", map[string]any{
		"Content": base64.StdEncoding.EncodeToString([]byte(script)), "InstanceIds": s.nodes, "OutputCOSBucketUrl": s.address(bucket),
		"OutputCOSKeyPrefix": prefix,
	}, &ran)
	return ran.InvocationId, err
}

func (s *tatSender) look(id string) (carried, error) {
	var answer struct {
		InvocationTaskSet []struct {
			TaskStatus, InvocationTaskId string
			TaskResult                   struct {
				ExitCode                                    int64
				Output, OutputUrl, OutputUploadCOSErrorInfo string
			}
			CommandDocument struct{ OutputCOSBucketUrl, OutputCOSKeyPrefix string }
		}
	}
	err := s.ask("DescribeInvocationTasks", map[string]any{
		"Filters": []map[string]any{{"Name": "invocation-id", "Values": []string{id}}}, "HideOutput": false,
	}, &answer)
	if err == nil && len(answer.InvocationTaskSet) != 1 {
		err = fmt.Errorf("%d tasks of %s", len(answer.InvocationTaskSet), id)
	}
	if err != nil {
		return carried{}, err
	}
	t := answer.InvocationTaskSet[0]
	s.tasks[id] = t.InvocationTaskId
	output, err := base64.StdEncoding.DecodeString(t.TaskResult.Output)
	return carried{
		Status: t.TaskStatus, ExitCode: t.TaskResult.ExitCode, Output: string(output), URI: t.TaskResult.OutputUrl,
		Place: t.CommandDocument.OutputCOSBucketUrl + "/" + t.CommandDocument.OutputCOSKeyPrefix, Fault: t.TaskResult.OutputUploadCOSErrorInfo,
	}, err
}

func (*tatSender) address(bucket string) string {
	return "https://" + bucket + ".cos.ap-beijing.myqcloud.com"
}

func (s *tatSender) place(bucket, prefix string) string { return s.address(bucket) + "/" + prefix }

func (s *tatSender) key(prefix, id string) string {
	return prefix + "/" + id + "/" + s.tasks[id] + ".log"
}

func (s *tatSender) uri(bucket, key string) string { return s.address(bucket) + "/" + key }

// deliverer is a sender with its vendor's words.
type deliverer struct {
	sender
	failed                                 string // status of a task that exits with another code than 0
	progress, finished, undelivered        string // of the delivery; empty where the vendor has no word
	denied, missing, missingAtOnce, absent string // what went wrong; absent is that nothing answers
}

func deliverers(t *testing.T, target Target) map[string]deliverer {
	t.Helper()
	target.Nodes = target.Nodes[:1]
	ecs, err := newACS3(target, ecsVersion, false)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]deliverer{
		"ecs": {
			sender: &ecsSender{ecs, target.Nodes[0]}, failed: "Failed", progress: "InProgress", finished: "Finished", undelivered: "Failed",
			denied: "OSS.AccessDenied", missing: "OSS.NoSuchBucket", absent: "OSS.RequestTimeout",
		},
		"tat": {
			sender: &tatSender{newTAT(target, methodTC3), map[string]string{}}, failed: "FAILED", denied: "access to the bucket is denied",
			missingAtOnce: "ResourceNotFound.CosBucketNotFoundCode", absent: "the object store cannot be reached",
		},
	}
}

// await looks at an invocation until it is as wanted.
func (d *deliverer) await(t *testing.T, id string, wanted func(carried) bool) carried {
	t.Helper()
	var got carried
	eventually(t, func() (err error) {
		if got, err = d.look(id); err == nil && !wanted(got) {
			err = fmt.Errorf("%s is still %+v", id, got)
		}
		return err
	})
	return got
}

// Deliveries has output copied to an object store, through the SDKs of both vendors that can ask for it, and reads it back. A copy that
// cannot be made leaves the result of the command as it is.
func Deliveries(t *testing.T, target Target, depot Depot) {
	t.Helper()
	for name, d := range deliverers(t, target) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range []struct {
				bucket string
				size   int
				fault  string
			}{
				{depot.Bucket, 100, ""},
				{depot.Bucket, 5<<20 + 1, ""},
				{depot.Forbidden, 100, d.denied},
				{depot.Missing, 100, d.missing},
			} {
				d.tell(t, depot, tt.bucket, tt.size, tt.fault)
			}
		})
	}
}

// tell has one output delivered, which must come to this fault.
func (d *deliverer) tell(t *testing.T, depot Depot, bucket string, size int, fault string) {
	t.Helper()
	const prefix = "logs/of-tests"
	id, err := d.send(counting(size), bucket, prefix)
	if bucket == depot.Missing && d.missingAtOnce != "" {
		if err == nil || !strings.Contains(err.Error(), d.missingAtOnce) {
			t.Errorf("a bucket that is missing: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	got := d.await(t, id, func(c carried) bool { return c.URI != "" || c.Fault != "" })
	want := carried{
		Status: d.failed, ExitCode: countingExit, Output: got.Output, Place: d.place(bucket, prefix), Delivery: d.undelivered, Fault: fault,
	}
	if fault == "" {
		key := d.key(prefix, id)
		want.URI, want.Delivery = d.uri(bucket, key), d.finished
		if object := depot.Object(t, bucket, key); !bytes.Equal(object, counted(size)) {
			t.Errorf("%d bytes were delivered that differ from the %d printed", len(object), size)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", bucket, diff)
	}
	if len(got.Output) != min(size, 24<<10) {
		t.Errorf("%d bytes of %d are shown", len(got.Output), size)
	}
}

// DeliveriesNowhere has output copied while the object store does not answer; giveUp returns when the server stopped trying.
func DeliveriesNowhere(t *testing.T, target Target, giveUp func()) {
	t.Helper()
	all := deliverers(t, target)
	ids := map[string]string{}
	for name, d := range all {
		var err error
		if ids[name], err = d.send(counting(100), "some-bucket", "logs"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := carried{Status: d.failed, ExitCode: countingExit, Output: string(counted(100)), Place: d.place("some-bucket", "logs"), Delivery: d.progress}
		if diff := cmp.Diff(want, d.await(t, ids[name], func(s carried) bool { return s.Status == d.failed })); diff != "" {
			t.Errorf("%s, while it is tried (-want +got):\n%s", name, diff)
		}
	}
	giveUp()
	for name, d := range all {
		want := carried{
			Status: d.failed, ExitCode: countingExit, Output: string(counted(100)), Place: d.place("some-bucket", "logs"),
			Delivery: d.undelivered, Fault: d.absent,
		}
		if got, err := d.look(ids[name]); err != nil || got != want {
			t.Errorf("%s, given up: %v (-want +got):\n%s", name, err, cmp.Diff(want, got))
		}
	}
}
