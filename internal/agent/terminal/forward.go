package terminal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// dialTimeout bounds the attempt to reach a port.
const dialTimeout = 10 * time.Second

// errDenied says that an address is none that a caller may reach through a node.
var errDenied = errors.New("connections to this address are not allowed")

// metadata are addresses of clouds' metadata services outside of the link-local range, where credentials can be had for the asking:
// Alibaba Cloud, Azure and AWS.
var metadata = []netip.Addr{
	netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("168.63.129.16"), netip.MustParseAddr("fd00:ec2::254"),
}

// denied reports whether an address only makes sense to the node itself: one on its links, a metadata service, or no single machine's.
func denied(addr netip.Addr) bool {
	addr = addr.WithZone("").Unmap()
	return addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsUnspecified() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}) ||
		slices.Contains(metadata, addr)
}

// connection is the end of a session that leads to a TCP port.
type connection struct{ net.Conn }

// Exit means nothing here.
func (connection) Exit() (code, signal int, ok bool) { return 0, 0, false }

// forward connects to a port of a host, of this node if it is empty. The address is judged when it is about to be used, so that it does not
// matter what a name stood for before.
func forward(ctx context.Context, host string, port uint16) (end, error) {
	if host == "" {
		host = "localhost"
	}
	d := net.Dialer{Timeout: dialTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		addr, err := netip.ParseAddrPort(address)
		if err == nil && denied(addr.Addr()) {
			err = fmt.Errorf("%w: %s", errDenied, addr.Addr())
		}
		return err
	}}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(int(port))))
	if err != nil {
		return nil, err
	}
	return connection{conn}, nil
}

// Resize means nothing here.
func (connection) Resize(uint16, uint16) {}

// Close ends the connection.
func (c connection) Close() { _ = c.Conn.Close() } // nothing waits for what was not sent yet
