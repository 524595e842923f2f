package reach

import (
	"net"
	"net/netip"
	"strings"
)

// exception is one entry of NO_PROXY. It is read as golang.org/x/net/http/httpproxy reads it, which the agent does without because its tables
// for international names weigh more than the rest of this package together.
type exception struct {
	all    bool         // "*"
	prefix netip.Prefix // 10.0.0.0/8, or one address
	host   string       // the name itself, empty for ".example.com"
	suffix string       // with its dot
	port   string       // empty for any
}

func parseExceptions(list string) (found []exception) {
	for entry := range strings.SplitSeq(list, ",") {
		if entry = strings.ToLower(strings.TrimSpace(entry)); entry != "" {
			if e := parseException(entry); e != (exception{}) {
				found = append(found, e)
			}
		}
	}
	return found
}

// parseException returns nothing for what can mean nothing.
func parseException(s string) exception {
	if s == "*" {
		return exception{all: true}
	}
	if prefix, err := netip.ParsePrefix(s); err == nil {
		return exception{prefix: prefix.Masked()}
	}
	host, port := s, ""
	if h, p, err := net.SplitHostPort(s); err == nil {
		if h == "" {
			return exception{}
		}
		host, port = h, p
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return exception{prefix: netip.PrefixFrom(ip, ip.BitLen()), port: port}
	}
	if strings.HasPrefix(host, "*.") {
		host = host[1:]
	}
	if strings.HasPrefix(host, ".") {
		return exception{suffix: host, port: port}
	}
	return exception{host: host, suffix: "." + host, port: port}
}

// covers says whether a host, in lower case, and a port are excepted.
func (e exception) covers(host, port string) bool {
	if e.all {
		return true
	}
	if e.port != "" && e.port != port {
		return false
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return e.prefix.IsValid() && e.prefix.Contains(ip.Unmap())
	}
	return e.suffix != "" && (host == e.host || strings.HasSuffix(host, e.suffix))
}
