package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"errand/internal/client"
)

func newContext() *cobra.Command {
	var f format
	cmd := &cobra.Command{
		Use: "ctx", Aliases: []string{"context"}, Short: "Choose which server to talk to, and as whom",
		Long: `A context is a server and a caller under a name. Contexts are in errand/config.yaml in the user's configuration folder, which nobody else may read.
Secrets stand there as they are, or as file:PATH or env:NAME and are then read when they are needed. errand ctx - goes back to the context before.

What a flag says counts most, then what the environment says (ERRAND_SERVER, ERRAND_ACCESS_KEY_ID, ERRAND_CONTEXT and so on), then the context, then the server
on this machine. The key of a context goes to the context's own server only.`,
		Example: `  errand ctx add lab --server http://127.0.0.1:8470 --access-key-id ek0123456789abcdefgh --access-key-secret file:~/.errand-lab
  errand ctx use lab
  errand ctx ls`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "-" {
				return useContext(cmd, "-")
			}
			return needsCommand(cmd, args)
		},
	}
	f.add(cmd.PersistentFlags())
	for _, sub := range []*cobra.Command{contextAdd(), contextList(&f), contextUse(), contextShow(&f), contextRemove()} {
		wanted := sub.Args
		sub.Args = func(cmd *cobra.Command, args []string) error { return usage(wanted(cmd, args)) }
		cmd.AddCommand(sub)
	}
	return cmd
}

func contextAdd() *cobra.Command {
	var p profile
	var over int
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Make a context, or change one",
		Long: `Makes a context, or changes in one that is there what is given. The first one becomes the current one. A secret given as - is read from standard input, so
that it stands in no history; file:PATH and env:NAME leave it where it is.`,
		Example: `  errand ctx add lab --server http://127.0.0.1:8470 --access-key-id ek0123456789abcdefgh --access-key-secret file:~/.errand-lab
  errand ctx add prod --server https://errand.example.com --token env:ERRAND_PROD_TOKEN --confirm-over 5
  errand ctx add here --data /var/lib/errand`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !contextName.MatchString(args[0]) {
				return usage(fmt.Errorf("a context's name is letters, digits, dots, _ and -, not %q", args[0]))
			}
			if cmd.Flags().Changed("confirm-over") {
				p.ConfirmOver = &over
			}
			return addContext(cmd, args[0], &p)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&p.Server, "server", "", "`URL` of the server")
	flags.StringVar(&p.CAFile, "ca-file", "", "`FILE` of certificates to trust besides the system's")
	flags.StringVar(&p.KeyID, "access-key-id", "", "`ID` of the access key")
	flags.StringVar(&p.Secret, "access-key-secret", "", "its `SECRET`: file:PATH, env:NAME, or - for standard input")
	flags.StringVar(&p.Token, "token", "", "security token of a temporary key, or a bearer token: file:PATH, env:NAME, or - for standard input")
	flags.StringVar(&p.Data, "data", "", "instead: data `DIR` of a server on this machine")
	flags.IntVar(&over, "confirm-over", defaultConfirm, "ask before more than `N` nodes are changed")
	return cmd
}

// addContext checks and saves a context.
func addContext(cmd *cobra.Command, name string, p *profile) error {
	if p.Secret == "-" || p.Token == "-" {
		text, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 1<<16))
		if err != nil {
			return err
		}
		secret := strings.TrimSpace(string(text))
		switch {
		case secret == "":
			return usage(errors.New("no secret on standard input"))
		case p.Secret == "-" && p.Token == "-":
			return usage(errors.New("only one secret can be read from standard input"))
		case p.Secret == "-":
			p.Secret = secret
		default:
			p.Token = secret
		}
	}
	s, file, err := loadSettings()
	if err != nil {
		return err
	}
	if s.Contexts == nil {
		s.Contexts = map[string]*profile{}
	}
	made := &profile{}
	if old := s.Contexts[name]; old != nil {
		*made = *old
	}
	made.change(p)
	if err := made.check(); err != nil {
		return usage(err)
	}
	s.Contexts[name] = made
	if s.Current == "" {
		s.Current = name
	}
	return s.save(file)
}

// change takes over what is set.
func (p *profile) change(by *profile) {
	for _, f := range []struct{ to, from *string }{
		{&p.Server, &by.Server}, {&p.CAFile, &by.CAFile}, {&p.KeyID, &by.KeyID}, {&p.Secret, &by.Secret}, {&p.Token, &by.Token}, {&p.Data, &by.Data},
	} {
		if *f.from != "" {
			*f.to = *f.from
		}
	}
	if by.ConfirmOver != nil {
		p.ConfirmOver = by.ConfirmOver
	}
}

// check refuses a context that cannot be used, and makes its paths good in any folder.
func (p *profile) check() (err error) {
	if p.Server == "" && p.Data == "" {
		return errors.New("a context wants a --server, or --data for one on this machine")
	}
	if u, err := url.Parse(p.Server); p.Server != "" {
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			return fmt.Errorf("%q is not https://HOST[:PORT]", p.Server)
		case u.Scheme == "http" && !client.Loopback(u.Hostname()):
			return fmt.Errorf("%s would carry the access key in clear: use https", p.Server)
		}
	}
	if p.KeyID != "" && p.Secret == "" {
		return errors.New("an access key wants its --access-key-secret")
	}
	for _, path := range []*string{&p.CAFile, &p.Data} {
		if *path != "" {
			if *path, err = filepath.Abs(*path); err != nil {
				return err
			}
		}
	}
	return nil
}

func contextList(f *format) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List the contexts", Example: "  errand ctx ls\n  errand ctx ls -o json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, _, err := loadSettings()
			if err != nil {
				return err
			}
			type row struct {
				Name    string `json:"name"`
				Current bool   `json:"current"`
				*profile
			}
			list := []row{}
			for _, name := range s.names() {
				p := *s.Contexts[name]
				p.Secret, p.Token = masked(p.Secret), masked(p.Token)
				list = append(list, row{name, name == s.Current, &p})
			}
			return f.show(cmd, map[string]any{"contexts": list}, "NAME CURRENT SERVER ACCESS-KEY-ID +DATA +CA-FILE", each(list, func(r *row) []string {
				mark := ""
				if r.Current {
					mark = "*"
				}
				return []string{r.Name, mark, r.Server, r.KeyID, r.Data, r.CAFile}
			}))
		},
	}
}

func contextUse() *cobra.Command {
	return &cobra.Command{
		Use: "use NAME", Short: "Make a context the current one; - is the one before", Example: "  errand ctx use lab\n  errand ctx use -", Args: cobra.ExactArgs(1),
		ValidArgsFunction: completeContexts,
		RunE:              func(cmd *cobra.Command, args []string) error { return useContext(cmd, args[0]) },
	}
}

func useContext(cmd *cobra.Command, name string) error {
	s, file, err := loadSettings()
	if err != nil {
		return err
	}
	if err := s.use(name); err != nil {
		return usage(err)
	}
	if err := s.save(file); err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.ErrOrStderr(), "context", s.Current)
	return err
}

func contextShow(f *format) *cobra.Command {
	var origin bool
	cmd := &cobra.Command{
		Use: "show [NAME]", Short: "Show what commands would use, and with --origin why",
		Long: `Shows the server and the caller that a command would use now, or with a NAME under that context. Of secrets only the last four characters are shown.`,
		Example: `  errand ctx show
  errand ctx show --origin
  errand ctx show lab -o json`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: completeContexts,
		RunE: func(cmd *cobra.Command, args []string) error {
			// The flags of any other command, as its environment sets them.
			var c connection
			probe := &cobra.Command{}
			c.add(probe)
			if err := fromEnvironment(probe.PersistentFlags()); err != nil {
				return err
			}
			if len(args) == 1 {
				c.context = args[0]
			}
			if err := c.resolve(); err != nil {
				return err
			}
			header := "SETTING VALUE +ORIGIN"
			if origin {
				header = "SETTING VALUE ORIGIN"
			}
			return f.show(cmd, map[string]any{"settings": c.sources}, header, each(c.sources, func(s *setting) []string {
				return []string{s.Name, s.Value, s.Origin}
			}))
		},
	}
	cmd.Flags().BoolVar(&origin, "origin", false, "show where each value comes from")
	return cmd
}

func contextRemove() *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Aliases: []string{"remove"}, Short: "Remove a context", Example: "  errand ctx rm lab", Args: cobra.ExactArgs(1),
		ValidArgsFunction: completeContexts,
		RunE: func(_ *cobra.Command, args []string) error {
			s, file, err := loadSettings()
			if err != nil {
				return err
			}
			if _, err := s.find(args[0]); err != nil {
				return usage(err)
			}
			delete(s.Contexts, args[0])
			if s.Current == args[0] {
				s.Current = ""
			}
			if s.Previous == args[0] {
				s.Previous = ""
			}
			return s.save(file)
		},
	}
}

// completeContexts offers the names of contexts.
func completeContexts(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	s, _, err := loadSettings()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return s.names(), cobra.ShellCompDirectiveNoFileComp
}
