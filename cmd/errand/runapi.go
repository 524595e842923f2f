package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"errand/internal/api/native"
	"errand/internal/client"
)

// runAPI is one run as the server tells about it. Its calls go on for a while when the server is away: runs do not depend on who watches.
type runAPI struct {
	api *client.Client
	id  string
}

func (r *runAPI) get(ctx context.Context, path string, query url.Values, answer any) error {
	return insist(ctx, func() error { return r.api.Call(ctx, http.MethodGet, path, query, nil, answer) })
}

func (r *runAPI) invocation(ctx context.Context) (v native.Invocation, err error) {
	return v, r.get(ctx, client.Path("invocations", r.id), nil, &v)
}

// act asks for something to be done with the run: pause, resume, abort, cancel.
func (r *runAPI) act(ctx context.Context, what string, body any) (v native.Invocation, err error) {
	return v, r.api.Call(ctx, http.MethodPost, client.Path("invocations", r.id, what), nil, body, &v)
}

// tasks returns at most most tasks in some states; none means all states.
func (r *runAPI) tasks(ctx context.Context, most int, states []string, nodes []string) (all []native.Task, more bool, err error) {
	query := url.Values{"state": states, "node": nodes}
	for len(all) < most {
		query.Set("limit", strconv.Itoa(min(1000, most-len(all))))
		var page native.Tasks
		if err := r.get(ctx, client.Path("invocations", r.id, "tasks"), query, &page); err != nil {
			return nil, false, err
		}
		all = append(all, page.Tasks...)
		if page.Next == "" {
			return all, false, nil
		}
		query.Set("cursor", page.Next)
	}
	return all, true, nil
}

// folds are the groups of nodes whose output and end are equal.
type folds struct {
	Groups  []native.Group
	Running int
}

func (r *runAPI) groups(ctx context.Context) (all folds, err error) {
	query := url.Values{"limit": {"1000"}}
	for {
		var page native.Groups
		if err := r.get(ctx, client.Path("invocations", r.id, "groups"), query, &page); err != nil {
			return all, err
		}
		all.Groups, all.Running = append(all.Groups, page.Groups...), page.Running
		if page.Next == "" {
			return all, nil
		}
		query.Set("cursor", page.Next)
	}
}

func (r *runAPI) diff(ctx context.Context, key, against string) (d native.Diff, err error) {
	query := url.Values{}
	if against != "" {
		query.Set("against", against)
	}
	return d, r.get(ctx, client.Path("invocations", r.id, "groups", key, "diff"), query, &d)
}

// outputOf hands on what a task printed, both streams in their order, from a position on; with follow, until the task has ended. It returns the task
// as it was last.
func (r *runAPI) outputOf(
	ctx context.Context, task string, follow bool, write func(stream string, data []byte) error,
) (last native.Task, err error) {
	from, wait := uint64(0), 0
	if follow {
		wait = 30
	}
	for {
		var out native.Output
		query := url.Values{"from": {strconv.FormatUint(from, 10)}, "wait": {strconv.Itoa(wait)}}
		if err := r.get(ctx, client.Path("tasks", task, "output"), query, &out); err != nil {
			return last, err
		}
		for _, p := range out.Pieces {
			if p.Offset > from {
				if err := write("stderr", fmt.Appendf(nil, "\n[%d bytes are not kept]\n", p.Offset-from)); err != nil {
					return out.Task, err
				}
			}
			if err := write(p.Stream, p.Data); err != nil {
				return out.Task, err
			}
			from = p.Offset + uint64(len(p.Data))
		}
		from = max(from, out.Next)
		if len(out.Pieces) == 0 && (!out.Open || !follow) {
			return out.Task, nil
		}
	}
}

// streams hands the output of a task to two writers.
func streams(stdout, stderr io.Writer) func(string, []byte) error {
	return func(stream string, data []byte) error {
		w := stdout
		if stream == "stderr" {
			w = stderr
		}
		_, err := w.Write(data)
		return err
	}
}

// lasted is how long something took until now or its end.
func lasted(from time.Time, to *time.Time, now time.Time) time.Duration {
	if to != nil {
		now = *to
	}
	return max(0, now.Sub(from))
}

// brief is a duration for people: 340ms, 1.9s, 12m05s, 3h07m.
func brief(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
}
