package native

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"errand/internal/core"
)

// Bounds of registration codes.
const (
	maxJoins      = 1_000_000 // machines with one code
	maxValidity   = 365 * 24 * time.Hour
	maxNamePrefix = 100 // characters; a number follows in the names of nodes
	maxCodeText   = 256 // characters of a description
	maxFrom       = 100 // networks of one code
)

// Registration is a registration code without its secret.
type Registration struct {
	ID           string            `json:"id"`
	Description  string            `json:"description"`
	NamePrefix   string            `json:"name_prefix,omitempty"`
	Limit        int               `json:"limit"`              // how many machines may join
	Registered   int               `json:"registered"`         // how many did
	Deregistered int               `json:"deregistered"`       // how many of those left again
	Networks     []string          `json:"networks,omitempty"` // none means from anywhere
	Tags         map[string]string `json:"tags,omitempty"`
	Disabled     bool              `json:"disabled"`
	Usable       bool              `json:"usable"` // whether machines may still join
	CreatedAt    time.Time         `json:"created_at"`
	ExpiresAt    *time.Time        `json:"expires_at,omitempty"` // none means never
}

// NewRegistration is a registration code with its secret, which is shown only once.
type NewRegistration struct {
	Registration
	Code string `json:"code"`
}

// Registrations is a page of registration codes, the latest first.
type Registrations struct {
	Registrations []Registration `json:"registration_codes"`
	Next          string         `json:"next,omitempty"` // for the next page
}

func (d *Dialect) showRegistration(r *core.RegistrationCode) Registration {
	out := Registration{
		ID: r.ID.String(), Description: r.Description, NamePrefix: r.NamePrefix, Limit: r.Limit, Registered: r.Registered,
		Disabled: r.Disabled, Usable: r.Usable(d.env.Service.Now()), CreatedAt: r.CreatedAt, ExpiresAt: moment(r.ExpiresAt), Deregistered: r.Deregistered,
	}
	for _, n := range r.Networks {
		out.Networks = append(out.Networks, n.String())
	}
	if len(r.Tags) > 0 {
		out.Tags = make(map[string]string, len(r.Tags))
	}
	for _, t := range r.Tags {
		out.Tags[t.Key] = t.Value
	}
	return out
}

type createRegistration struct {
	Description string   `json:"description"`
	NamePrefix  string   `json:"name_prefix"`
	Limit       int      `json:"limit"`         // 1 if left out
	Hours       int      `json:"hours"`         // validity; 4 if left out
	ValidFor    int      `json:"valid_seconds"` // the same, more finely
	Networks    []string `json:"networks"`
	Tags        any      `json:"tags"` // an object of texts
}

// spec checks an order and completes it.
func (req *createRegistration) spec() (core.RegistrationSpec, error) {
	spec := core.RegistrationSpec{Description: req.Description, NamePrefix: req.NamePrefix, Limit: max(req.Limit, 1), Validity: seconds(req.ValidFor)}
	refuse := func(field, detail string) (core.RegistrationSpec, error) {
		return spec, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonInvalidValue, Field: field, Detail: detail}
	}
	switch {
	case req.Limit < 0 || req.Limit > maxJoins:
		return refuse("limit", "1 to 1000000 machines")
	case req.Hours < 0 || req.Hours > int(maxValidity/time.Hour):
		return refuse("hours", "not negative, at most a year")
	case req.ValidFor < 0 || spec.Validity > maxValidity:
		return refuse("valid_seconds", "not negative, at most a year")
	case req.Hours > 0 && req.ValidFor > 0:
		return refuse("hours", "given beside valid_seconds")
	case utf8.RuneCountInString(req.NamePrefix) > maxNamePrefix || strings.ContainsFunc(req.NamePrefix, unicode.IsControl):
		return refuse("name_prefix", "at most 100 printable characters")
	case utf8.RuneCountInString(req.Description) > maxCodeText:
		return refuse("description", "at most 256 characters")
	case len(req.Networks) > maxFrom:
		return refuse("networks", "at most 100")
	case req.Hours > 0:
		spec.Validity = time.Duration(req.Hours) * time.Hour
	case req.ValidFor == 0:
		spec.Validity = 4 * time.Hour
	}
	var err error
	if spec.Networks, err = networks(req.Networks); err != nil {
		return spec, err
	}
	spec.Tags, err = readTags(req.Tags)
	return spec, err
}

// readTags reads an object of texts, sorted by their keys.
func readTags(v any) (list []core.Tag, err error) {
	object, ok := v.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(object)) {
		value, text := object[key].(string)
		ok = ok && text
		list = append(list, core.Tag{Key: key, Value: value})
	}
	if v != nil && !ok {
		return nil, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonInvalidValue, Field: "tags", Detail: "want an object of texts"}
	}
	return list, nil
}

func (d *Dialect) createRegistration(ctx context.Context, c core.Caller, req *createRegistration) (*NewRegistration, error) {
	spec, err := req.spec()
	if err != nil {
		return nil, err
	}
	code, secret, err := d.env.Service.CreateRegistration(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	return &NewRegistration{Registration: d.showRegistration(&code), Code: secret}, nil
}

type listRegistrations struct {
	paging
}

func (d *Dialect) listRegistrations(ctx context.Context, c core.Caller, req *listRegistrations) (*Registrations, error) {
	spec, err := req.spec()
	if err != nil {
		return nil, err
	}
	rows, info, err := d.env.Service.Registrations(ctx, c, core.RegistrationFilter{}, spec)
	page := Registrations{Registrations: make([]Registration, len(rows)), Next: req.next(info)}
	for i := range rows {
		page.Registrations[i] = d.showRegistration(&rows[i])
	}
	return &page, err
}

type oneRegistration struct {
	ID string `json:"-" path:"id"`
}

// revokeRegistration lets no further machine join with a code. Those that did stay.
func (d *Dialect) revokeRegistration(ctx context.Context, c core.Caller, req *oneRegistration) (*Registration, error) {
	id, ok := core.ParseID(req.ID)
	if !ok {
		return nil, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonRegistrationNotFound, Detail: "no such registration code"}
	}
	rows, err := d.env.Service.DisableRegistrations(ctx, c, []core.ID{id})
	if err != nil {
		return nil, err
	}
	out := d.showRegistration(&rows[0])
	return &out, nil
}
