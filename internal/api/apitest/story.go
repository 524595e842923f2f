package apitest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/alibabacloud-go/tea/tea"
	alierrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	tcerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	zcommon "github.com/zenlayer/zenlayercloud-sdk-go/zenlayercloud/common"
)

// sdk is one vendor's client, opened for a target.
type sdk interface {
	// run starts a script on all the target's nodes and returns the id of the invocation.
	run(script string) (id string, err error)
	read(id string) (Reading, error)
	stop(id string) error
	// agents tells the presence of the agents on the target's nodes; nil if the vendor has no such action.
	agents() (map[string]string, error)
}

// client is a way of telling the story.
type client struct {
	name    string
	dialect *dialect
	tell    func(t *testing.T, d *dialect, target Target) Tale
}

// clients are all of them.
func clients() []client {
	return []client{
		{"ecs, Go, RPC", &ecsWords, inGo(openRPC)},
		{"ecs, Go, ACS3", &ecsWords, inGo(openECS)},
		{"eflo, Go, ACS3", &efloWords, inGo(openEFLO)},
		{"tat, Go, TC3", &tatWords, inGo(openTAT("TC3-HMAC-SHA256"))},
		{"tat, Go, HmacSHA1", &tatWords, inGo(openTAT("HmacSHA1"))},
		{"tat, Go, HmacSHA256", &tatWords, inGo(openTAT("HmacSHA256"))},
		{"zos, Go, ZC2", &zosWords, inGo(openZOS)},
		{"ecs, Node, RPC", &ecsWords, inNode("pop-core.js")},
		{"ecs, Node, ACS3", &ecsWords, inNode("ecs20140526.js")},
		{"tat, Node, TC3", &tatWords, inNode("tencent.js")},
	}
}

// readers are one SDK for each dialect.
func readers(t *testing.T, target Target) map[*dialect]sdk {
	t.Helper()
	out := map[*dialect]sdk{}
	for d, open := range map[*dialect]func(Target) (sdk, error){
		&ecsWords: openRPC, &efloWords: openEFLO, &tatWords: openTAT("TC3-HMAC-SHA256"), &zosWords: openZOS,
	} {
		out[d] = mustOpen(t, open, target)
	}
	return out
}

// Tell tells the story through every client, and reads what each began through every dialect.
func Tell(t *testing.T, target Target) {
	t.Helper()
	for _, c := range clients() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			since := time.Now()
			tale := c.tell(t, c.dialect, target)
			c.dialect.checkFailed(t, target.Nodes, tale.Failed.Reading, since)
			c.dialect.checkStopped(t, target.Nodes, tale.Stopped.Reading)
			if tale.Refusal != c.dialect.refusal {
				t.Errorf("a wrong secret is refused with %q, want %q", tale.Refusal, c.dialect.refusal)
			}
			for _, id := range target.Nodes {
				if tale.Agents[id] != c.dialect.online {
					t.Errorf("the agent of %s is %q, want %q", id, tale.Agents[id], c.dialect.online)
				}
			}
			for d, s := range readers(t, target) {
				t.Run("read through "+d.name, func(t *testing.T) {
					d.checkFailed(t, target.Nodes, mustRead(t, s, tale.Failed.ID), since)
					d.checkStopped(t, target.Nodes, mustRead(t, s, tale.Stopped.ID))
				})
			}
		})
	}
}

// inGo tells the story through a Go SDK.
func inGo(open func(Target) (sdk, error)) func(*testing.T, *dialect, Target) Tale {
	return func(t *testing.T, d *dialect, target Target) (tale Tale) {
		t.Helper()
		s := mustOpen(t, open, target)
		ended := func(r *Reading) bool { return r.ended(d.active) }

		tale.Failed.ID = mustRun(t, s, failingScript)
		tale.Failed.Reading = await(t, s, tale.Failed.ID, ended)

		tale.Stopped.ID = mustRun(t, s, endlessScript)
		await(t, s, tale.Stopped.ID, func(r *Reading) bool { return r.all(d.running) })
		if err := s.stop(tale.Stopped.ID); err != nil {
			t.Fatalf("stop: %v", err)
		}
		tale.Stopped.Reading = await(t, s, tale.Stopped.ID, ended)

		agents, err := s.agents()
		if err != nil {
			t.Errorf("agents: %v", err)
		}
		tale.Agents = agents

		target.Secret += "x"
		_, err = mustOpen(t, open, target).run(failingScript)
		tale.Refusal = codeOf(t, err)
		return tale
	}
}

// must ends a test when what an SDK was asked for did not come.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// eventually waits until try has nothing against it.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(err)
		}
	}
}

func mustOpen(t *testing.T, open func(Target) (sdk, error), target Target) sdk {
	t.Helper()
	s, err := open(target)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustRun(t *testing.T, s sdk, script string) string {
	t.Helper()
	id, err := s.run(script)
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	return id
}

func mustRead(t *testing.T, s sdk, id string) Reading {
	t.Helper()
	r, err := s.read(id)
	if err != nil {
		t.Fatalf("read %s: %v", id, err)
	}
	return r
}

// await reads until the reading is as wanted.
func await(t *testing.T, s sdk, id string, wanted func(*Reading) bool) Reading {
	t.Helper()
	var r Reading
	eventually(t, func() error {
		if r = mustRead(t, s, id); !wanted(&r) {
			return fmt.Errorf("%s is still %+v", id, r)
		}
		return nil
	})
	return r
}

// codeOf returns the vendor's code for a wrong secret from the error type of whichever SDK made it.
func codeOf(t *testing.T, err error) string {
	t.Helper()
	var rpc *alierrors.ServerError
	// The SDK compares the string that the server signed with its own, and finds that only the secret can be wrong.
	if want := "InvalidAccessKeySecret"; errors.As(err, &rpc) && !strings.Contains(rpc.Recommend(), want) {
		t.Errorf("the SDK recommends %q, want %q", rpc.Recommend(), want)
	}
	return refusal(t, err)
}

// refusal returns the vendor's code from the error type of whichever SDK made it.
func refusal(t *testing.T, err error) string {
	t.Helper()
	var (
		rpc     *alierrors.ServerError
		acs     *tea.SDKError
		tencent *tcerrors.TencentCloudSDKError
		zen     *zcommon.ZenlayerCloudSdkError
	)
	switch {
	case errors.As(err, &rpc):
		return rpc.ErrorCode()
	case errors.As(err, &acs):
		return tea.StringValue(acs.Code)
	case errors.As(err, &tencent):
		return tencent.Code
	case errors.As(err, &zen):
		return zen.Code
	}
	t.Errorf("%T is not an SDK's own error: %v", err, err)
	return ""
}
