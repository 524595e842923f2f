package reach

import (
	"net"
	"net/url"
	"testing"

	"golang.org/x/net/http/httpproxy"
)

// NO_PROXY means what it means to every other program in Go.
func TestExceptionsAsOthersReadThem(t *testing.T) {
	t.Parallel()
	lists := []string{
		"", "*", "a.test", ".a.test", "*.a.test", "*a.test", "A.test", " a.test , b.test", "a.test:443", "a.test:80", ":443", ",,", "test", ".", "192.0.2.1",
		"192.0.2.1:443", "192.0.2.1:80", "192.0.2.0/24", "192.0.2.9/24", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443", "2001:db8::/32",
		"0.0.0.0/0", "::ffff:192.0.2.1", "a.test.", "b.test,192.0.2.0/33", "x,*", "[]", "*.", "*:443",
	}
	hosts := []string{"a.test", "A.TEST", "x.a.test", "xa.test", "b.test", "test", "192.0.2.1", "198.51.100.1", "2001:db8::1", "2001:db9::1", "::ffff:192.0.2.1"}
	for _, list := range lists {
		judge := (&httpproxy.Config{HTTPSProxy: "http://p:1", NoProxy: list}).ProxyFunc()
		r, err := newRules("http://p:1", func(name string) string { return map[string]string{"NO_PROXY": list}[name] })
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range hosts {
			for _, port := range []string{"443", "4222"} {
				address := net.JoinHostPort(host, port)
				want, err := judge(&url.URL{Scheme: "https", Host: address})
				if err != nil {
					t.Fatal(err)
				}
				if got, _ := r.proxyFor("https", address); (got == nil) != (want == nil) {
					t.Errorf("NO_PROXY=%q %s: proxy %v, want %v", list, address, got, want)
				}
			}
		}
	}
}
