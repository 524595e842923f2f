package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What an agent should have at least.
const (
	minBytes      = 256 << 20 // for outputs and the journal
	fewBytes      = 2 << 30
	minFiles      = 1000
	fewFiles      = 10_000
	fewPIDs       = 1024
	fewInstances  = 64
	journalProbe  = 4 << 10 // bytes
	folderCheck   = "data folder"
	cgroupCheck   = "cgroup"
	inotifyCheck  = "inotify"
	processesName = "process limit"
)

// folder checks the data folder and the disk under it.
func (e *exam) folder() {
	info, err := os.Stat(e.Dir)
	if err != nil || !info.IsDir() {
		e.bad(folderCheck, Fail, "name the agent's folder with --data", "%s is not there: %v", e.Dir, err)
		return
	}
	var s unix.Statfs_t
	if err := unix.Statfs(e.Dir, &s); err != nil {
		e.bad(folderCheck, Fail, "", "%v", err)
		return
	}
	if s.Flags&unix.ST_RDONLY != 0 {
		e.bad(folderCheck, Fail, "mount it writable; the agent cannot remember anything there", "%s is on a file system that is read-only", e.Dir)
		return
	}
	if err := probe(e.Dir); err != nil {
		do := "run as the agent's user, and check the disk"
		if errors.Is(err, unix.ENOSPC) {
			do = "free space or inodes on the file system of " + e.Dir
		}
		e.bad(folderCheck, Fail, do, "cannot be written: %v", err)
	} else {
		e.ok(folderCheck, "%s can be written", e.Dir)
	}
	if s.Flags&unix.ST_NOEXEC != 0 {
		e.bad("data folder mount", Warn, "scripts run all the same, because their interpreter is started; compiled programs as scripts do not: mount it without noexec",
			"%s is mounted noexec", e.Dir)
	} else if s.Flags&unix.ST_NOSUID != 0 {
		e.ok("data folder mount", "nosuid, which is in nobody's way")
	}
	free, files := s.Bavail*uint64(s.Bsize), s.Ffree
	e.amount("disk space", free, minBytes, fewBytes, fmt.Sprintf("%.1f GB free", float64(free)/1e9))
	if s.Files > 0 { // some file systems do not count them
		e.amount("inodes", files, minFiles, fewFiles, fmt.Sprintf("%d free", files))
	}
}

func (e *exam) amount(check string, have, least, few uint64, says string) {
	do := "free some on the file system of " + e.Dir + ": outputs and the journal need it"
	switch {
	case have < least:
		e.bad(check, Fail, do, "%s", says)
	case have < few:
		e.bad(check, Warn, do, "%s", says)
	default:
		e.ok(check, "%s", says)
	}
}

// probe writes as much as the journal would.
func probe(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, journalProbe))
	return errors.Join(err, f.Sync(), f.Close())
}

// machine checks what limits the commands that the agent starts.
func (e *exam) machine() {
	e.cgroup()
	e.processes()
	instances, err := e.number("/proc/sys/fs/inotify/max_user_instances")
	switch {
	case err != nil:
		e.bad(inotifyCheck, Warn, "", "%v", err)
	case instances < fewInstances:
		e.bad(inotifyCheck, Warn, "sysctl fs.inotify.max_user_instances=128; commands that watch files may need more", "%d instances a user", instances)
	default:
		e.ok(inotifyCheck, "%d instances a user", instances)
	}
}

// limiting are the control groups' controllers that hold the limits of commands.
func limiting() []string { return []string{"cpu", "memory", "pids"} }

// cgroup checks that commands can have limits that hold for all their processes together. It looks where the executor makes its groups.
func (e *exam) cgroup() {
	const do = "under systemd, set Delegate=yes in the agent's unit; in a container, mount /sys/fs/cgroup writable. " +
		"Commands run all the same, those with limits of CPU, memory or processes are refused"
	var folders []string
	version := 2
	if _, err := os.Stat(e.path("/sys/fs/cgroup/cgroup.controllers")); err == nil {
		folders = e.unified()
	} else {
		version = 1
		for _, c := range limiting() {
			folders = append(folders, e.path("/sys/fs/cgroup/"+c))
		}
	}
	missing := limiting()
	for _, folder := range folders {
		missing = slices.DeleteFunc(missing, func(c string) bool {
			if version == 1 {
				return filepath.Base(folder) == c && unix.Access(folder, unix.W_OK) == nil
			}
			b, err := os.ReadFile(filepath.Join(folder, "cgroup.controllers"))
			return err == nil && slices.Contains(strings.Fields(string(b)), c) &&
				unix.Access(filepath.Join(folder, "cgroup.subtree_control"), unix.W_OK) == nil
		})
	}
	if len(missing) > 0 {
		e.bad(cgroupCheck, Warn, do, "no control groups of version %d can be made for %s", version, strings.Join(missing, ", "))
		return
	}
	e.ok(cgroupCheck, "version %d, with cpu, memory and pids", version)
}

// unified lists the folders of version 2 in which groups may be made by the agent that runs, or else by one in this process's place.
func (e *exam) unified() []string {
	top := e.path("/sys/fs/cgroup")
	who := "self"
	if e.Running != nil {
		who = strconv.Itoa(e.Running.PID)
	}
	b, err := os.ReadFile(e.path("/proc/" + who + "/cgroup"))
	_, own, ok := strings.Cut(string(b), "0::")
	own, _, _ = strings.Cut(own, "\n")
	if err == nil && ok && filepath.Base(own) == "errand-agent" {
		return []string{filepath.Join(top, filepath.Dir(own)), top}
	}
	return []string{top}
}

// processes checks how many there may be.
func (e *exam) processes() {
	most, err := e.number("/proc/sys/kernel/pid_max")
	if err != nil {
		e.bad(processesName, Warn, "", "%v", err)
		return
	}
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &r); err == nil && os.Geteuid() != 0 && r.Cur < most {
		most = r.Cur // root is not bound by it
	}
	if most < fewPIDs {
		e.bad(processesName, Warn, "raise kernel.pid_max, or the limit of the agent's user", "%d processes", most)
		return
	}
	e.ok(processesName, "%d processes", most)
}

func (e *exam) path(p string) string { return filepath.Join("/", e.Root, p) }

// number reads a file with one number.
func (e *exam) number(path string) (uint64, error) {
	b, err := os.ReadFile(e.path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("the kernel does not tell: %w", err)
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
}
