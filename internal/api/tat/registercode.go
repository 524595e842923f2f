package tat

import (
	"context"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"errand/internal/core"
)

// The vendor's limits on register codes.
// https://www.tencentcloud.com/document/product/1147/78101
const (
	maxCodeText      = 128   // characters of a description
	maxNamePrefix    = 32    // characters
	maxRegistrations = 10000 // instances with one code
	maxDeleted       = 99    // codes in one call
	unlimitedHours   = 99999 // beyond this a code does not expire
	defaultJoins     = 10
	defaultHours     = 4
)

func (d *Dialect) createRegisterCode(
	ctx context.Context, c core.Caller, req *createRegisterCodeRequest,
) (*createRegisterCodeResponse, error) {
	spec := core.RegistrationSpec{
		Region: req.region, NamePrefix: req.InstanceNamePrefix, Description: req.Description, Limit: defaultJoins,
		Validity: defaultHours * time.Hour,
	}
	switch {
	case utf8.RuneCountInString(req.Description) > maxCodeText:
		return nil, refuse(codeTooLong, "Description", "more than %d characters", maxCodeText)
	case utf8.RuneCountInString(req.InstanceNamePrefix) > maxNamePrefix:
		return nil, refuse(codeTooLong, "InstanceNamePrefix", "more than %d characters", maxNamePrefix)
	}
	if n := req.RegisterLimit; n != nil {
		switch {
		case *n < 1:
			return nil, refuse(codeTooSmall, "RegisterLimit", "%d is less than 1", *n)
		case *n > maxRegistrations:
			return nil, refuse(codeTooLarge, "RegisterLimit", "%d is more than %d", *n, maxRegistrations)
		}
		spec.Limit = int(*n)
	}
	if hours := req.EffectiveTime; hours != nil {
		switch {
		case *hours < 1:
			return nil, refuse(codeTooSmall, "EffectiveTime", "%d is less than 1", *hours)
		case *hours > unlimitedHours:
			spec.Validity = 0
		default:
			spec.Validity = time.Duration(*hours) * time.Hour
		}
	}
	if req.IpAddressRange != "" {
		network, err := parseNetwork(req.IpAddressRange)
		if err != nil {
			return nil, err
		}
		spec.Networks = []netip.Prefix{network}
	}
	code, secret, err := d.env.Service.CreateRegistration(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	return &createRegisterCodeResponse{RegisterCodeId: code.ID.UUID(), RegisterCodeValue: secret}, nil
}

// parseNetwork reads an IPv4 address or network.
func parseNetwork(s string) (netip.Prefix, error) {
	text := s
	if !strings.Contains(s, "/") {
		text += "/32"
	}
	network, err := netip.ParsePrefix(text)
	if err != nil || !network.Addr().Is4() {
		return netip.Prefix{}, refuse(codeInvalidParameter, "IpAddressRange", "%.64q is no IPv4 address or network", s)
	}
	return network.Masked(), nil
}

func showNetwork(networks []netip.Prefix) string {
	texts := make([]string, len(networks))
	for i, n := range networks {
		texts[i] = n.String()
		if n.IsSingleIP() {
			texts[i] = n.Addr().String()
		}
	}
	return strings.Join(texts, ",")
}

// disableRegisterCodes lets no further machine join with these codes. All or none, as with commands; to disable again is no mistake.
func (d *Dialect) disableRegisterCodes(ctx context.Context, c core.Caller, req *registerCodesRequest) (*emptyResponse, error) {
	ids, err := req.named(maxIDs)
	if err != nil {
		return nil, err
	}
	if _, err := d.env.Service.DisableRegistrations(ctx, c, ids); err != nil {
		return nil, err
	}
	return &emptyResponse{}, nil
}

// deleteRegisterCodes deletes codes, all or none. The machines that joined with them stay.
func (d *Dialect) deleteRegisterCodes(ctx context.Context, c core.Caller, req *registerCodesRequest) (*emptyResponse, error) {
	ids, err := req.named(maxDeleted)
	if err != nil {
		return nil, err
	}
	if _, err := d.env.Service.DeleteRegistrations(ctx, c, ids, false); err != nil {
		return nil, err
	}
	return &emptyResponse{}, nil
}

// named reads the codes that an action is about. The vendor refuses one that is named twice.
func (req *registerCodesRequest) named(most int) ([]core.ID, error) {
	const field = "RegisterCodeIds"
	switch {
	case len(req.RegisterCodeIds) == 0:
		return nil, missing(field)
	case len(req.RegisterCodeIds) > most:
		return nil, refuse(codeTooLong, field, "more than %d", most)
	}
	ids, err := registerCodeIDs(req.RegisterCodeIds, field)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(ids))
	for _, s := range req.RegisterCodeIds {
		s = strings.ToLower(s)
		if seen[s] {
			return nil, refuse(codeKeyDuplicated, field, "%s twice", s)
		}
		seen[s] = true
	}
	return ids, nil
}

func (d *Dialect) describeRegisterCodes(
	ctx context.Context, c core.Caller, req *describeRegisterCodesRequest,
) (*describeRegisterCodesResponse, error) {
	if len(req.RegisterCodeIds) > maxIDs {
		return nil, refuse(codeTooLong, "RegisterCodeIds", "more than %d", maxIDs)
	}
	spec, err := page(req.Limit, req.Offset)
	if err != nil {
		return nil, err
	}
	var f core.RegistrationFilter
	if len(req.RegisterCodeIds) > 0 {
		if f.IDs, err = registerCodeIDs(req.RegisterCodeIds, "RegisterCodeIds"); err != nil {
			return nil, err
		}
	}
	rows, info, err := d.env.Service.Registrations(ctx, c, f, spec)
	if err != nil {
		return nil, err
	}
	now := d.env.Service.Now()
	resp := &describeRegisterCodesResponse{TotalCount: info.Total, RegisterCodeSet: make([]registerCodeInfo, len(rows))}
	for i := range rows {
		resp.RegisterCodeSet[i] = showRegisterCode(&rows[i], now)
	}
	return resp, nil
}

func showRegisterCode(r *core.RegistrationCode, now time.Time) registerCodeInfo {
	return registerCodeInfo{
		RegisterCodeId: r.ID.UUID(), Description: r.Description, InstanceNamePrefix: r.NamePrefix, RegisterLimit: int64(r.Limit),
		ExpiredTime: clockOrNull(r.ExpiresAt), IpAddressRange: showNetwork(r.Networks),
		Enabled: !r.Disabled && (r.ExpiresAt.IsZero() || now.Before(r.ExpiresAt)), RegisteredCount: int64(r.Registered),
		CreatedTime: clock(r.CreatedAt), UpdatedTime: clock(r.UpdatedAt),
	}
}
