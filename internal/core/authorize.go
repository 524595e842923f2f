package core

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"errand/internal/policy"
)

// Caller is who makes a call, as the API edge has proved it, and how the call came in. A Caller who is not Root may do what Rights allow;
// the zero value may do nothing.
type Caller struct {
	Account   AccountID
	Principal string // RootUser or a user's name
	Root      bool   // may do everything in the account
	Rights    policy.Set
	// Session narrows the rights of whoever has a temporary key with a policy of its own, also those of root; nil narrows nothing.
	Session policy.Set

	KeyID     string
	KeyKind   KeyKind
	Dialects  []string       // through which the key may be used; empty means any
	Networks  []netip.Prefix // from where; empty means anywhere
	Dialect   string
	Action    string // as the dialect names it
	Verb      string // what the policies call it; empty leaves it to each operation
	Region    string
	RequestID string
	Source    netip.Addr
	Secure    bool // came over TLS
	UserAgent string
	Time      time.Time
	Trail     *Trail // gathers what the call was about; nil gathers nothing

	terminal map[string]string // what a session is that the call starts, for conditions of policies
}

// maxTrail is how many resources of one call are kept for its audit record.
const maxTrail = 100

// Trail gathers what a call was about, for its audit record.
type Trail struct {
	mu        sync.Mutex
	resources []string
}

func (t *Trail) note(names ...string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range names {
		if len(t.resources) < maxTrail && !slices.Contains(t.resources, name) {
			t.resources = append(t.resources, name)
		}
	}
}

// Resources returns the first hundred resources that the call was about, such as node/web1.
func (t *Trail) Resources() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.resources)
}

// Caller makes the caller that acts by a key which was proved, with the rights of its principal. The edge fills in how the call came.
func (s *Service) Caller(ctx context.Context, k AccessKey) (Caller, error) {
	refused := func(why string) (Caller, error) {
		return Caller{}, &Error{Code: CodeUnauthenticated, Reason: ReasonKeyDisabled, Detail: why}
	}
	grant, err := s.store.Grant(ctx, k.Account, k.Principal)
	switch {
	case errors.Is(err, ErrNotFound):
		return refused("the key's owner is gone")
	case err != nil:
		return Caller{}, err
	case grant.Suspended:
		return refused("the key's owner is disabled")
	}
	c := Caller{
		Account: k.Account, Principal: k.Principal, Root: k.Principal == RootUser, KeyID: k.ID, KeyKind: k.Kind,
		Dialects: k.Dialects, Networks: k.Networks,
	}
	if c.Rights, err = s.rights(&grant); err != nil {
		return Caller{}, err
	}
	if k.Session != "" {
		doc, err := s.document(k.Session)
		if err != nil {
			return Caller{}, fmt.Errorf("session policy of key %s: %w", k.ID, err)
		}
		c.Session = policy.Set{{Name: sessionPolicy, Document: doc}}
	}
	s.used(k.ID)
	return c, nil
}

// sessionPolicy is the name under which decisions mention the policy of a temporary key.
const sessionPolicy = "session"

func (s *Service) rights(g *Grant) (policy.Set, error) {
	var set policy.Set
	for i := range g.Stored {
		doc, err := s.document(g.Stored[i].Document)
		if err != nil {
			return nil, fmt.Errorf("stored policy %s: %w", g.Stored[i].Name, err)
		}
		set = append(set, policy.Named{Name: g.Stored[i].Name, Document: doc})
	}
	for _, named := range policy.Builtin() {
		if slices.Contains(g.Builtin, named.Name) {
			set = append(set, named)
		}
	}
	return set, nil
}

// maxDocuments is how many policies are kept parsed.
const maxDocuments = 1000

// document parses a policy, or remembers how it was parsed.
func (s *Service) document(text string) (policy.Document, error) {
	s.mu.Lock()
	doc, ok := s.documents[text]
	s.mu.Unlock()
	if ok {
		return doc, nil
	}
	doc, err := policy.Parse([]byte(text))
	if err != nil {
		return doc, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.documents) >= maxDocuments {
		clear(s.documents)
	}
	s.documents[text] = doc
	return doc, nil
}

// Allow refuses what the caller may not do. Every operation that a caller can invoke begins with it. verb is the operation's own name
// among policy.Verbs; where the call came by an action, that action's verb is judged instead, so that an action which needs several
// operations needs one right. tags are those that the call puts on what it makes or changes.
func (c *Caller) Allow(verb string, tags []Tag, resources ...policy.Resource) error {
	for i := range resources {
		c.Trail.note(resources[i].Name)
	}
	if c.unlimited() {
		return nil
	}
	r := c.request(verb, tags, resources)
	decide := func(set policy.Set) error {
		d := set.Decide(&r)
		if d.Allowed {
			return nil
		}
		return &Error{Code: CodeDenied, Reason: ReasonDenied, Detail: fmt.Sprintf("%s may not: %s", c.Principal, d.Reason)}
	}
	if !c.Root {
		if err := decide(c.Rights); err != nil {
			return err
		}
	}
	if c.Session != nil {
		return decide(c.Session)
	}
	return nil
}

// unlimited reports whether nothing narrows what the caller may do.
func (c *Caller) unlimited() bool { return c.Root && c.Session == nil }

func (c *Caller) request(verb string, tags []Tag, resources []policy.Resource) policy.Request {
	action := c.Dialect + ":" + c.Action
	if c.Verb != "" {
		verb = c.Verb
	} else {
		action = "errand:" + verb
	}
	return policy.Request{
		Verb: verb, Action: action, Account: c.Account.String(), Region: c.Region, User: c.Principal, Resources: resources,
		RequestTags: tagMap(tags), Session: c.terminal, Source: c.Source, Secure: c.Secure, Time: c.Time,
	}
}

// CheckKey refuses a call through a dialect or from an address for which the caller's key was not made.
func (c *Caller) CheckKey() error {
	denied := func(format string, args ...any) error {
		return &Error{Code: CodeDenied, Reason: ReasonDenied, Detail: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(c.Dialects) > 0 && !slices.Contains(c.Dialects, c.Dialect):
		return denied("key %s is not for the dialect %s", c.KeyID, c.Dialect)
	case !allowed(c.Networks, c.Source):
		return denied("key %s is not for calls from %s", c.KeyID, c.Source)
	}
	return nil
}

func tagMap(tags []Tag) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}

// resource names something of a kind. An empty id stands for all of the kind, which is what listing and creating are about.
func resource(kind, id string, tags []Tag) policy.Resource {
	if id == "" {
		id = "*"
	}
	return policy.Resource{Name: kind + "/" + id, Tags: tagMap(tags)}
}

// String is the word for the kind in the names of resources.
func (k Kind) String() string {
	switch k {
	case KindCommand:
		return "command"
	case KindInvocation:
		return "invocation"
	case KindRegistration:
		return "registration"
	case KindNode:
		return "node"
	}
	return "unknown"
}

// resource names an object by its number. A registration code goes by the form that callers know.
func (k Kind) resource(id ID, tags []Tag) policy.Resource {
	if k == KindRegistration {
		return resource(k.String(), id.UUID(), tags)
	}
	return resource(k.String(), id.String(), tags)
}

// allowObjects is Allow for named objects of one kind, with the tags they have. None stands for all of the kind. What does not exist
// is judged by its name alone.
func (s *Service) allowObjects(ctx context.Context, c *Caller, verb string, tags []Tag, kind Kind, ids []string) error {
	if c.unlimited() {
		ids = ids[:min(len(ids), maxTrail)] // they are only noted
	}
	resources, err := s.resources(ctx, c, kind, ids)
	if err != nil {
		return err
	}
	return c.Allow(verb, tags, resources...)
}

func (s *Service) resources(ctx context.Context, c *Caller, kind Kind, ids []string) ([]policy.Resource, error) {
	if len(ids) == 0 {
		return []policy.Resource{resource(kind.String(), "", nil)}, nil
	}
	tags, err := s.tagsOf(ctx, c, kind, ids)
	if err != nil {
		return nil, err
	}
	list := make([]policy.Resource, len(ids))
	for i, id := range ids {
		list[i] = resource(kind.String(), id, tags[id])
		if number, ok := ParseID(id); ok && kind == KindRegistration {
			list[i] = kind.resource(number, tags[id])
		}
	}
	return list, nil
}

// tagsOf looks up the tags of objects by their ids, if somebody may ask for them.
func (s *Service) tagsOf(ctx context.Context, c *Caller, kind Kind, ids []string) (map[string][]Tag, error) {
	if c.unlimited() {
		return nil, nil
	}
	tags := make(map[string][]Tag, len(ids))
	if kind == KindNode {
		nodes, err := s.store.NodesByID(ctx, c.Account, ids)
		for id := range nodes {
			tags[id] = nodes[id].Tags
		}
		return tags, err
	}
	var keys []int64
	for _, id := range ids {
		if number, ok := ParseID(id); ok {
			keys = append(keys, int64(number))
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	rows, err := s.store.ListTagged(ctx, kind, TaggedFilter{Account: c.Account, Keys: unique(keys)}, Page{Limit: len(keys)})
	for i := range rows {
		tags[rows[i].ID] = rows[i].Tags
	}
	return tags, err
}

// allowRun is Allow for an order to run something.
func (s *Service) allowRun(ctx context.Context, c *Caller, spec *RunSpec) error {
	verb := "invocation.run"
	switch {
	case spec.Transfer != nil && spec.Transfer.To != nil:
		verb = "file.push"
	case spec.Transfer != nil:
		verb = "file.fetch"
	case spec.File != nil:
		verb = "file.send"
	case spec.Command != 0:
		verb = "invocation.invoke"
	}
	targets := spec.Targets
	if c.unlimited() {
		targets = targets[:min(len(targets), maxTrail)]
	}
	var about []policy.Resource
	var err error
	if spec.picked != nil && len(spec.picked.nodes) > 0 {
		nodes := spec.picked.nodes
		if c.unlimited() {
			nodes = nodes[:min(len(nodes), maxTrail)] // they are only noted
		}
		about = nodeResources(nodes)
	} else {
		about, err = s.resources(ctx, c, KindNode, targets)
	}
	if err == nil && len(targets) == 0 && spec.picked == nil && len(spec.TargetTags) > 0 && !c.unlimited() {
		var nodes []Node
		if nodes, _, err = s.store.ListNodes(ctx, NodeFilter{Account: c.Account, Tags: spec.TargetTags}, Page{Limit: MaxTargets}); len(nodes) > 0 {
			about = nodeResources(nodes)
		}
	}
	if err != nil {
		return err
	}
	if spec.Command != 0 || spec.Save {
		var named []string
		if spec.Command != 0 {
			named = texts(spec.Command)
		}
		commands, err := s.resources(ctx, c, KindCommand, named)
		if err != nil {
			return err
		}
		about = append(about, commands...)
	}
	if err := c.Allow(verb, spec.Tags, about...); err != nil || spec.Pace == nil || spec.Pace.Probe == "" || verb == "invocation.run" {
		return err
	}
	return c.Allow("invocation.run", spec.Tags, about...) // the probe is a command of the caller's own
}

// allowStop is Allow for stopping an invocation, or for what else is done about it while it runs, which concerns the named nodes, or else all
// that it is on.
func (s *Service) allowStop(ctx context.Context, c *Caller, verb string, id ID, nodes []string) error {
	about, err := s.resources(ctx, c, KindInvocation, texts(id))
	if err != nil {
		return err
	}
	var on []policy.Resource
	switch {
	case len(nodes) > 0:
		on, err = s.resources(ctx, c, KindNode, nodes)
	case !c.unlimited():
		on, err = s.targetsOf(ctx, c.Account, id)
	}
	if err != nil {
		return err
	}
	return c.Allow(verb, nil, append(about, on...)...)
}

// targetsOf names the nodes that an invocation is on.
func (s *Service) targetsOf(ctx context.Context, account AccountID, id ID) ([]policy.Resource, error) {
	tasks, _, err := s.store.ListTasks(ctx, TaskFilter{Account: account, Invocations: []ID{id}}, Page{Limit: MaxTargets})
	if err != nil || len(tasks) == 0 {
		return nil, err
	}
	keys := make([]NodeKey, len(tasks))
	for i := range tasks {
		keys[i] = tasks[i].Node
	}
	nodes, err := s.NodesByKey(ctx, account, unique(keys))
	return nodeResources(nodes), err
}

// allowHistory is Allow for a listing of what was run. It is about the invocations, commands and nodes that the filter names, and about all
// invocations if it names none.
func (s *Service) allowHistory(ctx context.Context, c *Caller, verb string, invocations, commands []ID, nodes []NodeKey) error {
	var about []policy.Resource
	for _, named := range []struct {
		kind Kind
		ids  []ID
	}{{KindInvocation, invocations}, {KindCommand, commands}} {
		if len(named.ids) == 0 {
			continue
		}
		more, err := s.resources(ctx, c, named.kind, texts(named.ids...))
		if err != nil {
			return err
		}
		about = append(about, more...)
	}
	if len(nodes) > 0 && !c.unlimited() {
		rows, err := s.NodesByKey(ctx, c.Account, nodes)
		if err != nil {
			return err
		}
		about = append(about, nodeResources(rows)...)
	}
	if len(about) == 0 {
		about = append(about, resource(KindInvocation.String(), "", nil))
	}
	return c.Allow(verb, nil, about...)
}

// texts are ids as the names of resources have them.
func texts(ids ...ID) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = id.String()
	}
	return list
}

// nodeResources names nodes with their tags.
func nodeResources(nodes []Node) []policy.Resource {
	list := make([]policy.Resource, len(nodes))
	for i := range nodes {
		list[i] = resource(KindNode.String(), nodes[i].ID, nodes[i].Tags)
	}
	return list
}
