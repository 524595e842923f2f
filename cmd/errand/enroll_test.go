package main

import (
	"encoding/base64"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/native"
	"errand/internal/handout"
)

func TestEnroll(t *testing.T) {
	t.Parallel()
	s := openShell(t)
	out := s.ok("enroll", "--limit", "5", "--valid", "90m", "--from", "10.0.0.0/8,192.0.2.1", "--name-prefix", "web", "--tag", "role=web", "--tag", "a=b c")
	var codes native.Registrations
	s.json(&codes, "enroll", "ls")
	if len(codes.Registrations) != 1 {
		t.Fatalf("%+v", codes)
	}
	r := codes.Registrations[0]
	if r.Limit != 5 || r.NamePrefix != "web" || r.ExpiresAt.Sub(r.CreatedAt).Minutes() != 90 || !cmp.Equal(r.Networks, []string{"10.0.0.0/8", "192.0.2.1/32"}) ||
		!cmp.Equal(r.Tags, map[string]string{"role": "web", "a": "b c"}) {
		t.Errorf("%+v", r)
	}
	for _, part := range []string{"lets 5 machines join", r.ID, "curl -fsSL " + s.url + "/agent/install.sh"} {
		if !strings.Contains(out, part) {
			t.Errorf("%q is not in\n%s", part, out)
		}
	}
	var made madeCode
	s.json(&made, "enroll", "--url", "https://errand.example.com/")
	if made.Limit != 1 || len(made.Code) != 40 || !strings.Contains(made.Command, made.Code) || !strings.Contains(made.Command, "ERRAND_SERVER=https://errand.example.com ") {
		t.Errorf("%+v", made)
	}
	s.ok("enroll", "revoke", made.ID)
	list := s.ok("enroll", "ls")
	if !strings.Contains(list, made.ID+"  revoked") || !strings.Contains(list, r.ID+"  open") || strings.Contains(list, made.Code) {
		t.Error(list)
	}
	for _, args := range [][]string{
		{"enroll", "extra"},
		{"enroll", "revoke"},
		{"enroll", "--tag", "novalue"},
		{"enroll", "--tag", "a=1", "--tag", "a=2"},
		{"enroll", "--limit", "0"},
		{"enroll", "--valid", "1ms"},
		{"enroll", "--url", "http://errand.example.com"},
		{"enroll", "--url", "https://user:secret@errand.example.com"},
		{"enroll", "--url", "nonsense"},
	} {
		if _, code := s.run(args...); code != int(exitUsage) {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
	if _, code := s.run("enroll", "--from", "nowhere"); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if _, code := s.run("enroll", "revoke", "0000000000000000"); code != 1 {
		t.Errorf("exit code %d", code)
	}
}

// The journal does not get to see the root key; a terminal and a file of one's own do.
func TestNotice(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if notice(file) != file {
		t.Error("a file does not get it")
	}
	t.Setenv("JOURNAL_STREAM", "8:1")
	if notice(file) != io.Discard {
		t.Error("the journal gets it")
	}
}

// What the line hands to the shell on its far end, whatever the settings hold; and that a failed download fails the line.
func TestInstallLine(t *testing.T) {
	t.Parallel()
	ca := []byte("-----BEGIN CERTIFICATE-----\n")
	const awkward = `it's "$HOME" \n;#`
	for _, wget := range []bool{false, true} {
		for name, l := range map[string]handout.Install{
			"public CA":  {Server: "https://errand.example.com", ID: "id", Code: "code", Tags: []string{"a=" + awkward, "b=2"}, Wget: wget},
			"private CA": {Server: "https://errand.example.com", ID: "id", Code: "code", Tags: []string{"a=" + awkward}, CA: ca, Wget: wget},
		} {
			bin := t.TempDir()
			tool := "curl"
			if wget {
				tool = "wget"
			}
			fake := "#!/bin/sh\nprintf '%s\\n' \"$@\" >\"$SEEN\"\nfor a; do case $a in /*) cat \"$a\" >>\"$SEEN\" ;; --ca*=*) cat \"${a#*=}\" >>\"$SEEN\" ;; esac; done\n" +
				"echo 'env | grep ^ERRAND_ | sort'\nexit \"$FAIL\"\n"
			for file, text := range map[string]string{tool: fake, "sudo": "#!/bin/sh\nexec env -i PATH=\"$PATH\" \"$@\"\n"} {
				if err := os.WriteFile(filepath.Join(bin, file), []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			seen := filepath.Join(bin, "seen")
			run := func(fail string) (string, int) {
				cmd := exec.Command("sh", "-c", l.String())
				cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "SEEN=" + seen, "FAIL=" + fail, "TMPDIR=" + bin}
				out, _ := cmd.CombinedOutput()
				return string(out), cmd.ProcessState.ExitCode()
			}
			want := "ERRAND_ACTIVATION_CODE=code\nERRAND_ACTIVATION_ID=id\n"
			if l.CA != nil {
				want += "ERRAND_CA=" + base64.StdEncoding.EncodeToString(ca) + "\n"
			}
			want += "ERRAND_SERVER=https://errand.example.com\nERRAND_TAG=" + strings.Join(l.Tags, ",") + "\n"
			got, code := run("0")
			if diff := cmp.Diff(want, got); code != 0 || diff != "" {
				t.Errorf("%s: exit code %d\n%s\n%s", name, code, diff, l)
			}
			asked, err := os.ReadFile(seen)
			if err != nil || !strings.Contains(string(asked), "https://errand.example.com/agent/install.sh") || strings.Contains(string(asked), "code") ||
				l.CA != nil && !strings.Contains(string(asked), string(ca)) {
				t.Errorf("%s: %s saw %s, %v", name, tool, asked, err)
			}
			if _, code := run("22"); code == 0 {
				t.Errorf("%s: succeeds without a script", name)
			}
			if left, _ := filepath.Glob(filepath.Join(bin, "tmp.*")); len(left) > 0 {
				t.Errorf("%s: leaves %v", name, left)
			}
		}
	}
}
