package server

import (
	"context"
	"errors"
	"time"
)

const (
	auditEvery = 250 * time.Millisecond // how long an audit record may be in memory alone
	usedEvery  = 30 * time.Second       // how long the last use of a key may be
)

// record writes down who did what and which keys were used, many calls at a time. It ends when ctx does; the rest is for recordRest.
func (s *Server) record(ctx context.Context) {
	audit, used := time.NewTicker(auditEvery), time.NewTicker(usedEvery)
	defer audit.Stop()
	defer used.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-audit.C:
			if err := s.Service.FlushAudit(ctx); err != nil && ctx.Err() == nil {
				s.config.Log.Error("AUDIT RECORDS ARE NOT WRITTEN; they wait in memory", "error", err)
			}
		case <-used.C:
			if err := s.Service.FlushUsed(ctx); err != nil && ctx.Err() == nil {
				s.config.Log.Error("write last use of keys", "error", err)
			}
		}
	}
}

// recordRest writes what is left when no more calls come.
func (s *Server) recordRest() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(s.Service.CloseAudit(ctx), s.Service.FlushUsed(ctx))
}
