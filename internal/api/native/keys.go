package native

import (
	"context"
	"net/netip"
	"time"

	"errand/internal/core"
)

// Key is an access key without its secrets.
type Key struct {
	ID          string     `json:"id"`
	User        string     `json:"user"`
	Kind        string     `json:"kind"` // long, temporary, bearer or login
	Description string     `json:"description"`
	Dialects    []string   `json:"dialects,omitempty"` // none means through any
	Networks    []string   `json:"networks,omitempty"` // none means from anywhere
	Disabled    bool       `json:"disabled"`
	CreatedAt   time.Time  `json:"created_at"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	LastUsedAt  *time.Time `json:"last_used_at,omitempty"`
	// OldSecretUntil is how long the secret before the last rotation is still good.
	OldSecretUntil *time.Time `json:"old_secret_until,omitempty"`
}

// IssuedKey is a key with its secrets, which are shown only once.
type IssuedKey struct {
	Key
	Secret string `json:"secret,omitempty"`
	Token  string `json:"token,omitempty"` // security token of a temporary key, or the bearer token
}

// Keys is a list of keys.
type Keys struct {
	Keys []Key `json:"keys"`
}

func showKey(k *core.AccessKey) Key {
	out := Key{
		ID: k.ID, User: k.Principal, Kind: string(k.Kind), Description: k.Description, Dialects: k.Dialects, Disabled: k.Disabled,
		CreatedAt: k.CreatedAt, ExpiresAt: moment(k.ExpiresAt), LastUsedAt: moment(k.UsedAt), OldSecretUntil: moment(k.OldUntil),
	}
	for _, n := range k.Networks {
		out.Networks = append(out.Networks, n.String())
	}
	return out
}

func showIssued(k *core.IssuedKey) IssuedKey {
	return IssuedKey{Key: showKey(&k.AccessKey), Secret: k.Secret, Token: k.Token}
}

// moment is a time as an optional member.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// networks reads addresses and networks.
func networks(texts []string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if addr, bare := netip.ParseAddr(text); bare == nil {
			p, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return nil, &core.Error{
				Code: core.CodeInvalid, Reason: core.ReasonInvalidValue, Field: "networks", Detail: "want an address or a network such as 10.0.0.0/8",
			}
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

type listKeys struct {
	Name      string `json:"-" path:"name"`
	Temporary bool   `json:"-" query:"temporary"`
}

func (d *Dialect) listKeys(ctx context.Context, c core.Caller, req *listKeys) (*Keys, error) {
	rows, err := d.env.Service.Keys(ctx, c, req.Name, req.Temporary)
	list := Keys{Keys: make([]Key, len(rows))}
	for i := range rows {
		list.Keys[i] = showKey(&rows[i])
	}
	return &list, err
}

type createKey struct {
	Name        string   `json:"-" path:"name"`
	Kind        string   `json:"kind"` // long if left out
	Description string   `json:"description"`
	Dialects    []string `json:"dialects"`
	Networks    []string `json:"networks"`
	Hours       int      `json:"hours"` // lifetime; left out or 0 means for ever
}

// maxHours is a hundred years: more than anybody asks for, and less than a time.Duration holds.
const maxHours = 24 * 36525

func (d *Dialect) createKey(ctx context.Context, c core.Caller, req *createKey) (*IssuedKey, error) {
	from, err := networks(req.Networks)
	if err != nil {
		return nil, err
	}
	kind := core.KeyKind(req.Kind)
	if kind == "" {
		kind = core.KeyLong
	}
	if req.Hours > maxHours {
		return nil, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonTooLarge, Field: "hours", Detail: "more than a hundred years"}
	}
	k, err := d.env.Service.IssueKey(ctx, c, core.KeySpec{
		User: req.Name, Kind: kind, Description: req.Description, Dialects: req.Dialects, Networks: from,
		Lifetime: time.Duration(req.Hours) * time.Hour,
	})
	out := showIssued(&k)
	return &out, err
}

type changeKey struct {
	ID          string    `json:"-" path:"id"`
	Disabled    *bool     `json:"disabled"`
	Description *string   `json:"description"`
	Dialects    *[]string `json:"dialects"`
	Networks    *[]string `json:"networks"`
}

func (d *Dialect) changeKey(ctx context.Context, c core.Caller, req *changeKey) (*Key, error) {
	ch := core.KeyChange{Disabled: req.Disabled, Description: req.Description, Dialects: req.Dialects}
	if req.Networks != nil {
		from, err := networks(*req.Networks)
		if err != nil {
			return nil, err
		}
		ch.Networks = &from
	}
	k, err := d.env.Service.ChangeKey(ctx, c, req.ID, ch)
	out := showKey(&k)
	return &out, err
}

type oneKey struct {
	ID string `json:"-" path:"id"`
}

func (d *Dialect) deleteKey(ctx context.Context, c core.Caller, req *oneKey) (*empty, error) {
	return &empty{}, d.env.Service.DeleteKey(ctx, c, req.ID)
}

type rotateKey struct {
	ID string `json:"-" path:"id"`
	// OverlapSeconds is how long the old secret stays good; a day if left out.
	OverlapSeconds *int `json:"overlap_seconds"`
}

func (d *Dialect) rotateKey(ctx context.Context, c core.Caller, req *rotateKey) (*IssuedKey, error) {
	overlap := 24 * time.Hour
	if req.OverlapSeconds != nil {
		overlap = seconds(*req.OverlapSeconds)
	}
	k, err := d.env.Service.RotateKey(ctx, c, req.ID, overlap)
	out := showIssued(&k)
	return &out, err
}

// seconds is a number of seconds, cut to what a time.Duration holds.
func seconds(n int) time.Duration {
	const most = maxHours * 3600
	return time.Duration(min(max(n, -1), most)) * time.Second
}

type createToken struct {
	Role string `json:"role"` // to act as; left out, the caller's own user
	// DurationSeconds is 900 to 43200; an hour if left out.
	DurationSeconds *int `json:"duration_seconds"`
	// Policy narrows what the key may do: a policy document, as an object or as text.
	Policy any `json:"policy"`
}

func (d *Dialect) createToken(ctx context.Context, c core.Caller, req *createToken) (*IssuedKey, error) {
	spec := core.TokenSpec{Role: req.Role, Lifetime: time.Hour}
	if req.DurationSeconds != nil {
		spec.Lifetime = seconds(*req.DurationSeconds)
	}
	if req.Policy != nil {
		var err error
		if spec.Policy, err = document(req.Policy); err != nil {
			return nil, err
		}
	}
	k, err := d.env.Service.IssueToken(ctx, c, spec)
	out := showIssued(&k)
	return &out, err
}
