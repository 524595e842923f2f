package packagetest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// initArg makes the test binary the first process of a machine: initArg WORK ROOT PACKAGES.
const initArg = "machine-init"

func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == initArg {
		if err := machineInit(os.Args[2], os.Args[3], os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, "machine:", err)
			os.Exit(1)
		}
	}
	code := m.Run()
	if err := os.RemoveAll(packages.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// systemctl asks the first process.
const systemctl = `#!/bin/sh
if [ "$1" = --version ]; then
  echo 'systemd 252 (a stand-in)'
  exit
fi
exec curl -sS --fail-with-body --unix-socket /run/manager.sock --data "$*" http://manager/
`

// machineInit builds the machine around this process and then serves systemctl until it is killed.
func machineInit(work, root, packages string) error {
	if err := errors.Join(mountRoot(work, root, packages), loopbackUp(), unix.Sethostname([]byte("machine"))); err != nil {
		return err
	}
	if err := os.MkdirAll("/run/systemd/system", 0o755); err != nil {
		return err
	}
	if err := os.WriteFile("/usr/bin/systemctl", []byte(systemctl), 0o755); err != nil {
		return err
	}
	lis, err := net.Listen("unix", "/run/manager.sock")
	if err != nil {
		return err
	}
	m := newManager()
	go m.reap()
	fmt.Println("ready")
	return http.Serve(lis, m)
}

// mountRoot makes a layer over the clean Debian the root of this process, with what programs expect in it.
func mountRoot(work, lower, packages string) error {
	mount := func(source, target, kind string, flags uintptr, data string) error {
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(source, target, kind, flags, data); err != nil {
			return fmt.Errorf("mount %s: %w", target, err)
		}
		return nil
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("own mounts: %w", err)
	}
	// The upper layer is in memory: some file systems cannot hold one, overlays among them.
	if err := mount("layer", work, "tmpfs", 0, "mode=0755"); err != nil {
		return err
	}
	root, upper, inner := filepath.Join(work, "root"), filepath.Join(work, "upper"), filepath.Join(work, "work")
	if err := errors.Join(os.Mkdir(upper, 0o755), os.Mkdir(inner, 0o755)); err != nil {
		return err
	}
	for _, step := range []error{
		mount("overlay", root, "overlay", 0, "lowerdir="+lower+",upperdir="+upper+",workdir="+inner),
		mount("proc", root+"/proc", "proc", 0, ""),
		mount("run", root+"/run", "tmpfs", 0, "mode=0755"),
		mount("tmp", root+"/tmp", "tmpfs", 0, "mode=1777"),
		mount("dev", root+"/dev", "tmpfs", 0, "mode=0755"),
		mount("devpts", root+"/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0620,gid=5"),
		mount("shm", root+"/dev/shm", "tmpfs", 0, "mode=1777"),
		mount(packages, root+"/srv/packages", "", unix.MS_BIND, ""),
	} {
		if step != nil {
			return step
		}
	}
	for _, device := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		target := filepath.Join(root, "dev", device)
		if err := errors.Join(os.WriteFile(target, nil, 0o600), unix.Mount("/dev/"+device, target, "", unix.MS_BIND, "")); err != nil {
			return fmt.Errorf("device %s: %w", device, err)
		}
	}
	if err := os.Symlink("pts/ptmx", root+"/dev/ptmx"); err != nil {
		return err
	}
	if err := errors.Join(os.Chdir(root), unix.PivotRoot(".", ".")); err != nil {
		return fmt.Errorf("own root: %w", err)
	}
	return errors.Join(unix.Unmount(".", unix.MNT_DETACH), os.Chdir("/"))
}

// loopbackUp switches the only network device on.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}

// fields cuts a command line of a unit into words, of which some are in single quotes.
func fields(line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		words = append(words, strings.Fields(part)...)
	}
	return words
}
