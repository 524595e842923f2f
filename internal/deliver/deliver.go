// Package deliver puts the output of finished tasks into an S3-compatible object store that the operator configured: one task, one object.
// It uploads, names objects, and says in neutral words why an upload did not work; what is delivered, when, and how often it is tried again
// is its caller's business.
package deliver

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

const (
	defaultTimeout = 30 * time.Second
	defaultRegion  = "us-east-1" // what stores without regions expect in a signature

	// atOnce is the longest output, in bytes, that goes with the first request. A store that refuses a request may close the connection
	// without reading its body, and its answer is lost if that is not yet sent by then. Longer output is therefore sent in parts, after the
	// store allowed it.
	atOnce = 64 << 10

	// partSize is the smallest part S3 accepts, and all that an upload holds in memory.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
	partSize = 5 << 20

	// Output is shown rather than saved by a browser that opens it.
	contentType = "text/plain; charset=utf-8"
)

// Config is one endpoint as the operator configured it.
type Config struct {
	Endpoint  string // https://host[:port]; http is for stores on the same machine or network
	Region    string // as in the signature; empty: what the endpoint's name says, or us-east-1
	AccessKey string
	SecretKey string
	PathStyle bool          // host/bucket/key instead of bucket.host/key
	CAFile    string        // PEM certificates of authorities to trust besides the system's
	Timeout   time.Duration // how long the store may be silent before an upload fails; 30 s if zero
}

// Store uploads to one endpoint. It may be used from many goroutines.
type Store struct {
	client    *minio.Client
	endpoint  *url.URL
	pathStyle bool
	log       *slog.Logger
}

// New checks the configuration without calling the endpoint.
func New(c Config, log *slog.Logger) (*Store, error) {
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	dialer := net.Dialer{Timeout: c.Timeout}
	return newStore(c, dialer.DialContext, log)
}

func newStore(c Config, dial dialFunc, log *slog.Logger) (*Store, error) {
	endpoint, err := parseEndpoint(c.Endpoint)
	if err != nil {
		return nil, err
	}
	if c.AccessKey == "" || c.SecretKey == "" {
		return nil, errors.New("object store: the access key or its secret is missing")
	}
	if c.Timeout < 0 {
		return nil, fmt.Errorf("object store: negative timeout %v", c.Timeout)
	}
	roots, err := authorities(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("object store: authorities: %w", err)
	}
	lookup := minio.BucketLookupDNS
	if c.PathStyle {
		lookup = minio.BucketLookupPath
	}
	client, err := minio.New(endpoint.Host, &minio.Options{
		Creds:        credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""),
		Secure:       endpoint.Scheme == "https",
		Region:       cmp.Or(c.Region, s3utils.GetRegionFromURL(*endpoint), defaultRegion),
		BucketLookup: lookup,
		Transport:    newTransport(dial, roots, c.Timeout),
		MaxRetries:   1, // no retries: the caller has its own, and knows more
	})
	if err != nil {
		return nil, fmt.Errorf("object store: %w", err)
	}
	return &Store{client, endpoint, c.PathStyle, log}, nil
}

func parseEndpoint(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("object store: endpoint: %w", err)
	}
	bare := url.URL{Scheme: u.Scheme, Host: u.Host}
	if u.Path == "/" {
		u.Path = ""
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || *u != bare {
		return nil, fmt.Errorf("object store: endpoint %q is not of the form https://host:port", u.Redacted())
	}
	return u, nil
}

// authorities are the system's and those in the file, if one is named.
func authorities(file string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	if file == "" {
		return pool, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return pool, nil
}

// Object is a place for an upload.
type Object struct {
	Bucket, Key string
	Encryption  Encryption
	KeyID       string // of the key, with EncryptKMS; empty means the store's default
}

// Encryption is how the store is asked to encrypt an object.
type Encryption uint8

// The encryptions.
const (
	EncryptAsBucket Encryption = iota // as the bucket says
	EncryptAES256                     // under a key of the store
	EncryptKMS                        // under a key of a key management service
)

// ask is the encryption in the library's words; nil asks for none.
func (o *Object) ask() (encrypt.ServerSide, error) {
	switch o.Encryption {
	case EncryptAES256:
		return encrypt.NewSSE(), nil
	case EncryptKMS:
		return encrypt.NewSSEKMS(o.KeyID, nil)
	case EncryptAsBucket:
	}
	return nil, nil
}

// Put uploads one object of exactly size bytes from r, which is not used after Put returned. An object of the same name is replaced, where
// the bucket allows that. Memory is bounded by one part of 5 MiB, whatever the size. Nothing is tried twice; see Retryable.
func (s *Store) Put(ctx context.Context, o Object, r io.Reader, size int64) error {
	if err := s.put(ctx, &o, r, size); err != nil {
		return fmt.Errorf("put %s/%s: %w", o.Bucket, o.Key, err)
	}
	s.log.DebugContext(ctx, "output delivered", "bucket", o.Bucket, "object", o.Key, "bytes", size)
	return nil
}

func (s *Store) put(ctx context.Context, o *Object, r io.Reader, size int64) error {
	if err := checkBucket(o.Bucket); err != nil {
		return err
	}
	if err := checkKey(o.Key); err != nil {
		return err
	}
	encryption, err := o.ask()
	if err != nil {
		return err
	}
	if size < 0 {
		return fmt.Errorf("negative size %d", size)
	}
	var body io.Reader = &source{r, size}
	if size <= atOnce {
		// A request that failed may still be reading its body for a moment, which therefore is not r. Parts are copies already.
		buf := make([]byte, size)
		if _, err := io.ReadFull(body, buf); err != nil {
			return err
		}
		body = bytes.NewReader(buf)
	} else {
		size = -1 // makes the library send parts, until the source ends where it shall
	}
	_, err = s.client.PutObject(ctx, o.Bucket, o.Key, body, size, minio.PutObjectOptions{
		ContentType:          contentType,
		PartSize:             partSize,
		SendContentMd5:       true, // so that the store checks what it got
		ServerSideEncryption: encryption,
	})
	return err
}

// CheckBucket reports whether the bucket exists and lets this key look at it.
func (s *Store) CheckBucket(ctx context.Context, bucket string) error {
	err := checkBucket(bucket)
	if err == nil {
		var exists bool
		if exists, err = s.client.BucketExists(ctx, bucket); err == nil && !exists {
			err = &refusal{FaultNoBucket, "it does not exist"}
		}
	}
	if err != nil {
		return fmt.Errorf("bucket %s: %w", bucket, err)
	}
	return nil
}

// URL is where the object is found at this endpoint, for those who may read it.
func (s *Store) URL(bucket, key string) string {
	u := *s.endpoint
	if s.pathStyle {
		u.Path = "/" + bucket
	} else {
		u.Host = bucket + "." + u.Host
	}
	return ObjectURL(u.String(), key)
}

// source gives size bytes of r and tells its errors from those of the network.
type source struct {
	r    io.Reader
	left int64
}

func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.r.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	switch {
	case s.left == 0:
		err = nil
	case errors.Is(err, io.EOF):
		err = &sourceError{fmt.Errorf("it ends %d bytes too early", s.left)}
	case err != nil:
		err = &sourceError{err}
	}
	return n, err
}

type sourceError struct{ cause error }

func (e *sourceError) Error() string { return "read output: " + e.cause.Error() }
func (e *sourceError) Unwrap() error { return e.cause }
