package native

import (
	"context"
	"time"

	"errand/internal/core"
)

type createRegistration struct {
	Description string `json:"description"`
	Limit       int    `json:"limit"`
	Hours       int    `json:"hours"` // validity; 4 if left out
}

// Registration is a registration code with its secret, which is shown only once.
type Registration struct {
	ID        string    `json:"id"`
	Code      string    `json:"code"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (d *Dialect) createRegistration(ctx context.Context, c core.Caller, req *createRegistration) (*Registration, error) {
	if req.Limit < 0 || req.Hours < 0 || req.Hours > 24*365 {
		return nil, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonInvalidValue, Detail: "limit and hours must not be negative, hours at most a year"}
	}
	if req.Limit == 0 {
		req.Limit = 1
	}
	if req.Hours == 0 {
		req.Hours = 4
	}
	code, secret, err := d.env.Service.CreateRegistration(ctx, c, core.RegistrationSpec{
		Description: req.Description, Limit: req.Limit, Validity: time.Duration(req.Hours) * time.Hour,
	})
	if err != nil {
		return nil, err
	}
	return &Registration{ID: code.ID.String(), Code: secret, ExpiresAt: code.ExpiresAt}, nil
}
