package apitest

import (
	"slices"
	"testing"

	"errand/internal/session/sessiontest"
)

// Terminal opens a shell on a machine through the current SDK and works in it as the vendor's own terminal client would.
func Terminal(t *testing.T, target Target) {
	t.Helper()
	c := must(newACS3(target, ecsVersion, false))(t)
	var started struct{ SessionId, SecurityToken, WebSocketUrl string }
	err := c.call("StartTerminalSession", map[string]any{
		"RegionId": alibabaRegion, "InstanceId": target.Nodes[:1], "EncryptionOptions": `{"Enabled":true,"Mode":"Auto"}`,
	}, &started)
	if err != nil {
		t.Fatal(err)
	}
	term, status := sessiontest.Dial(t, started.WebSocketUrl, nil)
	if term == nil {
		t.Fatalf("refused with %d", status)
	}
	term.Prompt()
	if got := term.Run("echo $((6 * 7))"); got != "42\n" {
		t.Errorf("the shell says %q", got)
	}
	term.Type("exit\n")
	if _, statuses := term.End(); !slices.Equal(statuses, []string{"5 Exit"}) {
		t.Errorf("ends with %q", statuses)
	}
}
