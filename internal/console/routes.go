package console

import "strings"

// route is one page, or one thing that can be done.
type route struct {
	pattern string // as http.ServeMux has it
	open    bool   // to whoever is not signed in
	reads   bool   // changes nothing, though it is sent as a form
	room    int64  // bytes that a form may have, if that is more than maxForm
	call    func(r *request) (answer, error)
}

// mutates reports whether a route changes something.
func (rt *route) mutates() bool {
	return !rt.open && !rt.reads && !strings.HasPrefix(rt.pattern, "GET ")
}

func (c *Console) routes() []route {
	page := func(path string, call func(*request) (answer, error)) route {
		return route{pattern: "GET " + root + path, call: call}
	}
	do := func(path string, call func(*request) (answer, error)) route {
		return route{pattern: "POST " + root + path, call: call}
	}
	return append(c.adminRoutes(page, do), []route{
		{pattern: "GET " + root + "login", open: true, call: c.loginForm},
		{pattern: "POST " + root + "login", open: true, call: c.login},
		{pattern: "POST " + root + "logout", open: true, call: c.logout},
		{pattern: "POST " + root + "preferences", open: true, call: c.prefer},

		page("{$}", c.home),
		page("runs", c.runs),
		page("runs/new", c.composer),
		do("runs/new", c.compose),
		{pattern: "POST " + root + "runs/preview", reads: true, call: c.preview},
		page("runs/{id}", c.run),
		page("runs/{id}/diff", c.diff),
		page("runs/{id}/grid", c.grid),
		page("runs/{id}/cells", c.cells),
		do("runs/{id}/cancel", c.act("cancelled", c.cancelRun)),
		do("runs/{id}/pause", c.act("paused", c.pauseRun)),
		do("runs/{id}/resume", c.act("resumed", c.resumeRun)),
		do("runs/{id}/abort", c.act("aborted", c.abortRun)),
		do("runs/{id}/retry", c.retryRun),
		page("tasks/{id}", c.output),
		page("tasks/{id}/lines", c.linesOf),
		page("tasks/{id}/search", c.searchOf),
		page("tasks/{id}/raw", c.rawOf),
		page("palette", c.palette),
		page("stream", c.stream),
	}...)
}
