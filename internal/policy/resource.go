package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Resource is one thing that a request is about.
type Resource struct {
	// Name is kind/id: "node/web1". Ids are bare, as the core has them: 16 generated characters without any vendor's prefix, or a node's
	// id as the operator set it; a registration's is its UUID in lower case. "node/*" stands for the kind as a whole, which is what
	// calls that list or create are about.
	Name string
	// Tags are the tags the resource has now.
	Tags map[string]string
}

// kind is a word for a sort of resource in the names of one product.
type kind struct {
	system, product string // both empty in neutral names
	word            string
	neutral         string
}

// kinds lists the words that a policy may use. The vendors document instance, node and command; the others follow the names of
// their objects. Zenlayer publishes no resource names.
// https://www.alibabacloud.com/help/en/ecs/developer-reference/api-ecs-2014-05-26-ram,
// https://www.tencentcloud.com/document/product/598/57156
func kinds() []kind {
	list := []kind{
		{"acs", "ecs", "instance", "node"},
		{"acs", "ecs", "managedinstance", "node"},
		{"acs", "ecs", "command", "command"},
		{"acs", "ecs", "invocation", "invocation"},
		{"acs", "ecs", "activation", "registration"},
		{"acs", "ecs", "session", "session"},
		{"acs", "eflo", "node", "node"},
		{"qcs", "cvm", "instance", "node"},
		{"qcs", "lighthouse", "instance", "node"},
		{"qcs", "tat", "command", "command"},
		{"qcs", "tat", "invocation", "invocation"},
		{"qcs", "tat", "invoker", "schedule"},
		{"qcs", "tat", "registercode", "registration"},
	}
	for _, own := range []string{
		"node", "group", "command", "invocation", "schedule", "session", "registration", "account", "user", "key", "policy", "subscription", "release", "rollout",
	} {
		list = append(list, kind{word: own, neutral: own})
	}
	return list
}

// shownAs lists what the vendors put before a generated id of this kind.
func shownAs(neutral string) []string {
	switch neutral {
	case "node":
		return []string{"i-", "mi-", "ins-", "lhins-", "rins-", "e01-"}
	case "command":
		return []string{"c-", "cmd-"}
	case "invocation":
		return []string{"t-", "f-", "inv-"}
	case "schedule":
		return []string{"ivk-", "t-"}
	case "session":
		return []string{"s-"}
	}
	return nil
}

// resourcePattern is one entry of a Resource or NotResource element.
type resourcePattern struct {
	text            string // as written
	region, account pattern
	names           []namePattern // alternatives
}

type namePattern struct {
	pattern
	generated bool // only for ids that were generated, which callers see with a prefix
}

func (p *resourcePattern) matches(r *Request, name string) bool {
	if !p.region.matches(r.Region) || !p.account.matches(r.Account) {
		return false
	}
	for i := range p.names {
		if n := &p.names[i]; n.matches(name) && (!n.generated || generated(name)) {
			return true
		}
	}
	return false
}

// parseResource reads "*", acs:product:region:account:kind/id, qcs::product:region:account:kind/id or the neutral kind/id.
func parseResource(text string) (resourcePattern, error) {
	p := resourcePattern{text: text, region: newPattern("*"), account: newPattern("*")}
	name := kind{word: text}
	switch system, rest, _ := strings.Cut(text, ":"); system {
	case "acs":
		parts := strings.SplitN(rest, ":", 4)
		if len(parts) != 4 {
			return p, fmt.Errorf("%.100q is not acs:product:region:account:kind/id", text)
		}
		name = kind{system: system, product: parts[0], word: parts[3]}
		p.region, p.account = orAny(parts[1]), orAny(parts[2])
	case "qcs":
		parts := strings.SplitN(rest, ":", 5)
		if len(parts) != 5 || parts[0] != "" { // the project, which the vendor has given up
			return p, fmt.Errorf("%.100q is not qcs::product:region:account:kind/id", text)
		}
		name = kind{system: system, product: parts[1], word: parts[4]}
		owner := strings.TrimPrefix(strings.TrimPrefix(parts[3], "uin/"), "uid/")
		p.region, p.account = orAny(parts[2]), orAny(owner)
	}
	var err error
	if p.names, err = neutralNames(name); err != nil {
		return p, fmt.Errorf("%.100q: %w", text, err)
	}
	return p, nil
}

func orAny(s string) pattern {
	if s == "" {
		s = "*"
	}
	return newPattern(s)
}

// neutralNames translates a name, whose word is still kind/id, to patterns over neutral names. Each of its parts may have wildcards.
func neutralNames(written kind) ([]namePattern, error) {
	word, id, _ := strings.Cut(written.word, "/")
	whole := written.word == "*"
	if id == "" && !whole {
		return nil, errors.New("want kind/id, or * alone")
	}
	product, words := newPattern(written.product), newPattern(strings.ToLower(word))
	var names []namePattern
	for _, k := range kinds() {
		if k.system != written.system || !product.matches(k.product) || !words.matches(k.word) {
			continue
		}
		if whole {
			return []namePattern{{pattern: newPattern("*")}}, nil
		}
		for _, n := range idPatterns(k.neutral, id) {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	if names == nil {
		return nil, errors.New("there is no such kind of resource")
	}
	return names, nil
}

// idPatterns matches an id pattern with ids as they are and, where a vendor shows generated ids behind a prefix, with those as they
// are shown: "i-*" means every generated node and those that the operator named so.
func idPatterns(neutral, id string) []namePattern {
	id = singleStars(id)
	if neutral == "registration" {
		id = strings.ToLower(id) // one vendor writes its UUIDs in upper case
	}
	kind := neutral + "/"
	names := []namePattern{{pattern: newPattern(kind + id)}}
	for _, start := range shownAs(neutral) {
		for _, rest := range after(id, start) {
			n := namePattern{newPattern(kind + rest), true}
			if rest != id && !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	return names
}

// generated reports whether the id in a name has the form of those that are left to the server: 16 characters of lower-case base32.
func generated(name string) bool {
	_, id, _ := strings.Cut(name, "/")
	return len(id) == 16 && strings.Trim(id, "0123456789abcdefghjkmnpqrstvwxyz") == ""
}
