package native

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"errand/internal/api"
	"errand/internal/core"
)

// Recording is what a node printed in a session.
type Recording struct {
	ID        string     `json:"id"` // of the session
	Node      string     `json:"node"`
	User      string     `json:"user,omitempty"` // on the node
	By        string     `json:"by"`             // who started the session
	Command   string     `json:"command,omitempty"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"` // left out while it goes on
	Seconds   float64    `json:"seconds"`            // until the last event
	Bytes     int64      `json:"bytes"`
	Cut       bool       `json:"cut,omitempty"` // the session went on after it had become too long

	// Of a search: the first lines with what was searched for, and how many there are.
	Matches []RecordingMatch `json:"matches,omitempty"`
	Total   int              `json:"total,omitempty"`
}

// RecordingMatch is a line that was found.
type RecordingMatch struct {
	Seconds float64 `json:"seconds"` // when it was printed
	Text    string  `json:"text"`
}

// Recordings is a page of recordings, the latest first. Of a search it may hold fewer than were asked for and yet not be the last.
type Recordings struct {
	Recordings []Recording `json:"recordings"`
	Next       string      `json:"next,omitempty"` // cursor of the next page
}

type listRecordings struct {
	Query string `json:"-" query:"q"` // text that was printed, whatever the case of its letters
	Node  string `json:"-" query:"node"`
	paging
}

func (d *Dialect) listRecordings(ctx context.Context, c core.Caller, req *listRecordings) (*Recordings, error) {
	spec, err := req.spec()
	if err != nil {
		return nil, err
	}
	q := core.RecordQuery{Text: req.Query}
	if req.Node != "" {
		if q.Nodes, err = d.env.Service.NodeKeys(ctx, c, []string{api.NodeID(req.Node)}); err != nil {
			return nil, err
		}
	}
	rows, info, err := d.env.Service.Recordings(ctx, c, q, spec)
	page := Recordings{Recordings: make([]Recording, len(rows)), Next: req.next(info)}
	for i := range rows {
		page.Recordings[i] = showRecording(&rows[i])
	}
	return &page, err
}

func showRecording(f *core.FoundRecord) Recording {
	r := Recording{
		ID: f.Session.String(), Node: f.NodeID, User: f.User, By: f.By, Command: f.Command, StartedAt: f.StartedAt, EndedAt: moment(f.EndedAt),
		Seconds: f.Length.Seconds(), Bytes: f.Bytes, Cut: f.Cut, Total: f.Total,
	}
	for _, m := range f.Matches {
		r.Matches = append(r.Matches, RecordingMatch{m.At.Seconds(), m.Text})
	}
	return r
}

type getRecording struct {
	ID   string `json:"-" path:"id"`
	Node string `json:"-" query:"node"` // of a session with several; left out, the first
}

// recordingFile is a recording as asciicast v2.
type recordingFile struct {
	file *core.Playback
	name string
}

func (d *Dialect) getRecording(ctx context.Context, c core.Caller, req *getRecording) (*recordingFile, error) {
	id, err := (&sessionPath{ID: req.ID}).id()
	if err != nil {
		return nil, err
	}
	p, err := d.env.Service.OpenRecording(ctx, c, id, api.NodeID(req.Node))
	if err != nil {
		return nil, err
	}
	return &recordingFile{p, id.String() + ".cast"}, nil
}

// write streams the recording. Its length is announced, so that a download that breaks off is known as such.
func (f *recordingFile) write(w http.ResponseWriter, r *api.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/x-asciicast")
	h.Set("Content-Disposition", "attachment; filename="+strconv.Quote(f.name))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'") // what nodes print is hostile
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.FormatInt(f.file.Size(), 10))
	_ = f.file.Write(r.Context(), slowly(w)) // whoever gets less than was announced knows that it is not all
}
