package core

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"errand/internal/policy"
)

// maxAttached is how many policies a user may have (Alibaba RAM: 20 system and 10 custom ones).
const maxAttached = 30

func noPolicy(name string) error { return notFound(ReasonAccessNotFound, "no policy %s", name) }

func checkDocument(text string) error {
	if _, err := policy.Parse([]byte(text)); err != nil {
		return &Error{Code: CodeInvalid, Reason: ReasonInvalidValue, Field: "document", Detail: err.Error()}
	}
	return nil
}

// builtinPolicy finds a policy that comes with the program.
func builtinPolicy(name string) (Policy, bool) {
	for _, named := range policy.Builtin() {
		if named.Name == name {
			return Policy{Name: name, Document: string(named.Document.Text())}, true
		}
	}
	return Policy{}, false
}

// PutPolicy stores a policy in the caller's account, or replaces the one of this name. What is attached to users holds from their next
// call on.
func (s *Service) PutPolicy(ctx context.Context, c Caller, name, description, document string) (Policy, error) {
	_, err := s.store.Policy(ctx, c.Account, name)
	verb := "policy.modify"
	if errors.Is(err, ErrNotFound) {
		verb = "policy.create"
	} else if err != nil {
		return Policy{}, err
	}
	if err := c.Allow(verb, nil, resource("policy", name, nil)); err != nil {
		return Policy{}, err
	}
	if err := checkName(name); err != nil {
		return Policy{}, err
	}
	if err := checkText("description", description, 0, maxDescription); err != nil {
		return Policy{}, err
	}
	if _, ok := builtinPolicy(name); ok {
		return Policy{}, &Error{Code: CodeConflict, Reason: ReasonNameTaken, Field: "name", Detail: "this policy comes with the program"}
	}
	if err := checkDocument(document); err != nil {
		return Policy{}, err
	}
	if verb == "policy.create" {
		if err := s.room(ctx, c.Account, QuotaPolicies); err != nil {
			return Policy{}, err
		}
	}
	now := s.Now()
	p := Policy{Account: c.Account, Name: name, Description: description, Document: document, CreatedAt: now, UpdatedAt: now}
	if err := s.store.PutPolicy(ctx, p); err != nil {
		return Policy{}, err
	}
	return s.store.Policy(ctx, c.Account, name)
}

// Policies lists the policies that come with the program, which have no account, then those of the caller's account by name.
func (s *Service) Policies(ctx context.Context, c Caller) ([]Policy, error) {
	if err := c.Allow("policy.list", nil, resource("policy", "", nil)); err != nil {
		return nil, err
	}
	var rows []Policy
	for _, named := range policy.Builtin() {
		rows = append(rows, Policy{Name: named.Name, Document: string(named.Document.Text())})
	}
	own, err := s.store.ListPolicies(ctx, c.Account)
	return append(rows, own...), err
}

// Policy returns one policy.
func (s *Service) Policy(ctx context.Context, c Caller, name string) (Policy, error) {
	if err := c.Allow("policy.list", nil, resource("policy", name, nil)); err != nil {
		return Policy{}, err
	}
	if p, ok := builtinPolicy(name); ok {
		return p, nil
	}
	p, err := s.store.Policy(ctx, c.Account, name)
	if errors.Is(err, ErrNotFound) {
		err = noPolicy(name)
	}
	return p, err
}

// DeletePolicy deletes a policy that no user has.
func (s *Service) DeletePolicy(ctx context.Context, c Caller, name string) error {
	if err := c.Allow("policy.delete", nil, resource("policy", name, nil)); err != nil {
		return err
	}
	if _, ok := builtinPolicy(name); ok {
		return &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Field: "name", Detail: "this policy comes with the program"}
	}
	err := s.store.DeletePolicy(ctx, c.Account, name, func(users []string) error {
		if len(users) > 0 {
			return &Error{
				Code: CodeConflict, Reason: ReasonInvalidValue, Field: "name", Detail: "still attached to " + strings.Join(users, ", "),
			}
		}
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		err = noPolicy(name)
	}
	return err
}

// AttachPolicy gives a user the rights of a policy.
func (s *Service) AttachPolicy(ctx context.Context, c Caller, user, name string) error {
	if err := c.Allow("policy.attach", nil, resource("policy", name, nil), resource("user", user, nil)); err != nil {
		return err
	}
	_, builtin := builtinPolicy(name)
	have, err := s.store.Attached(ctx, c.Account, user)
	if err != nil {
		return err
	}
	if len(have) >= maxAttached && !slices.Contains(have, name) {
		return limited(ReasonQuotaObjects, "policies", "more than %d attached", maxAttached)
	}
	if err := s.store.Attach(ctx, c.Account, user, name, !builtin); !errors.Is(err, ErrNotFound) {
		return err
	}
	if _, err := s.user(ctx, c.Account, user); err != nil {
		return err
	}
	return noPolicy(name)
}

// DetachPolicy takes a policy from a user.
func (s *Service) DetachPolicy(ctx context.Context, c Caller, user, name string) error {
	if err := c.Allow("policy.detach", nil, resource("policy", name, nil), resource("user", user, nil)); err != nil {
		return err
	}
	err := s.store.Detach(ctx, c.Account, user, name)
	if errors.Is(err, ErrNotFound) {
		err = notFound(ReasonAccessNotFound, "user %s has no policy %s", user, name)
	}
	return err
}

// AttachedPolicies returns the names of a user's policies, in order.
func (s *Service) AttachedPolicies(ctx context.Context, c Caller, user string) ([]string, error) {
	if err := c.Allow("user.list", nil, resource("user", user, nil)); err != nil {
		return nil, err
	}
	if _, err := s.user(ctx, c.Account, user); err != nil {
		return nil, err
	}
	return s.store.Attached(ctx, c.Account, user)
}

// Question is a call that a user might make.
type Question struct {
	User      string
	Action    string // as a vendor names it, "ecs:RunCommand", or the verb, "invocation.run"
	Resources []string
	Region    string
	Source    string // address; empty is unknown
	Secure    bool
	// Tags are what the call would put on what it makes; ResourceTags are assumed of the resources that have no tags to be looked up.
	Tags, ResourceTags []Tag
}

// Explanation is how a Question would be decided, and what each statement says to it.
type Explanation struct {
	policy.Decision
	Verb   string
	Traces []policy.Trace
}

// Explain decides what would become of a call, without making it. Nodes are judged with the tags that they have.
func (s *Service) Explain(ctx context.Context, c Caller, q Question) (Explanation, error) {
	if err := c.Allow("policy.explain", nil, resource("user", q.User, nil)); err != nil {
		return Explanation{}, err
	}
	grant, err := s.store.Grant(ctx, c.Account, q.User)
	if errors.Is(err, ErrNotFound) {
		return Explanation{}, noUser(q.User)
	}
	if err != nil {
		return Explanation{}, err
	}
	r, err := s.ask(ctx, &c, &q)
	if err != nil {
		return Explanation{}, err
	}
	switch {
	case grant.Suspended:
		return Explanation{Verb: r.Verb, Decision: policy.Decision{Statement: -1, Reason: "the user or the account is disabled"}}, nil
	case q.User == RootUser:
		return Explanation{Verb: r.Verb, Decision: policy.Decision{Allowed: true, Statement: -1}}, nil
	}
	set, err := s.rights(&grant)
	if err != nil {
		return Explanation{}, err
	}
	return Explanation{Verb: r.Verb, Decision: set.Decide(&r), Traces: set.Explain(&r)}, nil
}

// ask turns a question into a request.
func (s *Service) ask(ctx context.Context, c *Caller, q *Question) (policy.Request, error) {
	verb, action := q.Action, "errand:"+q.Action
	if product, name, ok := strings.Cut(q.Action, ":"); ok {
		action = q.Action
		if verb, ok = policy.VerbOf(product, name); !ok {
			verb = strings.TrimPrefix(q.Action, "errand:")
		}
	}
	if !slices.ContainsFunc(policy.Verbs(), func(v policy.Verb) bool { return v.Name == verb }) {
		return policy.Request{}, invalid(ReasonInvalidValue, "action", "no action %q", q.Action)
	}
	asked := *c
	asked.Principal, asked.Region, asked.Secure, asked.Time, asked.Verb = q.User, q.Region, q.Secure, s.Now(), ""
	asked.Source = netip.Addr{}
	if q.Source != "" {
		if err := asked.Source.UnmarshalText([]byte(q.Source)); err != nil {
			return policy.Request{}, invalid(ReasonInvalidValue, "source", "not an address")
		}
	}
	nodes, err := s.namedNodes(ctx, c.Account, q.Resources)
	if err != nil {
		return policy.Request{}, err
	}
	var resources []policy.Resource
	for _, name := range q.Resources {
		tags := q.ResourceTags
		if id, ok := strings.CutPrefix(name, "node/"); ok {
			if n, known := nodes[id]; known && len(tags) == 0 {
				tags = n.Tags
			}
		}
		resources = append(resources, policy.Resource{Name: name, Tags: tagMap(tags)})
	}
	r := asked.request(verb, q.Tags, resources)
	r.Action = action
	return r, nil
}

// namedNodes looks up those of the resources that are nodes.
func (s *Service) namedNodes(ctx context.Context, account AccountID, resources []string) (map[string]Node, error) {
	var ids []string
	for _, name := range resources {
		if id, ok := strings.CutPrefix(name, "node/"); ok && id != "*" {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	nodes, err := s.store.NodesByID(ctx, account, ids)
	if err != nil {
		return nil, fmt.Errorf("nodes of the question: %w", err)
	}
	return nodes, nil
}
