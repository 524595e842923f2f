package doctor

import (
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// program checks what the agent starts.
func (e *exam) program() {
	if runtime.GOOS == "linux" {
		beside := filepath.Join(filepath.Dir(e.Program), "errand-supervise")
		if executable(beside) {
			e.ok("supervisor", "%s", beside)
		} else {
			e.bad("supervisor", Warn, "install errand-supervise there; without it each command takes some more memory and time",
				"there is no errand-supervise beside %s, which supervises commands itself", e.Program)
		}
	}
	if e.Shell != "" && !executable(e.Shell) {
		e.bad("shell", Fail, "install it; scripts that name no interpreter need it", "%s cannot be executed", e.Shell)
	} else if e.Shell != "" {
		e.ok("shell", "%s", e.Shell)
	}
	if _, err := time.LoadLocation("Europe/Berlin"); err != nil {
		e.bad("time zones", Warn, "install tzdata; schedules that name a time zone need it", "%v", err)
	} else {
		e.ok("time zones", "known; this machine is in %s", e.Zone)
	}
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
