package deliver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/url"
	"testing"

	"github.com/minio/minio-go/v7"
)

func TestFaultOf(t *testing.T) {
	t.Parallel()
	answer := func(status int, code, message string) error {
		return minio.ErrorResponse{StatusCode: status, Code: code, Message: message}
	}
	asked := func(err error) error { return &url.Error{Op: "Put", URL: "https://store/b/k", Err: err} }
	for name, tt := range map[string]struct {
		err       error
		want      Fault
		retryable bool
	}{
		"no error":          {nil, FaultOther, false},
		"unknown":           {errors.New("x"), FaultOther, false},
		"no bucket":         {answer(404, "NoSuchBucket", ""), FaultNoBucket, false},
		"bad bucket":        {answer(400, "InvalidBucketName", ""), FaultNoBucket, false},
		"denied":            {answer(403, "AccessDenied", "Access Denied."), FaultDenied, false},
		"account closed":    {answer(403, "UserDisable", ""), FaultDenied, false},
		"not authenticated": {answer(401, "Unauthorized", ""), FaultDenied, false},
		"OSS worm":          {answer(409, "FileImmutable", ""), FaultImmutable, false},
		"OSS no overwrite":  {answer(409, "FileAlreadyExists", ""), FaultImmutable, false},
		"MinIO lock":        {answer(400, "ObjectLocked", ""), FaultImmutable, false},
		"S3 lock":           {answer(403, "AccessDenied", "Access Denied because object protected by object lock."), FaultImmutable, false},
		"OSS name":          {answer(400, "InvalidObjectName", ""), FaultInvalidName, false},
		"S3 long name":      {answer(400, "KeyTooLongError", ""), FaultInvalidName, false},
		"COS long name":     {answer(400, "KeyTooLong", ""), FaultInvalidName, false},
		"wrong region":      {answer(400, "AuthorizationHeaderMalformed", ""), FaultOther, false},
		"not made":          {answer(501, "NotImplemented", ""), FaultOther, false},
		"busy":              {answer(503, "SlowDown", ""), FaultOther, true},
		"gateway":           {answer(502, "502 Bad Gateway", ""), FaultOther, true},
		"throttled":         {answer(429, "", ""), FaultOther, true},
		"late body":         {answer(400, "RequestTimeout", ""), FaultOther, true},
		"error with 200":    {answer(200, "InternalError", ""), FaultOther, true},
		"damaged":           {answer(400, "BadDigest", ""), FaultOther, true},
		"network":           {asked(errors.New("connection refused")), FaultUnreachable, true},
		"half an answer":    {io.ErrUnexpectedEOF, FaultUnreachable, true},
		"deadline":          {context.DeadlineExceeded, FaultUnreachable, true},
		"untrusted":         {asked(&tls.CertificateVerificationError{Err: errors.New("expired")}), FaultUnreachable, false},
		"cancelled":         {asked(context.Canceled), FaultOther, true},
		"unread":            {&sourceError{answer(404, "NoSuchKey", "")}, FaultOther, false},
		"unread, network":   {&sourceError{asked(io.EOF)}, FaultOther, false},
	} {
		err := tt.err
		if err != nil {
			err = fmt.Errorf("put: %w", err)
		}
		if got, retryable := FaultOf(err), Retryable(err); got != tt.want || retryable != tt.retryable {
			t.Errorf("%s: %v, retryable %v, want %v, %v", name, got, retryable, tt.want, tt.retryable)
		}
	}
}

func TestFaultString(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for f := FaultOther; f <= FaultInvalidName; f++ {
		if s := f.String(); s == "" || seen[s] {
			t.Errorf("fault %d: %q", f, s)
		}
		seen[f.String()] = true
	}
}
