package alibaba

import (
	"fmt"
	"testing"

	"errand/internal/api"
	"errand/internal/api/sign"
	"errand/internal/core"
)

// TestAnswers covers what a caller cannot provoke here: temporary keys are not issued, and plain HTTP is no offence to these schemes.
func TestAnswers(t *testing.T) {
	t.Parallel()
	g := &Gateway{Refusal: func(string, *core.Error) Answer { return Throttled }}
	for _, c := range []struct {
		err     error
		status  int
		code    string
		message string
	}{
		{&api.TokenError{Missing: true}, 400, "MissingSecurityToken", "SecurityToken is mandatory for this action."},
		{&api.TokenError{}, 400, "InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken mismatch with the AccessKey."},
		{&sign.Error{Kind: sign.Insecure}, 404, "InvalidProtocol.NeedSsl", "Your request is denied as lack of ssl protect."},
		{fmt.Errorf("reading: %w", api.ErrBodyTooLarge), 413, "RequestBodyTooLarge", "The request body exceeds the limit of 1 MB."},
		{&core.Error{Reason: core.ReasonThrottled}, 400, "Throttling.User", "Request was denied due to user flow control."},
	} {
		if a := g.answer("Echo", c.err); a.Status != c.status || a.Code != c.code || a.Message != c.message {
			t.Errorf("%v: %+v, want %d %s", c.err, a, c.status, c.code)
		}
	}
}
