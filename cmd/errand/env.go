package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"errand/internal/handout"
)

// newEnv prints how to point the vendors' clients at a server.
func newEnv() *cobra.Command {
	var c connection
	cmd := &cobra.Command{
		Use:   "env aliyun|tccli|zenlayer|terraform|go|node",
		Short: "Print the settings that point a vendor's client at a server",
		Long: `Prints, ready to copy, what makes an unmodified client of a vendor use an errand server: shell lines for the three command lines, provider
blocks for Terraform, and a whole small program for the SDKs in Go and in Node.js. It calls no server; the secret is part of what it prints.` +
			connectHelp,
		Example: `  eval "$(errand env aliyun)"
  errand env terraform --server https://errand.example.com > provider.tf
  errand env go > main.go`,
		ValidArgs: []string{"aliyun", "tccli", "zenlayer", "terraform", "go", "node"},
		Args: func(cmd *cobra.Command, args []string) error {
			return usage(cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)(cmd, args))
		},
		RunE: func(cmd *cobra.Command, args []string) error { return c.settings(cmd.OutOrStdout(), args[0]) },
	}
	c.add(cmd)
	for _, flag := range []string{"output", "columns", "sort"} {
		_ = cmd.PersistentFlags().MarkHidden(flag) // there is one form for each client
	}
	return cmd
}

func (c *connection) settings(w io.Writer, client string) error {
	if err := c.resolve(); err != nil {
		return err
	}
	u, err := url.Parse(c.server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		return usage(fmt.Errorf("--server %q is not http(s)://HOST[:PORT]", c.server))
	}
	if c.proof.keyID == "" {
		return errors.New("the vendors' clients take no bearer token alone; use an access key, see errand key create")
	}
	text, err := handout.Settings(client, handout.NewAccess(u, c.proof.keyID, c.proof.secret, c.proof.token))
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}
