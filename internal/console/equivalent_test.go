package console

import (
	"encoding/base64"
	"encoding/json"
	"go/parser"
	"go/token"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// spoken is what a shell makes of a snippet: the words of the command and what it reads.
type spoken struct {
	words []string
	input string
}

// speak lets a shell read a snippet, with a program of the name that says what it was given.
func speak(t *testing.T, program, snippet string) spoken {
	t.Helper()
	prelude := program + `() { printf '%s\0' "$@"; if [ ! -t 0 ]; then printf '\001'; cat; fi; }` + "\n"
	snippet = strings.TrimPrefix(snippet, `eval "$(errand env `+program+`)"`+"\n")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", prelude+snippet)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, snippet)
	}
	words, input, _ := strings.Cut(string(out), "\001")
	return spoken{strings.Split(strings.TrimSuffix(words, "\x00"), "\x00"), input}
}

const nasty = "it's `x` \"$HOME\" \\n %s !! {{a}}"

func orders() map[string]order {
	full := order{
		Target: "role=web && !(zone='b c')", Exclude: "web-9", Pick: "5%", Seed: "7", Script: "echo " + nasty + "\n\nEOF\n$(id)\n", Type: "shell", Name: nasty,
		Reason: "CHG-1 it's", User: "www-data", WorkDir: "/srv/my app", Timeout: "90", Queue: "3600", Login: true, Params: "b=2\na=it's 1\nnothing\n",
		Secrets: "TOKEN=hush\n", CPU: "0.5", Memory: "256", PIDs: "10", Concurrency: "10%", Steps: "1, 10%,100%", Failures: "1", Probe: "pg_isready; true",
		ProbeTimeout: "30", PauseAfterStep: true,
	}
	return map[string]order{
		"one line": {Target: "web-1", Script: "uname -r\n", Type: "shell", Timeout: defaultTimeout, Queue: defaultQueue},
		"nasty":    {Target: "all", Script: nasty + "\n", Type: "shell", Timeout: defaultTimeout, Queue: defaultQueue},
		"windows":  {Target: "all", Script: "Get-Date\n", Type: "powershell", Timeout: defaultTimeout, Queue: defaultQueue},
		"full":     full,
		"nothing":  {},
	}
}

// TestCLI lets a shell take the line apart, and compares what is left with the order.
func TestCLI(t *testing.T) {
	t.Parallel()
	for name, o := range orders() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := speak(t, "errand", o.cli().Text)
			verb, rest := got.words[0], got.words[1:]
			if rest[0] != o.Target {
				t.Errorf("target %q", rest[0])
			}
			flags := map[string][]string{}
			switches := []string{"--login", "--yes"}
			var command []string
			for i := 1; i < len(rest); i++ {
				switch {
				case rest[i] == "--":
					command = rest[i+1:]
					i = len(rest)
				case rest[i] == "-" || slices.Contains(switches, rest[i]):
					flags[rest[i]] = append(flags[rest[i]], "")
				default:
					flags[rest[i]] = append(flags[rest[i]], rest[i+1])
					i++
				}
			}
			switch verb {
			case "run":
				if want := []string{strings.TrimSuffix(o.Script, "\n")}; !slices.Equal(command, want) || got.input != "" {
					t.Errorf("runs %q with %q", command, got.input)
				}
			case "script":
				if got.input != o.Script || len(flags["-"]) != 1 {
					t.Errorf("runs %q, want %q", got.input, o.Script)
				}
			}
			if name != "full" {
				return
			}
			delete(flags, "-")
			want := map[string][]string{
				"--exclude": {"web-9"}, "--pick": {"5%"}, "--seed": {"7"}, "--timeout": {"90s"}, "--queue": {"3600s"}, "--as": {"www-data"}, "--login": {""},
				"--cwd": {"/srv/my app"}, "--param": {"a=it's 1", "b=2"}, "--secret": {"TOKEN"}, "--limits": {"cpu=0.5,mem=256m,pids=10"},
				"--concurrency": {"10%"}, "--steps": {"1,10%,100%"}, "--max-failures": {"1"}, "--probe": {"pg_isready; true"}, "--probe-timeout": {"30s"},
				"--pause-after": {"step"}, "--name": {nasty}, "--reason": {"CHG-1 it's"}, "--yes": {""},
			}
			if diff := cmp.Diff(want, flags); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(o.cli().Text, "hush") {
				t.Error("a secret is on the command line")
			}
		})
	}
}

// TestOtherWays checks what a shell and a JSON reader make of the other snippets.
func TestOtherWays(t *testing.T) {
	t.Parallel()
	names := []string{"web-1", "it's-2"}
	for name, o := range orders() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, e := range o.equivalents("https://errand.example.com", names) {
				if strings.Contains(e.Text, "hush") {
					t.Errorf("%s tells a secret", e.Name)
				}
			}
			curl := speak(t, "curl", o.api("https://errand.example.com").Text).words
			var body struct {
				Content, Target string
				Params          map[string]string
				Secrets         map[string]string
				Pace            map[string]any
			}
			if err := json.Unmarshal([]byte(curl[len(curl)-1]), &body); err != nil || body.Content != o.Script || body.Target != o.Target {
				t.Errorf("%+v, %v", body, err)
			}
			flags := func(words []string) map[string]string {
				m := map[string]string{}
				for i := 2; i+1 < len(words); i += 2 {
					m[words[i]] = words[i+1]
				}
				return m
			}
			aliyun := flags(speak(t, "aliyun", o.aliyun(names).Text).words)
			if script, err := base64.StdEncoding.DecodeString(aliyun["--CommandContent"]); err != nil || string(script) != o.Script {
				t.Errorf("%q, %v", script, err)
			}
			if aliyun["--InstanceId.1"] != "web-1" || aliyun["--InstanceId.2"] != "it's-2" {
				t.Errorf("%v", aliyun)
			}
			tccli := flags(speak(t, "tccli", o.tccli(names).Text).words)
			var ids []string
			if err := json.Unmarshal([]byte(tccli["--InstanceIds"]), &ids); err != nil || !slices.Equal(ids, names) {
				t.Errorf("%v, %v", tccli, err)
			}
			source := "package p\nfunc f() error {\n" + o.sdk("https://errand.example.com", names).Text + "\n_ = answer\nreturn err\n}"
			if _, err := parser.ParseExprFrom(token.NewFileSet(), "", "func() error {"+source[strings.Index(source, "{")+1:], 0); err != nil {
				t.Errorf("%v in\n%s", err, source)
			}
			if name != "full" {
				return
			}
			if diff := cmp.Diff(map[string]string{"a": "it's 1", "b": "2"}, body.Params); diff != "" {
				t.Error(diff)
			}
			if got := slices.Sorted(maps.Keys(body.Pace)); !slices.Equal(got, []string{"concurrency", "max_failures", "pause_after_step", "probe", "probe_timeout_seconds", "steps"}) {
				t.Errorf("%v", got)
			}
			if left := o.aliyun(names).Left; !slices.Contains(left, "steps") || !slices.Contains(left, "secrets") {
				t.Errorf("not said to be missing: %v", left)
			}
		})
	}
	many := make([]string, 150)
	for i := range many {
		many[i] = "n"
	}
	if e := new(order).aliyun(many); e.Part != aliyunTargets || strings.Count(e.Text, "--InstanceId.") != aliyunTargets {
		t.Errorf("%d", e.Part)
	}
}
