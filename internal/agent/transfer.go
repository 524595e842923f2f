package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"errand/internal/agent/files"
	"errand/internal/agent/identity"
	"errand/internal/agent/journal"
	"errand/internal/protocol"
)

const (
	maxTransfers    = 2               // at a time
	transferTime    = 24 * time.Hour  // what one may take if the task does not say
	chunkTime       = 2 * time.Minute // what one try at a chunk may take: 9 KB/s
	chunkSilence    = 30 * time.Second
	firstChunkPause = 250 * time.Millisecond
	maxChunkPause   = 15 * time.Second
	progressEvery   = time.Second
)

// carrier moves the files of one task. What it has moved outlives it: the part of a pushed file lies on the disk, that of a fetched one at the
// server, and whoever takes the task up again goes on from there.
type carrier struct {
	agent  *Agent
	task   *task
	spec   *protocol.Transfer
	buffer []byte // of one chunk

	before int64     // bytes of the files before this one
	told   time.Time // when progress was told last
}

// carryFiles moves the files of a task. If the agent ends meanwhile, the task does not: the next agent takes it up.
func (a *Agent) carryFiles(ctx context.Context, t *task, m *protocol.Run) {
	mark, err := a.markOf(t, m)
	if err != nil {
		a.end(t, unwritten(t.id, err), false)
		return
	}
	limit := duration(m.Spec.Timeout, time.Second)
	if limit == 0 {
		limit = transferTime
	}
	working, stop := context.WithTimeout(ctx, limit-max(0, a.cfg.Clock().Wall.Sub(mark.Started)))
	defer stop()
	a.occupied(t, stop)
	c := &carrier{agent: a, task: t, spec: m.Spec.Transfer, buffer: make([]byte, protocol.ChunkSize)}
	err = c.carry(working, mark)
	if err != nil && ctx.Err() != nil && !a.stopAsked(t) {
		return
	}
	if failed := working.Err(); err != nil && failed != nil {
		err = failed
	}
	result := carriedBy(t.id, mark.Started, a.cfg.Clock, err)
	err = a.journal.Append(journal.Record{Task: t.id, State: journal.Ended, At: a.cfg.Clock(), Result: result.Append(nil)})
	if err != nil {
		a.log.Error("result not written down yet", "task", nameOf(t.id), "error", err)
	}
	a.end(t, result, err == nil)
}

func (a *Agent) stopAsked(t *task) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return t.stop
}

func (c *carrier) carry(ctx context.Context, mark *transferMark) error {
	if c.spec.To != nil {
		return c.push(ctx, mark)
	}
	var first error
	for i, path := range c.spec.Paths {
		if err := c.fetch(ctx, i, path); err != nil && first == nil {
			first = err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return first
}

// carryError is why files were not moved, for reasons that are not the disk's.
type carryError struct {
	outcome protocol.Outcome
	err     error
}

func (e *carryError) Error() string { return e.err.Error() }
func (e *carryError) Unwrap() error { return e.err }

// carriedBy returns the result of moving files.
func carriedBy(task protocol.Task, started time.Time, clock func() journal.Moment, err error) protocol.Finished {
	m := writtenBy(task, started, clock, err)
	m.Started = started.UnixMicro()
	var own *carryError
	if errors.As(err, &own) {
		m.Outcome = own.outcome
	}
	return m
}

// refusedTransfer names what the server would not do.
func refusedTransfer(err error) error {
	var refused *identity.RefusedError
	if !errors.As(err, &refused) {
		return err
	}
	outcome := protocol.OutcomeFileRefused
	switch refused.Reason { //nolint:exhaustive // the others are refusals
	case protocol.ProblemTooLarge:
		outcome = protocol.OutcomeFileTooLarge
	case protocol.ProblemChanged:
		outcome = protocol.OutcomeFileChanged
	}
	return &carryError{outcome, err}
}

// push gets a file from the server and puts it in its place.
func (c *carrier) push(ctx context.Context, mark *transferMark) error {
	target, err := c.target()
	if err != nil {
		return err
	}
	if mark.Placing { // by an agent before this one
		return files.FinishPart(target, mark.Temp)
	}
	size := int64(c.spec.Size)
	part, err := files.OpenPart(ctx, target, mark.Temp, size)
	if err != nil {
		return err
	}
	defer part.Close()
	sum := sha256.New()
	have, err := part.Resume(ctx, sum, protocol.ChunkSize, size)
	if err != nil {
		return err
	}
	whole, err := c.download(ctx, part, sum, have)
	if err == nil && !whole && have > 0 { // what an agent before this one left was damaged, as by a power failure
		sum.Reset()
		if err = part.Restart(); err == nil {
			whole, err = c.download(ctx, part, sum, 0)
		}
	}
	if err == nil && !whole {
		err = &carryError{protocol.OutcomeFileHash, fmt.Errorf("the file arrived with another SHA-256 than %s", c.spec.Hash)}
	}
	if err == nil {
		err = part.Ready()
	}
	if err == nil {
		mark.Placing = true
		err = c.agent.keep(c.task, mark)
	}
	if err != nil {
		return err
	}
	return part.Place()
}

func (c *carrier) target() (files.File, error) {
	f := c.spec.To
	mode, err := files.ParseMode(f.Mode)
	return files.File{Name: f.Name, Dir: f.Dir, Mode: mode, Owner: f.Owner, Group: f.Group, Overwrite: f.Overwrite}, err
}

// download gets what is missing of a file from a position on, and reports whether the whole is what was sent.
func (c *carrier) download(ctx context.Context, part *files.Part, sum hash.Hash, have int64) (whole bool, err error) {
	size := int64(c.spec.Size)
	for have < size {
		data := c.buffer[:min(protocol.ChunkSize, size-have)]
		err := c.insist(ctx, func(ctx context.Context) error { return c.getChunk(ctx, have/protocol.ChunkSize, data) })
		if err == nil {
			err = part.Write(data, have)
		}
		if err != nil {
			return false, err
		}
		sum.Write(data)
		have += int64(len(data))
		c.progress(have, size)
	}
	return hex.EncodeToString(sum.Sum(nil)) == c.spec.Hash, nil
}

// getChunk fills data with a chunk, or fails.
func (c *carrier) getChunk(ctx context.Context, n int64, data []byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := c.call(ctx, identity.Call{Method: http.MethodGet, Path: protocol.ChunkPath(c.task.id, n)})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	silence := time.AfterFunc(chunkSilence, cancel)
	defer silence.Stop()
	for rest := data; len(rest) > 0; {
		n, err := resp.Body.Read(rest)
		rest = rest[n:]
		silence.Reset(chunkSilence)
		if len(rest) > 0 && err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("chunk %d: %w", n, err)
		}
	}
	sum := sha256.Sum256(data)
	if hex.EncodeToString(sum[:]) != resp.Header.Get(protocol.ChunkHashHeader) {
		return fmt.Errorf("chunk %d: has another SHA-256 than it should", n)
	}
	return nil
}

// fetch sends a file to the server.
func (c *carrier) fetch(ctx context.Context, i int, path string) error {
	src, err := files.OpenSource(path, c.spec.Follow)
	if err != nil {
		return err
	}
	defer src.Close()
	size := src.Size()
	if uint64(size) > c.spec.Most {
		return &carryError{protocol.OutcomeFileTooLarge, fmt.Errorf("%s has %d bytes, more than %d", path, size, c.spec.Most)}
	}
	at := protocol.FilePath(c.task.id, i)
	have, err := c.offer(ctx, at, src)
	if err != nil {
		return err
	}
	sum := sha256.New()
	if err := c.reread(ctx, src, sum, have); err != nil {
		return err
	}
	for have < size {
		data := c.buffer[:min(protocol.ChunkSize, size-have)]
		if err := src.Read(data, have); err != nil {
			return err
		}
		n := have / protocol.ChunkSize
		held, err := c.tell(ctx, http.MethodPut, fmt.Sprintf("%s/chunks/%d", at, n), data)
		switch {
		case err != nil:
			return err
		case held != have+int64(len(data)):
			return &carryError{protocol.OutcomeFileRefused, fmt.Errorf("the server has %d bytes of %s instead of %d", held, path, have+int64(len(data)))}
		}
		sum.Write(data)
		have = held
		c.progress(have, size)
	}
	c.before += size
	if err := src.Unchanged(); err != nil {
		return err
	}
	body, err := json.Marshal(protocol.Seal{Hash: hex.EncodeToString(sum.Sum(nil))})
	if err != nil {
		return err
	}
	_, err = c.tell(ctx, http.MethodPost, at+"/seal", body)
	return err
}

// offer tells the server about a file and returns from where on it wants it.
func (c *carrier) offer(ctx context.Context, at string, src *files.Source) (have int64, err error) {
	body, err := json.Marshal(protocol.Offer{Size: src.Size(), Stamp: src.Stamp()})
	if err != nil {
		return 0, err
	}
	have, err = c.tell(ctx, http.MethodPut, at, body)
	if err == nil && (have < 0 || have > src.Size() || have < src.Size() && have%protocol.ChunkSize != 0) {
		err = &carryError{protocol.OutcomeFileRefused, fmt.Errorf("the server has %d bytes of a file of %d", have, src.Size())}
	}
	return have, err
}

// reread goes through what the server has already, for the hash of the whole.
func (c *carrier) reread(ctx context.Context, src *files.Source, sum hash.Hash, have int64) error {
	for at := int64(0); at < have; {
		data := c.buffer[:min(protocol.ChunkSize, have-at)]
		if err := src.Read(data, at); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		sum.Write(data)
		at += int64(len(data))
	}
	return nil
}

// tell sends a body until the server has it, and returns how much of the file it then holds.
func (c *carrier) tell(ctx context.Context, method, path string, body []byte) (int64, error) {
	var held protocol.Held
	err := c.insist(ctx, func(ctx context.Context) error {
		resp, err := c.call(ctx, identity.Call{Method: method, Path: path, Body: body})
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(io.LimitReader(resp.Body, protocol.MaxOffer))
		if err != nil {
			return err
		}
		held = protocol.Held{}
		return json.Unmarshal(answer, &held)
	})
	return held.Have, err
}

// insist tries until it succeeds, is refused, or the context ends.
func (c *carrier) insist(ctx context.Context, try func(context.Context) error) error {
	for pause := firstChunkPause; ; pause = min(2*pause, maxChunkPause) {
		limited, cancel := context.WithTimeout(ctx, chunkTime)
		err := try(limited)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case identity.Refused(err):
			return refusedTransfer(err)
		}
		wait := max(rand.N(pause), identity.AskedToWait(err)) //nolint:gosec // to spread a fleet, not to keep a secret
		c.agent.log.Debug("chunk not moved yet", "task", nameOf(c.task.id), "error", err, "again_in", wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// progress tells now and then how far the task has come. If it gets lost, the next one tells more.
func (c *carrier) progress(done, total int64) {
	now := time.Now()
	if now.Sub(c.told) < progressEvery && done < total {
		return
	}
	c.told = now
	m := protocol.Progress{Task: c.task.id, Done: uint64(c.before + done), Total: uint64(c.before + total)}
	_ = c.agent.publish(m.Append(nil))
}

// call makes a call with the key that the node has now: it may be replaced while something large is under way.
func (c *carrier) call(ctx context.Context, call identity.Call) (*http.Response, error) {
	client, err := c.agent.present().NewClient(c.agent.cfg.HTTP, c.agent.cfg.Version)
	if err != nil {
		return nil, err
	}
	return client.Do(ctx, call)
}
