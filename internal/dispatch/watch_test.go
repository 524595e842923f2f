package dispatch

import (
	"testing"
	"time"

	"errand/internal/core"
	"errand/internal/protocol"
)

// However many wait for a task's output, its node is asked now and then, and only while the task is open.
func TestWatchIsPassedOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	n := r.scene.Node("n")
	r.scene.Online(n)
	r.start()
	v := r.run("n")
	r.expect("1: run x ttl 60s")
	id := core.TaskID{Invocation: v.ID}
	task := wireTask(id)
	r.say(n, &protocol.Started{Task: task, At: r.scene.Now().UnixMicro()})
	r.watched(id)
	r.watched(id)
	r.expect("1: watch for 5s")
	r.scene.Advance(watchAfter)
	r.watched(id)
	r.expect("1: watch for 5s")
	r.say(n, &protocol.Finished{Task: task, Outcome: protocol.OutcomeExited, Started: 1, Ended: 2})
	r.expect("1: ack have 0 final true")
	r.scene.Advance(time.Minute)
	r.watched(id)
	r.watched(core.TaskID{Invocation: 1})
	r.expect()
}

// Who waits for output has it asked for, and gets it when it is there.
func TestWatchThroughTheService(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	n := r.scene.Node("n")
	r.scene.Online(n)
	r.start()
	v := r.run("n")
	r.expect("1: run x ttl 60s")
	id := core.TaskID{Invocation: v.ID}
	task := wireTask(id)
	r.say(n, &protocol.Started{Task: task, At: r.scene.Now().UnixMicro()})
	seen := make(chan core.Watched)
	go func() {
		w, err := r.scene.Service.Watch(t.Context(), r.scene.Caller, id, 0, time.Minute)
		if err != nil {
			t.Error(err)
		}
		seen <- w
	}()
	r.expect("1: watch for 5s")
	r.say(n, &protocol.Output{Task: task, Chunk: protocol.Chunk{Spans: []protocol.Span{{Stream: 1, Len: 2}}, Data: []byte("ab")}})
	if w := <-seen; len(w.Chunks) != 1 || string(w.Chunks[0].Data) != "ab" || w.Next != 2 || w.State != core.Running {
		t.Errorf("%+v", w)
	}
}
