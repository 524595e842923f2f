package core

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// RegistrationSpec is an order for a registration code.
type RegistrationSpec struct {
	Region        string
	NamePrefix    string
	Description   string
	Limit         int
	Validity      time.Duration // zero means no end
	Networks      []netip.Prefix
	ResourceGroup string
	Tags          []Tag
	MaxCodes      int // how many codes the account may have; zero means any number
}

// CreateRegistration makes a registration code and returns it with its secret, which is shown only this once.
func (s *Service) CreateRegistration(ctx context.Context, c Caller, spec RegistrationSpec) (RegistrationCode, string, error) {
	if err := c.Allow("registration.create", spec.Tags, resource("registration", "", nil)); err != nil {
		return RegistrationCode{}, "", err
	}
	if err := s.room(ctx, c.Account, QuotaRegistrations); err != nil {
		return RegistrationCode{}, "", err
	}
	if err := CheckTags(spec.Tags, 20); err != nil {
		return RegistrationCode{}, "", err
	}
	if spec.MaxCodes > 0 {
		_, total, err := s.store.ListRegistrations(ctx, RegistrationFilter{Account: c.Account}, Page{Limit: 1, Count: true})
		if err != nil {
			return RegistrationCode{}, "", err
		}
		if total >= spec.MaxCodes {
			return RegistrationCode{}, "", limited(ReasonQuotaRegistrations, "codes", "more than %d", spec.MaxCodes)
		}
	}
	secret := NewSecret()
	for {
		now := s.Now()
		r := RegistrationCode{
			ID: s.ids.Next(now), Account: c.Account, Region: spec.Region, SecretHash: HashToken(secret), NamePrefix: spec.NamePrefix,
			Description: spec.Description, Limit: spec.Limit, Networks: spec.Networks, CreatedAt: now, UpdatedAt: now,
			ResourceGroup: spec.ResourceGroup, Tags: spec.Tags,
		}
		if spec.Validity > 0 {
			r.ExpiresAt = now.Add(spec.Validity)
		}
		err := s.store.InsertRegistration(ctx, r)
		if errors.Is(err, ErrTaken) {
			continue
		}
		c.Trail.note("registration/" + r.ID.UUID())
		return r, secret, err
	}
}

// Registrations lists registration codes, newest first.
func (s *Service) Registrations(ctx context.Context, c Caller, f RegistrationFilter, p PageSpec) ([]RegistrationCode, PageInfo, error) {
	if err := s.allowObjects(ctx, &c, "registration.list", nil, KindRegistration, texts(f.IDs...)); err != nil {
		return nil, PageInfo{}, err
	}
	f.Account = c.Account
	return list(s.pages, c.Account, "registrations", p,
		func(r *RegistrationCode) Cursor { return Cursor{A: int64(r.ID)} },
		func(p Page) ([]RegistrationCode, int, error) { return s.store.ListRegistrations(ctx, f, p) })
}

// Usable reports whether machines may still join with the code.
func (r *RegistrationCode) Usable(now time.Time) bool {
	return !r.Disabled && (r.ExpiresAt.IsZero() || now.Before(r.ExpiresAt)) && r.Registered < r.Limit
}

// Enrolment is a machine's wish to join. The caller has checked that the machine holds the private key of PublicKey.
type Enrolment struct {
	Code      ID
	Secret    string
	PublicKey string
	NodeID    string // wished for; empty leaves it to us
	Name      string // wished for; empty uses the code's prefix or the host name
	MachineID string
	Tags      []Tag
	Source    netip.Addr
	Facts
}

// MaxNodeID is the length of the longest id or name of a node, in bytes.
const MaxNodeID = 128

// ValidNodeID reports whether an operator may give a node this id.
func ValidNodeID(id string) bool {
	for i, r := range id {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		case i > 0 && strings.ContainsRune("._:-", r):
		default:
			return false
		}
	}
	return id != "" && len(id) <= MaxNodeID
}

// Register lets a machine join. A machine that asks again with the same key gets the node it has, and the code is not used up.
func (s *Service) Register(ctx context.Context, e Enrolment) (Node, error) {
	code, err := s.store.Registration(ctx, e.Code)
	switch {
	case errors.Is(err, ErrNotFound):
		return Node{}, unregistered("unknown registration code")
	case err != nil:
		return Node{}, err
	case subtle.ConstantTimeCompare([]byte(HashToken(e.Secret)), []byte(code.SecretHash)) != 1:
		return Node{}, unregistered("wrong registration code")
	case e.NodeID != "" && !ValidNodeID(e.NodeID):
		return Node{}, invalid(ReasonTargetMalformed, "node-id", "letters, digits, . _ : - only, at most 128")
	case len(e.Name) > MaxNodeID || !printable(e.Name):
		return Node{}, invalid(ReasonNameInvalid, "name", "at most 128 printable characters")
	}
	if err := CheckTags(e.Tags, 20); err != nil {
		return Node{}, err
	}
	return s.join(ctx, &code, e)
}

// join makes a machine a node under a registration code, unless its key is one's already.
func (s *Service) join(ctx context.Context, code *RegistrationCode, e Enrolment) (Node, error) {
	now := s.Now()
	known, err := s.store.NodeByPublicKey(ctx, e.PublicKey)
	if err == nil && known.Account == code.Account {
		return known, nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Node{}, err
	}
	if err := s.room(ctx, code.Account, QuotaNodes); err != nil {
		return Node{}, err
	}
	node, err := s.store.UseRegistration(ctx, code.ID, func(r *RegistrationCode) (Node, error) {
		if !r.Usable(now) {
			return Node{}, unregistered("registration code is disabled, expired or used up")
		}
		if !allowed(r.Networks, e.Source) {
			return Node{}, unregistered("registration code does not admit " + e.Source.String())
		}
		r.Registered++
		r.UpdatedAt = now
		return s.newNode(r, e, now), nil
	})
	if errors.Is(err, ErrTaken) {
		return Node{}, &Error{Code: CodeConflict, Reason: ReasonNodeTaken, Field: e.NodeID, Detail: "another machine has this id or key", Err: err}
	}
	return node, err
}

func unregistered(why string) error {
	return &Error{Code: CodeUnauthenticated, Reason: ReasonRegistrationRefused, Detail: why}
}

func allowed(networks []netip.Prefix, source netip.Addr) bool {
	for _, p := range networks {
		if p.Contains(source.Unmap()) {
			return true
		}
	}
	return len(networks) == 0
}

func (s *Service) newNode(r *RegistrationCode, e Enrolment, now time.Time) Node {
	n := Node{
		Account: r.Account, ID: e.NodeID, Name: e.Name, Region: r.Region, PublicKey: e.PublicKey, Registration: r.ID,
		RegisteredAt: now, UpdatedAt: now, MachineID: e.MachineID, Tags: e.Tags, ResourceGroup: r.ResourceGroup,
	}
	if e.Source.IsValid() {
		n.PublicIP = e.Source.Unmap().String()
	}
	e.Facts.apply(&n)
	if n.ID == "" {
		n.ID = s.ids.Next(now).String()
	}
	switch {
	case n.Name != "":
	case r.NamePrefix != "":
		n.Name = fmt.Sprintf("%s-%0*d", r.NamePrefix, len(strconv.Itoa(r.Limit)), r.Registered)
	default:
		n.Name = e.Hostname
	}
	return n
}
