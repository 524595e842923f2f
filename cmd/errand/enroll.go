package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
	"errand/internal/handout"
)

// enrolment is an order for a registration code and for the line to run on machines.
type enrolment struct {
	limit       int
	valid       time.Duration
	from, tags  []string
	prefix      string
	description string
	url         string
	wget        bool
}

// madeCode is a registration code with the line that installs an agent and enrols it.
type madeCode struct {
	native.NewRegistration
	Command string `json:"command"`
}

func newEnroll() *cobra.Command {
	var c connection
	var e enrolment
	cmd := &cobra.Command{
		Use:   "enroll",
		Short: "Make a registration code and the line that makes a machine a node",
		Long: `Makes a registration code and prints the line to run on each machine: it fetches the agent from the server (see errand server
--agent-packages), checks it, installs it as a service and makes the machine a node. The code is shown only this once. The line hands
it on inside its standard input, so that no list of processes shows it; it works as root and through sudo.

Machines reach the server at --url, by default the address that this command uses. With --ca-file the line brings that certificate with it, for
servers whose certificate is signed by a CA of your own. Proxies are those of the machine's own environment.` + connectHelp,
		Example: `  errand enroll
  errand enroll --limit 50 --valid 24h --from 10.0.0.0/8 --name-prefix web --tag role=web
  errand enroll --url https://errand.example.com --ca-file ca.pem
  errand enroll ls
  errand enroll revoke 0b5ktarq7d2mw3vf -o json`,
		Args: func(cmd *cobra.Command, args []string) error { return usage(cobra.NoArgs(cmd, args)) },
		RunE: func(cmd *cobra.Command, _ []string) error { return c.enroll(cmd, &e) },
	}
	c.add(cmd)
	flags := cmd.Flags()
	flags.IntVar(&e.limit, "limit", 1, "how many machines may join with the code")
	flags.DurationVar(&e.valid, "valid", time.Hour, "how long they may, up to 8760h")
	flags.StringSliceVar(&e.from, "from", nil, "only from this address or `NETWORK`; may be repeated")
	flags.StringVar(&e.prefix, "name-prefix", "", "`TEXT` before the number in the machines' names; left out, they are named after their host")
	flags.StringSliceVar(&e.tags, "tag", nil, "`KEY=VALUE` to label the machines with, and the code; may be repeated")
	flags.StringVar(&e.description, "description", "", "`TEXT` for people")
	flags.StringVar(&e.url, "url", "", "`URL` at which the machines reach the server; left out, --server")
	flags.BoolVar(&e.wget, "wget", false, "print a line for machines that have wget and no curl")
	cmd.AddCommand(enrollList(&c), enrollRevoke(&c))
	return cmd
}

func (c *connection) enroll(cmd *cobra.Command, e *enrolment) error {
	if err := c.resolve(); err != nil {
		return err
	}
	target, err := e.target(c.server)
	if err != nil {
		return usage(err)
	}
	tags, err := e.labels()
	if err != nil {
		return usage(err)
	}
	var ca []byte
	if c.ca != "" {
		if ca, err = os.ReadFile(c.ca); err != nil {
			return fmt.Errorf("trusted certificates: %w", err)
		}
	}
	if e.limit < 1 || e.valid < time.Second {
		return usage(errors.New("--limit is at least 1 and --valid at least 1s"))
	}
	var made madeCode
	body := map[string]any{
		"limit": e.limit, "valid_seconds": int(e.valid / time.Second), "networks": e.from, "name_prefix": e.prefix, "tags": tags, "description": e.description,
	}
	if err := c.call(cmd, http.MethodPost, "registration-codes", nil, body, &made.NewRegistration); err != nil {
		return err
	}
	made.Command = handout.Install{Server: target, ID: made.ID, Code: made.Code, Tags: e.tags, CA: ca, Wget: e.wget}.String()
	if c.structured() {
		return c.show(cmd, made, "", nil)
	}
	if u, err := url.Parse(target); err == nil && client.Loopback(u.Hostname()) {
		fmt.Fprintf(cmd.ErrOrStderr(), "errand: %s is this machine alone; --url names the address for others\n", target)
	}
	return made.describe(cmd.OutOrStdout())
}

// describe writes the code and the line for people.
func (m *madeCode) describe(w io.Writer) error {
	machines := "one machine"
	if m.Limit > 1 {
		machines = strconv.Itoa(m.Limit) + " machines"
	}
	_, err := fmt.Fprintf(w, "Code %s lets %s join until %s UTC. It is shown only now.\nOn each machine, run:\n\n%s\n", m.ID, machines, when(m.ExpiresAt), m.Command)
	return err
}

// target is the address for machines.
func (e *enrolment) target(server string) (string, error) {
	text := e.url
	if text == "" {
		text = server
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", fmt.Errorf("%q is not the address of a server, https://HOST[:PORT]", text)
	}
	if u.Scheme == "http" && !client.Loopback(u.Hostname()) {
		return "", fmt.Errorf("%s would carry the code in clear: use https", text)
	}
	return u.Scheme + "://" + u.Host, nil
}

// labels reads the tags. The agent takes them from its environment, where commas stand between them.
func (e *enrolment) labels() (map[string]string, error) {
	tags := map[string]string{}
	for _, t := range e.tags {
		key, value, ok := strings.Cut(t, "=")
		if _, twice := tags[key]; !ok || key == "" || twice || strings.ContainsFunc(t, func(r rune) bool { return r == ',' || r < ' ' || r == 0x7f }) {
			return nil, fmt.Errorf("--tag %q: want KEY=VALUE, once for each key", t)
		}
		tags[key] = value
	}
	return tags, nil
}

func codeState(r *native.Registration) string {
	switch {
	case r.Disabled:
		return "revoked"
	case r.Usable:
		return "open"
	case r.Registered >= r.Limit:
		return "used up"
	default:
		return "expired"
	}
}

const codeHeader = "ID STATE JOINED LIMIT EXPIRES NETWORKS NAME-PREFIX TAGS DESCRIPTION"

func codeRow(r *native.Registration) []string {
	var tags []string
	for k, v := range r.Tags {
		tags = append(tags, k+"="+v)
	}
	slices.Sort(tags)
	return []string{
		r.ID, codeState(r), strconv.Itoa(r.Registered), strconv.Itoa(r.Limit), when(r.ExpiresAt), joined(r.Networks), r.NamePrefix, joined(tags), r.Description,
	}
}

func enrollList(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List registration codes, the latest first", Example: "  errand enroll ls\n  errand enroll ls -o json",
		Args: func(cmd *cobra.Command, args []string) error { return usage(cobra.NoArgs(cmd, args)) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			all := native.Registrations{Registrations: []native.Registration{}}
			query := url.Values{"limit": {"1000"}}
			for {
				var page native.Registrations
				if err := c.call(cmd, http.MethodGet, "registration-codes", query, nil, &page); err != nil {
					return err
				}
				all.Registrations = append(all.Registrations, page.Registrations...)
				if page.Next == "" {
					return c.show(cmd, all, codeHeader, each(all.Registrations, codeRow))
				}
				query.Set("cursor", page.Next)
			}
		},
	}
}

func enrollRevoke(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "Let no further machine join with a code", Long: "Lets no further machine join with a code. The machines that did stay.",
		Example: "  errand enroll revoke 0b5ktarq7d2mw3vf",
		Args:    func(cmd *cobra.Command, args []string) error { return usage(cobra.ExactArgs(1)(cmd, args)) },
		RunE: func(cmd *cobra.Command, args []string) error {
			var r native.Registration
			if err := c.call(cmd, http.MethodPost, client.Path("registration-codes", args[0], "revoke"), nil, nil, &r); err != nil {
				return err
			}
			return c.show(cmd, r, codeHeader, [][]string{codeRow(&r)})
		},
	}
}
