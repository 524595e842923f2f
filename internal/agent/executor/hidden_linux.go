package executor

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// hidden is what a supervisor needs to know and no file may hold. It travels from the agent in memory that both have open.
type hidden struct {
	Env    []string `json:"env"` // NAME=value
	Script []byte   `json:"script"`
}

// file returns memory with the content of h, at its beginning.
func (h *hidden) file() (*os.File, error) {
	b, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	return unnamed("errand-secrets", b)
}

// unnamed returns a file that has no name and lies on no disk.
func unnamed(name string, content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(content); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := f.Seek(0, 0); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// adoptSecrets takes over what the agent has handed over, if there is anything.
func (s *supervisor) adoptSecrets() error {
	if !s.plan.Hidden {
		return nil
	}
	unix.CloseOnExec(secretFD)
	f := os.NewFile(secretFD, "secrets")
	defer f.Close()
	s.hidden = &hidden{}
	if err := json.NewDecoder(f).Decode(s.hidden); err != nil {
		return fmt.Errorf("secrets: %w", err)
	}
	s.plan.Env = append(s.plan.Env, s.hidden.Env...)
	values := make(map[string]string, len(s.hidden.Env))
	for _, e := range s.hidden.Env {
		name, value, _ := strings.Cut(e, "=")
		values[name] = value
	}
	for i := range s.masks {
		s.masks[i] = newMasker(values)
	}
	return nil
}

// lend makes the script the command's next descriptor, readable by the user who runs it.
func (h *hidden) lend(c *command) error {
	f, err := unnamed("script", h.Script)
	if err != nil {
		return err
	}
	defer f.Close()
	if user := c.attr.Sys.Credential; user != nil {
		if err := f.Chown(int(user.Uid), int(user.Gid)); err != nil {
			return err
		}
	}
	if err := f.Chmod(0o500); err != nil {
		return err
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	c.attr.Files = append(c.attr.Files, uintptr(fd))
	return nil
}
