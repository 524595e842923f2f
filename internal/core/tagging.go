package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Kind is a kind of object that carries tags.
type Kind uint8

// The kinds.
const (
	KindCommand Kind = iota + 1 // stored commands
	KindInvocation
	KindRegistration
	KindNode
)

const (
	// MaxTags is how many tags an object may carry.
	MaxTags = 20
	// MaxTagKey is how many characters the key of a tag may have that is put on an object after it was made (Alibaba ECS, TagResources).
	MaxTagKey = 128
)

// Tagged is an object with its tags.
type Tagged struct {
	Key  int64  // an ID or a NodeKey
	ID   string // the node's id, or the text of the ID
	Tags []Tag
}

// TaggedFilter selects objects of one kind, removed nodes excepted; zero fields select all. Keys are alternatives, fields add up.
type TaggedFilter struct {
	Account AccountID
	Keys    []int64
	Tags    []Tag    // all of them
	TagKeys []string // all of them
	Choices []Choice // one of each
}

// Choice is some tags with the same key; no values stand for any value.
type Choice struct {
	Key    string
	Values []string
}

// matches reports whether one of the tags is there.
func (c *Choice) matches(tags []Tag) bool {
	i := keyIndex(tags, c.Key)
	return i >= 0 && (len(c.Values) == 0 || slices.Contains(c.Values, tags[i].Value))
}

func (f *TaggedFilter) check() error {
	tags := slices.Clone(f.Tags)
	for _, key := range f.TagKeys {
		tags = append(tags, Tag{Key: key})
	}
	for _, choice := range f.Choices {
		tags = append(tags, Tag{Key: choice.Key})
		for _, value := range choice.Values {
			if err := checkTags([]Tag{{choice.Key, value}}, 1, MaxTagKey); err != nil {
				return err
			}
		}
	}
	return checkTags(tags, MaxTags, MaxTagKey)
}

func (f *TaggedFilter) matches(tags []Tag) bool {
	for _, t := range f.Tags {
		if !slices.Contains(tags, t) {
			return false
		}
	}
	for _, key := range f.TagKeys {
		if keyIndex(tags, key) < 0 {
			return false
		}
	}
	return !slices.ContainsFunc(f.Choices, func(c Choice) bool { return !c.matches(tags) })
}

// Tag puts tags on objects of one kind. A tag whose key an object has already replaces that one. All objects are changed in one transaction
// or, if one does not exist or would have more than MaxTags, none.
func (s *Service) Tag(ctx context.Context, c Caller, kind Kind, ids []string, tags []Tag) error {
	if err := s.allowObjects(ctx, &c, "tag.add", tags, kind, ids); err != nil {
		return err
	}
	if err := checkTags(tags, MaxTags, MaxTagKey); err != nil {
		return err
	}
	return s.changeTags(ctx, c, kind, ids, func(have []Tag) ([]Tag, error) {
		return addTags(have, tags)
	})
}

// addTags puts tags to others, or in their place.
func addTags(have, tags []Tag) ([]Tag, error) {
	for _, t := range tags {
		if i := keyIndex(have, t.Key); i >= 0 {
			have[i] = t
		} else {
			have = append(have, t)
		}
	}
	if len(have) > MaxTags {
		return nil, limited(ReasonTagCount, "tags", "an object would have more than %d", MaxTags)
	}
	return have, nil
}

// Untag takes the tags with these keys off objects of one kind, all tags if no key is given. Keys that an object does not have are passed
// over. All objects are changed in one transaction or, if one does not exist, none.
func (s *Service) Untag(ctx context.Context, c Caller, kind Kind, ids, keys []string) error {
	named := make([]Tag, len(keys))
	for i, key := range keys {
		named[i].Key = key
	}
	if err := s.allowObjects(ctx, &c, "tag.remove", named, kind, ids); err != nil {
		return err
	}
	if err := checkTags(named, MaxTags, MaxTagKey); err != nil {
		return err
	}
	return s.changeTags(ctx, c, kind, ids, func(have []Tag) ([]Tag, error) {
		if len(keys) == 0 {
			return nil, nil
		}
		return slices.DeleteFunc(have, func(t Tag) bool { return slices.Contains(keys, t.Key) }), nil
	})
}

func (s *Service) changeTags(ctx context.Context, c Caller, kind Kind, ids []string, change func([]Tag) ([]Tag, error)) error {
	keys, err := s.tagKeys(ctx, c, kind, ids)
	if err != nil {
		return err
	}
	err = s.store.ChangeTags(ctx, c.Account, kind, keys, change)
	if errors.Is(err, ErrNotFound) {
		return kind.unknown("")
	}
	return err
}

// TaggedByID returns the named objects that have the tags of a filter, newest first. Every object must exist, whatever its tags.
func (s *Service) TaggedByID(ctx context.Context, c Caller, kind Kind, ids []string, f TaggedFilter) ([]Tagged, error) {
	if err := s.allowObjects(ctx, &c, "tag.list", nil, kind, ids); err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	keys, err := s.tagKeys(ctx, c, kind, ids)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	rows, err := s.store.ListTagged(ctx, kind, TaggedFilter{Account: c.Account, Keys: keys}, Page{Limit: len(keys)})
	if err != nil {
		return nil, err
	}
	if len(rows) < len(keys) {
		return nil, kind.unknown("")
	}
	return slices.DeleteFunc(rows, func(t Tagged) bool { return !f.matches(t.Tags) }), nil
}

// Tagged lists the objects of one kind that have the tags of a filter, newest first.
func (s *Service) Tagged(ctx context.Context, c Caller, kind Kind, f TaggedFilter, p PageSpec) ([]Tagged, PageInfo, error) {
	if err := c.Allow("tag.list", nil, resource(kind.String(), "", nil)); err != nil {
		return nil, PageInfo{}, err
	}
	if err := f.check(); err != nil {
		return nil, PageInfo{}, err
	}
	f.Account = c.Account
	return list(s.pages, c.Account, fmt.Sprintf("tagged %d", kind), p,
		func(t *Tagged) Cursor { return Cursor{A: t.Key} },
		func(p Page) ([]Tagged, int, error) {
			rows, err := s.store.ListTagged(ctx, kind, f, p)
			return rows, 0, err
		})
}

// tagKeys turns ids into keys, each once. Of nodes they are looked up; of other objects they say themselves whether they can be ids.
func (s *Service) tagKeys(ctx context.Context, c Caller, kind Kind, ids []string) ([]int64, error) {
	var nodes map[string]Node
	if kind == KindNode {
		var err error
		if nodes, err = s.store.NodesByID(ctx, c.Account, ids); err != nil {
			return nil, err
		}
	}
	keys := make([]int64, len(ids))
	for i, id := range ids {
		var known bool
		if kind == KindNode {
			var n Node
			n, known = nodes[id]
			keys[i] = int64(n.Key)
		} else {
			var number ID
			number, known = ParseID(id)
			keys[i] = int64(number)
		}
		if !known {
			return nil, kind.unknown(id)
		}
	}
	return unique(keys), nil
}

// unknown refuses because an object does not exist; id is empty if it cannot be told which.
func (k Kind) unknown(id string) error {
	reason := ReasonTargetNotFound
	switch k {
	case KindCommand:
		reason = ReasonCommandNotFound
	case KindInvocation:
		reason = ReasonInvocationNotFound
	case KindRegistration:
		reason = ReasonRegistrationNotFound
	case KindNode:
	}
	return &Error{Code: CodeNotFound, Reason: reason, Field: id, Detail: "no such object"}
}

func keyIndex(tags []Tag, key string) int {
	return slices.IndexFunc(tags, func(t Tag) bool { return t.Key == key })
}
