package deliver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/deliver/s3test"
)

const bucket = "output-1250000000"

func rootOf(s *s3test.Server) Config {
	return Config{Endpoint: s.Endpoint, Region: s.Region, AccessKey: s.AccessKey, SecretKey: s.SecretKey, PathStyle: true, CAFile: s.CAFile}
}

func open(tb testing.TB, c Config) *Store {
	tb.Helper()
	store, err := New(c, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	return store
}

// random is size bytes that depend on the seed alone.
func random(seed byte, size int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{seed}), size)
}

func randomBytes(tb testing.TB, seed byte, size int64) []byte {
	tb.Helper()
	data, err := io.ReadAll(random(seed, size))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// TestPutLarge is not parallel to other tests, because it counts what is allocated.
func TestPutLarge(t *testing.T) {
	server := s3test.Start(t)
	server.CreateBucket(t, bucket)
	store := open(t, rootOf(server))

	const size = 40<<20 + 7
	hash := sha256.New()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := store.Put(t.Context(), Object{Bucket: bucket, Key: "large.log"}, io.TeeReader(random(1, size), hash), size); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > size/2 {
		t.Errorf("an upload of %d bytes allocated %d", size, used)
	}

	got := server.Object(t, bucket, "large.log")
	if sum := sha256.Sum256(got); len(got) != size || !bytes.Equal(sum[:], hash.Sum(nil)) {
		t.Errorf("read back %d bytes that differ from the %d that were put", len(got), size)
	}
	if objects, unfinished := server.Objects(t, bucket); len(objects) != 1 || len(unfinished) != 0 {
		t.Errorf("the bucket holds %q and unfinished uploads of %q", objects, unfinished)
	}
}

func TestPut(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	server.CreateBucket(t, bucket)
	store := open(t, rootOf(server))
	for name, tt := range map[string]struct {
		key  string
		size int64
	}{
		"nothing":                {"empty.log", 0},
		"one byte":               {"a/one.log", 1},
		"more than dialects cut": {"a/b/24577.log", 24577},
		"a request":              {"request.log", atOnce},
		"a request and a byte":   {"requests.log", atOnce + 1},
		"a part":                 {"part.log", partSize},
		"a part and a byte":      {"parts.log", partSize + 1},
		"a strange name":         {"日志 dir/a+b&c=d?#%25;'\"\\\u00e9/~.log", 100},
		"a long name":            {strings.Repeat(strings.Repeat("x", 200)+"/", 5) + strings.Repeat("y", maxKey-5*201), 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := randomBytes(t, 2, tt.size)
			if err := store.Put(t.Context(), Object{Bucket: bucket, Key: tt.key}, bytes.NewReader(want), tt.size); err != nil {
				t.Fatal(err)
			}
			if got := server.Object(t, bucket, tt.key); !bytes.Equal(got, want) {
				t.Errorf("read back %d bytes that differ from the %d that were put", len(got), len(want))
			}
			if got := server.ContentType(t, bucket, tt.key); got != contentType {
				t.Errorf("content type %q", got)
			}
		})
	}
}

func TestPutReplaces(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	server.CreateBucket(t, bucket)
	store := open(t, rootOf(server))
	for _, output := range []string{"the first, longer one", "the second"} {
		if err := store.Put(t.Context(), Object{Bucket: bucket, Key: "x"}, strings.NewReader(output), int64(len(output))); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(server.Object(t, bucket, "x")); got != "the second" {
		t.Errorf("read back %q", got)
	}
}

// TestPutReadsNoFurther: output may have grown since its size was taken.
func TestPutReadsNoFurther(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	server.CreateBucket(t, bucket)
	store := open(t, rootOf(server))
	r := strings.NewReader("0123456789")
	if err := store.Put(t.Context(), Object{Bucket: bucket, Key: "x"}, r, 4); err != nil {
		t.Fatal(err)
	}
	if got := string(server.Object(t, bucket, "x")); got != "0123" || r.Len() != 6 {
		t.Errorf("put %q and left %d bytes", got, r.Len())
	}
}

func TestPutUnreadable(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	server.CreateBucket(t, bucket)
	store := open(t, rootOf(server))
	broken := errors.New("the disk is broken")
	for name, tt := range map[string]struct {
		r    io.Reader
		size int64
		want error
	}{
		"small, broken": {iotest.ErrReader(broken), 10, broken},
		"small, short":  {strings.NewReader("123"), 10, nil},
		"large, broken": {io.MultiReader(random(3, 2*partSize), iotest.ErrReader(broken)), 4 * partSize, broken},
		"large, short":  {random(3, 3*partSize+1), 4 * partSize, nil},
		"negative size": {strings.NewReader("123"), -1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := store.Put(t.Context(), Object{Bucket: bucket, Key: "x"}, tt.r, tt.size)
			if err == nil || FaultOf(err) != FaultOther || Retryable(err) {
				t.Errorf("%v: %v, retryable %v", err, FaultOf(err), Retryable(err))
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("%v does not wrap %v", err, tt.want)
			}
		})
	}
}

func TestPutLeavesNothingUnfinished(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	server.CreateBucket(t, bucket)
	store := open(t, rootOf(server))
	if err := store.Put(t.Context(), Object{Bucket: bucket, Key: "x"}, random(3, 2*partSize), 3*partSize); err == nil {
		t.Error("a short output was put")
	}
	if objects, unfinished := server.Objects(t, bucket); len(objects)+len(unfinished) != 0 {
		t.Errorf("the bucket holds %q and unfinished uploads of %q", objects, unfinished)
	}
}

// TestRefused provokes each fault of a store that answers.
func TestRefused(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	server.CreateBucket(t, bucket)
	server.CreateBucket(t, "read-only")
	server.CreateLockedBucket(t, "locked")
	root := rootOf(server)
	if err := open(t, root).Put(t.Context(), Object{Bucket: "locked", Key: "x"}, strings.NewReader("first"), 5); err != nil {
		t.Fatal(err)
	}
	key := root
	key.AccessKey, key.SecretKey = server.CreateKey(t)
	server.Allow(t, "read-only", key.AccessKey, "s3:GetObject", "s3:ListBucket")
	unknown, wrong := root, root
	unknown.AccessKey = "nobody"
	wrong.SecretKey = "wrong"

	for name, tt := range map[string]struct {
		config      Config
		bucket, key string
		want        Fault
	}{
		"no such bucket":     {root, "elsewhere", "x", FaultNoBucket},
		"no bucket's name":   {root, "Not_A_Bucket", "x", FaultNoBucket},
		"another's bucket":   {key, bucket, "x", FaultDenied},
		"a read-only bucket": {key, "read-only", "x", FaultDenied},
		"an unknown key":     {unknown, bucket, "x", FaultDenied},
		"a wrong secret":     {wrong, bucket, "x", FaultDenied},
		"a locked object":    {root, "locked", "x", FaultImmutable},
		"no name":            {root, bucket, "", FaultInvalidName},
		"a long name":        {root, bucket, strings.Repeat("x", maxKey+1), FaultInvalidName},
		"a way out":          {root, bucket, "a/../../b", FaultInvalidName},
	} {
		for what, size := range map[string]int64{"at once": atOnce, "in parts": partSize + 1} {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				err := open(t, tt.config).Put(t.Context(), Object{Bucket: tt.bucket, Key: tt.key}, random(4, size), size)
				if err == nil || FaultOf(err) != tt.want || Retryable(err) {
					t.Errorf("%v: %v, retryable %v, want %v", err, FaultOf(err), Retryable(err), tt.want)
				}
			})
		}
	}
}

func TestCheckBucket(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	server.CreateBucket(t, bucket)
	server.CreateBucket(t, "other")
	key := rootOf(server)
	key.AccessKey, key.SecretKey = server.CreateKey(t)
	server.Allow(t, bucket, key.AccessKey, "s3:PutObject", "s3:ListBucket")
	store := open(t, key)

	if err := store.CheckBucket(t.Context(), bucket); err != nil {
		t.Error(err)
	}
	if err := store.Put(t.Context(), Object{Bucket: bucket, Key: "x"}, strings.NewReader("output"), 6); err != nil {
		t.Error(err)
	}
	for bucket, want := range map[string]Fault{"other": FaultDenied, "missing": FaultNoBucket, "not/one": FaultNoBucket} {
		if err := store.CheckBucket(t.Context(), bucket); err == nil || FaultOf(err) != want {
			t.Errorf("%s: %v: %v, want %v", bucket, err, FaultOf(err), want)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := s3test.StartTLS(t)
	server.CreateBucket(t, bucket)
	want := randomBytes(t, 5, partSize+1)

	t.Run("trusted", func(t *testing.T) {
		t.Parallel()
		store := open(t, rootOf(server))
		if err := store.Put(t.Context(), Object{Bucket: bucket, Key: "x"}, bytes.NewReader(want), int64(len(want))); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(server.Object(t, bucket, "x"), want) {
			t.Error("read back other bytes")
		}
	})
	for name, change := range map[string]func(*Config){
		"unknown authority": func(c *Config) { c.CAFile = "" },
		"other name":        func(c *Config) { c.Endpoint = strings.Replace(c.Endpoint, "127.0.0.1", "127.0.0.2", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := rootOf(server)
			change(&config)
			err := open(t, config).Put(t.Context(), Object{Bucket: bucket, Key: "y"}, strings.NewReader("x"), 1)
			if err == nil || FaultOf(err) != FaultUnreachable {
				t.Errorf("%v: %v", err, FaultOf(err))
			}
		})
	}
	t.Run("without TLS", func(t *testing.T) {
		t.Parallel()
		config := rootOf(server)
		config.Endpoint = strings.Replace(config.Endpoint, "https:", "http:", 1)
		if err := open(t, config).Put(t.Context(), Object{Bucket: bucket, Key: "y"}, strings.NewReader("x"), 1); err == nil {
			t.Error("it was put")
		}
	})
}

func TestPlainServer(t *testing.T) {
	t.Parallel()
	config := rootOf(s3test.Start(t))
	config.Endpoint = strings.Replace(config.Endpoint, "http:", "https:", 1)
	err := open(t, config).CheckBucket(t.Context(), bucket)
	if err == nil || FaultOf(err) != FaultUnreachable || Retryable(err) {
		t.Errorf("%v: %v, retryable %v", err, FaultOf(err), Retryable(err))
	}
}

// TestHostStyle gives each bucket a host, as the vendors' stores do.
func TestHostStyle(t *testing.T) {
	t.Parallel()
	server := s3test.StartTLS(t)
	server.CreateBucket(t, bucket)
	config := rootOf(server)
	config.Endpoint, config.PathStyle, config.Timeout = "https://"+s3test.Domain, false, time.Minute
	dialed := make(chan string, 10)
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialed <- addr
		return new(net.Dialer).DialContext(ctx, network, server.Addr)
	}
	store, err := newStore(config, dial, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Put(t.Context(), Object{Bucket: bucket, Key: "a/b"}, strings.NewReader("output"), 6); err != nil {
		t.Fatal(err)
	}
	if host := <-dialed; host != bucket+"."+s3test.Domain+":443" {
		t.Errorf("dialed %s", host)
	}
	if got := string(server.Object(t, bucket, "a/b")); got != "output" {
		t.Errorf("read back %q", got)
	}
}

// TestUnreachable: neither the library's retries nor a silent network hold an upload longer than the timeout.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	closed := listen(t)
	_ = closed.Close()
	silent := listen(t) // connections are made by the kernel, and nobody ever reads from them
	const timeout = 300 * time.Millisecond
	for name, endpoint := range map[string]string{
		"closed port":     "http://" + closed.Addr().String(),
		"silent":          "http://" + silent.Addr().String(),
		"silent with TLS": "https://" + silent.Addr().String(),
		"no such host":    "http://nowhere.invalid",
	} {
		for what, size := range map[string]int64{"small": 10, "large": 2 * partSize} {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				store := open(t, Config{Endpoint: endpoint, AccessKey: "k", SecretKey: "s", PathStyle: true, Timeout: timeout})
				start := time.Now()
				err := store.Put(t.Context(), Object{Bucket: bucket, Key: "x"}, random(6, size), size)
				if err == nil || FaultOf(err) != FaultUnreachable || !Retryable(err) {
					t.Errorf("%v: %v, retryable %v", err, FaultOf(err), Retryable(err))
				}
				if took := time.Since(start); took > 10*timeout { // the machine may be busy, but retries would take longer
					t.Errorf("it took %v", took)
				}
			})
		}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() })
	return lis
}

// proxy leads to the server and leaves to forward how bytes get there. It returns how to use it.
func proxy(t *testing.T, server *s3test.Server, forward func(to io.Writer, from io.Reader)) Config {
	t.Helper()
	lis := listen(t)
	go func() {
		for {
			client, err := lis.Accept()
			if err != nil {
				return
			}
			_ = client.(*net.TCPConn).SetReadBuffer(64 << 10) // what is not read does not leave the client
			go func() {
				defer func() { _ = client.Close() }()
				conn, err := net.Dial("tcp", server.Addr)
				if err != nil {
					return
				}
				defer func() { _ = conn.Close() }()
				go forward(conn, client)
				_, _ = io.Copy(client, conn)
			}()
		}
	}()
	config := rootOf(server)
	config.Endpoint, config.Timeout = "http://"+lis.Addr().String(), 500*time.Millisecond
	return config
}

// TestStalls: a store that begins to take the body and then falls silent is as unreachable as one that never did.
func TestStalls(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	server.CreateBucket(t, bucket)
	var parts atomic.Bool
	config := proxy(t, server, func(to io.Writer, from io.Reader) {
		_, _ = io.CopyN(to, from, partSize/2) // all of the first request, and half of the second
		parts.Store(true)
	})
	err := open(t, config).Put(t.Context(), Object{Bucket: bucket, Key: "x"}, random(7, partSize), partSize)
	if FaultOf(err) != FaultUnreachable || !Retryable(err) || !parts.Load() {
		t.Errorf("%v: %v, retryable %v", err, FaultOf(err), Retryable(err))
	}
}

// TestSlow: a slow store is not a silent one, however long it takes altogether.
func TestSlow(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	server.CreateBucket(t, bucket)
	config := proxy(t, server, func(to io.Writer, from io.Reader) {
		for err := error(nil); err == nil; {
			_, err = io.CopyN(to, from, partSize/16)
			time.Sleep(50 * time.Millisecond) // is what the test is about
		}
	})
	start := time.Now()
	if err := open(t, config).Put(t.Context(), Object{Bucket: bucket, Key: "x"}, random(7, partSize), partSize); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took < config.Timeout {
		t.Errorf("it took only %v", took)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	server.CreateBucket(t, bucket)
	store := open(t, rootOf(server))
	for name, size := range map[string]int64{"at once": 10, "in parts": 3 * partSize} {
		ctx, cancel := context.WithCancel(t.Context())
		halfway := io.MultiReader(random(8, size/2), readerFunc(func([]byte) (int, error) {
			cancel()
			return 0, nil
		}), random(9, size))
		err := store.Put(ctx, Object{Bucket: bucket, Key: "x"}, halfway, size)
		if !errors.Is(err, context.Canceled) || FaultOf(err) != FaultOther || !Retryable(err) {
			t.Errorf("%s: %v: %v, retryable %v", name, err, FaultOf(err), Retryable(err))
		}
		if objects, unfinished := server.Objects(t, bucket); len(objects)+len(unfinished) != 0 {
			t.Errorf("%s: the bucket holds %q and unfinished uploads of %q", name, objects, unfinished)
		}
	}
}

// readerFunc is called for its effect and then over.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) {
	if n, err := f(p); n > 0 || err != nil {
		return n, err
	}
	return 0, io.EOF
}

func TestNew(t *testing.T) {
	t.Parallel()
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string // empty if it is accepted
	}{
		"complete":       {func(*Config) {}, ""},
		"slash":          {func(c *Config) { c.Endpoint += "/" }, ""},
		"no TLS":         {func(c *Config) { c.Endpoint = "http://10.0.0.1" }, ""},
		"no endpoint":    {func(c *Config) { c.Endpoint = "" }, "endpoint"},
		"no scheme":      {func(c *Config) { c.Endpoint = "s3.example.com:9000" }, "endpoint"},
		"other scheme":   {func(c *Config) { c.Endpoint = "oss://s3.example.com" }, "endpoint"},
		"path":           {func(c *Config) { c.Endpoint += "/bucket" }, "endpoint"},
		"user":           {func(c *Config) { c.Endpoint = "https://u:hidden@s3.example.com" }, "u:xxxxx@"},
		"no host":        {func(c *Config) { c.Endpoint = "https://:9000" }, "endpoint"},
		"strange host":   {func(c *Config) { c.Endpoint = "https://a_b!c" }, "a_b!c"},
		"no key":         {func(c *Config) { c.AccessKey = "" }, "access key"},
		"no secret":      {func(c *Config) { c.SecretKey = "" }, "access key"},
		"negative time":  {func(c *Config) { c.Timeout = -1 }, "timeout"},
		"no such file":   {func(c *Config) { c.CAFile = notPEM + "x" }, "no such file"},
		"no certificate": {func(c *Config) { c.CAFile = notPEM }, "holds no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := Config{Endpoint: "https://s3.example.com:9000", AccessKey: "k", SecretKey: "s"}
			tt.change(&config)
			_, err := New(config, slog.New(slog.DiscardHandler))
			switch {
			case tt.want == "":
				if err != nil {
					t.Error(err)
				}
			case err == nil || !strings.Contains(err.Error(), tt.want):
				t.Errorf("%v does not name %q", err, tt.want)
			}
		})
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	config := Config{Endpoint: "https://s3.example.com:9000/", AccessKey: "k", SecretKey: "s"}
	byHost := open(t, config)
	config.PathStyle = true
	byPath := open(t, config)
	got := []string{byHost.URL("b", "a b/c.log"), byPath.URL("b", "a b/c.log")}
	want := []string{"https://b.s3.example.com:9000/a%20b/c.log", "https://s3.example.com:9000/b/a%20b/c.log"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestEncryption looks at what the store is asked for.
func TestEncryption(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		object Object
		want   http.Header
	}{
		"as the bucket says": {Object{KeyID: "unused"}, http.Header{}},
		"the store's key":    {Object{Encryption: EncryptAES256}, http.Header{"X-Amz-Server-Side-Encryption": {"AES256"}}},
		"a managed key": {
			Object{Encryption: EncryptKMS, KeyID: "k"},
			http.Header{"X-Amz-Server-Side-Encryption": {"aws:kms"}, "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": {"k"}},
		},
		"the default managed key": {Object{Encryption: EncryptKMS}, http.Header{"X-Amz-Server-Side-Encryption": {"aws:kms"}}},
	} {
		got := http.Header{}
		asked, err := tt.object.ask()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if asked != nil {
			asked.Marshal(got)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPutEncrypted(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	server.CreateBucket(t, bucket)
	want := []byte("output")
	o := Object{Bucket: bucket, Key: "x", Encryption: EncryptAES256}
	if err := open(t, rootOf(server)).Put(t.Context(), o, bytes.NewReader(want), int64(len(want))); err != nil {
		t.Fatal(err)
	}
	if got := server.Object(t, bucket, "x"); !bytes.Equal(got, want) {
		t.Errorf("read back %q", got)
	}
}
