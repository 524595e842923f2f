package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
)

// defaultLogin is the context in which a login is kept that is given no other.
const defaultLogin = "login"

func newLogin() *cobra.Command {
	var c connection
	var keyID string
	var lifetime time.Duration
	cmd := &cobra.Command{
		Use: "login [CONTEXT]", Short: "Sign in with an access key, and keep a login instead of the key",
		Long: `Exchanges an access key for a login: a token that ends by itself, with the key, and by errand logout. It is kept in a context, which becomes the current one;
the key itself is not kept. The key is --key, with its secret on standard input, or else the one that other commands would use.` + connectHelp,
		Example: `  errand login
  errand login prod --server http://127.0.0.1:8470
  errand login --duration 1h`,
		Args: func(cmd *cobra.Command, args []string) error { return usage(cobra.MaximumNArgs(1)(cmd, args)) },
		RunE: func(cmd *cobra.Command, args []string) error {
			name := defaultLogin
			if len(args) > 0 {
				name = args[0]
			}
			if !contextName.MatchString(name) {
				return usage(fmt.Errorf("a context's name is letters, digits, dots, _ and -, not %q", name))
			}
			if lifetime < time.Minute {
				return usage(errors.New("--duration is at least a minute"))
			}
			api, err := loginClient(cmd, &c, keyID)
			if err != nil {
				return err
			}
			var k native.IssuedKey
			body := map[string]any{"duration_seconds": int(lifetime.Seconds()), "description": "errand login"}
			if err := api.Call(cmd.Context(), http.MethodPost, "logins", nil, body, &k); err != nil {
				return err
			}
			if err := keepLogin(name, &profile{Server: c.server, CAFile: c.ca, Token: k.Token}); err != nil {
				return err
			}
			return c.format.show(cmd, map[string]any{"context": name, "server": c.server, "user": k.User, "expires_at": k.ExpiresAt},
				"CONTEXT SERVER USER EXPIRES", [][]string{{name, c.server, k.User, when(k.ExpiresAt)}})
		},
	}
	c.add(cmd)
	cmd.Flags().StringVar(&keyID, "key", "", "`ID` of the access key, whose secret is read from standard input")
	cmd.Flags().DurationVar(&lifetime, "duration", 12*time.Hour, "how long the login lasts")
	return cmd
}

// loginClient calls with the key that was given, or else as other commands do.
func loginClient(cmd *cobra.Command, c *connection, keyID string) (*client.Client, error) {
	if keyID == "" {
		return c.dial()
	}
	if err := c.format.check(); err != nil {
		return nil, err
	}
	secret, err := readSecret(cmd)
	if secret == "" {
		return nil, usage(cmp.Or(err, errors.New("no secret on standard input")))
	}
	if c.server == "" {
		c.server, _ = c.local()
	}
	return client.New(client.Config{URL: c.server, KeyID: keyID, Secret: secret, CAFile: c.ca, Agent: "errand/" + version})
}

// keepLogin keeps a login as a context of its own, in place of what that held, and makes it the current one.
func keepLogin(name string, p *profile) error {
	s, file, err := loadSettings()
	if err != nil {
		return err
	}
	if s.Contexts == nil {
		s.Contexts = map[string]*profile{}
	}
	if old := s.Contexts[name]; old != nil {
		p.ConfirmOver = old.ConfirmOver
	}
	if err := p.check(); err != nil {
		return usage(err)
	}
	s.Contexts[name] = p
	if s.Current != name {
		if err := s.use(name); err != nil {
			return err
		}
	}
	return s.save(file)
}

func newLogout() *cobra.Command {
	var c connection
	cmd := &cobra.Command{
		Use: "logout", Short: "End the login of the current context, on the server too",
		Long:    `Ends the login on the server, so that a copy of it is worth nothing, and forgets the context that holds it.` + connectHelp,
		Example: "  errand logout", Args: func(cmd *cobra.Command, args []string) error { return usage(cobra.NoArgs(cmd, args)) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, file, err := loadSettings()
			if err != nil {
				return err
			}
			name := cmp.Or(c.context, s.Current)
			p := s.Contexts[name]
			if p == nil || p.Token == "" || p.KeyID != "" { // the login comes from elsewhere, if there is one
				return c.call(cmd, http.MethodDelete, "logins/mine", nil, nil, nil)
			}
			token, err := reveal(p.Token)
			if err != nil {
				return err
			}
			api, err := client.New(client.Config{URL: p.Server, Token: token, CAFile: p.CAFile, Agent: "errand/" + version})
			if err != nil {
				return err
			}
			err = api.Call(cmd.Context(), http.MethodDelete, "logins/mine", nil, nil, nil)
			var refused *client.Error
			if ended := errors.As(err, &refused) && refused.Status == http.StatusUnauthorized; err != nil && !ended {
				return err
			}
			delete(s.Contexts, name)
			if s.Current == name {
				s.Current = ""
			}
			return s.save(file)
		},
	}
	c.add(cmd)
	return cmd
}

func newWhoAmI() *cobra.Command {
	var c connection
	cmd := &cobra.Command{
		Use: "whoami", Short: "Say who the server takes the caller for",
		Long:    `Says which account and user calls are made as, by which key, and when that ends.` + connectHelp,
		Example: "  errand whoami\n  errand whoami -o json", Args: func(cmd *cobra.Command, args []string) error { return usage(cobra.NoArgs(cmd, args)) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			var me native.Identity
			if err := c.call(cmd, http.MethodGet, "whoami", nil, nil, &me); err != nil {
				return err
			}
			return c.format.show(cmd, me, "ACCOUNT USER KEY KIND EXPIRES POLICIES +ACCOUNT-NAME", [][]string{
				{me.Account, me.User, me.Key, me.Kind, when(me.ExpiresAt), joined(me.Policies), me.AccountName},
			})
		},
	}
	c.add(cmd)
	return cmd
}
