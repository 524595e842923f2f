package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// ErrInUse says that another process, or another Store in this one, has the database open.
var ErrInUse = errors.New("is in use by another server")

// lock takes the lock file beside the database. The kernel gives it free when this process ends, however it ends; the process id in it only
// serves the message.
func lock(path string) (*os.File, error) {
	file, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("%s %w%s", path, ErrInUse, holder(file))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if err := sign(file); err != nil {
		return nil, errors.Join(err, unlock(file))
	}
	return file, nil
}

// unlock gives the lock free at once; closing alone would leave it to a process that is just being started, until that closes its copy of
// the descriptor.
func unlock(file *os.File) error {
	return errors.Join(unix.Flock(int(file.Fd()), unix.LOCK_UN), file.Close())
}

func sign(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt(strconv.AppendInt(nil, int64(os.Getpid()), 10), 0)
	return err
}

func holder(file *os.File) string {
	pid, err := io.ReadAll(io.LimitReader(file, 20))
	if pid = bytes.TrimSpace(pid); err != nil || len(pid) == 0 {
		return ""
	}
	return fmt.Sprintf(" (process %s)", pid)
}
