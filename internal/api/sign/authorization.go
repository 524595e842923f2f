package sign

import (
	"slices"
	"strings"
)

// authorization is a parsed Authorization header of the form ACS3, TC3 and ZC2 share:
//
//	ALGORITHM Credential=..., SignedHeaders=name;name, Signature=...
type authorization struct {
	credential    string
	signedHeaders []string // lower case, each present in the request
	signature     string   // 64 lower-case hex digits
}

func parseAuthorization(r *Request, algorithm string) (*authorization, error) {
	params, err := authorizationParams(r, algorithm)
	if err != nil {
		return nil, err
	}
	var auth authorization
	var signed string
	for part := range strings.SplitSeq(params, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		var field *string
		switch name {
		case "Credential":
			field = &auth.credential
		case "SignedHeaders":
			field = &signed
		case "Signature":
			field = &auth.signature
		default:
			return nil, refuse(Malformed, "unknown part %.40q in Authorization", name)
		}
		if *field != "" {
			return nil, refuse(Malformed, "%s occurs twice in Authorization", name)
		}
		*field = value
	}
	if auth.credential == "" || signed == "" {
		return nil, refuse(Malformed, "Authorization needs Credential, SignedHeaders and Signature")
	}
	if !isHexHash(auth.signature) {
		return nil, refuse(Malformed, "Signature is not 64 lower-case hex digits")
	}
	auth.signedHeaders, err = splitSignedHeaders(r, signed)
	if err != nil {
		return nil, err
	}
	return &auth, nil
}

// authorizationParams returns what follows the algorithm.
func authorizationParams(r *Request, algorithm string) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", refuse(Malformed, "want one Authorization header, got %d", len(values))
	}
	if len(values[0]) > maxAuthorization {
		return "", refuse(Malformed, "Authorization has more than %d bytes", maxAuthorization)
	}
	name, params, _ := strings.Cut(values[0], " ")
	if name == algorithm {
		return params, nil
	}
	if family, _, _ := strings.Cut(algorithm, "-"); strings.HasPrefix(name, family+"-") {
		return "", refuse(Unsupported, "%.40q, want %s", name, algorithm)
	}
	return "", refuse(Malformed, "Authorization does not start with %s", algorithm)
}

func splitSignedHeaders(r *Request, list string) ([]string, error) {
	if strings.Count(list, ";") >= maxSignedHeaders {
		return nil, refuse(Malformed, "more than %d signed headers", maxSignedHeaders)
	}
	names := strings.Split(list, ";")
	for i, name := range names {
		switch {
		case name != strings.ToLower(name):
			return nil, refuse(Malformed, "signed header %.40q is not in lower case", name)
		case slices.Contains(names[:i], name):
			return nil, refuse(Malformed, "signed header %.40q occurs twice", name)
		case name != "host" && len(r.Header.Values(name)) == 0:
			return nil, refuse(Malformed, "signed header %.40q is absent", name)
		}
	}
	return names, nil
}

// requireSigned refuses a signature that leaves out one of the named headers.
func (a *authorization) requireSigned(names ...string) error {
	for _, name := range names {
		if !slices.Contains(a.signedHeaders, name) {
			return refuse(Malformed, "header %.40q is not signed", name)
		}
	}
	return nil
}

func isHexHash(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(text) == 64
}
