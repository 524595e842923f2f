package handout

import (
	"embed"
	"net"
	"net/url"
	"strings"
	"text/template"
)

// snippets are the settings by which each client reaches a server.
//
//go:embed env/*.txt
var snippets embed.FS

// Access is a server and a key for it.
type Access struct {
	Scheme, Endpoint, Host string
	TLS                    bool
	KeyID, Secret, Token   string
}

// NewAccess is the access to the server at an address, http(s)://HOST[:PORT].
func NewAccess(server *url.URL, keyID, secret, token string) Access {
	a := Access{
		Scheme: server.Scheme, Endpoint: server.Host, Host: server.Hostname(), TLS: server.Scheme == "https", KeyID: keyID, Secret: secret, Token: token,
	}
	if _, port, err := net.SplitHostPort(server.Host); err == nil && port == "" {
		a.Endpoint = server.Hostname()
	}
	return a
}

// Protocol is the scheme as some clients want it.
func (a Access) Protocol() string { return strings.ToUpper(a.Scheme) }

// Settings are what makes a client use a server, ready to copy. Clients are errand, aliyun, tccli, zenlayer, terraform, go and node.
func Settings(client string, a Access) (string, error) {
	t, err := template.ParseFS(snippets, "env/"+client+".txt")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, a)
	return b.String(), err
}
