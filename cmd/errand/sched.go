package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
)

func newSchedules() *cobra.Command {
	return group("sched", "Run stored commands by the clock",
		`A schedule runs a stored command at the moments of a crontab, or once, on nodes that are chosen when it is made. The server carries it out, in the name of who made or
changed it last. A schedule is named by its name or its id. Plans that nodes carry out by themselves, also without a connection, are in docs/schedules.md.`,
		schedList, schedAdd, schedShow, schedNext,
		func(c *connection) *cobra.Command {
			return schedSwitch(c, "pause", "Keep a schedule from firing", false)
		},
		func(c *connection) *cobra.Command {
			return schedSwitch(c, "resume", "Let a schedule fire again", true)
		},
		schedRemove,
	)
}

const schedHeader = "ID NAME STATE WHEN NEXT COMMAND NODES BY +CREATED +USER"

func (c *connection) schedRow(s *native.Schedule) []string {
	return []string{
		s.ID, s.Name, state(!s.Enabled), whenOf(s), when(s.Next), s.Command, strconv.Itoa(len(s.Targets)), s.By, when(&s.Created), s.User,
	}
}

// whenOf says when a schedule fires.
func whenOf(s *native.Schedule) string {
	if s.At != "" {
		return "at " + s.At
	}
	return s.Crontab + " " + s.Zone
}

func schedList(c *connection) *cobra.Command {
	var command string
	var limit int
	cmd := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List schedules, the latest first", Example: "  errand sched ls\n  errand sched ls --command greet -o json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			if command != "" {
				_, one, err := c.stored(cmd, command)
				if err != nil {
					return err
				}
				query.Set("command", one.ID)
			}
			api, err := c.dial()
			if err != nil {
				return err
			}
			list, err := listSchedules(cmd.Context(), api, query, limit)
			if err != nil {
				return err
			}
			return c.show(cmd, list, schedHeader, each(list.Schedules, c.schedRow))
		},
	}
	cmd.Flags().StringVar(&command, "command", "", "only those of the stored command with this `NAME`")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most `N` schedules")
	return cmd
}

func listSchedules(ctx context.Context, api *client.Client, query url.Values, limit int) (native.Schedules, error) {
	all := native.Schedules{Schedules: []native.Schedule{}}
	err := client.Pages(ctx, api, "schedules", query, limit, func(page native.Schedules) (int, string) {
		all.Schedules, all.Next = append(all.Schedules, page.Schedules...), page.Next
		return len(page.Schedules), page.Next
	})
	return all, err
}

// clockFlags say when a schedule fires.
type clockFlags struct{ cron, zone, at string }

func (f *clockFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.cron, "cron", "", "`CRONTAB` of five fields: minute hour day-of-month month day-of-week")
	cmd.Flags().StringVar(&f.zone, "zone", "", "time `ZONE` of the crontab, such as Europe/Berlin; UTC if left out")
	cmd.Flags().StringVar(&f.at, "at", "", "once, at a `TIME`, 2030-01-02T15:04:05Z, or after a duration, 2h")
}

// body is the trigger as the API has it.
func (f *clockFlags) body() (map[string]any, error) {
	b := map[string]any{}
	switch {
	case (f.cron == "") == (f.at == ""):
		return nil, errors.New("want either --cron or --at")
	case f.cron != "":
		b["crontab"] = f.cron
		if f.zone != "" {
			b["zone"] = f.zone
		}
	case f.zone != "":
		return nil, errors.New("--zone is for --cron")
	default:
		at, err := time.Parse(time.RFC3339, f.at)
		if d, isDuration := time.ParseDuration(f.at); isDuration == nil {
			at, err = time.Now().Add(d+time.Second-1), nil // whole seconds, and not before
		}
		if err != nil {
			return nil, fmt.Errorf("--at %s: want 2030-01-02T15:04:05Z or a duration", f.at)
		}
		b["at"] = at.UTC().Format(time.RFC3339)
	}
	return b, nil
}

func schedAdd(c *connection) *cobra.Command {
	var when clockFlags
	var t targeting
	var name, user string
	var params []string
	var queue time.Duration
	cmd := &cobra.Command{
		Use: "add COMMAND [TARGETS] --cron CRONTAB | --at TIME", Short: "Run a stored command again and again, or once later",
		Example: `  errand sched add greet role=web --name every-night --cron '30 3 * * *' --zone Europe/Berlin
  errand sched add greet all --at 2h --param who=later`,
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: completeStored,
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := when.body()
			if err != nil {
				return usage(err)
			}
			values, err := pairs("--param", params)
			if err != nil {
				return usage(err)
			}
			s, err := t.choose(cmd, args[1:])
			if err != nil {
				return err
			}
			if s.Target == "" {
				return usage(errors.New("name the nodes (errand help targets)"))
			}
			if s.Pick != "" {
				return usage(errors.New("--pick is for runs"))
			}
			api, one, err := c.stored(cmd, args[0])
			if err != nil {
				return err
			}
			for member, value := range map[string]string{"target": s.Target, "exclude": s.Exclude, "name": name, "user": user, "command": one.ID} {
				if value != "" {
					body[member] = value
				}
			}
			if len(values) > 0 {
				body["params"] = values
			}
			if cmd.Flags().Changed("queue") {
				body["queue_seconds"] = int64(queue / time.Second)
			}
			var made native.Schedule
			if err := api.Call(cmd.Context(), http.MethodPost, "schedules", nil, body, &made); err != nil {
				return err
			}
			return c.show(cmd, &made, schedHeader, [][]string{c.schedRow(&made)})
		},
	}
	when.add(cmd)
	t.add(cmd)
	for _, flag := range []string{"pick", "seed"} {
		_ = cmd.Flags().MarkHidden(flag)
	}
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of the schedule")
	cmd.Flags().StringVar(&user, "as", "", "run as `USER` of the node instead of the command's")
	cmd.Flags().StringArrayVar(&params, "param", nil, "value of a parameter, `NAME=VALUE`; may be repeated")
	cmd.Flags().DurationVar(&queue, "queue", 0, "how long a node that is away may take to come back; left out, 1m; 0s takes only who is there")
	return cmd
}

// schedule finds a schedule by its name or its id.
func (c *connection) schedule(cmd *cobra.Command, name string) (*client.Client, native.Schedule, error) {
	api, err := c.dial()
	if err != nil {
		return nil, native.Schedule{}, err
	}
	list, err := listSchedules(cmd.Context(), api, url.Values{}, recentRuns)
	if err != nil {
		return nil, native.Schedule{}, err
	}
	var like []native.Schedule
	for _, s := range list.Schedules {
		if s.ID == name || s.Name == name && name != "" {
			like = append(like, s)
		}
	}
	switch {
	case len(like) == 1:
		return api, like[0], nil
	case len(like) > 1:
		return nil, native.Schedule{}, usage(fmt.Errorf("several schedules have the name %q: name it by its id, see errand sched ls", name))
	}
	var one native.Schedule
	err = api.Call(cmd.Context(), http.MethodGet, client.Path("schedules", name), nil, nil, &one)
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		err = fmt.Errorf("no schedule has the name or the id %q; errand sched ls lists them", name)
	}
	return api, one, err
}

func schedShow(c *connection) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "show SCHEDULE", Short: "Show a schedule and what its last moments led to", Example: "  errand sched show every-night\n  errand sched show every-night -o json", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, s, err := c.schedule(cmd, args[0])
			if err != nil {
				return err
			}
			var past native.Firings
			if err := api.Call(cmd.Context(), http.MethodGet, client.Path("schedules", s.ID, "firings"), url.Values{"limit": {strconv.Itoa(limit)}}, nil, &past); err != nil {
				return err
			}
			if c.structured() {
				return c.show(cmd, map[string]any{"schedule": s, "firings": past.Firings}, "", nil)
			}
			if err := c.show(cmd, nil, schedHeader, [][]string{c.schedRow(&s)}); err != nil || c.name == "name" || len(past.Firings) == 0 {
				return err
			}
			if _, err := fmt.Fprintln(cmd.OutOrStdout()); err != nil {
				return err
			}
			return table(cmd.OutOrStdout(), "DUE RUN PROBLEM", each(past.Firings, func(f *native.Firing) []string {
				return []string{when(&f.Due), f.Invocation, f.Problem}
			}))
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 10, "at most `N` moments")
	return cmd
}

func schedNext(c *connection) *cobra.Command {
	var clock clockFlags
	var count int
	cmd := &cobra.Command{
		Use: "next [SCHEDULE] [--cron CRONTAB | --at TIME]", Short: "Tell when a schedule fires next, or when a crontab would",
		Example: `  errand sched next every-night
  errand sched next --cron '0 8 * * 1-5' --zone Asia/Shanghai --count 3`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]any{}
			if len(args) == 0 {
				var err error
				if body, err = clock.body(); err != nil {
					return usage(err)
				}
			} else {
				if clock != (clockFlags{}) {
					return usage(errors.New("either a schedule or --cron or --at"))
				}
				_, s, err := c.schedule(cmd, args[0])
				if err != nil {
					return err
				}
				body["id"] = s.ID
			}
			body["count"] = count
			var m native.Moments
			if err := c.call(cmd, http.MethodPost, "schedules/preview", nil, body, &m); err != nil {
				return err
			}
			return c.show(cmd, &m, "MOMENT IN", each(m.Moments, func(t *time.Time) []string {
				return []string{t.UTC().Format(time.RFC3339), strings.TrimSuffix(brief(time.Until(*t).Truncate(time.Second)), ".0s")}
			}))
		},
	}
	clock.add(cmd)
	cmd.Flags().IntVar(&count, "count", 5, "so many moments, 1 to 100")
	return cmd
}

func schedSwitch(c *connection, verb, short string, on bool) *cobra.Command {
	return &cobra.Command{
		Use: verb + " SCHEDULE", Short: short, Example: "  errand sched " + verb + " every-night", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, s, err := c.schedule(cmd, args[0])
			if err != nil {
				return err
			}
			var changed native.Schedule
			if err := api.Call(cmd.Context(), http.MethodPatch, client.Path("schedules", s.ID), nil, map[string]bool{"enabled": on}, &changed); err != nil {
				return err
			}
			return c.show(cmd, &changed, schedHeader, [][]string{c.schedRow(&changed)})
		},
	}
}

func schedRemove(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "rm SCHEDULE", Aliases: []string{"remove"}, Short: "Remove a schedule; what it made run stays", Example: "  errand sched rm every-night", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, s, err := c.schedule(cmd, args[0])
			if err != nil {
				return err
			}
			return api.Call(cmd.Context(), http.MethodDelete, client.Path("schedules", s.ID), nil, nil, nil)
		},
	}
}
