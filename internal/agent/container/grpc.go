package container

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// Status codes of gRPC that mean something here, see https://grpc.github.io/grpc/core/md_doc_statuscodes.html.
const (
	grpcOK               = 0
	grpcDeadlineExceeded = 4
	grpcNotFound         = 5
	grpcFailedState      = 9 // FAILED_PRECONDITION
	grpcUnimplemented    = 12
	grpcUnavailable      = 14
)

// grpcPrefix stands before a message: a byte that says whether it is compressed, and its length.
const grpcPrefix = 5

// invoke makes a gRPC call with one message each way, over HTTP/2 without encryption.
func invoke(ctx context.Context, socket, method string, request []byte) ([]byte, error) {
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(request)))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+method, bytes.NewReader(append(frame, request...)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	transport := &http.Transport{DialContext: dialUnix(socket), Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, broken("cri", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return nil, broken("cri", err)
	}
	if err := grpcError(resp); err != nil {
		return nil, err
	}
	if len(body) < grpcPrefix || body[0] != 0 || int(binary.BigEndian.Uint32(body[1:])) != len(body)-grpcPrefix {
		return nil, &Error{Fault: RuntimeInternal, Detail: "cri: malformed answer to " + method}
	}
	return body[grpcPrefix:], nil
}

// grpcError reads the status, which stands behind the body, or in the header of an answer that has none.
func grpcError(resp *http.Response) error {
	status, message := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
	if status == "" {
		status, message = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")
	}
	code, err := strconv.Atoi(status)
	if err != nil {
		return &Error{Fault: RuntimeInternal, Detail: fmt.Sprintf("cri: %s without gRPC status", resp.Status)}
	}
	if text, err := url.PathUnescape(message); err == nil {
		message = text
	}
	e := &Error{Fault: RuntimeInternal, Detail: fmt.Sprintf("cri: code %d: %s", code, message)}
	switch code {
	case grpcOK:
		return nil
	case grpcDeadlineExceeded:
		e.Fault = RuntimeTimeout
	case grpcNotFound:
		e.Fault = NotFound
	case grpcFailedState:
		e.Fault = StateAbnormal
	case grpcUnimplemented:
		e.Fault = UnsupportedRuntime
	case grpcUnavailable:
		e.Fault = ConnectFailed
	}
	return e
}
