package files

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	maxAccount = 255 // bytes in the name of a user or group

	// directoryTimeout bounds a question to a directory service, which may be unreachable.
	directoryTimeout = 10 * time.Second
)

// owner is whom a file is to belong to.
type owner struct{ uid, gid int }

// findOwner looks the names up before anything is written.
func findOwner(ctx context.Context, user, group string) (owner, error) {
	found := owner{os.Geteuid(), os.Getegid()}
	if user != "" {
		id, err := idOf(ctx, "passwd", user)
		if err != nil {
			return owner{}, err
		}
		if id < 0 {
			return owner{}, &Error{Fault: OwnerNotFound, Path: user}
		}
		found.uid = id
	}
	if group != "" {
		id, err := idOf(ctx, "group", group)
		if err != nil {
			return owner{}, err
		}
		if id < 0 {
			return owner{}, &Error{Fault: GroupNotFound, Path: group}
		}
		found.gid = id
	}
	return found, nil
}

// take hands the file over, which only root can do to others.
func (o owner) take(file *os.File) error { return file.Chown(o.uid, o.gid) }

// idOf finds a number by name in /etc/passwd or /etc/group, or else in the directory services that getent knows; -1 means that none knows
// it. No shell is involved.
func idOf(ctx context.Context, database, name string) (int, error) {
	if len(name) > maxAccount || strings.HasPrefix(name, "-") || strings.ContainsAny(name, ":\n\x00") {
		return -1, nil
	}
	id, err := idInFile("/etc/"+database, name)
	if err != nil || id >= 0 {
		return id, err
	}
	if strings.Trim(name, "0123456789") == "" {
		return -1, nil // getent would take it for the number itself
	}
	return idInLine(getent(ctx, database, name)), nil
}

// idInFile returns -1 when the file does not have the name, or does not exist.
func idInFile(path, name string) (int, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return -1, fmt.Errorf("account data: %w", err)
	}
	defer file.Close()
	for r := bufio.NewReader(file); ; { // no Scanner: groups with thousands of members have long lines
		line, err := r.ReadString('\n')
		if strings.HasPrefix(line, name+":") {
			return idInLine(line), nil
		}
		if errors.Is(err, io.EOF) {
			return -1, nil
		}
		if err != nil {
			return -1, fmt.Errorf("account data: %w", err)
		}
	}
}

// idInLine reads name:password:number:..., which both databases share. The largest number means "nobody in particular" to the kernel.
func idInLine(line string) int {
	fields := strings.SplitN(strings.TrimRight(line, "\r\n"), ":", 4)
	if len(fields) < 4 {
		return -1
	}
	id, err := strconv.ParseUint(fields[2], 10, 32)
	if err != nil || id == 1<<32-1 {
		return -1
	}
	return int(id)
}

// getent asks the system's name services and returns nothing when they cannot answer.
func getent(ctx context.Context, database, key string) string {
	ctx, cancel := context.WithTimeout(ctx, directoryTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "getent", database, key).Output() //nolint:gosec // fixed program, key is no option
	if err != nil {
		return ""
	}
	return string(out)
}
