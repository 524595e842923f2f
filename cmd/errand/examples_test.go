package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// example is a line of a command's help.
type example struct{ command, line string }

// examplesOf reads the examples of all commands, those that are one line behind another with a backslash put together.
func examplesOf(root *cobra.Command) (all []example) {
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		text := strings.ReplaceAll(c.Example, "\\\n", " ")
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				all = append(all, example{c.CommandPath(), line})
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
	return all
}

// exampleSetup says what has to be there before the examples of a command, in shell. Examples of a group of commands need what the whole group
// needs too.
func exampleSetup() map[string]string {
	const (
		greet    = "echo 'echo hello {{who}}' | errand cmd save greet - --param who=world\n"
		greetRun = greet + "errand sched ls --command greet -o name | xargs -rn1 errand sched rm\n" +
			"errand sched add greet role=web --name every-night --cron '30 3 * * *'\n"
		noGreet = "errand sched ls -o name | xargs -rn1 errand sched rm\n"
		lab     = "errand ctx add lab --server \"$SERVER\" --access-key-id \"$ERRAND_ACCESS_KEY_ID\" --access-key-secret file:~/.errand-lab\n"
		last    = "errand run all --progress none -- 'cat /proc/$PPID/cmdline | tr \"\\\\0\" \"\\\\n\" | grep -q /web-2/ && exit 4; echo fine' || true\n"
		open    = "errand run all --detach --steps 1,100% --pause-after step -- true\nuntil errand runs show @last | grep -q paused; do sleep 0.05; done\n"
		account = "errand account create x -o name > account\n"
		key     = "errand key create ann -o name > key\n"
		ann     = "errand user create ann 2>/dev/null || true\n"
		webOnly = "errand policy put web-only web-only.json\n"
		hook    = "errand events subscribe \"$HOOK\" -o name > subscription\n"
		code    = "errand enroll -o json | sed -n 's/.*\"id\": \"\\(.*\\)\",*/\\1/p' | head -1 > code\n"
		signed  = "errand release keygen release; errand release keys --out keys.json release.pub; errand release sign --key release.key keys.json\n" +
			"errand release pack --version 1.2.3 --out rel linux/amd64=bin/amd64 linux/arm64=bin/arm64; errand release sign --key release.key rel\n"
		shared  = "test -d rel || { " + signed + "}\n"
		trusted = shared + "test -f trusted || { errand release trust keys.json; touch trusted; }\n"
		added   = trusted + "errand release ls -o name | grep -qx 1.2.3 || errand release add rel\n"
		rollout = added + "errand upgrade abort >/dev/null 2>&1 || true; errand upgrade start 1.2.3 --stages 1,100 --pause 4h -o name > ../rollout\n"
	)
	return map[string]string{
		"errand account": account, "errand cmd": greet + "errand cmd save deploy deploy.sh\n", "errand cmd rm": noGreet,
		"errand ctx": "printf %s \"$ERRAND_ACCESS_KEY_SECRET\" > ~/.errand-lab\n", "errand ctx rm": lab, "errand ctx show": lab, "errand ctx use": lab + "errand ctx add other --data here; errand ctx use other; errand ctx use lab\n",
		"errand enroll revoke": code, "errand enroll": code, "errand events": hook, "errand key": ann + key, "errand key create": "errand user create ci 2>/dev/null || true\n",
		"errand key issue":      "errand user create deploy --role 2>/dev/null || true\nerrand policy attach deploy ReadOnlyAccess\n",
		"errand groups":         "errand groups set web role=web\nerrand groups set front @web\nerrand groups set back db-1\n",
		"errand login":          "printf %s \"$ERRAND_ACCESS_KEY_SECRET\" > secret.txt\n",
		"errand logout":         "printf %s \"$ERRAND_ACCESS_KEY_SECRET\" > secret.txt\nerrand login prod --server \"$SERVER\" --key \"$ERRAND_ACCESS_KEY_ID\" <secret.txt\nerrand ctx use prod\nexport ERRAND_ACCESS_KEY_ID= ERRAND_ACCESS_KEY_SECRET=\n",
		"errand sessions":       "errand shell web-1 -- echo permission denied error\n",
		"errand sessions end":   "(sleep 20 | errand shell web-1 -- sleep 20) >/dev/null 2>&1 &\nuntil errand sessions ls --open -o name | grep -q .; do sleep 0.1; done\n",
		"errand sessions watch": "(sleep 1 | errand shell web-1 -- sleep 1) >/dev/null 2>&1 &\nuntil errand sessions ls --open -o name | grep -q .; do sleep 0.1; done\n",
		"errand nodes uncordon": "errand nodes cordon web-1\n",
		"errand policy":         "errand nodes uncordon web-1 >/dev/null 2>&1 || true\n" + ann + webOnly, "errand policy detach": "errand policy attach ann OperatorAccess\n",
		"errand sched":  greetRun,
		"errand script": "export DB_PASSWORD=word\n", "errand runs": last, "errand runs abort": open, "errand runs pause": "errand run all --detach --steps 1,100% --pause-after step -- sleep 1\n",
		"errand runs resume": open, "errand runs cancel": "errand run role=web --detach -- sleep 30\n",
		"errand runs retry": last, "errand fetch": "errand fetch -t web-1 /etc/hostname --into x -o json | sed -n 's/.*\"invocation\": \"\\(.*\\)\",*/\\1/p' | head -1 > code\n",

		"errand release keys":   "for k in release ann ben eve; do errand release keygen $k; done\n",
		"errand release sign":   signed + "errand release keygen old; errand release keygen new; errand release keys --out keys2.json --serial 2 new.pub\n",
		"errand release verify": signed + "errand release keygen ann; errand release keys --out keys2.json --serial 2 ann.pub; errand release sign --key release.key,ann.key keys2.json\n",
		"errand release trust":  trusted + "rm keys.json; errand release keys --out keys.json --serial 2 release.pub; errand release sign --key release.key keys.json\n",
		"errand release add":    trusted, "errand release ls": added,
		"errand release rm": added + "errand release pack --version 1.2.2 --out older linux/amd64=bin/amd64; errand release sign --key release.key older; errand release add older\n",
		"errand upgrade":    rollout, "errand upgrade resume": "errand upgrade pause >/dev/null\n", "errand upgrade start": "errand upgrade abort >/dev/null 2>&1\n",
		"errand user": ann, "errand user create": "errand user delete ann; errand user delete deploy >/dev/null 2>&1 || true\n",
	}
}

// exampleCodes are the examples that end otherwise than with 0.
func exampleCodes() map[string]int {
	return map[string]int{
		"errand try -- sh -c 'echo hi from $(hostname); exit 7'":                                                                    7,
		"errand policy explain --user ann --action ecs:RunCommand --resource node/web-1":                                            4,
		"errand policy explain --user ann --action invocation.run --resource node/web-1 --resource-tag env=prod --source 192.0.2.7": 4,
		"errand runs wait @last":                            3,
		"errand runs wait @last --wait-timeout 10m -o json": 3,
		"errand runs watch @last":                           3,
		"errand runs watch @last --diff":                    3,
		"errand runs watch @last --progress jsonl -o json":  3,
		"errand runs retry @last-failed":                    4,
		"errand runs retry @last web-2":                     4,
	}
}

// exampleAgain are the commands whose examples each need everything anew.
func exampleAgain(command string) bool {
	for _, prefix := range []string{
		"errand ctx use", "errand logout", "errand nodes uncordon", "errand runs abort", "errand runs pause", "errand runs resume", "errand runs cancel", "errand runs retry", "errand upgrade", "errand release",
	} {
		if strings.HasPrefix(command, prefix) {
			return true
		}
	}
	return false
}

// exampleFolder is where the examples of a command run: releases are made in a fresh folder each, and those that a server has in one of theirs.
func exampleFolder(command string, n int) string {
	switch command {
	case "errand release trust", "errand release add", "errand release ls", "errand release rm", "errand upgrade start":
		return "shared"
	case "errand release keygen", "errand release keys", "errand release pack", "errand release sign", "errand release verify":
		return fmt.Sprintf("release-%d", n)
	}
	if strings.HasPrefix(command, "errand upgrade") {
		return "shared"
	}
	return "."
}

// exampleStays are the examples that go on until they are interrupted, each with what they have to write first.
func exampleStays() map[string]string {
	return map[string]string{
		"errand up": "Errand is up", "errand up --data": "Errand is up", "errand tunnel web-1 8080:80": "127.0.0.1:", "errand tunnel db-1": "127.0.0.1:", "errand server --data": "serving",
	}
}

// exampleWords are put in the place of what is elsewhere for everybody: addresses, folders, ids.
func (s *stage) exampleWords(dir, hook string) *strings.Replacer {
	read := func(file string) string {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return "nothing"
		}
		return strings.TrimSpace(string(text))
	}
	return strings.NewReplacer(
		"http://127.0.0.1:8470", s.url, "https://hooks.example.com", hook,
		"/var/lib/errand", dir+"/data", "/tmp/errand", dir+"/up", "127.0.0.1:9000", "127.0.0.1:0", "0.0.0.0:443", "127.0.0.1:0", "0.0.0.0:8471", "127.0.0.1:0",
		"--server https://errand.example.com --key ek0123456789abcdefgh", "--server "+s.url+" --key "+s.cred.AccessKeyID,
		"8080:80", "0:80", "db-1 5432 6380:", "db-1 0:5432 0:", "-- top", "-- uptime", "--user nobody -- id", "--user $(id -un) -- id",
		"/srv/", dir+"/srv/", "/etc/postgresql/", dir+"/pg/", "--owner postgres", "--owner $(id -un)",
		"--nodes 5000", "--nodes 5", "--nodes 1000 --runs 10", "--nodes 5 --runs 2", "--access-key-id ek… --access-key-secret …", "",
		"--url https://errand.example.com --access-key", "--access-key", "4071000000000000", read("account"), "1000000000000001", read("account"),
		"0a1b2c3d4e5f6g7h", read("subscription"), "0b5ktarq7d2mw3vf", read("code"), "ek0123456789abcdefgh", read("key"), "0195kq3m2f000001", read("rollout"),
	)
}

// TestExamples runs every line of every command's examples, as it stands there, against a server with three nodes.
func TestExamples(t *testing.T) {
	t.Parallel()
	s := openStage(t, threeNodes())
	hooks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(hooks.Close)
	dir := t.TempDir()
	s.exampleFiles(dir)
	for _, old := range []string{"old-1", "old-2"} {
		if err := s.simulate(t.Context(), old, "", 0); err != nil {
			t.Fatal(err)
		}
	}
	env := append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+filepath.Join(dir, ".config"), "ERRAND_SERVER="+s.url, "SERVER="+s.url, "HOOK="+hooks.URL,
		"ERRAND_ACCESS_KEY_ID="+s.cred.AccessKeyID, "ERRAND_ACCESS_KEY_SECRET="+s.cred.AccessKeySecret, "ERRAND_PROD_TOKEN=x",
		"PATH="+filepath.Join(dir, "tools")+":"+os.Getenv("PATH"))
	shell := func(folder, line string) (string, int) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "bash", "-c", line)
		cmd.Dir, cmd.Env = filepath.Join(dir, folder), env
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	setup, codes, last := exampleSetup(), exampleCodes(), ""
	for n, e := range examplesOf(newRoot()) {
		before, words := "", strings.Fields(e.command)
		for i := range words[1:] {
			before += setup[strings.Join(words[:i+2], " ")]
		}
		folder := exampleFolder(e.command, n)
		if folder != "." {
			if out, code := shell(".", "mkdir -p "+folder+" && cp -r bin old "+folder); code != 0 {
				t.Fatal(out)
			}
		}
		if e.command != last || exampleAgain(e.command) {
			if out, code := shell(folder, "set -e\n"+before+":"); code != 0 {
				t.Errorf("what %s needs: exit code %d\n%s\n%s", e.command, code, before, out)
				continue
			}
		}
		last = e.command
		line := s.exampleWords(dir, hooks.URL).Replace(e.line)
		if stays := stayOf(e.line); stays != "" {
			s.stays(dir, env, line, stays)
			continue
		}
		exports := ""
		for l := range strings.Lines(before) {
			if strings.HasPrefix(l, "export ") {
				exports += l
			}
		}
		if out, code := shell(folder, exports+line); code != codes[e.line] {
			t.Errorf("%s\n(as %s): exit code %d, want %d\n%s", e.line, line, code, codes[e.line], out)
		}
	}
}

func stayOf(line string) string {
	for prefix, stays := range exampleStays() {
		if line == prefix || strings.HasPrefix(line, prefix+" ") {
			return stays
		}
	}
	return ""
}

// stays runs an example until it has written what it has to, and interrupts it.
func (s *stage) stays(dir string, env []string, line, pattern string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "bash", "-c", "exec "+line)
	cmd.Dir = dir
	cmd.Env = append(append([]string{}, env...), "ERRAND_LISTEN=127.0.0.1:0", "ERRAND_AGENT_LISTEN=127.0.0.1:0")
	out := &watchedBuffer{want: regexp.MustCompile(pattern), seen: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	select {
	case <-out.seen:
	case <-time.After(time.Minute):
		s.t.Errorf("%s does not say %s: %s", line, pattern, out.String())
	}
	_ = cmd.Process.Signal(syscall.SIGINT)
	if err := cmd.Wait(); err != nil {
		s.t.Errorf("%s: %v\n%s", line, err, out.String())
	}
}

// exampleFiles are the files that examples speak of.
func (s *stage) exampleFiles(dir string) {
	s.t.Helper()
	files := map[string]string{
		"deploy.sh": "echo deploy \"$@\"\n", "check.sh": "true\n", "migrate.sh": "test \"$MODE\" = dry\n", "model.bin": "weights", "a.tar": "a", "b.tar": "b",
		"tools/ssh": "#!/bin/sh\n", "tools/aliyun": "#!/bin/sh\n", // the vendor's own program is tested with the settings of errand env
		"pg_hba.conf":   "local all all trust\n",
		"web-only.json": `{"Version":"1","Statement":[{"Effect":"Allow","Action":"ecs:RunCommand","Resource":"node/web*"}]}`,
		"only-web.json": `{"Version":"1","Statement":[{"Effect":"Allow","Action":"ecs:RunCommand","Resource":"node/web*"}]}`,
	}
	for _, arch := range []string{"bin/amd64", "bin/arm64", "old/amd64"} {
		files[arch+"/errand-agent"], files[arch+"/errand-supervise"] = "agent", "supervise"
	}
	cert := selfSigned(s.t)
	files["errand.pem"], files["ca.pem"], files["errand.key"] = cert.cert, cert.cert, cert.key
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			s.t.Fatal(err)
		}
	}
}

// watchedBuffer closes seen when what was written matches.
type watchedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
	want *regexp.Regexp
	seen chan struct{}
	done bool
}

func (b *watchedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.text.Write(p)
	if !b.done && b.want.Match(b.text.Bytes()) {
		b.done = true
		close(b.seen)
	}
	return n, err
}

func (b *watchedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
