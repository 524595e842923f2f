package apitest

import (
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// nodeFolder holds one script for each Node.js SDK; `make deps` installs them there.
const nodeFolder = "node"

// inNode tells the story through a Node.js SDK. The script gets the target from its environment and prints a Tale as JSON.
func inNode(script string) func(*testing.T, *dialect, Target) Tale {
	return func(t *testing.T, d *dialect, target Target) (tale Tale) {
		t.Helper()
		if _, err := os.Stat(nodeFolder + "/node_modules"); err != nil {
			t.Fatalf("the Node.js SDKs are not installed, run make deps: %v", err)
		}
		cmd := exec.CommandContext(t.Context(), "node", script)
		cmd.Dir = nodeFolder
		cmd.Env = append(os.Environ(),
			"HOST="+target.HostPort, "KEY="+target.KeyID, "SECRET="+target.Secret, "NODES="+strings.Join(target.Nodes, ","),
			"FAILING="+failingScript, "ENDLESS="+endlessScript, "TIMEOUT="+strconv.Itoa(timeout),
			"ACTIVE="+strings.Join(d.active, ","), "RUNNING="+d.running,
		)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("node %s: %v\n%s%s", script, err, out, stderr.String())
		}
		if err := json.Unmarshal(out, &tale); err != nil {
			t.Fatalf("node %s printed no tale: %v\n%s", script, err, out)
		}
		return tale
	}
}
