//go:build unix

package socket

import (
	"errors"
	"io/fs"
	"net"

	"golang.org/x/sys/unix"
)

// absent says whether there is no socket, or nobody behind it.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED)
}

// peer returns the user at the other end.
func peer(conn net.Conn) (uid int, err error) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, errors.New("not a unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	if cerr := raw.Control(func(fd uintptr) { uid, err = credentials(int(fd)) }); cerr != nil {
		return 0, cerr
	}
	return uid, err
}
