package console

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"errand/internal/core"
	"errand/internal/nodeset"
)

// order is a run as the form of the composer has it: texts as somebody wrote them.
type order struct {
	Target, Exclude, Pick, Seed  string
	Script, Type                 string
	Name, Reason                 string
	User, WorkDir, Timeout       string // Timeout in seconds
	Queue                        string // how long a node may be away, in seconds
	Login                        bool
	Params, Secrets              string // a line NAME=VALUE for each
	CPU, Memory, PIDs            string // in cores, MiB and processes
	Concurrency, Steps, Failures string
	Probe, ProbeTimeout          string
	PauseAfterStep               bool
}

// fields are the texts of an order by the names of their fields in the form.
func (o *order) fields() map[string]*string {
	return map[string]*string{
		"target": &o.Target, "exclude": &o.Exclude, "pick": &o.Pick, "seed": &o.Seed, "script": &o.Script, "type": &o.Type, "name": &o.Name,
		"reason": &o.Reason, "user": &o.User, "work_dir": &o.WorkDir, "timeout": &o.Timeout, "queue": &o.Queue, "params": &o.Params, "secrets": &o.Secrets,
		"cpu": &o.CPU, "memory": &o.Memory, "pids": &o.PIDs, "concurrency": &o.Concurrency, "steps": &o.Steps, "max_failures": &o.Failures,
		"probe": &o.Probe, "probe_timeout": &o.ProbeTimeout,
	}
}

// defaults of a new order.
const (
	defaultTimeout = "60"
	defaultQueue   = "60"
)

func readOrder(form url.Values) order {
	o := order{Login: form.Get("login") != "", PauseAfterStep: form.Get("pause_after_step") != ""}
	for name, text := range o.fields() {
		*text = strings.ReplaceAll(form.Get(name), "\r\n", "\n")
		if name != "script" && name != "secrets" && name != "params" {
			*text = strings.TrimSpace(*text)
		}
	}
	// A script is a file of lines, whatever the browser sent.
	if o.Script != "" && !strings.HasSuffix(o.Script, "\n") {
		o.Script += "\n"
	}
	if o.Pick != "" && o.Seed == "" {
		o.Seed = newSeed()
	}
	return o
}

// newSeed is a chance that can be repeated.
func newSeed() string { return strconv.Itoa(rand.IntN(1_000_000)) } //nolint:gosec // a draw that can be repeated, not a secret

type composeView struct {
	order
	Problem, Field string
	Types          []core.CommandType
	Groups         []string
	Preview        previewView
}

// previewView is what the order comes to by now.
type previewView struct {
	Problem       string
	Empty         bool // nothing was written yet
	Total, Online int
	Cordoned      int
	Names         string // folded
	Sample        []nodeRow
	Missing       []string
	Params        []string // that the script has and nobody gave a value
	Same          []equivalent
}

func (c *Console) composer(r *request) (answer, error) {
	q := r.URL.Query()
	v := composeView{order: order{Target: q.Get("target"), Timeout: defaultTimeout, Queue: defaultQueue, Type: string(core.Shell), Seed: newSeed()}}
	if of, ok := core.ParseID(q.Get("of")); ok { // nodes that were picked in the picture of a run
		list, err := c.picked(r, of, q.Get("first"), q.Get("last"))
		if err != nil {
			return answer{}, err
		}
		names := make([]string, len(list))
		for i := range list {
			names[i] = list[i].Target.Label()
		}
		v.Target = nodeset.Fold(names)
	}
	if from, ok := core.ParseID(q.Get("from")); ok {
		old, err := c.Service.Invocation(r.Context(), r.caller, from)
		if err != nil {
			return answer{}, err
		}
		v.again(&old)
	}
	return c.composePage(r, v, 0)
}

// again fills in the order of a run that was.
func (o *order) again(v *core.Invocation) {
	o.Script, o.User, o.WorkDir, o.Name, o.Reason = string(v.Content), v.User, v.WorkDir, v.Name, v.Reason
	o.Type, o.Timeout, o.Login = string(v.Type), seconds(v.Timeout), v.Login
	if s := v.Selection; !s.IsZero() {
		if o.Target, o.Exclude, o.Pick = s.Expr, s.Exclude, s.Pick.String(); o.Pick != "" {
			o.Seed = strconv.FormatUint(s.Seed, 10)
		}
	}
	o.againPaced(v.Pace)
	var params []string
	for name, value := range v.Params {
		params = append(params, name+"="+value)
	}
	slices.Sort(params)
	o.Params = strings.Join(params, "\n")
	for name := range v.Secrets { // their values are never shown again
		o.Secrets += name + "=\n"
	}
}

func (o *order) againPaced(p *core.Pace) {
	if p == nil {
		return
	}
	o.Concurrency, o.Probe, o.PauseAfterStep = p.Concurrency.String(), p.Probe, p.PauseAfterStep
	steps := make([]string, len(p.Steps))
	for i, s := range p.Steps {
		steps[i] = s.String()
	}
	o.Steps = strings.Join(steps, ", ")
	if p.MaxFailures != nil {
		if o.Failures = p.MaxFailures.String(); o.Failures == "" {
			o.Failures = "0"
		}
	}
	if p.ProbeTimeout > 0 {
		o.ProbeTimeout = seconds(p.ProbeTimeout)
	}
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

func (c *Console) composePage(r *request, v composeView, status int) (answer, error) {
	v.Types = []core.CommandType{core.Shell, core.PowerShell, core.Bat}
	groups, err := c.Service.NodeGroups(r.Context(), r.caller)
	if err != nil && core.AsError(err).Code != core.CodeDenied {
		return answer{}, err
	}
	for i := range groups {
		v.Groups = append(v.Groups, groups[i].Name)
	}
	v.Preview = c.previewOf(r, &v.order)
	return answer{view: "compose", nav: "new", title: r.t.text("compose.title"), data: v, status: status}, nil
}

func (c *Console) compose(r *request) (answer, error) {
	o := readOrder(r.PostForm)
	if r.PostForm.Get("look") != "" { // without JavaScript, the preview is a button
		return c.composePage(r, composeView{order: o}, 0)
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
	return c.composePage(r, composeView{order: o, Problem: e.Detail, Field: e.Field}, statusOf(e.Code))
}

// preview says what the order that is being written comes to, and how else it could be given.
func (c *Console) preview(r *request) (answer, error) {
	r.part = "live-preview"
	return answer{view: "compose", data: composeView{Preview: c.previewOf(r, new(readOrder(r.PostForm)))}}, nil
}

const (
	mostSampled = 5
	mostFolded  = 400 // bytes of names
)

func (c *Console) previewOf(r *request, o *order) previewView {
	v := previewView{Empty: o.Target == ""}
	var names []string
	if !v.Empty {
		sel, err := o.selection()
		var p core.Preview
		if err == nil {
			p, err = c.Service.Preview(r.Context(), r.caller, sel)
		}
		if err != nil {
			e := core.AsError(err)
			if v.Problem = e.Detail; e.Code == core.CodeInternal {
				c.Log.Error("console", "path", r.URL.Path, "error", err)
				v.Problem = r.t.text("refusal.internal.text")
			}
		}
		v.Total, v.Online, v.Cordoned, v.Missing, names = p.Total, p.Online, p.Cordoned, p.Missing, p.Names
		v.Names = clip(nodeset.Fold(names), mostFolded)
		for i := range p.Sample[:min(len(p.Sample), mostSampled)] {
			v.Sample = append(v.Sample, c.nodeRow(&p.Sample[i]))
		}
	}
	given := map[string]bool{}
	for name := range pairsOf(o.Params) {
		given[name] = true
	}
	for _, name := range paramStyle.ParamNames([]byte(o.Script)) {
		if !given[name] {
			v.Params = append(v.Params, name)
		}
	}
	if o.Target != "" && strings.TrimSpace(o.Script) != "" {
		v.Same = o.equivalents(r.server().String(), names)
	}
	return v
}

// clip cuts a text at so many bytes, between characters.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}

// paramStyle is that of the native API: as every vendor writes parameters, and with Tencent's mark for secret ones.
var paramStyle = core.ParamStyle{Required: true, Hidden: "tat-hidden:"}

// pairsOf reads lines NAME=VALUE; others are passed over, as are empty ones.
func pairsOf(text string) map[string]string {
	m := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		if name, value, ok := strings.Cut(strings.TrimSuffix(line, "\r"), "="); ok && strings.TrimSpace(name) != "" {
			m[strings.TrimSpace(name)] = value
		}
	}
	return m
}

func wrong(field, format string, args ...any) error {
	return &core.Error{Code: core.CodeInvalid, Reason: core.ReasonInvalidValue, Field: field, Detail: fmt.Sprintf(format, args...)}
}

func (o *order) selection() (core.Selection, error) {
	sel := core.Selection{Expr: o.Target, Exclude: o.Exclude}
	var err error
	if sel.Pick, err = core.ParseShare(o.Pick); err != nil {
		return sel, wrong("pick", "%s", core.AsError(err).Detail)
	}
	if o.Pick != "" {
		if sel.Seed, err = strconv.ParseUint(o.Seed, 10, 64); err != nil {
			return sel, wrong("seed", "%q is not a number", o.Seed)
		}
	}
	return sel, nil
}

// whole reads a number that may be left out.
func whole(field, text string, unit int64) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0, wrong(field, "%q is not a whole number", text)
	}
	return n * unit, nil
}

// spec is the order as the core takes it, with what the native API does by default.
func (o *order) spec() (core.RunSpec, error) {
	spec := core.RunSpec{
		Origin: core.OriginNative, Reason: o.Reason, KillTree: true, Login: o.Login, Style: paramStyle,
		Definition: core.Definition{Type: core.CommandType(o.Type), Content: []byte(o.Script), Name: o.Name, User: o.User, WorkDir: o.WorkDir},
		Limits:     core.Limits{DefaultTimeout: time.Minute, MinTimeout: time.Second, Name: 128, User: 255, WorkDir: 4096, Launcher: 1024, Dense: true},
	}
	var err error
	if spec.Select, err = o.selection(); err != nil {
		return spec, err
	}
	if o.Target == "" {
		return spec, wrong("target", "none")
	}
	timeout, err := whole("timeout", o.Timeout, 1)
	if err != nil {
		return spec, err
	}
	spec.Timeout = time.Duration(timeout) * time.Second
	if o.Queue != "" {
		queue, err := whole("queue", o.Queue, 1)
		if err != nil {
			return spec, err
		}
		if spec.DeliverWithin = time.Duration(queue) * time.Second; queue == 0 {
			spec.DeliverWithin = core.NoWaiting
		}
	}
	if params := pairsOf(o.Params); len(params) > 0 {
		spec.Params, spec.ParamsEnabled = params, true
	}
	if secrets := pairsOf(o.Secrets); len(secrets) > 0 {
		spec.Secrets = secrets
	}
	if spec.Resources, err = o.resources(); err != nil {
		return spec, err
	}
	spec.Pace, err = o.pace()
	return spec, err
}

// resources bounds what the run may use; nil if nothing does.
func (o *order) resources() (*core.Resources, error) {
	if o.CPU == "" && o.Memory == "" && o.PIDs == "" {
		return nil, nil
	}
	var res core.Resources
	if o.CPU != "" {
		cores, err := strconv.ParseFloat(o.CPU, 64)
		if err != nil || !(cores > 0 && cores < 1e6) {
			return nil, wrong("cpu", "%q is not a number of cores", o.CPU)
		}
		res.CPU = int64(cores*1000 + .5)
	}
	var err error
	if res.Memory, err = whole("memory", o.Memory, 1<<20); err != nil {
		return nil, err
	}
	if res.Processes, err = whole("pids", o.PIDs, 1); err != nil {
		return nil, err
	}
	return &res, nil
}

// pace is how the run goes through its nodes; nil if all of them have it at once.
func (o *order) pace() (*core.Pace, error) {
	steps := o.steps()
	if o.Concurrency == "" && len(steps) == 0 && o.Failures == "" && o.Probe == "" && !o.PauseAfterStep {
		return nil, nil
	}
	if len(steps) == 0 && (o.Probe != "" || o.PauseAfterStep) {
		return nil, wrong("steps", "a probe or a pause comes between steps")
	}
	p := core.Pace{Probe: o.Probe, PauseAfterStep: o.PauseAfterStep}
	share := func(field, text string) (core.Share, error) {
		s, err := core.ParseShare(text)
		if err != nil {
			return s, wrong(field, "%s", core.AsError(err).Detail)
		}
		return s, nil
	}
	var err error
	if p.Concurrency, err = share("concurrency", o.Concurrency); err != nil {
		return nil, err
	}
	for _, text := range steps {
		s, err := share("steps", text)
		if err != nil {
			return nil, err
		}
		p.Steps = append(p.Steps, s)
	}
	if o.Failures != "" {
		var most core.Share
		if o.Failures != "0" {
			if most, err = share("max_failures", o.Failures); err != nil {
				return nil, err
			}
		}
		p.MaxFailures = &most
	}
	if o.Probe != "" {
		timeout, err := whole("probe_timeout", o.ProbeTimeout, 1)
		if err != nil {
			return nil, err
		}
		p.ProbeTimeout = time.Duration(timeout) * time.Second
	}
	return &p, nil
}
