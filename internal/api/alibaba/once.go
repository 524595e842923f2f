package alibaba

import (
	"context"
	"encoding/json"

	"errand/internal/core"
)

// Once carries out a call that may have a ClientToken: with the same token, the same call is answered as the first time and has no second
// effect. action is what the token is good for, with the product before it; hash is the Envelope's.
func Once[Resp any](
	ctx context.Context, s *core.Service, c core.Caller, action, token, hash string, do func(ctx context.Context) (*Resp, error),
) (*Resp, error) {
	if err := CheckToken(token); err != nil {
		return nil, err
	}
	answer, err := s.Once(ctx, c, action, token, hash, func(ctx context.Context) ([]byte, error) {
		resp, err := do(ctx)
		if err != nil {
			return nil, err
		}
		return json.Marshal(resp)
	})
	if err != nil {
		return nil, err
	}
	resp := new(Resp)
	return resp, json.Unmarshal(answer, resp)
}
