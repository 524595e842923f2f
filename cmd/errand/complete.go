package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
)

// completionBudget is how long a shell waits for names from the server. Without an answer by then nothing is offered.
const completionBudget = 400 * time.Millisecond

// completing makes a client for completion, from flags that were typed already and the environment.
func completing(cmd *cobra.Command) (*client.Client, context.Context, context.CancelFunc, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), completionBudget)
	var c connection
	probe := &cobra.Command{}
	c.add(probe)
	for _, name := range []string{"server", "data", "ca-file", "context"} {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed {
			_ = probe.PersistentFlags().Set(name, f.Value.String()) // was read from the same flag
		}
	}
	err := fromEnvironment(probe.PersistentFlags())
	if err == nil {
		c.format.name = "table"
		var api *client.Client
		if api, err = c.dial(); err == nil {
			return api, ctx, cancel, nil
		}
	}
	cancel()
	return nil, nil, nil, err
}

// completeTargets offers nodes and groups of nodes. The server is asked for nodes that begin like the word, so that among thousands the right ones come.
func completeTargets(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	api, ctx, cancel, err := completing(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer cancel()
	names := []string{"all"}
	var nodes struct {
		Nodes []struct {
			ID string `json:"id"`
		} `json:"nodes"`
	}
	query := url.Values{"limit": {"200"}}
	if word != "" {
		query.Set("filter", "id~"+literal(word+"*"))
	}
	if !strings.HasPrefix(word, "@") && api.Call(ctx, http.MethodGet, "nodes", query, nil, &nodes) == nil {
		for _, n := range nodes.Nodes {
			names = append(names, n.ID)
		}
	}
	var groups struct {
		Groups []struct {
			Name string `json:"name"`
		} `json:"groups"`
	}
	if api.Call(ctx, http.MethodGet, "groups", nil, nil, &groups) == nil {
		for _, g := range groups.Groups {
			names = append(names, "@"+g.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeRuns offers the latest runs, each with what it was, and behind them nodes.
func (c *connection) completeRuns(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return completeTargets(cmd, args, word)
	}
	api, ctx, cancel, err := completing(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer cancel()
	names := []string{"@last\tyour last run", "@last-failed\tyour last run with a failure"}
	var list native.Invocations
	if api.Call(ctx, http.MethodGet, "invocations", url.Values{"limit": {"20"}}, nil, &list) == nil {
		for i := range list.Invocations {
			v := &list.Invocations[i]
			names = append(names, v.ID+"\t"+printable(runState(v)+" "+v.Name))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
