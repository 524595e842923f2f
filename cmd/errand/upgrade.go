package main

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
)

func newUpgrade() *cobra.Command {
	return group("upgrade", "Change machines to another version of the agent, some at a time",
		`A rollout brings a release (errand release) to machines in stages: a part of them, a pause, a larger part. Commands go on running. A machine that is not
back with the new version in time goes back to the old one by itself; when too many fail, the rollout freezes and no further machine is asked.`,
		upgradeStart, upgradeStatus,
		func(c *connection) *cobra.Command {
			return upgradeChange(c, "pause", "Ask no further machines, until it is resumed")
		},
		func(c *connection) *cobra.Command {
			return upgradeChange(c, "resume", "Go on with a rollout that was paused or froze; what failed until now counts no more")
		},
		func(c *connection) *cobra.Command {
			return upgradeChange(c, "retry", "Go on, and ask the machines again that refused or failed")
		},
		func(c *connection) *cobra.Command {
			return upgradeChange(c, "abort", "End a rollout; machines that have changed stay as they are")
		},
	)
}

func upgradeStart(c *connection) *cobra.Command {
	var (
		account          string
		stages           string
		pause, trial     time.Duration
		parallel         int
		failures, failed int
		again            bool
	)
	cmd := &cobra.Command{
		Use: "start VERSION", Short: "Begin to change machines to a release",
		Example: `  errand upgrade start 1.2.3
  errand upgrade start 1.2.3 --stages 1,10,50,100 --pause 4h --max-failures 3
  errand upgrade start 1.2.3 --stages 100 --account 4071000000000000`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			percent, err := percents(stages)
			if err != nil {
				return usage(err)
			}
			body := map[string]any{
				"version": args[0], "account": account, "stages": percent, "pause_seconds": int64(pause / time.Second), "parallel": parallel,
				"max_failures": failures, "max_failed_percent": failed, "trial_seconds": int64(trial / time.Second), "again": again,
			}
			var r native.Rollout
			if err := c.call(cmd, http.MethodPost, "rollouts", nil, body, &r); err != nil {
				return err
			}
			return c.showRollouts(cmd, r, []native.Rollout{r})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&account, "account", "", "only machines of this account, by `ID`; left out, all")
	flags.StringVar(&stages, "stages", "1,10,100", "`PERCENT` of the machines in each stage")
	flags.DurationVar(&pause, "pause", time.Hour, "between two stages")
	flags.IntVar(&parallel, "parallel", 100, "how many machines change at a time")
	flags.IntVar(&failures, "max-failures", 10, "freeze when more machines than this fail")
	flags.IntVar(&failed, "max-failed-percent", 5, "freeze when more than this percent of the machines asked so far fail")
	flags.DurationVar(&trial, "trial", 90*time.Second, "how soon a machine must be back, or goes back to its old version")
	flags.BoolVar(&again, "again", false, "also ask machines that went back from this release before")
	return cmd
}

func percents(text string) (list []int, err error) {
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(part), "%"))
		if err != nil {
			return nil, fmt.Errorf("--stages: %q is not a percentage", part)
		}
		list = append(list, n)
	}
	return list, nil
}

const rolloutHeader = "ID VERSION STATE STAGE NODES DONE WORKING FAILED REASON"

func rolloutRow(r *native.Rollout) []string {
	n := r.Counts
	return []string{
		r.ID, r.Version, r.State, fmt.Sprintf("%d%%", r.Stages[r.Stage]), strconv.Itoa(r.Nodes), strconv.Itoa(n["done"]),
		strconv.Itoa(n["offered"] + n["fetching"] + n["trying"]), strconv.Itoa(n["refused"] + n["rolled-back"] + n["lost"]), r.Reason,
	}
}

func (c *connection) showRollouts(cmd *cobra.Command, answer any, rows []native.Rollout) error {
	return c.show(cmd, answer, rolloutHeader, each(rows, rolloutRow))
}

func upgradeStatus(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "status [ID]", Short: "Show rollouts, or what became of each machine in one of them",
		Example: "  errand upgrade status\n  errand upgrade status 0195kq3m2f000001", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				var list native.Rollouts
				if err := c.call(cmd, http.MethodGet, "rollouts", nil, nil, &list); err != nil {
					return err
				}
				return c.showRollouts(cmd, list, list.Rollouts)
			}
			var list native.RolloutNodes
			if err := c.call(cmd, http.MethodGet, client.Path("rollouts", args[0], "nodes"), nil, nil, &list); err != nil {
				return err
			}
			return c.show(cmd, list, "NODE STATE FROM SINCE DETAIL", each(list.Nodes, func(n *native.RolloutNode) []string {
				return []string{n.Node, n.State, n.From, when(&n.UpdatedAt), n.Detail}
			}))
		},
	}
}

func upgradeChange(c *connection, action, short string) *cobra.Command {
	return &cobra.Command{
		Use: action + " [ID]", Short: short, Long: short + ". Without an ID it is the latest rollout.",
		Example: "  errand upgrade " + action + "\n  errand upgrade " + action + " 0195kq3m2f000001", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				var list native.Rollouts
				if err := c.call(cmd, http.MethodGet, "rollouts", nil, nil, &list); err != nil {
					return err
				}
				if len(list.Rollouts) == 0 {
					return errors.New("there is no rollout")
				}
				args = []string{list.Rollouts[0].ID}
			}
			var r native.Rollout
			if err := c.call(cmd, http.MethodPatch, client.Path("rollouts", args[0]), nil, map[string]string{"action": action}, &r); err != nil {
				return err
			}
			return c.showRollouts(cmd, r, []native.Rollout{r})
		},
	}
}
