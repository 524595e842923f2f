// Package s3test starts a real S3-compatible object store for a test: VersityGW over a temporary folder, on a loopback port of its own.
// The program is installed by `make deps`; a test that does not find it fails.
package s3test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Version is the release of VersityGW that the Makefile installs.
const Version = "v1.8.0"

// Domain is the host under which each bucket has a host of its own, bucket.Domain, if the client makes the names lead to the server.
const Domain = "s3.test"

const (
	region    = "us-east-1"
	startTime = 15 * time.Second
)

// Server is a running object store.
type Server struct {
	Endpoint  string // http(s)://127.0.0.1:port
	Addr      string // the same as host:port
	Region    string
	AccessKey string // may do everything
	SecretKey string
	CAFile    string // signed the server's certificate; empty without TLS

	exe    string
	dir    string
	keys   atomic.Int32
	client *minio.Client
}

// Start starts a store that is killed when the test ends.
func Start(tb testing.TB) *Server {
	tb.Helper()
	return start(tb, false)
}

// StartTLS does so with a certificate from an authority of its own.
func StartTLS(tb testing.TB) *Server {
	tb.Helper()
	return start(tb, true)
}

func start(tb testing.TB, secure bool) *Server {
	tb.Helper()
	s := &Server{Region: region, AccessKey: "root", SecretKey: "root-secret", exe: program(tb), dir: tb.TempDir()}
	for _, dir := range []string{"data", "metadata", "keys"} {
		if err := os.Mkdir(filepath.Join(s.dir, dir), 0o700); err != nil {
			tb.Fatal(err)
		}
	}
	args := []string{"--iam-dir", filepath.Join(s.dir, "keys"), "--virtual-domain", Domain, "--health", "/health", "--quiet"}
	scheme, transport := "http", http.DefaultTransport.(*http.Transport).Clone()
	if secure {
		ca := newAuthority(tb, s.dir)
		args = append(args, "--cert", ca.certFile, "--key", ca.keyFile)
		scheme, s.CAFile, transport.TLSClientConfig = "https", ca.file, ca.client
	}
	tb.Cleanup(transport.CloseIdleConnections)

	// The program cannot be given a socket nor asked which port it chose. Should another process be quicker to take the port, it is
	// started with another one.
	for try := 1; ; try++ {
		s.Addr = freeAddr(tb)
		s.Endpoint = scheme + "://" + s.Addr
		err := s.run(tb, append([]string{"--port", s.Addr}, args...), &http.Client{Transport: transport})
		if err == nil {
			break
		}
		if try == 3 {
			tb.Fatalf("start the object store: %v", err)
		}
		tb.Logf("start the object store again: %v", err)
	}

	var err error
	s.client, err = minio.New(s.Addr, &minio.Options{
		Creds: credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""), Secure: secure, Region: s.Region, Transport: transport,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// program finds the executable where the Makefile puts it.
func program(tb testing.TB) string {
	tb.Helper()
	tools := os.Getenv("TOOLS")
	if tools == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			tb.Fatal(err)
		}
		tools = filepath.Join(home, ".cache", "errand", "tools")
	}
	exe := filepath.Join(tools, fmt.Sprintf("versitygw-%s-%s", Version, runtime.Version()), "versitygw")
	if _, err := os.Stat(exe); err != nil {
		tb.Fatalf("run make deps: the object store of the tests is not installed: %v", err)
	}
	return exe
}

func freeAddr(tb testing.TB) string {
	tb.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = lis.Close() }()
	return lis.Addr().String()
}

// run returns when the server answers, or why it ended or did not come.
func (s *Server) run(tb testing.TB, args []string, client *http.Client) error {
	tb.Helper()
	// Metadata beside the objects rather than in extended attributes, which not every temporary folder has.
	args = append(args, "posix", "--sidecar", filepath.Join(s.dir, "metadata"), filepath.Join(s.dir, "data"))
	cmd := exec.Command(s.exe, args...)
	cmd.Env = []string{"ROOT_ACCESS_KEY_ID=" + s.AccessKey, "ROOT_SECRET_ACCESS_KEY=" + s.SecretKey, "VGW_REGION=" + s.Region}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	kill := func() {
		_ = cmd.Process.Kill()
		<-ended
	}

	deadline := time.After(startTime)
	for !s.healthy(tb, client) {
		select {
		case <-ended:
			return fmt.Errorf("it ended: %s", said.Bytes())
		case <-deadline:
			kill()
			return fmt.Errorf("it did not answer within %v: %s", startTime, said.Bytes())
		case <-time.After(10 * time.Millisecond):
		}
	}
	tb.Cleanup(func() {
		kill()
		if tb.Failed() {
			tb.Logf("the object store said:\n%s", said.Bytes())
		}
	})
	return nil
}

func (s *Server) healthy(tb testing.TB, client *http.Client) bool {
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, s.Endpoint+"/health", nil)
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// CreateBucket makes a bucket that only the server's own key may use.
func (s *Server) CreateBucket(tb testing.TB, bucket string) {
	tb.Helper()
	if err := s.client.MakeBucket(tb.Context(), bucket, minio.MakeBucketOptions{}); err != nil {
		tb.Fatalf("create bucket %s: %v", bucket, err)
	}
}

// CreateLockedBucket makes a bucket whose objects cannot be changed for a day.
func (s *Server) CreateLockedBucket(tb testing.TB, bucket string) {
	tb.Helper()
	if err := s.client.MakeBucket(tb.Context(), bucket, minio.MakeBucketOptions{ObjectLocking: true}); err != nil {
		tb.Fatalf("create bucket %s: %v", bucket, err)
	}
	mode, days, unit := minio.Compliance, uint(1), minio.Days
	if err := s.client.SetBucketObjectLockConfig(tb.Context(), bucket, &mode, &days, &unit); err != nil {
		tb.Fatalf("lock bucket %s: %v", bucket, err)
	}
}

// CreateKey makes another access key, which may do nothing before it is allowed to.
func (s *Server) CreateKey(tb testing.TB) (accessKey, secretKey string) {
	tb.Helper()
	accessKey = fmt.Sprintf("key-%d", s.keys.Add(1))
	secretKey = accessKey + "-secret"
	cmd := exec.CommandContext(tb.Context(), s.exe, "admin", "--endpoint-url", s.Endpoint, "--allow-insecure",
		"create-user", "--access", accessKey, "--secret", secretKey, "--role", "user")
	cmd.Env = []string{"ADMIN_ACCESS_KEY_ID=" + s.AccessKey, "ADMIN_SECRET_ACCESS_KEY=" + s.SecretKey, "ADMIN_REGION=" + s.Region}
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("create key: %v: %s", err, out)
	}
	return accessKey, secretKey
}

// Allow gives a key these actions, such as s3:PutObject, on a bucket and its objects, in place of what any key was allowed there before.
// With s3:GetObject and s3:ListBucket alone it can only read.
func (s *Server) Allow(tb testing.TB, bucket, accessKey string, actions ...string) {
	tb.Helper()
	var onBucket, onObjects []string
	for _, action := range actions {
		if action == "s3:ListBucket" {
			onBucket = append(onBucket, action)
		} else {
			onObjects = append(onObjects, action)
		}
	}
	type statement struct {
		Effect, Principal, Resource string
		Action                      []string
	}
	var statements []statement
	if onBucket != nil {
		statements = append(statements, statement{"Allow", accessKey, "arn:aws:s3:::" + bucket, onBucket})
	}
	if onObjects != nil {
		statements = append(statements, statement{"Allow", accessKey, "arn:aws:s3:::" + bucket + "/*", onObjects})
	}
	policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err == nil {
		err = s.client.SetBucketPolicy(tb.Context(), bucket, string(policy))
	}
	if err != nil {
		tb.Fatalf("allow %s on %s: %v", accessKey, bucket, err)
	}
}

// Object reads an object back.
func (s *Server) Object(tb testing.TB, bucket, key string) []byte {
	tb.Helper()
	object, err := s.client.GetObject(tb.Context(), bucket, key, minio.GetObjectOptions{})
	if err != nil {
		tb.Fatalf("get %s/%s: %v", bucket, key, err)
	}
	defer func() { _ = object.Close() }()
	data, err := io.ReadAll(object)
	if err != nil {
		tb.Fatalf("get %s/%s: %v", bucket, key, err)
	}
	return data
}

// ContentType is what kind of content an object says it has.
func (s *Server) ContentType(tb testing.TB, bucket, key string) string {
	tb.Helper()
	info, err := s.client.StatObject(tb.Context(), bucket, key, minio.StatObjectOptions{})
	if err != nil {
		tb.Fatalf("stat %s/%s: %v", bucket, key, err)
	}
	return info.ContentType
}

// Objects lists the names in a bucket in order, and those of unfinished uploads.
func (s *Server) Objects(tb testing.TB, bucket string) (objects, unfinished []string) {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	defer cancel()
	for object := range s.client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Recursive: true}) {
		if object.Err != nil {
			tb.Fatalf("list %s: %v", bucket, object.Err)
		}
		objects = append(objects, object.Key)
	}
	for upload := range s.client.ListIncompleteUploads(ctx, bucket, "", true) {
		if upload.Err != nil {
			tb.Fatalf("list uploads to %s: %v", bucket, upload.Err)
		}
		unfinished = append(unfinished, upload.Key)
	}
	return objects, unfinished
}
