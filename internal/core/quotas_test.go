package core_test

import (
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
)

func TestQuotas(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	s.Node("n")
	person(t, s, "ann", everything)
	command := func() error {
		_, err := s.Service.CreateCommand(ctx, s.Caller, core.CommandSpec{
			Definition: core.Definition{Name: "c", Type: core.Shell, Content: []byte("true"), Timeout: time.Minute},
		})
		return err
	}
	user := func() error {
		_, err := s.Service.CreateUser(ctx, s.Caller, core.NewSecret(), core.UserPerson, "")
		return err
	}
	tests := []struct {
		quota string
		have  int64
		make  func() error
		want  core.Reason
	}{
		{core.QuotaCommands, 0, command, core.ReasonQuotaCommands},
		{core.QuotaRegistrations, 1, func() error {
			_, _, err := s.Service.CreateRegistration(ctx, s.Caller, core.RegistrationSpec{Limit: 1})
			return err
		}, core.ReasonQuotaRegistrations},
		{core.QuotaInvocations, 0, func() error {
			_, err := s.Service.Run(ctx, s.Caller, order("n"))
			return err
		}, core.ReasonQuotaInvocations},
		{core.QuotaUsers, 1, user, core.ReasonQuotaObjects},
		{core.QuotaKeys, 1, func() error {
			_, err := s.Service.IssueKey(ctx, s.Caller, core.KeySpec{User: "ann", Kind: core.KeyLong})
			return err
		}, core.ReasonQuotaObjects},
		{core.QuotaPolicies, 1, func() error {
			_, err := s.Service.PutPolicy(ctx, s.Caller, core.NewSecret(), "", everything)
			return err
		}, core.ReasonQuotaObjects},
	}
	for _, tt := range tests {
		most := tt.have + 1
		if err := s.Service.SetQuota(ctx, s.Caller, scene.Account, tt.quota, &most); err != nil {
			t.Fatal(err)
		}
		if err := tt.make(); err != nil {
			t.Errorf("%s below its edge: %v", tt.quota, err)
		}
		reason(t, tt.quota+" above its edge", tt.make(), tt.want)
		if q, err := s.Service.Quota(ctx, s.Caller, tt.quota); err != nil || q.Limit != most || q.Used != most {
			t.Errorf("%s: %+v, %v", tt.quota, q, err)
		}
		if err := s.Service.SetQuota(ctx, s.Caller, scene.Account, tt.quota, nil); err != nil {
			t.Fatal(err)
		}
		if err := tt.make(); err != nil {
			t.Errorf("%s without a quota: %v", tt.quota, err)
		}
	}
	// A new day.
	most := int64(1)
	if err := s.Service.SetQuota(ctx, s.Caller, 0, core.QuotaInvocations, &most); err != nil {
		t.Fatal(err)
	}
	_, err := s.Service.Run(ctx, s.Caller, order("n"))
	reason(t, "a quota for all accounts", err, core.ReasonQuotaInvocations)
	s.Advance(24 * time.Hour)
	if _, err := s.Service.Run(ctx, s.Caller, order("n")); err != nil {
		t.Errorf("the next day: %v", err)
	}
	for name, want := range map[string]core.Reason{
		"nonsense": core.ReasonInvalidValue, "calls-per-minute/RunCommand": core.ReasonInvalidValue, core.QuotaRate + "/ecs:": core.ReasonInvalidValue,
	} {
		reason(t, name, s.Service.SetQuota(ctx, s.Caller, scene.Account, name, &most), want)
	}
	below := int64(-1)
	reason(t, "negative", s.Service.SetQuota(ctx, s.Caller, scene.Account, core.QuotaNodes, &below), core.ReasonTooSmall)
	reason(t, "unknown account", s.Service.SetQuota(ctx, s.Caller, 7, core.QuotaNodes, &most), core.ReasonAccessNotFound)
}

func TestNodeQuota(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	s.Node("n")
	most := int64(1)
	if err := s.Service.SetQuota(ctx, s.Caller, scene.Account, core.QuotaNodes, &most); err != nil {
		t.Fatal(err)
	}
	code, secret, err := s.Service.CreateRegistration(ctx, s.Caller, core.RegistrationSpec{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Service.Register(ctx, core.Enrolment{Code: code.ID, Secret: secret, PublicKey: "k"})
	reason(t, "one machine too many", err, core.ReasonQuotaObjects)
}
