package socket

import (
	"errors"
	"io/fs"
	"net"

	"golang.org/x/sys/windows"
)

// absent says whether there is no socket, or nobody behind it.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, windows.WSAECONNREFUSED)
}

// peer refuses everybody: Windows does not tell who is at the other end.
func peer(net.Conn) (uid int, err error) { return 0, errors.ErrUnsupported }
