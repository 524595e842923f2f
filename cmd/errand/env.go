package main

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
)

// snippets are the settings by which each client reaches a server.
//
//go:embed env/*.txt
var snippets embed.FS

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

// access is what a snippet is about.
type access struct {
	Scheme, Endpoint, Host string
	TLS                    bool
	KeyID, Secret, Token   string
}

// Protocol is the scheme as some clients want it.
func (a access) Protocol() string { return strings.ToUpper(a.Scheme) }

func (c *connection) settings(w io.Writer, client string) error {
	if err := c.resolve(); err != nil {
		return err
	}
	u, err := url.Parse(c.server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		return usage(fmt.Errorf("--server %q is not http(s)://HOST[:PORT]", c.server))
	}
	a := access{
		Scheme: u.Scheme, Endpoint: u.Host, Host: u.Hostname(), TLS: u.Scheme == "https",
		KeyID: c.proof.keyID, Secret: c.proof.secret, Token: c.proof.token,
	}
	if _, port, err := net.SplitHostPort(u.Host); err == nil && port == "" {
		a.Endpoint = u.Hostname()
	}
	if a.KeyID == "" {
		return errors.New("the vendors' clients take no bearer token alone; use an access key, see errand key create")
	}
	t, err := template.ParseFS(snippets, "env/"+client+".txt")
	if err != nil {
		return err
	}
	return t.Execute(w, a)
}
