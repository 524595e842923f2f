package main

import (
	"net/http"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
)

func newUser() *cobra.Command {
	return group("user", "Manage users and roles",
		`Users act for an account by keys of their own, roles by temporary keys that others have issued. Either may do what the policies
attached to it allow, and nothing besides (errand policy attach).`,
		userList, userCreate, userShow, userDelete,
		func(c *connection) *cobra.Command { return userSwitch(c, "disable", "Refuse the keys of a user", true) },
		func(c *connection) *cobra.Command {
			return userSwitch(c, "enable", "Admit the keys of a user again", false)
		},
	)
}

const userHeader = "NAME KIND STATE CREATED DESCRIPTION"

func userRow(u *native.User) []string {
	return []string{u.Name, u.Kind, state(u.Disabled), when(&u.CreatedAt), u.Description}
}

func userList(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the users and roles", Example: "  errand user list", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list native.Users
			if err := c.call(cmd, http.MethodGet, "users", nil, nil, &list); err != nil {
				return err
			}
			return c.show(cmd, list, userHeader, each(list.Users, userRow))
		},
	}
}

func userCreate(c *connection) *cobra.Command {
	var role bool
	var description string
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Make a user, or with --role a role",
		Example: "  errand user create ann --description 'on call'\n  errand user create deploy --role", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]string{"name": args[0], "kind": "user", "description": description}
			if role {
				body["kind"] = "role"
			}
			var u native.User
			if err := c.call(cmd, http.MethodPost, "users", nil, body, &u); err != nil {
				return err
			}
			return c.show(cmd, u, userHeader, [][]string{userRow(&u)})
		},
	}
	cmd.Flags().BoolVar(&role, "role", false, "make a role, which has only temporary keys")
	cmd.Flags().StringVar(&description, "description", "", "`TEXT` for people")
	return cmd
}

func userShow(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show one user with its policies", Example: "  errand user show ann", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var u struct {
				native.User
				native.Attached
			}
			if err := c.call(cmd, http.MethodGet, client.Path("users", args[0]), nil, nil, &u.User); err != nil {
				return err
			}
			if err := c.call(cmd, http.MethodGet, client.Path("users", args[0], "policies"), nil, nil, &u.Attached); err != nil {
				return err
			}
			return c.show(cmd, u, "NAME KIND STATE CREATED POLICIES", [][]string{
				{u.Name, u.Kind, state(u.Disabled), when(&u.CreatedAt), joined(u.Policies)},
			})
		},
	}
}

func userDelete(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Short: "Delete a user with its keys", Example: "  errand user delete ann", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, http.MethodDelete, client.Path("users", args[0]), nil, nil, nil)
		},
	}
}

func userSwitch(c *connection, verb, short string, disabled bool) *cobra.Command {
	return &cobra.Command{
		Use: verb + " NAME", Short: short, Example: "  errand user " + verb + " ann", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var u native.User
			if err := c.call(cmd, http.MethodPatch, client.Path("users", args[0]), nil, map[string]bool{"disabled": disabled}, &u); err != nil {
				return err
			}
			return c.show(cmd, u, userHeader, [][]string{userRow(&u)})
		},
	}
}
