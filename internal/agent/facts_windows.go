package agent

import (
	"fmt"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

func osName() string {
	v := windows.RtlGetVersion()
	return fmt.Sprintf("Windows %d.%d.%d", v.MajorVersion, v.MinorVersion, v.BuildNumber)
}

func kernel() string { return "" }

// bootID is not known, so times are compared by the wall clock, and plans by starts of the machine are refused.
func bootID() string { return "" }

func installationID() string {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Cryptography`, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return ""
	}
	defer key.Close()
	id, _, err := key.GetStringValue("MachineGuid")
	if err != nil {
		return ""
	}
	return id
}

// uptime counts the time asleep as well.
func uptime() time.Duration { return windows.DurationSinceBoot() }

func scriptKinds() []string { return []string{"powershell", "bat"} }
