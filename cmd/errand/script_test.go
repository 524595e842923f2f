package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the scripts in testdata/script against one server with three nodes, each as a user of its own. In them, errand is the program as
// a process; $SERVER is the server's address, $DATA its folder, and $USERNAME the user.
//
// Beyond what testscript knows, a script can say:
//
//	[!] errand ARG...    run the program; with ! it has to fail
//	code N errand ARG... run the program, which has to end with this exit code
func TestScripts(t *testing.T) {
	t.Parallel()
	s := openStage(t, threeNodes())
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			name := strings.ReplaceAll(filepath.Base(env.WorkDir), ".", "-")
			key, err := s.user(name)
			if err != nil {
				return err
			}
			env.Vars = append(env.Vars, s.environ(env.WorkDir, key)...)
			env.Vars = append(env.Vars, "GORACE="+os.Getenv("GORACE"), "SERVER="+s.url, "DATA="+s.data, "USERNAME="+name)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"code": exitsWith},
	})
}
