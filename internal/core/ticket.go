package core

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// SessionTicket lets whoever has it into a session that somebody else, or an earlier page of the same person, has begun.
type SessionTicket struct {
	Session   Session
	Token     string
	ExpiresAt time.Time
}

// TicketValidity is for how long a ticket can be used.
const TicketValidity = time.Minute

// ticketKind is what a ticket is for.
type ticketKind byte

const (
	ticketWatch ticketKind = 1
	ticketTake  ticketKind = 2
)

// WatchSession makes a ticket to look on at a session that is under way.
func (s *Service) WatchSession(ctx context.Context, c Caller, id ID) (SessionTicket, error) {
	return s.ticketFor(ctx, &c, id, "session.watch", ticketWatch)
}

// TakeSession makes a ticket to take a session over from whoever uses it.
func (s *Service) TakeSession(ctx context.Context, c Caller, id ID) (SessionTicket, error) {
	return s.ticketFor(ctx, &c, id, "session.take", ticketTake)
}

func (s *Service) ticketFor(ctx context.Context, c *Caller, id ID, verb string, kind ticketKind) (SessionTicket, error) {
	row, err := s.sessionOf(ctx, c, verb, id)
	if err != nil {
		return SessionTicket{}, err
	}
	if !row.EndedAt.IsZero() {
		return SessionTicket{}, &Error{Code: CodeConflict, Reason: ReasonSessionNotFound, Detail: "the session is over"}
	}
	ends := s.Now().Add(TicketValidity)
	return SessionTicket{Session: row, Token: s.ticket(id, kind, ends), ExpiresAt: ends}, nil
}

// sessionOf finds a session of the caller's account for something that may not be done by everybody. It is about the session and its nodes.
func (s *Service) sessionOf(ctx context.Context, c *Caller, verb string, id ID) (Session, error) {
	row, err := s.store.Session(ctx, id)
	found := err == nil && row.Account == c.Account
	about := []string(nil)
	for i := range row.Connections {
		if found {
			about = append(about, row.Connections[i].NodeID)
		}
	}
	resources, failed := s.resources(ctx, c, KindNode, about)
	if failed != nil {
		return Session{}, failed
	}
	if len(about) == 0 {
		resources = nil
	}
	// Whoever may not ask does not learn whether there is such a session.
	if err := c.Allow(verb, nil, append(resources, resource("session", id.String(), nil))...); err != nil {
		return Session{}, err
	}
	if !found {
		return Session{}, noSession(id)
	}
	return row, nil
}

// ticket makes a token that replicas recognise without having seen it: what it is for and until when, with a MAC over that and the session.
func (s *Service) ticket(id ID, kind ticketKind, ends time.Time) string {
	b := binary.BigEndian.AppendUint64([]byte{byte(kind)}, uint64(ends.Unix()))
	return base64.RawURLEncoding.EncodeToString(append(b, s.ticketMAC(id, b)...))
}

func (s *Service) ticketMAC(id ID, body []byte) []byte {
	key := hmac.New(sha256.New, s.pages.key)
	key.Write([]byte("tickets of sessions")) // a key of their own, so that no other MAC of the installation can be taken for one
	h := hmac.New(sha256.New, key.Sum(nil))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(id)))
	h.Write(body)
	return h.Sum(nil)
}

// readTicket says what a token is a ticket for; 0 if it is none, or not any more.
func (s *Service) readTicket(id ID, token string) ticketKind {
	const body = 1 + 8
	if len(token) > 128 {
		return 0
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < body || !hmac.Equal(b[body:], s.ticketMAC(id, b[:body])) {
		return 0
	}
	if ends := time.Unix(int64(binary.BigEndian.Uint64(b[1:])), 0); s.Now().After(ends) {
		return 0
	}
	return ticketKind(b[0])
}
