package main

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
)

func newGroups() *cobra.Command {
	return group("groups", "Keep target expressions under a name",
		`A group is an expression with a name: @NAME stands for it wherever an expression can, also in other groups. It has no members of its own: each use
means the nodes that fit by then.`,
		groupsList, groupsSet, groupsShow, groupsMembers, groupsRemove,
	)
}

const groupsHeader = "NAME TARGET DESCRIPTION CHANGED +BY +CREATED"

func groupsRow(g *native.NodeGroup) []string {
	return []string{g.Name, g.Target, g.Description, when(&g.UpdatedAt), g.By, when(&g.CreatedAt)}
}

func groupsList(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List groups", Example: "  errand groups ls\n  errand groups ls -o name", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.dial()
			if err != nil {
				return err
			}
			all := native.NodeGroups{Groups: []native.NodeGroup{}}
			query := url.Values{"limit": {"1000"}}
			for {
				var page native.NodeGroups
				if err := api.Call(cmd.Context(), http.MethodGet, "groups", query, nil, &page); err != nil {
					return err
				}
				all.Groups = append(all.Groups, page.Groups...)
				if page.Next == "" {
					break
				}
				query.Set("cursor", page.Next)
			}
			return c.show(cmd, all, groupsHeader, each(all.Groups, groupsRow))
		},
	}
}

func groupsSet(c *connection) *cobra.Command {
	var description string
	cmd := &cobra.Command{
		Use: "set NAME EXPRESSION", Short: "Save an expression under a name, in the place of what had the name",
		Example: "  errand groups set web 'role=web && !cordoned'\n  errand groups set front '@web || db-1' --description 'all that users see'",
		Args:    cobra.ExactArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return completeTargets(cmd, args, word)
			}
			return completeGroup(cmd, args, word)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]string{"target": args[1], "description": description}
			return c.call(cmd, http.MethodPut, client.Path("groups", args[0]), nil, body, nil)
		},
	}
	cmd.Flags().StringVar(&description, "description", "", "`TEXT` for people")
	return cmd
}

func groupsShow(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Print a group's expression, or with -o all about it", Example: "  errand groups show web\n  errand groups show web -o json",
		Args: cobra.ExactArgs(1), ValidArgsFunction: completeGroup,
		RunE: func(cmd *cobra.Command, args []string) error {
			var g native.NodeGroup
			if err := c.call(cmd, http.MethodGet, client.Path("groups", args[0]), nil, nil, &g); err != nil {
				return err
			}
			if c.name == "table" {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), printable(g.Target))
				return err
			}
			return c.show(cmd, g, groupsHeader, [][]string{groupsRow(&g)})
		},
	}
}

func groupsMembers(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "members NAME", Short: "List the nodes that a group stands for now", Example: "  errand groups members web\n  errand groups members web -o name",
		Args: cobra.ExactArgs(1), ValidArgsFunction: completeGroup,
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.dial()
			if err != nil {
				return err
			}
			list, err := listNodes(cmd.Context(), api, "@"+args[0], everyNode)
			if err != nil {
				return err
			}
			return c.show(cmd, list, nodesHeader, each(list.Nodes, nodesRow))
		},
	}
}

func groupsRemove(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Aliases: []string{"remove", "delete"}, Short: "Delete a group that no other is made of",
		Example: "  errand groups rm front\n  errand groups delete back", Args: cobra.ExactArgs(1), ValidArgsFunction: completeGroup,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, http.MethodDelete, client.Path("groups", args[0]), nil, nil, nil)
		},
	}
}

// completeGroup offers groups for the first argument.
func completeGroup(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	api, ctx, cancel, err := completing(cmd)
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer cancel()
	var list native.NodeGroups
	if api.Call(ctx, http.MethodGet, "groups", url.Values{"limit": {"1000"}}, nil, &list) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range list.Groups {
		names = append(names, list.Groups[i].Name+"\t"+printable(list.Groups[i].Target))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
