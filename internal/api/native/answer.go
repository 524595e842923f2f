package native

import (
	"errors"
	"io"
	"net/http"
	"time"

	"errand/internal/api"
)

// answer is an answer that writes itself, because it is no JSON or takes long.
type answer interface {
	write(w http.ResponseWriter, r *api.Request)
}

// writeWithin is how long a caller may take to accept a piece of a long answer, before its connection is given up.
const writeWithin = 30 * time.Second

// slowly returns a writer for an answer that takes longer than others may: the connection's deadlines are moved on with each piece.
func slowly(w http.ResponseWriter) io.Writer {
	return &slowWriter{w: w, control: http.NewResponseController(w)}
}

type slowWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (s *slowWriter) Write(b []byte) (int, error) {
	// The request has been read, so nothing is waited for any more but that the caller takes the answer.
	now := time.Now()
	err := errors.Join(s.control.SetReadDeadline(time.Time{}), s.control.SetWriteDeadline(now.Add(writeWithin)))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return s.w.Write(b)
}
