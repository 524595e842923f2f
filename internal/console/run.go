package console

import (
	"errors"
	"slices"
	"time"

	"errand/internal/core"
)

// tabs of the page of a run; the first is shown unless another is asked for.
var runTabs = []string{"groups", "nodes", "timeline", "script", "audit"}

type runView struct {
	runRow
	Tab     string
	Tabs    []string
	Self    string // the page's address without its tab
	Kind    string
	EndedAt time.Time
	Script  scriptView
	Failed  []taskRow
	Rows    []taskRow
	Next    string
	Audit   []auditRow
	Command string // the same as a line for a shell
}

type scriptView struct {
	Lines   []string
	Type    string
	User    string
	WorkDir string
	Timeout time.Duration
	Params  [][2]string
	Secrets []string
}

// taskRow is one node's part in a run.
type taskRow struct {
	ID, Node, NodeID, State string
	Cause, Detail           string
	Exited                  bool
	ExitCode                int32
	Signal                  uint8
	Printed                 uint64
	StartedAt               time.Time
	Took                    time.Duration
}

type auditRow struct {
	At                         time.Time
	Principal, Action, Dialect string
	Source, Code               string
}

// mostFailed is how many failed nodes the page of a run names by itself.
const mostFailed = 100

func (c *Console) run(r *request) (answer, error) {
	v, err := c.invocation(r)
	if err != nil {
		return answer{}, err
	}
	q := r.URL.Query()
	m := runView{runRow: c.row(&v), Tab: q.Get("tab"), Tabs: runTabs, Self: root + "runs/" + v.ID.String(), Kind: v.Kind.String(), EndedAt: v.EndedAt}
	if !slices.Contains(runTabs, m.Tab) {
		m.Tab = runTabs[0]
	}
	switch m.Tab {
	case "groups", "nodes":
		f := core.TaskFilter{Invocations: []core.ID{v.ID}}
		if m.Rows, m.Next, err = c.tasks(r, f, pageSize, q.Get("cursor")); err != nil {
			return answer{}, err
		}
		f.States = failedStates
		if m.Failed, _, err = c.tasks(r, f, mostFailed, ""); err != nil {
			return answer{}, err
		}
	case "script":
		m.Script = script(&v)
	case "audit":
		if m.Audit, err = c.auditOf(r, "invocation/"+v.ID.String()); err != nil {
			return answer{}, err
		}
	}
	return answer{view: "run", nav: "runs", title: m.Name, data: m}, nil
}

// failedStates are those that somebody has to look at.
var failedStates = []core.State{core.Failed, core.TimedOut, core.StartFailed, core.Invalid, core.Exception, core.Lost, core.DeliveryFailed}

// invocation reads the run that an address names.
func (c *Console) invocation(r *request) (core.Invocation, error) {
	id, ok := core.ParseID(r.PathValue("id"))
	if !ok {
		return core.Invocation{}, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonInvocationNotFound}
	}
	return c.Service.Invocation(r.Context(), r.caller, id)
}

func (c *Console) tasks(r *request, f core.TaskFilter, limit int, cursor string) ([]taskRow, string, error) {
	list, info, err := c.Service.Tasks(r.Context(), r.caller, f, core.PageSpec{Limit: limit, Token: cursor})
	if err != nil {
		return nil, "", err
	}
	rows := make([]taskRow, len(list))
	for i := range list {
		rows[i] = c.taskRow(&list[i])
	}
	return rows, info.Next, nil
}

func (c *Console) taskRow(t *core.TaskView) taskRow {
	row := taskRow{
		ID: t.ID.String(), Node: t.Target.Label(), NodeID: t.Target.ID, State: t.State.String(), Cause: t.Cause.String(), Detail: t.Detail,
		Exited: t.Exited, ExitCode: t.ExitCode, Signal: t.Signal, Printed: t.Printed(), StartedAt: t.StartedAt,
	}
	switch {
	case t.StartedAt.IsZero():
	case t.EndedAt.IsZero():
		row.Took = c.Now().Sub(t.StartedAt)
	default:
		row.Took = t.EndedAt.Sub(t.StartedAt)
	}
	return row
}

func script(v *core.Invocation) scriptView {
	s := scriptView{Lines: lines(v.Content), Type: string(v.Type), User: v.User, WorkDir: v.WorkDir, Timeout: v.Timeout}
	for name, value := range v.Params {
		s.Params = append(s.Params, [2]string{name, value})
	}
	slices.SortFunc(s.Params, func(a, b [2]string) int { return compare(a[0], b[0]) })
	for name := range v.Secrets {
		s.Secrets = append(s.Secrets, name)
	}
	slices.Sort(s.Secrets)
	return s
}

// auditOf is what was done to something. Whoever may not read the record of the account sees none of it.
func (c *Console) auditOf(r *request, resource string) ([]auditRow, error) {
	list, _, err := c.Service.AuditRecords(r.Context(), r.caller, core.AuditFilter{Resource: resource}, core.PageSpec{Limit: pageSize})
	if err != nil {
		if core.AsError(err).Code == core.CodeDenied {
			return nil, nil
		}
		return nil, err
	}
	rows := make([]auditRow, len(list))
	for i, a := range list {
		rows[i] = auditRow{At: a.At, Principal: a.Principal, Action: a.Action, Dialect: a.Dialect, Source: a.Source, Code: a.Code}
	}
	return rows, nil
}

func (c *Console) cancelRun(r *request) (answer, error) {
	v, err := c.invocation(r)
	if err != nil {
		return answer{}, err
	}
	if err := c.Service.Stop(r.Context(), r.caller, v.ID, nil); err != nil {
		return answer{}, err
	}
	return answer{redirect: root + "runs/" + v.ID.String() + "?done=cancelled"}, nil
}

// output is what one node printed.
func (c *Console) output(r *request) (answer, error) {
	id, ok := core.ParseTaskID(r.PathValue("id"))
	if !ok {
		return answer{}, &core.Error{Code: core.CodeNotFound}
	}
	list, _, err := c.Service.Tasks(r.Context(), r.caller, core.TaskFilter{IDs: []core.TaskID{id}, Output: true}, core.PageSpec{Limit: 1})
	switch {
	case err != nil:
		return answer{}, err
	case len(list) == 0:
		return answer{}, errors.Join(core.ErrNotFound)
	}
	return answer{view: "output", nav: "runs", title: list[0].Target.Label(), data: c.taskRow(&list[0])}, nil
}
