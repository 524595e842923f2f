package packagetest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// manager stands in for systemd as the first process of a machine: it starts services as their units say, with conditions, environment, user and state
// folder; waits for READY=1 of those that announce it; stops their main process alone (KillMode=process, and our server has no other); starts again what
// ended by itself, unless the unit excepts the exit code; and reaps orphans.
type manager struct {
	mu       sync.Mutex
	children map[int]chan syscall.WaitStatus
	services map[string]*service
	born     chan struct{} // there is a child to wait for
}

// service is a service that was started. After an end that nobody asked for it is started again.
type service struct {
	unit  unit
	pid   int // of the main process; 0 between two
	stop  chan struct{}
	ended chan struct{}
}

// unit is a service's file: each setting with its values in order.
type unit struct {
	name string
	set  map[string][]string
}

func (u unit) last(key string) string {
	if v := u.set[key]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

func newManager() *manager {
	return &manager{children: map[int]chan syscall.WaitStatus{}, services: map[string]*service{}, born: make(chan struct{}, 1)}
}

// ServeHTTP does what systemctl was told to, which is the body. A failure is a status other than 200.
func (m *manager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	args := strings.Fields(string(body))
	if err != nil || len(args) == 0 {
		http.Error(w, "no command", http.StatusBadRequest)
		return
	}
	answer, err := "", error(nil)
	for _, name := range args[1:] {
		if strings.HasPrefix(name, "-") {
			continue
		}
		if !strings.Contains(name, ".") {
			name += ".service"
		}
		answer, err = m.command(args[0], name)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprint(w, answer)
}

func (m *manager) command(verb, name string) (string, error) {
	active := m.main(name) > 0
	switch {
	case verb == "start" && active, verb == "try-restart" && !active:
		return "", nil
	case verb == "start":
		return "", m.start(name)
	case verb == "stop":
		return "", m.stop(name)
	case verb == "restart", verb == "try-restart":
		return "", errors.Join(m.stop(name), m.start(name))
	case verb == "is-active":
		if !active {
			return "", errors.New("inactive")
		}
		return "active\n", nil
	case verb == "main-pid": // systemctl show -P MainPID
		return strconv.Itoa(m.main(name)) + "\n", nil
	case verb == "enable":
		return "", os.WriteFile("/run/enabled-"+name, nil, 0o600)
	case verb == "disable":
		return "", os.RemoveAll("/run/enabled-" + name)
	}
	return "", fmt.Errorf("the stand-in for systemd does not know %q", verb)
}

// main is the process of a service that shall run, -1 while it is about to be started again, 0 if it shall not run.
func (m *manager) main(name string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.services[name]
	switch {
	case s == nil:
		return 0
	case s.pid == 0:
		return -1
	}
	return s.pid
}

func readUnit(name string) (unit, error) {
	text, err := os.ReadFile(filepath.Join("/usr/lib/systemd/system", name))
	if err != nil {
		return unit{}, err
	}
	u := unit{name, map[string][]string{}}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			u.set[key] = append(u.set[key], value)
		}
	}
	return u, nil
}

// wanted reports whether one of the alternative conditions holds.
func (u unit) wanted() bool {
	conditions := u.set["ConditionPathExists"]
	return len(conditions) == 0 || slices.ContainsFunc(conditions, func(c string) bool {
		_, err := os.Stat(strings.TrimPrefix(c, "|"))
		return err == nil
	})
}

func (m *manager) start(name string) error {
	u, err := readUnit(name)
	if err != nil || !u.wanted() {
		return err
	}
	s := &service{unit: u, stop: make(chan struct{}), ended: make(chan struct{})}
	m.mu.Lock()
	m.services[name] = s
	m.mu.Unlock()
	ready := make(chan error, 1)
	go m.keep(s, ready)
	return <-ready
}

// keep runs a service until it is stopped or must not be started again, and tells once whether it became ready.
func (m *manager) keep(s *service, ready chan<- error) {
	defer close(s.ended)
	defer func() {
		m.mu.Lock()
		delete(m.services, s.unit.name)
		m.mu.Unlock()
	}()
	tell := func(err error) {
		select {
		case ready <- err:
		default:
		}
	}
	pause, err := time.ParseDuration(s.unit.last("RestartSec") + "s")
	if err != nil {
		tell(err)
		return
	}
	for {
		exited, err := m.run(s, tell)
		if err != nil {
			tell(err)
			return
		}
		status := <-exited
		m.mu.Lock()
		s.pid = 0
		m.mu.Unlock()
		tell(fmt.Errorf("%s ended with %d", s.unit.name, status.ExitStatus()))
		if s.unit.last("Restart") != "always" || strconv.Itoa(status.ExitStatus()) == s.unit.last("RestartPreventExitStatus") {
			return
		}
		select {
		case <-s.stop:
			return
		case <-time.After(pause):
		}
	}
}

// run starts the service's process once and returns when it is ready, or has ended before.
func (m *manager) run(s *service, tell func(error)) (<-chan syscall.WaitStatus, error) {
	env, cred, err := s.unit.surroundings()
	if err != nil {
		return nil, err
	}
	var notices net.PacketConn
	if s.unit.last("Type") == "notify" {
		socket := "/run/notify-" + s.unit.name
		_ = os.Remove(socket)
		if notices, err = net.ListenPacket("unixgram", socket); err != nil {
			return nil, err
		}
		env = append(env, "NOTIFY_SOCKET="+socket)
	}
	m.mu.Lock()
	select {
	case <-s.stop:
		m.mu.Unlock()
		return nil, errors.New("stopped")
	default:
	}
	pid, exited, err := m.fork(s.unit, s.unit.last("ExecStart"), env, cred)
	s.pid = pid
	m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if notices == nil {
		tell(nil)
		return exited, nil
	}
	go func() { // to the end of the machine, which is not far
		defer func() { _ = notices.Close() }()
		buf := make([]byte, 4096)
		for {
			n, _, err := notices.ReadFrom(buf)
			if err != nil {
				return
			}
			if slices.Contains(strings.Split(string(buf[:n]), "\n"), "READY=1") {
				m.after(s, env, cred)
				tell(nil)
			}
		}
	}()
	return exited, nil
}

// after runs what comes after the start.
func (m *manager) after(s *service, env []string, cred *syscall.Credential) {
	for _, line := range s.unit.set["ExecStartPost"] {
		m.mu.Lock()
		_, exited, err := m.fork(s.unit, strings.TrimPrefix(line, "-"), env, cred)
		m.mu.Unlock()
		if err == nil {
			<-exited
		}
	}
}

// fork starts a process with the machine's log as its output. m.mu is held, so that its end is not noticed before it is known.
func (m *manager) fork(u unit, line string, env []string, cred *syscall.Credential) (int, <-chan syscall.WaitStatus, error) {
	log, err := os.OpenFile("/var/log/"+u.name+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = log.Close() }()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = null.Close() }()
	argv := fields(line)
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Dir: "/", Env: env, Files: []uintptr{null.Fd(), log.Fd(), log.Fd()}, Sys: &syscall.SysProcAttr{Setsid: true, Credential: cred},
	})
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", argv[0], err)
	}
	exited := make(chan syscall.WaitStatus, 1)
	m.children[pid] = exited
	select {
	case m.born <- struct{}{}:
	default:
	}
	return pid, exited, nil
}

// surroundings are the environment and the user of a unit's processes, and its state folder.
func (u unit) surroundings() (env []string, cred *syscall.Credential, err error) {
	env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "JOURNAL_STREAM=1:1"}
	assign := func(setting string) { // the last one counts
		name, _, _ := strings.Cut(setting, "=")
		env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
		env = append(env, setting)
	}
	for _, setting := range u.set["Environment"] {
		assign(setting)
	}
	for _, name := range u.set["EnvironmentFile"] {
		text, err := os.ReadFile(strings.TrimPrefix(name, "-"))
		if optional := strings.HasPrefix(name, "-"); err != nil && (!optional || !os.IsNotExist(err)) {
			return nil, nil, err
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				assign(line)
			}
		}
	}
	uid, gid := 0, 0
	if user := u.last("User"); user != "" {
		if uid, gid, err = account(user); err != nil {
			return nil, nil, err
		}
		cred = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	dir := filepath.Join("/var/lib", u.last("StateDirectory"))
	mode, err := strconv.ParseUint(u.last("StateDirectoryMode"), 8, 32)
	return env, cred, errors.Join(err, os.MkdirAll(dir, 0o700), os.Chmod(dir, os.FileMode(mode)), os.Chown(dir, uid, gid))
}

// account looks a user up in the machine's own file; the libraries that os/user may use are those of the machine around it.
func account(user string) (uid, gid int, err error) {
	text, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(line, ":"); len(f) > 3 && f[0] == user {
			uid, uerr := strconv.Atoi(f[2])
			gid, gerr := strconv.Atoi(f[3])
			return uid, gid, errors.Join(uerr, gerr)
		}
	}
	return 0, 0, fmt.Errorf("no user %s", user)
}

// stop ends the main process alone.
func (m *manager) stop(name string) error {
	m.mu.Lock()
	s := m.services[name]
	if s == nil {
		m.mu.Unlock()
		return nil
	}
	close(s.stop)
	if s.pid > 0 {
		_ = unix.Kill(s.pid, unix.SIGTERM)
	}
	m.mu.Unlock()
	seconds, err := strconv.Atoi(s.unit.last("TimeoutStopSec"))
	if err != nil {
		return err
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(time.Duration(seconds) * time.Second):
		_ = unix.Kill(s.pid, unix.SIGKILL)
		<-s.ended
		return fmt.Errorf("%s had to be killed", name)
	}
}

// reap takes the exit status of every process that ends, and hands those of services on.
func (m *manager) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if errors.Is(err, syscall.ECHILD) {
			<-m.born
		}
		if err != nil {
			continue
		}
		m.mu.Lock()
		if exited := m.children[pid]; exited != nil {
			exited <- status
			delete(m.children, pid)
		}
		m.mu.Unlock()
	}
}
