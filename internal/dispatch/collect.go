package dispatch

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"errand/internal/core"
	"errand/internal/protocol"
)

const (
	maxBatch = 1024
	// bulkSize is the output in one report from which on it is written apart from the others.
	bulkSize = 16 << 10
	// maxSkew is how far a node's clock may be off before its times are corrected.
	maxSkew = 2 * time.Second
	// maxDetail bounds what a node may add to a result for people to read, in bytes.
	maxDetail = 1 << 10
)

// Receive takes one message of a node. It decodes and queues; nothing here waits.
func (d *Dispatcher) Receive(key int64, msg []byte) {
	node := core.NodeKey(key)
	if ok, e := d.meter.message(node, len(msg), d.now()); !ok {
		d.over(e)
		return
	}
	kind, err := protocol.KindOf(msg)
	if err == nil {
		err = d.receive(node, kind, msg)
	}
	if err != nil {
		d.metrics.Reports.WithLabelValues("malformed").Inc()
		if ok, e := d.meter.fault(node, d.now()); !ok {
			d.over(e)
			return
		}
		d.log.Warn("message from node set aside", "node", node, "error", err)
		return
	}
	d.svc.Seen(node, d.now())
}

func (d *Dispatcher) receive(node core.NodeKey, kind protocol.Kind, msg []byte) error {
	switch kind {
	case protocol.KindHello:
		m, err := protocol.DecodeHello(msg)
		if err != nil {
			return err
		}
		if ok, e := d.meter.hello(node, d.now()); !ok {
			d.over(e)
			return nil
		}
		d.count("hello")
		d.clock(node, m.Clock)
		d.admit(d.hellos.put(hello{node, m}))
	case protocol.KindBeat:
		m, err := protocol.DecodeBeat(msg)
		if err != nil {
			return err
		}
		d.count("beat")
		d.clock(node, m.Clock)
	case protocol.KindReceived:
		m, err := protocol.DecodeReceived(msg)
		if err != nil {
			return err
		}
		d.count("received")
		d.queue(report(node, m.Task, core.ReportReceived))
	case protocol.KindStarted:
		m, err := protocol.DecodeStarted(msg)
		if err != nil {
			return err
		}
		d.count("started")
		r := report(node, m.Task, core.ReportStarted)
		r.At = d.time(node, m.At)
		d.queue(r)
	case protocol.KindOutput:
		m, err := protocol.DecodeOutput(msg)
		if err != nil {
			return err
		}
		d.count("output")
		r := report(node, m.Task, core.ReportOutput)
		r.Chunk = chunk(m.Chunk)
		d.queue(r)
	case protocol.KindFinished:
		m, err := protocol.DecodeFinished(msg)
		if err != nil {
			return err
		}
		d.count("finished")
		d.queue(d.ended(node, &m))
	case protocol.KindPlanned:
		m, err := protocol.DecodePlanned(msg)
		if err != nil {
			return err
		}
		d.count("planned")
		r := report(node, m.Task, core.ReportPlanned)
		r.Skipped, r.Missed = count(m.Skipped), count(m.Missed)
		d.queue(r)
		d.outdated(node, &m)
	case protocol.KindProgress:
		m, err := protocol.DecodeProgress(msg)
		if err != nil {
			return err
		}
		d.count("progress")
		d.progressed(node, &m)
	case protocol.KindUpgraded:
		m, err := protocol.DecodeUpgraded(msg)
		if err != nil {
			return err
		}
		if ok, e := d.meter.hello(node, d.now()); !ok { // it has as little reason to say this often
			d.over(e)
			return nil
		}
		d.count("upgraded")
		m.Version, m.Detail = strings.Clone(m.Version[:min(len(m.Version), maxDetail)]), strings.Clone(m.Detail[:min(len(m.Detail), maxDetail)])
		d.admit(d.upgrades.put(upgraded{node, m}))
	case protocol.KindRun, protocol.KindStop, protocol.KindAck, protocol.KindWatch, protocol.KindProbe, protocol.KindRotate,
		protocol.KindWelcome, protocol.KindUpgrade:
		return fmt.Errorf("%w: kind %d is the server's to send", protocol.ErrMalformed, kind)
	default:
		return fmt.Errorf("%w: kind %d", protocol.ErrMalformed, kind)
	}
	return nil
}

// report begins a report about a task, or about one run of a standing task.
func report(node core.NodeKey, t protocol.Task, kind core.ReportKind) core.Report {
	r := core.Report{Task: taskID(t), Node: node, Kind: kind}
	if t.Due != 0 {
		r.Due = time.UnixMicro(t.Due).UTC()
	}
	return r
}

// count is a number of moments as it is stored.
func count(n uint64) uint32 { return uint32(min(n, math.MaxUint32)) }

// progressed notes how far a task has come, if it is the node's and open. It is no report: nothing is stored, nothing answered.
func (d *Dispatcher) progressed(node core.NodeKey, m *protocol.Progress) {
	id := taskID(m.Task)
	d.mu.Lock()
	t := d.find(id)
	moves := t != nil && t.Node == node && t.inv.Transfer != nil
	d.mu.Unlock()
	if moves {
		d.svc.Progressed(id, core.Progress{Done: int64(min(m.Done, math.MaxInt64)), Total: int64(min(m.Total, math.MaxInt64)), At: d.now()})
	}
}

func (d *Dispatcher) count(kind string) { d.metrics.Reports.WithLabelValues(kind).Inc() }

// queue puts a report into its lane. A task always has the same bulk lane, so that its pieces stay in order.
func (d *Dispatcher) queue(r core.Report) {
	if !d.shares.claim(&r) {
		d.admit(false)
		return
	}
	lane := d.small
	if len(r.Chunk.Data) >= bulkSize {
		lane = d.bulk[(uint64(r.Task.Invocation)+uint64(r.Task.Index))%bulkLanes]
	}
	room := lane.put(r)
	if !room {
		d.shares.release([]core.Report{r})
	}
	d.admit(room)
}

// admit counts what found no room.
func (d *Dispatcher) admit(room bool) {
	if !room {
		d.metrics.Dropped.Inc()
	}
}

// collect commits reports in batches and answers the nodes. A batch that cannot be committed is not answered: the nodes repeat it.
func (d *Dispatcher) collect(ctx context.Context, lane *queue[core.Report]) error {
	for {
		batch := lane.take(ctx, maxBatch)
		if batch == nil {
			return nil
		}
		d.shares.release(batch)
		start := d.now()
		answers, err := d.svc.Report(ctx, batch)
		if err != nil {
			if ctx.Err() == nil {
				d.log.Error("commit reports", "count", len(batch), "error", err)
			}
			continue
		}
		d.metrics.Batch.Observe(float64(len(batch)))
		d.metrics.Commit.Observe(d.now().Sub(start).Seconds())
		d.note(batch, answers)
		for _, a := range answers {
			name := wireName(a.Of)
			if a.Stop {
				stop := protocol.Stop{Task: name}
				d.send(a.Node, stop.Append(nil))
				continue
			}
			m := protocol.Ack{Task: name, Have: a.Have, Final: a.Final}
			d.send(a.Node, m.Append(nil))
		}
	}
}

// note keeps memory in step with what was committed.
func (d *Dispatcher) note(batch []core.Report, answers []core.Answer) {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range batch {
		r := &batch[i]
		if r.Kind == core.ReportEnded {
			d.metrics.Ended.WithLabelValues(r.State.String()).Inc()
		}
		t := d.find(r.Task)
		if t == nil || t.Node != r.Node || !r.Due.IsZero() {
			continue // runs of a standing task become known by their own events
		}
		if t.ReceivedAt.IsZero() {
			t.ReceivedAt = now
		}
		if t.State.Waiting() && r.Kind == core.ReportPlanned {
			t.State = core.Scheduled
		}
		if t.State.Waiting() && (r.Kind == core.ReportStarted || r.Kind == core.ReportOutput) {
			t.State, t.StartedAt, t.ReceivedAt = core.Running, now, now
		}
	}
	for _, a := range answers {
		if t := d.find(a.Task); a.Final && t != nil && t.Node == a.Node {
			d.drop(a.Task)
		}
	}
}

// ends says what each outcome means to the core.
var ends = map[protocol.Outcome]struct {
	state core.State
	cause core.Cause
}{
	protocol.OutcomeExited:         {core.Failed, core.CauseExitNonzero}, // with code 0: succeeded
	protocol.OutcomeTimedOut:       {core.TimedOut, core.CauseExecTimeout},
	protocol.OutcomeStopped:        {core.Terminated, core.CauseInterrupted},
	protocol.OutcomeNeverStarted:   {core.Cancelled, core.CauseInterrupted},
	protocol.OutcomeExpired:        {core.DeliveryFailed, core.CauseDeliveryTimeout},
	protocol.OutcomeUserNotFound:   {core.StartFailed, core.CauseUserNotFound},
	protocol.OutcomeDirNotFound:    {core.StartFailed, core.CauseDirNotFound},
	protocol.OutcomeDirDenied:      {core.StartFailed, core.CauseDirDenied},
	protocol.OutcomeNotApplicable:  {core.Invalid, core.CauseNotApplicable},
	protocol.OutcomeNoInterpreter:  {core.StartFailed, core.CauseNoInterpreter},
	protocol.OutcomeInvalid:        {core.Invalid, core.CauseInvalidContent},
	protocol.OutcomeNoSpace:        {core.StartFailed, core.CauseNoSpace},
	protocol.OutcomeReadOnly:       {core.StartFailed, core.CauseReadOnly},
	protocol.OutcomeExecFailed:     {core.StartFailed, core.CauseExecFailed},
	protocol.OutcomeTooMany:        {core.StartFailed, core.CauseConcurrencyLimit},
	protocol.OutcomeInterrupted:    {core.Exception, core.CauseJournalGap},
	protocol.OutcomeSupervisorGone: {core.Exception, core.CauseSupervisorGone},
	protocol.OutcomeRebooted:       {core.Exception, core.CauseRebooted},
	protocol.OutcomeOutOfMemory:    {core.Failed, core.CauseOutOfMemory},
	protocol.OutcomeAgentFault:     {core.Exception, core.CauseException},

	protocol.OutcomeBadSchedule:   {core.Invalid, core.CauseBadSchedule},
	protocol.OutcomeScheduleOver:  {core.DeliveryFailed, core.CauseScheduleOver},
	protocol.OutcomeFileCreate:    {core.Failed, core.CauseFileCreate},
	protocol.OutcomeFileExists:    {core.Failed, core.CauseFileExists},
	protocol.OutcomeFileContent:   {core.Invalid, core.CauseFileContent},
	protocol.OutcomeFileName:      {core.Invalid, core.CauseFileName},
	protocol.OutcomeFilePath:      {core.Invalid, core.CauseFilePath},
	protocol.OutcomeFileMode:      {core.Invalid, core.CauseFileMode},
	protocol.OutcomeGroupNotFound: {core.Invalid, core.CauseGroupNotFound},

	protocol.OutcomeContainerID:           {core.Invalid, core.CauseContainerID},
	protocol.OutcomeContainerName:         {core.Invalid, core.CauseContainerName},
	protocol.OutcomeContainerUnsupported:  {core.StartFailed, core.CauseContainerRuntime},
	protocol.OutcomeContainerMismatch:     {core.StartFailed, core.CauseContainerMismatch},
	protocol.OutcomeContainerDuplicated:   {core.StartFailed, core.CauseContainerAmbiguous},
	protocol.OutcomeContainerNotFound:     {core.StartFailed, core.CauseContainerNotFound},
	protocol.OutcomeContainerState:        {core.StartFailed, core.CauseContainerState},
	protocol.OutcomeContainerConnect:      {core.StartFailed, core.CauseContainerConnect},
	protocol.OutcomeContainerRuntimeError: {core.StartFailed, core.CauseContainerFault},
	protocol.OutcomeContainerTimeout:      {core.StartFailed, core.CauseContainerTimeout},

	protocol.OutcomeLimits: {core.StartFailed, core.CauseLimits},

	protocol.OutcomeFileHash:       {core.Failed, core.CauseFileHash},
	protocol.OutcomeFileChanged:    {core.Failed, core.CauseFileChanged},
	protocol.OutcomeFileKind:       {core.Failed, core.CauseFileKind},
	protocol.OutcomeFileTooLarge:   {core.Failed, core.CauseFileTooLarge},
	protocol.OutcomeFileMissing:    {core.Failed, core.CauseFileMissing},
	protocol.OutcomeFileUnreadable: {core.Failed, core.CauseFileUnreadable},
	protocol.OutcomeFileRefused:    {core.Failed, core.CauseFileRefused},
}

func (d *Dispatcher) ended(node core.NodeKey, m *protocol.Finished) core.Report {
	end := ends[m.Outcome]
	r := report(node, m.Task, core.ReportEnded)
	r.Chunk, r.State, r.Cause, r.Detail = chunk(m.Last), end.state, end.cause, m.Detail[:min(len(m.Detail), maxDetail)]
	r.Signal, r.Started, r.Ended, r.Received = uint8(m.Signal), d.time(node, m.Started), d.time(node, m.Ended), d.time(node, m.Received)
	r.Stdout, r.Stderr, r.End, r.DrainCut = m.Stdout, m.Stderr, m.End, m.DrainCut
	r.Skipped, r.Missed = count(m.Skipped), count(m.Missed)
	if m.Outcome == protocol.OutcomeExited || m.Outcome == protocol.OutcomeOutOfMemory {
		r.Exited, r.ExitCode = true, int32(m.ExitCode)
		if m.ExitCode == 0 {
			r.State, r.Cause = core.Succeeded, core.NoCause
		}
	}
	return r
}

// clock notes how far a node's clock is off.
func (d *Dispatcher) clock(node core.NodeKey, micros int64) {
	skew := d.now().Sub(time.UnixMicro(micros))
	d.mu.Lock()
	defer d.mu.Unlock()
	if skew.Abs() > maxSkew {
		d.skew[node] = skew
	} else {
		delete(d.skew, node)
	}
}

// time turns a node's time into ours; zero stays zero.
func (d *Dispatcher) time(node core.NodeKey, micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.UnixMicro(micros).UTC().Add(d.skew[node]).Truncate(time.Microsecond)
}

func taskID(t protocol.Task) core.TaskID {
	return core.TaskID{Invocation: core.ID(t.Invocation), Index: t.Index}
}

func chunk(c protocol.Chunk) core.Chunk {
	out := core.Chunk{Off: c.Off, Gap: c.Gap, Data: c.Data, Spans: make([]core.Span, len(c.Spans))}
	for i, s := range c.Spans {
		out.Spans[i] = core.Span{Stream: core.Stream(s.Stream), Len: s.Len}
	}
	return out
}
