package core

import (
	"context"
	"errors"
	"time"
)

// What a node does about the large files of its tasks. Each call says which task it is for, and a node gets at no other's.

// carried finds a node's task that moves files and is not over. One that was given up may come back.
func (s *Service) carried(ctx context.Context, n *Node, id TaskID, kind InvocationKind) (Invocation, error) {
	tasks, _, err := s.store.ListTasks(ctx, TaskFilter{Account: n.Account, IDs: []TaskID{id}}, Page{Limit: 1})
	if err != nil {
		return Invocation{}, err
	}
	if len(tasks) == 0 || tasks[0].Node != n.Key || tasks[0].State.Ended() && !tasks[0].State.Presumed() {
		return Invocation{}, noTransfer()
	}
	v, err := s.invocation(ctx, n.Account, id.Invocation)
	if err == nil && v.Kind != kind {
		err = noTransfer()
	}
	return v, err
}

// PushedChunk hands a node a chunk of the file that is pushed to it.
func (s *Service) PushedChunk(ctx context.Context, n *Node, id TaskID, chunk int64) ([]byte, error) {
	v, err := s.carried(ctx, n, id, KindPush)
	if err != nil {
		return nil, err
	}
	p, err := s.store.Parcel(ctx, v.Transfer.Parcel)
	if errors.Is(err, ErrNotFound) {
		err = noTransfer()
	}
	if err == nil && p.Invocation == 0 {
		err = s.useParcel(ctx, &v)
	}
	if err != nil {
		return nil, err
	}
	return s.chunk(ctx, &p, chunk)
}

// Offer begins the upload of one of the files that a task fetches, or goes on with it. A file that is not what it was when its upload
// began, going by its size and stamp, is a conflict.
func (s *Service) Offer(ctx context.Context, n *Node, id TaskID, file uint32, size int64, stamp string) (Parcel, error) {
	v, err := s.carried(ctx, n, id, KindFetch)
	switch {
	case err != nil:
		return Parcel{}, err
	case int(file) >= len(v.Transfer.Paths) || size < 0 || stamp == "" || len(stamp) > maxPath:
		return Parcel{}, invalid(ReasonInvalidValue, "file", "not one of this task")
	case size > v.Transfer.Most:
		return Parcel{}, limited(ReasonFileTooLarge, "size", "more than %d bytes", v.Transfer.Most)
	}
	p, err := s.fetched(ctx, id, file)
	if err == nil {
		if p.Size != size || p.Stamp != stamp {
			err = &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Field: "file", Detail: "it changed since its upload began"}
		}
		return p, err
	}
	if !errors.Is(err, ErrNotFound) {
		return Parcel{}, err
	}
	if err := s.hasRoom(ctx, size); err != nil {
		return Parcel{}, err
	}
	p, err = s.insertParcel(ctx, Parcel{
		Account: n.Account, Invocation: id.Invocation, Index: id.Index, File: file, Name: v.Transfer.Paths[file], Size: size, Stamp: stamp,
	})
	if errors.Is(err, ErrTaken) {
		return s.fetched(ctx, id, file)
	}
	return p, err
}

// fetched finds what there is of a file of a task; ErrNotFound if there is nothing.
func (s *Service) fetched(ctx context.Context, id TaskID, file uint32) (Parcel, error) {
	list, err := s.store.ListParcels(ctx, ParcelFilter{Task: &id})
	for i := range list {
		if list[i].File == file {
			return list[i], err
		}
	}
	return Parcel{}, errors.Join(err, ErrNotFound)
}

// FetchedChunk adds a chunk to a file that a task fetches; its hash has been checked.
func (s *Service) FetchedChunk(ctx context.Context, n *Node, id TaskID, file uint32, chunk int64, data []byte) (Parcel, error) {
	if _, err := s.carried(ctx, n, id, KindFetch); err != nil {
		return Parcel{}, err
	}
	p, err := s.fetched(ctx, id, file)
	if errors.Is(err, ErrNotFound) {
		err = noTransfer()
	}
	if err != nil {
		return Parcel{}, err
	}
	return s.addChunk(ctx, p, chunk, data)
}

// Seal ends the upload of a file that a task fetches: all of it must be here, with the hash that the node found. Otherwise the upload begins
// anew.
func (s *Service) Seal(ctx context.Context, n *Node, id TaskID, file uint32, hash string) error {
	if _, err := s.carried(ctx, n, id, KindFetch); err != nil {
		return err
	}
	p, err := s.fetched(ctx, id, file)
	if errors.Is(err, ErrNotFound) {
		err = noTransfer()
	}
	if err != nil || p.Sealed && p.Hash == hash {
		return err
	}
	_, whole, err := p.add(nil)
	if err != nil {
		return err
	}
	if p.Have != p.Size || whole != hash {
		return errors.Join(badHash(), s.removeParcel(ctx, &p))
	}
	now := s.Now()
	return s.store.ChangeParcel(ctx, p.ID, func(q *Parcel) (bool, error) {
		q.Sealed, q.Hash, q.UpdatedAt = true, hash, now
		return true, nil
	})
}

// Progress is how far a task has come with the bytes that it moves. It is never stored.
type Progress struct {
	Done, Total int64
	At          time.Time
}

// maxProgress is how many tasks' progress is remembered at a time; that of more is not shown.
const maxProgress = 1 << 17

// Progressed notes how far an open task of a node has come. The caller has looked at whose task it is.
func (s *Service) Progressed(id TaskID, p Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.progress[id]; known || len(s.progress) < maxProgress {
		s.progress[id] = p
	}
}

// settled forgets the progress of tasks that have ended, and wakes those who wait for their invocations.
func (s *Service) settled(ids ...TaskID) {
	for _, id := range ids {
		s.moved(id.Invocation)
	}
	s.mu.Lock()
	var paced []ID
	for _, id := range ids {
		delete(s.progress, id)
		if run, ok := s.paced[id.Invocation]; ok {
			paced = append(paced, run)
		}
	}
	s.mu.Unlock()
	for _, id := range paced {
		s.feed.tell(Event{Paced: id})
	}
}

// Carriage is a task that moves files, with what has come of them.
type Carriage struct {
	TaskView
	Progress Progress // zero if nothing was heard, or not lately
	Files    []Parcel // fetched so far, whole or not
}

// Carriages lists the tasks of an invocation that moves files.
func (s *Service) Carriages(ctx context.Context, c Caller, id ID, p PageSpec) ([]Carriage, PageInfo, error) {
	if err := s.allowObjects(ctx, &c, "file.list", nil, KindInvocation, texts(id)); err != nil {
		return nil, PageInfo{}, err
	}
	v, err := s.invocation(ctx, c.Account, id)
	if err == nil && v.Transfer == nil {
		err = noTransfer()
	}
	if err != nil {
		return nil, PageInfo{}, err
	}
	rows, info, err := list(s.pages, c.Account, "transfers", p,
		func(t *Task) Cursor { return Cursor{A: int64(t.ID.Invocation), B: int64(t.ID.Index)} },
		func(p Page) ([]Task, int, error) {
			return s.store.ListTasks(ctx, TaskFilter{Account: c.Account, Invocations: []ID{id}}, p)
		})
	if err != nil || len(rows) == 0 {
		return nil, info, err
	}
	views, err := s.views(ctx, c.Account, rows, false)
	if err != nil {
		return nil, info, err
	}
	var files []Parcel
	if v.Kind == KindFetch {
		if files, err = s.store.ListParcels(ctx, ParcelFilter{Invocations: []ID{id}}); err != nil {
			return nil, info, err
		}
	}
	return s.carriages(views, files), info, nil
}

func (s *Service) carriages(views []TaskView, files []Parcel) []Carriage {
	byIndex := map[uint32][]Parcel{}
	for _, p := range files {
		byIndex[p.Index] = append(byIndex[p.Index], p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Carriage, len(views))
	for i := range views {
		list[i] = Carriage{TaskView: views[i], Progress: s.progress[views[i].ID], Files: byIndex[views[i].ID.Index]}
	}
	return list
}
