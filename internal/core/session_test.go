package core_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/cast"
	"errand/internal/core"
)

// TestRetainSessions lets sessions that have ended go with the results of their time, and no others.
func TestRetainSessions(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	node := s.Node("n")
	s.Online(node)
	start := func() core.Session {
		t.Helper()
		row, _, err := s.Service.StartSession(t.Context(), s.Caller, core.SessionSpec{Nodes: []string{"n"}})
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
	over, open := start(), start()
	if err := s.Service.EndSession(t.Context(), s.Caller, over.ID); err != nil {
		t.Fatal(err)
	}
	s.Advance(30 * 24 * time.Hour)
	s.Online(node)
	young := start()
	if err := s.Service.EndSession(t.Context(), s.Caller, young.ID); err != nil {
		t.Fatal(err)
	}
	s.Advance(time.Second)
	for _, tt := range []struct {
		keep core.Retention
		want []core.ID
	}{
		{core.Retention{}, []core.ID{young.ID, open.ID, over.ID}},
		{core.Retention{Age: 30 * 24 * time.Hour}, []core.ID{young.ID, open.ID}},
	} {
		if _, err := s.Service.Retain(t.Context(), tt.keep); err != nil {
			t.Fatal(err)
		}
		rows, info, err := s.Service.Sessions(t.Context(), s.Caller, core.SessionFilter{}, core.PageSpec{Limit: 10, Count: true})
		if err != nil || info.Total != len(tt.want) {
			t.Fatalf("%d sessions after %+v, %v", info.Total, tt.keep, err)
		}
		for i := range rows {
			if rows[i].ID != tt.want[i] {
				t.Errorf("after %+v: session %d is %s", tt.keep, i, rows[i].ID)
			}
		}
	}
}

// TestSessionEvents tells whoever relays a session once that it is over.
func TestSessionEvents(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	one, two := s.Node("one"), s.Node("two")
	s.Online(one, two)
	ended := map[core.ID]int{}
	s.Feed.Listen(func(e core.Event) {
		if e.EndedSession != 0 {
			ended[e.EndedSession]++
		}
	})
	row, token, err := s.Service.StartSession(t.Context(), s.Caller, core.SessionSpec{Nodes: []string{"one", "two"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, node := range []core.Node{one, two} {
		for _, status := range []core.ConnectionStatus{core.ConnectionConnected, core.ConnectionTerminated, core.ConnectionFailed} {
			err := s.Service.ReportConnection(t.Context(), core.ConnectionReport{
				Session: row.ID, Node: node.Key, Status: status, Closed: core.ClosedByAgent, Detail: "late",
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if ended[row.ID] != i {
			t.Errorf("after node %d: told %d times", i, ended[row.ID])
		}
	}
	if err := s.Service.EndSession(t.Context(), s.Caller, row.ID); err != nil || ended[row.ID] != 1 {
		t.Errorf("ended again: told %d times, %v", ended[row.ID], err)
	}
	if _, err := s.Service.JoinSession(t.Context(), row.ID, token, true); !core.ReasonSessionNotFound.Is(err) {
		t.Errorf("joined: %v", err)
	}
	if err := s.Service.ReportConnection(t.Context(), core.ConnectionReport{Session: s.Service.NewID()}); !core.ReasonSessionNotFound.Is(err) {
		t.Errorf("report for nothing: %v", err)
	}
}

// TestRecordingsGo lets recordings go with their sessions, blobs included.
func TestRecordingsGo(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Online(s.Node("n"))
	row, _, err := s.Service.StartSession(t.Context(), s.Caller, core.SessionSpec{Nodes: []string{"n"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Service.BeginRecord(t.Context(), &row, 0); err != nil {
		t.Fatal(err)
	}
	event := cast.Append(nil, cast.Event{Kind: cast.Output, Data: strings.Repeat("a needle in the hay\r\n", 1000)})
	for i := range 40 { // enough for segments and a rest
		if err := s.Service.AddToRecord(t.Context(), row.ID, 0, core.RecordPart{Data: event, Length: time.Second, Output: uint64(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	found, _, err := s.Service.Recordings(t.Context(), s.Caller, core.RecordQuery{Text: "Needle"}, core.PageSpec{Limit: 10})
	if err != nil || len(found) != 1 || found[0].Total != 40_000 || len(found[0].Segments) < 2 || found[0].Unsealed == 0 {
		t.Fatalf("found %+v, %v", found, err)
	}
	p, err := s.Service.OpenRecording(t.Context(), s.Caller, row.ID, "n")
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := p.Write(t.Context(), &file); err != nil || int64(file.Len()) != p.Size() || bytes.Count(file.Bytes(), event) != 40 {
		t.Errorf("%d bytes of %d, %v", file.Len(), p.Size(), err)
	}
	if err := s.Service.EndSession(t.Context(), s.Caller, row.ID); err != nil {
		t.Fatal(err)
	}
	s.Advance(time.Hour)
	if _, err := s.Service.Retain(t.Context(), core.Retention{Age: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if err := p.Write(t.Context(), &file); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("blobs of a session that is gone: %v", err)
	}
	if _, err := s.Service.OpenRecording(t.Context(), s.Caller, row.ID, ""); !errors.Is(err, core.ErrNotFound) && !core.ReasonSessionNotFound.Is(err) {
		t.Errorf("of a session that is gone: %v", err)
	}
}
