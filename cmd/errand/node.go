package main

import (
	"net/http"

	"github.com/spf13/cobra"

	"errand/internal/client"
)

func newNode() *cobra.Command {
	return group("node", "Manage the identities of nodes",
		`A node is a key that its agent made. It can be replaced by another one without a break, and it can be refused for good.`,
		nodeRotateKey, nodeRemove,
	)
}

func nodeRotateKey(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "rotate-key ID", Short: "Have a node replace its key",
		Long: `Asks a node to make another key: at once if it is connected, and otherwise when it comes. Both keys are good until the node has connected
with the new one, and only that from then on. errand server --node-key-days does the same for all nodes by the age of their keys.`,
		Example: "  errand node rotate-key web1", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, http.MethodPost, client.Path("nodes", args[0], "rotate-key"), nil, nil, nil)
		},
	}
}

func nodeRemove(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "remove ID", Short: "Take a node out of the account",
		Long: `Takes a node out of the account: its connection ends, its key is refused, and what was under way on it is given up. Its history stays, and
its id is free for another machine. Commands that run on the machine go on there until they end.`,
		Example: "  errand node remove web1", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, http.MethodDelete, client.Path("nodes", args[0]), nil, nil, nil)
		},
	}
}
