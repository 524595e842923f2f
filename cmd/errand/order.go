package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"errand/internal/api/native"
	"errand/internal/client"
	"errand/internal/nodeset"
)

// order is what run, script and cmd run are told in common.
type order struct {
	targeting
	pace
	watching
	timeout, queue            time.Duration
	user, cwd, name, reason   string
	login, yes, dry, allowNil bool
	env, params, secrets      []string
	limits                    []string
	containerName             string
	detach                    bool
}

// pace is how a run goes through its nodes.
type pace struct {
	concurrency, failures, probe string
	probeTimeout                 time.Duration
	steps                        []string
	pauseAfter                   string
}

func (p *pace) add(flags *pflag.FlagSet) {
	flags.StringVarP(&p.concurrency, "concurrency", "c", "", "run on at most `N` nodes, or N%, at a time")
	flags.StringSliceVar(&p.steps, "steps", nil, "go on in steps: until `N,N%,...` nodes have been taken; the rest follows")
	flags.StringVar(&p.failures, "max-failures", "", "pause when more than `N` nodes, or N%, have failed")
	flags.StringVar(&p.probe, "probe", "", "between steps run `COMMAND` on the nodes of the step; go on if it succeeds")
	flags.DurationVar(&p.probeTimeout, "probe-timeout", time.Minute, "how long a probe may take")
	flags.StringVar(&p.pauseAfter, "pause-after", "", "pause after each `step`, until errand runs resume")
}

// body is the pace as the API has it; nil if none is asked for.
func (p *pace) body() (map[string]any, error) {
	b := map[string]any{}
	for name, value := range map[string]string{"concurrency": p.concurrency, "max_failures": p.failures, "probe": p.probe} {
		if value != "" {
			b[name] = value
		}
	}
	if len(p.steps) > 0 {
		b["steps"] = p.steps
	}
	switch p.pauseAfter {
	case "":
	case "step":
		b["pause_after_step"] = true
	default:
		return nil, fmt.Errorf("--pause-after is step, not %q", p.pauseAfter)
	}
	if p.probe != "" {
		b["probe_timeout_seconds"] = int64(p.probeTimeout / time.Second)
		if p.probeTimeout < time.Second {
			return nil, errors.New("--probe-timeout is a second or more")
		}
	}
	if (p.probe != "" || p.pauseAfter != "") && len(p.steps) == 0 {
		return nil, errors.New("--probe and --pause-after want --steps")
	}
	if len(b) == 0 {
		return nil, nil
	}
	return b, nil
}

func (o *order) add(cmd *cobra.Command) {
	o.targeting.add(cmd)
	flags := cmd.Flags()
	o.pace.add(flags)
	o.watching.add(cmd)
	flags.DurationVar(&o.timeout, "timeout", 0, "end the command on a node after this time; left out, 1m or the stored command's own")
	flags.DurationVar(&o.queue, "queue", 0, "how long a node that is away may take to come back; left out, 1m; 0s takes only who is there")
	flags.StringVar(&o.user, "as", "", "run as `USER` of the node")
	flags.BoolVar(&o.login, "login", false, "read the user's login profile first")
	flags.StringVar(&o.cwd, "cwd", "", "run in `DIR` of the node")
	flags.StringArrayVar(&o.env, "env", nil, "set a variable of the command, `NAME=VALUE`; may be repeated")
	flags.StringArrayVar(&o.params, "param", nil, "fill in {{name}} in the command, `NAME=VALUE`; may be repeated")
	flags.StringArrayVar(&o.secrets, "secret", nil, "set a variable that is kept nowhere and masked in output: `NAME`, from the own environment, or NAME=@FILE")
	flags.StringSliceVar(&o.limits, "limits", nil, "what the command may use on a node, such as `cpu=0.5,mem=1g`: cpu, mem, pids, files, nice")
	flags.StringVar(&o.containerName, "container", "", "run in the container with this `NAME`")
	flags.StringVar(&o.name, "name", "", "`NAME` of the run, for people")
	flags.StringVar(&o.reason, "reason", "", "`TEXT` about what it is for, kept with the run")
	flags.BoolVar(&o.detach, "detach", false, "print the run's id and do not wait")
	flags.BoolVarP(&o.yes, "yes", "y", false, "do not ask before many nodes are changed")
	flags.BoolVar(&o.dry, "dry-run", false, "show the nodes and the plan, and run nothing")
	flags.BoolVar(&o.allowNil, "allow-empty", false, "succeed if no node matches")
}

// body fills in what does not depend on what is run.
func (o *order) body(cmd *cobra.Command, s selection) (map[string]any, error) {
	b := map[string]any{"target": s.Target}
	put := func(name, value string) {
		if value != "" {
			b[name] = value
		}
	}
	put("exclude", s.Exclude)
	put("pick", s.Pick)
	if s.Seed != nil {
		b["seed"] = *s.Seed
	}
	put("user", o.user)
	put("work_dir", o.cwd)
	put("name", o.name)
	put("reason", o.reason)
	put("container_name", o.containerName)
	if o.login {
		b["login"] = true
	}
	if cmd.Flags().Changed("timeout") {
		if o.timeout < time.Second {
			return nil, errors.New("--timeout is a second or more")
		}
		b["timeout_seconds"] = int64(o.timeout / time.Second)
	}
	if cmd.Flags().Changed("queue") {
		if o.queue < 0 || o.queue > 0 && o.queue < time.Second {
			return nil, errors.New("--queue is 0s, or a second or more")
		}
		b["queue_seconds"] = int64(o.queue / time.Second)
	}
	params, err := pairs("--param", o.params)
	if err != nil {
		return nil, err
	}
	if len(params) > 0 {
		b["params"] = params
	}
	if b["secrets"], err = o.secretValues(); err != nil {
		return nil, err
	}
	if b["secrets"] == nil {
		delete(b, "secrets")
	}
	if len(o.limits) > 0 {
		if b["resources"], err = limitsBody(o.limits); err != nil {
			return nil, err
		}
	}
	p, err := o.pace.body()
	if err == nil && p != nil {
		b["pace"] = p
	}
	return b, err
}

// pairs reads NAME=VALUE.
func pairs(flag string, list []string) (map[string]string, error) {
	m := map[string]string{}
	for _, text := range list {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%s %s: want NAME=VALUE", flag, text)
		}
		m[name] = value
	}
	return m, nil
}

// secretValues reads secrets from where they are: none is ever on a command line, which others can see.
func (o *order) secretValues() (any, error) {
	if len(o.secrets) == 0 {
		return nil, nil
	}
	m := map[string]string{}
	for _, text := range o.secrets {
		name, from, given := strings.Cut(text, "=")
		if !given {
			value, ok := os.LookupEnv(name)
			if !ok {
				return nil, fmt.Errorf("--secret %s: there is no such variable here", name)
			}
			m[name] = value
			continue
		}
		file, ok := strings.CutPrefix(from, "@")
		if !ok || name == "" {
			return nil, fmt.Errorf("--secret %s=...: want NAME, whose value is in the environment, or NAME=@FILE", name)
		}
		value, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--secret %s: %w", name, err)
		}
		m[name] = strings.TrimRight(string(value), "\r\n")
	}
	return m, nil
}

// limitsBody reads cpu=0.5,mem=1g and so on.
func limitsBody(list []string) (map[string]any, error) {
	b := map[string]any{}
	for _, text := range list {
		name, value, ok := strings.Cut(text, "=")
		bad := fmt.Errorf("--limits %s: want cpu=CORES, mem=BYTES[k|m|g], pids=N, files=N or nice=N", text)
		if !ok {
			return nil, bad
		}
		switch name {
		case "cpu":
			cores, err := strconv.ParseFloat(value, 64)
			if err != nil || cores < 0.001 || cores > 1e6 {
				return nil, bad
			}
			b["cpu_millicores"] = int64(cores * 1000)
		case "mem":
			n, err := byteCount(value)
			if err != nil {
				return nil, bad
			}
			b["memory_bytes"] = n
		case "pids", "files", "nice":
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil {
				return nil, bad
			}
			b[map[string]string{"pids": "pids", "files": "open_files", "nice": "nice"}[name]] = n
		default:
			return nil, bad
		}
	}
	return b, nil
}

// byteCount reads a number of bytes with k, m, g or t behind it.
func byteCount(text string) (int64, error) {
	shift := 0
	lower := strings.TrimSuffix(strings.ToLower(text), "b")
	for i, unit := range []string{"k", "m", "g", "t"} {
		if rest, ok := strings.CutSuffix(lower, unit); ok {
			shift, lower = 10*(i+1), rest
			break
		}
	}
	n, err := strconv.ParseInt(lower, 10, 64)
	if err != nil || n < 1 || n > 1<<62>>shift {
		return 0, errors.New("not a number of bytes")
	}
	return n << shift, nil
}

// exports are the lines before a script that set variables.
func (o *order) exports() (string, error) {
	env, err := pairs("--env", o.env)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, text := range o.env {
		name, _, _ := strings.Cut(text, "=")
		if !variableName(name) {
			return "", fmt.Errorf("--env %s: not the name of a variable", name)
		}
		fmt.Fprintf(&b, "export %s=%s\n", name, quoted(env[name]))
	}
	return b.String(), nil
}

func variableName(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// quoted is a text as one word of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// start makes the run that body and what describe and looks after it.
func (o *order) start(cmd *cobra.Command, c *connection, positional []string, what map[string]any) error {
	s, err := o.choose(cmd, positional)
	if err != nil {
		return err
	}
	if err := o.watching.check(c); err != nil {
		return usage(err)
	}
	body, err := o.body(cmd, s)
	if err != nil {
		return usage(err)
	}
	for name, value := range what {
		body[name] = value
	}
	api, err := c.dial()
	if err != nil {
		return err
	}
	p, err := o.settle(cmd, c, api, &s)
	if err != nil {
		return err
	}
	body["target"] = s.Target
	switch {
	case p.Total == 0 && o.allowNil:
		return nil
	case p.Total == 0 && len(p.Missing) == 0:
		fmt.Fprintf(cmd.ErrOrStderr(), "errand: no node matches %s\n", printable(s.text()))
		return exitNoMatch
	case o.dry && len(p.Missing) > 0:
		return unmatched{fmt.Errorf("no such nodes: %s", printable(nodeset.Fold(p.Missing)))}
	case o.dry:
		return o.plan(cmd, c, &p, body)
	}
	if err := o.confirmed(cmd, c, p.Total); err != nil {
		return err
	}
	var v native.Invocation
	if err := api.Order(cmd.Context(), "invocations", body, &v); err != nil {
		return noMatch(err)
	}
	if o.detach {
		return c.show(cmd, &v, runHeader, [][]string{runRow(&v)})
	}
	return o.watch(cmd, c, api, &v, p.Total == 1)
}

// noMatch gives the refusal of nodes that there are not its exit code.
func noMatch(err error) error {
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return unmatched{err}
	}
	return err
}

// text is a selection as its flags would write it.
func (s *selection) text() string {
	text := s.Target
	if s.Exclude != "" {
		text += " without " + s.Exclude
	}
	return text
}

// settle finds out how many nodes are meant. Who names none means the only one there is.
func (o *order) settle(cmd *cobra.Command, c *connection, api *client.Client, s *selection) (native.TargetPreview, error) {
	named := s.Target != ""
	if !named {
		s.Target = "all"
	}
	p, err := c.preview(cmd, api, *s)
	if err == nil && !named && p.Total > 1 {
		return p, usage(fmt.Errorf("name the nodes: there are %d, and all of them are spelled out: all (see errand help targets)", p.Total))
	}
	return p, err
}

// confirmed asks before many nodes are changed: once on a terminal, and elsewhere --yes has to say it.
func (o *order) confirmed(cmd *cobra.Command, c *connection, nodes int) error {
	if o.yes || nodes <= c.confirm {
		return nil
	}
	if !onTerminal(cmd.ErrOrStderr()) || !onTerminalIn(cmd.InOrStdin()) {
		return usage(fmt.Errorf("%d nodes are more than %d, and nobody can be asked: add --yes", nodes, c.confirm))
	}
	ok, err := ask(cmd, fmt.Sprintf("Run on %d nodes? [y/N] ", nodes))
	if err == nil && !ok {
		fmt.Fprintln(cmd.ErrOrStderr(), "errand: nothing was run")
		err = exitStopped
	}
	return err
}

// plan shows what would be run.
func (o *order) plan(cmd *cobra.Command, c *connection, p *native.TargetPreview, body map[string]any) error {
	for name := range secretsIn(body) {
		body["secrets"].(map[string]string)[name] = "****"
	}
	if c.structured() {
		return c.show(cmd, map[string]any{"preview": p, "order": body}, "", nil)
	}
	w := cmd.OutOrStdout()
	fmt.Fprintf(w, "would run on %d nodes, %d online and %d offline\n  %s\n", p.Total, p.Online, p.Offline, printable(p.Nodes))
	if steps, ok := body["pace"]; ok {
		fmt.Fprintln(w, "pace")
		if err := writeJSON(w, steps, "  "); err != nil {
			return err
		}
	}
	if content, ok := body["content"].(string); ok {
		fmt.Fprintln(w, "command")
		for line := range strings.Lines(content) {
			fmt.Fprintln(w, "  "+printable(strings.TrimSuffix(line, "\n")))
		}
	}
	return nil
}

func secretsIn(body map[string]any) map[string]string {
	m, _ := body["secrets"].(map[string]string)
	return m
}

// scriptFrom reads a script and chooses what runs it: PowerShell and batch files by their ending, anything else by its first line or sh.
func scriptFrom(cmd *cobra.Command, file string, args []string) (map[string]any, error) {
	text, err := readFile(cmd, file)
	if err != nil {
		return nil, usage(err)
	}
	what := map[string]any{}
	switch kind := strings.ToLower(filepath.Ext(file)); {
	case kind == ".ps1":
		what["type"] = "powershell"
	case kind == ".bat" || kind == ".cmd":
		what["type"] = "bat"
	case len(args) > 0:
		text = withArguments(text, args)
	}
	if what["type"] != nil && len(args) > 0 {
		return nil, usage(errors.New("arguments can be given to shell scripts only"))
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, usage(fmt.Errorf("%s is empty", file))
	}
	what["content"] = string(text)
	return what, nil
}

// withArguments makes a shell script that has arguments: set for a script that sh runs, and through a file of its own for one that its first line
// gives to another program.
func withArguments(text []byte, args []string) []byte {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = quoted(a)
	}
	list := strings.Join(words, " ")
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	if !bytes.HasPrefix(first, []byte("#!")) {
		return append([]byte("set -- "+list+"\n"), text...)
	}
	program := filepath.Base(strings.TrimSpace(strings.TrimPrefix(string(first), "#!")))
	if program == "sh" || program == "bash" || program == "dash" || program == "ksh" || program == "zsh" {
		return slices.Concat(first, []byte("\nset -- "+list+"\n"), rest)
	}
	var b bytes.Buffer
	mark := "ERRAND_END_OF_SCRIPT"
	for bytes.Contains(text, []byte(mark)) {
		mark += "_"
	}
	fmt.Fprintf(&b, "f=$(mktemp) || exit 1\ntrap 'rm -f \"$f\"' EXIT\ncat > \"$f\" <<'%s'\n%s", mark, text)
	if !bytes.HasSuffix(text, []byte("\n")) {
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%s\nchmod 700 \"$f\" && \"$f\" %s\n", mark, list)
	return b.Bytes()
}
