package native

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"errand/internal/api"
	"errand/internal/core"
)

// Upload is a file that a caller sends to have it pushed.
type Upload struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Size      int64  `json:"size"`
	Hash      string `json:"sha256"`
	ChunkSize int64  `json:"chunk_size"`
	Have      int64  `json:"have"`     // bytes that are there; the next chunk begins there
	Complete  bool   `json:"complete"` // it can be pushed
}

func showUpload(p *core.Parcel) *Upload {
	return &Upload{
		ID: p.ID.String(), Name: p.Name, Size: p.Size, Hash: p.Hash, ChunkSize: core.ChunkSize, Have: p.Have, Complete: p.Sealed,
	}
}

type createUpload struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	Hash string `json:"sha256"`
}

func (d *Dialect) createUpload(ctx context.Context, c core.Caller, req *createUpload) (*Upload, error) {
	p, err := d.env.Service.Upload(ctx, c, req.Name, req.Size, req.Hash)
	if err != nil {
		return nil, err
	}
	return showUpload(&p), nil
}

type getUpload struct {
	ID string `json:"-" path:"id"`
}

func noTransfer() error {
	return &core.Error{Code: core.CodeNotFound, Reason: core.ReasonInvocationNotFound, Detail: "no such transfer"}
}

func (d *Dialect) getUpload(ctx context.Context, c core.Caller, req *getUpload) (*Upload, error) {
	id, ok := core.ParseID(req.ID)
	if !ok {
		return nil, noTransfer()
	}
	p, err := d.env.Service.Uploaded(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return showUpload(&p), nil
}

type putChunk struct {
	ID    string `json:"-" path:"id"`
	Chunk string `json:"-" path:"chunk"`
	Hash  string `json:"-" query:"sha256"`
	Data  []byte `json:"-" body:"raw"`
}

// putChunk answers with what is there. A chunk that was there already, or that is not the next one, changes nothing.
func (d *Dialect) putChunk(ctx context.Context, c core.Caller, req *putChunk) (*Upload, error) {
	id, ok := core.ParseID(req.ID)
	n, err := strconv.ParseInt(req.Chunk, 10, 32)
	if !ok || err != nil {
		return nil, noTransfer()
	}
	p, err := d.env.Service.UploadChunk(ctx, c, id, n, req.Hash, req.Data)
	if err != nil {
		return nil, err
	}
	return showUpload(&p), nil
}

type createPush struct {
	Transfer  string `json:"transfer"` // the upload's id
	Dir       string `json:"dir"`
	Name      string `json:"name"`
	Mode      string `json:"mode"` // octal; 0644 if left out
	Owner     string `json:"owner"`
	Group     string `json:"group"`
	Overwrite bool   `json:"overwrite"`
	transferTargets
}

// TargetTag is a tag that a node has to carry.
type TargetTag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// transferTargets is where files go or come from, and for how long.
type transferTargets struct {
	Targets []string    `json:"targets"`
	Tags    []TargetTag `json:"tags"` // instead of targets: all nodes that carry all of them
	// TimeoutSeconds counts from the moment at which a node begins; a day if left out. QueueSeconds is how long a node may be away before; a
	// minute if left out.
	TimeoutSeconds int64  `json:"timeout_seconds"`
	QueueSeconds   int64  `json:"queue_seconds"`
	ClientToken    string `json:"client_token"`
	selection             // instead of targets and tags
}

func (t *transferTargets) spec(transfer *core.Transfer) (core.RunSpec, error) {
	spec := core.RunSpec{Origin: core.OriginNative, Targets: api.NodeIDs(t.Targets), Transfer: transfer, ClientToken: t.ClientToken}
	const most = int64(30 * 24 * time.Hour / time.Second)
	if t.QueueSeconds < 0 || t.QueueSeconds > most || t.TimeoutSeconds < 0 || t.TimeoutSeconds > most {
		return spec, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonTimeoutRange, Detail: "timeout_seconds and queue_seconds are 0 to 30 days"}
	}
	if len(t.Targets) > 0 && len(t.Tags) > 0 {
		return spec, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonInvalidValue, Field: "tags", Detail: "either targets or tags"}
	}
	var err error
	if spec.Select, err = t.selection.neutral(); err != nil {
		return spec, err
	}
	spec.Timeout, spec.DeliverWithin = time.Duration(t.TimeoutSeconds)*time.Second, time.Duration(t.QueueSeconds)*time.Second
	for _, tag := range t.Tags {
		spec.TargetTags = append(spec.TargetTags, core.Tag(tag))
	}
	return spec, nil
}

func (d *Dialect) createPush(ctx context.Context, c core.Caller, req *createPush) (*Invocation, error) {
	id, ok := core.ParseID(req.Transfer)
	if !ok {
		return nil, noTransfer()
	}
	return d.move(ctx, c, &req.transferTargets, &core.Transfer{Parcel: id, To: &core.File{
		Name: req.Name, Dir: req.Dir, Mode: req.Mode, Owner: req.Owner, Group: req.Group, Overwrite: req.Overwrite,
	}})
}

type createFetch struct {
	Paths    []string `json:"paths"`
	Follow   bool     `json:"follow"`    // a path may end in a symbolic link
	MaxBytes int64    `json:"max_bytes"` // of each file; the server's own limit if left out
	transferTargets
}

func (d *Dialect) createFetch(ctx context.Context, c core.Caller, req *createFetch) (*Invocation, error) {
	return d.move(ctx, c, &req.transferTargets, &core.Transfer{Paths: req.Paths, Follow: req.Follow, Most: req.MaxBytes})
}

func (d *Dialect) move(ctx context.Context, c core.Caller, on *transferTargets, transfer *core.Transfer) (*Invocation, error) {
	spec, err := on.spec(transfer)
	if err != nil {
		return nil, err
	}
	if spec.ClientToken == "" {
		runOnce(ctx, c, &spec)
	}
	v, err := d.env.Service.Run(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	return d.show(ctx, c, &v)
}

// Carriage is a task that moves files.
type Carriage struct {
	Task
	Done  int64      `json:"bytes_done"`  // as last heard from the node
	Total int64      `json:"bytes_total"` // zero while nothing was heard
	Files []SentFile `json:"files,omitempty"`
}

// SentFile is a file that a node sent.
type SentFile struct {
	Transfer string `json:"transfer"` // names it for downloads
	Path     string `json:"path"`
	Size     int64  `json:"size"`
	Have     int64  `json:"have"`
	Hash     string `json:"sha256,omitempty"` // once it is complete
	Complete bool   `json:"complete"`
}

// Carriages is a page of tasks that move files, in the order of the targets.
type Carriages struct {
	Tasks []Carriage `json:"tasks"`
	Next  string     `json:"next,omitempty"`
}

func (d *Dialect) listCarriages(ctx context.Context, c core.Caller, req *listTasks) (*Carriages, error) {
	id, ok := api.InvocationID(req.ID)
	if !ok {
		return nil, noTransfer()
	}
	spec, err := req.spec()
	if err != nil {
		return nil, err
	}
	rows, info, err := d.env.Service.Carriages(ctx, c, id, spec)
	page := Carriages{Tasks: make([]Carriage, len(rows)), Next: req.next(info)}
	for i := range rows {
		page.Tasks[i] = showCarriage(&rows[i])
	}
	return &page, err
}

func showCarriage(v *core.Carriage) Carriage {
	t := Carriage{Task: showTask(&v.TaskView), Done: v.Progress.Done, Total: v.Progress.Total}
	if push := v.Invocation.Transfer; push.To != nil {
		t.Total = push.Size
		if v.State == core.Succeeded {
			t.Done = push.Size
		}
	}
	for i := range v.Files {
		p := &v.Files[i]
		t.Files = append(t.Files, SentFile{
			Transfer: p.ID.String(), Path: p.Name, Size: p.Size, Have: p.Have, Hash: p.Hash, Complete: p.Sealed,
		})
	}
	if v.State.Ended() && len(v.Files) > 0 {
		t.Done, t.Total = 0, 0
		for i := range v.Files {
			t.Done, t.Total = t.Done+v.Files[i].Have, t.Total+v.Files[i].Size
		}
	}
	return t
}

type getChunk struct {
	ID    string `json:"-" path:"id"`
	Chunk string `json:"-" path:"chunk"`
}

// ChunkHashHeader carries the SHA-256 of a chunk that is downloaded.
const ChunkHashHeader = "Errand-Chunk-Sha256"

// ChunkSize is how many bytes a chunk has; the last one of a file has what is left.
const ChunkSize = core.ChunkSize

// maxDownloads is how many chunks are in memory for callers at a time.
const maxDownloads = 32

// bytesOf is an answer that is no JSON. It has to be written, to let the next one have its turn.
type bytesOf struct {
	data []byte
	turn <-chan struct{}
}

func (b *bytesOf) write(w http.ResponseWriter, _ *api.Request) {
	defer func() { <-b.turn }()
	sum := sha256.Sum256(b.data)
	w.Header().Set(ChunkHashHeader, hex.EncodeToString(sum[:]))
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(b.data)))
	_, _ = w.Write(b.data) // the caller has gone if this fails
}

func (d *Dialect) getChunk(ctx context.Context, c core.Caller, req *getChunk) (*bytesOf, error) {
	id, ok := core.ParseID(req.ID)
	n, err := strconv.ParseInt(req.Chunk, 10, 32)
	if !ok || err != nil {
		return nil, noTransfer()
	}
	select {
	case d.downloads <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	_, data, err := d.env.Service.ReadChunk(ctx, c, id, n)
	if err != nil {
		<-d.downloads
		return nil, err
	}
	return &bytesOf{data, d.downloads}, nil
}
