package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
)

func newEvents() *cobra.Command {
	return group("events", "Send what happens to web addresses, and look back at it",
		`A subscription sends the account's events, such as a task that ended, to a web address: one after another as signed CloudEvents, again
and again until each is taken. What was not taken for a day becomes a dead letter and makes room for the next. docs/events.md says
what receivers get and how they check it.`,
		eventSubscribe, eventList, eventShow, eventUpdate, eventDelete, eventPing, eventDead, eventReplay, eventLog,
	)
}

const subscriptionHeader = "ID NAME STATE TYPES BATCH DELIVERED TRIES NEXT-TRY DEAD URL LAST-ERROR"

func subscriptionRow(s *native.Subscription) []string {
	types := joined(s.Types)
	if types == "" {
		types = "*"
	}
	standing := state(!s.Enabled)
	if s.Enabled && s.FailingSince != nil {
		standing = "failing"
	}
	return []string{
		s.ID, s.Name, standing, types, strconv.Itoa(s.Batch), when(s.DeliveredAt), strconv.Itoa(s.Tries), when(s.NextTry), strconv.Itoa(s.Dead),
		s.URL, s.LastError,
	}
}

func (c *connection) showSubscription(cmd *cobra.Command, s *native.Subscription) error {
	return c.show(cmd, s, subscriptionHeader, [][]string{subscriptionRow(s)})
}

func (c *connection) showNewSubscription(cmd *cobra.Command, s *native.NewSubscription) error {
	if s.Secret == "" {
		return c.showSubscription(cmd, &s.Subscription)
	}
	return c.show(cmd, s, "ID URL SECRET", [][]string{{s.ID, s.URL, s.Secret}})
}

func eventSubscribe(c *connection) *cobra.Command {
	var body struct {
		Name     string   `json:"name"`
		URL      string   `json:"url"`
		Types    []string `json:"types"`
		Commands []string `json:"commands"`
		Batch    int      `json:"batch"`
		Disabled bool     `json:"disabled"`
	}
	cmd := &cobra.Command{
		Use: "subscribe URL", Short: "Send what happens from now on to a web address",
		Long: "Makes a subscription and prints the secret that signs its requests, which is shown only this once.",
		Example: `  errand events subscribe https://hooks.example.com/errand
  errand events subscribe https://hooks.example.com/errand --type errand.invocation.ended --type 'errand.task.*' --batch 100`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body.URL = args[0]
			var s native.NewSubscription
			if err := c.call(cmd, http.MethodPost, "subscriptions", nil, body, &s); err != nil {
				return err
			}
			return c.showNewSubscription(cmd, &s)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&body.Name, "name", "", "`NAME` for people")
	flags.StringSliceVar(&body.Types, "type", nil, "only events of this `TYPE`; * stands for any text")
	flags.StringSliceVar(&body.Commands, "command", nil, "only events of the command with this `ID`")
	flags.IntVar(&body.Batch, "batch", 1, "send up to `N` events in one request, 1 to 100")
	flags.BoolVar(&body.Disabled, "disabled", false, "gather events, and send them when it is enabled")
	return cmd
}

func eventList(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the subscriptions", Example: "  errand events list", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list native.Subscriptions
			if err := c.call(cmd, http.MethodGet, "subscriptions", nil, nil, &list); err != nil {
				return err
			}
			return c.show(cmd, list, subscriptionHeader, each(list.Subscriptions, subscriptionRow))
		},
	}
}

func eventShow(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a subscription and how its receiver answers", Example: "  errand events show 0a1b2c3d4e5f6g7h", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var s native.Subscription
			if err := c.call(cmd, http.MethodGet, client.Path("subscriptions", args[0]), nil, nil, &s); err != nil {
				return err
			}
			return c.showSubscription(cmd, &s)
		},
	}
}

func eventUpdate(c *connection) *cobra.Command {
	var (
		name, target     string
		types, commands  []string
		batch            int
		enabled, rotated bool
	)
	cmd := &cobra.Command{
		Use: "update ID", Short: "Change, enable or disable a subscription",
		Long: `Changes what is given and leaves the rest. Whatever waits is tried at once. With --rotate-secret it prints a new secret; the old
one signs as well for another day.`,
		Example: `  errand events update 0a1b2c3d4e5f6g7h --enabled=false
  errand events update 0a1b2c3d4e5f6g7h --url https://hooks.example.com/new --type 'errand.invocation.*'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]any{}
			for flag, member := range map[string]struct {
				name  string
				value any
			}{
				"name": {"name", name}, "url": {"url", target}, "type": {"types", types}, "command": {"commands", commands},
				"batch": {"batch", batch}, "enabled": {"enabled", enabled}, "rotate-secret": {"rotate_secret", rotated},
			} {
				if cmd.Flags().Changed(flag) {
					body[member.name] = member.value
				}
			}
			var s native.NewSubscription
			if err := c.call(cmd, http.MethodPatch, client.Path("subscriptions", args[0]), nil, body, &s); err != nil {
				return err
			}
			return c.showNewSubscription(cmd, &s)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&name, "name", "", "`NAME` for people")
	flags.StringVar(&target, "url", "", "`URL` to send to")
	flags.StringSliceVar(&types, "type", nil, "only events of this `TYPE`; * stands for any text, '' for all types")
	flags.StringSliceVar(&commands, "command", nil, "only events of the command with this `ID`; '' means all")
	flags.IntVar(&batch, "batch", 1, "send up to `N` events in one request, 1 to 100")
	flags.BoolVar(&enabled, "enabled", true, "send, or with =false gather what is to be sent later")
	flags.BoolVar(&rotated, "rotate-secret", false, "make a new secret")
	return cmd
}

func eventDelete(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "delete ID", Short: "Delete a subscription with its dead letters", Example: "  errand events delete 0a1b2c3d4e5f6g7h", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, http.MethodDelete, client.Path("subscriptions", args[0]), nil, nil, nil)
		},
	}
}

func eventPing(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "ping ID", Short: "Send an event that means nothing, and show the answer's status",
		Long:    "Sends an event of type errand.ping at once. The exit code is 0 if the receiver took it, that is, answered with a status of 200 to 299.",
		Example: "  errand events ping 0a1b2c3d4e5f6g7h", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var p native.Pong
			if err := c.call(cmd, http.MethodPost, client.Path("subscriptions", args[0], "ping"), nil, nil, &p); err != nil {
				return err
			}
			if err := c.show(cmd, p, "STATUS", [][]string{{strconv.Itoa(p.Status)}}); err != nil {
				return err
			}
			if p.Status < 200 || p.Status > 299 {
				return exitCode(1)
			}
			return nil
		},
	}
}

func eventDead(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "dead ID", Short: "List the events that were given up", Example: "  errand events dead 0a1b2c3d4e5f6g7h", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var list native.DeadLetters
			if err := c.call(cmd, http.MethodGet, client.Path("subscriptions", args[0], "dead"), nil, nil, &list); err != nil {
				return err
			}
			return c.show(cmd, list, "EVENT TIME TYPE INVOCATION TASK GIVEN-UP TRIES ERROR", each(list.Dead, func(d *native.DeadLetter) []string {
				return []string{
					strconv.FormatInt(d.Seq, 10), when(&d.Time), d.Type, d.Invocation, d.Task, when(&d.FailedAt), strconv.Itoa(d.Tries), d.Error,
				}
			}))
		},
	}
}

func eventReplay(c *connection) *cobra.Command {
	var from, dead string
	cmd := &cobra.Command{
		Use: "replay ID {--from EVENT|TIME|now | --dead EVENT|all}", Short: "Send events once more",
		Long: `With --from, the subscription goes on with the events from a moment on, whether it has sent them before or not: the number of an event, a
time, or now, which leaves out everything that waits. With --dead, it sends a dead letter once more, or all of them.`,
		Example: `  errand events replay 0a1b2c3d4e5f6g7h --from 2026-01-02T15:04:05Z
  errand events replay 0a1b2c3d4e5f6g7h --dead all`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case (from == "") == (dead == ""):
				return usage(errors.New("either --from or --dead says what to send"))
			case dead != "":
				path := client.Path("subscriptions", args[0], "dead", dead, "replay")
				if dead == "all" {
					path = client.Path("subscriptions", args[0], "dead", "replay")
				}
				var r native.Replayed
				if err := c.call(cmd, http.MethodPost, path, nil, nil, &r); err != nil {
					return err
				}
				return c.show(cmd, r, "AGAIN", [][]string{{strconv.Itoa(r.Again)}})
			}
			body, err := moment(from)
			if err != nil {
				return err
			}
			var s native.Subscription
			if err := c.call(cmd, http.MethodPost, client.Path("subscriptions", args[0], "replay"), nil, body, &s); err != nil {
				return err
			}
			return c.showSubscription(cmd, &s)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "`MOMENT` to go on from: the number of an event, a time such as 2026-01-02T15:04:05Z, or now")
	cmd.Flags().StringVar(&dead, "dead", "", "`EVENT` to send once more, by its number, or all")
	return cmd
}

// moment is the body that asks for a place in the order of events.
func moment(text string) (map[string]any, error) {
	if text == "now" {
		return map[string]any{}, nil
	}
	if seq, err := strconv.ParseInt(text, 10, 64); err == nil {
		return map[string]any{"from": seq}, nil
	}
	if _, err := time.Parse(time.RFC3339, text); err != nil {
		return nil, usage(fmt.Errorf("--from: %q is neither the number of an event nor a time such as 2026-01-02T15:04:05Z", text))
	}
	return map[string]any{"from": text}, nil
}

func eventLog(c *connection) *cobra.Command {
	var after int64
	var limit int
	cmd := &cobra.Command{
		Use: "log", Short: "List what happened", Example: "  errand events log\n  errand events log --after 1200 --limit 1000 -o json",
		Long: "Lists the account's events, oldest first. They are kept as long as results are, beginning with the first subscription.", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{"after": {strconv.FormatInt(after, 10)}, "limit": {strconv.Itoa(limit)}}
			var log native.EventLog
			if err := c.call(cmd, http.MethodGet, "events", query, nil, &log); err != nil {
				return err
			}
			return c.show(cmd, log, "EVENT TIME TYPE INVOCATION TASK NODE CAUSE EXIT-CODE", each(log.Events, func(e *native.Event) []string {
				code := ""
				if e.ExitCode != nil {
					code = strconv.Itoa(int(*e.ExitCode))
				}
				return []string{strconv.FormatInt(e.Seq, 10), when(&e.Time), e.Type, e.Invocation, e.Task, e.Node, e.Cause, code}
			}))
		},
	}
	cmd.Flags().Int64Var(&after, "after", 0, "only those after the event with this `NUMBER`")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most `N`, 1 to 1000")
	return cmd
}
