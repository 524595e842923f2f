package main

import (
	"net/http"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
)

func newAccount() *cobra.Command {
	return group("account", "Manage the accounts of an installation",
		`Accounts own everything else; nothing of one is visible to another. The operator's account, made on the first start, manages them.`,
		accountList, accountCreate, accountShow, accountKey,
		func(c *connection) *cobra.Command {
			return accountSwitch(c, "disable", "Refuse all keys of an account; its machines stay connected", true)
		},
		func(c *connection) *cobra.Command {
			return accountSwitch(c, "enable", "Admit the keys of an account again", false)
		},
	)
}

const accountHeader = "ID NAME STATE CREATED"

func accountRow(a *native.Account) []string {
	return []string{a.ID, a.Name, state(a.Disabled), when(&a.CreatedAt)}
}

func accountList(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the accounts", Example: "  errand account list\n  errand account list -o json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list native.Accounts
			if err := c.call(cmd, http.MethodGet, "accounts", nil, nil, &list); err != nil {
				return err
			}
			return c.show(cmd, list, accountHeader, each(list.Accounts, accountRow))
		},
	}
}

func accountCreate(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "create NAME", Short: "Make an account and its root key", Long: "Makes an account and prints its root key. The secret is shown only this once.",
		Example: "  errand account create lab", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var a native.NewAccount
			if err := c.call(cmd, http.MethodPost, "accounts", nil, map[string]string{"name": args[0]}, &a); err != nil {
				return err
			}
			return c.show(cmd, a, "ID NAME KEY SECRET", [][]string{{a.ID, a.Name, a.Key.ID, a.Key.Secret}})
		},
	}
}

func accountShow(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show one account", Example: "  errand account show 1000000000000001", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var a native.Account
			if err := c.call(cmd, http.MethodGet, client.Path("accounts", args[0]), nil, nil, &a); err != nil {
				return err
			}
			return c.show(cmd, a, accountHeader, [][]string{accountRow(&a)})
		},
	}
}

func accountKey(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "key ID", Short: "Make another root key of an account, whose own are lost", Example: "  errand account key 4071000000000000",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var k native.IssuedKey
			if err := c.call(cmd, http.MethodPost, client.Path("accounts", args[0], "keys"), nil, nil, &k); err != nil {
				return err
			}
			return c.showIssued(cmd, &k)
		},
	}
}

func accountSwitch(c *connection, verb, short string, disabled bool) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ID", Short: short, Example: "  errand account " + verb + " 4071000000000000", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var a native.Account
			body := map[string]bool{"disabled": disabled}
			if err := c.call(cmd, http.MethodPatch, client.Path("accounts", args[0]), nil, body, &a); err != nil {
				return err
			}
			return c.show(cmd, a, accountHeader, [][]string{accountRow(&a)})
		},
	}
}
