package ecs

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"errand/internal/api/alibaba"
	"errand/internal/core"
)

// Bounds of CreateActivation.
const (
	defaultJoins        = 10
	maxJoins            = 1000
	defaultHours        = 4
	maxHours            = 4
	maxNamePrefix       = 50 // characters
	maxActivationText   = 100
	maxOpenActivations  = 10
	scannedRegistration = 1000 // codes looked at to count the open ones; codes of this vendor are open for hours only
)

// Bounds of a machine's name, in characters.
const (
	minInstanceName = 2
	maxInstanceName = 128
)

// instanceName is what machines may be called; it must not look like an address.
var instanceName = regexp.MustCompile(`^\p{L}[\p{L}\p{N}._:-]*$`)

func (d *Dialect) createActivation(ctx context.Context, c core.Caller, req *createActivationRequest) (*createActivationResponse, error) {
	spec, err := req.spec()
	if err != nil {
		return nil, err
	}
	return alibaba.Once(ctx, d.service, c, "ecs:CreateActivation", req.ClientToken, req.Hash,
		func(ctx context.Context) (*createActivationResponse, error) {
			if err := d.checkOpenActivations(ctx, c); err != nil {
				return nil, err
			}
			code, secret, err := d.service.CreateRegistration(ctx, c, spec)
			if err != nil {
				return nil, err
			}
			return &createActivationResponse{ActivationId: showActivation(code.ID), ActivationCode: secret}, nil
		})
}

func (req *createActivationRequest) spec() (core.RegistrationSpec, error) {
	spec := core.RegistrationSpec{
		Region: req.RegionId, NamePrefix: req.InstanceName, Description: req.Description, Limit: defaultJoins,
		Validity: defaultHours * time.Hour, ResourceGroup: req.ResourceGroupId, Tags: alibaba.Tags(req.Tag),
	}
	if n := req.InstanceCount; n != nil {
		if *n < 1 || *n > maxJoins {
			return spec, alibaba.Refuse(joinsOutOfRange)
		}
		spec.Limit = int(*n)
	}
	if h := req.TimeToLiveInHours; h != nil {
		if *h < 1 || *h > maxHours {
			return spec, alibaba.Refuse(hoursOutOfRange)
		}
		spec.Validity = time.Duration(*h) * time.Hour
	}
	if err := checkInstanceName(req.InstanceName, maxNamePrefix); err != nil {
		return spec, err
	}
	if utf8.RuneCountInString(req.Description) > maxActivationText {
		return spec, alibaba.Invalid(core.ReasonDescriptionTooLong, "Description", "more than 100 characters")
	}
	if req.IpAddressRange != "" {
		network, ok := parseRange(req.IpAddressRange)
		if !ok {
			return spec, alibaba.Refuse(rangeInvalid)
		}
		spec.Networks = []netip.Prefix{network}
	}
	return spec, nil
}

// checkInstanceName applies the rules for names of machines and for what such names begin with; none is fine.
func checkInstanceName(name string, most int) error {
	n := utf8.RuneCountInString(name)
	switch {
	case n == 0:
		return nil
	case n < minInstanceName || n > most:
		return alibaba.Invalid(core.ReasonNameTooLong, "InstanceName", fmt.Sprintf("not %d to %d characters", minInstanceName, most))
	case !instanceName.MatchString(name), strings.HasPrefix(name, "http://"), strings.HasPrefix(name, "https://"):
		return alibaba.Invalid(core.ReasonNameInvalid, "InstanceName", "letters, digits and . _ - : only")
	}
	return nil
}

// parseRange reads an address or a network.
func parseRange(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p, true
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// checkOpenActivations counts the codes that still admit machines. Codes that are over do not count, because those that machines joined with
// cannot be deleted; nor do codes without an end, which this product does not have.
func (d *Dialect) checkOpenActivations(ctx context.Context, c core.Caller) error {
	codes, _, err := d.service.Registrations(ctx, c, core.RegistrationFilter{}, core.PageSpec{Limit: scannedRegistration})
	if err != nil {
		return err
	}
	open := 0
	for i := range codes {
		if !codes[i].ExpiresAt.IsZero() && codes[i].Usable(d.service.Now()) {
			open++
		}
	}
	if open >= maxOpenActivations {
		return alibaba.Invalid(core.ReasonQuotaRegistrations, "", "10 activations are open")
	}
	return nil
}

func (d *Dialect) describeActivations(
	ctx context.Context, c core.Caller, req *describeActivationsRequest,
) (*describeActivationsResponse, error) {
	page, err := req.paging.spec()
	if err != nil {
		return nil, err
	}
	f := core.RegistrationFilter{NamePrefix: req.InstanceName, ResourceGroup: req.ResourceGroupId, Tags: alibaba.Tags(req.Tag)}
	if err := core.CheckTags(f.Tags, alibaba.MaxTags); err != nil {
		return nil, err
	}
	if req.ActivationId != "" {
		f.IDs = []core.ID{activationID(req.ActivationId)}
	}
	rows, info, err := d.service.Registrations(ctx, c, f, page)
	if err != nil {
		return nil, err
	}
	list := make([]listedActivation, len(rows))
	for i := range rows {
		r := &rows[i]
		list[i] = listedActivation{
			activation: showCode(r), Disabled: r.Disabled, ResourceGroupId: r.ResourceGroup, Tags: showTags(r.Tags),
		}
	}
	return &describeActivationsResponse{paged: req.answer(page, info), ActivationList: list}, nil
}

// disableActivation closes an activation to further machines. Closing a closed one changes nothing.
func (d *Dialect) disableActivation(
	ctx context.Context, c core.Caller, req *activationRequest,
) (*disableActivationResponse, error) {
	codes, err := d.service.DisableRegistrations(ctx, c, []core.ID{activationID(req.ActivationId)})
	if err != nil {
		return nil, err
	}
	return &disableActivationResponse{
		Activation: disabledActivation{activation: showCode(&codes[0]), Disabled: codes[0].Disabled},
	}, nil
}

// deleteActivation deletes an activation unless a machine that joined with it is still there, as this vendor wants it.
func (d *Dialect) deleteActivation(ctx context.Context, c core.Caller, req *activationRequest) (*deleteActivationResponse, error) {
	const refuseUsed = true
	codes, err := d.service.DeleteRegistrations(ctx, c, []core.ID{activationID(req.ActivationId)}, refuseUsed)
	if err != nil {
		return nil, err
	}
	return &deleteActivationResponse{Activation: showCode(&codes[0])}, nil
}

func showCode(r *core.RegistrationCode) activation {
	a := activation{
		ActivationId: showActivation(r.ID), InstanceName: r.NamePrefix, Description: r.Description,
		CreationTime: alibaba.Time(r.CreatedAt), InstanceCount: int64(r.Limit), RegisteredCount: int64(r.Registered),
		DeregisteredCount: int64(r.Deregistered),
	}
	if !r.ExpiresAt.IsZero() {
		a.TimeToLiveInHours = int64(r.ExpiresAt.Sub(r.CreatedAt).Hours())
	}
	ranges := make([]string, len(r.Networks))
	for i, network := range r.Networks {
		ranges[i] = network.String()
		if network.IsSingleIP() {
			ranges[i] = network.Addr().String()
		}
	}
	a.IpAddressRange = strings.Join(ranges, ",")
	return a
}

// showActivation renders the id of a registration code, which this vendor writes as a UUID.
func showActivation(id core.ID) string { return strings.ToUpper(id.UUID()) }

// activationID reads an id. What cannot be an id becomes zero, which nothing has.
func activationID(s string) core.ID {
	id, _ := core.ParseUUID(s)
	return id
}
