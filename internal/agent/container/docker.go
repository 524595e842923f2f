package container

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	maxReply  = 16 << 20 // bytes of a runtime's answer
	pieceSize = 32 << 10 // bytes of output handed on at once

	// An exec's end is asked for only now and then while its output goes on, for the case that somebody holds the output open.
	endInterval = time.Second
	// drainPatience is how long output may then be silent.
	drainPatience = 2 * time.Second
	// exitPatience is how long the exit code may be missing when the output has ended.
	exitPatience = 5 * time.Second
)

// Labels with which Kubernetes tells its containers from the sandboxes around them, where it uses Docker.
const (
	kubeName = "io.kubernetes.container.name"
	kubeType = "io.kubernetes.docker.type"
	sandbox  = "podsandbox"
)

// docker speaks the Engine API, see https://docs.docker.com/reference/api/engine/version/v1.41/. Podman understands the same.
type docker struct{ socket string }

// dialUnix makes an HTTP client's connections end at a socket.
func dialUnix(socket string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
}

// version returns the path prefix for the newest API that the engine speaks. There is none that every engine speaks: new ones refuse
// what was current a few years ago.
func (d docker) version(ctx context.Context) (string, error) {
	resp, err := d.do(ctx, http.MethodGet, "/_ping", nil)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	version := resp.Header.Get("Api-Version")
	if version == "" || strings.Trim(version, "0123456789.") != "" {
		return "", nil
	}
	return "/v" + version, nil
}

// do sends a request and turns refusals into errors. A request with an Upgrade is answered by a connection as body.
func (d docker) do(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var payload bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&payload).Encode(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://docker"+path, &payload)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if strings.HasSuffix(path, "/start") {
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "tcp")
	}
	client := http.Client{Transport: &http.Transport{DialContext: dialUnix(d.socket), DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, broken("docker", err)
	}
	if resp.StatusCode < http.StatusBadRequest {
		return resp, nil
	}
	defer resp.Body.Close()
	var refusal struct{ Message string }
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if json.Unmarshal(text, &refusal) != nil || refusal.Message == "" {
		refusal.Message = strings.TrimSpace(string(text))
	}
	e := &Error{Fault: RuntimeInternal, Detail: fmt.Sprintf("docker: %s: %s", resp.Status, refusal.Message)}
	switch resp.StatusCode {
	case http.StatusNotFound:
		e.Fault = NotFound
	case http.StatusConflict: // stopped or paused
		e.Fault = StateAbnormal
	}
	return nil, e
}

// call sends a request and reads the answer.
func (d docker) call(ctx context.Context, method, path string, body, answer any) error {
	resp, err := d.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxReply)).Decode(answer); err != nil {
		return broken("docker: answer to "+path, err)
	}
	return nil
}

func (d docker) list(ctx context.Context, id string) ([]listed, error) {
	version, err := d.version(ctx)
	if err != nil {
		return nil, err
	}
	query := url.Values{"all": {"1"}}
	if id != "" {
		query.Set("filters", fmt.Sprintf(`{"id":[%q]}`, id))
	}
	var containers []struct {
		ID     string `json:"Id"`
		Names  []string
		State  string
		Labels map[string]string
	}
	if err := d.call(ctx, http.MethodGet, version+"/containers/json?"+query.Encode(), nil, &containers); err != nil {
		return nil, err
	}
	var list []listed
	for _, c := range containers {
		if c.Labels[kubeType] == sandbox {
			continue
		}
		found := listed{id: c.ID, state: c.State}
		for _, name := range c.Names {
			found.names = append(found.names, strings.TrimPrefix(name, "/"))
		}
		if name := c.Labels[kubeName]; name != "" {
			found.names = append(found.names, name)
		}
		list = append(list, found)
	}
	return list, nil
}

func (d docker) exec(ctx context.Context, id string, c command) (stream, error) {
	version, err := d.version(ctx)
	if err != nil {
		return nil, err
	}
	var created struct {
		ID string `json:"Id"`
	}
	err = d.call(ctx, http.MethodPost, version+"/containers/"+id+"/exec", map[string]any{
		"AttachStdin": true, "AttachStdout": true, "AttachStderr": true,
		"Cmd": c.argv, "User": c.user, "WorkingDir": c.workDir,
	}, &created)
	if err != nil {
		return nil, err
	}
	s := &dockerStream{docker: d, path: version + "/exec/" + url.PathEscape(created.ID)}
	s.connection, err = hijack(ctx, func(ctx context.Context) (*http.Response, error) {
		return d.do(ctx, http.MethodPost, s.path+"/start", map[string]any{"Detach": false, "Tty": false})
	})
	if err != nil {
		return nil, err
	}
	go s.watch()
	return s, nil
}

// dockerStream is the connection of an exec, whose output comes in frames: a byte for the stream, three of nothing, four for the length.
type dockerStream struct {
	docker
	*connection
	path string // of the exec

	kind   byte
	left   uint32 // bytes of the frame that are still to be read
	buf    [pieceSize]byte
	silent atomic.Int64 // nanoseconds of the time since when next waits for output; 0 while it does not
}

// The streams of a frame. The last is for the engine's own troubles.
const (
	stdoutFrame = 1
	stderrFrame = 2
	systemFrame = 3
)

func (s *dockerStream) next() (data []byte, stderr bool, err error) {
	s.silent.Store(time.Now().UnixNano())
	defer s.silent.Store(0)
	for s.left == 0 {
		var header [8]byte
		n, err := io.ReadFull(s, header[:])
		if n == 0 && errors.Is(err, syscall.ECONNRESET) {
			err = io.EOF // the engine closed with input left that nobody read; exit will tell whether the program has ended
		}
		if err != nil {
			return nil, false, s.over(err)
		}
		s.kind, s.left = header[0], binary.BigEndian.Uint32(header[4:])
	}
	n, err := s.Read(s.buf[:min(s.left, pieceSize)])
	s.left -= uint32(n)
	if errors.Is(err, io.EOF) && s.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	switch s.kind {
	case stdoutFrame, stderrFrame:
		return s.buf[:n], s.kind == stderrFrame, s.over(err)
	case systemFrame:
		return nil, false, &Error{Fault: RuntimeInternal, Detail: fmt.Sprintf("docker: %q", s.buf[:n])}
	}
	return nil, false, &Error{Fault: RuntimeInternal, Detail: fmt.Sprintf("docker: output frame of kind %d", s.kind)}
}

// watch closes the connection when the program has ended and somebody it left behind holds its output open in silence.
func (s *dockerStream) watch() {
	var ended time.Time
	for {
		select {
		case <-s.life.Done():
			return
		case <-time.After(endInterval):
		}
		since := time.Unix(0, s.silent.Load())
		if since.UnixNano() == 0 || time.Since(since) < endInterval {
			continue
		}
		if ended.IsZero() {
			if running, _, err := s.state(s.life); err == nil && !running {
				ended = time.Now()
			}
			continue
		}
		if time.Since(ended) >= drainPatience && time.Since(since) >= drainPatience {
			s.Close()
			return
		}
	}
}

// state asks whether the program runs, and for its exit code if not.
func (s *dockerStream) state(ctx context.Context) (running bool, code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var answer struct {
		Running  bool
		ExitCode *int
	}
	if err := s.call(ctx, http.MethodGet, s.path+"/json", nil, &answer); err != nil {
		return false, -1, err
	}
	if answer.Running || answer.ExitCode == nil {
		return true, -1, nil
	}
	return false, *answer.ExitCode, nil
}

// exit waits a little for the code: the engine may close the output before it has noted the end.
func (s *dockerStream) exit() (int, error) {
	ctx := context.WithoutCancel(s.life)
	for giveUp := time.Now().Add(exitPatience); ; time.Sleep(killInterval) {
		running, code, err := s.state(ctx)
		if err != nil || !running {
			return code, err
		}
		if time.Now().After(giveUp) {
			return -1, &Error{Fault: RuntimeTimeout, Detail: "docker: the output has ended but not the program"}
		}
	}
}
