package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
)

func newQuota() *cobra.Command {
	return group("quota", "Manage the quotas and rate limits of accounts",
		`No quota holds until the operator sets it, for one account (--account ID) or for all that have none of their own (--account default):
commands, registrations, nodes, invocations-per-day, users, keys, policies, concurrent-calls, calls-per-minute, and calls-per-minute of
one action: calls-per-minute/ecs:RunCommand. Rates and concurrent calls count in each server by itself. To protect the server, an account
has at most 512 concurrent calls unless this says otherwise.`,
		quotaList, quotaSet, quotaUnset,
	)
}

func quotaList(c *connection) *cobra.Command {
	var account string
	cmd := &cobra.Command{
		Use: "list", Short: "List the quotas of an account and how much of them is used",
		Example: "  errand quota list\n  errand quota list --account default", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			if account != "" {
				query.Set("account", account)
			}
			var list native.Quotas
			if err := c.call(cmd, http.MethodGet, "quotas", query, nil, &list); err != nil {
				return err
			}
			return c.show(cmd, list, "NAME LIMIT USED SET-FOR", each(list.Quotas, func(q *native.Quota) []string {
				row := []string{q.Name, "none", "", ""}
				if q.Limit != nil {
					row[1], row[3] = strconv.FormatInt(*q.Limit, 10), "default"
				}
				if q.Used != nil {
					row[2] = strconv.FormatInt(*q.Used, 10)
				}
				if q.Own && account != "default" {
					row[3] = "account"
				}
				return row
			}))
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "of this account, by `ID`, or default; left out, your own")
	return cmd
}

func quotaSet(c *connection) *cobra.Command {
	var account string
	cmd := &cobra.Command{
		Use: "set NAME LIMIT", Short: "Set a quota",
		Example: `  errand quota set nodes 500 --account 4071000000000000
  errand quota set calls-per-minute/ecs:RunCommand 60 --account default`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			limit, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil {
				return usage(fmt.Errorf("%q is not a number", args[1]))
			}
			body := map[string]any{"account": account, "name": args[0], "limit": limit}
			return c.call(cmd, http.MethodPut, "quotas", nil, body, nil)
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "for this account, by `ID`, or default; left out, your own")
	return cmd
}

func quotaUnset(c *connection) *cobra.Command {
	var account string
	cmd := &cobra.Command{
		Use: "unset NAME", Short: "Take a quota away", Example: "  errand quota unset nodes --account default", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, http.MethodPut, "quotas", nil, map[string]any{"account": account, "name": args[0]}, nil)
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "of this account, by `ID`, or default; left out, your own")
	return cmd
}
