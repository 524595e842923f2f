// Package socket is how somebody on the machine asks a running agent about itself: a unix socket in the data folder that only the agent's own
// user and root may speak to. It speaks as much HTTP as "curl --unix-socket" and a scraper need, which is a hundredth of what a whole HTTP
// server would weigh.
package socket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Name is the socket's in an agent's data folder.
const Name = "agent.sock"

// ErrNobody means that no agent listens.
var ErrNobody = errors.New("no agent is running on this data folder")

const (
	patience   = 5 * time.Second // with one caller
	maxCallers = 8               // at a time
	maxRequest = 8 << 10         // bytes
	maxAnswer  = 16 << 20        // bytes
)

// Page answers a GET of one path.
type Page struct {
	Type string // of the content
	Body func() ([]byte, error)
}

// Serve answers callers until ctx ends. The caller holds the lock on the data folder, so that a socket which is there already is nobody's.
func Serve(ctx context.Context, dir string, pages map[string]Page, log *slog.Logger) error {
	path := filepath.Join(dir, Name)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var callers sync.WaitGroup
	defer callers.Wait()
	places := make(chan struct{}, maxCallers)
	for {
		places <- struct{}{}
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		callers.Go(func() {
			defer func() { <-places }()
			defer conn.Close()
			if err := answer(conn, pages); err != nil {
				log.Debug("local caller", "error", err)
			}
		})
	}
}

// answer answers one request.
func answer(conn net.Conn, pages map[string]Page) error {
	_ = conn.SetDeadline(time.Now().Add(patience))
	uid, err := peer(conn)
	if err != nil {
		return fmt.Errorf("who calls: %w", err)
	}
	if own := os.Geteuid(); uid != 0 && uid != own {
		return fmt.Errorf("user %d may not ask", uid)
	}
	req, err := http.ReadRequest(bufio.NewReader(io.LimitReader(conn, maxRequest)))
	if err != nil {
		return err
	}
	page, ok := pages[req.URL.Path]
	switch {
	case !ok:
		return write(conn, "404 Not Found", "text/plain", []byte("there is no such page\n"))
	case req.Method != http.MethodGet:
		return write(conn, "405 Method Not Allowed", "text/plain", []byte("GET is all there is\n"))
	}
	body, err := page.Body()
	if err != nil {
		return errors.Join(err, write(conn, "500 Internal Server Error", "text/plain", []byte(err.Error()+"\n")))
	}
	return write(conn, "200 OK", page.Type, body)
}

func write(w io.Writer, status, contentType string, body []byte) error {
	head := fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", status, contentType, len(body))
	_, err := w.Write(append([]byte(head), body...))
	return err
}

// Get asks the agent that uses a data folder for a page. It returns ErrNobody if there is no agent.
func Get(ctx context.Context, dir, page string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, Name))
	if err != nil {
		if absent(err) {
			return nil, ErrNobody
		}
		return nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, "GET "+page+" HTTP/1.1\r\nHost: agent\r\n\r\n"); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, fmt.Errorf("the agent does not answer, perhaps because it belongs to another user: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the agent answers %s: %s", resp.Status, strings.TrimSpace(string(body)))
	}
	return body, err
}
