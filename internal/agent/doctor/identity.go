package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"errand/internal/agent/identity"
)

// identity returns who this node is, if it is one.
func (e *exam) identity() (id identity.Identity, enrolled bool) {
	const check = "identity"
	file, why := identity.Where(e.Dir)
	id, err := identity.Load(e.Dir)
	switch {
	case errors.Is(err, identity.ErrNotEnrolled):
		e.bad(check, Fail, "start the agent with --server, --activation-id and --activation-code, or name its folder with --data",
			"this machine is not enrolled: %s", why)
		return id, false
	case err != nil:
		e.bad(check, Fail, "run as the agent's user or root; if the files are damaged, restore them or enrol again in an empty folder", "%v", err)
		return id, false
	}
	e.modes(filepath.Dir(file))
	if filepath.Base(file) != "identity.json" {
		e.bad(check, Warn, "look after the disk; the agent writes the file anew at the next enrolment", "node %s of %s by %s: %s", id.NodeID, id.ServerURL, file, why)
		return id, true
	}
	e.ok(check, "node %s of %s by %s: %s", id.NodeID, id.ServerURL, file, why)
	return id, true
}

// modes checks that nobody else can read the key.
func (e *exam) modes(dir string) {
	if runtime.GOOS == "windows" {
		return // the folder's access list is inherited, and its mode says nothing
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		e.bad("identity modes", Fail, "run as the agent's user or root", "%v", err)
		return
	}
	paths := []string{dir}
	for _, entry := range entries {
		paths = append(paths, filepath.Join(dir, entry.Name()))
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			e.bad("identity modes", Fail, "chmod go= "+path+", and enrol anew if somebody may have read the key", "%s can be read by others (%v)", path, info.Mode().Perm())
			return
		}
	}
	e.ok("identity modes", "only the owner can read %s", dir)
}
