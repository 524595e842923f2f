package apitest_test

import (
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/api/apitest"
	"errand/internal/core"
	"errand/internal/deliver"
	"errand/internal/deliver/s3test"
	"errand/internal/server"
	"errand/internal/stacktest"
)

// delivering starts a product with one machine that delivers output to an object store.
func delivering(t *testing.T, options ...func(*server.Config)) (*stacktest.Stack, apitest.Target) {
	t.Helper()
	stack := stacktest.Start(t, options...)
	stack.AddNode(t, "web-1")
	return stack, apitest.Target{HostPort: stack.HostPort, KeyID: stack.KeyID, Secret: stack.Secret, Nodes: []string{"web-1"}}
}

// TestDeliveries delivers to a real object store, over TLS, with a key that may not do everything.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	store := s3test.StartTLS(t)
	const bucket, forbidden, ofAccount = "output-1250000000", "forbidden-1250000000", "all-output"
	key, secret := store.CreateKey(t)
	for _, name := range []string{bucket, forbidden, ofAccount} {
		store.CreateBucket(t, name)
	}
	store.Allow(t, bucket, key, "s3:PutObject", "s3:ListBucket")
	store.Allow(t, ofAccount, key, "s3:PutObject")
	stack, target := delivering(t, func(c *server.Config) {
		c.S3 = deliver.Config{
			Endpoint: store.Endpoint, Region: store.Region, AccessKey: key, SecretKey: secret, PathStyle: true, CAFile: store.CAFile,
		}
	})
	t.Run("named", func(t *testing.T) {
		apitest.Deliveries(t, target, apitest.Depot{
			Bucket: bucket, Forbidden: forbidden, Missing: "missing-1250000000",
			Object: func(t *testing.T, bucket, key string) []byte { return store.Object(t, bucket, key) },
		})
	})

	// An account can have the output of all its commands.
	svc, caller := stack.Server.Service, stack.Server.RootCaller()
	err := svc.ChangeSettings(t.Context(), caller, func(a *core.AccountSettings) error {
		a.InvocationDelivery.Bucket.Enabled, a.InvocationDelivery.Bucket.Bucket = true, ofAccount
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	id := stack.Client().Run(t, "echo hi", nil, "web-1")
	stacktest.Eventually(t, 30*time.Second, func() error {
		if objects, _ := store.Objects(t, ofAccount); len(objects) != 1 || objects[0] != id+"/web-1.log" {
			return fmt.Errorf("the bucket holds %q", objects)
		}
		return nil
	})
	if got := string(store.Object(t, ofAccount, id+"/web-1.log")); got != "hi\n" {
		t.Errorf("delivered %q", got)
	}
}

// TestDeliveriesNowhere has an object store that does not answer, and moves the clock instead of waiting until the server gives up.
func TestDeliveriesNowhere(t *testing.T) {
	t.Parallel()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lis.Close() }() // never accepts
	const secret = "the secret of the store"
	var ahead atomic.Int64
	var log safeBuffer
	stack, target := delivering(t, func(c *server.Config) {
		c.S3 = deliver.Config{
			Endpoint: "http://" + lis.Addr().String(), AccessKey: "key", SecretKey: secret, PathStyle: true, Timeout: 100 * time.Millisecond,
		}
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	apitest.DeliveriesNowhere(t, target, func() {
		ahead.Store(int64(time.Hour))
		stacktest.Eventually(t, 30*time.Second, func() error {
			rows, _, err := stack.Server.Service.Tasks(t.Context(), stack.Server.RootCaller(), core.TaskFilter{}, core.PageSpec{Limit: 9})
			for i := range rows {
				if d := rows[i].Delivery; err == nil && (d == nil || d.State != core.OutputUndelivered) {
					err = fmt.Errorf("task %s: %+v", rows[i].ID, d)
				}
			}
			return err
		})
		ahead.Store(0) // what vendors sign has the real time in it
	})
	if text := log.String(); !strings.Contains(text, "output given up") || strings.Contains(text, secret) {
		t.Errorf("the log does not say that output was given up, or gives the secret away:\n%s", text)
	}
}

// safeBuffer is written and read at the same time.
type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
