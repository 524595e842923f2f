package reach

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// Direct as the proxy means to use none, whatever the environment says.
const Direct = "direct"

// setting is a proxy and where it was set.
type setting struct {
	proxy  *url.URL // nil for none
	source string
}

// rules choose a proxy for an address.
type rules struct {
	http, https setting
	exceptions  []exception
}

func newRules(explicit string, env func(string) string) (rules, error) {
	lookup := func(name string) (value, source string) {
		for _, name := range []string{name, strings.ToLower(name)} {
			if env != nil && env(name) != "" {
				return env(name), name
			}
		}
		return "", ""
	}
	choose := func(name string) (setting, error) {
		value, source := explicit, "--proxy"
		if value == "" {
			value, source = lookup(name)
		}
		if value == "" {
			value, source = lookup("ALL_PROXY")
		}
		if value == "" || value == Direct {
			return setting{source: source}, nil
		}
		proxy, err := parseProxy(value)
		if err != nil {
			return setting{}, fmt.Errorf("%s: %w", source, err)
		}
		return setting{proxy, source}, nil
	}
	var r rules
	var err error
	if r.http, err = choose("HTTP_PROXY"); err != nil {
		return rules{}, err
	}
	if r.https, err = choose("HTTPS_PROXY"); err != nil {
		return rules{}, err
	}
	exceptions, _ := lookup("NO_PROXY")
	r.exceptions = parseExceptions(exceptions)
	return r, nil
}

// errProxy does not tell the address, and neither does whoever wraps it: half of a password may be what makes it unreadable.
var errProxy = errors.New(
	"not the address of a proxy, such as http://proxy.example.com:3128, or with https, socks5 or socks5h in place of http; " +
		"special characters in the password are written as %XX")

// parseProxy takes an address without a scheme for one with http, as everybody does.
func parseProxy(s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return nil, errProxy
	}
	ports := map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}
	port, known := ports[u.Scheme]
	if !known {
		return nil, errProxy
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return &url.URL{Scheme: u.Scheme, User: u.User, Host: net.JoinHostPort(u.Hostname(), port)}, nil
}

// Passwords returns the passwords in proxies' addresses that New would go by, plain and as they are written in an address. No log may have them.
func Passwords(explicit string, env func(string) string) (found []string) {
	r, err := newRules(explicit, env)
	if err != nil {
		return nil
	}
	for _, s := range []setting{r.http, r.https} {
		if s.proxy == nil || s.proxy.User == nil {
			continue
		}
		if password, ok := s.proxy.User.Password(); ok && password != "" {
			_, written, _ := strings.Cut(s.proxy.User.String(), ":")
			found = append(found, password, written)
		}
	}
	return found
}

// proxyFor returns the proxy for an address, nil if there is none for it, and why.
func (r rules) proxyFor(scheme, address string) (proxy *url.URL, why string) {
	s := r.https
	if scheme == "http" {
		s = r.http
	}
	if s.proxy == nil {
		if s.source != "" {
			return nil, s.source + " says to connect directly"
		}
		return nil, "no proxy is set"
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	host = strings.ToLower(host)
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil, "it is this machine, which is never reached through a proxy"
	}
	if slices.ContainsFunc(r.exceptions, func(e exception) bool { return e.covers(host, port) }) {
		return nil, "NO_PROXY excepts it from the proxy set by " + s.source
	}
	return s.proxy, "set by " + s.source
}

// Decision is how an address is reached.
type Decision struct {
	Address string `json:"address"`
	Proxy   string `json:"proxy,omitempty"` // without its password; empty for a direct connection
	Why     string `json:"why"`
}

// String tells the decision in words.
func (d Decision) String() string {
	if d.Proxy == "" {
		return fmt.Sprintf("%s is reached directly: %s", d.Address, d.Why)
	}
	return fmt.Sprintf("%s is reached through %s, %s", d.Address, d.Proxy, d.Why)
}

// Explain tells how the server at an address, of which scheme is "http" for plain HTTP and anything else for all others, is reached.
func (r *Reach) Explain(scheme, address string) Decision {
	proxy, why := r.rules.proxyFor(scheme, address)
	d := Decision{Address: address, Why: why}
	if proxy != nil {
		d.Proxy = proxy.Redacted()
	}
	return d
}

// ProxyAddress is where the proxy for an address listens, empty if there is none for it.
func (r *Reach) ProxyAddress(scheme, address string) string {
	if proxy, _ := r.rules.proxyFor(scheme, address); proxy != nil {
		return proxy.Host
	}
	return ""
}
