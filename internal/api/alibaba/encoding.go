package alibaba

import (
	"encoding/base64"
	"strings"
	"time"

	"errand/internal/core"
)

// Encoding is how content and output travel inside a field.
type Encoding int

// The encodings.
const (
	Base64 Encoding = iota
	PlainText
)

// ParseEncoding reads a ContentEncoding parameter. The vendor takes every unknown value for the default of the operation.
func ParseEncoding(s string, byDefault Encoding) Encoding {
	switch {
	case strings.EqualFold(s, "Base64"):
		return Base64
	case strings.EqualFold(s, "PlainText"):
		return PlainText
	default:
		return byDefault
	}
}

// Text renders bytes for a field. Plain text must be valid in JSON and XML whatever a command printed.
func (e Encoding) Text(b []byte) string {
	if e == PlainText {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return base64.StdEncoding.EncodeToString(b)
}

// Bytes reads what a caller sent in a field. Padding may be missing.
func (e Encoding) Bytes(s string) ([]byte, error) {
	if e == PlainText {
		return []byte(s), nil
	}
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "=\r\n"))
	if err != nil {
		return nil, Invalid(core.ReasonContentDecode, "CommandContent", err.Error())
	}
	return b, nil
}

// Time renders a moment, to the second; what has not happened is empty.
func Time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}
