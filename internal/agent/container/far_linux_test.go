package container

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// far is a machine's container runtime as seen from its socket: it really runs what it is asked to, as processes of this machine, and has
// real pipes, exit codes and signals. What it does not have is the walls around them.
type far struct {
	t      *testing.T
	socket string
	done   chan struct{} // closed with the test

	mu         sync.Mutex
	containers []farContainer
	execs      map[string]*farExec
	trouble    map[string]trouble // by part of a path
}

type farContainer struct{ id, name, state, kubeName, kubeType string }

// trouble is what a request meets in place of an answer.
type trouble struct {
	hang   bool
	status int
	text   string
}

// newFar starts a runtime with two running containers, one that has ended and one that is paused.
func newFar(t *testing.T) *far {
	t.Helper()
	f := &far{
		t: t, socket: filepath.Join(t.TempDir(), "s"), done: make(chan struct{}), execs: map[string]*farExec{}, trouble: map[string]trouble{},
		containers: []farContainer{
			{id: webID, name: "web", state: "running"},
			{id: otherID, name: "other", state: "running"},
			{id: endedID, name: "ended", state: "exited"},
			{id: pausedID, name: "paused", state: "paused"},
		},
	}
	t.Cleanup(func() { close(f.done) })
	return f
}

// serve answers on the socket.
func (f *far) serve(h http.Handler, setup func(*http.Server)) {
	f.t.Helper()
	l, err := net.Listen("unix", f.socket)
	if err != nil {
		f.t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !f.troubled(w, r) {
			h.ServeHTTP(w, r)
		}
	})}
	setup(server)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	f.t.Cleanup(func() {
		server.Close()
		serving.Wait()
	})
}

func (f *far) troubled(w http.ResponseWriter, r *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for part, what := range f.trouble {
		if !strings.Contains(r.URL.Path, part) {
			continue
		}
		if what.hang {
			f.mu.Unlock()
			select {
			case <-f.done:
			case <-r.Context().Done():
			}
			f.mu.Lock()
		} else {
			http.Error(w, what.text, what.status)
		}
		return true
	}
	return false
}

func (f *far) meet(part string, what trouble) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trouble[part] = what
}

func (f *far) find(id string) (farContainer, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.containers, func(c farContainer) bool { return c.id == id })
	if i < 0 {
		return farContainer{}, false
	}
	return f.containers[i], true
}

// farExec is a program that was asked for.
type farExec struct {
	argv          []string
	user, workDir string

	mu      sync.Mutex
	started bool
	pid     int
	code    *int
}

func (f *far) newExec(argv []string, user, workDir string) (id string, e *farExec) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id, e = rand.Text(), &farExec{argv: argv, user: user, workDir: workDir}
	f.execs[id] = e
	return id, e
}

func (f *far) exec(id string) *farExec {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.execs[id]
}

// run runs the program and returns its exit code when its output has ended, which leftovers of it may delay.
func (e *farExec) run(stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	cmd := exec.Command(e.argv[0], e.argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if e.user == "nobody" {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	cmd.Dir = e.workDir
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "CONTAINER=yes"}
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, outEnd, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	errOut, errEnd, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	cmd.Stdout, cmd.Stderr = outEnd, errEnd
	err = cmd.Start()
	outEnd.Close()
	errEnd.Close()
	if err != nil {
		e.end(127, 0)
		return 127, err
	}
	e.mu.Lock()
	e.started, e.pid = true, cmd.Process.Pid
	e.mu.Unlock()
	go func() { // ends with the connection
		_, _ = io.Copy(in, stdin)
		in.Close()
	}()
	var copies sync.WaitGroup
	copies.Go(func() { _, _ = io.Copy(stdout, out) })
	copies.Go(func() { _, _ = io.Copy(stderr, errOut) })
	state, err := cmd.Process.Wait()
	if err != nil {
		return 0, err
	}
	status := state.Sys().(syscall.WaitStatus)
	code := status.ExitStatus()
	if status.Signaled() {
		code = 128 + int(status.Signal())
	}
	e.end(code, cmd.Process.Pid)
	copies.Wait()
	out.Close()
	errOut.Close()
	return code, nil
}

func (e *farExec) end(code, pid int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.started, e.pid, e.code = true, pid, &code
}

// newDocker starts an engine that, like present ones, refuses the API versions of years ago.
func newDocker(t *testing.T) *far {
	t.Helper()
	f := newFar(t)
	refuse := func(w http.ResponseWriter, status int, format string, args ...any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": fmt.Sprintf(format, args...)})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_ping", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.52")
		fmt.Fprint(w, "OK")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusBadRequest, "client version of %s is too old", r.URL.Path)
	})
	mux.HandleFunc("GET /v1.52/containers/json", f.dockerList)
	mux.HandleFunc("POST /v1.52/containers/{id}/exec", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			AttachStdin, AttachStdout, AttachStderr bool
			Cmd                                     []string
			User, WorkingDir                        string
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || !body.AttachStdin || !body.AttachStdout || !body.AttachStderr {
			refuse(w, http.StatusBadRequest, "bad exec: %v", err)
			return
		}
		c, ok := f.find(r.PathValue("id"))
		if !ok {
			refuse(w, http.StatusNotFound, "No such container: %s", r.PathValue("id"))
			return
		}
		if c.state != "running" {
			refuse(w, http.StatusConflict, "Container %s is %s", c.id, c.state)
			return
		}
		id, _ := f.newExec(body.Cmd, body.User, body.WorkingDir)
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]string{"Id": id})
	})
	mux.HandleFunc("POST /v1.52/exec/{id}/start", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "tcp" {
			refuse(w, http.StatusBadRequest, "no upgrade")
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		f.dockerStart(w, f.exec(r.PathValue("id")))
	})
	mux.HandleFunc("GET /v1.52/exec/{id}/json", func(w http.ResponseWriter, r *http.Request) {
		e := f.exec(r.PathValue("id"))
		e.mu.Lock()
		defer e.mu.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]any{"Running": e.started && e.code == nil, "ExitCode": e.code, "Pid": e.pid})
	})
	f.serve(mux, func(*http.Server) {})
	return f
}

func (f *far) dockerList(w http.ResponseWriter, r *http.Request) {
	var filters struct{ ID []string }
	if text := r.URL.Query().Get("filters"); text != "" {
		if err := json.Unmarshal([]byte(text), &filters); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []map[string]any{}
	for _, c := range f.containers {
		if len(filters.ID) > 0 && !slices.Contains(filters.ID, c.id) || r.URL.Query().Get("all") != "1" && c.state != "running" {
			continue
		}
		labels := map[string]string{}
		if c.kubeName != "" {
			labels["io.kubernetes.container.name"] = c.kubeName
			labels["io.kubernetes.docker.type"] = c.kubeType
		}
		list = append(list, map[string]any{"Id": c.id, "Names": []string{"/" + c.name}, "State": c.state, "Labels": labels})
	}
	_ = json.NewEncoder(w).Encode(list)
}

func (f *far) dockerStart(w http.ResponseWriter, e *farExec) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		f.t.Error(err)
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	stderr := &frames{conn, stderrFrame, &sync.Mutex{}}
	stdout := &frames{conn, stdoutFrame, stderr.mu}
	if _, err := e.run(rw, stdout, stderr); err != nil {
		fmt.Fprintf(stdout, "OCI runtime exec failed: %v\r\n", err)
	}
}

// frames is one of the two streams of an exec in Docker's framing.
type frames struct {
	w    io.Writer
	kind byte
	mu   *sync.Mutex
}

func (f *frames) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	frame := binary.BigEndian.AppendUint32([]byte{f.kind, 0, 0, 0}, uint32(len(p)))
	if _, err := f.w.Write(append(frame, p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// newCRI starts a runtime that speaks gRPC on its socket, and WebSocket on a port of the loopback as containerd and CRI-O do.
func newCRI(t *testing.T, service string) *far {
	t.Helper()
	f := newFar(t)
	streaming := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !f.troubled(w, r) {
			f.criStart(w, r)
		}
	}))
	t.Cleanup(streaming.Close)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", func(w http.ResponseWriter, _ *http.Request) { answerGRPC(w, nil, 12, "unknown service") })
	mux.HandleFunc("POST /runtime."+service+".RuntimeService/ListContainers", func(w http.ResponseWriter, r *http.Request) {
		answerGRPC(w, f.criList(r), 0, "")
	})
	mux.HandleFunc("POST /runtime."+service+".RuntimeService/Exec", func(w http.ResponseWriter, r *http.Request) {
		var argv []string
		var c farContainer
		stdio := map[uint64]bool{}
		for _, field := range requestGRPC(r) {
			switch field.number {
			case 1:
				c, _ = f.find(string(field.data))
			case 2:
				argv = append(argv, string(field.data))
			default:
				stdio[field.number] = field.value == 1
			}
		}
		switch {
		case c.id == "":
			answerGRPC(w, nil, 5, "container not found: no such thing")
		case c.state != "running":
			answerGRPC(w, nil, 2, "container is in CONTAINER_EXITED state")
		case len(stdio) != 3 || !stdio[4] || !stdio[5] || !stdio[6]:
			answerGRPC(w, nil, 3, "stdin, stdout and stderr are wanted, and no terminal")
		default:
			id, _ := f.newExec(argv, "", "")
			answerGRPC(w, appendBytes(nil, 1, streaming.URL+"/exec/"+id), 0, "")
		}
	})
	f.serve(mux, func(s *http.Server) {
		s.Protocols = new(http.Protocols)
		s.Protocols.SetUnencryptedHTTP2(true)
	})
	return f
}

func (f *far) criList(r *http.Request) (answer []byte) {
	var id string
	for _, field := range requestGRPC(r) {
		if filter, err := fields(field.data); err == nil && field.number == 1 {
			for _, part := range filter {
				id = string(part.data)
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	states := map[string]byte{"created": 0, "running": 1, "exited": 2, "paused": 3}
	for _, c := range f.containers {
		if id != "" && c.id != id {
			continue
		}
		m := appendBytes(nil, 1, c.id)
		m = appendBytes(m, 2, "sandbox")
		m = appendBytes(m, 3, append(appendBytes(nil, 1, c.name), 2<<3, 7)) // ContainerMetadata with attempt 7
		m = append(m, 6<<3, states[c.state])
		m = append(m, 7<<3|1, 1, 2, 3, 4, 5, 6, 7, 8) // of a width that is to be skipped
		answer = appendBytes(answer, 1, m)
	}
	return answer
}

func requestGRPC(r *http.Request) []field {
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) < 5 || r.ProtoMajor != 2 || r.Header.Get("Content-Type") != "application/grpc" || r.Header.Get("Te") != "trailers" {
		return nil
	}
	list, err := fields(body[5:])
	if err != nil {
		return nil
	}
	return list
}

func answerGRPC(w http.ResponseWriter, message []byte, code int, text string) {
	w.Header().Set("Content-Type", "application/grpc")
	if code != 0 { // an answer of trailers alone
		w.Header().Set("Grpc-Status", fmt.Sprint(code))
		w.Header().Set("Grpc-Message", strings.ReplaceAll(text, ":", "%3A"))
		return
	}
	w.Header().Set("Trailer", "Grpc-Status")
	_, _ = w.Write(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...))
	w.Header().Set("Grpc-Status", "0")
}

func (f *far) criStart(w http.ResponseWriter, r *http.Request) {
	e := f.exec(strings.TrimPrefix(r.URL.Path, "/exec/"))
	if e == nil || r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Sec-Websocket-Protocol") != "v4.channel.k8s.io" {
		http.Error(w, "no such exec", http.StatusNotFound)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		f.t.Error(err)
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"+
		"Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n", acceptKey(r.Header.Get("Sec-Websocket-Key")))
	s := &farSocket{r: rw.Reader, w: conn, pongs: make(chan string, 1)}
	s.message(1, nil) // says that the connection stands
	s.frame(finalBit|opPing, []byte("are you there?"))
	in, inEnd := io.Pipe()
	go s.receive(inEnd)
	code, err := e.run(in, channel{s, 1}, channel{s, 2})
	in.Close()
	status := map[string]any{"metadata": map[string]any{}, "status": "Success"}
	switch {
	case err != nil:
		status = map[string]any{"status": "Failure", "reason": "InternalError", "message": "Internal error occurred: " + err.Error()}
	case code != 0:
		status = map[string]any{
			"status": "Failure", "reason": "NonZeroExitCode", "message": fmt.Sprintf("command terminated with non-zero exit code: %d", code),
			"details": map[string]any{"causes": []map[string]string{{"reason": "ExitCode", "message": fmt.Sprint(code)}}},
		}
	}
	text, _ := json.Marshal(status)
	s.message(3, text)
	if got, alive := <-s.pongs; alive && got != "are you there?" {
		f.t.Errorf("pong %q", got)
	}
}

// farSocket is the server's side of a WebSocket.
type farSocket struct {
	r     *bufio.Reader
	w     io.Writer
	mu    sync.Mutex
	pongs chan string
}

func (s *farSocket) frame(first byte, payload []byte) {
	frame := []byte{first}
	switch n := len(payload); {
	case n < 126:
		frame = append(frame, byte(n))
	case n < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 127), uint64(n))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.w.Write(append(frame, payload...))
}

// message sends a long message in two frames.
func (s *farSocket) message(ch byte, p []byte) {
	p = append([]byte{ch}, p...)
	if len(p) < 1000 {
		s.frame(finalBit|opBinary, p)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var b bytes.Buffer
	parts := farSocket{w: &b}
	parts.frame(opBinary, p[:500])
	parts.frame(opContinuation, nil) // an empty one is allowed
	parts.frame(finalBit|opContinuation, p[500:])
	_, _ = s.w.Write(b.Bytes())
}

// receive passes standard input on until the connection ends.
func (s *farSocket) receive(stdin *io.PipeWriter) {
	defer close(s.pongs)
	for {
		var header [2]byte
		if _, err := io.ReadFull(s.r, header[:]); err != nil {
			stdin.CloseWithError(io.EOF)
			return
		}
		size := uint64(header[1] &^ maskedBit)
		var long [8]byte
		switch size {
		case 126:
			_, _ = io.ReadFull(s.r, long[6:])
			size = binary.BigEndian.Uint64(long[:])
		case 127:
			_, _ = io.ReadFull(s.r, long[:])
			size = binary.BigEndian.Uint64(long[:])
		}
		payload := make([]byte, 4+size) // the mask first
		if _, err := io.ReadFull(s.r, payload); err != nil || header[1]&maskedBit == 0 {
			stdin.CloseWithError(errors.Join(io.EOF, err))
			return
		}
		for i := range payload[4:] {
			payload[4+i] ^= payload[i%4]
		}
		switch header[0] & 0x0f {
		case opBinary:
			_, _ = stdin.Write(payload[5:]) // after the channel
		case opPong:
			s.pongs <- string(payload[4:])
		}
	}
}

// channel is one output stream of a WebSocket.
type channel struct {
	s  *farSocket
	ch byte
}

func (c channel) Write(p []byte) (int, error) {
	c.s.message(c.ch, p)
	return len(p), nil
}
