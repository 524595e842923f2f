package dispatch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
	"errand/internal/deliver"
)

// shelf is an object store that does what the test says.
type shelf struct {
	mu      sync.Mutex
	objects map[string][]byte
	puts    int
	busy    int
	most    int // uploads at the same time
	err     error
	during  func(ctx context.Context) // with nothing locked
}

func (s *shelf) Put(ctx context.Context, o deliver.Object, r io.Reader, size int64) error {
	s.mu.Lock()
	s.puts++
	s.busy++
	s.most = max(s.most, s.busy)
	err := s.err
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.busy--
		s.mu.Unlock()
	}()
	if err != nil {
		return err
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return err
	}
	s.mu.Lock()
	s.objects[o.Bucket+" "+o.Key] = data
	s.mu.Unlock()
	if s.during != nil {
		s.during(ctx)
	}
	return ctx.Err()
}

func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

var errAway = &url.Error{Op: "Put", Err: errors.New("connection refused")}

// newUploads is a rig with a shelf.
func newUploads(t *testing.T, options ...func(*core.Config)) (*rig, *shelf) {
	t.Helper()
	r := newRig(t, append(options, scene.Buckets())...)
	s := &shelf{objects: map[string][]byte{}}
	r.uploader = s
	r.names = map[core.Origin]ObjectName{core.OriginECS: func(v *core.Invocation, _ *core.Task, n *core.Node) (string, string) {
		return "t-" + v.ID.String(), n.ID
	}}
	return r, s
}

// printed runs a command whose output is to be delivered, and ends it.
func (r *rig) printed(n core.Node, output []byte) core.TaskView {
	r.t.Helper()
	v, err := r.scene.Service.Run(r.t.Context(), r.scene.Caller, core.RunSpec{
		Origin: core.OriginECS, Targets: []string{n.ID},
		Definition: core.Definition{
			Type: core.Shell, Content: []byte("x"), Timeout: time.Minute, Sink: core.Sink{Bucket: "oss://bucket", Prefix: "logs/"},
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	report := core.Report{Kind: core.ReportOutput}
	for off := 0; off < len(output); off += 20_000 { // many pieces of different streams
		data := output[off:min(off+20_000, len(output))]
		report.Chunk = core.Chunk{Off: uint64(off), Data: data, Spans: []core.Span{
			{Stream: core.Stdout, Len: uint32(len(data) / 2)}, {Stream: core.Stderr, Len: uint32(len(data) - len(data)/2)},
		}}
		r.scene.Report(v.ID, n, report)
	}
	now := r.scene.Now()
	a := r.scene.Report(v.ID, n, core.Report{
		Kind: core.ReportEnded, State: core.Failed, Cause: core.CauseExitNonzero, Exited: true, ExitCode: 3, Started: now, Ended: now,
		Stdout: uint64(len(output)), End: uint64(len(output)),
	})
	if !a.Final {
		r.t.Fatalf("the result was not taken: %+v", a)
	}
	return r.view(core.TaskID{Invocation: v.ID})
}

func (r *rig) view(id core.TaskID) core.TaskView {
	r.t.Helper()
	rows, _, err := r.scene.Service.Tasks(r.t.Context(), r.scene.Caller, core.TaskFilter{IDs: []core.TaskID{id}, Output: true}, core.PageSpec{Limit: 1})
	if err != nil || len(rows) != 1 {
		r.t.Fatalf("%d tasks, %v", len(rows), err)
	}
	return rows[0]
}

// try makes one try at what is due.
func (r *rig) try(ctx context.Context) {
	for _, c := range r.claimUploads(r.t.Context(), 100) {
		r.carry(ctx, c)
	}
}

// delivered checks how a delivery came out, and that its task has the same result as before.
func (r *rig) delivered(before core.TaskView, state core.DeliveryState, fault core.DeliveryFault) core.TaskDelivery {
	r.t.Helper()
	after := r.view(before.Task.ID)
	if d := after.Delivery; d == nil || d.State != state || d.Fault != fault {
		r.t.Fatalf("%+v, want state %d, fault %v", d, state, fault)
	}
	if after.State != core.Failed || after.ExitCode != 3 || !after.UpdatedAt.Equal(before.UpdatedAt) {
		r.t.Errorf("the result became %+v", after.Task)
	}
	return *after.Delivery
}

func TestUpload(t *testing.T) {
	t.Parallel()
	r, shelf := newUploads(t)
	n := r.scene.Node("i-1")
	for _, size := range []int{0, 1, 100, 32 << 10, 300_001} {
		output := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
		task := r.printed(n, output)
		r.try(t.Context())
		d := r.delivered(task, core.OutputDelivered, core.NoFault)
		key := "logs/t-" + task.Invocation.ID.String() + "/i-1.log"
		if got, ok := shelf.objects["bucket "+key]; !ok || !bytes.Equal(got, output) {
			t.Errorf("%d bytes of %d arrived, %v", len(got), size, ok)
		}
		if d.URI != "oss://bucket/"+key {
			t.Errorf("it is said to be at %s", d.URI)
		}
	}
	if len(shelf.objects) != 5 || shelf.puts != 5 {
		t.Errorf("%d objects, %d uploads", len(shelf.objects), shelf.puts)
	}
}

func TestUploadRepeated(t *testing.T) {
	t.Parallel()
	r, shelf := newUploads(t)
	task := r.printed(r.scene.Node("i-1"), []byte("output"))
	shelf.fail(errAway)
	for range 2 {
		r.try(t.Context())
		r.delivered(task, core.OutputPending, core.FaultUnreachable)
		r.try(t.Context()) // too early
		r.scene.Advance(10 * time.Second)
	}
	shelf.fail(nil)
	r.try(t.Context())
	if d := r.delivered(task, core.OutputDelivered, core.NoFault); d.Tries != 3 || shelf.puts != 3 {
		t.Errorf("%d tries, %d uploads", d.Tries, shelf.puts)
	}
}

func TestUploadGivenUp(t *testing.T) {
	t.Parallel()
	_, _, refused := deliver.ParseOSS("oss://No")
	for name, tt := range map[string]struct {
		err    error
		change func(*rig)
		fault  core.DeliveryFault
	}{
		"refused":            {refused, func(*rig) {}, core.FaultNoBucket},
		"something else":     {errors.New("no"), func(*rig) {}, core.FaultOther},
		"too late":           {errAway, func(r *rig) { r.scene.Advance(time.Hour) }, core.FaultUnreachable},
		"nothing to call it": {nil, func(r *rig) { r.names = nil }, core.FaultOther},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, shelf := newUploads(t)
			task := r.printed(r.scene.Node("i-1"), []byte("output"))
			shelf.fail(tt.err)
			tt.change(r)
			r.try(t.Context())
			r.delivered(task, core.OutputUndelivered, tt.fault)
			r.scene.Advance(2 * time.Hour)
			r.try(t.Context())
			if shelf.puts > 1 {
				t.Errorf("%d uploads", shelf.puts)
			}
		})
	}
}

// TestUploadOfAccount goes where the settings say, encrypted as they say.
func TestUploadOfAccount(t *testing.T) {
	t.Parallel()
	r, shelf := newUploads(t)
	set := func(on bool) {
		err := r.scene.Service.ChangeSettings(t.Context(), r.scene.Caller, func(a *core.AccountSettings) error {
			b := &a.InvocationDelivery.Bucket
			b.Enabled, b.Bucket, b.Prefix, b.Encryption, b.KeyID = on, "all-output", "a", core.EncryptKMS, "key"
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	set(true)
	n := r.scene.Node("i-1")
	end := func() core.TaskID {
		v, err := r.scene.Service.Run(t.Context(), r.scene.Caller, core.RunSpec{
			Origin: core.OriginECS, Targets: []string{"i-1"}, Definition: core.Definition{Type: core.Shell, Content: []byte("x")},
		})
		if err != nil {
			t.Fatal(err)
		}
		r.scene.Exit(v.ID, n, 0, "out", "")
		return core.TaskID{Invocation: v.ID}
	}
	asked := make(chan deliver.Object, 1)
	r.uploader = asking{shelf, asked}
	id := end()
	r.try(t.Context())
	want := deliver.Object{
		Bucket: "all-output", Key: "a/t-" + id.Invocation.String() + "/i-1.log", Encryption: deliver.EncryptKMS, KeyID: "key",
	}
	if got := <-asked; got != want {
		t.Errorf("asked for %+v, want %+v", got, want)
	}
	if d := r.view(id).Delivery; d.URI != "oss://all-output/"+want.Key {
		t.Errorf("%+v", d)
	}
	id = end()
	set(false) // before it was delivered
	r.try(t.Context())
	if d := r.view(id).Delivery; d.State != core.OutputUndelivered || len(asked) != 0 {
		t.Errorf("%+v", d)
	}
}

type asking struct {
	Uploader
	asked chan<- deliver.Object
}

func (a asking) Put(ctx context.Context, o deliver.Object, r io.Reader, size int64) error {
	a.asked <- o
	return a.Uploader.Put(ctx, o, r, size)
}

// TestUploadNotNoted loses the server between an upload and the note of it: the same object is uploaded once more.
func TestUploadNotNoted(t *testing.T) {
	t.Parallel()
	r, shelf := newUploads(t)
	task := r.printed(r.scene.Node("i-1"), []byte("output"))
	ctx, kill := context.WithCancel(t.Context())
	shelf.during = func(context.Context) { kill() }
	r.try(ctx)
	r.delivered(task, core.OutputPending, core.NoFault)
	shelf.during = nil
	r.try(t.Context()) // the claim still holds
	r.scene.Advance(30 * time.Second)
	r.try(t.Context())
	r.delivered(task, core.OutputDelivered, core.NoFault)
	if len(shelf.objects) != 1 || shelf.puts != 2 {
		t.Errorf("%d objects, %d uploads", len(shelf.objects), shelf.puts)
	}
}

// TestUploadOfRemoved removes an invocation while its output is being uploaded.
func TestUploadOfRemoved(t *testing.T) {
	t.Parallel()
	r, shelf := newUploads(t)
	task := r.printed(r.scene.Node("i-1"), make([]byte, 100_000))
	claimed := r.claimUploads(t.Context(), 9)
	r.scene.Advance(time.Hour)
	if n, err := r.scene.Service.Retain(t.Context(), core.Retention{Age: time.Minute}); err != nil || n != 1 {
		t.Fatalf("%d removed, %v", n, err)
	}
	for _, c := range claimed {
		r.carry(t.Context(), c)
	}
	if shelf.puts != 0 {
		t.Error("uploaded what was removed")
	}
	if found, err := r.scene.Service.ClaimDeliveries(t.Context(), 9); err != nil || len(found) != 0 {
		t.Errorf("left of %s: %+v, %v", task.Task.ID, found, err)
	}
}

// brokenBlobs cannot be read until mended.
type brokenBlobs struct {
	core.Blobs
	mended bool
}

func (b *brokenBlobs) Get(ctx context.Context, key string) ([]byte, error) {
	if !b.mended {
		return nil, errors.New("the disk is broken")
	}
	return b.Blobs.Get(ctx, key)
}

// TestUploadUnread: what cannot be read now may be readable later.
func TestUploadUnread(t *testing.T) {
	t.Parallel()
	blobs := &brokenBlobs{}
	r, shelf := newUploads(t, func(c *core.Config) { blobs.Blobs, c.Blobs = c.Blobs, blobs })
	blobs.mended = true
	task := r.printed(r.scene.Node("i-1"), make([]byte, 100_000))
	blobs.mended = false
	r.try(t.Context())
	r.delivered(task, core.OutputPending, core.FaultOther)
	blobs.mended = true
	r.scene.Advance(time.Minute)
	r.try(t.Context())
	r.delivered(task, core.OutputDelivered, core.NoFault)
	if len(shelf.objects) != 1 {
		t.Errorf("%d objects", len(shelf.objects))
	}
}

// TestUploadHeld lets an upload take minutes: nobody else begins the same one meanwhile. Then another result takes its place.
func TestUploadHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, shelf := newUploads(t)
		task := r.printed(r.scene.Node("i-1"), []byte("output"))
		shelf.during = func(context.Context) {
			for range 20 {
				time.Sleep(core.HoldEvery)
				r.scene.Advance(core.HoldEvery)
				if others, err := r.scene.Service.ClaimDeliveries(t.Context(), 9); err != nil || len(others) != 0 {
					t.Errorf("claimed by another one: %d, %v", len(others), err)
				}
			}
		}
		r.try(t.Context())
		r.delivered(task, core.OutputDelivered, core.NoFault)

		task = r.printed(r.scene.Node("i-2"), []byte("output"))
		cut := false
		shelf.during = func(ctx context.Context) {
			r.scene.Advance(time.Minute) // longer than the claim, without a chance to extend it
			if others, err := r.scene.Service.ClaimDeliveries(t.Context(), 9); err != nil || len(others) != 1 {
				t.Errorf("claimed by another one: %d, %v", len(others), err)
			}
			select {
			case <-ctx.Done():
				cut = true
			case <-time.After(time.Minute):
			}
		}
		r.try(t.Context())
		if !cut {
			t.Error("the upload went on after its claim was lost")
		}
		r.delivered(task, core.OutputPending, core.NoFault)
	})
}

// TestUploadByItself lets the loop find many outputs, and upload some at a time.
func TestUploadByItself(t *testing.T) {
	t.Parallel()
	r, shelf := newUploads(t)
	n := r.scene.Node("i-1")
	var tasks []core.TaskView
	for range 3 * uploadLanes {
		tasks = append(tasks, r.printed(n, []byte("output")))
	}
	started := make(chan struct{}, len(tasks))
	release := make(chan struct{})
	shelf.during = func(context.Context) {
		started <- struct{}{}
		<-release
	}
	r.start()
	for range uploadLanes {
		<-started
	}
	close(release)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if d := r.view(tasks[0].Task.ID).Delivery; d.State == core.OutputDelivered && r.scraped(`errand_output_uploads_total{outcome="finished"} 12`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("not everything was uploaded")
		}
	}
	if shelf.most != uploadLanes {
		t.Errorf("%d uploads at the same time", shelf.most)
	}
	for _, task := range tasks {
		r.delivered(task, core.OutputDelivered, core.NoFault)
	}
}

// TestUploadStopped ends the loop in the middle of an upload.
func TestUploadStopped(t *testing.T) {
	t.Parallel()
	r, shelf := newUploads(t)
	r.printed(r.scene.Node("i-1"), []byte("output"))
	started := make(chan struct{})
	shelf.during = func(ctx context.Context) {
		close(started)
		<-ctx.Done()
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-started
	if err := r.Stop(); err != nil {
		t.Error(err)
	}
}

func TestFaultOf(t *testing.T) {
	t.Parallel()
	if got := FaultOf(nil); got != core.NoFault {
		t.Errorf("no error: %v", got)
	}
	for f := deliver.FaultOther; f <= deliver.FaultInvalidName; f++ {
		if faults[f] == core.NoFault || !strings.Contains(faults[f].String(), " ") {
			t.Errorf("%v has no fault here", f)
		}
	}
}
