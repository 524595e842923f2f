package core_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
	"errand/internal/store/sqlite"
)

func TestAuditRetention(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	for range 3 {
		s.Service.Audit(ctx, core.AuditRecord{Account: scene.Account, At: s.Now(), Action: "RunCommand"})
		s.Advance(day)
	}
	kept := func() int {
		t.Helper()
		rows, _, err := s.Service.AuditRecords(ctx, s.Caller, core.AuditFilter{}, core.PageSpec{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return len(rows)
	}
	if n := kept(); n != 3 {
		t.Fatalf("%d records", n)
	}
	retain(t, s, core.Retention{}, 0)
	retain(t, s, core.Retention{Age: 2*day + time.Hour}, 0)
	if n := kept(); n != 2 {
		t.Errorf("%d records are left", n)
	}
}

func TestAuditPages(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	for i := range 5 {
		s.Service.Audit(ctx, core.AuditRecord{Account: scene.Account, At: s.Now(), RequestID: fmt.Sprint(i)})
		s.Service.Audit(ctx, core.AuditRecord{Account: 42, At: s.Now(), RequestID: "theirs"})
	}
	var got []string
	page := core.PageSpec{Limit: 2}
	for {
		rows, info, err := s.Service.AuditRecords(ctx, s.Caller, core.AuditFilter{}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			got = append(got, r.RequestID)
		}
		if page.Token = info.Next; page.Token == "" {
			break
		}
	}
	if want := []string{"4", "3", "2", "1", "0"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// forgetful is a store that cannot write audit records for a while.
type forgetful struct {
	core.Store
	broken bool
}

func (f *forgetful) InsertAudit(ctx context.Context, records []core.AuditRecord) error {
	if f.broken {
		return errors.New("disk full")
	}
	return f.Store.InsertAudit(ctx, records)
}

// TestAuditSurvivesTheStore keeps records while the store refuses them, and puts them into the log when there is no more time.
func TestAuditSurvivesTheStore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "errand.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	var log strings.Builder
	f := &forgetful{Store: store, broken: true}
	sealer, err := core.NewSealer(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	svc := core.NewService(core.Config{
		Store: f, Sealer: sealer, IDs: core.NewIDs(1), Now: time.Now, Log: slog.New(slog.NewTextHandler(&log, nil)), Feed: &core.Feed{},
		PageKey: make([]byte, 32),
	})
	svc.Audit(ctx, core.AuditRecord{Account: 1, RequestID: "first"})
	if err := svc.FlushAudit(ctx); err == nil {
		t.Error("a broken store takes records")
	}
	svc.Audit(ctx, core.AuditRecord{Account: 1, RequestID: "second"})
	f.broken = false
	if err := svc.FlushAudit(ctx); err != nil {
		t.Error(err)
	}
	rows, _, err := svc.AuditRecords(ctx, core.Caller{Account: 1, Root: true}, core.AuditFilter{}, core.PageSpec{Limit: 10})
	if err != nil || len(rows) != 2 || rows[1].RequestID != "first" {
		t.Errorf("%+v, %v", rows, err)
	}
	f.broken = true
	svc.Audit(ctx, core.AuditRecord{Account: 1, RequestID: "third"})
	if err := svc.CloseAudit(ctx); err == nil || !strings.Contains(log.String(), "third") {
		t.Errorf("%v, log %q", err, log.String())
	}
}
