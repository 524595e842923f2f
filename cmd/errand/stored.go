package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
)

func newStored() *cobra.Command {
	return group("cmd", "Keep commands under a name, and run them",
		`A stored command is a script under a name, with its timeout, user and folder and with default values for the {{parameters}} in it. Every vendor's API sees the same
ones. A command is named by its name or its id; runs keep the copy that they were made with.`,
		storedList, storedShow, storedSave, storedEdit, storedRun, storedRemove,
	)
}

const storedHeader = "NAME TYPE PARAMETERS TIMEOUT RUNS LAST-RUN DESCRIPTION +ID +USER +UPDATED"

func storedRow(c *native.Command) []string {
	params := ""
	if c.TakesParams {
		params = "yes"
	}
	return []string{
		c.Name, c.Type, params, brief(time.Duration(c.Timeout) * time.Second), strconv.Itoa(c.Runs), when(c.LastRunAt), c.Description, c.ID, c.User, when(&c.UpdatedAt),
	}
}

func storedList(c *connection) *cobra.Command {
	var name string
	var types []string
	var limit int
	cmd := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List stored commands, the latest first", Example: "  errand cmd ls\n  errand cmd ls --type shell -o wide", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.dial()
			if err != nil {
				return err
			}
			query := url.Values{"type": types}
			if name != "" {
				query.Set("name", name)
			}
			list, err := listStored(cmd.Context(), api, query, limit)
			if err != nil {
				return err
			}
			return c.show(cmd, list, storedHeader, each(list.Commands, storedRow))
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "only that with this `NAME`")
	cmd.Flags().StringSliceVar(&types, "type", nil, "only of this `TYPE`: shell, powershell or bat")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most `N` commands")
	return cmd
}

func listStored(ctx context.Context, api *client.Client, query url.Values, limit int) (native.Commands, error) {
	all := native.Commands{Commands: []native.Command{}}
	err := client.Pages(ctx, api, "commands", query, limit, func(page native.Commands) (int, string) {
		all.Commands, all.Next = append(all.Commands, page.Commands...), page.Next
		return len(page.Commands), page.Next
	})
	return all, err
}

// stored finds a command by its name or its id.
func (c *connection) stored(cmd *cobra.Command, name string) (*client.Client, native.Command, error) {
	api, err := c.dial()
	if err != nil {
		return nil, native.Command{}, err
	}
	list, err := listStored(cmd.Context(), api, url.Values{"name": {name}}, 2)
	switch {
	case err != nil:
		return nil, native.Command{}, err
	case len(list.Commands) == 1:
		return api, list.Commands[0], nil
	case len(list.Commands) > 1:
		return nil, native.Command{}, usage(fmt.Errorf("several commands have the name %q: name it by its id, see errand cmd ls -o wide", name))
	}
	var one native.Command
	err = api.Call(cmd.Context(), http.MethodGet, client.Path("commands", name), nil, nil, &one)
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		err = fmt.Errorf("no stored command has the name or the id %q; errand cmd ls lists them", name)
	}
	return api, one, err
}

func storedShow(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Print a stored command's script, or with -o all about it", Example: "  errand cmd show greet\n  errand cmd show greet -o yaml", Args: cobra.ExactArgs(1),
		ValidArgsFunction: completeStored,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, one, err := c.stored(cmd, args[0])
			if err != nil {
				return err
			}
			if c.name != "table" {
				return c.show(cmd, &one, storedHeader, [][]string{storedRow(&one)})
			}
			out, end := (&watching{}).toTerminal(cmd.OutOrStdout())
			text := one.Content
			if one.ContentRaw != nil {
				text = string(one.ContentRaw)
			}
			if text != "" && !strings.HasSuffix(text, "\n") {
				text += "\n"
			}
			if _, err := fmt.Fprint(out, text); err != nil {
				return err
			}
			return end()
		},
	}
}

// storing is what save can say about a command besides its script.
type storing struct {
	description, user, cwd, launcher string
	timeout                          time.Duration
	params                           []string
}

func (s *storing) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&s.description, "description", "", "`TEXT` for people")
	flags.StringVar(&s.user, "as", "", "run as `USER` of the node")
	flags.StringVar(&s.cwd, "cwd", "", "run in `DIR` of the node")
	flags.StringVar(&s.launcher, "launcher", "", "the `PROGRAM` that reads the script")
	flags.DurationVar(&s.timeout, "timeout", time.Minute, "end it on a node after this time")
	flags.StringArrayVar(&s.params, "param", nil, "fill in {{name}} with this default, `NAME=VALUE`; may be repeated")
}

// body holds what was given.
func (s *storing) body(cmd *cobra.Command) (map[string]any, error) {
	b := map[string]any{}
	for flag, member := range map[string]struct {
		name  string
		value any
	}{
		"description": {"description", s.description}, "as": {"user", s.user}, "cwd": {"work_dir", s.cwd}, "launcher": {"launcher", s.launcher},
		"timeout": {"timeout_seconds", int64(s.timeout / time.Second)},
	} {
		if cmd.Flags().Changed(flag) {
			b[member.name] = member.value
		}
	}
	if len(s.params) > 0 {
		defaults, err := pairs("--param", s.params)
		if err != nil {
			return nil, err
		}
		b["defaults"] = defaults
	}
	return b, nil
}

func storedSave(c *connection) *cobra.Command {
	var s storing
	cmd := &cobra.Command{
		Use: "save NAME FILE", Short: "Store a script under a name, or put it in the place of the one that is there",
		Long: `Stores a script from a file, or with - from standard input. If there is a command of this name, what is given is changed and the rest stays.`,
		Example: `  errand cmd save deploy deploy.sh --timeout 10m --description 'bring out a release'
  echo 'echo hello {{who}}' | errand cmd save greet - --param who=world`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			what, err := scriptFrom(cmd, args[1], nil)
			if err != nil {
				return err
			}
			body, err := s.body(cmd)
			if err != nil {
				return usage(err)
			}
			for name, value := range what {
				body[name] = value
			}
			return c.save(cmd, args[0], body)
		},
	}
	s.add(cmd)
	return cmd
}

// save makes a command, or changes the one that has the name.
func (c *connection) save(cmd *cobra.Command, name string, body map[string]any) error {
	api, err := c.dial()
	if err != nil {
		return err
	}
	list, err := listStored(cmd.Context(), api, url.Values{"name": {name}}, 2)
	if err != nil {
		return err
	}
	var one native.Command // what is answered, and nothing of what was there before
	switch len(list.Commands) {
	case 0:
		body["name"] = name
		err = api.Call(cmd.Context(), http.MethodPost, "commands", nil, body, &one)
	case 1:
		err = api.Call(cmd.Context(), http.MethodPatch, client.Path("commands", list.Commands[0].ID), nil, body, &one)
	default:
		err = usage(fmt.Errorf("several commands have the name %q", name))
	}
	if err != nil {
		return err
	}
	return c.show(cmd, &one, storedHeader, [][]string{storedRow(&one)})
}

func storedEdit(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "edit NAME", Short: "Change a stored command's script in an editor",
		Long: `Opens the script in VISUAL, EDITOR or vi, and stores it if it was changed.`, Example: "  EDITOR='sed -i s/hello/hi/' errand cmd edit greet", Args: cobra.ExactArgs(1),
		ValidArgsFunction: completeStored,
		RunE: func(cmd *cobra.Command, args []string) error {
			api, one, err := c.stored(cmd, args[0])
			if err != nil {
				return err
			}
			if one.ContentRaw != nil {
				return errors.New("the command is not text")
			}
			text, err := edited(cmd, one.Name, one.Content)
			if err != nil {
				return err
			}
			if text == one.Content {
				_, err := fmt.Fprintln(cmd.ErrOrStderr(), "errand: nothing was changed")
				return err
			}
			var changed native.Command
			if err := api.Call(cmd.Context(), http.MethodPatch, client.Path("commands", one.ID), nil, map[string]string{"content": text}, &changed); err != nil {
				return err
			}
			return c.show(cmd, &changed, storedHeader, [][]string{storedRow(&changed)})
		},
	}
}

// edited lets somebody change a text in the editor of their choice.
func edited(cmd *cobra.Command, name, text string) (string, error) {
	dir, err := os.MkdirTemp("", "errand-edit-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir) // what stays is in a folder for what may go
	file := filepath.Join(dir, fileName(name)+".sh")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", err
	}
	editor := os.Getenv("VISUAL")
	if editor == "" {
		editor = os.Getenv("EDITOR")
	}
	if editor == "" {
		editor = "vi"
	}
	// An editor may be given with arguments, as every program that asks for one allows.
	run := exec.CommandContext(cmd.Context(), "sh", "-c", editor+` "$1"`, "sh", file) //nolint:gosec // the user's own editor
	run.Stdin, run.Stdout, run.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	if err := run.Run(); err != nil {
		return "", fmt.Errorf("editor: %w", err)
	}
	changed, err := os.ReadFile(file)
	return string(changed), err
}

func storedRun(c *connection) *cobra.Command {
	var o order
	cmd := &cobra.Command{
		Use: "run NAME [TARGETS] [flags]", Short: "Run a stored command on nodes",
		Long: `Runs a stored command on all nodes that TARGETS name (see errand help targets), with all that errand run knows. --param gives parameters other values than their
defaults.` + watchHelp,
		Example: "  errand cmd run greet role=web\n  errand cmd run greet web-1 --param who=you\n  errand cmd run deploy all --yes --steps 1,100% --detach", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return completeTargets(cmd, args, word)
			}
			return completeStored(cmd, args, word)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			_, one, err := c.stored(cmd, args[0])
			if err != nil {
				return err
			}
			return o.start(cmd, c, args[1:], map[string]any{"command": one.ID})
		},
	}
	o.add(cmd)
	_ = cmd.Flags().MarkHidden("env") // belongs to the script
	return cmd
}

func storedRemove(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Aliases: []string{"remove"}, Short: "Remove a stored command that no schedule needs",
		Example: "  errand cmd rm greet", Args: cobra.ExactArgs(1), ValidArgsFunction: completeStored,
		RunE: func(cmd *cobra.Command, args []string) error {
			api, one, err := c.stored(cmd, args[0])
			if err != nil {
				return err
			}
			return api.Call(cmd.Context(), http.MethodDelete, client.Path("commands", one.ID), nil, nil, nil)
		},
	}
}

// completeStored offers the names of stored commands.
func completeStored(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	api, ctx, cancel, err := completing(cmd)
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer cancel()
	list, err := listStored(ctx, api, url.Values{}, 100)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range list.Commands {
		names = append(names, list.Commands[i].Name+"\t"+printable(list.Commands[i].Description))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
