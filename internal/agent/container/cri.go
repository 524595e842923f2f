package container

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// cri speaks the Kubernetes Container Runtime Interface, see https://github.com/kubernetes/cri-api. Numbers of fields are those of its
// runtime/v1/api.proto, and the same in v1alpha2, which containerd spoke alone until 1.5.
type cri struct{ socket string }

// call asks the newest version of the service that the runtime has.
func (c cri) call(ctx context.Context, method string, request []byte) (answer []byte, err error) {
	for _, version := range []string{"v1", "v1alpha2"} {
		answer, err = invoke(ctx, c.socket, "/runtime."+version+".RuntimeService/"+method, request)
		if faultOf(err) != UnsupportedRuntime {
			break
		}
	}
	return answer, err
}

// stateName names the values of ContainerState.
func stateName(state uint64) string {
	switch state {
	case 0:
		return "created"
	case 1:
		return running
	case 2:
		return "exited"
	}
	return "unknown"
}

func (c cri) list(ctx context.Context, id string) ([]listed, error) {
	var request []byte
	if id != "" {
		filter := appendBytes(nil, 1, id)
		request = appendBytes(nil, 1, filter)
	}
	answer, err := c.call(ctx, "ListContainers", request)
	if err != nil {
		return nil, err
	}
	containers, err := fields(answer)
	if err != nil {
		return nil, broken("cri: ListContainers", err)
	}
	var list []listed
	for _, f := range containers {
		if f.number != 1 {
			continue
		}
		found, err := readContainer(f.data)
		if err != nil {
			return nil, broken("cri: ListContainers", err)
		}
		list = append(list, found)
	}
	return list, nil
}

// readContainer reads a Container message. Zero values are not sent.
func readContainer(b []byte) (listed, error) {
	parts, err := fields(b)
	if err != nil {
		return listed{}, err
	}
	c := listed{state: stateName(0)}
	for _, f := range parts {
		switch f.number {
		case 1:
			c.id = string(f.data)
		case 3: // ContainerMetadata
			metadata, err := fields(f.data)
			if err != nil {
				return listed{}, err
			}
			for _, m := range metadata {
				if m.number == 1 {
					c.names = []string{string(m.data)}
				}
			}
		case 6:
			c.state = stateName(f.value)
		}
	}
	return c, nil
}

// exec asks the runtime for the address of a connection to the program, and connects. The program starts then.
func (c cri) exec(ctx context.Context, id string, cmd command) (stream, error) {
	request := appendBytes(nil, 1, id)
	for _, arg := range cmd.argv {
		request = appendBytes(request, 2, arg)
	}
	for _, stdio := range []uint64{4, 5, 6} {
		request = appendBool(request, stdio)
	}
	answer, err := c.call(ctx, "Exec", request)
	if err != nil {
		return nil, err
	}
	parts, err := fields(answer)
	if err != nil {
		return nil, broken("cri: Exec", err)
	}
	for _, f := range parts {
		if f.number == 1 {
			ws, err := dialWebSocket(ctx, string(f.data), channelProtocol)
			if err != nil {
				return nil, err
			}
			return &criStream{webSocket: ws}, nil
		}
	}
	return nil, &Error{Fault: RuntimeInternal, Detail: "cri: Exec: no address"}
}

// channelProtocol is the oldest that tells the exit code, and the newest that runtimes speak themselves: in front of every message there
// is a byte for its channel.
const channelProtocol = "v4.channel.k8s.io"

const (
	stdinChannel  = 0
	stdoutChannel = 1
	stderrChannel = 2
	statusChannel = 3

	maxStatus = 64 << 10 // bytes of the message that ends a connection
)

// criStream is the connection of an exec.
type criStream struct {
	*webSocket
	channel byte
	inside  bool   // of a message whose channel is known
	status  []byte // complete when its message ended
	ended   bool
	buf     [pieceSize]byte
}

// Write sends standard input.
func (s *criStream) Write(p []byte) (int, error) {
	for n := 0; n < len(p); {
		piece := p[n:min(len(p), n+pieceSize)]
		if err := s.send(opBinary, append([]byte{stdinChannel}, piece...)); err != nil {
			return n, err
		}
		n += len(piece)
	}
	return len(p), nil
}

func (s *criStream) next() (data []byte, stderr bool, err error) {
	for !s.ended {
		data, last, err := s.read(s.buf[:])
		if err != nil {
			return nil, false, s.over(err)
		}
		if !s.inside && len(data) > 0 {
			s.channel, data, s.inside = data[0], data[1:], true
		}
		s.inside = s.inside && !last
		switch s.channel {
		case stdoutChannel, stderrChannel:
			if len(data) > 0 {
				return data, s.channel == stderrChannel, nil
			}
		case statusChannel:
			s.status = append(s.status, data...)
			s.ended = last && len(s.status) > 0
			if len(s.status) > maxStatus {
				return nil, false, &Error{Fault: RuntimeInternal, Detail: "cri: endless status"}
			}
		default:
			return nil, false, &Error{Fault: RuntimeInternal, Detail: fmt.Sprintf("cri: message on channel %d", s.channel)}
		}
	}
	return nil, false, io.EOF
}

// exit reads the status, which is a Kubernetes Status object.
func (s *criStream) exit() (int, error) {
	if !s.ended {
		return -1, &Error{Fault: RuntimeTimeout, Detail: "cri: no exit code"}
	}
	var status struct {
		Status, Message, Reason string
		Details                 struct {
			Causes []struct{ Reason, Message string }
		}
	}
	if err := json.Unmarshal(s.status, &status); err != nil {
		return -1, broken("cri: exit status", err)
	}
	if status.Status == "Success" {
		return 0, nil
	}
	for _, cause := range status.Details.Causes {
		if code, err := strconv.Atoi(cause.Message); err == nil && status.Reason == "NonZeroExitCode" && cause.Reason == "ExitCode" {
			return code, nil
		}
	}
	return -1, &Error{Fault: RuntimeInternal, Detail: "cri: " + status.Message}
}

// dialWebSocket connects to the address of a runtime's streaming server, which is one of this machine.
func dialWebSocket(ctx context.Context, address, protocol string) (*webSocket, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, broken("cri: address", err)
	}
	key := newKey()
	var accepted http.Header
	conn, err := hijack(ctx, func(ctx context.Context) (*http.Response, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
		if err != nil {
			return nil, broken("cri: address", err)
		}
		for name, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Version": "13",
			"Sec-Websocket-Key": key, "Sec-Websocket-Protocol": protocol,
		} {
			req.Header.Set(name, value)
		}
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			return nil, broken("cri: "+u.Host, err)
		}
		accepted = resp.Header
		return resp, nil
	})
	if err != nil {
		return nil, err
	}
	if accepted.Get("Sec-Websocket-Accept") != acceptKey(key) || accepted.Get("Sec-Websocket-Protocol") != protocol {
		conn.Close()
		return nil, &Error{Fault: RuntimeInternal, Detail: "cri: the streaming server does not speak " + protocol}
	}
	return newWebSocket(conn), nil
}
