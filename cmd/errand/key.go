package main

import (
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
)

func newKey() *cobra.Command {
	return group("key", "Manage access keys",
		`Access keys let programs act for a user. A long key signs until it is disabled or deleted; a bearer token is sent as it is; a temporary
key (errand key issue) ends by itself. Secrets and tokens are shown only once, when they are made.`,
		keyList, keyCreate, keyIssue, keyRotate, keyDelete,
		func(c *connection) *cobra.Command { return keySwitch(c, "disable", "Refuse a key", true) },
		func(c *connection) *cobra.Command { return keySwitch(c, "enable", "Admit a key again", false) },
	)
}

const keyHeader = "ID USER KIND STATE CREATED EXPIRES LAST-USED DIALECTS NETWORKS"

func keyRow(k *native.Key) []string {
	return []string{
		k.ID, k.User, k.Kind, state(k.Disabled), when(&k.CreatedAt), when(k.ExpiresAt), when(k.LastUsedAt), joined(k.Dialects), joined(k.Networks),
	}
}

func (c *connection) showIssued(cmd *cobra.Command, k *native.IssuedKey) error {
	return c.show(cmd, k, "ID USER EXPIRES SECRET TOKEN", [][]string{{k.ID, k.User, when(k.ExpiresAt), k.Secret, k.Token}})
}

func keyList(c *connection) *cobra.Command {
	var user string
	var temporary bool
	cmd := &cobra.Command{
		Use: "list", Short: "List access keys", Example: "  errand key list\n  errand key list --user ann --temporary -o json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := "keys"
			if user != "" {
				path = client.Path("users", user, "keys")
			}
			query := url.Values{}
			if temporary {
				query.Set("temporary", "true")
			}
			var list native.Keys
			if err := c.call(cmd, http.MethodGet, path, query, nil, &list); err != nil {
				return err
			}
			return c.show(cmd, list, keyHeader, each(list.Keys, keyRow))
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "only those of a user, or of root, by `NAME`")
	cmd.Flags().BoolVar(&temporary, "temporary", false, "temporary keys too")
	return cmd
}

func keyCreate(c *connection) *cobra.Command {
	var body struct {
		Kind        string   `json:"kind"`
		Description string   `json:"description"`
		Dialects    []string `json:"dialects"`
		Networks    []string `json:"networks"`
		Hours       int      `json:"hours"`
	}
	var bearer bool
	cmd := &cobra.Command{
		Use: "create USER", Short: "Make an access key, or with --bearer a bearer token", Long: "Makes a key and prints its secret, which is shown only this once.",
		Example: `  errand key create ann
  errand key create ci --dialect ecs --network 10.0.0.0/8 --hours 720
  errand key create ci --bearer --description 'build server'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body.Kind = "long"
			if bearer {
				body.Kind = "bearer"
			}
			var k native.IssuedKey
			if err := c.call(cmd, http.MethodPost, client.Path("users", args[0], "keys"), nil, body, &k); err != nil {
				return err
			}
			return c.showIssued(cmd, &k)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&bearer, "bearer", false, "make a bearer token")
	flags.StringVar(&body.Description, "description", "", "`TEXT` for people")
	flags.StringSliceVar(&body.Dialects, "dialect", nil, "only through this `DIALECT`: ecs, eflo, tat, zos or native")
	flags.StringSliceVar(&body.Networks, "network", nil, "only from this address or `NETWORK`")
	flags.IntVar(&body.Hours, "hours", 0, "lifetime; 0 means for ever")
	return cmd
}

func keyIssue(c *connection) *cobra.Command {
	var role, file string
	var lifetime time.Duration
	cmd := &cobra.Command{
		Use: "issue", Short: "Issue a temporary key with a security token",
		Long: `Issues a key that ends by itself: of your own user, or of a role whose keys you may create. A policy narrows what it may do further.`,
		Example: `  errand key issue --role deploy --duration 15m
  errand key issue --policy only-web.json -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			body := map[string]any{"role": role, "duration_seconds": int(lifetime.Seconds())}
			if file != "" {
				text, err := readFile(cmd, file)
				if err != nil {
					return err
				}
				body["policy"] = string(text)
			}
			var k native.IssuedKey
			if err := c.call(cmd, http.MethodPost, "tokens", nil, body, &k); err != nil {
				return err
			}
			return c.showIssued(cmd, &k)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&role, "role", "", "act as this role, by `NAME`")
	flags.StringVar(&file, "policy", "", "`FILE` of a policy document that narrows the key; - is standard input")
	flags.DurationVar(&lifetime, "duration", time.Hour, "lifetime, 15m to 12h")
	return cmd
}

func keyRotate(c *connection) *cobra.Command {
	var overlap time.Duration
	cmd := &cobra.Command{
		Use: "rotate ID", Short: "Give a key a new secret under its old id",
		Long: "Prints the new secret. The old one stays good for the overlap, so that programs can be told one after another.",
		Example: `  errand key rotate ek0123456789abcdefgh
  errand key rotate ek0123456789abcdefgh --overlap 0s`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var k native.IssuedKey
			body := map[string]int{"overlap_seconds": int(overlap.Seconds())}
			if err := c.call(cmd, http.MethodPost, client.Path("keys", args[0], "rotate"), nil, body, &k); err != nil {
				return err
			}
			return c.showIssued(cmd, &k)
		},
	}
	cmd.Flags().DurationVar(&overlap, "overlap", 24*time.Hour, "how long the old secret stays good, up to a week")
	return cmd
}

func keyDelete(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "delete ID", Short: "Delete a key", Example: "  errand key delete ek0123456789abcdefgh", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, http.MethodDelete, client.Path("keys", args[0]), nil, nil, nil)
		},
	}
}

func keySwitch(c *connection, verb, short string, disabled bool) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ID", Short: short, Example: "  errand key " + verb + " ek0123456789abcdefgh", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var k native.Key
			if err := c.call(cmd, http.MethodPatch, client.Path("keys", args[0]), nil, map[string]bool{"disabled": disabled}, &k); err != nil {
				return err
			}
			return c.show(cmd, k, keyHeader, [][]string{keyRow(&k)})
		},
	}
}
