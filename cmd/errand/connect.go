package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"errand/internal/client"
	"errand/internal/server"
)

// connection is how a command reaches a server, and how it shows the answer. server, ca and what proves the caller are as the flags say until
// resolve has looked at the rest.
type connection struct {
	server, data, ca, context string
	format

	flags    *pflag.FlagSet
	resolved bool
	proof    proof
	confirm  int       // ask before more nodes than this are changed
	sources  []setting // where everything comes from
}

// proof is what a caller proves itself by.
type proof struct{ keyID, secret, token string }

// setting is a value with where it comes from.
type setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

// connectHelp is the end of the help of every group of commands that talk to a server.
const connectHelp = `

The server is --server or ERRAND_SERVER, else that of the context (errand ctx), else the one that runs on this machine. The caller is the access key in
ERRAND_ACCESS_KEY_ID and ERRAND_ACCESS_KEY_SECRET (with ERRAND_TOKEN, if it is a temporary one) or the bearer token in ERRAND_TOKEN, else that of the
context, else the root key in the data folder of a server on this machine (--data or ERRAND_DATA). See also errand help environment and errand help
exit-codes.`

// defaultServer is where a server listens that was told nothing else.
const defaultServer = "http://127.0.0.1:8470"

// defaultConfirm is for how many nodes a change is made without asking.
const defaultConfirm = 10

func (c *connection) add(cmd *cobra.Command) {
	c.flags = cmd.PersistentFlags()
	c.flags.StringVar(&c.server, "server", "", "`URL` of the server; left out, that of the context or of this machine")
	c.flags.StringVar(&c.data, "data", "", "data `DIR` of a server on this machine, for its address and its root key")
	c.flags.StringVar(&c.ca, "ca-file", "", "`FILE` of certificates to trust besides the system's")
	c.flags.StringVar(&c.context, "context", "", "`NAME` of the context to use; see errand ctx")
	c.format.add(c.flags)
}

// group makes the parent of commands that talk to a server.
func group(use, short, long string, make ...func(*connection) *cobra.Command) *cobra.Command {
	var c connection
	cmd := &cobra.Command{Use: use, Short: short, Long: long + connectHelp, Args: cobra.ArbitraryArgs, RunE: needsCommand}
	c.add(cmd)
	for _, m := range make {
		sub := m(&c)
		wanted := sub.Args
		sub.Args = func(cmd *cobra.Command, args []string) error { return usage(wanted(cmd, args)) }
		cmd.AddCommand(sub)
	}
	return cmd
}

// needsCommand is what a parent of commands does by itself: it says which ones there are that sound like what was asked for.
func needsCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage(fmt.Errorf("%s wants a command; see %[1]s --help", cmd.CommandPath()))
	}
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	text := fmt.Sprintf("%s has no command %q", cmd.CommandPath(), args[0])
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		text += "; did you mean " + strings.Join(like, " or ") + "?"
	}
	return usage(fmt.Errorf("%s; see %s --help", text, cmd.CommandPath()))
}

// usageError is a wrong use of the program.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// resolve decides which server is called and as whom: flags first, then the environment, the context and the server on this machine.
func (c *connection) resolve() error {
	if c.resolved {
		return nil
	}
	saved, file, err := loadSettings()
	if err != nil {
		return err
	}
	name, p := c.context, &profile{}
	origin := c.given("context")
	if name == "" && c.data == "" { // who names a folder means the server on this machine
		name, origin = saved.Current, file
	}
	if name != "" {
		if p, err = saved.find(name); err != nil {
			return usage(err)
		}
		c.note("context", name, origin)
	}
	from := fmt.Sprintf("context %s", name)
	c.take("data", &c.data, p.Data, from)
	c.take("server", &c.server, p.Server, from)
	c.take("ca-file", &c.ca, p.CAFile, from)
	c.confirm = defaultConfirm
	if p.ConfirmOver != nil {
		c.confirm = *p.ConfirmOver
		c.note("confirm-over", strconv.Itoa(c.confirm), from)
	}
	if err := c.prove(p, from); err != nil {
		return err
	}
	if c.server == "" {
		c.server, origin = c.local()
		c.note("server", c.server, origin)
	}
	c.resolved = true
	return nil
}

// given says where a flag that was given comes from: the command line, or its variable.
func (c *connection) given(flag string) string {
	if c.flags == nil {
		return "flag"
	}
	if f := c.flags.Lookup(flag); f != nil && len(f.Annotations[fromVariable]) > 0 {
		return f.Annotations[fromVariable][0]
	}
	return "--" + flag
}

// take fills a value that no flag gave from the context.
func (c *connection) take(name string, value *string, saved, from string) {
	origin := c.given(name)
	if *value == "" {
		*value, origin = saved, from
	}
	c.note(name, *value, origin)
}

func (c *connection) note(name, value, origin string) {
	if value != "" {
		c.sources = append(c.sources, setting{name, value, origin})
	}
}

// prove finds out as whom to call: what the environment says, or the context, or the root key of a server on this machine.
func (c *connection) prove(p *profile, from string) (err error) {
	env := proof{os.Getenv("ERRAND_ACCESS_KEY_ID"), os.Getenv("ERRAND_ACCESS_KEY_SECRET"), os.Getenv("ERRAND_TOKEN")}
	switch {
	case env.keyID != "" || env.token != "":
		c.proof = env
		c.note("access-key-id", env.keyID, "ERRAND_ACCESS_KEY_ID")
		c.note("access-key-secret", masked(env.secret), "ERRAND_ACCESS_KEY_SECRET")
		c.note("token", masked(env.token), "ERRAND_TOKEN")
	case p.Server != "" && p.Server != c.server:
		// The key of one server is not shown to another.
		return c.proveRoot()
	case p.KeyID != "" || p.Token != "":
		c.proof.keyID = p.KeyID
		if c.proof.secret, err = reveal(p.Secret); err != nil {
			return err
		}
		if c.proof.token, err = reveal(p.Token); err != nil {
			return err
		}
		c.note("access-key-id", p.KeyID, from)
		c.note("access-key-secret", masked(p.Secret), from)
		c.note("token", masked(p.Token), from)
	case p.Server != "":
		return fmt.Errorf("%s names no access key: set one with errand ctx add", from)
	default:
		return c.proveRoot()
	}
	return nil
}

func (c *connection) proveRoot() error {
	cred, file, err := c.root()
	if err != nil {
		return err
	}
	c.proof.keyID, c.proof.secret = cred.AccessKeyID, cred.AccessKeySecret
	c.note("access-key-id", cred.AccessKeyID, file)
	c.note("access-key-secret", masked(cred.AccessKeySecret), file)
	return nil
}

// dial makes the client.
func (c *connection) dial() (*client.Client, error) {
	if err := c.format.check(); err != nil {
		return nil, err
	}
	if err := c.resolve(); err != nil {
		return nil, err
	}
	return client.New(client.Config{
		URL: c.server, KeyID: c.proof.keyID, Secret: c.proof.secret, Token: c.proof.token, CAFile: c.ca, Agent: "errand/" + version,
	})
}

func (c *connection) folder() string {
	if c.data != "" {
		return c.data
	}
	return defaultData()
}

// root reads the root key that a server on this machine has made.
func (c *connection) root() (cred server.Credentials, file string, err error) {
	file = filepath.Join(c.folder(), "root-credentials.json")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return cred, file, fmt.Errorf(
			"no access key: set ERRAND_ACCESS_KEY_ID and ERRAND_ACCESS_KEY_SECRET, choose a context with errand ctx, or start a server here with errand up (%w)", err)
	}
	if err == nil {
		err = json.Unmarshal(text, &cred)
	}
	if err != nil {
		return cred, file, fmt.Errorf("root key: %w", err)
	}
	return cred, file, nil
}

// addressFile holds, in the data folder of a server, the URL at which it is reached from its own machine.
const addressFile = "address"

// local is the address of a server on this machine and where it is known from.
func (c *connection) local() (address, origin string) {
	file := filepath.Join(c.folder(), addressFile)
	if text, err := os.ReadFile(file); err == nil {
		return strings.TrimSpace(string(text)), file
	}
	return defaultServer, "default"
}

// leaveAddress writes a server's address into its data folder, for commands on the same machine.
func leaveAddress(data string, s *server.Server) error {
	return os.WriteFile(filepath.Join(data, addressFile), []byte(loopback(s.URL())+"\n"), 0o600)
}

// loopback is the URL of a server as programs on its own machine reach it.
func loopback(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	if host := u.Hostname(); host == "0.0.0.0" || host == "::" {
		u.Host = "127.0.0.1:" + u.Port()
	}
	return u.String()
}

// call makes one call.
func (c *connection) call(cmd *cobra.Command, method, path string, query url.Values, body, answer any) error {
	api, err := c.dial()
	if err != nil {
		return err
	}
	return api.Call(cmd.Context(), method, path, query, body, answer)
}

// denied reports whether the server refused somebody whom it does not know or who may not do this.
func denied(err error) bool {
	var refused *client.Error
	return errors.As(err, &refused) && (refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden)
}
