package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/client"
	"errand/internal/nodeset"
)

func nodesWatch(c *connection) *cobra.Command {
	var every time.Duration
	var until string
	cmd := &cobra.Command{
		Use: "watch [EXPRESSION]", Short: "Print a line whenever a node comes, goes or is cordoned",
		Long: `Prints how many nodes fit the expression, and then a line for each that comes, goes, is cordoned or is not any more. With --until it ends with
success once so many of them are online: all, or a number.`,
		Example: "  errand nodes watch role=web --until all\n  errand nodes watch --until 2",
		Args:    cobra.MaximumNArgs(1), ValidArgsFunction: completeTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			wanted := -1
			if n, err := strconv.Atoi(until); err == nil && n >= 0 {
				wanted = n
			} else if until != "" && until != "all" {
				return usage(fmt.Errorf("--until is all or a number, not %q", until))
			}
			if every < time.Second {
				return usage(errors.New("--every is a second or more"))
			}
			api, err := c.dial()
			if err != nil {
				return err
			}
			return watchNodes(cmd, api, union(args), every, func(online, total int) bool {
				return wanted >= 0 && online >= wanted || until == "all" && total > 0 && online == total
			})
		},
	}
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "ask the server this often")
	cmd.Flags().StringVar(&until, "until", "", "end once `N` nodes are online, or all")
	return cmd
}

// watchNodes prints changes until enough says so.
func watchNodes(cmd *cobra.Command, api *client.Client, filter string, every time.Duration, enough func(online, total int) bool) error {
	var before map[string]string
	for {
		list, err := listNodes(cmd.Context(), api, filter, everyNode)
		if err != nil && (before == nil || !client.Temporary(err)) {
			return err
		}
		if err == nil {
			now, online := make(map[string]string, len(list.Nodes)), 0
			for i := range list.Nodes {
				n := &list.Nodes[i]
				now[n.ID] = nodeState(n)
				if n.Online {
					online++
				}
			}
			if before == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "%d nodes, %d online\n", len(now), online)
			} else {
				printChanges(cmd.OutOrStdout(), before, now)
			}
			before = now
			if enough(online, len(now)) {
				return nil
			}
		}
		select {
		case <-cmd.Context().Done():
			return cmd.Context().Err()
		case <-time.After(every):
		}
	}
}

func printChanges(w io.Writer, before, now map[string]string) {
	for id := range before {
		if _, ok := now[id]; !ok {
			now[id] = "gone"
		}
	}
	ids := slices.Collect(maps.Keys(now))
	nodeset.Sort(ids)
	for _, id := range ids {
		if now[id] != before[id] {
			fmt.Fprintf(w, "%s  %s  %s\n", time.Now().UTC().Format(time.DateTime), printable(id), now[id])
		}
		if now[id] == "gone" {
			delete(now, id)
		}
	}
}
