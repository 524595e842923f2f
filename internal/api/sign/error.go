package sign

import "fmt"

// Kind says why a request was refused. Every dialect maps every kind to its vendor's error code.
type Kind int

// The reasons for refusing a request.
const (
	// Missing: a parameter the scheme needs is absent or empty; Error.Param names it.
	Missing Kind = iota + 1
	// Malformed: the signature data does not have the form the scheme prescribes.
	Malformed
	// Unsupported: the vendor defines this signature method, but it is not offered here.
	Unsupported
	// Undecodable: the query or form is not percent-encoded text, or has too many parameters.
	Undecodable
	// TimeFormat: the timestamp cannot be read.
	TimeFormat
	// TimeExpired: the timestamp is too far from the server's clock, in either direction.
	TimeExpired
	// Mismatch: the signature was not made with this secret over this request.
	Mismatch
	// Insecure: the request proves too little to be accepted in clear text from another machine.
	Insecure
)

func (k Kind) String() string {
	switch k {
	case Missing:
		return "parameter missing"
	case Malformed:
		return "signature malformed"
	case Unsupported:
		return "signature method not supported"
	case Undecodable:
		return "parameters undecodable"
	case TimeFormat:
		return "timestamp malformed"
	case TimeExpired:
		return "timestamp expired"
	case Mismatch:
		return "signature mismatch"
	case Insecure:
		return "transport insecure"
	}
	return fmt.Sprintf("kind %d", int(k))
}

// Error is the one error type of this package.
type Error struct {
	Kind Kind
	// Param is the vendor's name of the absent parameter, for Missing only. Alibaba and Tencent headers are given
	// the name of the parameter they stand for (Timestamp for x-acs-date and X-TC-Timestamp), because that is the
	// name their error messages use.
	Param string
	// Detail explains the refusal to the caller. It holds nothing secret.
	Detail string
	// StringToSign is what the server signed, for a Mismatch of an Alibaba scheme. Alibaba's clients compare it with
	// their own and tell a wrong secret from a request that was changed under way.
	StringToSign string
}

func (e *Error) Error() string {
	return e.Kind.String() + ": " + e.Detail
}

func missing(param string) error {
	return &Error{Kind: Missing, Param: param, Detail: param}
}

func refuse(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}
