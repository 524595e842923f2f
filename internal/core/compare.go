package core

import (
	"context"
	"strings"

	"errand/internal/linediff"
)

// What a comparison takes of each output, and what it returns at most.
const (
	maxCompared     = 20_000 // lines
	maxComparedSize = 4 << 20
	maxComparedLine = 4 << 10
	maxDiff         = 2000 // lines
	aroundDiff      = 3    // lines
)

// noNewline follows a last line that does not end, as in a unified diff: outputs that differ in nothing else are not the same.
const noNewline = `\ no newline at the end`

// Comparison is how the output of one group differs from that of another.
type Comparison struct {
	Against       GroupKey
	Sample, Other TaskID // the tasks whose outputs were compared: of Against, and of the group
	Hunks         []StreamHunk
	Truncated     bool // the outputs are longer than what was compared, or differ in more than what is shown
}

// StreamHunk is a hunk in one of the streams. Its old lines are those of Against.
type StreamHunk struct {
	Stream Stream
	linediff.Hunk
}

// Compare says how the output of a group differs from that of another group of the same invocation, the reference if against is nil. Streams are
// compared one by one: what they interleave to depends on chance.
func (s *Service) Compare(ctx context.Context, c Caller, id ID, key GroupKey, against *GroupKey) (Comparison, error) {
	if err := s.allowHistory(ctx, &c, "task.list", []ID{id}, nil, nil); err != nil {
		return Comparison{}, err
	}
	v, err := s.invocation(ctx, c.Account, id)
	if err != nil {
		return Comparison{}, err
	}
	groups, _, err := s.grouped(ctx, &v, key.Stream)
	if err != nil {
		return Comparison{}, err
	}
	find := func(k GroupKey) *grouping {
		for _, g := range groups {
			if g.key == k {
				return g
			}
		}
		return nil
	}
	mine, other := find(key), reference(groups)
	if against != nil {
		if against.Stream != key.Stream {
			return Comparison{}, invalid(ReasonFilter, "against", "a group of another stream")
		}
		if other = find(*against); other == nil {
			return Comparison{}, notFound(ReasonInvocationNotFound, "no group %s", against)
		}
	}
	switch {
	case mine == nil:
		return Comparison{}, notFound(ReasonInvocationNotFound, "no group %s", key)
	case other == nil:
		return Comparison{}, &Error{
			Code: CodeConflict, Reason: ReasonFilter, Field: "against", Detail: "no task has succeeded so far: name a group to compare with",
		}
	}
	out := Comparison{Against: other.key, Sample: TaskID{id, other.first}, Other: TaskID{id, mine.first}}
	streams := []Stream{Stdout, Stderr}
	if key.Stream != Merged {
		streams = []Stream{key.Stream}
	}
	for _, stream := range streams {
		if err := s.compare(ctx, c.Account, &out, stream); err != nil {
			return Comparison{}, err
		}
	}
	return out, nil
}

// compare adds the hunks of one stream.
func (s *Service) compare(ctx context.Context, account AccountID, out *Comparison, stream Stream) error {
	var texts [2][]string
	for i, id := range [...]TaskID{out.Sample, out.Other} {
		tasks, _, err := s.store.ListTasks(ctx, TaskFilter{Account: account, IDs: []TaskID{id}, Output: true}, Page{Limit: 1})
		if err != nil {
			return err
		}
		if len(tasks) == 0 {
			return notFound(ReasonInvocationNotFound, "no task %s", id)
		}
		var cut bool
		if texts[i], cut, err = s.texts(ctx, &tasks[0], stream); err != nil {
			return err
		}
		out.Truncated = out.Truncated || cut
	}
	shown := 0
	for _, h := range out.Hunks {
		shown += len(h.Lines)
	}
	hunks, cut := linediff.Lines(texts[0], texts[1], aroundDiff, maxDiff-shown)
	out.Truncated = out.Truncated || cut
	for _, h := range hunks {
		out.Hunks = append(out.Hunks, StreamHunk{stream, h})
	}
	return nil
}

// texts are the lines of a stream, as many as are compared.
func (s *Service) texts(ctx context.Context, t *Task, stream Stream) (lines []string, cut bool, err error) {
	if err := s.seal(ctx, t); err != nil {
		return nil, false, err
	}
	size := 0
	err = s.eachLine(ctx, t, stream, 1, maxComparedLine, func(l *Line) bool {
		if len(lines) == maxCompared || size > maxComparedSize {
			cut = true
			return false
		}
		text := strings.ToValidUTF8(string(l.Text), "\uFFFD")
		if l.Gone > 0 {
			text, cut = "...", true
		}
		cut = cut || l.Cut > 0
		lines, size = append(lines, text), size+len(text)
		if l.Open && t.State.Ended() {
			lines = append(lines, noNewline)
		}
		return true
	})
	return lines, cut, err
}
