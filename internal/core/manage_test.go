package core_test

import (
	"testing"

	"errand/internal/api/scene"
	"errand/internal/core"
)

func TestRegistrationsEnd(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	var codes []core.ID
	var secrets []string
	for range 2 {
		code, secret, err := s.Service.CreateRegistration(ctx, s.Caller, core.RegistrationSpec{Limit: 5})
		if err != nil {
			t.Fatal(err)
		}
		codes, secrets = append(codes, code.ID), append(secrets, secret)
	}
	join := func(n int, id string) error {
		_, err := s.Service.Register(ctx, core.Enrolment{
			Code: codes[n], Secret: secrets[n], PublicKey: core.NewSecret(), NodeID: id, Facts: core.Facts{Platform: core.Linux},
		})
		return err
	}
	if err := join(0, "a"); err != nil {
		t.Fatal(err)
	}
	stranger := core.Caller{Account: 42, Root: true}
	if _, err := s.Service.DisableRegistrations(ctx, stranger, codes[:1]); !core.ReasonRegistrationNotFound.Is(err) {
		t.Errorf("another account disables: %v", err)
	}
	if got, err := s.Service.DisableRegistrations(ctx, s.Caller, codes[:1]); err != nil || !got[0].Disabled {
		t.Errorf("%+v, %v", got, err)
	}
	if err := join(0, "b"); !core.ReasonRegistrationRefused.Is(err) {
		t.Errorf("joins with a disabled code: %v", err)
	}
	if _, err := s.Service.DeleteRegistrations(ctx, s.Caller, codes, true); !core.ReasonRegistrationInUse.Is(err) {
		t.Errorf("deletes a code in use: %v", err)
	}
	if err := join(1, "c"); err != nil {
		t.Errorf("one code in use, and the other was deleted all the same: %v", err)
	}
	if _, err := s.Service.RemoveNode(ctx, s.Caller, "a"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Service.DeleteRegistrations(ctx, s.Caller, codes[:1], true); err != nil || got[0].Deregistered != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := s.Service.DeleteRegistrations(ctx, s.Caller, codes[:1], false); !core.ReasonRegistrationNotFound.Is(err) {
		t.Errorf("deletes it again: %v", err)
	}
}

func TestRemoveNode(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx := t.Context()
	n := s.Node("n")
	s.Online(n)
	waits, runs, over := run(t, s, order("n")), run(t, s, order("n")), run(t, s, order("n"))
	s.Report(runs.ID, n, core.Report{Kind: core.ReportStarted, At: s.Now()})
	s.Exit(over.ID, n, 0, "", "")
	var told []core.Event
	s.Feed.Listen(func(e core.Event) { told = append(told, e) })

	if _, err := s.Service.RemoveNode(ctx, core.Caller{Account: 42, Root: true}, "n"); !core.ReasonTargetNotFound.Is(err) {
		t.Errorf("another account: %v", err)
	}
	removed, err := s.Service.RemoveNode(ctx, s.Caller, "n")
	if err != nil || removed.RemovedAt.IsZero() {
		t.Fatalf("%+v, %v", removed, err)
	}
	for v, want := range map[*core.Invocation]core.State{&waits: core.DeliveryFailed, &runs: core.Lost, &over: core.Succeeded} {
		if got := state(t, s, *v, n); got.State != want || want != core.Succeeded && got.Cause != core.CauseNodeReleased {
			t.Errorf("%s because of %s, want %s", got.State, got.Cause, want)
		}
	}
	if len(told) != 1 || told[0].Removed != n.Key || len(told[0].Tasks) != 2 {
		t.Errorf("told %+v", told)
	}
	if _, err := s.Service.NodeByPublicKey(ctx, n.PublicKey); err == nil {
		t.Error("may still connect")
	}
	if _, err := s.Service.Run(ctx, s.Caller, order("n")); !core.ReasonTargetNotFound.Is(err) {
		t.Errorf("still a target: %v", err)
	}
	if _, err := s.Service.RemoveNode(ctx, s.Caller, "n"); !core.ReasonTargetNotFound.Is(err) {
		t.Errorf("removed twice: %v", err)
	}
	if again := s.Node("n"); again.Key == n.Key {
		t.Error("the id went to the same machine")
	}
}

func TestRenameNode(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("n")
	if n, err := s.Service.RenameNode(t.Context(), s.Caller, "n", "web 1"); err != nil || n.Name != "web 1" {
		t.Errorf("%+v, %v", n, err)
	}
	for name, reason := range map[string]core.Reason{"": core.ReasonMissing, "a\nb": core.ReasonNameInvalid} {
		if _, err := s.Service.RenameNode(t.Context(), s.Caller, "n", name); !reason.Is(err) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := s.Service.RenameNode(t.Context(), s.Caller, "m", "x"); !core.ReasonTargetNotFound.Is(err) {
		t.Errorf("unknown: %v", err)
	}
}
