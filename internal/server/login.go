package server

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"errand/internal/core"
	"errand/internal/login"
)

// LoginConfig is how people sign in with a browser.
type LoginConfig struct {
	PublicURL string        // how browsers reach the server, https://HOST[:PORT]; empty: as each request comes
	Idle      time.Duration // a login ends without use for so long; zero is core.DefaultLoginIdle
	Lifetime  time.Duration // and in any case after so long; zero is core.DefaultLogin

	OIDC login.OIDC // an identity provider; without an Issuer there is none
	// OIDCAccount is the number of the account whose users its people are; empty is the operator's.
	OIDCAccount string
	// OIDCSecretFile holds the client secret, instead of OIDC.ClientSecret.
	OIDCSecretFile string
}

// open makes the part that signs people in.
func (l *LoginConfig) open(c *Config, service *core.Service, seal *core.Sealer) (*login.Logins, error) {
	config := login.Config{
		Service: service, Sealer: seal, Now: c.Now, Log: c.Log, PublicURL: l.PublicURL, Idle: l.Idle, Lifetime: l.Lifetime,
	}
	if l.OIDC.Issuer != "" {
		provider, err := l.provider()
		if err != nil {
			return nil, err
		}
		config.OIDC = provider
	}
	logins, err := login.New(config)
	if err != nil {
		return nil, fmt.Errorf("sign-in: %w", err)
	}
	return logins, nil
}

func (l *LoginConfig) provider() (*login.OIDC, error) {
	p := l.OIDC
	p.Account = core.RootAccount
	if l.OIDCAccount != "" {
		n, err := strconv.ParseInt(l.OIDCAccount, 10, 64)
		if err != nil || n <= 0 {
			return nil, fmt.Errorf("the account of the identity provider's people, %q, is not the number of one", l.OIDCAccount)
		}
		p.Account = core.AccountID(n)
	}
	if l.OIDCSecretFile != "" {
		if p.ClientSecret != "" {
			return nil, errors.New("the identity provider's client secret is given twice, by itself and as a file")
		}
		text, err := os.ReadFile(l.OIDCSecretFile)
		if err != nil {
			return nil, fmt.Errorf("the identity provider's client secret: %w", err)
		}
		p.ClientSecret = strings.TrimSpace(string(text))
	}
	return &p, nil
}

func (l *LoginConfig) check() error {
	for _, d := range []time.Duration{l.Idle, l.Lifetime} {
		if d != 0 && (d < core.MinLogin || d > core.MaxLogin) {
			return fmt.Errorf("logins can last %v to %v", core.MinLogin, core.MaxLogin)
		}
	}
	return nil
}
