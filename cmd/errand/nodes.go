package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
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
	err := client.Pages(ctx, api, "nodes", query, limit, func(page native.Nodes) (int, string) {
		all.Nodes, all.Total, all.Next = append(all.Nodes, page.Nodes...), page.Total, page.Next
		return len(page.Nodes), page.Next
	})
	return all, err
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

// completeNode offers nodes for the one argument of a command.
func completeNode(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeTargets(cmd, args, word)
}
