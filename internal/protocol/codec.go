package protocol

import (
	"encoding/binary"
	"fmt"
)

// Every message type has Append, which adds its encoding to b, and a Decode function, which reads it. Byte slices in a decoded
// message alias the input.

func (t Task) append(b []byte) []byte {
	b = appendUint(b, 1, t.Invocation)
	b = appendUint(b, 2, uint64(t.Index)+1) // +1 so that index 0 is not left out and a missing index is noticed
	return appendUint(b, tagDue, uint64(max(0, t.Due)))
}

// tagDue is the same in all messages about a task; none of them uses it for anything else.
const tagDue = 15

// task reads the fields that open every message about a task.
func (d *decoder) task(t *Task) bool {
	switch d.tag {
	case 1:
		t.Invocation = d.num
	case 2:
		if d.num == 0 || d.num > 1<<24 {
			d.err = fmt.Errorf("%w: task index %d", ErrMalformed, d.num)
			return true
		}
		t.Index = uint32(d.num - 1)
	case tagDue:
		if d.num > 1<<62 {
			d.err = fmt.Errorf("%w: due at %d", ErrMalformed, d.num)
			return true
		}
		t.Due = int64(d.num)
	default:
		return false
	}
	return true
}

func open(b []byte, k Kind) decoder {
	got, err := KindOf(b)
	if err == nil && got != k {
		err = fmt.Errorf("%w: kind %d instead of %d", ErrMalformed, got, k)
	}
	if err != nil {
		return decoder{err: err}
	}
	return decoder{rest: b[1:]}
}

// AppendSpec adds the encoding of s, for use with AppendRun.
func AppendSpec(b []byte, s *Spec) []byte {
	b = appendBytes(b, 1, s.Content)
	b = appendBytes(b, 2, s.Type)
	b = appendBytes(b, 3, s.Launcher)
	b = appendBytes(b, 4, s.WorkDir)
	b = appendBytes(b, 5, s.User)
	b = appendUint(b, 6, s.Timeout)
	b = appendUint(b, 7, s.Grace)
	b = appendBool(b, 8, s.KillTree)
	b = appendMap(b, 9, s.Env)
	if s.Plan != nil {
		b = appendMessage(b, 10, s.Plan.append(nil))
	}
	if s.File != nil {
		b = appendMessage(b, 11, s.File.append(nil))
	}
	b = appendBool(b, 12, s.DryRun)
	b = appendBytes(b, 13, s.ContainerID)
	b = appendBytes(b, 14, s.ContainerName)
	if s.Limits != nil {
		b = appendMessage(b, 15, s.Limits.append(nil))
	}
	b = appendBool(b, 16, s.Login)
	b = appendBool(b, 17, s.Power)
	b = appendBool(b, 18, s.Hidden)
	if s.Transfer != nil {
		b = appendMessage(b, 19, s.Transfer.append(nil))
	}
	return b
}

func decodeSpec(b []byte) (s Spec, err error) {
	d := decoder{rest: b}
	for d.next() {
		switch d.tag {
		case 1:
			s.Content = d.raw
		case 2:
			s.Type = d.text()
		case 3:
			s.Launcher = d.text()
		case 4:
			s.WorkDir = d.text()
		case 5:
			s.User = d.text()
		case 6:
			s.Timeout = d.num
		case 7:
			s.Grace = d.num
		case 8:
			s.KillTree = d.bool()
		case 9:
			s.Env = d.pair(s.Env)
		case 10:
			s.Plan, d.err = decodePlan(d.raw)
		case 11:
			s.File, d.err = decodeFile(d.raw)
		case 12:
			s.DryRun = d.bool()
		case 13:
			s.ContainerID = d.text()
		case 14:
			s.ContainerName = d.text()
		case 15:
			s.Limits, d.err = decodeLimits(d.raw)
		case 16:
			s.Login = d.bool()
		case 17:
			s.Power = d.bool()
		case 18:
			s.Hidden = d.bool()
		case 19:
			s.Transfer, d.err = decodeTransfer(d.raw)
		}
	}
	return s, d.err
}

func (p *Plan) append(b []byte) []byte {
	b = appendBytes(b, 1, p.Expr)
	b = appendUint(b, 2, uint64(p.Boot))
	b = appendInt(b, 3, p.Created)
	b = appendUint(b, 4, p.Revision)
	b = appendUint(b, 5, uint64(p.Overlap))
	b = appendUint(b, 6, p.CatchUp)
	return appendUint(b, 7, p.Jitter)
}

func decodePlan(b []byte) (*Plan, error) {
	p, d := &Plan{}, decoder{rest: b}
	for d.next() {
		switch d.tag {
		case 1:
			p.Expr = d.text()
		case 2:
			p.Boot = Boot(min(d.num, 255)) // an unknown one is for the node to refuse, with a reason
		case 3:
			p.Created = d.int()
		case 4:
			p.Revision = d.num
		case 5:
			p.Overlap = Overlap(min(d.num, 255))
		case 6:
			p.CatchUp = d.num
		case 7:
			p.Jitter = d.num
		}
	}
	return p, d.err
}

func (l *Limits) append(b []byte) []byte {
	b = appendInt(b, 1, l.Nice)
	b = appendUint(b, 2, l.IOClass)
	b = appendUint(b, 3, l.IOLevel)
	b = appendUint(b, 4, l.CPU)
	b = appendUint(b, 5, l.Memory)
	b = appendUint(b, 6, l.Processes)
	b = appendUint(b, 7, l.OpenFiles)
	b = appendUint(b, 8, l.FileSize)
	if l.CoreSize != nil {
		b = appendUint(b, 9, *l.CoreSize+1) // +1 so that 0 is not left out
	}
	return b
}

func decodeLimits(b []byte) (*Limits, error) {
	l, d := &Limits{}, decoder{rest: b}
	for d.next() {
		switch d.tag {
		case 1:
			l.Nice = d.int()
		case 2:
			l.IOClass = d.num
		case 3:
			l.IOLevel = d.num
		case 4:
			l.CPU = d.num
		case 5:
			l.Memory = d.num
		case 6:
			l.Processes = d.num
		case 7:
			l.OpenFiles = d.num
		case 8:
			l.FileSize = d.num
		case 9:
			if d.num > 0 {
				size := d.num - 1
				l.CoreSize = &size
			}
		}
	}
	return l, d.err
}

func (f *File) append(b []byte) []byte {
	b = appendBytes(b, 1, f.Name)
	b = appendBytes(b, 2, f.Dir)
	b = appendBytes(b, 3, f.Mode)
	b = appendBytes(b, 4, f.Owner)
	b = appendBytes(b, 5, f.Group)
	return appendBool(b, 6, f.Overwrite)
}

func decodeFile(b []byte) (*File, error) {
	f, d := &File{}, decoder{rest: b}
	for d.next() {
		switch d.tag {
		case 1:
			f.Name = d.text()
		case 2:
			f.Dir = d.text()
		case 3:
			f.Mode = d.text()
		case 4:
			f.Owner = d.text()
		case 5:
			f.Group = d.text()
		case 6:
			f.Overwrite = d.bool()
		}
	}
	return f, d.err
}

func (t *Transfer) append(b []byte) []byte {
	if t.To != nil {
		b = appendMessage(b, 1, t.To.append(nil))
	}
	b = appendUint(b, 2, t.Size)
	b = appendBytes(b, 3, t.Hash)
	for _, p := range t.Paths {
		b = appendBytes(b, 4, p)
	}
	b = appendBool(b, 5, t.Follow)
	return appendUint(b, 6, t.Most)
}

func decodeTransfer(b []byte) (*Transfer, error) {
	t, d := &Transfer{}, decoder{rest: b}
	for d.next() {
		switch d.tag {
		case 1:
			t.To, d.err = decodeFile(d.raw)
		case 2:
			t.Size = d.num
		case 3:
			t.Hash = d.text()
		case 4:
			if len(t.Paths) == maxPaths {
				d.err = fmt.Errorf("%w: more than %d paths", ErrMalformed, maxPaths)
				break
			}
			t.Paths = append(t.Paths, d.text())
		case 5:
			t.Follow = d.bool()
		case 6:
			t.Most = d.num
		}
	}
	return t, d.err
}

// AppendRun adds a Run message with an already encoded spec.
func AppendRun(b []byte, t Task, spec []byte, ttlMillis uint64) []byte {
	b = append(b, byte(KindRun))
	b = t.append(b)
	b = appendBytes(b, 3, spec)
	return appendUint(b, 4, ttlMillis)
}

// AppendAfter adds Run.After to what AppendRun wrote.
func AppendAfter(b []byte, after int64) []byte { return appendInt(b, 5, after) }

// Append adds the encoding of m.
func (m *Run) Append(b []byte) []byte {
	return AppendAfter(AppendRun(b, m.Task, AppendSpec(nil, &m.Spec), m.TTL), m.After)
}

// DecodeRun reads a Run message.
func DecodeRun(b []byte) (m Run, err error) {
	d := open(b, KindRun)
	for d.next() {
		if d.task(&m.Task) {
			continue
		}
		switch d.tag {
		case 3:
			if m.Spec, err = decodeSpec(d.raw); err != nil {
				return m, err
			}
		case 4:
			m.TTL = d.num
		case 5:
			m.After = d.int()
		}
	}
	return m, d.err
}

// Append adds the encoding of m.
func (m *Stop) Append(b []byte) []byte { return m.Task.append(append(b, byte(KindStop))) }

// DecodeStop reads a Stop message.
func DecodeStop(b []byte) (m Stop, err error) {
	d := open(b, KindStop)
	for d.next() {
		d.task(&m.Task)
	}
	return m, d.err
}

// Append adds the encoding of m.
func (m *Watch) Append(b []byte) []byte {
	return appendUint(m.Task.append(append(b, byte(KindWatch))), 3, m.For)
}

// DecodeWatch reads a Watch message.
func DecodeWatch(b []byte) (m Watch, err error) {
	d := open(b, KindWatch)
	for d.next() {
		if !d.task(&m.Task) && d.tag == 3 {
			m.For = d.num
		}
	}
	return m, d.err
}

// Append adds the encoding of m.
func (m *Ack) Append(b []byte) []byte {
	b = m.Task.append(append(b, byte(KindAck)))
	b = appendUint(b, 3, m.Have)
	return appendBool(b, 4, m.Final)
}

// DecodeAck reads an Ack message.
func DecodeAck(b []byte) (m Ack, err error) {
	d := open(b, KindAck)
	for d.next() {
		if d.task(&m.Task) {
			continue
		}
		switch d.tag {
		case 3:
			m.Have = d.num
		case 4:
			m.Final = d.bool()
		}
	}
	return m, d.err
}

// Append adds the encoding of m.
func (m *Rotate) Append(b []byte) []byte { return appendUint(append(b, byte(KindRotate)), 1, m.After) }

// DecodeRotate reads a Rotate message.
func DecodeRotate(b []byte) (m Rotate, err error) {
	d := open(b, KindRotate)
	for d.next() {
		if d.tag == 1 {
			m.After = d.num
		}
	}
	return m, d.err
}

// maxList bounds the lists of a Hello.
const maxList = 64

// Append adds the encoding of m.
func (m *Hello) Append(b []byte) []byte {
	b = append(b, byte(KindHello))
	b = appendUint(b, 1, m.Version)
	b = appendBytes(b, 2, m.Agent)
	b = appendBytes(b, 3, m.BootID)
	b = appendBytes(b, 4, m.StartID)
	b = appendBytes(b, 5, m.Hostname)
	b = appendBytes(b, 6, m.OS)
	b = appendBytes(b, 7, m.OSName)
	b = appendBytes(b, 8, m.Kernel)
	b = appendBytes(b, 9, m.Arch)
	for _, ip := range m.IPs {
		b = appendBytes(b, 10, ip)
	}
	b = appendInt(b, 11, m.Clock)
	b = appendBytes(b, 12, m.Zone)
	for _, f := range m.Features {
		b = appendBytes(b, 13, f)
	}
	b = appendUint(b, 14, m.Active)
	b = appendBytes(b, 15, m.Machine)
	b = appendBytes(b, 16, m.Crash)
	b = appendUint(b, 17, m.CPUs)
	b = appendUint(b, 18, m.Memory)
	for _, g := range m.GPUs {
		b = appendBytes(b, 19, g)
	}
	return b
}

// DecodeHello reads a Hello message.
func DecodeHello(b []byte) (m Hello, err error) {
	d := open(b, KindHello)
	for d.next() {
		switch d.tag {
		case 1:
			m.Version = d.num
		case 2:
			m.Agent = d.text()
		case 3:
			m.BootID = d.text()
		case 4:
			m.StartID = d.text()
		case 5:
			m.Hostname = d.text()
		case 6:
			m.OS = d.text()
		case 7:
			m.OSName = d.text()
		case 8:
			m.Kernel = d.text()
		case 9:
			m.Arch = d.text()
		case 10:
			if len(m.IPs) < maxList && len(d.raw) > 0 {
				m.IPs = append(m.IPs, d.text())
			}
		case 11:
			m.Clock = d.int()
		case 12:
			m.Zone = d.text()
		case 13:
			if len(m.Features) < maxList && len(d.raw) > 0 {
				m.Features = append(m.Features, d.text())
			}
		case 14:
			m.Active = d.num
		case 15:
			m.Machine = d.text()
		case 16:
			m.Crash = string(d.raw[:min(len(d.raw), MaxCrash)])
		case 17:
			m.CPUs = d.num
		case 18:
			m.Memory = d.num
		case 19:
			if len(m.GPUs) < maxList && len(d.raw) > 0 {
				m.GPUs = append(m.GPUs, d.text())
			}
		}
	}
	return m, d.err
}

// Append adds the encoding of m.
func (m *Beat) Append(b []byte) []byte {
	b = append(b, byte(KindBeat))
	b = appendInt(b, 1, m.Clock)
	return appendUint(b, 2, m.Active)
}

// DecodeBeat reads a Beat message.
func DecodeBeat(b []byte) (m Beat, err error) {
	d := open(b, KindBeat)
	for d.next() {
		switch d.tag {
		case 1:
			m.Clock = d.int()
		case 2:
			m.Active = d.num
		}
	}
	return m, d.err
}

// Append adds the encoding of m.
func (m *Received) Append(b []byte) []byte { return m.Task.append(append(b, byte(KindReceived))) }

// DecodeReceived reads a Received message.
func DecodeReceived(b []byte) (m Received, err error) {
	d := open(b, KindReceived)
	for d.next() {
		d.task(&m.Task)
	}
	return m, d.err
}

// Append adds the encoding of m.
func (m *Planned) Append(b []byte) []byte {
	b = m.Task.append(append(b, byte(KindPlanned)))
	b = appendUint(b, 3, m.Revision)
	b = appendUint(b, 4, m.Skipped)
	return appendUint(b, 5, m.Missed)
}

// DecodePlanned reads a Planned message.
func DecodePlanned(b []byte) (m Planned, err error) {
	d := open(b, KindPlanned)
	for d.next() {
		if d.task(&m.Task) {
			continue
		}
		switch d.tag {
		case 3:
			m.Revision = d.num
		case 4:
			m.Skipped = d.num
		case 5:
			m.Missed = d.num
		}
	}
	return m, d.err
}

// Append adds the encoding of m.
func (m *Progress) Append(b []byte) []byte {
	b = m.Task.append(append(b, byte(KindProgress)))
	b = appendUint(b, 3, m.Done)
	return appendUint(b, 4, m.Total)
}

// DecodeProgress reads a Progress message.
func DecodeProgress(b []byte) (m Progress, err error) {
	d := open(b, KindProgress)
	for d.next() {
		if d.task(&m.Task) {
			continue
		}
		switch d.tag {
		case 3:
			m.Done = d.num
		case 4:
			m.Total = d.num
		}
	}
	return m, d.err
}

// Append adds the encoding of m.
func (m *Started) Append(b []byte) []byte {
	b = m.Task.append(append(b, byte(KindStarted)))
	return appendInt(b, 3, m.At)
}

// DecodeStarted reads a Started message.
func DecodeStarted(b []byte) (m Started, err error) {
	d := open(b, KindStarted)
	for d.next() {
		if !d.task(&m.Task) && d.tag == 3 {
			m.At = d.int()
		}
	}
	return m, d.err
}

// Append adds the encoding of c, which is also the form in which chunks are kept.
func (c *Chunk) Append(b []byte) []byte {
	b = appendUint(b, 1, c.Off)
	b = appendBool(b, 2, c.Gap)
	if len(c.Spans) > 0 {
		spans := make([]byte, 0, 8*len(c.Spans))
		for _, s := range c.Spans {
			spans = binary.AppendUvarint(spans, uint64(s.Len)<<2|uint64(s.Stream))
		}
		b = appendBytes(b, 3, spans)
	}
	return appendBytes(b, 4, c.Data)
}

// DecodeChunk reads a chunk and checks that its spans cover its data exactly.
func DecodeChunk(b []byte) (c Chunk, err error) {
	d := decoder{rest: b}
	var spans []byte
	for d.next() {
		switch d.tag {
		case 1:
			c.Off = d.num
		case 2:
			c.Gap = d.bool()
		case 3:
			spans = d.raw
		case 4:
			c.Data = d.raw
		}
	}
	if d.err != nil {
		return c, d.err
	}
	covered := uint64(0)
	for s := (decoder{rest: spans}); len(s.rest) > 0; {
		v, ok := s.uvarint()
		stream, n := Stream(v&3), v>>2
		if !ok || stream != Stdout && stream != Stderr || n == 0 || n > uint64(len(c.Data)) {
			return c, fmt.Errorf("%w: bad span", ErrMalformed)
		}
		covered += n
		c.Spans = append(c.Spans, Span{Stream: stream, Len: uint32(n)})
	}
	if len(c.Data) == 0 {
		return Chunk{}, nil // without bytes there is no position either
	}
	if covered != uint64(len(c.Data)) || c.Off > 1<<62 {
		return c, fmt.Errorf("%w: spans cover %d of %d bytes at %d", ErrMalformed, covered, len(c.Data), c.Off)
	}
	return c, nil
}

// End is the position after the chunk's last byte.
func (c *Chunk) End() uint64 { return c.Off + uint64(len(c.Data)) }

// Append adds the encoding of m.
func (m *Output) Append(b []byte) []byte {
	b = m.Task.append(append(b, byte(KindOutput)))
	return appendBytes(b, 3, m.Chunk.Append(nil))
}

// DecodeOutput reads an Output message.
func DecodeOutput(b []byte) (m Output, err error) {
	d := open(b, KindOutput)
	for d.next() {
		if !d.task(&m.Task) && d.tag == 3 {
			if m.Chunk, err = DecodeChunk(d.raw); err != nil {
				return m, err
			}
		}
	}
	return m, d.err
}

// Append adds the encoding of m.
func (m *Finished) Append(b []byte) []byte {
	b = m.Task.append(append(b, byte(KindFinished)))
	b = appendUint(b, 3, uint64(m.Outcome))
	b = appendInt(b, 4, m.ExitCode)
	b = appendUint(b, 5, m.Signal)
	b = appendBytes(b, 6, m.Detail)
	b = appendInt(b, 7, m.Started)
	b = appendInt(b, 8, m.Ended)
	b = appendUint(b, 9, m.Stdout)
	b = appendUint(b, 10, m.Stderr)
	if len(m.Last.Data) > 0 {
		b = appendBytes(b, 11, m.Last.Append(nil))
	}
	b = appendUint(b, 12, m.End)
	b = appendBool(b, 13, m.DrainCut)
	b = appendUint(b, 14, m.Skipped)
	b = appendUint(b, 16, m.Missed) // 15 is tagDue
	return appendInt(b, 17, m.Received)
}

// DecodeFinished reads a Finished message.
func DecodeFinished(b []byte) (m Finished, err error) {
	d := open(b, KindFinished)
	for d.next() {
		if d.task(&m.Task) {
			continue
		}
		switch d.tag {
		case 3:
			m.Outcome = Outcome(min(d.num, 255))
		case 4:
			m.ExitCode = d.int()
		case 5:
			m.Signal = d.num
		case 6:
			m.Detail = d.text()
		case 7:
			m.Started = d.int()
		case 8:
			m.Ended = d.int()
		case 9:
			m.Stdout = d.num
		case 10:
			m.Stderr = d.num
		case 11:
			if m.Last, err = DecodeChunk(d.raw); err != nil {
				return m, err
			}
		case 12:
			m.End = d.num
		case 13:
			m.DrainCut = d.bool()
		case 14:
			m.Skipped = d.num
		case 16:
			m.Missed = d.num
		case 17:
			m.Received = d.int()
		}
	}
	if d.err == nil && !m.Outcome.Valid() {
		d.err = fmt.Errorf("%w: outcome %d", ErrMalformed, m.Outcome)
	}
	return m, d.err
}
