package core_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
	"errand/internal/release"
)

// fleet is an installation with a release and nodes that can change to it.
type fleet struct {
	*scene.Scene
	t        *testing.T
	operator core.Caller
	nodes    []core.Node
	rollout  core.ID
}

func releaseKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func signedDocument(t *testing.T, e release.Envelope, err error, key byte) []byte {
	t.Helper()
	if err == nil {
		err = e.Sign(releaseKey(key))
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func keyDocument(t *testing.T, serial uint64, key, signer byte) []byte {
	t.Helper()
	e, err := release.Wrap(&release.KeyList{
		Product: release.Product, Serial: serial, Threshold: 1, Keys: []ed25519.PublicKey{releaseKey(key).Public().(ed25519.PublicKey)},
	})
	if err == nil {
		err = e.Sign(releaseKey(signer))
	}
	return signedDocument(t, e, err, key)
}

func newFleet(t *testing.T, nodes int) *fleet {
	t.Helper()
	f := &fleet{Scene: scene.New(t), t: t}
	f.operator = f.Caller
	f.operator.Account = core.RootAccount
	if _, err := f.Service.TrustReleaseKeys(t.Context(), f.operator, keyDocument(t, 1, 1, 1)); err != nil {
		t.Fatal(err)
	}
	f.add("2.0.0")
	for i := range nodes {
		f.join(fmt.Sprintf("n%02d", i))
	}
	return f
}

// manifest is a signed release for linux/amd64 with its only program.
func (f *fleet) manifest(version string, key byte) (text, packed []byte, hash string) {
	f.t.Helper()
	var b bytes.Buffer
	program, err := release.Pack(&b, release.AgentProgram, strings.NewReader("program "+version))
	if err != nil {
		f.t.Fatal(err)
	}
	e, err := release.Wrap(&release.Manifest{
		Product: release.Product, Version: version, Created: f.Service.Now(), Expires: f.Service.Now().Add(30 * 24 * time.Hour), Protocol: 1,
		Platforms: []release.Platform{{OS: "linux", Arch: "amd64", Files: []release.File{program}}},
	})
	return signedDocument(f.t, e, err, key), b.Bytes(), program.PackedSHA256
}

func (f *fleet) add(version string) {
	f.t.Helper()
	text, packed, hash := f.manifest(version, 1)
	if _, err := f.Service.AddRelease(f.t.Context(), f.operator, text); err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.Service.CompleteRelease(f.t.Context(), f.operator, version); core.AsError(err).Code != core.CodeConflict {
		f.t.Errorf("a release without programs is complete: %v", err)
	}
	if err := f.Service.PutProgram(f.t.Context(), f.operator, version, hash, 0, packed); err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.Service.CompleteRelease(f.t.Context(), f.operator, version); err != nil {
		f.t.Fatal(err)
	}
}

// join makes a node that is connected and runs 1.0.0.
func (f *fleet) join(id string) {
	f.t.Helper()
	n := f.Node(id)
	err := f.Service.Introduce(f.t.Context(), n.Key, core.Facts{
		Hostname: id, Platform: core.Linux, Arch: "amd64", Agent: "1.0.0", Features: []string{core.FeatureUpgrade},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.nodes = append(f.nodes, n)
}

func (f *fleet) start(change func(*core.RolloutPlan)) {
	f.t.Helper()
	p := core.DefaultRolloutPlan()
	change(&p)
	r, err := f.Service.StartRollout(f.t.Context(), f.operator, 0, "2.0.0", p)
	if err != nil {
		f.t.Fatal(err)
	}
	f.rollout = r.ID
}

// advance returns the nodes that are to be told something.
func (f *fleet) advance() (asked []core.NodeKey, orders []core.UpgradeOrder) {
	f.t.Helper()
	orders, _, err := f.Service.AdvanceRollouts(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	for _, o := range orders {
		asked = append(asked, o.Node)
	}
	slices.Sort(asked)
	return asked, orders
}

func (f *fleet) report(n core.NodeKey, state core.UpgradeState, detail string) {
	f.t.Helper()
	v := f.view()
	u := core.UpgradeReport{Rollout: f.rollout, Attempt: v.Attempt, Version: "2.0.0", State: state, Detail: detail}
	if err := f.Service.ReportUpgrade(f.t.Context(), n, u); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) view() core.RolloutView {
	f.t.Helper()
	v, err := f.Service.Rollout(f.t.Context(), f.operator, f.rollout)
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}

func (f *fleet) change(a core.RolloutAction) {
	f.t.Helper()
	if _, err := f.Service.ChangeRollout(f.t.Context(), f.operator, f.rollout, a); err != nil {
		f.t.Fatal(err)
	}
}

func TestRolloutGoesStageByStage(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 20)
	f.start(func(p *core.RolloutPlan) { p.Stages, p.Parallel = []int{1, 25, 100}, 3 })
	first, orders := f.advance()
	if len(first) != 1 || len(orders[0].Manifest) == 0 || len(orders[0].Keys) != 1 {
		t.Fatalf("stage 1: %v", first)
	}
	if again, _ := f.advance(); !slices.Equal(first, again) {
		t.Errorf("asked %v and then %v", first, again)
	}
	f.report(first[0], core.UpgradeTrying, "")
	if asked, _ := f.advance(); len(asked) != 0 {
		t.Errorf("a node that is trying is told %v", asked)
	}
	f.report(first[0], core.UpgradeDone, "")
	f.advance()
	f.Advance(59 * time.Minute)
	if asked, _ := f.advance(); len(asked) != 0 || f.view().Stage != 0 {
		t.Errorf("during the pause: %v", asked)
	}
	f.Advance(time.Minute)
	f.advance()
	if asked, _ := f.advance(); len(asked) != 3 || f.view().Stage != 1 {
		t.Errorf("stage 2 asks %v at a time", asked)
	}
	done := map[core.NodeKey]bool{first[0]: true}
	for range 100 {
		asked, _ := f.advance()
		for _, n := range asked {
			f.report(n, core.UpgradeDone, "")
			done[n] = true
		}
		if v := f.view(); v.Stage == 1 && len(done) > 5 || v.State == core.RolloutFinished {
			break
		}
		f.Advance(10 * time.Minute)
	}
	if v := f.view(); v.State != core.RolloutFinished || len(done) != 20 || v.Count[core.UpgradeDone] != 20 {
		t.Errorf("%s in stage %d, %d done", v.State, v.Stage, len(done))
	}
	f.join("late")
	if asked, _ := f.advance(); !slices.Equal(asked, []core.NodeKey{f.nodes[20].Key}) {
		t.Errorf("a node that comes late: %v", asked)
	}
}

func TestRolloutFreezesAndGoesOn(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 10)
	f.start(func(p *core.RolloutPlan) { p.Stages, p.Percent, p.Failures = []int{100}, 50, 1 })
	asked, _ := f.advance()
	if len(asked) != 10 {
		t.Fatal(asked)
	}
	f.report(asked[0], core.UpgradeRolledBack, "it burns")
	f.report(asked[1], core.UpgradeTrying, "")
	if _, _ = f.advance(); f.view().State != core.RolloutRunning {
		t.Errorf("one of ten failed: %s", f.view().State)
	}
	f.report(asked[2], core.UpgradeRefused, "it burns")
	f.advance()
	if v := f.view(); v.State != core.RolloutFrozen || !strings.Contains(v.Reason, "2 of 10") || !strings.Contains(v.Reason, "it burns") {
		t.Errorf("%+v", v.Rollout)
	}
	back, orders := f.advance()
	if len(back) != 7 || len(orders[0].Manifest) != 0 {
		t.Errorf("orders are taken back from %v", back)
	}
	if again, _ := f.advance(); len(again) != 0 {
		t.Errorf("and again from %v", again)
	}
	// One that was trying never comes back.
	f.Advance(time.Hour)
	for _, n := range f.nodes {
		f.Service.Seen(n.Key, f.Service.Now())
	}
	f.advance()
	if v := f.view(); v.Count[core.UpgradeLost] != 1 {
		t.Errorf("%+v", v.Count)
	}
	f.change(core.ResumeRollout)
	if asked, _ := f.advance(); len(asked) != 7 {
		t.Errorf("resumed: %v", asked)
	}
	f.report(asked[1], core.UpgradeDone, "") // it does come back
	f.change(core.RetryRollout)
	if asked, _ := f.advance(); len(asked) != 9 {
		t.Errorf("retried: %v, %+v", asked, f.view().Count)
	}
	f.change(core.PauseRollout)
	if _, orders := f.advance(); len(orders) != 9 || len(orders[0].Manifest) != 0 {
		t.Errorf("paused: %d", len(orders))
	}
	f.change(core.AbortRollout)
	if _, err := f.Service.ChangeRollout(t.Context(), f.operator, f.rollout, core.ResumeRollout); core.AsError(err).Code != core.CodeConflict {
		t.Errorf("resume after the end: %v", err)
	}
}

func TestRolloutPassesOverNodes(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 4)
	f.Service.Gone(f.nodes[0].Key)
	for i, facts := range []core.Facts{
		{Platform: core.Linux, Arch: "amd64", Agent: "2.0.0", Features: []string{core.FeatureUpgrade}}, // has it
		{Platform: core.Linux, Arch: "arm64", Agent: "1.0.0", Features: []string{core.FeatureUpgrade}}, // nothing for it
		{Platform: core.Linux, Arch: "amd64", Agent: "1.0.0"},                                          // cannot
	} {
		if err := f.Service.Introduce(t.Context(), f.nodes[i+1].Key, facts); err != nil {
			t.Fatal(err)
		}
	}
	f.start(func(p *core.RolloutPlan) { p.Stages = []int{100} })
	if asked, _ := f.advance(); len(asked) != 0 || f.view().State != core.RolloutRunning {
		t.Errorf("asked %v, %s", asked, f.view().State)
	}
	f.Service.Seen(f.nodes[0].Key, f.Service.Now())
	if asked, _ := f.advance(); !slices.Equal(asked, []core.NodeKey{f.nodes[0].Key}) {
		t.Errorf("asked %v", asked)
	}
}

// A stage does not end while a node that was asked has just gone: it may be starting the new version. One that stays away is passed over.
func TestRolloutWaitsForNodeThatHasGone(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	f.start(func(p *core.RolloutPlan) { p.Stages = []int{100} })
	asked, _ := f.advance()
	if len(asked) != 1 {
		t.Fatalf("asked %v", asked)
	}
	f.Service.Gone(asked[0])
	if f.advance(); f.view().State != core.RolloutRunning {
		t.Errorf("%s although the node has just gone", f.view().State)
	}
	f.Advance(time.Minute)
	if f.advance(); f.view().State != core.RolloutFinished {
		t.Errorf("%s although the node stays away", f.view().State)
	}
}

// What a node says changes nothing but its own part of a rollout that concerns it.
func TestUpgradeReportsOfStrangers(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	p := core.DefaultRolloutPlan()
	another, _, err := f.Service.AddAccount(t.Context(), f.operator, "another")
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Service.StartRollout(t.Context(), f.operator, another.ID, "2.0.0", p)
	if err != nil {
		t.Fatal(err)
	}
	f.rollout = r.ID
	for _, u := range []core.UpgradeReport{
		{Rollout: r.ID, Attempt: 1, Version: "2.0.0", State: core.UpgradeDone}, // of another account
		{Rollout: r.ID + 1, Attempt: 1, Version: "2.0.0", State: core.UpgradeDone},
	} {
		if err := f.Service.ReportUpgrade(t.Context(), f.nodes[0].Key, u); err != nil {
			t.Error(err)
		}
	}
	if v := f.view(); len(v.Count) != 0 {
		t.Errorf("%+v", v.Count)
	}
	f.change(core.AbortRollout)
	f.start(func(*core.RolloutPlan) {})
	for _, u := range []core.UpgradeReport{
		{Rollout: f.rollout, Attempt: 9, Version: "2.0.0", State: core.UpgradeDone},
		{Rollout: f.rollout, Attempt: 1, Version: "3.0.0", State: core.UpgradeDone},
	} {
		if err := f.Service.ReportUpgrade(t.Context(), f.nodes[0].Key, u); err != nil {
			t.Error(err)
		}
	}
	f.report(f.nodes[1].Key, core.UpgradeDone, "")
	f.report(f.nodes[1].Key, core.UpgradeRolledBack, "") // too late
	if v := f.view(); v.Count[core.UpgradeDone] != 1 || len(v.Count) != 1 {
		t.Errorf("%+v", v.Count)
	}
}

func TestReleasesAreChecked(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 0)
	ctx, svc := t.Context(), f.Service
	strange, packed, hash := f.manifest("2.1.0", 9)
	if _, err := svc.AddRelease(ctx, f.operator, strange); core.AsError(err).Code != core.CodeInvalid {
		t.Errorf("signed by a stranger: %v", err)
	}
	good, _, _ := f.manifest("2.1.0", 1)
	tenant := f.Caller
	tenant.Account = 5
	if _, err := svc.AddRelease(ctx, tenant, good); core.AsError(err).Code != core.CodeDenied {
		t.Errorf("by a tenant: %v", err)
	}
	if _, err := svc.AddRelease(ctx, f.operator, good); err != nil {
		t.Fatal(err)
	}
	packed[len(packed)-1] ^= 1
	if err := svc.PutProgram(ctx, f.operator, "2.1.0", hash, 0, packed); err != nil {
		t.Fatal(err)
	}
	if _, err := svc.CompleteRelease(ctx, f.operator, "2.1.0"); core.AsError(err).Code != core.CodeInvalid {
		t.Errorf("with another program: %v", err)
	}
	if err := svc.PutProgram(ctx, f.operator, "2.1.0", hash, 1, packed); core.AsError(err).Code != core.CodeInvalid {
		t.Errorf("a piece in between: %v", err)
	}
	if _, err := svc.StartRollout(ctx, f.operator, 0, "2.1.0", core.DefaultRolloutPlan()); core.AsError(err).Code != core.CodeConflict {
		t.Errorf("rolled out without programs: %v", err)
	}
	if err := svc.RemoveRelease(ctx, f.operator, "2.1.0"); err != nil {
		t.Error(err)
	}
	f.start(func(*core.RolloutPlan) {})
	if err := svc.RemoveRelease(ctx, f.operator, "2.0.0"); core.AsError(err).Code != core.CodeConflict {
		t.Errorf("removed while it is rolled out: %v", err)
	}
	if _, err := svc.TrustReleaseKeys(ctx, f.operator, keyDocument(t, 2, 9, 9)); core.AsError(err).Code != core.CodeInvalid {
		t.Errorf("keys of a stranger: %v", err)
	}
	if _, err := svc.TrustReleaseKeys(ctx, f.operator, keyDocument(t, 2, 2, 1)); err != nil {
		t.Error(err)
	}
	// What the old key signed is offered to nobody any more.
	f.advance()
	if v := f.view(); v.State != core.RolloutFrozen || !strings.Contains(v.Reason, release.ErrSignature.Error()) {
		t.Errorf("%+v", v.Rollout)
	}
	f.change(core.AbortRollout)
	f.Advance(31 * 24 * time.Hour)
	if _, err := svc.AddRelease(ctx, f.operator, good); core.AsError(err).Code != core.CodeInvalid {
		t.Errorf("expired: %v", err)
	}
}
