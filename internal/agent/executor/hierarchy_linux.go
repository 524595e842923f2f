package executor

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// hierarchy is a tree of control groups as this process sees it.
type hierarchy struct {
	root string // where it is mounted
	own  string // the folder of this process's group; empty if there is no such hierarchy
}

// unified is the name of the version 2 hierarchy among the others, which are named by their controllers.
const unified = ""

// hierarchies finds the trees of control groups by controller. Machines have version 1, version 2 or both, and each controller is in one of
// them at a time.
func hierarchies() map[string]hierarchy {
	paths := map[string]string{}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(own)) {
		if f := strings.SplitN(strings.TrimRight(line, "\n"), ":", 3); len(f) == 3 {
			for controller := range strings.SplitSeq(f[1], ",") {
				paths[controller] = f[2]
			}
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	found := map[string]hierarchy{}
	for line := range strings.Lines(string(mounts)) {
		mount, fs, _ := strings.Cut(strings.TrimRight(line, "\n"), " - ")
		f, kind := strings.Fields(mount), strings.Fields(fs)
		if len(f) < 5 || len(kind) < 3 {
			continue
		}
		var controllers []string
		switch kind[0] {
		case "cgroup2":
			controllers = []string{unified}
		case "cgroup":
			controllers = strings.Split(kind[2], ",")
		}
		for _, c := range controllers {
			path, known := paths[c]
			if rest, ok := strings.CutPrefix(path, strings.TrimRight(f[3], "/")); ok && known {
				found[c] = hierarchy{root: f[4], own: filepath.Join(f[4], rest)}
			}
		}
	}
	return found
}

// offers reports whether a version 2 hierarchy has a controller.
func (h hierarchy) offers(controller string) bool {
	return h.own != "" && slices.Contains(words(filepath.Join(h.root, "cgroup.controllers")), controller)
}

// words reads a file of words, of which a file that cannot be read has none.
func words(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Fields(string(b))
}

// Groups of version 2 with controllers are made beside the agent's own group if it has this name, because then the one above was given to the
// agent and holds no processes, as the kernel wants it; otherwise in a group of this name at the top.
const (
	delegateGroup = "errand-agent"
	topGroup      = "errand"
)

// parents lists the folders in which version 2 groups with controllers may be made.
func (h hierarchy) parents() []string {
	top := filepath.Join(h.root, topGroup)
	if filepath.Base(h.own) == delegateGroup {
		return []string{filepath.Dir(h.own), top}
	}
	return []string{top}
}

// enable returns a folder in which groups have these controllers.
func (h hierarchy) enable(controllers []string) (string, error) {
	var err error
	for _, folder := range h.parents() {
		if above := filepath.Dir(folder); above == h.root {
			if err = enableIn(above, controllers); err != nil {
				continue
			}
			_ = os.Mkdir(folder, 0o755) //nolint:gosec // as all control groups; exists already or the next step fails
		}
		if err = enableIn(folder, controllers); err == nil {
			return folder, nil
		}
	}
	return "", err
}

// enableIn gives controllers to the groups in folder. Where there are processes in folder itself that would take the use of
// its groups away, except at the very top.
func enableIn(folder string, controllers []string) error {
	control := filepath.Join(folder, "cgroup.subtree_control")
	enabled := words(control)
	missing := slices.DeleteFunc(slices.Clone(controllers), func(c string) bool { return slices.Contains(enabled, c) })
	if len(missing) == 0 {
		return nil
	}
	if _, err := os.Stat(filepath.Join(folder, "cgroup.type")); err == nil && len(words(filepath.Join(folder, "cgroup.procs"))) > 0 {
		return &os.PathError{Op: "enable controllers", Path: folder, Err: unix.EBUSY}
	}
	return setControl(control, "+"+strings.Join(missing, " +"))
}

// setControl writes to a file of a control group, which must exist.
func setControl(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return err
}

// SweepGroups removes the control groups that tasks with ids ending in suffix have left behind: those without processes whose id keep does
// not want. It is for the time before anything is started.
func SweepGroups(suffix string, keep func(id string) bool) {
	var folders []string
	for h := range maps.Values(hierarchies()) {
		folders = append(folders, h.own)
		folders = append(folders, h.parents()...)
	}
	for _, folder := range folders {
		list, err := os.ReadDir(folder)
		if err != nil {
			continue
		}
		for _, f := range list {
			id, ok := strings.CutPrefix(f.Name(), groupPrefix)
			if ok && strings.HasSuffix(id, suffix) && !keep(id) {
				_ = unix.Rmdir(filepath.Join(folder, f.Name())) // refused while there are processes
			}
		}
	}
}
