package console

import (
	"slices"
	"strconv"
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

	Groups   groupsView
	Timeline timelineView
	Filter   string   // the states that the table of nodes is about
	Filters  []string // those to choose from
	Group    string   // the group that the table of nodes is about
	Pace     *paceView

	Target, Reason, RetryOf string
	Retriable               bool // there is something to repeat
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
	Bad                     bool // somebody has to look at it
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
	m.Pace, m.Target, m.Reason, m.Retriable = pace(&v), v.Selection.Expr, v.Reason, retriable(&v)
	if v.RetryOf != 0 {
		m.RetryOf = v.RetryOf.String()
	}
	tab := m.Tab
	if r.part == "live-head" {
		tab = "" // the rest is not asked for
	}
	switch tab {
	case "groups":
		if m.Groups, err = c.groups(r, &v); err != nil {
			return answer{}, err
		}
		if m.Failed, err = c.failed(r, &v); err != nil {
			return answer{}, err
		}
	case "nodes":
		if err = c.runNodes(r, &v, &m); err != nil {
			return answer{}, err
		}
	case "timeline":
		if m.Timeline, err = c.timeline(r, &v); err != nil {
			return answer{}, err
		}
	case "script":
		m.Script = script(&v)
	case "audit":
		if m.Audit, err = c.auditOf(r, "invocation/"+v.ID.String()); err != nil {
			return answer{}, err
		}
	}
	return answer{view: "run", nav: "runs", title: m.Name, data: m, follow: "types=invocation,task&invocation=" + m.ID}, nil
}

// failedStates are those that somebody has to look at.
var failedStates = []core.State{core.Failed, core.TimedOut, core.StartFailed, core.Invalid, core.Exception, core.Lost, core.DeliveryFailed}

// runNodes fills in the table of nodes: all of them, those in some states, or those of a group.
func (c *Console) runNodes(r *request, v *core.Invocation, m *runView) (err error) {
	q := r.URL.Query()
	m.Filter, m.Filters, m.Group = q.Get("state"), []string{"all", "failed", "open", "succeeded"}, q.Get("group")
	if !slices.Contains(m.Filters, m.Filter) {
		m.Filter = "all"
	}
	if key, ok := core.ParseGroupKey(m.Group); ok {
		list, info, err := c.Service.GroupTasks(r.Context(), r.caller, v.ID, key, core.PageSpec{Limit: pageSize, Token: q.Get("cursor")})
		if err != nil {
			return err
		}
		for i := range list {
			m.Rows = append(m.Rows, c.taskRow(&list[i]))
		}
		m.Next = info.Next
		return nil
	}
	f := core.TaskFilter{Invocations: []core.ID{v.ID}}
	switch m.Filter {
	case "failed":
		f.States = failedStates
	case "open":
		f.States = []core.State{core.Queued, core.Scheduled, core.Delivering, core.Deferred, core.Running, core.Stopping}
	case "succeeded":
		f.States = []core.State{core.Succeeded}
	}
	m.Rows, m.Next, err = c.tasks(r, f, pageSize, q.Get("cursor"))
	return err
}

// paceView is how far a run with a pace has come.
type paceView struct {
	State, Why       string
	Step, Steps      int
	Released, Total  int
	Concurrency      string
	Failures         string
	Probe            string
	Pausable, Paused bool
	Rail             []railStep
}

type railStep struct {
	Until         int  // targets, counted from the first
	Done, Current bool // over, or under way
}

// pace is nil for a run that was let go all at once.
func pace(v *core.Invocation) *paceView {
	if v.Pace == nil || v.Pacing == nil {
		return nil
	}
	g, total := v.Pacing, v.Counts.Total()
	bounds := v.Pace.Bounds(total)
	p := &paceView{
		State: string(g.Shown()), Why: g.Why, Step: min(g.Step+1, len(bounds)), Steps: len(bounds), Released: g.Released, Total: total,
		Concurrency: v.Pace.Concurrency.String(), Probe: v.Pace.Probe,
	}
	if v.Pace.MaxFailures != nil {
		if p.Failures = v.Pace.MaxFailures.String(); p.Failures == "" {
			p.Failures = "0"
		}
	}
	over := g.State == core.PaceFinished || g.State == core.PaceAborted
	p.Paused = g.Shown() == core.PacePaused
	p.Pausable = !over && !p.Paused
	for i, until := range bounds {
		p.Rail = append(p.Rail, railStep{Until: until, Done: i < g.Step || g.State == core.PaceFinished, Current: i == g.Step && !over})
	}
	return p
}

// failed are the first tasks that somebody has to look at. They are found in the picture of the run, which is read once for all who look at it.
func (c *Console) failed(r *request, v *core.Invocation) ([]taskRow, error) {
	if v.Counts.Of(failedStates...) == 0 {
		return nil, nil
	}
	marks, err := c.marks(r, v)
	if err != nil {
		return nil, err
	}
	var ids []core.TaskID
	for i := range marks {
		if len(ids) < mostFailed && slices.Contains(failedStates, marks[i].State) {
			ids = append(ids, core.TaskID{Invocation: v.ID, Index: marks[i].Index})
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	rows, _, err := c.tasks(r, core.TaskFilter{IDs: ids}, len(ids), "")
	return rows, err
}

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
		Bad: slices.Contains(failedStates, t.State),
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

// act makes a handler for something that is done to a run as a whole.
func (c *Console) act(done string, do func(r *request, id core.ID) error) func(r *request) (answer, error) {
	return func(r *request) (answer, error) {
		v, err := c.invocation(r)
		if err != nil {
			return answer{}, err
		}
		if err := do(r, v.ID); err != nil {
			return answer{}, err
		}
		return answer{redirect: root + "runs/" + v.ID.String() + "?done=" + done}, nil
	}
}

// cancelRun stops all of a run, or those of its nodes that were picked.
func (c *Console) cancelRun(r *request, id core.ID) error {
	if r.PostFormValue("from") == "" {
		return c.Service.Stop(r.Context(), r.caller, id, nil)
	}
	list, err := c.picked(r, id, r.PostFormValue("from"), r.PostFormValue("to"))
	if err != nil {
		return err
	}
	var nodes []string
	for i := range list {
		if !list[i].State.Ended() {
			nodes = append(nodes, list[i].Target.ID)
		}
	}
	if len(nodes) == 0 {
		return nil
	}
	return c.Service.Stop(r.Context(), r.caller, id, nodes)
}

// mostPicked is how many nodes of a run can be picked at a time.
const mostPicked = 10_000

// picked are the tasks of a run on a stretch of its targets.
func (c *Console) picked(r *request, id core.ID, first, last string) ([]core.TaskView, error) {
	from, err := strconv.ParseUint(first, 10, 24)
	if err != nil {
		return nil, wrong("from", "%q is not a number", first)
	}
	to, err := strconv.ParseUint(last, 10, 24)
	if err != nil || to < from || to-from >= mostPicked {
		return nil, wrong("to", "%q is not the end of a stretch of at most %d nodes", last, mostPicked)
	}
	var ids []core.TaskID
	for i := from; i <= to; i++ {
		ids = append(ids, core.TaskID{Invocation: id, Index: uint32(i)})
	}
	list, _, err := c.Service.Tasks(r.Context(), r.caller, core.TaskFilter{IDs: ids}, core.PageSpec{Limit: len(ids)})
	return list, err
}

func (c *Console) pauseRun(r *request, id core.ID) error {
	_, err := c.Service.PauseRun(r.Context(), r.caller, id)
	return err
}

func (c *Console) resumeRun(r *request, id core.ID) error {
	_, err := c.Service.ResumeRun(r.Context(), r.caller, id)
	return err
}

func (c *Console) abortRun(r *request, id core.ID) error {
	_, err := c.Service.AbortRun(r.Context(), r.caller, id)
	return err
}

// retryRun repeats a run where it did not come to what was asked, or on the nodes of one of its groups.
func (c *Console) retryRun(r *request) (answer, error) {
	v, err := c.invocation(r)
	if err != nil {
		return answer{}, err
	}
	var spec core.RetrySpec
	if text := r.PostFormValue("group"); text != "" {
		if spec.Nodes, err = c.nodesOf(r, v.ID, text); err != nil {
			return answer{}, err
		}
	}
	again, err := c.Service.Retry(r.Context(), r.caller, v.ID, spec)
	if err != nil {
		return answer{}, err
	}
	return answer{redirect: root + "runs/" + again.ID.String() + "?done=retried"}, nil
}

// nodesOf are the ids of all nodes in a group.
func (c *Console) nodesOf(r *request, id core.ID, group string) ([]string, error) {
	key, ok := core.ParseGroupKey(group)
	if !ok {
		return nil, &core.Error{Code: core.CodeNotFound, Detail: group}
	}
	var nodes []string
	for p := (core.PageSpec{Limit: mostCells}); ; {
		list, info, err := c.Service.GroupTasks(r.Context(), r.caller, id, key, p)
		if err != nil {
			return nil, err
		}
		for i := range list {
			nodes = append(nodes, list[i].Target.ID)
		}
		if p.Token = info.Next; p.Token == "" {
			return nodes, nil
		}
	}
}

// retriable reports whether there is something to repeat.
func retriable(v *core.Invocation) bool {
	if v.Kind != core.KindOnce {
		return false
	}
	for s, n := range v.Counts {
		if n > 0 && (core.State(s).Bad() || core.State(s) == core.Cancelled) {
			return true
		}
	}
	return false
}
