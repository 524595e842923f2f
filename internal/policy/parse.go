package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Limits of a document. The vendor allows 6,144 characters.
// https://www.alibabacloud.com/help/en/ram/product-overview/limits
const (
	MaxBytes      = 6144 // of the document once the blanks between its parts are gone
	MaxStatements = 100
)

// Effect is what a statement does to the calls it is about.
type Effect string

// The two effects. Deny beats Allow.
const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// Document is a policy as Parse accepted it. It never changes. The zero value has no statements.
type Document struct {
	text       string
	statements []statement
}

// statement is one parsed entry of Statement.
type statement struct {
	effect       Effect
	notAction    bool
	actions      []actionPattern
	verbs        verbSet // those of all actions
	notResource  bool
	resources    []resourcePattern
	ofCall       []condition // the same for all resources of a call
	ofResource   []condition
	fieldAction  string // "Action" or "NotAction"
	fieldSubject string // "Resource" or "NotResource"
}

// Text is the document as it was written, without blanks between its parts.
func (d Document) Text() []byte { return []byte(d.text) }

// Parse reads a document:
//
//	{"Version": "1", "Statement": [
//	  {"Effect": "Allow", "Action": ["ecs:RunCommand", "*.list"], "Resource": "acs:ecs:*:*:instance/*",
//	   "Condition": {"StringEquals": {"acs:ResourceTag/env": ["test", "dev"]}}}
//	]}
//
// NotAction may stand for Action and NotResource for Resource: the statement is then about all but what they name. One entry need not
// be in a list. Whatever is not understood is refused, with the number of its statement (from 0) and the field.
func Parse(text []byte) (Document, error) {
	var compact bytes.Buffer
	switch err := json.Compact(&compact, text); {
	case err != nil:
		return Document{}, fmt.Errorf("policy is not JSON: %w", err)
	case compact.Len() > MaxBytes:
		return Document{}, fmt.Errorf("policy has %d bytes, more than %d", compact.Len(), MaxBytes)
	case !utf8.Valid(compact.Bytes()):
		return Document{}, errors.New("policy is not UTF-8")
	}
	d := Document{text: compact.String()}
	fields, err := members(compact.Bytes())
	if err != nil {
		return Document{}, fmt.Errorf("policy: %w", err)
	}
	var version string
	var list []json.RawMessage
	for _, f := range fields {
		switch f.name {
		case "Version":
			err = json.Unmarshal(f.value, &version)
		case "Statement":
			err = json.Unmarshal(f.value, &list)
		default:
			err = errors.New("unknown field")
		}
		if err != nil {
			return Document{}, fmt.Errorf("policy: %.100s: %w", f.name, err)
		}
	}
	switch {
	case version != "1":
		return Document{}, fmt.Errorf("policy: Version: %.100q is not \"1\"", version)
	case len(list) == 0:
		return Document{}, errors.New("policy: Statement: missing or empty")
	case len(list) > MaxStatements:
		return Document{}, fmt.Errorf("policy: Statement: %d are more than %d", len(list), MaxStatements)
	}
	d.statements = make([]statement, len(list))
	for i, raw := range list {
		if err := d.statements[i].parse(raw); err != nil {
			return Document{}, fmt.Errorf("statement %d: %w", i, err)
		}
	}
	return d, nil
}

func (s *statement) parse(raw []byte) error {
	fields, err := members(raw)
	if err != nil {
		return err
	}
	for _, f := range fields {
		if err := s.parseField(f); err != nil {
			return fmt.Errorf("%.100s: %w", f.name, err)
		}
	}
	switch {
	case s.effect == "":
		return errors.New("no Effect")
	case s.actions == nil:
		return errors.New("neither Action nor NotAction")
	case s.resources == nil:
		return errors.New("neither Resource nor NotResource")
	}
	return nil
}

func (s *statement) parseField(f member) error {
	switch f.name {
	case "Effect":
		return s.parseEffect(f.value)
	case "Action", "NotAction":
		if s.actions != nil {
			return errors.New("either Action or NotAction, not both")
		}
		s.fieldAction, s.notAction = f.name, f.name == "NotAction"
		return s.parseActions(f.value)
	case "Resource", "NotResource":
		if s.resources != nil {
			return errors.New("either Resource or NotResource, not both")
		}
		s.fieldSubject, s.notResource = f.name, f.name == "NotResource"
		return s.parseResources(f.value)
	case "Condition":
		return s.parseConditions(f.value)
	}
	return errors.New("unknown field")
}

func (s *statement) parseEffect(raw []byte) error {
	if err := json.Unmarshal(raw, &s.effect); err != nil {
		return err
	}
	if s.effect != Allow && s.effect != Deny {
		return fmt.Errorf("%.100q is neither \"Allow\" nor \"Deny\"", s.effect)
	}
	return nil
}

func (s *statement) parseActions(raw []byte) error {
	entries, err := texts(raw, false)
	if err != nil {
		return err
	}
	for _, e := range entries {
		a, err := parseAction(e)
		if err != nil {
			return err
		}
		s.actions = append(s.actions, a)
		s.verbs.merge(a.verbs)
	}
	return nil
}

func (s *statement) parseResources(raw []byte) error {
	entries, err := texts(raw, false)
	if err != nil {
		return err
	}
	for _, e := range entries {
		p, err := parseResource(e)
		if err != nil {
			return err
		}
		s.resources = append(s.resources, p)
	}
	return nil
}

// parseConditions reads {operator: {key: values}}. No condition at all is written {} by the vendor's editor; an operator without a
// key has no meaning.
func (s *statement) parseConditions(raw []byte) error {
	ops, err := members(raw)
	if err != nil {
		return err
	}
	for _, op := range ops {
		keys, err := members(op.value)
		if err != nil {
			return fmt.Errorf("%.100s: %w", op.name, err)
		}
		if len(keys) == 0 {
			return fmt.Errorf("%.100s: no key", op.name)
		}
		for _, key := range keys {
			values, err := texts(key.value, true)
			if err != nil {
				return fmt.Errorf("%.100s %.200s: %w", op.name, key.name, err)
			}
			c, err := parseCondition(op.name, key.name, values)
			if err != nil {
				return fmt.Errorf("%.100s %.200s: %w", op.name, key.name, err)
			}
			if c.ofResource() {
				s.ofResource = append(s.ofResource, c)
			} else {
				s.ofCall = append(s.ofCall, c)
			}
		}
	}
	return nil
}

// member is one name and value of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// members lists an object's members in their order. Unlike the platform's decoder it takes names to the letter and refuses one that
// comes twice, of which a reader might see the other.
func members(raw []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not an object")
	}
	var list []member
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := member{name: fmt.Sprint(t)}
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		if seen[m.name] {
			return nil, fmt.Errorf("%.100s: comes twice", m.name)
		}
		seen[m.name] = true
		list = append(list, m)
	}
	return list, nil
}

// texts reads a text or a list of texts, which must not be empty. With plain, numbers and truth values are taken as they are written.
func texts(raw []byte, plain bool) ([]string, error) {
	entries := []json.RawMessage{raw}
	if raw[0] == '[' {
		if err := json.Unmarshal(raw, &entries); err != nil {
			return nil, err
		}
	}
	if len(entries) == 0 {
		return nil, errors.New("empty list")
	}
	list := make([]string, len(entries))
	for i, e := range entries {
		switch first := e[0]; {
		case first == '"':
			if err := json.Unmarshal(e, &list[i]); err != nil {
				return nil, err
			}
		case plain && first != '{' && first != '[' && first != 'n':
			list[i] = string(e)
		default:
			return nil, errors.New("want a text or a list of texts")
		}
	}
	return list, nil
}
