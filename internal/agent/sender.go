package agent

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"time"

	"errand/internal/agent/executor"
	"errand/internal/protocol"
)

const (
	// window is how many output bytes may be on their way. Until the server has said once where it stands, it is one chunk.
	window = 4 * protocol.OutputChunk

	// liveOutput is how much output is sent while a command runs: what will be kept in any case. Of the rest only the end
	// is kept, and where that begins is known at the end.
	liveOutput = executor.DefaultOutputCap / 2
)

// sender is how far the telling of one task has come. Guarded by the agent's lock, but for what is report's alone.
type sender struct {
	told  bool   // that it was received or started
	quiet bool   // the server wants to hear no more before the end
	gone  bool   // the journal has buried the task
	have  uint64 // the position that the server wants next, as far as is known
	asked uint64 // the position in its latest answer, which may be an old one
	heard bool   // there was an answer
	sent  uint64 // the position after what was sent
	all   bool   // the result was sent as well
	holes uint64 // have plus one, when it was last found that something after it got lost

	watched  time.Time     // until when somebody follows the output
	deadline time.Time     // when to go back to what the server has, unless it answers
	pause    time.Duration // until the next deadline

	output *executor.Output // report's alone
	mute   string           // report's alone: why the output cannot be read
}

// again has everything told again that the server seems not to know.
func (s *sender) again() {
	s.told, s.sent, s.all = false, s.have, false
	s.deadline = time.Time{}
}

// reconnected does the same, and with fresh patience.
func (s *sender) reconnected(t *tempo) {
	s.again()
	s.pause = t.resend
}

// acknowledged handles an Ack.
func (a *Agent) acknowledged(m protocol.Ack) {
	a.mu.Lock()
	t := a.tasks[m.Task]
	if t != nil && t.phase == planned && m.Final {
		a.mu.Unlock()
		a.stopTask(t) // the server knows no such plan any more
		return
	}
	defer a.mu.Unlock()
	if t == nil {
		return
	}
	if m.Final {
		// Before the end it means that the server has given the task up.
		t.final, t.quiet = t.phase == ended, true
		a.schedule(t, time.Now())
		return
	}
	if t.acknowledge(m.Have, a.cfg.tempo) && t.phase == ended {
		a.schedule(t, time.Now())
	}
}

// acknowledge notes what the server has, and reports whether there is something to send because of it.
func (s *sender) acknowledge(have uint64, t *tempo) bool {
	s.heard, s.asked = true, have
	switch {
	case have > s.have:
		s.have, s.pause = have, t.resend
		s.deadline = time.Now().Add(s.pause)
		if have > s.sent { // said to an earlier agent, of which we know nothing
			s.sent, s.all = have, false
		}
		return true
	case have == s.have && s.sent > have && s.holes != have+1:
		// A second answer with the same position is one to something that came after a loss.
		s.holes = have + 1
		s.sent, s.all = have, false
		return true
	}
	return false
}

// overdue goes back to what the server has when it did not answer in time. It reports whether the time is over.
func (s *sender) overdue(now time.Time, t *tempo) bool {
	if s.deadline.IsZero() || now.Before(s.deadline) {
		return false
	}
	if s.sent > s.have || s.all {
		s.have = s.asked
		s.sent, s.all = s.have, false
		s.pause = min(2*s.pause, t.maxResend)
	}
	s.deadline = time.Time{}
	return true
}

// wait arms the deadline, with jitter so that a fleet does not repeat itself in step.
func (s *sender) wait(now time.Time, t *tempo) {
	if s.pause == 0 {
		s.pause = t.resend
	}
	s.deadline = now.Add(s.pause + rand.N(s.pause/4+1)) //nolint:gosec // see above
}

// backOff arms the deadline after a failure; the next one is later.
func (s *sender) backOff(now time.Time, t *tempo) {
	s.sent, s.all = s.have, false
	s.wait(now, t)
	s.pause = min(2*s.pause, t.maxResend)
}

// room returns how many bytes may be sent now.
func (s *sender) room() uint64 {
	limit := uint64(protocol.OutputChunk)
	if s.heard {
		limit = window
	}
	return limit - min(limit, s.sent-s.have)
}

// retry looks at a task again after a pause that grows.
func (a *Agent) retry(t *task) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t.backOff(time.Now(), a.cfg.tempo)
	a.schedule(t, t.deadline)
}

// tellProgress reports that a command runs, once, and what it printed since the last time.
func (a *Agent) tellProgress(t *task) {
	now := time.Now()
	a.mu.Lock()
	told, quiet, started := t.told, t.quiet, t.started
	t.overdue(now, a.cfg.tempo)
	a.mu.Unlock()
	if quiet {
		return
	}
	if !told {
		if started.IsZero() {
			started = a.cfg.Clock().Wall
		}
		m := protocol.Started{Task: t.id, At: started.UnixMicro()}
		if a.publish(m.Append(nil)) == nil {
			a.mu.Lock()
			t.told = true
			a.mu.Unlock()
		}
	}
	for a.sendPiece(t) {
	}
	a.later(t, a.outputEvery(t, now))
}

// sendPiece sends a piece of a running command's output and reports whether there is more than it could take.
func (a *Agent) sendPiece(t *task) bool {
	a.mu.Lock()
	from := t.sent
	room := min(t.room(), liveOutput-min(liveOutput, from))
	a.mu.Unlock()
	if room == 0 {
		return false
	}
	c := a.read(t, from, room)
	if len(c.Data) == 0 {
		return false
	}
	m := protocol.Output{Task: t.id, Chunk: c}
	return a.send(t, m.Append(nil), from, c.End(), false) && len(c.Data) == protocol.OutputChunk
}

// tellEnd sends what is left of the output, and the result with the last piece of it.
func (a *Agent) tellEnd(t *task) {
	from, room, result := a.toTell(t)
	if room == 0 {
		return
	}
	c, last := a.readLast(t, from, room)
	if !last {
		m := protocol.Output{Task: t.id, Chunk: c}
		if a.send(t, m.Append(nil), from, c.End(), false) {
			a.later(t, 0)
		}
		return
	}
	result.End = from
	if len(c.Data) > 0 {
		result.Last, result.End = c, c.End()
	}
	if t.mute != "" {
		result.Detail = joined(result.Detail, t.mute)
	}
	if a.send(t, result.Append(nil), from, result.End, true) {
		a.later(t, 0)
	}
}

// toTell returns the position from which on an ended task's output is to be sent, and how much of it; nothing while an
// answer is awaited.
func (a *Agent) toTell(t *task) (from, room uint64, result protocol.Finished) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	t.overdue(now, a.cfg.tempo)
	if t.all || t.room() == 0 {
		if t.deadline.IsZero() {
			t.wait(now, a.cfg.tempo) // never look again and again without a pause
		}
		a.schedule(t, t.deadline)
		return 0, 0, result
	}
	return t.sent, t.room(), t.result
}

// send publishes what brings the server from one position to another, and reports whether the next piece may follow. The
// position moves before the message leaves, since the answer may be quick.
func (a *Agent) send(t *task, msg []byte, from, to uint64, all bool) bool {
	a.mu.Lock()
	if t.sent != from || t.all {
		a.mu.Unlock()
		return true // it was moved meanwhile: this piece is not wanted any more
	}
	t.sent, t.all = to, all
	if t.deadline.IsZero() {
		t.wait(time.Now(), a.cfg.tempo)
	}
	a.mu.Unlock()
	if a.publish(msg) == nil {
		return true
	}
	a.retry(t)
	return false
}

// read returns output of a running command. What cannot be read now is tried again at the end.
func (a *Agent) read(t *task, from, limit uint64) protocol.Chunk {
	c, err := a.readOutput(t, from, limit)
	if err != nil {
		a.log.Warn("output not readable yet", "task", nameOf(t.id), "error", err)
	}
	return outputOf(c)
}

// readLast returns output of an ended task, and whether nothing follows it.
func (a *Agent) readLast(t *task, from, limit uint64) (c protocol.Chunk, last bool) {
	if t.mute != "" {
		return c, true
	}
	piece, err := a.readOutput(t, from, limit)
	if err != nil {
		a.log.Error("output lost", "task", nameOf(t.id), "from", from, "error", err)
		t.mute = "output not readable: " + err.Error()
		return c, true
	}
	return outputOf(piece), piece.End || len(piece.Data) == 0
}

func (a *Agent) readOutput(t *task, from, limit uint64) (executor.Chunk, error) {
	if a.guilty[t.id] != "" {
		return executor.Chunk{End: true}, nil // set aside
	}
	defer a.hands.take(reporting, t.id)()
	if t.output == nil {
		out, err := executor.Open(a.dirOf(t.id))
		if errors.Is(err, fs.ErrNotExist) {
			return executor.Chunk{End: true}, nil // it never ran
		}
		if err != nil {
			return executor.Chunk{}, err
		}
		t.output = out
	}
	return t.output.Read(int64(from), int(min(limit, protocol.OutputChunk)))
}
