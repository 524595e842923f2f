package console

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// equivalent is the same run as it would be given elsewhere.
type equivalent struct {
	Name string // "cli", "api", "aliyun", "tccli" or "go"
	Text string
	// Left is what this way has no words for, by the names of the form's fields.
	Left []string
	// Part is how many of the nodes one call takes, if not all of them.
	Part int
}

// What the vendors' actions take in one call.
const (
	aliyunTargets = 100 // ECS RunCommand, InstanceId.N
	tccliTargets  = 200 // TAT RunCommand, InstanceIds
)

// equivalents are all ways to give an order that are known here; names are the nodes that it comes to.
func (o *order) equivalents(base string, names []string) []equivalent {
	return []equivalent{o.cli(), o.api(base), o.aliyun(names), o.tccli(names), o.sdk(base, names)}
}

// quote makes one word of a shell out of a text.
func quote(text string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-"
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// words are flags with their values, one line for each behind the first.
type words struct{ b strings.Builder }

func (w *words) add(flag, value string) {
	if value != "" {
		w.b.WriteString(" \\\n  " + flag + " " + quote(value))
	}
}

func (w *words) set(flag string, on bool) {
	if on {
		w.b.WriteString(" \\\n  " + flag)
	}
}

// cli is the order for Errand's own command line. A line goes behind "--", a script through standard input.
func (o *order) cli() equivalent {
	var w words
	script := strings.TrimSuffix(o.Script, "\n")
	oneLine := !strings.Contains(script, "\n") && o.Type == "shell" && script != ""
	if target := quote(o.Target); oneLine {
		w.b.WriteString("errand run " + target)
	} else {
		w.b.WriteString("errand script " + target + " -")
	}
	w.add("--exclude", o.Exclude)
	if w.add("--pick", o.Pick); o.Pick != "" {
		w.add("--seed", o.Seed)
	}
	if o.Timeout != defaultTimeout {
		w.add("--timeout", unit(o.Timeout))
	}
	if o.Queue != defaultQueue {
		w.add("--queue", unit(o.Queue))
	}
	w.add("--as", o.User)
	w.set("--login", o.Login)
	w.add("--cwd", o.WorkDir)
	params := pairsOf(o.Params)
	for _, name := range slices.Sorted(maps.Keys(params)) {
		w.add("--param", name+"="+params[name])
	}
	for _, name := range slices.Sorted(maps.Keys(pairsOf(o.Secrets))) {
		w.add("--secret", name)
	}
	w.add("--limits", o.limitWords())
	w.add("--concurrency", o.Concurrency)
	w.add("--steps", strings.Join(o.steps(), ","))
	w.add("--max-failures", o.Failures)
	if w.add("--probe", o.Probe); o.Probe != "" {
		w.add("--probe-timeout", unit(o.ProbeTimeout))
	}
	w.set("--pause-after step", o.PauseAfterStep)
	w.add("--name", o.Name)
	w.add("--reason", o.Reason)
	if oneLine {
		w.b.WriteString(" -- " + quote(script))
	} else {
		w.set("--yes", true) // nobody can be asked through standard input
		end := "EOF"
		for strings.Contains("\n"+o.Script, "\n"+end+"\n") {
			end += "_"
		}
		w.b.WriteString(" <<'" + end + "'\n" + o.Script + end)
	}
	return equivalent{Name: "cli", Text: w.b.String()}
}

// unit is a number of seconds as a duration.
func unit(seconds string) string {
	if seconds == "" {
		return ""
	}
	return seconds + "s"
}

func (o *order) limitWords() string {
	var list []string
	if o.CPU != "" {
		list = append(list, "cpu="+o.CPU)
	}
	if o.Memory != "" {
		list = append(list, "mem="+o.Memory+"m")
	}
	if o.PIDs != "" {
		list = append(list, "pids="+o.PIDs)
	}
	return strings.Join(list, ",")
}

// request is the order as the body of the native API has it. Secrets are left to be filled in.
func (o *order) request() map[string]any {
	b := map[string]any{"content": o.Script, "target": o.Target}
	put := func(name, value string) {
		if value != "" {
			b[name] = value
		}
	}
	number := func(into map[string]any, name, value string, factor float64) {
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			into[name] = int64(n * factor)
		}
	}
	put("exclude", o.Exclude)
	if put("pick", o.Pick); o.Pick != "" {
		number(b, "seed", o.Seed, 1)
	}
	put("name", o.Name)
	put("reason", o.Reason)
	put("user", o.User)
	put("work_dir", o.WorkDir)
	if o.Type != "shell" {
		put("type", o.Type)
	}
	number(b, "timeout_seconds", o.Timeout, 1)
	number(b, "queue_seconds", o.Queue, 1)
	if o.Login {
		b["login"] = true
	}
	if params := pairsOf(o.Params); len(params) > 0 {
		b["params"] = params
	}
	if secrets := pairsOf(o.Secrets); len(secrets) > 0 {
		for name := range secrets {
			secrets[name] = "…"
		}
		b["secrets"] = secrets
	}
	limits := map[string]any{}
	number(limits, "cpu_millicores", o.CPU, 1000)
	number(limits, "memory_bytes", o.Memory, 1<<20)
	number(limits, "pids", o.PIDs, 1)
	if len(limits) > 0 {
		b["resources"] = limits
	}
	if pace := o.paceBody(number); len(pace) > 0 {
		b["pace"] = pace
	}
	return b
}

func (o *order) paceBody(number func(map[string]any, string, string, float64)) map[string]any {
	pace := map[string]any{}
	for name, value := range map[string]string{"concurrency": o.Concurrency, "max_failures": o.Failures, "probe": o.Probe} {
		if value != "" {
			pace[name] = value
		}
	}
	if steps := o.steps(); len(steps) > 0 {
		pace["steps"] = steps
	}
	if o.Probe != "" {
		number(pace, "probe_timeout_seconds", o.ProbeTimeout, 1)
	}
	if o.PauseAfterStep {
		pace["pause_after_step"] = true
	}
	return pace
}

// steps are those of the pace, as they were written.
func (o *order) steps() []string {
	return strings.FieldsFunc(o.Steps, func(r rune) bool { return r == ',' || r == ' ' })
}

func (o *order) api(base string) equivalent {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(o.request()) // texts and numbers always encode
	body := strings.TrimSuffix(b.String(), "\n")
	return equivalent{Name: "api", Text: "curl -u KEYID:SECRET -H 'Content-Type: application/json' " + quote(base+"/api/v1/invocations") + " \\\n  -d " + quote(body)}
}

// left is what the vendors' actions have no words for.
func (o *order) left() []string {
	var list []string
	for name, value := range map[string]string{
		"secrets": o.Secrets, "concurrency": o.Concurrency, "steps": o.Steps, "max_failures": o.Failures, "probe": o.Probe, "cpu": o.CPU, "memory": o.Memory,
		"pids": o.PIDs, "reason": o.Reason,
	} {
		if strings.TrimSpace(value) != "" {
			list = append(list, name)
		}
	}
	if o.Queue != defaultQueue {
		list = append(list, "queue")
	}
	slices.Sort(list)
	return list
}

// part is the first nodes of a call that takes only so many.
func part(names []string, most int) (some []string, cut int) {
	if len(names) <= most {
		return names, 0
	}
	return names[:most], most
}

func (o *order) aliyun(names []string) equivalent {
	e := equivalent{Name: "aliyun", Left: o.left()}
	names, e.Part = part(names, aliyunTargets)
	var w words
	w.b.WriteString(`eval "$(errand env aliyun)"` + "\naliyun ecs RunCommand")
	w.add("--Type", map[string]string{"shell": "RunShellScript", "powershell": "RunPowerShellScript", "bat": "RunBatScript"}[o.Type])
	w.add("--CommandContent", base64.StdEncoding.EncodeToString([]byte(o.Script)))
	w.add("--ContentEncoding", "Base64")
	w.add("--Timeout", o.Timeout)
	w.add("--Username", o.User)
	w.add("--WorkingDir", o.WorkDir)
	w.add("--Name", o.Name)
	if params := pairsOf(o.Params); len(params) > 0 {
		w.add("--EnableParameter", "true")
		w.add("--Parameters", text(params))
	}
	for i, name := range names {
		w.add("--InstanceId."+strconv.Itoa(i+1), name)
	}
	e.Text = w.b.String()
	return e
}

func (o *order) tccli(names []string) equivalent {
	e := equivalent{Name: "tccli", Left: o.left()}
	names, e.Part = part(names, tccliTargets)
	var w words
	w.b.WriteString(`eval "$(errand env tccli)"` + "\ntccli tat RunCommand")
	w.add("--CommandType", strings.ToUpper(o.Type))
	w.add("--Content", base64.StdEncoding.EncodeToString([]byte(o.Script)))
	w.add("--Timeout", o.Timeout)
	w.add("--Username", o.User)
	w.add("--WorkingDirectory", o.WorkDir)
	w.add("--CommandName", o.Name)
	if params := pairsOf(o.Params); len(params) > 0 {
		w.add("--EnableParameter", "True")
		w.add("--Parameters", text(params))
	}
	w.add("--InstanceIds", text(names))
	e.Text = w.b.String()
	return e
}

// text is a value as JSON.
func text(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // texts always encode
	return strings.TrimSuffix(b.String(), "\n")
}

// sdk is the order as a program with Alibaba's SDK for Go.
func (o *order) sdk(base string, names []string) equivalent {
	e := equivalent{Name: "go", Left: o.left()}
	names, e.Part = part(names, aliyunTargets)
	scheme, host, _ := strings.Cut(base, "://")
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("client, err := ecs.NewClientWithOptions(\"cn-hangzhou\", sdk.NewConfig().WithScheme(%q),", scheme)
	line("\tcredentials.NewAccessKeyCredential(keyID, secret))")
	line("if err != nil {")
	line("\treturn err")
	line("}")
	line("client.Domain = %q", host)
	line("run := ecs.CreateRunCommandRequest()")
	line("run.Scheme, run.RegionId = %q, \"cn-hangzhou\"", scheme)
	line("run.Type = %q", map[string]string{"shell": "RunShellScript", "powershell": "RunPowerShellScript", "bat": "RunBatScript"}[o.Type])
	line("run.CommandContent = %q", o.Script)
	line("run.ContentEncoding = \"PlainText\"")
	if o.Timeout != "" {
		line("run.Timeout = requests.Integer(%q)", o.Timeout)
	}
	for _, f := range [][2]string{{"Username", o.User}, {"WorkingDir", o.WorkDir}, {"Name", o.Name}} {
		if f[1] != "" {
			line("run.%s = %q", f[0], f[1])
		}
	}
	if params := pairsOf(o.Params); len(params) > 0 {
		line("run.EnableParameter = requests.NewBoolean(true)")
		line("run.Parameters = map[string]interface{}{")
		for _, name := range slices.Sorted(maps.Keys(params)) {
			line("\t%q: %q,", name, params[name])
		}
		line("}")
	}
	line("run.InstanceId = &%#v", names)
	line("answer, err := client.RunCommand(run)")
	e.Text = b.String()
	return e
}
