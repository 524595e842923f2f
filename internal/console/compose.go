package console

import (
	"strconv"
	"strings"
	"time"

	"errand/internal/core"
)

// order is a run as the form of the composer has it.
type order struct {
	Target, Script, Name, User, WorkDir string
	Timeout                             string // in seconds
}

type composeView struct {
	order
	Problem, Field string
}

func (c *Console) composer(r *request) (answer, error) {
	q := r.URL.Query()
	v := composeView{order: order{Target: q.Get("target"), Timeout: "60"}}
	if from, ok := core.ParseID(q.Get("from")); ok {
		old, err := c.Service.Invocation(r.Context(), r.caller, from)
		if err != nil {
			return answer{}, err
		}
		v.Script, v.User, v.WorkDir, v.Name = string(old.Content), old.User, old.WorkDir, old.Name
		v.Timeout = strconv.Itoa(int(old.Timeout / time.Second))
	}
	return answer{view: "compose", nav: "new", title: r.t.text("compose.title"), data: v}, nil
}

func (c *Console) compose(r *request) (answer, error) {
	o := order{
		Target: strings.TrimSpace(r.PostFormValue("target")), Script: strings.ReplaceAll(r.PostFormValue("script"), "\r\n", "\n"),
		Name: r.PostFormValue("name"), User: r.PostFormValue("user"), WorkDir: r.PostFormValue("work_dir"), Timeout: r.PostFormValue("timeout"),
	}
	spec, err := o.spec()
	if err == nil {
		var v core.Invocation
		if v, err = c.Service.Run(r.Context(), r.caller, spec); err == nil {
			return answer{redirect: root + "runs/" + v.ID.String()}, nil
		}
	}
	e := core.AsError(err)
	if e.Code == core.CodeInternal || e.Code == core.CodeDenied {
		return answer{}, err
	}
	return answer{
		view: "compose", nav: "new", title: r.t.text("compose.title"), status: statusOf(e.Code),
		data: composeView{order: o, Problem: e.Detail, Field: e.Field},
	}, nil
}

func (o *order) spec() (core.RunSpec, error) {
	seconds, err := strconv.Atoi(o.Timeout)
	if err != nil {
		return core.RunSpec{}, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonTimeoutRange, Field: "timeout", Detail: o.Timeout}
	}
	return core.RunSpec{
		Origin: core.OriginNative, Targets: strings.FieldsFunc(o.Target, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' }), KillTree: true,
		Definition: core.Definition{
			Type: core.Shell, Content: []byte(o.Script), Name: o.Name, User: o.User, WorkDir: o.WorkDir, Timeout: time.Duration(seconds) * time.Second,
		},
		Limits: core.Limits{DefaultTimeout: time.Minute, MinTimeout: time.Second, User: 255, WorkDir: 4096, Dense: true},
	}, nil
}
