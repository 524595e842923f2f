package journal

import (
	"bufio"
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"errand/internal/protocol"
)

// How long a task's name is remembered after the server has its result, so that a late repeat is recognised.
const (
	keepDone = 7 * 24 * time.Hour
	maxDone  = 100_000
	minDone  = 1_000 // whatever their age, because clocks can be wrong
)

// rewrite replaces the file by one with only what is known now. It is called with the disk lock held and changes nothing
// if it fails.
func (j *Journal) rewrite() error {
	path := filepath.Join(j.dir, fileName)
	temp := filepath.Join(j.dir, tempName)
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("rewrite: %w", err)
	}
	c := copier{j: j, seq: j.seq, out: bufio.NewWriterSize(f, 64<<10), runs: map[protocol.Task]extent{}}
	err = c.copy()
	if err == nil {
		err = c.out.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		f.Close()
		os.Remove(temp)
		return fmt.Errorf("rewrite: %w", err)
	}
	j.mu.Lock()
	j.mem.done = c.done
	for t, at := range c.runs {
		j.mem.live[t].run = at
	}
	j.mu.Unlock()
	j.file.Close()
	j.file, j.size, j.seq, j.suspect, j.reserved = diskFile{f}, c.size, c.seq, false, 0
	j.rewriteAt = max(minRewrite, 2*c.size)
	if err := syncDir(j.dir); err != nil {
		j.suspect = true // the name may still lead to the old file after a power failure
		return fmt.Errorf("rewrite: %w", err)
	}
	return nil
}

// copier writes everything a journal knows to another file.
type copier struct {
	j    *Journal
	out  *bufio.Writer
	size int64
	seq  uint64 // numbers go on growing, so that the order of tasks stays
	buf  []byte
	runs map[protocol.Task]extent // where the messages came to lie
	done map[protocol.Task]grave  // which were not forgotten
}

func (c *copier) copy() error {
	c.j.mu.Lock()
	live := c.j.mem.inOrder()
	c.done = c.j.mem.remembered(c.j.now())
	c.j.mu.Unlock()
	// Nothing else changes entries while the disk lock is held.
	for _, t := range oldestFirst(c.done) {
		g := c.done[t]
		if err := c.put(Record{Task: t, State: Done, At: Moment{Wall: time.UnixMicro(g.wall)}, Result: []byte(g.result)}); err != nil {
			return err
		}
	}
	for _, e := range live {
		if err := c.entry(e); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) entry(e *entry) error {
	if e.run.size > 0 {
		r, err := c.j.read(e.run)
		if err != nil {
			return err
		}
		if err := c.put(r); err != nil {
			return err
		}
	}
	switch {
	case e.State == Planned && (e.run.size == 0 || e.Mark != nil):
		return c.put(Record{Task: e.Task, State: Marked, At: e.Arrived, Result: e.Mark})
	case e.State == Planned, e.State == Accepted && e.run.size > 0:
		return nil
	}
	return c.put(Record{Task: e.Task, State: e.State, At: e.Arrived, TTL: e.TTL, Lane: e.Lane, Result: e.Result})
}

func (c *copier) put(r Record) error {
	c.seq++
	c.buf = r.append(c.buf[:0], c.seq)
	n := int64(len(c.buf))
	if r.State.hasRun() && len(r.Run) > 0 {
		c.runs[r.Task] = extent{c.size, n}
	}
	c.size += n
	_, err := c.out.Write(c.buf)
	return err
}

// read returns a record that was written before. It is called with the disk lock held.
func (j *Journal) read(at extent) (Record, error) {
	if j.file == nil {
		return Record{}, os.ErrClosed
	}
	b := make([]byte, at.size)
	if _, err := j.file.ReadAt(b, at.off); err != nil {
		return Record{}, fmt.Errorf("read journal: %w", err)
	}
	r, err := decode(b)
	if err != nil {
		return Record{}, fmt.Errorf("read journal at %d: %w", at.off, err)
	}
	return r, nil
}

// remembered returns the finished tasks that are not old enough, or not many enough, to be forgotten.
func (m *memory) remembered(now time.Time) map[protocol.Task]grave {
	kept := maps.Clone(m.done)
	oldest := now.Add(-keepDone).UnixMicro()
	for _, t := range oldestFirst(m.done) {
		if n := len(kept); n <= minDone || n <= maxDone && m.done[t].wall >= oldest {
			break
		}
		delete(kept, t)
	}
	return kept
}

func oldestFirst(done map[protocol.Task]grave) []protocol.Task {
	return slices.SortedFunc(maps.Keys(done), func(a, b protocol.Task) int { return cmp.Compare(done[a].order, done[b].order) })
}
