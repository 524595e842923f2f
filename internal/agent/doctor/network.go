package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"errand/internal/agent/identity"
	"errand/internal/agent/reach"
)

const (
	doorTimeout = 15 * time.Second
	expirySoon  = 14 * 24 * time.Hour
	clockFine   = 3 * time.Second // the Date of HTTP counts whole seconds
	clockOff    = 5 * time.Minute // beyond, a server takes a request to enrol for an old one
)

// door checks the way to the address that nodes enrol at.
func (e *exam) door(ctx context.Context, server string) {
	if server == "" {
		e.bad("server", Warn, "give --server", "which server this machine belongs to is not known, so that nothing is checked there")
		return
	}
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		e.bad("server", Fail, "it should look like https://errand.example.com", "%q is not the address of a server", server)
		return
	}
	address := addressOf(u)
	if err := e.Reach.Trust(); err != nil {
		e.bad("private CA", Fail, "name the right file with --ca-file, readable for the agent", "%v", err)
	}
	if !e.way(ctx, "server", u.Scheme, address) {
		return
	}
	if u.Scheme == "https" && !e.certificate(ctx, address) {
		return
	}
	e.knockAtDoor(ctx, u)
}

// way checks the proxy, names and TCP.
func (e *exam) way(ctx context.Context, what, scheme, address string) bool {
	d := e.Reach.Explain(scheme, address)
	e.ok(what+" proxy", "%s", d)
	via := address
	if proxy := e.Reach.ProxyAddress(scheme, address); proxy != "" {
		via = proxy
	}
	host, _, err := net.SplitHostPort(via)
	if err == nil && net.ParseIP(host) == nil {
		found, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			e.bad(what+" DNS", Fail, "check the name, /etc/resolv.conf and the name servers; or set a proxy, which may know more names", "%v", err)
			return false
		}
		e.ok(what+" DNS", "%s is %s", host, strings.Join(found, ", "))
	}
	conn, err := e.Reach.Dial(ctx, address)
	if err != nil {
		do := "check that the server listens there and that no firewall is in the way"
		switch {
		case errors.Is(err, reach.ErrProxyAuth):
			do = "put the right user and password into ERRAND_PROXY or the proxy variables"
		case d.Proxy != "":
			do = "check the proxy, and that it allows CONNECT to this port; or except the server with NO_PROXY"
		}
		e.bad(what+" TCP", Fail, do, "%v", err)
		return false
	}
	conn.Close()
	e.ok(what+" TCP", "connected to %s", address)
	return true
}

// certificate checks TLS.
func (e *exam) certificate(ctx context.Context, address string) bool {
	const check = "server TLS"
	conn, err := e.Reach.DialTLS(ctx, address)
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	switch {
	case err == nil:
	case errors.As(err, &authority):
		e.bad(check, Fail, "if the server has a certificate of a private CA, name its file with --ca-file; if not, somebody may be in between", "%v", err)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.bad(check, Fail, "renew the server's certificate, or set this machine's clock", "%v", err)
	case errors.As(err, &name):
		e.bad(check, Fail, "use the name in the certificate as the server's address, or get a certificate for this one", "%v", err)
	default:
		e.bad(check, Fail, "check that the server speaks TLS 1.2 or later on this port", "%v", err)
	}
	if err != nil {
		return false
	}
	defer conn.Close()
	t, ok := conn.(*tls.Conn)
	if !ok {
		return true
	}
	state := t.ConnectionState()
	leaf := state.PeerCertificates[0]
	left := leaf.NotAfter.Sub(e.Now())
	says := fmt.Sprintf("%s, certificate of %q by %q until %s",
		tls.VersionName(state.Version), leaf.Subject.CommonName, leaf.Issuer.CommonName, leaf.NotAfter.Format(time.DateOnly))
	if left < expirySoon {
		e.bad(check, Warn, "renew the server's certificate", "%s, which is in %s", says, left.Round(time.Hour))
		return true
	}
	e.ok(check, "%s", says)
	return true
}

// knockAtDoor asks for the server's health, and compares the clocks by the way.
func (e *exam) knockAtDoor(ctx context.Context, u *url.URL) {
	const check = "server answers"
	const do = "check that this is the address of an Errand server, and what stands in front of it"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("healthz").String(), nil)
	if err != nil {
		e.bad(check, Fail, do, "%v", err)
		return
	}
	began := e.Now()
	resp, err := e.Reach.Client(doorTimeout).Do(req)
	if err != nil {
		e.bad(check, Fail, do, "%v", err)
		return
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode != http.StatusOK {
		e.bad(check, Fail, do, "%s answers %s", req.URL, resp.Status)
	} else {
		e.ok(check, "%s answers %s", req.URL, resp.Status)
	}
	e.clock(resp.Header.Get("Date"), began)
}

// clock compares this machine's clock with the server's.
func (e *exam) clock(date string, began time.Time) {
	theirs, err := http.ParseTime(date)
	if err != nil {
		e.bad("clock", Warn, "", "the server does not tell the time")
		return
	}
	ended := e.Now()
	ours := began.Add(ended.Sub(began) / 2)
	off := ours.Sub(theirs).Round(time.Second)
	const do = "synchronise the clock, as with chrony or systemd-timesyncd"
	switch size := off.Abs(); {
	case size > clockOff:
		e.bad("clock", Warn, do, "this machine is %s off the server; nodes work all the same, enrolment is refused and schedules fire at other times", off)
	case size > clockFine:
		e.bad("clock", Warn, do, "this machine is %s off the server; times are corrected, schedules fire by this machine's clock", off)
	default:
		e.ok("clock", "within %s of the server", clockFine)
	}
}

// bus checks the way of messages. While an agent runs it is asked instead: a second connection with the same key looks like a copy of the node.
func (e *exam) bus(ctx context.Context, id identity.Identity) {
	if r := e.Running; r != nil && r.Connected {
		e.ok("bus", "the running agent is connected to %s", r.Bus)
		return
	}
	reached := false
	for _, s := range id.BusURLs {
		u, err := url.Parse(s)
		if err != nil || u.Port() == "" {
			e.bad("bus", Fail, "enrol again", "%q is not the address of a bus", s)
			continue
		}
		reached = e.way(ctx, "bus", "bus", u.Host) || reached
	}
	switch {
	case !reached:
	case e.Running != nil:
		e.bad("bus", Fail, "look into the agent's log: it says why it is not let in, or wait, if it has just lost the connection", "it can be reached, and the running agent is not connected")
	default:
		if err := e.Knock(ctx, id); err != nil {
			e.bad("bus", Fail, "if the key is refused, the node was removed or is connected elsewhere: enrol again", "%v", err)
			return
		}
		e.ok("bus", "the server takes the key of node %s", id.NodeID)
	}
}
