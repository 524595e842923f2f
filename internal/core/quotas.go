package core

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// The quotas of an account. None holds until the operator sets it, for one account or for all that have none of their own.
const (
	QuotaCommands      = "commands"            // stored commands
	QuotaRegistrations = "registrations"       // registration codes
	QuotaNodes         = "nodes"               // machines
	QuotaInvocations   = "invocations-per-day" // since midnight UTC
	QuotaUsers         = "users"               // users and roles
	QuotaKeys          = "keys"                // access keys, temporary ones and logins excepted
	QuotaPolicies      = "policies"            // policies of the account's own
	QuotaConcurrent    = "concurrent-calls"    // calls that one server works on at the same time
	QuotaRate          = "calls-per-minute"    // of all actions to one server; with "/" and an action, such as "/ecs:RunCommand", of that one
)

func counted() []string {
	return []string{QuotaCommands, QuotaRegistrations, QuotaNodes, QuotaInvocations, QuotaUsers, QuotaKeys, QuotaPolicies}
}

// QuotaUse is a quota and how much of it is used.
type QuotaUse struct {
	Name  string
	Limit int64 // -1 if there is none
	Used  int64 // -1 if it is not a number of things that are there
	Own   bool  // set for this account, not for all
}

// quotasStale is how long one process may go on with quotas that another one has changed.
const quotasStale = 10 * time.Second

type cachedQuotas struct {
	read time.Time
	most map[string]int64
}

// Limit returns a quota of an account; ok is false if none is set.
func (s *Service) Limit(ctx context.Context, account AccountID, name string) (most int64, ok bool, err error) {
	now := s.Now()
	s.mu.Lock()
	cached, found := s.quotas[account]
	s.mu.Unlock()
	if !found || now.Sub(cached.read) > quotasStale || now.Before(cached.read) {
		all, err := s.store.Quotas(ctx, 0)
		if err != nil {
			return 0, false, err
		}
		own, err := s.store.Quotas(ctx, account)
		if err != nil {
			return 0, false, err
		}
		maps.Copy(all, own)
		cached = cachedQuotas{now, all}
		s.mu.Lock()
		s.quotas[account] = cached
		s.mu.Unlock()
	}
	most, ok = cached.most[name]
	return most, ok, nil
}

// room refuses to make one more thing of a kind than its quota allows. It counts before the thing is made, so that calls at the same moment
// may each find the last place free.
func (s *Service) room(ctx context.Context, account AccountID, name string) error {
	most, ok, err := s.Limit(ctx, account, name)
	if err != nil || !ok {
		return err
	}
	used, err := s.count(ctx, account, name)
	if err != nil || used < most {
		return err
	}
	reason := ReasonQuotaObjects
	switch name {
	case QuotaCommands:
		reason = ReasonQuotaCommands
	case QuotaRegistrations:
		reason = ReasonQuotaRegistrations
	case QuotaInvocations:
		reason = ReasonQuotaInvocations
	}
	return limited(reason, name, "the quota is %d", most)
}

// count counts the things that a quota is about.
func (s *Service) count(ctx context.Context, account AccountID, name string) (int64, error) {
	one := Page{Limit: 1, Count: true}
	var n int
	var err error
	switch name {
	case QuotaCommands:
		_, n, err = s.store.ListCommands(ctx, CommandFilter{Account: account}, one)
	case QuotaRegistrations:
		_, n, err = s.store.ListRegistrations(ctx, RegistrationFilter{Account: account}, one)
	case QuotaNodes:
		_, n, err = s.store.ListNodes(ctx, NodeFilter{Account: account}, one)
	case QuotaInvocations:
		n, err = s.store.CountInvocations(ctx, account, FirstID(s.Now().Truncate(24*time.Hour)))
	case QuotaUsers:
		var rows []User
		rows, err = s.store.ListUsers(ctx, account)
		n = len(rows)
	case QuotaKeys:
		for _, kind := range []KeyKind{KeyLong, KeyBearer} {
			rows, err := s.store.ListKeys(ctx, KeyFilter{Account: account, Kind: kind})
			if err != nil {
				return 0, err
			}
			n += len(rows)
		}
	case QuotaPolicies:
		var rows []Policy
		rows, err = s.store.ListPolicies(ctx, account)
		n = len(rows)
	default:
		n = -1
	}
	return int64(n), err
}

// Quota returns one quota of the caller's account and how much of it is used.
func (s *Service) Quota(ctx context.Context, c Caller, name string) (QuotaUse, error) {
	if err := c.Allow("quota.list", nil); err != nil {
		return QuotaUse{}, err
	}
	return s.quotaUse(ctx, c.Account, name)
}

func (s *Service) quotaUse(ctx context.Context, account AccountID, name string) (QuotaUse, error) {
	q := QuotaUse{Name: name, Limit: -1}
	most, ok, err := s.Limit(ctx, account, name)
	if err != nil {
		return q, err
	}
	if ok {
		q.Limit = most
	}
	q.Used, err = s.count(ctx, account, name)
	return q, err
}

// Quotas lists the quotas of an account, by name: those that count things always, the others if they are set. The operator may ask for
// any account, and with 0 for what holds for all accounts that have none of their own.
func (s *Service) Quotas(ctx context.Context, c Caller, account AccountID) ([]QuotaUse, error) {
	if err := c.Allow("quota.list", nil); err != nil {
		return nil, err
	}
	if account != c.Account && c.Account != RootAccount {
		return nil, noAccount(account)
	}
	own, err := s.store.Quotas(ctx, account)
	if err != nil {
		return nil, err
	}
	if account == 0 {
		list := make([]QuotaUse, 0, len(own))
		for _, name := range slices.Sorted(maps.Keys(own)) {
			list = append(list, QuotaUse{Name: name, Limit: own[name], Used: -1, Own: true})
		}
		return list, nil
	}
	all, err := s.store.Quotas(ctx, 0)
	if err != nil {
		return nil, err
	}
	names := counted()
	names = slices.AppendSeq(names, maps.Keys(all))
	names = slices.AppendSeq(names, maps.Keys(own))
	slices.Sort(names)
	var list []QuotaUse
	for _, name := range slices.Compact(names) {
		q, err := s.quotaUse(ctx, account, name)
		if err != nil {
			return nil, err
		}
		_, q.Own = own[name]
		list = append(list, q)
	}
	return list, nil
}

// SetQuota sets a quota of an account, or with account 0 that of all accounts which have none of their own; nil takes it away. Only the
// operator can. Other servers of the installation follow within ten seconds.
func (s *Service) SetQuota(ctx context.Context, c Caller, account AccountID, name string, most *int64) error {
	about := "*"
	if account != 0 {
		about = account.String()
	}
	if err := c.operate("quota.modify", resource("account", about, nil)); err != nil {
		return err
	}
	action, rate := strings.CutPrefix(name, QuotaRate+"/")
	product, method, both := strings.Cut(action, ":")
	switch {
	case rate && (!both || product == "" || method == ""):
		return invalid(ReasonInvalidValue, "name", "after %s/ comes an action such as ecs:RunCommand", QuotaRate)
	case !rate && !slices.Contains(append(counted(), QuotaConcurrent, QuotaRate), name):
		return invalid(ReasonInvalidValue, "name", "no quota %q", name)
	case most != nil && *most < 0:
		return invalid(ReasonTooSmall, "limit", "negative")
	}
	if account != 0 {
		if _, err := s.Account(ctx, c, account); err != nil {
			return err
		}
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		clear(s.quotas)
	}()
	if most == nil {
		return s.store.DeleteQuota(ctx, account, name)
	}
	return s.store.SetQuota(ctx, account, name, *most)
}
