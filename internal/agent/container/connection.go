package container

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
)

// connection is what an HTTP request with an Upgrade has become.
type connection struct {
	io.ReadWriteCloser
	life   context.Context // ends when the connection is closed from here
	cancel context.CancelFunc
	closed atomic.Bool
}

// hijack makes a request that becomes a connection. The context bounds the request alone.
func hijack(ctx context.Context, request func(context.Context) (*http.Response, error)) (*connection, error) {
	c := &connection{}
	c.life, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, c.cancel)
	resp, err := request(c.life)
	inTime := stop()
	if err == nil {
		var ok bool
		c.ReadWriteCloser, ok = resp.Body.(io.ReadWriteCloser)
		if ok && inTime && resp.StatusCode == http.StatusSwitchingProtocols {
			return c, nil
		}
		resp.Body.Close()
		err = &Error{Fault: RuntimeInternal, Detail: fmt.Sprintf("%s in place of a connection", resp.Status)}
	}
	c.cancel()
	if !inTime {
		err = broken("start", ctx.Err())
	}
	return nil, err
}

// Close ends the connection and whoever waits for data from it.
func (c *connection) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.cancel()
	return c.ReadWriteCloser.Close()
}

// over turns the error of a connection that was closed from here into the end of the data.
func (c *connection) over(err error) error {
	if err != nil && c.closed.Load() {
		return io.EOF
	}
	return err
}
