package sign

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Limits on what a stranger may send, checked before anything is stored or computed per item.
const (
	maxParams        = 4096    // query and form parameters together; the largest vendor limit is some hundreds of list items
	maxAuthorization = 8 << 10 // bytes of the Authorization header
	maxSignedHeaders = 64      // names in SignedHeaders
	maxKeyID         = 128     // bytes of an access key id
	maxToken         = 8 << 10 // bytes of a temporary or bearer token
	maxNonce         = 128     // bytes of a nonce
)

const formType = "application/x-www-form-urlencoded"

// Request is what a verifier looks at. Header keys are in canonical form, as net/http delivers them.
type Request struct {
	Method   string
	Path     string // escaped, as received
	RawQuery string // as received, without the question mark
	Host     string // the Host header, with its port
	Header   http.Header
	Body     []byte
	TLS      bool // the connection is encrypted
	Loopback bool // the peer is this machine
}

// NewRequest describes an incoming request whose body has been read.
func NewRequest(r *http.Request, body []byte) *Request {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return &Request{
		Method:   r.Method,
		Path:     r.URL.EscapedPath(),
		RawQuery: r.URL.RawQuery,
		Host:     r.Host,
		Header:   r.Header,
		Body:     body,
		TLS:      r.TLS != nil,
		Loopback: err == nil && peer.Addr().Unmap().IsLoopback(),
	}
}

// confidential reports whether nobody between client and server can read the request.
func (r *Request) confidential() bool {
	return r.TLS || r.Loopback
}

// Values holds decoded parameters by name. A parameter sent empty is present with an empty value.
type Values map[string]string

// Params decodes the query and, unless the content type says that the body is something else, the form in the body.
// Where a name occurs twice the last one counts, and the form counts over the query.
func Params(r *Request) (Values, error) {
	form := ""
	if isForm(r.Header.Get("Content-Type")) {
		form = string(r.Body)
	}
	return decode(r.RawQuery, form)
}

// isForm accepts an absent content type, because some clients send none.
func isForm(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.TrimSpace(media)
	return media == "" || strings.EqualFold(media, formType)
}

// decode merges encoded parameter lists, later ones over earlier ones. Both + and %20 are a blank.
func decode(lists ...string) (Values, error) {
	count := 0
	for _, list := range lists {
		count += strings.Count(list, "&") + 1
	}
	if count > maxParams {
		return nil, refuse(Undecodable, "more than %d parameters", maxParams)
	}
	params := make(Values)
	for _, list := range lists {
		for pair := range strings.SplitSeq(list, "&") {
			if pair == "" {
				continue
			}
			rawName, rawValue, _ := strings.Cut(pair, "=")
			name, err := url.QueryUnescape(rawName)
			if err != nil {
				return nil, refuse(Undecodable, "parameter name: %v", err)
			}
			value, err := url.QueryUnescape(rawValue)
			if err != nil {
				return nil, refuse(Undecodable, "parameter %.40q: %v", name, err)
			}
			params[name] = value
		}
	}
	return params, nil
}
