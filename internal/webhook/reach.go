package webhook

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// ReachError refuses a connection to an address that subscribers may not have.
type ReachError struct{ Why string }

func (e *ReachError) Error() string {
	return "the address is " + e.Why + ", which is not called from here"
}

// reach says which addresses may be called. It judges the address that is about to be connected to: what a name says about itself, and when,
// does not count.
type reach struct{ loopback, private bool }

// control is asked right before each connection (net.Dialer).
func (r reach) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address: %w", err)
	}
	return r.check(to.Addr())
}

// Metadata services of clouds hand out credentials to whoever calls from the machine: they are out of reach whatever the operator says.
// Most are link-local; these are not.
var metadata = [...]netip.Addr{
	netip.AddrFrom4([4]byte{100, 100, 100, 200}),                     // Alibaba Cloud
	netip.AddrFrom4([4]byte{192, 0, 0, 192}),                         // Oracle Cloud
	netip.AddrFrom16([16]byte{0xfd, 0, 0x0e, 0xc2, 14: 2, 15: 0x54}), // AWS
}

// notPublic are networks of no public host besides those that netip knows (IANA special-purpose address registries).
var notPublic = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"),
}

func (r reach) check(a netip.Addr) error {
	a = inner(a.WithZone(""))
	within := func(p netip.Prefix) bool { return p.Contains(a) }
	switch {
	case a.IsLinkLocalUnicast() || slices.Contains(metadata[:], a):
		return &ReachError{"link-local or a metadata service"}
	case a.IsMulticast() || a.IsUnspecified():
		return &ReachError{"no host's"}
	case a.IsLoopback():
		if !r.loopback && !r.private {
			return &ReachError{"this machine's own"}
		}
	case a.IsPrivate() || slices.ContainsFunc(notPublic[:], within):
		if !r.private {
			return &ReachError{"in a private network"}
		}
	}
	return nil
}

// Networks of IPv6 addresses that stand for an IPv4 address, and where in them it is.
var embedded = [...]struct {
	network netip.Prefix
	at      int
}{
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // SIIT (RFC 7915)
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64 (RFC 6052)
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4 (RFC 3056)
	{netip.MustParsePrefix("::/96"), 12},           // IPv4-compatible (RFC 4291)
}

// inner is the address that packets to a end up at.
func inner(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if a.Is4() || a.IsLoopback() || a.IsUnspecified() {
		return a
	}
	b := a.As16()
	for _, e := range embedded {
		if e.network.Contains(a) {
			return netip.AddrFrom4([4]byte(b[e.at : e.at+4]))
		}
	}
	return a
}
