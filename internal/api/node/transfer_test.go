package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"errand/internal/core"
	"errand/internal/protocol"
)

// movers is an entrance with two nodes that can move files.
type movers struct {
	*entrance
	mine, other machine
}

func newMovers(t *testing.T) *movers {
	t.Helper()
	m := &movers{newEntrance(t), newMachine(1), newMachine(2)}
	code, secret := m.code(core.RegistrationSpec{})
	for i, one := range []machine{m.mine, m.other} {
		r := one.request(code.ID.String(), secret)
		r.NodeID, r.Facts.Features = []string{"mine", "other"}[i], []string{protocol.FeatureTransfer}
		m.joins(one.sign(r))
	}
	return m
}

// fetch orders a fetch from one node and returns how its node names the task.
func (m *movers) fetch(most int64, paths ...string) protocol.Task {
	m.tb.Helper()
	return m.run(&core.Transfer{Paths: paths, Most: most})
}

func (m *movers) run(t *core.Transfer) protocol.Task {
	m.tb.Helper()
	v, err := m.Service.Run(m.tb.Context(), m.Caller, core.RunSpec{Origin: core.OriginNative, Targets: []string{"mine"}, Transfer: t})
	if err != nil {
		m.tb.Fatal(err)
	}
	return protocol.Task{Invocation: uint64(v.ID)}
}

// push uploads content and orders its push.
func (m *movers) push(content []byte) protocol.Task {
	m.tb.Helper()
	p, err := m.upload(content)
	if err != nil {
		m.tb.Fatal(err)
	}
	return m.run(&core.Transfer{Parcel: p.ID, To: &core.File{Name: "f", Dir: "/srv"}})
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (m *movers) upload(content []byte) (core.Parcel, error) {
	m.tb.Helper()
	p, err := m.Service.Upload(m.tb.Context(), m.Caller, "f", int64(len(content)), hexSum(content))
	for n := p.Have / core.ChunkSize; err == nil && !p.Sealed; n++ {
		chunk := content[n*core.ChunkSize : min(int64(len(content)), (n+1)*core.ChunkSize)]
		p, err = m.Service.UploadChunk(m.tb.Context(), m.Caller, p.ID, n, hexSum(chunk), chunk)
	}
	return p, err
}

// as makes a request that a machine proves.
func (m *movers) as(who machine, method, path string, body []byte) *httptest.ResponseRecorder {
	m.tb.Helper()
	p := protocol.Proof{PublicKey: who.public, Body: protocol.BodyHash(body)}
	p.Signature = ed25519.Sign(who.private, p.SigningText(method, path))
	return m.with(method, path, p.Header(), string(body))
}

func asJSON(tb testing.TB, v any) []byte {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func (m *movers) held(w *httptest.ResponseRecorder) int64 {
	m.tb.Helper()
	var h protocol.Held
	if err := json.Unmarshal(w.Body.Bytes(), &h); err != nil || w.Code != 200 {
		m.tb.Fatalf("%d %s", w.Code, w.Body)
	}
	return h.Have
}

func TestPushedChunks(t *testing.T) {
	t.Parallel()
	m := newMovers(t)
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16+1) // a chunk and 16 bytes
	task := m.push(content)
	for n, want := range [][]byte{content[:core.ChunkSize], content[core.ChunkSize:]} {
		w := m.as(m.mine, "GET", protocol.ChunkPath(task, int64(n)), nil)
		if w.Code != 200 || !bytes.Equal(w.Body.Bytes(), want) || w.Header().Get(protocol.ChunkHashHeader) != hexSum(want) {
			t.Errorf("chunk %d: %d, %d bytes", n, w.Code, w.Body.Len())
		}
	}
	for name, path := range map[string]string{
		"beyond":         protocol.ChunkPath(task, 2),
		"another task":   protocol.ChunkPath(protocol.Task{Invocation: task.Invocation, Index: 1}, 0),
		"another order":  protocol.ChunkPath(protocol.Task{Invocation: task.Invocation + 1}, 0),
		"a file of none": protocol.FilePath(task, 0) + "/chunks/0",
	} {
		method := "GET"
		if strings.Contains(path, "files") {
			method = "PUT"
		}
		if w := m.as(m.mine, method, path, nil); w.Code != 404 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/agent/transfers/x/0/chunks/0", "/agent/transfers/1/0/chunks/-1", "/agent/transfers/1/00/chunks/0", "/agent/transfers/1/0/chunks/00"} {
		checkProblem(t, m.as(m.mine, "GET", path, nil), 400, protocol.ProblemMalformed)
	}
}

// TestForeignNode refuses another node everything about a task that is not its own.
func TestForeignNode(t *testing.T) {
	t.Parallel()
	m := newMovers(t)
	pushed, fetched := m.push([]byte("secret")), m.fetch(0, "/etc/x")
	offer := asJSON(t, protocol.Offer{Size: 5, Stamp: "s"})
	m.held(m.as(m.mine, "PUT", protocol.FilePath(fetched, 0), offer))
	for _, r := range []struct {
		method, path string
		body         []byte
	}{
		{"GET", protocol.ChunkPath(pushed, 0), nil},
		{"PUT", protocol.FilePath(fetched, 0), offer},
		{"PUT", protocol.FilePath(fetched, 0) + "/chunks/0", []byte("wrong")},
		{"POST", protocol.FilePath(fetched, 0) + "/seal", asJSON(t, protocol.Seal{Hash: hexSum([]byte("wrong"))})},
	} {
		checkProblem(t, m.as(m.other, r.method, r.path, r.body), 404, protocol.ProblemTransferGone)
	}
	if have := m.held(m.as(m.mine, "PUT", protocol.FilePath(fetched, 0), offer)); have != 0 {
		t.Errorf("%d bytes are there", have)
	}
}

func TestFetchedFile(t *testing.T) {
	t.Parallel()
	m := newMovers(t)
	content := bytes.Repeat([]byte("x"), core.ChunkSize+3)
	task := m.fetch(int64(len(content)), "/var/x", "/var/y")
	at := protocol.FilePath(task, 1)
	offer := asJSON(t, protocol.Offer{Size: int64(len(content)), Stamp: "s"})
	if have := m.held(m.as(m.mine, "PUT", at, offer)); have != 0 {
		t.Fatalf("%d bytes are there", have)
	}
	for name, tt := range map[string]struct {
		method, path string
		body         any
		status       int
		reason       protocol.ProblemReason
	}{
		"no such file":       {"PUT", protocol.FilePath(task, 2), protocol.Offer{Size: 1, Stamp: "s"}, 400, "malformed"},
		"no stamp":           {"PUT", protocol.FilePath(task, 0), protocol.Offer{Size: 1}, 400, "malformed"},
		"negative":           {"PUT", protocol.FilePath(task, 0), protocol.Offer{Size: -1, Stamp: "s"}, 400, "malformed"},
		"no offer":           {"PUT", protocol.FilePath(task, 0), []int{}, 400, "malformed"},
		"too large":          {"PUT", protocol.FilePath(task, 0), protocol.Offer{Size: int64(len(content)) + 1, Stamp: "s"}, 413, "too_large"},
		"changed size":       {"PUT", at, protocol.Offer{Size: 1, Stamp: "s"}, 409, "changed"},
		"changed stamp":      {"PUT", at, protocol.Offer{Size: int64(len(content)), Stamp: "z"}, 409, "changed"},
		"nothing offered":    {"POST", protocol.FilePath(task, 0) + "/seal", protocol.Seal{}, 404, "transfer_gone"},
		"chunk of a length":  {"PUT", at + "/chunks/0", "short", 400, "malformed"},
		"chunk that is none": {"PUT", at + "/chunks/2", "short", 400, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			checkProblem(t, m.as(m.mine, tt.method, tt.path, asJSON(t, tt.body)), tt.status, tt.reason)
		})
	}
	put := func(n string, from, to int) int64 {
		return m.held(m.as(m.mine, "PUT", at+"/chunks/"+n, content[from:to]))
	}
	if have := put("1", core.ChunkSize, len(content)); have != 0 {
		t.Errorf("a chunk before its turn: %d bytes are there", have)
	}
	for range 2 { // the second one is a repetition
		if have := put("0", 0, core.ChunkSize); have != core.ChunkSize {
			t.Errorf("%d bytes are there", have)
		}
	}
	checkProblem(t, m.as(m.mine, "PUT", at+"/chunks/1", make([]byte, core.ChunkSize+1)), 413, protocol.ProblemMalformed)
	if have := m.held(m.as(m.mine, "PUT", at, offer)); have != core.ChunkSize {
		t.Errorf("%d bytes are there when it goes on", have)
	}
	put("1", core.ChunkSize, len(content))
	for range 2 {
		if w := m.as(m.mine, "POST", at+"/seal", asJSON(t, protocol.Seal{Hash: hexSum(content)})); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	rows, _, err := m.Service.Carriages(t.Context(), m.Caller, core.ID(task.Invocation), core.PageSpec{Limit: 10})
	if err != nil || len(rows) != 1 || len(rows[0].Files) != 1 {
		t.Fatalf("%v %+v", err, rows)
	}
	file := rows[0].Files[0]
	if !file.Sealed || file.Hash != hexSum(content) || file.Name != "/var/y" {
		t.Errorf("%+v", file)
	}
	_, data, err := m.Service.ReadChunk(t.Context(), m.Caller, file.ID, 1)
	if err != nil || string(data) != "xxx" {
		t.Errorf("%q, %v", data, err)
	}
	stranger := m.Caller
	stranger.Account++
	if _, _, err := m.Service.ReadChunk(t.Context(), stranger, file.ID, 0); !core.ReasonInvocationNotFound.Is(err) {
		t.Errorf("another account: %v", err)
	}
}

// TestSealMismatch begins a file anew whose bytes are not what its node read.
func TestSealMismatch(t *testing.T) {
	t.Parallel()
	m := newMovers(t)
	task := m.fetch(0, "/var/x")
	at := protocol.FilePath(task, 0)
	offer := asJSON(t, protocol.Offer{Size: 3, Stamp: "s"})
	m.held(m.as(m.mine, "PUT", at, offer))
	m.held(m.as(m.mine, "PUT", at+"/chunks/0", []byte("abc")))
	checkProblem(t, m.as(m.mine, "POST", at+"/seal", asJSON(t, protocol.Seal{Hash: hexSum([]byte("abd"))})), 409, protocol.ProblemChanged)
	if have := m.held(m.as(m.mine, "PUT", at, offer)); have != 0 {
		t.Errorf("%d bytes are there", have)
	}
}

// TestEndedTask moves nothing for a task that is over.
func TestEndedTask(t *testing.T) {
	t.Parallel()
	m := newMovers(t)
	task := m.push([]byte("x"))
	if err := m.Service.Stop(t.Context(), m.Caller, core.ID(task.Invocation), nil); err != nil {
		t.Fatal(err)
	}
	checkProblem(t, m.as(m.mine, "GET", protocol.ChunkPath(task, 0), nil), 404, protocol.ProblemTransferGone)
}

func TestUploads(t *testing.T) {
	t.Parallel()
	m := newMovers(t)
	ctx, content := t.Context(), []byte("content")
	if _, err := m.Service.Upload(ctx, m.Caller, "f", 7, "AB"); !core.ReasonInvalidValue.Is(err) {
		t.Errorf("malformed hash: %v", err)
	}
	if _, err := m.Service.Upload(ctx, m.Caller, "f", core.DefaultMaxFile+1, hexSum(content)); !core.ReasonFileTooLarge.Is(err) {
		t.Errorf("too large: %v", err)
	}
	if _, err := m.Service.Upload(ctx, m.Caller, "f", 0, hexSum(content)); core.AsError(err).Code != core.CodeConflict {
		t.Errorf("nothing with a hash of something: %v", err)
	}
	if p, err := m.upload(nil); err != nil || !p.Sealed {
		t.Errorf("nothing: %+v, %v", p, err)
	}
	p, err := m.Service.Upload(ctx, m.Caller, "f", 7, hexSum(content))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := m.Service.Upload(ctx, m.Caller, "g", 7, hexSum(content)); err != nil || again.ID != p.ID {
		t.Errorf("the same again: %s instead of %s, %v", again.ID, p.ID, err)
	}
	ann := m.Caller
	ann.Principal = "ann"
	if _, err := m.Service.Uploaded(ctx, ann, p.ID); !core.ReasonInvocationNotFound.Is(err) {
		t.Errorf("another's: %v", err)
	}
	push := core.RunSpec{Origin: core.OriginNative, Targets: []string{"mine"}, Transfer: &core.Transfer{Parcel: p.ID, To: &core.File{Name: "f", Dir: "/srv"}}}
	if _, err := m.Service.Run(ctx, m.Caller, push); core.AsError(err).Code != core.CodeConflict {
		t.Errorf("pushed before it is complete: %v", err)
	}
	if _, err := m.Service.UploadChunk(ctx, m.Caller, p.ID, 0, hexSum([]byte("x")), content); !core.ReasonInvalidValue.Is(err) {
		t.Errorf("chunk with another hash: %v", err)
	}
	if _, err := m.Service.UploadChunk(ctx, m.Caller, p.ID, 0, hexSum([]byte("contenT")), []byte("contenT")); core.AsError(err).Code != core.CodeConflict {
		t.Errorf("file with another hash: %v", err)
	}
	if _, err := m.Service.Uploaded(ctx, m.Caller, p.ID); !core.ReasonInvocationNotFound.Is(err) {
		t.Errorf("it stayed: %v", err)
	}
	if p, err = m.upload(content); err != nil {
		t.Fatal(err)
	}
	push.Transfer.Parcel = p.ID
	for i, want := range []core.Code{0, core.CodeConflict} {
		if _, err := m.Service.Run(ctx, m.Caller, push); (err != nil) != (i > 0) || err != nil && core.AsError(err).Code != want {
			t.Errorf("push %d: %v", i, err)
		}
	}
}

func TestTransfersThatAreRefused(t *testing.T) {
	t.Parallel()
	m := newMovers(t)
	p, err := m.upload([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	to := func(f core.File) *core.Transfer { return &core.Transfer{Parcel: p.ID, To: &f} }
	for name, tt := range map[string]struct {
		transfer *core.Transfer
		reason   core.Reason
	}{
		"no paths":     {&core.Transfer{}, core.ReasonMissing},
		"relative":     {&core.Transfer{Paths: []string{"etc/x"}}, core.ReasonFileDirInvalid},
		"a way up":     {&core.Transfer{Paths: []string{"/etc/../x"}}, core.ReasonFileDirInvalid},
		"twice":        {&core.Transfer{Paths: []string{"/x", "/x"}}, core.ReasonInvalidValue},
		"many":         {&core.Transfer{Paths: make([]string, 101)}, core.ReasonTooLong},
		"negative":     {&core.Transfer{Paths: []string{"/x"}, Most: -1}, core.ReasonTooSmall},
		"no name":      {to(core.File{Dir: "/srv"}), core.ReasonNameInvalid},
		"name":         {to(core.File{Name: "a/b", Dir: "/srv"}), core.ReasonNameInvalid},
		"up":           {to(core.File{Name: "..", Dir: "/srv"}), core.ReasonNameInvalid},
		"relative dir": {to(core.File{Name: "f", Dir: "srv"}), core.ReasonFileDirInvalid},
		"mode":         {to(core.File{Name: "f", Dir: "/srv", Mode: "8"}), core.ReasonFileModeInvalid},
		"owner":        {to(core.File{Name: "f", Dir: "/srv", Owner: "a b"}), core.ReasonFileOwnerInvalid},
		"group":        {to(core.File{Name: "f", Dir: "/srv", Group: "a:b"}), core.ReasonFileGroupInvalid},
		"no upload":    {&core.Transfer{Parcel: 7, To: &core.File{Name: "f", Dir: "/srv"}}, core.ReasonInvocationNotFound},
	} {
		_, err := m.Service.Run(t.Context(), m.Caller, core.RunSpec{Origin: core.OriginNative, Targets: []string{"mine"}, Transfer: tt.transfer})
		if !tt.reason.Is(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTransfersExpire removes uploads that rest, what was pushed when its tasks are long over, and what was fetched with its invocation.
func TestTransfersExpire(t *testing.T) {
	t.Parallel()
	m := newMovers(t)
	ctx := t.Context()
	rested, err := m.Service.Upload(ctx, m.Caller, "f", 7, hexSum([]byte("content")))
	if err != nil {
		t.Fatal(err)
	}
	pushed, fetched := m.push([]byte("pushed")), m.fetch(0, "/x")
	at := protocol.FilePath(fetched, 0)
	m.held(m.as(m.mine, "PUT", at, asJSON(t, protocol.Offer{Size: 1, Stamp: "s"})))
	m.held(m.as(m.mine, "PUT", at+"/chunks/0", []byte("x")))
	m.as(m.mine, "POST", at+"/seal", asJSON(t, protocol.Seal{Hash: hexSum([]byte("x"))}))
	retain := func(age time.Duration) {
		t.Helper()
		if _, err := m.Service.Retain(ctx, core.Retention{Age: age}); err != nil {
			t.Fatal(err)
		}
	}
	m.Advance(25 * time.Hour)
	retain(0)
	if _, err := m.Service.Uploaded(ctx, m.Caller, rested.ID); !core.ReasonInvocationNotFound.Is(err) {
		t.Errorf("a rested upload: %v", err)
	}
	if w := m.as(m.mine, "GET", protocol.ChunkPath(pushed, 0), nil); w.Code != 200 {
		t.Errorf("what is being pushed: %d", w.Code)
	}
	files := func() []core.Parcel {
		rows, _, err := m.Service.Carriages(ctx, m.Caller, core.ID(fetched.Invocation), core.PageSpec{Limit: 1})
		if err != nil || len(rows) != 1 {
			t.Fatalf("%v, %d rows", err, len(rows))
		}
		return rows[0].Files
	}
	for _, id := range []uint64{pushed.Invocation, fetched.Invocation} {
		if err := m.Service.Stop(ctx, m.Caller, core.ID(id), nil); err != nil {
			t.Fatal(err)
		}
	}
	m.Advance(25 * time.Hour)
	retain(0)
	kept := files()
	if len(kept) != 1 {
		t.Fatalf("what was fetched is gone: %+v", kept)
	}
	if _, _, err := m.Service.ReadChunk(ctx, m.Caller, kept[0].ID, 0); err != nil {
		t.Error(err)
	}
	retain(time.Hour)
	if _, _, err := m.Service.ReadChunk(ctx, m.Caller, kept[0].ID, 0); !core.ReasonInvocationNotFound.Is(err) {
		t.Errorf("what was fetched by an invocation that is gone: %v", err)
	}
}

func TestTurns(t *testing.T) {
	t.Parallel()
	turns := newTurns()
	for range maxNodeChunks {
		if err := turns.take(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	var busy *core.Error
	if err := turns.take(t.Context(), 1); !errors.As(err, &busy) || busy.Code != core.CodeThrottled {
		t.Errorf("one node took more than its share: %v", err)
	}
	for n := core.NodeKey(2); len(turns.free) < maxChunks; n++ {
		if err := turns.take(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := turns.take(gone, 1000); !errors.As(err, &busy) {
		t.Errorf("a turn too many: %v", err)
	}
	got := make(chan error)
	go func() { got <- turns.take(t.Context(), 1000) }()
	turns.leave(1)
	if err := <-got; err != nil {
		t.Error(err)
	}
	if len(turns.free) != maxChunks || turns.held[1] != maxNodeChunks-1 || turns.held[1000] != 1 {
		t.Errorf("%d turns are taken, by %v", len(turns.free), turns.held)
	}
}
