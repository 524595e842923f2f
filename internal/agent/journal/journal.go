// Package journal remembers on disk what this node was asked to do and what became of it, so that no task is started
// twice and no result is lost, whatever is killed. It is one append-only file of checked, numbered records, from which
// everything else is worked out again when it is opened; the outputs of commands are not its business.
package journal

import (
	"cmp"
	"crypto/cipher"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"errand/internal/protocol"
)

// State is how far a task has come, as far as it matters after a crash.
type State uint8

// The states, in the only order in which a task goes through them. Some are left out: a task that is stopped before it
// arrives is Ended from the beginning.
const (
	Accepted State = iota + 1 // written down and not started
	Starting                  // about to be started; from here on only its folder knows more
	Ended                     // with a result that only the journal holds
	Done                      // the server has the result

	// Planned is the state of a task that fires again and again, or later, until it is Ended. Its record may come again, with another
	// message. Marked is not a state but a record of what is to be remembered beside it, in place of what was remembered before.
	Planned
	Marked
)

// Entry is what is known of a task.
type Entry struct {
	Task    protocol.Task
	State   State
	Arrived Moment
	TTL     time.Duration // after arrival; 0 means no limit
	Lane    uint8         // as given with the message
	Result  []byte        // of an Ended or Done task
	Mark    []byte        // of a Planned task
}

// Record is a step in a task's life.
type Record struct {
	Task   protocol.Task
	State  State
	At     Moment
	TTL    time.Duration // Accepted; to the millisecond
	Lane   uint8         // Accepted: the caller's, to be told without looking into the message
	Run    []byte        // Accepted and Planned: the message that asked for the task, if it has one of its own
	Secret bool          // Run is kept sealed, with a key of its own
	Result []byte        // Ended, and Done unless Ended said it; Marked: the mark
}

// Names inside the journal's folder.
const (
	fileName = "journal"
	tempName = "journal.new"
	keyName  = "key" // of sealed messages; made when it is needed for the first time
)

// minRewrite is the size in bytes from which a file is worth being rewritten without what is out of date.
const minRewrite = 1 << 20

// ErrTooLong means that a record does not fit the journal's limit, which no message of the protocol reaches.
var ErrTooLong = errors.New("record too long")

// Journal is an open journal. Its methods may be called from several goroutines, but only one process may have it open.
type Journal struct {
	dir string
	now func() time.Time
	log *slog.Logger

	mu      sync.Mutex // guards what follows; never held during input and output
	mem     memory
	aead    cipher.AEAD // of sealed messages, once one was met
	pending *batch      // joined by appends while the one before is being written

	disk      sync.Mutex // held while the file is used; taken before mu
	file      file       // nil once closed
	size      int64      // of what is valid
	seq       uint64     // of the last record
	reserved  int64      // up to this position the file's space is taken
	rewriteAt int64      // size
	suspect   bool       // the file may hold more or less than it should: rewrite it before the next append
}

// file is what the journal asks of a file.
type file interface {
	ReadAt(b []byte, off int64) (int, error)
	WriteAt(b []byte, off int64) (int, error)
	// Reserve takes space for n bytes from off on, without changing the file's size, where the system can do that.
	Reserve(off, n int64) error
	Truncate(size int64) error
	Sync() error
	Close() error
}

// batch is a number of appends that share one write and one sync.
type batch struct {
	records []Record
	durable bool
	written bool
	err     error
}

// Open reads the journal in dir, which is made if need be. A torn end is cut off. Damage before the end costs only the
// records it hit: the file is then kept under a name that ends in .damaged, tasks that the lost records may have been
// about count as perhaps started, and planned ones lose their message, so that they rest until they are asked for again.
// now tells the age of finished tasks.
func Open(dir string, now func() time.Time, log *slog.Logger) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, fileName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{dir: dir, now: now, log: log, mem: newMemory(), file: diskFile{f}}
	if err := j.load(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return j, nil
}

func (j *Journal) load(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := syncDir(j.dir); err != nil { // the file may be new
		return err
	}
	found, err := replay(f, info.Size(), &j.mem)
	if err != nil {
		return err
	}
	j.size, j.seq = found.end, found.seq
	j.rewriteAt = max(minRewrite, 2*j.size)
	switch cut := info.Size() - found.end; {
	case found.damaged > 0:
		kept, err := j.setAside()
		j.log.Error("journal damaged", "places", found.damaged, "kept", kept, "error", err)
		j.suspect = j.rewrite() != nil // a full disk is no reason not to start
	case cut > 0:
		j.log.Warn("journal ended in the middle of a record", "bytes", cut)
		j.suspect = f.Truncate(found.end) != nil
	}
	return nil
}

// setAside keeps the present file under another name, also when a new one takes its place.
func (j *Journal) setAside() (name string, err error) {
	stamp := j.now().UTC().Format("20060102T150405")
	for n := 0; ; n++ {
		name = fmt.Sprintf("%s-%s-%d.damaged", fileName, stamp, n)
		err = os.Link(filepath.Join(j.dir, fileName), filepath.Join(j.dir, name))
		if !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
}

// Append adds records and returns when they are on disk, all of them or none. Calls at the same time share the cost.
func (j *Journal) Append(records ...Record) error { return j.append(true, records) }

// Note adds records that may get lost when the machine, not just this process, fails soon after.
func (j *Journal) Note(records ...Record) error { return j.append(false, records) }

func (j *Journal) append(durable bool, records []Record) error {
	records, err := j.seal(records)
	if err != nil {
		return fmt.Errorf("append to journal: %w", err)
	}
	for i := range records {
		if n := len(records[i].Run) + len(records[i].Result); n > maxBody {
			return fmt.Errorf("append to journal: %w: %d bytes", ErrTooLong, n)
		}
	}
	j.mu.Lock()
	if j.pending == nil {
		j.pending = &batch{}
	}
	b := j.pending
	b.records = append(b.records, records...)
	b.durable = b.durable || durable
	j.mu.Unlock()

	j.disk.Lock()
	defer j.disk.Unlock()
	if !b.written {
		// Whoever comes first writes for all who joined the batch while the disk was busy.
		j.mu.Lock()
		j.pending = nil
		j.mu.Unlock()
		b.err = j.write(b)
		b.written = true
	}
	if b.err != nil {
		return fmt.Errorf("append to journal: %w", b.err)
	}
	return nil
}

// write is called with the disk lock held.
func (j *Journal) write(b *batch) error {
	if j.file == nil {
		return os.ErrClosed
	}
	if j.suspect {
		if err := j.rewrite(); err != nil {
			return err
		}
	}
	var buf []byte
	places := make([]extent, len(b.records))
	work := false
	for i := range b.records {
		places[i].off = j.size + int64(len(buf))
		buf = b.records[i].append(buf, j.seq+1+uint64(i))
		places[i].size = j.size + int64(len(buf)) - places[i].off
		work = work || b.records[i].State.hasRun()
	}
	if err := j.makeRoom(int64(len(buf))); err != nil && work {
		return err
	}
	if _, err := j.file.WriteAt(buf, j.size); err != nil {
		j.suspect = j.file.Truncate(j.size) != nil
		j.reserved = 0 // given back by that
		return err
	}
	if b.durable {
		if err := j.file.Sync(); err != nil {
			j.suspect = true // after a failed sync nobody knows what is on disk
			return err
		}
	}
	j.mu.Lock()
	for i := range b.records {
		j.mem.apply(&b.records[i], j.seq+1+uint64(i), places[i])
	}
	j.mu.Unlock()
	j.size += int64(len(buf))
	j.seq += uint64(len(b.records))
	if j.size > j.rewriteAt {
		if err := j.rewrite(); err != nil {
			j.rewriteAt = j.size + minRewrite
			j.log.Warn("journal not rewritten", "error", err)
		}
	}
	return nil
}

// slack is the space in bytes that is held ready beyond the end. New work may not use it, so that on a full disk what
// is already here can still be brought to its end.
const slack = 64 << 10

func (j *Journal) makeRoom(n int64) error {
	if j.size+n+slack <= j.reserved {
		return nil
	}
	if err := j.file.Reserve(j.size, n+2*slack); err != nil {
		return err
	}
	j.reserved = j.size + n + 2*slack
	return nil
}

// Entries returns all tasks that are not Done, in the order in which they were first heard of.
func (j *Journal) Entries() []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := make([]Entry, 0, len(j.mem.live))
	for _, e := range j.mem.inOrder() {
		list = append(list, e.Entry)
	}
	return list
}

// Find returns what is known of a task. Tasks that are Done are forgotten after a week at the earliest, unless there are
// very many of them.
func (j *Journal) Find(t protocol.Task) (Entry, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.mem.live[t]; e != nil {
		return e.Entry, true
	}
	g, ok := j.mem.done[t]
	return Entry{Task: t, State: Done, Result: []byte(g.result)}, ok
}

// Run returns the message that asked for a task, which is kept until the task is Ended or Done; fs.ErrNotExist if there is none.
func (j *Journal) Run(t protocol.Task) ([]byte, error) {
	j.disk.Lock() // the file must not be replaced meanwhile
	defer j.disk.Unlock()
	j.mu.Lock()
	var at extent
	if e := j.mem.live[t]; e != nil {
		at = e.run
	}
	j.mu.Unlock()
	if at.size == 0 {
		return nil, fmt.Errorf("journal: no message for task %d-%d: %w", t.Invocation, t.Index, fs.ErrNotExist)
	}
	r, err := j.read(at)
	if err == nil && r.Secret {
		r.Run, err = j.unseal(&r)
	}
	return r.Run, err
}

// Close ends the use of the journal. Appends afterwards fail with os.ErrClosed.
func (j *Journal) Close() error {
	j.disk.Lock()
	defer j.disk.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	if err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}

// memory is what the records come to.
type memory struct {
	live map[protocol.Task]*entry
	done map[protocol.Task]grave
}

// entry is an Entry with its place.
type entry struct {
	Entry
	order uint64
	run   extent // of the record that holds the message
}

// grave is what remains of a task that is Done.
type grave struct {
	order  uint64
	wall   int64 // microseconds since 1970
	result string
}

// extent is a stretch of the file.
type extent struct{ off, size int64 }

func newMemory() memory {
	return memory{live: map[protocol.Task]*entry{}, done: map[protocol.Task]grave{}}
}

// apply takes a record into account. Records that say less than what is known change nothing, so no order of them does
// harm.
func (m *memory) apply(r *Record, seq uint64, place extent) {
	if _, ok := m.done[r.Task]; ok {
		return
	}
	e := m.live[r.Task]
	if e == nil {
		e = &entry{Entry: Entry{Task: r.Task}, order: seq}
	}
	if r.State == Done {
		delete(m.live, r.Task)
		g := grave{order: e.order, wall: r.At.Wall.UnixMicro(), result: string(r.Result)}
		if g.result == "" {
			g.result = string(e.Result)
		}
		m.done[r.Task] = g
		return
	}
	m.live[r.Task] = e
	if !r.State.follows(e.State) {
		return
	}
	switch r.State {
	case Accepted, Planned:
		e.State, e.Arrived, e.TTL, e.Lane, e.run = r.State, r.At, r.TTL, r.Lane, extent{}
		if len(r.Run) > 0 {
			e.run = place
		}
	case Marked:
		e.State, e.Mark = Planned, slices.Clone(r.Result)
	case Ended:
		e.State, e.Result, e.Mark, e.run = Ended, slices.Clone(r.Result), nil, extent{}
	case Starting, Done:
		e.State = r.State
	}
}

// follows reports whether a record of state s says something new about a task in state of.
func (s State) follows(of State) bool {
	switch {
	case s == Planned || s == Marked:
		return of == 0 || of == Planned
	case of == Planned:
		return s == Ended
	}
	return s > of
}

// hasRun reports whether records of this state carry a message, and thus new work.
func (s State) hasRun() bool { return s == Accepted || s == Planned }

// doubt notes that records were lost. Any of them may have said that a task which seems to wait was about to be started
// or was ended, or that a plan is another or over.
func (m *memory) doubt() {
	for _, e := range m.live {
		switch e.State {
		case Accepted:
			e.State = Starting
		case Planned:
			e.run = extent{}
		case Starting, Ended, Done, Marked:
		}
	}
}

func (m *memory) inOrder() []*entry {
	list := make([]*entry, 0, len(m.live))
	for _, e := range m.live {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b *entry) int { return cmp.Compare(a.order, b.order) })
	return list
}
