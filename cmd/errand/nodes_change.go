package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"errand/internal/client"
	"errand/internal/nodeset"
)

// bulk changes the nodes that an expression fits.
type bulk struct {
	yes, dry bool
	exclude  []string
}

func (b *bulk) add(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&b.yes, "yes", "y", false, "do not ask before many nodes are changed")
	cmd.Flags().BoolVar(&b.dry, "dry-run", false, "print which nodes would be changed, and change none")
	cmd.Flags().StringArrayVarP(&b.exclude, "exclude", "x", nil, "but not these, an `EXPRESSION`; may be repeated")
	_ = cmd.RegisterFlagCompletionFunc("exclude", completeTargets)
}

// bulkWorkers is how many nodes are changed at a time.
const bulkWorkers = 8

// change makes the same change to all nodes that any of the expressions fits, and says to how many.
func (b *bulk) change(cmd *cobra.Command, c *connection, wanted []string, done string, body any) error {
	api, err := c.dial()
	if err != nil {
		return err
	}
	filter := union(wanted)
	if len(b.exclude) > 0 {
		filter = "(" + filter + ") && !(" + union(b.exclude) + ")"
	}
	list, err := listNodes(cmd.Context(), api, filter, everyNode)
	if err != nil {
		return err
	}
	ids := make([]string, len(list.Nodes))
	for i := range list.Nodes {
		ids[i] = list.Nodes[i].ID
	}
	names := printable(nodeset.Fold(ids))
	switch {
	case len(ids) == 0:
		fmt.Fprintln(cmd.ErrOrStderr(), "errand: no node matches")
		return exitNoMatch
	case b.dry:
		fmt.Fprintf(cmd.OutOrStdout(), "would be %s: %d %s\n", done, len(ids), names)
		return nil
	}
	if err := b.confirmed(cmd, c, len(ids)); err != nil {
		return err
	}
	if err := changeAll(cmd.Context(), api, ids, body); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d %s\n", done, len(ids), names)
	return nil
}

// confirmed asks before many nodes are changed.
func (b *bulk) confirmed(cmd *cobra.Command, c *connection, nodes int) error {
	o := order{yes: b.yes}
	return o.confirmed(cmd, c, nodes)
}

// changeAll changes nodes, some at a time. After an error it begins no other.
func changeAll(ctx context.Context, api *client.Client, ids []string, body any) error {
	var (
		mu   sync.Mutex
		next int
		errs []error
		wg   sync.WaitGroup
	)
	take := func() (string, bool) {
		mu.Lock()
		defer mu.Unlock()
		if next == len(ids) || len(errs) > 0 || ctx.Err() != nil {
			return "", false
		}
		next++
		return ids[next-1], true
	}
	for range min(bulkWorkers, len(ids)) {
		wg.Go(func() {
			for {
				id, ok := take()
				if !ok {
					return
				}
				if err := api.Call(ctx, http.MethodPatch, client.Path("nodes", id), nil, body, nil); err != nil {
					mu.Lock()
					errs = append(errs, fmt.Errorf("%s: %w", id, err))
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if len(errs) == 0 {
		return ctx.Err()
	}
	return fmt.Errorf("after %d of %d nodes: %w", next-len(errs), len(ids), errs[0])
}

func nodesLabel(c *connection) *cobra.Command {
	var b bulk
	cmd := &cobra.Command{
		Use: "label EXPRESSION... KEY=VALUE... [KEY-...]", Short: "Put tags on nodes, or take them off",
		Long: `Puts tags on all nodes that fit any of the expressions: KEY=VALUE is a tag to put, in the place of one with the same key, and KEY- one to take off.
The last arguments of either form are the tags; an expression that looks like one, such as role=web, stands in parentheses: '(role=web)'.`,
		Example: "  errand nodes label web-[1-2] tier=front\n  errand nodes label '(role=web)' tier-",
		Args:    cobra.MinimumNArgs(2), ValidArgsFunction: completeTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			wanted, tags, err := splitLabels(args)
			if err != nil {
				return usage(err)
			}
			return b.change(cmd, c, wanted, "labelled", map[string]any{"tags": tags})
		},
	}
	b.add(cmd)
	return cmd
}

// splitLabels tells expressions from the tags after them.
func splitLabels(args []string) (wanted []string, tags map[string]*string, err error) {
	tags = map[string]*string{}
	at := len(args)
	for at > 0 {
		key, value, isTag := labelOf(args[at-1])
		if !isTag {
			break
		}
		if _, twice := tags[key]; twice {
			return nil, nil, fmt.Errorf("the tag %q comes twice", key)
		}
		tags[key] = value
		at--
	}
	switch {
	case len(tags) == 0:
		return nil, nil, fmt.Errorf("%q is no tag: KEY=VALUE puts one on nodes, KEY- takes it off", args[len(args)-1])
	case at == 0:
		return nil, nil, fmt.Errorf("no nodes are named; an expression such as %s stands in parentheses", args[0])
	}
	return args[:at], tags, nil
}

// labelOf reads KEY=VALUE or KEY-.
func labelOf(arg string) (key string, value *string, ok bool) {
	if key, text, found := strings.Cut(arg, "="); found {
		return key, &text, key != "" && !strings.ContainsAny(key, " !<>~()@|&")
	}
	key, ok = strings.CutSuffix(arg, "-")
	return key, nil, ok && key != ""
}

func nodesCordon(c *connection) *cobra.Command {
	var b bulk
	var reason string
	cmd := &cobra.Command{
		Use: "cordon EXPRESSION...", Short: "Keep new runs off nodes",
		Long: `Keeps new runs off all nodes that fit any of the expressions. Expressions of runs leave such nodes out, unless they ask for cordoned, and a run on one by its
name is refused. What waits for a node or runs on it goes on, and the vendors' APIs take no notice.`,
		Example: "  errand nodes cordon web-1 --reason 'disk is being replaced'\n  errand nodes cordon 'dc=b' --dry-run",
		Args:    cobra.MinimumNArgs(1), ValidArgsFunction: completeTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			return b.change(cmd, c, args, "cordoned", map[string]any{"cordoned": true, "reason": reason})
		},
	}
	b.add(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` about why, for whoever asks")
	return cmd
}

func nodesUncordon(c *connection) *cobra.Command {
	var b bulk
	cmd := &cobra.Command{
		Use: "uncordon EXPRESSION...", Short: "Let runs come to nodes again", Example: "  errand nodes uncordon web-1\n  errand nodes uncordon cordoned --dry-run",
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: completeTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			return b.change(cmd, c, args, "uncordoned", map[string]any{"cordoned": false})
		},
	}
	b.add(cmd)
	return cmd
}

func nodesRotateKey(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "rotate-key NODE", Short: "Have a node replace its key",
		Long: `Asks a node to make another key: at once if it is connected, and otherwise when it comes. Both keys are good until the node has connected
with the new one, and only that from then on. errand server --node-key-days does the same for all nodes by the age of their keys.`,
		Example: "  errand nodes rotate-key db-1\n  errand node rotate-key db-1", Args: cobra.ExactArgs(1), ValidArgsFunction: completeNode,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, n, err := c.node(cmd, args[0])
			if err != nil {
				return err
			}
			return c.call(cmd, http.MethodPost, client.Path("nodes", n.ID, "rotate-key"), nil, nil, nil)
		},
	}
}

func nodesRemove(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "remove NODE", Aliases: []string{"rm"}, Short: "Take a node out of the account",
		Long: `Takes a node out of the account: its connection ends, its key is refused, and what was under way on it is given up. Its history stays, and
its id is free for another machine. Commands that run on the machine go on there until they end.`,
		Example: "  errand nodes remove old-1\n  errand nodes rm old-2", Args: cobra.ExactArgs(1), ValidArgsFunction: completeNode,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, n, err := c.node(cmd, args[0])
			if err != nil {
				return err
			}
			return c.call(cmd, http.MethodDelete, client.Path("nodes", n.ID), nil, nil, nil)
		},
	}
}
