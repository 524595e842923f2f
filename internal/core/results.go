package core

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"errand/internal/nodeset"
)

// GroupKey names a group: what its tasks have in common. The same key means the same in every invocation.
type GroupKey struct {
	Outcome
	Stream Stream // what was compared: that stream alone, or both
}

const (
	keyParts  = 5
	notNamed  = "-" // a part of a key that stands for nothing
	nothing   = "0" // a digest of nothing
	maxKeyLen = 200
)

// String is the key as callers have it: state, cause, exit code and signal, and the digests of both streams, with dots between them.
func (k GroupKey) String() string {
	exit := notNamed
	if k.Exited {
		exit = strconv.Itoa(int(k.ExitCode))
	}
	if k.Signal != 0 {
		exit = strings.TrimPrefix(exit, notNamed) + "s" + strconv.Itoa(int(k.Signal))
	}
	cause := k.Cause.String()
	if cause == "" {
		cause = notNamed
	}
	digest := func(d Digest, other Stream) string {
		switch {
		case k.Stream == other:
			return notNamed
		case d == Digest{}:
			return nothing
		}
		return hex.EncodeToString(d[:])
	}
	return strings.Join([]string{k.State.String(), cause, exit, digest(k.Stdout, Stderr), digest(k.Stderr, Stdout)}, ".")
}

// ParseGroupKey reads what String wrote.
func ParseGroupKey(text string) (k GroupKey, ok bool) {
	parts := strings.Split(text, ".")
	if len(text) > maxKeyLen || len(parts) != keyParts {
		return k, false
	}
	state := slices.Index(stateNames[:], parts[0])
	cause := slices.Index(causeNames[:], strings.TrimPrefix(parts[1], notNamed))
	exit, signal, signalled := strings.Cut(parts[2], "s")
	if state < 0 || cause < 0 {
		return k, false
	}
	k.State, k.Cause = State(state), Cause(cause)
	if exit != notNamed && exit != "" {
		n, err := strconv.ParseInt(exit, 10, 32)
		if err != nil {
			return k, false
		}
		k.Exited, k.ExitCode = true, int32(n)
	}
	if signalled {
		n, err := strconv.ParseUint(signal, 10, 8)
		if err != nil {
			return k, false
		}
		k.Signal = uint8(n)
	}
	switch {
	case parts[4] == notNamed:
		k.Stream = Stdout
	case parts[3] == notNamed:
		k.Stream = Stderr
	}
	for i, d := range []*Digest{&k.Stdout, &k.Stderr} {
		if text := parts[3+i]; text != notNamed && text != nothing {
			b, err := hex.DecodeString(text)
			if err != nil || len(b) != len(d) {
				return k, false
			}
			copy(d[:], b)
		}
	}
	return k, k.String() == text
}

// key is the group of a result when a stream is compared.
func (r *Result) key(stream Stream) GroupKey {
	k := GroupKey{r.Outcome, stream}
	switch stream {
	case Stdout:
		k.Stderr = Digest{}
	case Stderr:
		k.Stdout = Digest{}
	case Merged:
	}
	return k
}

// Group is tasks that ended in the same way and printed the same.
type Group struct {
	GroupKey
	Tasks     int
	Sample    TaskID   // its first task
	Nodes     []string // names of the nodes, in the order of the tasks
	Head      []byte   // how the sample's output begins, at most groupHead bytes; of the stream that was compared
	Bytes     uint64   // how much the sample printed to it
	Reference bool     // the largest group of those that succeeded, which others are compared with
}

// Groups is what became of an invocation.
type Groups struct {
	Groups []Group
	Total  int // groups, the others included
	Ended  int // tasks in all groups
	Open   int // tasks that have not ended
}

// groupHead is how much of an output a group shows.
const groupHead = 2 << 10

// Results groups the tasks of an invocation that have ended by how they ended and what they printed, the largest groups first. stream is what is
// compared, Merged stands for both streams.
func (s *Service) Results(ctx context.Context, c Caller, id ID, stream Stream, p PageSpec) (Groups, PageInfo, error) {
	if err := s.allowHistory(ctx, &c, "task.list", []ID{id}, nil, nil); err != nil {
		return Groups{}, PageInfo{}, err
	}
	v, err := s.invocation(ctx, c.Account, id)
	if err != nil {
		return Groups{}, PageInfo{}, err
	}
	all, ended, err := s.grouped(ctx, &v, stream)
	if err != nil {
		return Groups{}, PageInfo{}, err
	}
	out := Groups{Total: len(all), Ended: ended, Open: max(0, v.Counts.Total()-ended)}
	rows, info, err := list(s.pages, c.Account, "groups", p,
		func(g *grouping) Cursor { return Cursor{A: int64(len(g.nodes)), B: int64(g.first)} },
		func(p Page) ([]grouping, int, error) { return pageOfGroups(all, p), len(all), nil })
	if err != nil {
		return out, info, err
	}
	out.Groups, err = s.describeGroups(ctx, c.Account, id, stream, rows, reference(all))
	return out, info, err
}

// grouping is a group while it is put together.
type grouping struct {
	key   GroupKey
	first uint32
	nodes []NodeKey
}

// compareGroups puts the largest first.
func compareGroups(a, b *grouping) int {
	return cmp.Or(cmp.Compare(len(b.nodes), len(a.nodes)), cmp.Compare(a.first, b.first))
}

// reference is the largest group of tasks that succeeded; nil if none did.
func reference(sorted []*grouping) *grouping {
	if i := slices.IndexFunc(sorted, func(g *grouping) bool { return g.key.State == Succeeded }); i >= 0 {
		return sorted[i]
	}
	return nil
}

func pageOfGroups(all []*grouping, p Page) []grouping {
	if p.After != nil {
		i, found := slices.BinarySearchFunc(all, p.After, func(g *grouping, c *Cursor) int {
			return cmp.Or(cmp.Compare(c.A, int64(len(g.nodes))), cmp.Compare(int64(g.first), c.B))
		})
		if found {
			i++
		}
		all = all[i:]
	}
	page := make([]grouping, min(len(all), p.Limit))
	for i := range page {
		page[i] = *all[i]
	}
	return page
}

// grouped puts an invocation's results into groups, the largest first, and returns how many tasks are in them.
func (s *Service) grouped(ctx context.Context, v *Invocation, stream Stream) ([]*grouping, int, error) {
	groups, ended, err := s.scanGroups(ctx, v.ID, stream)
	if err != nil || ended >= v.Counts.Total()-v.Counts.Open() {
		return groups, ended, err
	}
	// Some ended before results were kept.
	if err := s.fillResults(ctx, v.ID); err != nil {
		return nil, 0, err
	}
	return s.scanGroups(ctx, v.ID, stream)
}

func (s *Service) scanGroups(ctx context.Context, id ID, stream Stream) (groups []*grouping, ended int, err error) {
	byKey := map[GroupKey]*grouping{}
	var last *grouping // neighbours are often alike
	err = s.store.ScanResults(ctx, id, func(r *Result) error {
		ended++
		key := r.key(stream)
		if last == nil || last.key != key {
			if last = byKey[key]; last == nil {
				last = &grouping{key: key, first: r.Task.Index}
				byKey[key] = last
				groups = append(groups, last)
			}
		}
		last.nodes = append(last.nodes, r.Node)
		return nil
	})
	slices.SortFunc(groups, compareGroups)
	return groups, ended, err
}

// fillBatch is how many results of older tasks are made in one transaction.
const fillBatch = 200

// fillResults makes the results of tasks that have none.
func (s *Service) fillResults(ctx context.Context, id ID) error {
	for {
		ids, err := s.store.MissingResults(ctx, id, fillBatch)
		if err != nil || len(ids) == 0 {
			return err
		}
		tasks, _, err := s.store.ListTasks(ctx, TaskFilter{IDs: ids, Output: true}, Page{Limit: len(ids)})
		if err != nil {
			return err
		}
		list := make([]Result, 0, len(tasks))
		for i := range tasks {
			t := &tasks[i]
			if err := s.seal(ctx, t); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				s.log.Warn("output cannot be read for groups", "task", t.ID, "error", err)
			}
			r, ok := t.Result()
			if !ok { // what cannot be read is like nothing else
				sum := sha256.Sum256([]byte("unreadable " + t.ID.String()))
				r.Stdout, r.Stderr = Digest(sum[:16]), Digest(sum[16:])
			}
			list = append(list, r)
		}
		if len(list) == 0 {
			return nil // they were removed
		}
		if err := s.store.PutResults(ctx, list); err != nil {
			return err
		}
	}
}

// describeGroups adds to groups what the sample of each of them printed, and the names of the nodes.
func (s *Service) describeGroups(
	ctx context.Context, account AccountID, id ID, stream Stream, rows []grouping, ref *grouping,
) ([]Group, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	var keys []NodeKey
	samples := make([]TaskID, len(rows))
	for i := range rows {
		g := &rows[i]
		keys = append(keys, g.nodes...)
		samples[i] = TaskID{id, g.first}
	}
	names, err := s.nodeNames(ctx, unique(keys))
	if err != nil {
		return nil, err
	}
	tasks, _, err := s.store.ListTasks(ctx, TaskFilter{Account: account, IDs: samples, Output: true}, Page{Limit: len(samples)})
	if err != nil {
		return nil, err
	}
	byID := make(map[TaskID]*Task, len(tasks))
	for i := range tasks {
		byID[tasks[i].ID] = &tasks[i]
	}
	out := make([]Group, len(rows))
	for i := range rows {
		g := &rows[i]
		group := Group{GroupKey: g.key, Tasks: len(g.nodes), Sample: samples[i], Nodes: make([]string, len(g.nodes)), Reference: ref != nil && g.key == ref.key}
		for j, key := range g.nodes {
			group.Nodes[j] = names[key]
		}
		if t := byID[samples[i]]; t != nil {
			shown, err := s.Show(ctx, t, Window{Stream: stream, Head: groupHead, Text: true})
			if err != nil {
				return nil, err
			}
			group.Head, group.Bytes = shown.Text, t.printed(stream)
		}
		out[i] = group
	}
	return out, nil
}

// nodeNames is what nodes are called; a node of which nothing is known goes by its number.
func (s *Service) nodeNames(ctx context.Context, keys []NodeKey) (map[NodeKey]string, error) {
	names, err := s.store.NodeNames(ctx, keys)
	for _, key := range keys {
		if err == nil && names[key] == "" {
			names[key] = fmt.Sprint(int64(key))
		}
	}
	return names, err
}

// GroupTasks lists the tasks of a group, in the order of the targets.
func (s *Service) GroupTasks(ctx context.Context, c Caller, id ID, key GroupKey, p PageSpec) ([]TaskView, PageInfo, error) {
	if err := s.allowHistory(ctx, &c, "task.list", []ID{id}, nil, nil); err != nil {
		return nil, PageInfo{}, err
	}
	if _, err := s.invocation(ctx, c.Account, id); err != nil {
		return nil, PageInfo{}, err
	}
	rows, info, err := list(s.pages, c.Account, "group "+key.String(), p,
		func(t *TaskID) Cursor { return Cursor{A: int64(t.Invocation), B: int64(t.Index)} },
		func(p Page) (ids []TaskID, n int, err error) {
			err = s.store.ScanResults(ctx, id, func(r *Result) error {
				if len(ids) < p.Limit && r.key(key.Stream) == key && (p.After == nil || int64(r.Task.Index) > p.After.B) {
					ids = append(ids, r.Task)
				}
				return nil
			})
			return ids, 0, err
		})
	if err != nil || len(rows) == 0 {
		return nil, info, err
	}
	tasks, _, err := s.store.ListTasks(ctx, TaskFilter{Account: c.Account, IDs: rows}, Page{Limit: len(rows)})
	if err != nil {
		return nil, info, err
	}
	views, err := s.views(ctx, c.Account, tasks, false)
	return views, info, err
}

// Folded writes the names of the nodes as a node set of about so many bytes at most, and returns how many names are not in it.
func (g *Group) Folded(most int) (text string, more int) {
	text = nodeset.Fold(g.Nodes)
	for shown := g.Nodes; len(text) > most && len(shown) > 1; {
		shown = shown[:len(shown)/2]
		text, more = nodeset.Fold(shown), len(g.Nodes)-len(shown)
	}
	return text, more
}
