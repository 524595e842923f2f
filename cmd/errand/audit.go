package main

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
)

func newAudit() *cobra.Command {
	return group("audit", "Read who did what",
		`Every call that changes something, or would have, leaves a record: who, by which key, through which API, what, from where, and how it
was answered. Records leave with the results of their time (errand server --retain-days). Calls that were refused because there were too many
leave none.`,
		auditList,
	)
}

func auditList(c *connection) *cobra.Command {
	var user, key, action, resource, since string
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List what was done, the latest first",
		Example: `  errand audit list --user ann --since 24h
  errand audit list --resource node/web-1 --limit 1000 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			for name, value := range map[string]string{"user": user, "key": key, "action": action, "resource": resource} {
				if value != "" {
					query.Set(name, value)
				}
			}
			if since != "" {
				from, err := instant(since)
				if err != nil {
					return usage(err)
				}
				query.Set("since", from.UTC().Format(time.RFC3339))
			}
			list, err := c.auditPages(cmd, query, limit)
			if err != nil {
				return err
			}
			return c.show(cmd, list, "AT USER KEY ACTION SOURCE CODE RESOURCES", each(list.Records, func(r *native.AuditRecord) []string {
				code := r.Code
				if code == "" {
					code = "ok"
				}
				return []string{when(&r.At), r.User, r.Key, r.Dialect + ":" + r.Action, r.Source, code, joined(r.Resources)}
			}))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&user, "user", "", "only of this user, by `NAME`")
	flags.StringVar(&key, "key", "", "only by this key, by `ID`")
	flags.StringVar(&action, "action", "", "only this `ACTION`: RunCommand")
	flags.StringVar(&resource, "resource", "", "only about this resource, `KIND/ID`: node/web-1")
	flags.StringVar(&since, "since", "", "only since a `TIME`, 2026-01-02T15:04:05Z, or for a duration until now, 24h")
	flags.IntVar(&limit, "limit", 100, "at most `N` records")
	return cmd
}

// auditPages reads pages until there are enough records.
func (c *connection) auditPages(cmd *cobra.Command, query url.Values, limit int) (native.Audit, error) {
	const page = 1000
	all := native.Audit{Records: []native.AuditRecord{}}
	for len(all.Records) < limit {
		var got native.Audit
		query.Set("limit", strconv.Itoa(min(limit-len(all.Records), page)))
		if err := c.call(cmd, http.MethodGet, "audit", query, nil, &got); err != nil {
			return all, err
		}
		all.Records = append(all.Records, got.Records...)
		if got.Next == "" {
			break
		}
		query.Set("cursor", got.Next)
	}
	return all, nil
}

// instant reads a time, or a duration before now.
func instant(text string) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return time.Now().Add(-d), nil
	}
	return time.Parse(time.RFC3339, text)
}
