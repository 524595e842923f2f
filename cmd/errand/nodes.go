package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
	"errand/internal/nodeset"
	"errand/internal/target"
)

func newNodes() *cobra.Command {
	cmd := group("nodes", "Look at machines, label them, and keep runs off them",
		`A node is a machine with an agent. Where EXPRESSION stands, any expression over names, tags, facts and presence does: web[01-40], @group,
'role=web && !online'; see errand help targets. errand nodes facts lists what there is to ask for.`,
		nodesList, nodesShow, nodesFacts, nodesWatch, nodesLabel, nodesCordon, nodesUncordon, nodesWhy, nodesRotateKey, nodesRemove,
	)
	cmd.Aliases = []string{"node"}
	return cmd
}

const nodesHeader = "NODE STATE OS AGENT ACTIVE LAST-SEEN TAGS +NAME +HOSTNAME +ARCH +CPUS +MEMORY +GPUS +KERNEL +IP +ZONE +REGISTERED"

func nodesRow(n *native.Node) []string {
	return []string{
		n.ID, nodeState(n), n.OS, n.Agent, strconv.Itoa(n.Active), when(n.LastSeen), tagList(n.Tags),
		n.Name, n.Hostname, n.Arch, count(n.CPUs), gib(n.Memory), strings.Join(n.GPUs, ","), n.Kernel, n.PrivateIP, n.Zone, when(n.RegisteredAt),
	}
}

// nodeState is in one word, or two, how a node is.
func nodeState(n *native.Node) string {
	state := "offline"
	switch {
	case n.Removed != nil:
		return "removed"
	case n.Online:
		state = "online"
	case n.LastSeen == nil:
		state = "never-seen"
	}
	if n.Cordoned {
		state += ",cordoned"
	}
	return state
}

func tagList(tags map[string]string) string {
	list := make([]string, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, key+"="+tags[key])
	}
	return strings.Join(list, ",")
}

// count is a number that is not known if it is zero.
func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func gib(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(bytes)/(1<<30), 'f', -1, 64) + "GiB"
}

// listNodes reads the nodes that an expression fits, at most so many.
func listNodes(ctx context.Context, api *client.Client, filter string, limit int) (native.Nodes, error) {
	all := native.Nodes{Nodes: []native.Node{}}
	query := url.Values{}
	if filter != "" {
		query.Set("filter", filter)
	}
	for len(all.Nodes) < limit {
		query.Set("limit", strconv.Itoa(min(1000, limit-len(all.Nodes))))
		var page native.Nodes
		if err := api.Call(ctx, http.MethodGet, "nodes", query, nil, &page); err != nil {
			return all, err
		}
		all.Nodes, all.Total, all.Next = append(all.Nodes, page.Nodes...), page.Total, page.Next
		if page.Next == "" {
			break
		}
		query.Set("cursor", page.Next)
	}
	return all, nil
}

// everyNode is a limit that no installation has reached.
const everyNode = 1 << 30

func nodesList(c *connection) *cobra.Command {
	var limit int
	var filter []string
	cmd := &cobra.Command{
		Use: "ls [EXPRESSION...]", Aliases: []string{"list"}, Short: "List nodes, the newest first",
		Long: `Lists nodes, the newest first; those that fit any of the expressions if there are some. Nodes that are cordoned are among them.`,
		Example: `  errand nodes ls
  errand nodes ls 'role=web && !online' -o name
  errand nodes ls 'mem_gib>=1' --columns NODE,CPUS,MEMORY --sort NODE`,
		Args: cobra.ArbitraryArgs, ValidArgsFunction: completeTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.dial()
			if err != nil {
				return err
			}
			list, err := listNodes(cmd.Context(), api, union(append(args, filter...)), limit)
			if err != nil {
				return err
			}
			if more := list.Total - len(list.Nodes); more > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d nodes; --limit shows more\n", len(list.Nodes), list.Total)
			}
			return c.show(cmd, list, nodesHeader, each(list.Nodes, nodesRow))
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 1000, "at most `N` nodes")
	cmd.Flags().StringArrayVar(&filter, "filter", nil, "another `EXPRESSION`; may be repeated")
	_ = cmd.RegisterFlagCompletionFunc("filter", completeTargets)
	return cmd
}

// node finds one node by its id or its name.
func (c *connection) node(cmd *cobra.Command, name string) (*client.Client, native.Node, error) {
	api, err := c.dial()
	if err != nil {
		return nil, native.Node{}, err
	}
	list, err := listNodes(cmd.Context(), api, literal(name), 100)
	if err != nil {
		return nil, native.Node{}, err
	}
	if i := slices.IndexFunc(list.Nodes, func(n native.Node) bool { return n.ID == name }); i >= 0 {
		return api, list.Nodes[i], nil
	}
	switch len(list.Nodes) {
	case 0:
		return nil, native.Node{}, fmt.Errorf("no node has the id or the name %q; errand nodes ls lists them", name)
	case 1:
		return api, list.Nodes[0], nil
	}
	ids := make([]string, len(list.Nodes))
	for i := range list.Nodes {
		ids[i] = list.Nodes[i].ID
	}
	return nil, native.Node{}, usage(fmt.Errorf("several nodes have the name %q: name one by its id: %s", name, strings.Join(ids, ", ")))
}

// literal is an expression for a node with this id or name, whatever it looks like.
func literal(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}

func nodesShow(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "show NODE", Short: "Show all that is known about a node", Example: "  errand nodes show web-1\n  errand nodes show web-1 -o yaml",
		Args: cobra.ExactArgs(1), ValidArgsFunction: completeNode,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, n, err := c.node(cmd, args[0])
			if err != nil {
				return err
			}
			rows := [][]string{
				{"id", n.ID},
				{"name", n.Name},
				{"state", nodeState(&n)},
				{"last seen", when(n.LastSeen)},
				{"hostname", n.Hostname},
				{"system", n.OS},
				{"kernel", n.Kernel},
				{"platform", strings.Trim(n.Platform+"/"+n.Arch, "/")},
				{"processors", count(n.CPUs)},
				{"memory", gib(n.Memory)},
				{"gpus", strings.Join(n.GPUs, ", ")},
				{"private address", n.PrivateIP},
				{"public address", n.PublicIP},
				{"time zone", n.Zone},
				{"agent", n.Agent},
				{"features", strings.Join(n.Features, ",")},
				{"tags", tagList(n.Tags)},
				{"registered", when(n.RegisteredAt)},
				{"tasks in progress", strconv.Itoa(n.Active)},
				{"tasks ended", strconv.Itoa(n.Finished)},
			}
			if k := n.Cordon; k != nil {
				rows = append(rows, []string{"cordoned", when(&k.Since) + " by " + k.By}, []string{"reason", k.Reason})
			}
			return c.show(cmd, n, "WHAT VALUE", rows)
		},
	}
}

// factValue is what a node says to a fact of target expressions.
func factValue(n *native.Node, f target.Fact) string {
	switch f {
	case target.ID:
		return n.ID
	case target.Name:
		return n.Name
	case target.Hostname:
		return n.Hostname
	case target.Platform:
		return n.Platform
	case target.OS:
		return n.OS
	case target.Kernel:
		return n.Kernel
	case target.Arch:
		return n.Arch
	case target.Agent:
		return n.Agent
	case target.Zone:
		return n.Zone
	case target.IP:
		return strings.Trim(n.PrivateIP+","+n.PublicIP, ",")
	case target.PrivateIP:
		return n.PrivateIP
	case target.PublicIP:
		return n.PublicIP
	case target.RGroup:
		return n.Group
	case target.Feature:
		return strings.Join(n.Features, ",")
	case target.GPU:
		return strings.Join(n.GPUs, ",")
	case target.CPUs:
		return count(n.CPUs)
	case target.MemGiB:
		return strings.TrimSuffix(gib(n.Memory), "GiB")
	case target.GPUs:
		return strconv.Itoa(len(n.GPUs))
	}
	return ""
}

// fact is a fact as answers show it.
type fact struct {
	Fact  string `json:"fact"`
	Value string `json:"value,omitempty"`
	About string `json:"about"`
}

func nodesFacts(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "facts [NODE]", Short: "List the facts that expressions can ask for, with what a node says to them",
		Example: "  errand nodes facts\n  errand nodes facts web-1 --columns FACT,VALUE", Args: cobra.MaximumNArgs(1), ValidArgsFunction: completeNode,
		RunE: func(cmd *cobra.Command, args []string) error {
			var n *native.Node
			if len(args) > 0 {
				_, found, err := c.node(cmd, args[0])
				if err != nil {
					return err
				}
				n = &found
			}
			var list []fact
			for _, f := range target.Facts() {
				entry := fact{Fact: string(f.Name), About: f.About}
				if n != nil {
					entry.Value = factValue(n, f.Name)
				}
				list = append(list, entry)
			}
			if n == nil {
				return c.show(cmd, list, "FACT ABOUT", each(list, func(f *fact) []string { return []string{f.Fact, f.About} }))
			}
			return c.show(cmd, list, "FACT VALUE ABOUT", each(list, func(f *fact) []string { return []string{f.Fact, f.Value, f.About} }))
		},
	}
}

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

func nodesWhy(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "why NODE", Short: "Say what keeps a node from taking work",
		Long: `Says in a sentence each what keeps a node from taking work, or may do so: that it is offline and since when, cordoned and by whom, removed, that its
agent is too old, that its key is about to change. Exit code 0: it takes work; 3: it does not.`,
		Example: "  errand nodes why web-1\n  errand nodes why web-1 -o json", Args: cobra.ExactArgs(1), ValidArgsFunction: completeNode,
		RunE: func(cmd *cobra.Command, args []string) error {
			id := args[0]
			if api, n, err := c.node(cmd, id); err == nil {
				id = n.ID
			} else if api == nil && denied(err) {
				return err
			} // one that was removed is in no list
			var why native.Why
			if err := c.call(cmd, http.MethodGet, client.Path("nodes", id, "why"), nil, nil, &why); err != nil {
				return err
			}
			if c.name == "table" {
				if why.Ready && len(why.Conditions) == 0 {
					fmt.Fprintf(cmd.OutOrStdout(), "%s takes work.\n", printable(id))
				}
				for _, k := range why.Conditions {
					fmt.Fprintln(cmd.OutOrStdout(), printable(k.Text))
				}
			} else if err := c.show(cmd, why, "CODE TEXT SINCE BLOCKS", each(why.Conditions, func(k *native.Condition) []string {
				return []string{k.Code, k.Text, when(k.Since), strconv.FormatBool(k.Blocks)}
			})); err != nil {
				return err
			}
			if !why.Ready {
				return exitSome
			}
			return nil
		},
	}
}

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

// completeNode offers nodes for the one argument of a command.
func completeNode(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeTargets(cmd, args, word)
}
