package stacktest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"errand/internal/core"
	"errand/internal/server"
)

// TestSecretsStayHidden passes secrets in every way there is: as variables, as hidden parameters of a run, as defaults of a stored command, as
// parameters of a server's schedule and of a plan that a node carries out. None of them may be found afterwards in a file of the server or of the
// agent, in a log, or in the command line of any process, while commands run or when they have ended; the commands have them all the same.
func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	var log transcript
	s := Start(t, func(c *server.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	s.AddNode(t, "i-one")
	svc, caller := s.Server.Service, s.Server.RootCaller()
	style := core.ParamStyle{Required: true, Exact: true, Hidden: "tat-hidden:"}
	shell := func(content string) core.Definition {
		return core.Definition{Name: "secret", Type: core.Shell, Content: []byte(content), Timeout: time.Hour, ParamsEnabled: strings.Contains(content, "{{")}
	}
	run := func(spec core.RunSpec) core.Invocation {
		t.Helper()
		spec.Origin, spec.Targets, spec.KillTree, spec.Style = core.OriginTAT, []string{"i-one"}, true, style
		v, err := svc.Run(t.Context(), caller, spec)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	// Each prints the length of its secret, and waits so that it is there to be looked for.
	const script = "printf %%s \"%s\" | wc -c; sleep 300"
	stored, err := svc.CreateCommand(t.Context(), caller, core.CommandSpec{Style: style, Definition: core.Definition{
		Name: "stored", Type: core.Shell, Content: fmt.Appendf(nil, script, "{{tat-hidden:word}}"), Timeout: time.Hour, ParamsEnabled: true,
		Defaults: map[string]string{"word": "planted-default"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	runs := []core.Invocation{
		run(core.RunSpec{Definition: shell(fmt.Sprintf(script, "$WORD")), Secrets: map[string]string{"WORD": "planted-variable"}}),
		run(core.RunSpec{Definition: shell(fmt.Sprintf(script, "{{tat-hidden:word}}")), Params: map[string]string{"word": "planted-parameter"}}),
		run(core.RunSpec{Command: stored.ID}),
	}
	lengths := []int{len("planted-variable"), len("planted-parameter"), len("planted-default")}
	run(core.RunSpec{
		Definition: shell("{{tat-hidden:word}} $WORD"), Params: map[string]string{"word": "planted-plan"}, Secrets: map[string]string{"WORD": "planted-in-plan"},
		Repeat: core.Period, Frequency: "0 0 3 1 1 ?",
	})
	if _, err := svc.CreateSchedule(t.Context(), caller, core.ScheduleSpec{
		Name: "yearly", Command: stored.ID, Targets: []string{"i-one"}, Params: map[string]string{"word": "planted-schedule"}, Style: style,
		Trigger: core.Trigger{Crontab: "0 3 1 1 *"},
	}); err != nil {
		t.Fatal(err)
	}
	for i, v := range runs {
		Eventually(t, soon, func() error {
			w, err := svc.Watch(t.Context(), caller, core.TaskID{Invocation: v.ID}, 0, time.Second)
			if err == nil && (len(w.Chunks) == 0 || string(w.Chunks[0].Data) != fmt.Sprintln(lengths[i])) {
				err = fmt.Errorf("run %d printed %v", i, w.Chunks)
			}
			return err
		})
	}
	look := func(when string) {
		t.Helper()
		for path, content := range s.everything(t) {
			if bytes.Contains(content, []byte("planted-")) {
				at := bytes.Index(content, []byte("planted-"))
				t.Errorf("%s: %s holds %q", when, path, content[at:min(len(content), at+20)])
			}
		}
		if text := log.String(); strings.Contains(text, "planted-") {
			t.Errorf("%s: the log holds a secret: %s", when, text)
		}
	}
	look("while they run")
	for _, v := range runs {
		if err := svc.Stop(t.Context(), caller, v.ID, nil); err != nil {
			t.Fatal(err)
		}
	}
	s.Client().Await(t, s.Client().Run(t, "true", nil, "i-one"), soon)
	look("afterwards")
	// Whoever may read parameters still reads them as they were passed.
	v, err := svc.Invocation(t.Context(), caller, runs[1].ID)
	if err != nil || v.Params["word"] != "planted-parameter" || !bytes.Contains(v.Script, []byte("planted-parameter")) {
		t.Errorf("%v, %q, %v", v.Params, v.Script, err)
	}
}

// everything returns the content of each file of server and agents, and the command line of each process but this one.
func (s *Stack) everything(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	read := func(path string) {
		b, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !strings.HasPrefix(path, "/proc/") {
			t.Error(err)
		}
		all[path] = b
	}
	err := filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone meanwhile
		}
		if err == nil && e.Type().IsRegular() {
			read(path)
		}
		return err
	})
	lines, globbed := filepath.Glob("/proc/[0-9]*/cmdline")
	if err := errors.Join(err, globbed); err != nil {
		t.Fatal(err)
	}
	for _, path := range lines {
		read(path)
	}
	if len(all) < 10 {
		t.Errorf("looked at no more than %d files", len(all))
	}
	return all
}
