package core

import (
	"bytes"
	"context"
	"regexp"
	"unicode/utf8"
)

const (
	// MaxMatches is how many matches one call returns at most.
	MaxMatches = 1000
	maxQuery   = 1000 // bytes
	// maxSearched is how much of each line is searched, in bytes.
	maxSearched = 1 << 20
	// beforeMatch is how much of a long line is shown before a match that lies far into it, in bytes.
	beforeMatch = 1 << 10
	// maxSearches is how many searches run at the same time; others wait. Each keeps a core busy.
	maxSearches = 4
)

// SearchSpec is what a caller looks for in the output of a task.
type SearchSpec struct {
	Stream Stream
	Query  string
	Regex  bool   // Query is a regular expression in the syntax of RE2
	Fold   bool   // letters match whatever their case
	From   uint64 // number of the first line to return; 0 is 1
	Limit  int    // lines to return, at most MaxMatches
}

// Found is what a search found.
type Found struct {
	Matches  []Line
	Total    uint64 // lines that match, of the whole output
	Lines    uint64 // lines searched
	Complete bool   // no more will come
}

// SearchOutput returns the lines of a task's output that match. The first MiB of each line is searched. The output is read piece by piece, so that
// a search costs time but little memory; it ends when ctx does.
func (s *Service) SearchOutput(ctx context.Context, c Caller, id TaskID, spec SearchSpec) (Found, error) {
	if err := s.allowHistory(ctx, &c, "task.list", []ID{id.Invocation}, nil, nil); err != nil {
		return Found{}, err
	}
	if spec.Limit < 1 || spec.Limit > MaxMatches {
		return Found{}, invalid(ReasonPageSize, "limit", "1 to %d", MaxMatches)
	}
	find, err := spec.matcher()
	if err != nil {
		return Found{}, err
	}
	v, err := s.outputOf(ctx, c, id)
	if err != nil {
		return Found{}, err
	}
	select {
	case s.searches <- struct{}{}:
		defer func() { <-s.searches }()
	case <-ctx.Done():
		return Found{}, ctx.Err()
	}
	out := Found{Complete: v.State.Ended() && !v.State.Presumed()}
	size := 0
	err = s.eachLine(ctx, &v.Task, spec.Stream, 1, maxSearched, func(l *Line) bool {
		out.Lines = l.N
		if l.Gone > 0 {
			return true
		}
		at := find(l.Text)
		if at < 0 {
			return true
		}
		out.Total++
		if l.N >= spec.From && len(out.Matches) < spec.Limit && size < maxLinesSize {
			out.Matches = append(out.Matches, l.around(at))
			size += len(out.Matches[len(out.Matches)-1].Text)
		}
		return true
	})
	return out, err
}

// around is the line cut to what is shown of one, so that a match at a place is there.
func (l *Line) around(at int) Line {
	out := *l
	begin := 0
	if len(l.Text) > maxLine && at > maxLine-beforeMatch {
		begin = at - beforeMatch
		begin += partialStart(l.Text[begin:])
	}
	end := min(begin+maxLine, len(l.Text))
	end -= partialEnd(l.Text[begin:end])
	out.Text = bytes.Clone(l.Text[begin:end])
	out.Skip, out.Cut = uint64(begin), l.Cut+uint64(len(l.Text)-end)
	return out
}

// matcher returns a function that says where a line matches first, -1 if nowhere.
func (spec *SearchSpec) matcher() (func([]byte) int, error) {
	bad := func(format string, args ...any) error { return invalid(ReasonFilter, "q", format, args...) }
	switch {
	case spec.Query == "":
		return nil, bad("nothing to look for")
	case len(spec.Query) > maxQuery:
		return nil, bad("at most %d bytes", maxQuery)
	case !utf8.ValidString(spec.Query):
		return nil, bad("not UTF-8")
	}
	if !spec.Regex && !spec.Fold {
		query := []byte(spec.Query)
		return func(b []byte) int { return bytes.Index(b, query) }, nil
	}
	text := spec.Query
	if !spec.Regex {
		text = regexp.QuoteMeta(text)
	}
	if spec.Fold {
		text = "(?i:" + text + ")"
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, bad("%v", err)
	}
	return func(b []byte) int {
		if at := re.FindIndex(b); at != nil {
			return at[0]
		}
		return -1
	}, nil
}
