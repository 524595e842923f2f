package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"errand/internal/cast"
)

// BeginRecord begins the recording of one node of a session, or goes on with it.
func (s *Service) BeginRecord(ctx context.Context, session *Session, position int) (Record, error) {
	c := &session.Connections[position]
	r := Record{
		Session: session.ID, Position: position, Account: session.Account, Node: c.Node, NodeID: c.NodeID, User: session.User, By: session.Principal,
		Command: session.Command, Rows: session.Rows, Columns: session.Columns, StartedAt: s.Now(),
	}
	if r.Rows == 0 || r.Columns == 0 {
		r.Rows, r.Columns = 24, 80
	}
	return s.store.InsertRecord(ctx, &r)
}

// AddToRecord adds to a recording. It is durable when this returns.
func (s *Service) AddToRecord(ctx context.Context, session ID, position int, p RecordPart) error {
	if len(p.Data) > MaxRecordPart {
		return fmt.Errorf("%d bytes at once are too many for a recording", len(p.Data))
	}
	r, err := s.store.AddToRecord(ctx, session, position, &p)
	if err != nil {
		return err
	}
	if r.Unsealed < sealAt && (r.EndedAt.IsZero() || r.Unsealed == 0) {
		return nil
	}
	return s.sealRecord(ctx, session, position)
}

// sealRecord moves the parts of a recording to the blob store. What interrupts it is made good by the next part.
func (s *Service) sealRecord(ctx context.Context, session ID, position int) error {
	r, parts, err := s.store.Record(ctx, session, position)
	if err != nil {
		return err
	}
	events := bytes.Join(parts, nil)
	lines, err := cast.Text(events)
	if err != nil {
		return fmt.Errorf("recording of %s: %w", session, err)
	}
	seg := RecordSegment{Events: int64(len(events))}
	n := len(r.Segments)
	if text := packLines(lines); len(text) > 0 {
		seg.Text = int64(len(text))
		if err := s.blobs.Put(ctx, r.textKey(n), text); err != nil {
			return err
		}
	}
	if err := s.blobs.Put(ctx, r.eventsKey(n), events); err != nil {
		return err
	}
	return s.store.SealRecord(ctx, session, position, seg)
}

// packLines is how the text of a segment is kept: microseconds, a tab and the line.
func packLines(lines []cast.Line) []byte {
	var b []byte
	for _, l := range lines {
		b = append(strconv.AppendInt(b, l.At.Microseconds(), 10), '\t')
		b = append(append(b, l.Text...), '\n')
	}
	return b
}

// Playback is a recording that can be read.
type Playback struct {
	Record
	s     *Service
	parts [][]byte
}

// OpenRecording finds the recording of a session, of the named node if it has several.
func (s *Service) OpenRecording(ctx context.Context, c Caller, session ID, node string) (*Playback, error) {
	row, err := s.sessionOf(ctx, &c, "session.play", session)
	if err != nil {
		return nil, err
	}
	position := 0
	for i := range row.Connections {
		if row.Connections[i].NodeID == node {
			position = i
		}
	}
	if node != "" && row.Connections[position].NodeID != node {
		return nil, notFound(ReasonTargetNotFound, "the session has no node %s", node)
	}
	r, parts, err := s.store.Record(ctx, session, position)
	if errors.Is(err, ErrNotFound) {
		return nil, notFound(ReasonSessionNotFound, "session %s was not recorded", session)
	}
	return &Playback{r, s, parts}, err
}

// head is the first line.
func (r *Playback) head() []byte {
	title := r.By + " on " + r.NodeID
	if r.User != "" {
		title = r.By + " as " + r.User + " on " + r.NodeID
	}
	head := cast.Header{
		Width: r.Columns, Height: r.Rows, Timestamp: r.StartedAt.Unix(), Duration: r.Length.Seconds(), Command: r.Command, Title: title,
		Env: map[string]string{"TERM": "xterm-256color"},
	}
	return head.Line()
}

// Size is how many bytes Write writes.
func (r *Playback) Size() int64 {
	n := int64(len(r.head()))
	for _, seg := range r.Segments {
		n += seg.Events
	}
	for _, part := range r.parts {
		n += int64(len(part))
	}
	return n
}

// Write writes the recording as asciicast v2. What was added to it since it was opened is not in it.
func (r *Playback) Write(ctx context.Context, w io.Writer) error {
	if _, err := w.Write(r.head()); err != nil {
		return err
	}
	for n := range r.Segments {
		events, err := r.s.blobs.Get(ctx, r.eventsKey(n))
		if err != nil {
			return err
		}
		if _, err := w.Write(events); err != nil {
			return err
		}
	}
	for _, part := range r.parts {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// RecordMatch is a line of a recording with what was searched for.
type RecordMatch struct {
	At   time.Duration
	Text string // cut to what is around the find
}

// FoundRecord is a recording with what was found in it.
type FoundRecord struct {
	Record
	Matches []RecordMatch // the first ones
	Total   int
}

// RecordQuery is what Recordings looks for.
type RecordQuery struct {
	Text string // in what was printed, whatever the case of its letters; empty finds all recordings
	RecordFilter
}

// Bounds of searches in recordings.
const (
	maxRecordQuery   = 256     // bytes
	maxRecordMatches = 20      // shown, of one recording
	maxMatchContext  = 100     // bytes of a line shown on either side of a find
	searchedText     = 8 << 20 // bytes of text that are looked through for one page
)

// Recordings lists recordings, newest first. A search looks through a certain amount of text and returns what it found, which may be less than a page,
// with the place to go on.
func (s *Service) Recordings(ctx context.Context, c Caller, q RecordQuery, p PageSpec) ([]FoundRecord, PageInfo, error) {
	if err := c.Allow("session.play", nil, resource("session", "", nil)); err != nil {
		return nil, PageInfo{}, err
	}
	if len(q.Text) > maxRecordQuery || !utf8.ValidString(q.Text) {
		return nil, PageInfo{}, invalid(ReasonFilter, "q", "not a text of at most %d bytes", maxRecordQuery)
	}
	q.Account = c.Account
	rows, info, err := list(s.pages, c.Account, "recordings", p, func(v *Record) Cursor { return Cursor{A: int64(v.Session), B: int64(v.Position)} },
		func(p Page) ([]Record, int, error) { return s.store.ListRecords(ctx, q.RecordFilter, p) })
	if err != nil {
		return nil, PageInfo{}, err
	}
	found := make([]FoundRecord, 0, len(rows))
	needle, budget := strings.ToLower(q.Text), int64(searchedText)
	for i := range rows {
		f := FoundRecord{Record: rows[i]}
		if needle != "" {
			if budget <= 0 {
				info.Next = s.pages.token(c.Account, "recordings", Cursor{A: int64(rows[i-1].Session), B: int64(rows[i-1].Position)})
				break
			}
			n, err := s.search(ctx, &f, needle)
			if err != nil {
				return nil, PageInfo{}, err
			}
			if budget -= n; f.Total == 0 {
				continue
			}
		}
		found = append(found, f)
	}
	return found, info, nil
}

// search looks through the text of a recording and returns how much there was of it.
func (s *Service) search(ctx context.Context, f *FoundRecord, needle string) (n int64, err error) {
	for i, seg := range f.Segments {
		if seg.Text == 0 {
			continue
		}
		text, err := s.blobs.Get(ctx, f.textKey(i))
		if errors.Is(err, ErrNotFound) {
			return n, nil // it is just being removed
		}
		if err != nil {
			return n, err
		}
		n += int64(len(text))
		for line := range bytes.Lines(text) {
			micros, rest, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte("\t"))
			at, err := strconv.ParseInt(string(micros), 10, 64)
			if err != nil {
				return n, fmt.Errorf("text of the recording of %s: %w", f.Session, err)
			}
			f.look(time.Duration(at)*time.Microsecond, string(rest), needle)
		}
	}
	if f.Unsealed == 0 {
		return n, nil
	}
	_, parts, err := s.store.Record(ctx, f.Session, f.Position)
	if errors.Is(err, ErrNotFound) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	lines, err := cast.Text(bytes.Join(parts, nil))
	for _, l := range lines {
		f.look(l.At, l.Text, needle)
	}
	return n + f.Unsealed, err
}

// look notes a line if it has the needle.
func (f *FoundRecord) look(at time.Duration, line, needle string) {
	lower := strings.ToLower(line)
	i := strings.Index(lower, needle)
	if i < 0 {
		return
	}
	if f.Total++; len(f.Matches) >= maxRecordMatches {
		return
	}
	if len(lower) != len(line) { // letters whose other case is longer or shorter
		line = lower
	}
	from, to := max(0, i-maxMatchContext), min(len(line), i+len(needle)+maxMatchContext)
	f.Matches = append(f.Matches, RecordMatch{at, strings.ToValidUTF8(line[from:to], "")})
}

// removeRecordings removes what sessions that are gone have in the blob store.
func (s *Service) removeRecordings(ctx context.Context) error {
	ids, err := s.store.RemovedRecords(ctx)
	if err != nil {
		return err
	}
	var errs []error
	done := make([]ID, 0, len(ids))
	for _, id := range ids {
		if err := s.blobs.DeleteAll(ctx, recordPrefix(id)); err != nil {
			errs = append(errs, fmt.Errorf("remove recording of %s: %w", id, err))
			continue
		}
		done = append(done, id)
	}
	if len(done) > 0 {
		errs = append(errs, s.store.ForgetRecords(ctx, done))
	}
	return errors.Join(errs...)
}
