package main

import (
	"github.com/spf13/pflag"

	"errand/internal/core"
)

// addLogin adds the flags about people who sign in.
func (f *serverFlags) addLogin(flags *pflag.FlagSet) {
	l := &f.Login
	flags.StringVar(&l.PublicURL, "public-url", "", "how browsers reach the server, `URL`; with https behind a proxy that speaks TLS")
	flags.DurationVar(&l.Idle, "login-idle", core.DefaultLoginIdle, "a login ends when it was not used for this `TIME`")
	flags.DurationVar(&l.Lifetime, "login-lifetime", core.DefaultLogin, "a login ends after this `TIME` in any case")
	flags.StringVar(&l.OIDC.Issuer, "oidc-issuer", "", "identity provider (OpenID Connect) that people sign in with, `URL`")
	flags.StringVar(&l.OIDC.ClientID, "oidc-client-id", "", "`ID` of this server at the identity provider")
	flags.StringVar(&l.OIDC.ClientSecret, "oidc-client-secret", "", "its `SECRET`; other users of this machine do not see it in ERRAND_OIDC_CLIENT_SECRET")
	flags.StringVar(&l.OIDCSecretFile, "oidc-client-secret-file", "", "`FILE` with its secret")
	flags.StringVar(&l.OIDCAccount, "oidc-account", "", "`NUMBER` of the account whose users its people are; left out, the operator's")
	flags.StringVar(&l.OIDC.Claim, "oidc-claim", "preferred_username", "`NAME` of what the identity provider says that is the name of a user here")
	flags.StringSliceVar(&l.OIDC.Scopes, "oidc-scopes", nil, "`SCOPES` to ask for besides openid; left out, profile and email")
	flags.StringVar(&l.OIDC.Name, "oidc-name", "", "what the login page calls the identity provider, `TEXT`; left out, its host")
	flags.BoolVar(&l.OIDC.CreateUsers, "oidc-create-users", false, "make a user of whoever the identity provider knows and this server does not")
	flags.StringVar(&l.OIDC.Policy, "oidc-policy", "", "`POLICY` that such a user gets, such as ReadOnlyAccess; left out, none")
}
