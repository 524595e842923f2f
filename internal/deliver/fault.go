package deliver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"
)

// Fault is why an upload did not work, in neutral words. Dialects name it.
type Fault uint8

// The faults that a caller can tell apart.
const (
	FaultOther       Fault = iota
	FaultUnreachable       // no connection, no trusted certificate, or no answer in time
	FaultDenied            // the operator's key is unknown, or may not write there
	FaultNoBucket          // no bucket has that name
	FaultImmutable         // an object of that name exists and must not be replaced
	FaultInvalidName       // no object can have that name
)

func (f Fault) String() string {
	switch f {
	case FaultUnreachable:
		return "the object store cannot be reached"
	case FaultDenied:
		return "access to the bucket is denied"
	case FaultNoBucket:
		return "the bucket does not exist"
	case FaultImmutable:
		return "the object exists and must not be changed"
	case FaultInvalidName:
		return "the name of the object is not allowed"
	case FaultOther:
	}
	return "the object could not be stored"
}

// FaultOf tells why Put or CheckBucket, or reading the name of a place, returned this error.
func FaultOf(err error) Fault {
	var refused *refusal
	var answer minio.ErrorResponse
	var unread *sourceError
	switch {
	case errors.As(err, &unread), errors.Is(err, context.Canceled):
		return FaultOther
	case errors.As(err, &refused):
		return refused.fault
	case errors.As(err, &answer):
		return faultOfAnswer(answer)
	case unanswered(err):
		return FaultUnreachable
	}
	return FaultOther
}

// faultOfAnswer reads what the store said, in the words of S3 and of the stores that follow it.
//
//   - https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
//   - https://www.alibabacloud.com/help/en/oss/user-guide/http-status-code-409
//   - https://www.tencentcloud.com/document/product/436/7730
func faultOfAnswer(answer minio.ErrorResponse) Fault {
	switch answer.Code {
	case "NoSuchBucket", "InvalidBucketName":
		return FaultNoBucket
	case "FileImmutable", "FileAlreadyExists", "ObjectLocked":
		return FaultImmutable
	case "InvalidObjectName", "XMinioInvalidObjectName", "InvalidURI", "KeyTooLong", "KeyTooLongError":
		return FaultInvalidName
	case "AccessDenied":
		if strings.Contains(answer.Message, "object lock") { // S3 has no code of its own for that
			return FaultImmutable
		}
	}
	if answer.StatusCode == http.StatusForbidden || answer.StatusCode == http.StatusUnauthorized {
		return FaultDenied
	}
	return FaultOther
}

// unanswered reports whether an error is the network's.
func unanswered(err error) bool {
	var request *url.Error
	var network net.Error
	return errors.As(err, &request) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF)
}

// Retryable reports whether the same upload may work later although nobody changed anything: the store was not reached, was busy or had a
// fault of its own, or the caller cancelled. Not so when the output could not be read: only the caller knows why.
func Retryable(err error) bool {
	var unread *sourceError
	var untrusted *tls.CertificateVerificationError
	var answer minio.ErrorResponse
	switch {
	case errors.Is(err, context.Canceled):
		return true
	case errors.As(err, &unread), errors.As(err, &untrusted), errors.Is(err, http.ErrSchemeMismatch):
		return false
	case errors.As(err, &answer):
		passing := []string{"BadDigest", "IncompleteBody", "InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown"}
		status := answer.StatusCode
		return slices.Contains(passing, answer.Code) || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests ||
			status >= 500 && status != http.StatusNotImplemented
	}
	return FaultOf(err) == FaultUnreachable
}

// refusal is a fault that shows before anything is sent.
type refusal struct {
	fault Fault
	text  string
}

func (e *refusal) Error() string { return e.text }
