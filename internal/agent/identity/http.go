package identity

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"errand/internal/protocol"
)

// RefusedError is the server's final word.
type RefusedError struct {
	Status int
	Reason protocol.ProblemReason
	Detail string
}

// Error returns the server's explanation.
func (e *RefusedError) Error() string {
	switch {
	case e.Detail != "":
		return "refused: " + e.Detail
	case e.Reason != "":
		return "refused: " + string(e.Reason)
	}
	return "refused: " + strconv.Itoa(e.Status) + " " + http.StatusText(e.Status)
}

// BusyError is trouble of the server's that may pass.
type BusyError struct {
	Status int
	Detail string
	After  time.Duration // how long the server asks us to wait; zero leaves the pace to us
}

// Error says what the server answered.
func (e *BusyError) Error() string {
	return strings.TrimSpace("the server answers " + strconv.Itoa(e.Status) + " " + http.StatusText(e.Status) + " " + e.Detail)
}

const (
	maxAskedFor = 5 * time.Minute // that a server may ask us to wait
	maxProblem  = 64 << 10
)

// Refused reports whether an error is the server's final word, so that asking again is pointless.
func Refused(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused)
}

// AskedToWait is how long the server wants us to wait before we ask again, within reason; zero if it did not say.
func AskedToWait(err error) time.Duration {
	var busy *BusyError
	if errors.As(err, &busy) {
		return max(0, min(busy.After, maxAskedFor))
	}
	return 0
}

// problem tells a refusal from trouble that may pass.
func problem(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err != nil {
		return err
	}
	var p protocol.Problem
	if json.Unmarshal(body, &p) != nil {
		p = protocol.Problem{}
	}
	switch s := resp.StatusCode; {
	case s >= 500, s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // absent, or a date: then our own pace
		return &BusyError{Status: s, Detail: p.Detail, After: time.Duration(seconds) * time.Second}
	case s >= 300 && s < 400:
		return &RefusedError{Status: s, Detail: "the server sends us to " + strings.TrimSpace(resp.Header.Get("Location"))}
	default:
		return &RefusedError{Status: s, Reason: p.Reason, Detail: p.Detail}
	}
}
