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

	"github.com/spf13/cobra"

	"errand/internal/client"
	"errand/internal/server"
)

// Exit codes besides 0 and 1.
const (
	exitUsage  exitCode = 2
	exitDenied exitCode = 4 // not authenticated or not allowed
)

// connection is how a command reaches a server, and how it shows the answer.
type connection struct {
	server, data, ca string
	format
}

// connectHelp is the end of the help of every group of commands that talk to a server.
const connectHelp = `

The server is --server or ERRAND_SERVER, by default http://127.0.0.1:8470. The caller is the access key in ERRAND_ACCESS_KEY_ID and
ERRAND_ACCESS_KEY_SECRET (with ERRAND_TOKEN, if it is a temporary one) or the bearer token in ERRAND_TOKEN; without these, the root key
in the data folder of a server on this machine (--data or ERRAND_DATA).

Exit codes: 0 success, 1 the server or the way to it failed or refused, 2 wrong usage, 4 not authenticated or not allowed.`

func (c *connection) add(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&c.server, "server", "http://127.0.0.1:8470", "`URL` of the server")
	flags.StringVar(&c.data, "data", "", "data `DIR` of a server on this machine, for its root key")
	flags.StringVar(&c.ca, "ca-file", "", "`FILE` of certificates to trust besides the system's")
	c.format.add(flags)
}

// group makes the parent of commands that talk to a server.
func group(use, short, long string, make ...func(*connection) *cobra.Command) *cobra.Command {
	var c connection
	cmd := &cobra.Command{Use: use, Short: short, Long: long + connectHelp, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return usage(fmt.Errorf("%s wants a command; see %[1]s --help", cmd.CommandPath()))
	}}
	c.add(cmd)
	for _, m := range make {
		sub := m(&c)
		wanted := sub.Args
		sub.Args = func(cmd *cobra.Command, args []string) error { return usage(wanted(cmd, args)) }
		cmd.AddCommand(sub)
	}
	return cmd
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

// codeOf is the exit code of an error.
func codeOf(err error) int {
	var (
		code    exitCode
		wrong   usageError
		refused *client.Error
	)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &wrong):
		return int(exitUsage)
	case errors.As(err, &refused) && (refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden):
		return int(exitDenied)
	default:
		return 1
	}
}

// dial makes the client.
func (c *connection) dial() (*client.Client, error) {
	if err := c.format.check(); err != nil {
		return nil, err
	}
	config := client.Config{
		URL: c.server, KeyID: os.Getenv("ERRAND_ACCESS_KEY_ID"), Secret: os.Getenv("ERRAND_ACCESS_KEY_SECRET"), Token: os.Getenv("ERRAND_TOKEN"),
		CAFile: c.ca, Agent: "errand/" + version,
	}
	if config.KeyID == "" && config.Token == "" {
		cred, err := c.root()
		if err != nil {
			return nil, err
		}
		config.KeyID, config.Secret = cred.AccessKeyID, cred.AccessKeySecret
	}
	return client.New(config)
}

// root reads the root key that a server on this machine has made.
func (c *connection) root() (cred server.Credentials, err error) {
	dir := c.data
	if dir == "" {
		dir = defaultData()
	}
	text, err := os.ReadFile(filepath.Join(dir, "root-credentials.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return cred, fmt.Errorf("no access key: set ERRAND_ACCESS_KEY_ID and ERRAND_ACCESS_KEY_SECRET, or --data (%w)", err)
	}
	if err == nil {
		err = json.Unmarshal(text, &cred)
	}
	if err != nil {
		return cred, fmt.Errorf("root key: %w", err)
	}
	return cred, nil
}

// call makes one call.
func (c *connection) call(cmd *cobra.Command, method, path string, query url.Values, body, answer any) error {
	api, err := c.dial()
	if err != nil {
		return err
	}
	return api.Call(cmd.Context(), method, path, query, body, answer)
}
