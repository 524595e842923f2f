package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"errand/internal/core"
	"errand/internal/protocol"
)

// Bounds on chunks under way. Each takes some three times its size of memory, so that all together stay below a hundred megabytes, however
// many nodes want something at the same time; the others wait for their turn, in the order in which they came.
const (
	maxChunks       = 32 // at a time
	maxNodeChunks   = 2  // of one node
	chunkPatience   = 15 * time.Second
	chunkDeadline   = 5 * time.Minute // for the bytes of one chunk: 3.5 KB/s
	busyAfter       = time.Second     // what a node is told to wait that found no turn
	maxSmallRequest = protocol.MaxOffer
)

// turns hands out the right to move a chunk.
type turns struct {
	free chan struct{}

	mu   sync.Mutex
	held map[core.NodeKey]int
}

func newTurns() *turns {
	return &turns{free: make(chan struct{}, maxChunks), held: map[core.NodeKey]int{}}
}

// take waits for a turn; leave gives it back.
func (t *turns) take(ctx context.Context, node core.NodeKey) error {
	busy := &core.Error{Code: core.CodeThrottled, Reason: core.ReasonThrottled, Detail: "too many chunks are on their way"}
	t.mu.Lock()
	if t.held[node] >= maxNodeChunks {
		t.mu.Unlock()
		return busy
	}
	t.held[node]++
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, chunkPatience)
	defer cancel()
	select {
	case t.free <- struct{}{}:
		return nil
	case <-ctx.Done():
		t.forget(node)
		return busy
	}
}

func (t *turns) leave(node core.NodeKey) {
	<-t.free
	t.forget(node)
}

func (t *turns) forget(node core.NodeKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[node]--; t.held[node] == 0 {
		delete(t.held, node)
	}
}

// addTransfers adds the paths of files that tasks move.
func (d *door) addTransfers(mux *http.ServeMux) {
	const task = protocol.TransferPath + "{invocation}/{index}"
	for path, m := range map[string]methods{
		task + "/chunks/{chunk}":              {http.MethodGet: d.forNodes(d.inTurn(d.giveChunk))},
		task + "/files/{file}":                {http.MethodPut: d.forNodes(d.takeOffer)},
		task + "/files/{file}/chunks/{chunk}": {http.MethodPut: d.forNodes(d.inTurn(d.takeChunk))},
		task + "/files/{file}/seal":           {http.MethodPost: d.forNodes(d.takeSeal)},
	} {
		mux.Handle(path, m)
	}
}

// inTurn lets a node move a chunk when it is its turn, within a time that a slow line needs.
func (d *door) inTurn(h byNode) byNode {
	return func(w http.ResponseWriter, r *proven) error {
		if err := d.turns.take(r.Context(), r.node.Key); err != nil {
			w.Header().Set("Retry-After", strconv.Itoa(int(busyAfter/time.Second)))
			return err
		}
		defer d.turns.leave(r.node.Key)
		rc, until := http.NewResponseController(w), time.Now().Add(chunkDeadline)
		_ = errors.Join(rc.SetReadDeadline(until), rc.SetWriteDeadline(until)) // tests' recorders have none
		err := h(w, r)
		if err == nil {
			_ = rc.Flush() // before the deadline goes, which would outlive the request; who has not got it asks again
		}
		_ = rc.SetWriteDeadline(time.Time{})
		return err
	}
}

// named reads what the path names.
func (r *proven) named() (task core.TaskID, file uint32, chunk int64, err error) {
	t, ok := protocol.ParseTask(r.PathValue("invocation"), r.PathValue("index"))
	number := func(name string, bits int) uint64 {
		text := r.PathValue(name)
		if text == "" {
			return 0
		}
		n, err := strconv.ParseUint(text, 10, bits)
		ok = ok && err == nil && strconv.FormatUint(n, 10) == text
		return n
	}
	file, chunk = uint32(number("file", 31)), int64(number("chunk", 62))
	if !ok {
		err = malformed("path: not the name of a task, a file and a chunk")
	}
	return core.TaskID{Invocation: core.ID(t.Invocation), Index: t.Index}, file, chunk, err
}

func (d *door) giveChunk(w http.ResponseWriter, r *proven) error {
	task, _, n, err := r.named()
	if err == nil {
		_, err = r.read(w, 0)
	}
	if err != nil {
		return err
	}
	data, err := d.Service.PushedChunk(r.Context(), &r.node, task, n)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	w.Header().Set(protocol.ChunkHashHeader, hex.EncodeToString(sum[:]))
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(data) // the node may be gone; it will ask again
	return nil
}

func (d *door) takeOffer(w http.ResponseWriter, r *proven) error {
	var offer protocol.Offer
	task, file, _, err := r.named()
	if err == nil {
		err = r.decode(w, &offer)
	}
	if err != nil {
		return err
	}
	p, err := d.Service.Offer(r.Context(), &r.node, task, file, offer.Size, offer.Stamp)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, "application/json", protocol.Held{Have: p.Have})
	return nil
}

func (d *door) takeChunk(w http.ResponseWriter, r *proven) error {
	task, file, n, err := r.named()
	if err != nil {
		return err
	}
	data, err := r.read(w, protocol.ChunkSize)
	if err != nil {
		return err
	}
	// The node may be gone by now. What has come need not come again.
	p, err := d.Service.FetchedChunk(context.WithoutCancel(r.Context()), &r.node, task, file, n, data)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, "application/json", protocol.Held{Have: p.Have})
	return nil
}

func (d *door) takeSeal(w http.ResponseWriter, r *proven) error {
	var seal protocol.Seal
	task, file, _, err := r.named()
	if err == nil {
		err = r.decode(w, &seal)
	}
	if err == nil {
		err = d.Service.Seal(r.Context(), &r.node, task, file, seal.Hash)
	}
	if err != nil {
		return err
	}
	write(w, http.StatusOK, "application/json", struct{}{})
	return nil
}

// decode reads a small body of JSON.
func (r *proven) decode(w http.ResponseWriter, v any) error {
	body, err := r.read(w, maxSmallRequest)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return malformed("the body is not such a request: %w", err)
	}
	return nil
}

// problemOfTransfer says to a node what became of a file.
func problemOfTransfer(e *core.Error) (p protocol.Problem, ok bool) {
	switch e.Reason { //nolint:exhaustive // the others are answered as everywhere
	case core.ReasonInvocationNotFound:
		return problem(http.StatusNotFound, protocol.ProblemTransferGone, e.Detail), true
	case core.ReasonFileTooLarge:
		return problem(http.StatusRequestEntityTooLarge, protocol.ProblemTooLarge, e.Detail), true
	case core.ReasonQuotaObjects:
		return problem(http.StatusRequestEntityTooLarge, protocol.ProblemNoRoom, e.Detail), true
	}
	if e.Code == core.CodeConflict {
		return problem(http.StatusConflict, protocol.ProblemChanged, e.Detail), true
	}
	return p, false
}
