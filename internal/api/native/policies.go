package native

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"errand/internal/core"
)

// Policy is a policy. One that comes with the program has no times.
type Policy struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Builtin     bool            `json:"builtin"`
	Document    json.RawMessage `json:"document"`
	CreatedAt   *time.Time      `json:"created_at,omitempty"`
	UpdatedAt   *time.Time      `json:"updated_at,omitempty"`
}

// Policies is a list of policies.
type Policies struct {
	Policies []Policy `json:"policies"`
}

// Attached is the names of a user's policies.
type Attached struct {
	Policies []string `json:"policies"`
}

// Explanation is how a call would be decided.
type Explanation struct {
	Allowed bool   `json:"allowed"`
	Verb    string `json:"verb"`
	// Policy and Statement (from 0) name the statement that decided; none did if Policy is empty.
	Policy    string  `json:"policy,omitempty"`
	Statement int     `json:"statement"`
	Resource  string  `json:"resource,omitempty"`
	Reason    string  `json:"reason,omitempty"`
	Traces    []Trace `json:"traces"`
}

// Trace is what one statement says to a call about one resource.
type Trace struct {
	Policy    string `json:"policy"`
	Statement int    `json:"statement"`
	Effect    string `json:"effect"`
	Resource  string `json:"resource"`
	Matched   bool   `json:"matched"`
	Reason    string `json:"reason"`
}

func showPolicy(p *core.Policy) Policy {
	return Policy{
		Name: p.Name, Description: p.Description, Builtin: p.Account == 0, Document: json.RawMessage(p.Document),
		CreatedAt: moment(p.CreatedAt), UpdatedAt: moment(p.UpdatedAt),
	}
}

// document is the text of a policy that was sent as text or as an object.
func document(v any) (string, error) {
	if text, ok := v.(string); ok {
		return text, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

func (d *Dialect) listPolicies(ctx context.Context, c core.Caller, _ *empty) (*Policies, error) {
	rows, err := d.env.Service.Policies(ctx, c)
	list := Policies{Policies: make([]Policy, len(rows))}
	for i := range rows {
		list.Policies[i] = showPolicy(&rows[i])
	}
	return &list, err
}

type onePolicy struct {
	Name string `json:"-" path:"name"`
}

func (d *Dialect) getPolicy(ctx context.Context, c core.Caller, req *onePolicy) (*Policy, error) {
	p, err := d.env.Service.Policy(ctx, c, req.Name)
	out := showPolicy(&p)
	return &out, err
}

type putPolicy struct {
	Name        string `json:"-" path:"name"`
	Description string `json:"description"`
	Document    any    `json:"document"` // an object, or its text
}

func (d *Dialect) putPolicy(ctx context.Context, c core.Caller, req *putPolicy) (*Policy, error) {
	text, err := document(req.Document)
	if err != nil {
		return nil, err
	}
	p, err := d.env.Service.PutPolicy(ctx, c, req.Name, req.Description, text)
	out := showPolicy(&p)
	return &out, err
}

func (d *Dialect) deletePolicy(ctx context.Context, c core.Caller, req *onePolicy) (*empty, error) {
	return &empty{}, d.env.Service.DeletePolicy(ctx, c, req.Name)
}

func (d *Dialect) listAttached(ctx context.Context, c core.Caller, req *oneUser) (*Attached, error) {
	names, err := d.env.Service.AttachedPolicies(ctx, c, req.Name)
	return &Attached{Policies: append([]string{}, names...)}, err
}

type attachment struct {
	Name   string `json:"-" path:"name"`
	Policy string `json:"-" path:"policy"`
}

func (d *Dialect) attachPolicy(ctx context.Context, c core.Caller, req *attachment) (*empty, error) {
	return &empty{}, d.env.Service.AttachPolicy(ctx, c, req.Name, req.Policy)
}

func (d *Dialect) detachPolicy(ctx context.Context, c core.Caller, req *attachment) (*empty, error) {
	return &empty{}, d.env.Service.DetachPolicy(ctx, c, req.Name, req.Policy)
}

type explain struct {
	User      string   `json:"user"`
	Action    string   `json:"action"` // "ecs:RunCommand", or a verb
	Resources []string `json:"resources"`
	Region    string   `json:"region"`
	Source    string   `json:"source"`
	Secure    bool     `json:"secure"`
	// Tags are what the call would put on what it makes, ResourceTags those assumed of the resources: "key=value".
	Tags         []string `json:"tags"`
	ResourceTags []string `json:"resource_tags"`
}

func (d *Dialect) explain(ctx context.Context, c core.Caller, req *explain) (*Explanation, error) {
	e, err := d.env.Service.Explain(ctx, c, core.Question{
		User: req.User, Action: req.Action, Resources: req.Resources, Region: req.Region, Source: req.Source, Secure: req.Secure,
		Tags: pairs(req.Tags), ResourceTags: pairs(req.ResourceTags),
	})
	if err != nil {
		return nil, err
	}
	out := &Explanation{
		Allowed: e.Allowed, Verb: e.Verb, Policy: e.Policy, Statement: e.Statement, Resource: e.Resource, Reason: e.Reason, Traces: []Trace{},
	}
	for _, t := range e.Traces {
		out.Traces = append(out.Traces, Trace{t.Policy, t.Statement, string(t.Effect), t.Resource, t.Matched, t.Reason})
	}
	return out, nil
}

// pairs reads tags; of a key that comes twice the last value holds.
func pairs(texts []string) []core.Tag {
	m := map[string]string{}
	for _, text := range texts {
		key, value, _ := strings.Cut(text, "=")
		m[key] = value
	}
	var tags []core.Tag
	for _, key := range slices.Sorted(maps.Keys(m)) {
		tags = append(tags, core.Tag{Key: key, Value: m[key]})
	}
	return tags
}
