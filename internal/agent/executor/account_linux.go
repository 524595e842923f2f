package executor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	passwdFile = "/etc/passwd"
	groupFile  = "/etc/group"

	// directoryTimeout bounds a question to a directory service, which may be unreachable.
	directoryTimeout = 10 * time.Second
)

// account is a user as a login would see it.
type account struct {
	name   string
	uid    uint32
	gid    uint32
	groups []uint32 // the primary one included
	home   string
	shell  string
}

// accountOf finds a user by name, in the files or else in the directory services that getent knows. No shell is
// involved, and a validated name cannot be taken for an option.
func accountOf(ctx context.Context, name string) (account, error) {
	a, err := accountInFile(passwdFile, func(a account) bool { return a.name == name })
	if err != nil {
		return account{}, err
	}
	if a != nil {
		return a.withGroups(groupFile)
	}
	a, ok := parseAccount(getent(ctx, "passwd", name))
	if !ok {
		return account{}, &StartError{Reason: UserNotFound, Path: name}
	}
	found, err := a.withGroups(groupFile)
	if err != nil {
		return account{}, err
	}
	for _, field := range strings.Fields(getent(ctx, "initgroups", name)) {
		if gid, err := strconv.ParseUint(field, 10, 32); err == nil {
			found.addGroup(uint32(gid))
		}
	}
	return found, nil
}

// ownAccount describes the user this process runs as, who need not have a name.
func ownAccount() (account, error) {
	uid := uint32(os.Geteuid())
	a, err := accountInFile(passwdFile, func(a account) bool { return a.uid == uid })
	if err != nil {
		return account{}, err
	}
	if a != nil {
		return *a, nil
	}
	return account{
		name: strconv.FormatUint(uint64(uid), 10), uid: uid, gid: uint32(os.Getegid()),
		home: "/", shell: "/bin/sh",
	}, nil
}

// accountInFile returns the first account of a passwd file that matches, or nil. A missing file has no accounts.
func accountInFile(path string, match func(account) bool) (*account, error) {
	var found *account
	err := eachLine(path, func(line string) bool {
		a, ok := parseAccount(line)
		if ok && match(*a) {
			found = a
		}
		return found == nil
	})
	return found, err
}

// parseAccount reads name:password:uid:gid:comment:home:shell.
func parseAccount(line string) (*account, bool) {
	f := strings.Split(strings.TrimRight(line, "\r\n"), ":")
	if len(f) < 7 || f[0] == "" {
		return nil, false
	}
	uid, err := strconv.ParseUint(f[2], 10, 32)
	if err != nil {
		return nil, false
	}
	gid, err := strconv.ParseUint(f[3], 10, 32)
	if err != nil {
		return nil, false
	}
	a := account{name: f[0], uid: uint32(uid), gid: uint32(gid), home: f[5], shell: f[6]}
	if a.home == "" {
		a.home = "/"
	}
	if a.shell == "" {
		a.shell = "/bin/sh"
	}
	return &a, true
}

// withGroups adds the primary group and those of a group file (name:password:gid:members) that list the account.
func (a account) withGroups(path string) (account, error) {
	a.addGroup(a.gid)
	err := eachLine(path, func(line string) bool {
		f := strings.Split(line, ":")
		if len(f) < 4 || !slices.Contains(strings.Split(f[3], ","), a.name) {
			return true
		}
		if gid, err := strconv.ParseUint(f[2], 10, 32); err == nil {
			a.addGroup(uint32(gid))
		}
		return true
	})
	return a, err
}

func (a *account) addGroup(gid uint32) {
	if !slices.Contains(a.groups, gid) {
		a.groups = append(a.groups, gid)
	}
}

// eachLine calls f for the lines of a file until it returns false. A file that does not exist has none.
func eachLine(path string, f func(line string) bool) error {
	file, err := os.Open(path)
	if missing(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("account data: %w", err)
	}
	defer file.Close()
	r := bufio.NewReader(file) // no Scanner: groups with thousands of members have long lines
	for {
		line, err := r.ReadString('\n')
		if line != "" && !f(strings.TrimRight(line, "\r\n")) {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("account data: %w", err)
		}
	}
}

// getent asks the system's name services and returns nothing when they cannot answer.
func getent(ctx context.Context, database, key string) string {
	ctx, cancel := context.WithTimeout(ctx, directoryTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "getent", database, key).Output() //nolint:gosec // fixed program, validated key
	if err != nil {
		return ""
	}
	return string(out)
}
