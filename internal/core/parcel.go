package core

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"time"
)

// Parcel is a large file at the server, whole or as far as it has come: what a caller uploads to have it pushed, or what a node uploads
// because a caller fetches it. Chunks come in order, so that the hash of the whole goes along with them and nothing has to be read again.
type Parcel struct {
	ID        ID
	Account   AccountID
	Principal string // who uploads it; empty for a node

	Invocation ID     // that pushes or fetches it; zero until it is pushed
	Index      uint32 // of a fetch: the task whose node uploads it
	File       uint32 // of a fetch: which of its files

	Name  string // the path at the node, or what the caller calls it
	Size  int64
	Hash  string // SHA-256 in hexadecimal, as the uploader says: a caller before, a node after it
	Stamp string // of a fetch: the node's word for the state of the file, which changes with it

	Have   int64  // bytes that are there
	State  []byte // of the hash over them
	Sealed bool   // it is whole, and has the hash

	CreatedAt time.Time
	UpdatedAt time.Time
}

// parcelPatience is how long an upload may rest, and how long what was pushed stays after the last node had it.
const parcelPatience = 24 * time.Hour

// Chunks is how many chunks the whole file has.
func (p *Parcel) Chunks() int64 { return (p.Size + ChunkSize - 1) / ChunkSize }

// chunkLen is how many bytes a chunk has.
func (p *Parcel) chunkLen(n int64) int64 { return min(ChunkSize, p.Size-n*ChunkSize) }

func (p *Parcel) prefix() string          { return fmt.Sprintf("parcel/%s/", p.ID) }
func (p *Parcel) chunkKey(n int64) string { return fmt.Sprintf("%s%08x", p.prefix(), n) }

// sum takes up the hash where the last chunk left it.
func (p *Parcel) sum() (hash.Hash, error) {
	h := sha256.New()
	if len(p.State) == 0 {
		return h, nil
	}
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(p.State); err != nil {
		return nil, fmt.Errorf("transfer %s: %w", p.ID, err)
	}
	return h, nil
}

// add goes on with the hash over a chunk and returns its state and, for the last chunk, the hash of the whole.
func (p *Parcel) add(data []byte) (state []byte, whole string, err error) {
	h, err := p.sum()
	if err != nil {
		return nil, "", err
	}
	h.Write(data)
	state, err = h.(encoding.BinaryMarshaler).MarshalBinary()
	return state, hex.EncodeToString(h.Sum(nil)), err
}

func noTransfer() error { return notFound(ReasonInvocationNotFound, "no such transfer") }

// Upload begins the upload of a file that is to be pushed. Who begins the same one again goes on with it, unless it was pushed meanwhile.
func (s *Service) Upload(ctx context.Context, c Caller, name string, size int64, hash string) (Parcel, error) {
	if err := c.Allow("file.upload", nil); err != nil {
		return Parcel{}, err
	}
	switch sum, err := hex.DecodeString(hash); {
	case err != nil || len(sum) != sha256.Size || hex.EncodeToString(sum) != hash:
		return Parcel{}, invalid(ReasonInvalidValue, "sha256", "not 64 hexadecimal digits in lower case")
	case size < 0:
		return Parcel{}, invalid(ReasonTooSmall, "size", "%d", size)
	case len(name) > maxPath || !printable(name):
		return Parcel{}, invalid(ReasonNameInvalid, "name", "more than %d bytes, or control characters", maxPath)
	}
	same, err := s.store.ListParcels(ctx, ParcelFilter{Account: c.Account, Principal: c.Principal, Hash: hash, Free: true})
	if err != nil {
		return Parcel{}, err
	}
	for _, p := range same {
		if p.Size == size {
			return p, nil
		}
	}
	if err := s.hasRoom(ctx, size); err != nil {
		return Parcel{}, err
	}
	p := Parcel{Account: c.Account, Principal: c.Principal, Name: name, Size: size, Hash: hash}
	if size == 0 {
		if _, whole, err := p.add(nil); err != nil || whole != hash {
			return Parcel{}, errors.Join(err, badHash())
		}
		p.Sealed = true
	}
	p, err = s.insertParcel(ctx, p)
	c.Trail.note("transfer/" + p.ID.String())
	return p, err
}

func badHash() error {
	return &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Field: "sha256", Detail: "the bytes that came have another SHA-256"}
}

// hasRoom refuses a file that is too large by itself or together with what lies here.
func (s *Service) hasRoom(ctx context.Context, size int64) error {
	if size > s.transfers.File {
		return limited(ReasonFileTooLarge, "size", "more than %d bytes", s.transfers.File)
	}
	used, err := s.store.ParcelBytes(ctx)
	if err == nil && used > s.transfers.Total-size {
		err = limited(ReasonQuotaObjects, "size", "the server keeps %d bytes of files and has room for %d", used, max(0, s.transfers.Total-used))
	}
	return err
}

func (s *Service) insertParcel(ctx context.Context, p Parcel) (Parcel, error) {
	now := s.Now()
	p.ID, p.CreatedAt, p.UpdatedAt = s.ids.Next(now), now, now
	return p, s.store.InsertParcel(ctx, p)
}

// Uploaded tells a caller how far an upload of its account has come.
func (s *Service) Uploaded(ctx context.Context, c Caller, id ID) (Parcel, error) {
	if err := c.Allow("file.upload", nil); err != nil {
		return Parcel{}, err
	}
	return s.upload(ctx, &c, id)
}

func (s *Service) upload(ctx context.Context, c *Caller, id ID) (Parcel, error) {
	p, err := s.store.Parcel(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && (p.Account != c.Account || p.Principal != c.Principal) {
		return Parcel{}, noTransfer()
	}
	return p, err
}

// UploadChunk adds a chunk with a hash to an upload. The caller learns from the answer what is there, whether or not this chunk was wanted.
func (s *Service) UploadChunk(ctx context.Context, c Caller, id ID, n int64, hash string, data []byte) (Parcel, error) {
	if err := c.Allow("file.upload", nil); err != nil {
		return Parcel{}, err
	}
	p, err := s.upload(ctx, &c, id)
	if err != nil {
		return Parcel{}, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != hash {
		return Parcel{}, invalid(ReasonInvalidValue, "sha256", "the chunk has another SHA-256")
	}
	return s.addChunk(ctx, p, n, data)
}

// addChunk stores the next chunk of a parcel. One that is there already is not stored again; one that is not the next yet is left.
func (s *Service) addChunk(ctx context.Context, p Parcel, n int64, data []byte) (Parcel, error) {
	switch {
	case n < 0 || n >= p.Chunks():
		return p, invalid(ReasonTooLarge, "chunk", "there are %d", p.Chunks())
	case int64(len(data)) != p.chunkLen(n):
		return p, invalid(ReasonInvalidValue, "chunk", "has %d bytes instead of %d", len(data), p.chunkLen(n))
	case p.Sealed || n*ChunkSize != p.Have:
		return p, nil
	}
	state, whole, err := p.add(data)
	if err != nil {
		return p, err
	}
	if err := s.blobs.Put(ctx, p.chunkKey(n), data); err != nil {
		return p, fmt.Errorf("store chunk %d of transfer %s: %w", n, p.ID, err)
	}
	wrong, from, now := false, p.Have, s.Now()
	err = s.store.ChangeParcel(ctx, p.ID, func(q *Parcel) (bool, error) {
		if q.Have == from {
			q.Have, q.State, q.UpdatedAt = from+int64(len(data)), state, now
			q.Sealed = q.Hash != "" && q.Have == q.Size
			wrong = q.Sealed && q.Hash != whole
		}
		p = *q
		return !wrong, nil
	})
	if errors.Is(err, ErrNotFound) || err == nil && wrong {
		err = errors.Join(badHash(), s.blobs.DeleteAll(ctx, p.prefix()))
		if !wrong {
			err = noTransfer() // it expired in this very moment; the next round removes the chunk
		}
	}
	return p, err
}

// ReadChunk hands a caller a chunk of a file that was fetched.
func (s *Service) ReadChunk(ctx context.Context, c Caller, id ID, n int64) (Parcel, []byte, error) {
	p, err := s.store.Parcel(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && (p.Account != c.Account || p.Invocation == 0 || p.Principal != "") {
		err = noTransfer()
	}
	if err != nil {
		return Parcel{}, nil, err
	}
	if err := s.allowObjects(ctx, &c, "file.download", nil, KindInvocation, texts(p.Invocation)); err != nil {
		return Parcel{}, nil, err
	}
	data, err := s.chunk(ctx, &p, n)
	return p, data, err
}

func (s *Service) chunk(ctx context.Context, p *Parcel, n int64) ([]byte, error) {
	if n < 0 || n >= p.Chunks() || !p.Sealed {
		return nil, noTransfer()
	}
	data, err := s.blobs.Get(ctx, p.chunkKey(n))
	if err == nil && int64(len(data)) != p.chunkLen(n) {
		err = errors.New("has another length")
	}
	if err != nil {
		return nil, fmt.Errorf("chunk %d of transfer %s: %w", n, p.ID, err)
	}
	return data, nil
}

// findParcel completes the order of a push with what is known about the uploaded file.
func (s *Service) findParcel(ctx context.Context, c *Caller, t *Transfer) error {
	if t == nil || t.To == nil {
		return nil
	}
	p, err := s.upload(ctx, c, t.Parcel)
	switch {
	case err != nil:
		return err
	case !p.Sealed:
		return &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Field: "transfer", Detail: fmt.Sprintf("%d of %d bytes were uploaded", p.Have, p.Size)}
	case p.Invocation != 0:
		return &Error{Code: CodeConflict, Reason: ReasonAlreadyEnded, Field: "transfer", Detail: "was pushed already"}
	}
	t.Size, t.Hash = p.Size, p.Hash
	return nil
}

// useParcel ties the file to the invocation that pushes it. If the server dies before, the first node that asks for a chunk does it.
func (s *Service) useParcel(ctx context.Context, v *Invocation) error {
	if v.Kind != KindPush {
		return nil
	}
	now := s.Now()
	return s.store.ChangeParcel(ctx, v.Transfer.Parcel, func(p *Parcel) (bool, error) {
		if p.Invocation == 0 {
			p.Invocation, p.UpdatedAt = v.ID, now
		}
		return true, nil
	})
}

// removeParcels removes the files of a removed invocation.
func (s *Service) removeParcels(ctx context.Context, id ID) error {
	list, err := s.store.ListParcels(ctx, ParcelFilter{Invocations: []ID{id}})
	for i := range list {
		err = errors.Join(err, s.removeParcel(ctx, &list[i]))
	}
	return err
}

// removeParcel removes a file, its row last: what interrupts this is finished by the next try.
func (s *Service) removeParcel(ctx context.Context, p *Parcel) error {
	if err := s.blobs.DeleteAll(ctx, p.prefix()); err != nil {
		return fmt.Errorf("remove transfer %s: %w", p.ID, err)
	}
	err := s.store.ChangeParcel(ctx, p.ID, func(*Parcel) (bool, error) { return false, nil })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// expiredAtOnce is how many files are looked at in one round.
const expiredAtOnce = 1000

// expireParcels removes uploads that nobody went on with, and files that were pushed to all nodes. What was fetched goes with its invocation.
func (s *Service) expireParcels(ctx context.Context) error {
	old, err := s.store.ListParcels(ctx, ParcelFilter{Before: s.Now().Add(-parcelPatience), Limit: expiredAtOnce})
	if err != nil {
		return err
	}
	var errs []error
	for i := range old {
		p := &old[i]
		if p.Invocation != 0 {
			v, err := s.store.Invocation(ctx, p.Account, p.Invocation)
			over := errors.Is(err, ErrNotFound) || err == nil && !v.EndedAt.IsZero() && s.Now().Sub(v.EndedAt) > parcelPatience
			if err != nil && !errors.Is(err, ErrNotFound) {
				errs = append(errs, err)
			}
			if !over || p.Sealed && v.Kind == KindFetch {
				continue
			}
		}
		errs = append(errs, s.removeParcel(ctx, p))
	}
	return errors.Join(errs...)
}
