package container

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseID(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("0af9", 16)
	for text, want := range map[string][2]string{
		id: {"", id}, strings.ToUpper(id): {"", id},
		"docker://" + id: {Docker, id}, "containerd://" + id: {Containerd, id}, "cri-o://" + id: {CRIO, id},
	} {
		runtime, got, err := ParseID(text)
		if err != nil || runtime != want[0] || got != want[1] {
			t.Errorf("ParseID(%q) = %q, %q, %v", text, runtime, got, err)
		}
	}
	for text, want := range map[string]Fault{
		"": InvalidContainerId, id[1:]: InvalidContainerId, id + "0": InvalidContainerId, "g" + id[1:]: InvalidContainerId,
		" " + id: InvalidContainerId, "docker://": InvalidContainerId, "docker:" + id: InvalidContainerId, "docker://docker://" + id: InvalidContainerId,
		"rkt://" + id: UnsupportedRuntime, "://" + id: UnsupportedRuntime, "Docker://" + id: UnsupportedRuntime, "crio://" + id: UnsupportedRuntime,
	} {
		if _, _, err := ParseID(text); faultOf(err) != want {
			t.Errorf("ParseID(%q): %v, want %s", text, err, want)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("docker://" + strings.Repeat("0", 64))
	f.Fuzz(func(t *testing.T, text string) {
		runtime, id, err := ParseID(text)
		if err == nil && (len(id) != 64 || !strings.HasSuffix(strings.ToLower(text), id) || runtime != strings.TrimSuffix(text[:len(text)-64], "://")) {
			t.Errorf("ParseID(%q) = %q, %q", text, runtime, id)
		}
	})
}

func TestValidName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"web": true, "k8s_app_pod-1_default_0": true, "a.b-c_d": true, "9": true, strings.Repeat("n", 255): true,
		"-a": false, ".a": false, "_a": false, "a/b": false, "/a": false, "a b": false, "a\x00": false, "ä": false, strings.Repeat("n", 256): false,
	} {
		if got := validName(name); got != want {
			t.Errorf("validName(%q) = %t", name, got)
		}
	}
}

func TestScriptWithNUL(t *testing.T) {
	t.Parallel()
	if _, err := (Target{}).Start(t.Context(), Exec{Script: []byte("echo \x00")}); err == nil || faultOf(err) != noFault {
		t.Errorf("error %v", err)
	}
}

func TestProtobuf(t *testing.T) {
	t.Parallel()
	b := appendBool(appendBytes(appendBytes(nil, 1, "id"), 2, []byte{0}), 16)
	if diff := cmp.Diff([]byte{0x0a, 2, 'i', 'd', 0x12, 1, 0, 0x80, 0x01, 1}, b); diff != "" {
		t.Error(diff)
	}
	b = append(b, 3<<3|wireFixed64, 1, 2, 3, 4, 5, 6, 7, 8, 4<<3|wireFixed32, 1, 2, 3, 4, 5<<3|wireVarint, 0x96, 0x01)
	got, err := fields(b)
	want := []field{{number: 1, data: []byte("id")}, {number: 2, data: []byte{0}}, {number: 16, value: 1}, {number: 5, value: 150}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(field{})); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, bad := range [][]byte{
		{0x80}, {0x0a}, {0x0a, 2, 'i'}, {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, {0x08}, {0x08, 0x80}, {0x19, 1}, {0x1d, 1}, {0x0b}, {0x0f},
	} {
		if _, err := fields(bad); err == nil {
			t.Errorf("fields(%x) is fine", bad)
		}
	}
}

func FuzzProtobuf(f *testing.F) {
	f.Add([]byte{0x0a, 2, 'i', 'd', 0x80, 0x01, 1, 0x19, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := fields(b)
		total := 0
		for _, field := range list {
			total += len(field.data)
		}
		if err == nil && total > len(b) {
			t.Errorf("%d bytes out of %d", total, len(b))
		}
		_, _ = readContainer(b)
	})
}

func TestGRPCStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]Fault{
		"0": noFault, "2": RuntimeInternal, "4": RuntimeTimeout, "5": NotFound, "9": StateAbnormal, "12": UnsupportedRuntime, "14": ConnectFailed,
		"": RuntimeInternal, "x": RuntimeInternal,
	} {
		trailer := http.Header{"Grpc-Status": {status}, "Grpc-Message": {"100%25 sick%"}}
		if err := grpcError(&http.Response{Trailer: trailer, Header: http.Header{}}); faultOf(err) != want {
			t.Errorf("status %q: %v", status, err)
		}
	}
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		`{"status":"Success"}`: 0,
		`{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"other","message":"1"},{"reason":"ExitCode","message":"42"}]}}`: 42,
		`{"status":"Failure","reason":"InternalError","message":"sick"}`:                                                                               -1,
		`{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"many"}]}}`:                                -1,
		`not JSON`: -1,
	} {
		s := criStream{status: []byte(text), ended: true}
		if code, err := s.exit(); code != want || (err != nil) != (want < 0) || err != nil && faultOf(err) != RuntimeInternal {
			t.Errorf("%s: %d, %v", text, code, err)
		}
	}
}

// TestAcceptKey is the example of RFC 6455, section 1.3.
func TestAcceptKey(t *testing.T) {
	t.Parallel()
	if got := acceptKey("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("accept key %q", got)
	}
}

func TestWebSocketFrames(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte{'x'}, 70_000)
	wide := append(binary.BigEndian.AppendUint64([]byte{0x82, 127}, uint64(len(long)+1)), stdoutChannel)
	for name, c := range map[string]struct {
		in   []byte
		out  string
		sent int // bytes of answers
		err  error
	}{
		"message":           {[]byte{0x82, 3, stdoutChannel, 'h', 'i'}, "hi", 0, io.ErrUnexpectedEOF},
		"fragments":         {[]byte{0x02, 2, stdoutChannel, 'h', 0x00, 0, 0x80, 1, 'i'}, "hi", 0, io.ErrUnexpectedEOF},
		"ping between":      {[]byte{0x02, 2, stdoutChannel, 'h', 0x89, 1, '?', 0x80, 1, 'i'}, "hi", 7, io.ErrUnexpectedEOF},
		"pong":              {[]byte{0x8a, 0, 0x82, 2, stdoutChannel, 'x'}, "x", 0, io.ErrUnexpectedEOF},
		"goodbye":           {[]byte{0x88, 2, 0x03, 0xe8, 0x82, 1, 9}, "", 8, io.EOF},
		"length of 16 bits": {append([]byte{0x82, 126, 0, 200, stdoutChannel}, long[:199]...), string(long[:199]), 0, io.ErrUnexpectedEOF},
		"length of 64 bits": {append(wide, long...), string(long), 0, io.ErrUnexpectedEOF},
		"status":            {append([]byte{0x82, 21, statusChannel}, `{"status":"Success"}`...), "", 0, io.EOF},
		"cut header":        {[]byte{0x82}, "", 0, io.ErrUnexpectedEOF},
		"cut length":        {[]byte{0x82, 126, 0}, "", 0, io.ErrUnexpectedEOF},
		"masked":            {[]byte{0x82, 0x81, 1, 2, 3, 4, 5}, "", 0, errWebSocket},
		"extension":         {[]byte{0xc2, 1, 1}, "", 0, errWebSocket},
		"unknown data":      {[]byte{0x83, 1, 1}, "", 0, errWebSocket},
		"unknown control":   {[]byte{0x8b, 0}, "", 0, errWebSocket},
		"long control":      {[]byte{0x89, 126, 0, 200}, "", 0, errWebSocket},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := &script{Reader: bytes.NewReader(c.in)}
			s := &criStream{webSocket: newWebSocket(&connection{ReadWriteCloser: conn})}
			var out bytes.Buffer
			if _, err := drain(s, &out, nil); !errors.Is(err, c.err) {
				t.Errorf("error %v, want %v", err, c.err)
			}
			if out.String() != c.out || conn.sent != c.sent {
				t.Errorf("output %.100q, sent %d bytes", out.String(), conn.sent)
			}
		})
	}
}

func FuzzStreams(f *testing.F) {
	f.Add([]byte{0x02, 2, stdoutChannel, 'h', 0x89, 1, '?', 0x80, 1, 'i'})
	f.Add([]byte{stdoutFrame, 0, 0, 0, 0, 0, 0, 2, 'h', 'i', stderrFrame, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range []stream{
			&criStream{webSocket: newWebSocket(&connection{ReadWriteCloser: &script{Reader: bytes.NewReader(b)}})},
			&dockerStream{connection: &connection{ReadWriteCloser: &script{Reader: bytes.NewReader(b)}}},
		} {
			var out bytes.Buffer
			if _, err := drain(s, &out, &out); err == nil || out.Len() > len(b) {
				t.Errorf("%d bytes out of %d, %v", out.Len(), len(b), err)
			}
		}
	})
}

func TestDockerFrames(t *testing.T) {
	t.Parallel()
	hi := []byte{stdoutFrame, 0, 0, 0, 0, 0, 0, 2, 'h', 'i'}
	for name, c := range map[string]struct {
		in  []byte
		out string
		err string
	}{
		"whole":       {append(hi, stdoutFrame, 0, 0, 0, 0, 0, 0, 0), "hi", "EOF"},
		"cut":         {hi[:9], "h", "unexpected EOF"},
		"cut header":  {hi[:5], "", "unexpected EOF"},
		"trouble":     {append([]byte{systemFrame, 0, 0, 0, 0, 0, 0, 4}, "sick"...), "", `ContainerRuntimeInternalError: docker: "sick"`},
		"nonsense":    {[]byte{9, 0, 0, 0, 0, 0, 0, 1, 'x'}, "", "ContainerRuntimeInternalError: docker: output frame of kind 9"},
		"error after": {append(hi, 9, 0, 0, 0, 0, 0, 0, 1, 'x'), "hi", "ContainerRuntimeInternalError: docker: output frame of kind 9"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &dockerStream{connection: &connection{ReadWriteCloser: &script{Reader: bytes.NewReader(c.in)}}}
			var out bytes.Buffer
			_, err := drain(s, &out, nil)
			if diff := cmp.Diff([]string{c.out, c.err}, []string{out.String(), err.Error()}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// script is a connection whose other side says what is written down, and notes how much it is told.
type script struct {
	io.Reader
	sent int
}

func (s *script) Write(p []byte) (int, error) {
	s.sent += len(p)
	return len(p), nil
}

func (s *script) Close() error { return nil }
