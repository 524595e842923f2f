package sqlite

import (
	"encoding/json"
	"fmt"
	"strings"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
	"errand/internal/nodeset"
	"errand/internal/target"
)

// addFunctions teaches a connection what target expressions need and SQL does not have, in the very words of package target. Values that are not
// there are NULL.
func addFunctions(conn *sqlite.Conn) error {
	for name, call := range map[string]func(a, b string) sqlite.Value{
		// target_glob(text, pattern)
		"target_glob": func(text, pattern string) sqlite.Value { return boolean(target.GlobMatch(pattern, text)) },
		// target_compare(text, other): what is empty has no place in any order
		"target_compare": func(text, other string) sqlite.Value {
			if text == "" {
				return sqlite.Value{}
			}
			return sqlite.IntegerValue(int64(nodeset.Compare(text, other)))
		},
		// target_tag(tags, key): a third of what json_each takes
		"target_tag": func(tags, key string) sqlite.Value {
			if value, ok := tagValue(tags, key); ok {
				return sqlite.TextValue(value)
			}
			return sqlite.Value{}
		},
	} {
		err := conn.CreateFunction(name, &sqlite.FunctionImpl{
			NArgs: 2, Deterministic: true,
			Scalar: func(_ sqlite.Context, args []sqlite.Value) (sqlite.Value, error) {
				if args[0].Type() == sqlite.TypeNull {
					return sqlite.Value{}, nil
				}
				return call(args[0].Text(), args[1].Text()), nil
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tagValue finds the value of a tag in tags as a column holds them: [["key","value"],...].
func tagValue(tags, key string) (string, bool) {
	for {
		var have, value string
		var ok bool
		if have, tags, ok = nextText(tags); !ok {
			return "", false
		}
		if value, tags, ok = nextText(tags); !ok || have == key {
			return value, ok
		}
	}
}

// nextText takes the next text out of JSON that has nothing but texts and arrays.
func nextText(list string) (text, rest string, ok bool) {
	begin := strings.IndexByte(list, '"')
	if begin < 0 {
		return "", "", false
	}
	escaped := false
	for i := begin + 1; i < len(list); i++ {
		switch list[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			if text = list[begin+1 : i]; escaped {
				text, ok = unescape(list[begin : i+1])
				return text, list[i+1:], ok
			}
			return text, list[i+1:], true
		}
	}
	return "", "", false
}

func unescape(quoted string) (text string, ok bool) {
	err := json.Unmarshal([]byte(quoted), &text)
	return text, err == nil
}

func boolean(b bool) sqlite.Value {
	if b {
		return sqlite.IntegerValue(1)
	}
	return sqlite.IntegerValue(0)
}

// target adds the condition that a node fits a filter's expression. The rows are n of nodes and s of seen.
func (l *listing) target(f *core.NodeFilter) {
	c := condition{f: f}
	text := c.of(f.Expr)
	l.and(text, c.args...)
	l.once = true
}

// condition translates an expression. Every part of its text is 0 or 1 and never NULL, so that the opposite is.
type condition struct {
	f    *core.NodeFilter
	args []any
}

func (c *condition) of(e target.Expr) string {
	switch e := e.(type) {
	case target.All:
		return "1"
	case target.Names:
		list := jsonList(e.List)
		c.args = append(c.args, list, list)
		return "(n.id IN (SELECT value FROM json_each(?)) OR n.name IN (SELECT value FROM json_each(?)))"
	case target.Glob:
		c.args = append(c.args, e.Pattern, e.Pattern)
		return "(target_glob(n.id, ?) OR target_glob(n.name, ?))"
	case target.Flag:
		return c.flag(e)
	case target.Has:
		c.args = append(c.args, e.Tag)
		return "(target_tag(n.tags, ?) IS NOT NULL)"
	case target.Compare:
		return c.compare(&e)
	case target.Not:
		return "NOT " + c.of(e.X)
	case target.And:
		return c.join(e, " AND ")
	case target.Or:
		return c.join(e, " OR ")
	}
	return "0" // as with Match
}

func (c *condition) join(list []target.Expr, with string) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = c.of(e)
	}
	return "(" + strings.Join(parts, with) + ")"
}

// flag is core.Node.Online in SQL, and the like.
func (c *condition) flag(f target.Flag) string {
	switch f {
	case target.Online:
		c.args = append(c.args, c.f.Now.Add(-core.OnlineWindow).UnixMicro())
		return "(s.at IS NOT NULL AND s.at > ? AND n.removed_at IS NULL)"
	case target.Cordoned:
		return "(n.cordoned_at IS NOT NULL)"
	}
	return "0"
}

func (c *condition) compare(e *target.Compare) string {
	if e.Field.Tag != "" {
		c.args = append(c.args, e.Field.Tag)
		return "ifnull(" + c.text("target_tag(n.tags, ?)", e) + ", 0)"
	}
	column := func(name string) string { return c.text("n."+name, e) }
	switch e.Field.Fact {
	case target.ID:
		return column("id")
	case target.Name:
		return column("name")
	case target.Hostname:
		return column("hostname")
	case target.Platform:
		return column("platform")
	case target.OS:
		return column("os_name")
	case target.Kernel:
		return column("kernel")
	case target.Arch:
		return column("arch")
	case target.Agent:
		return column("agent")
	case target.Zone:
		return column("zone")
	case target.PrivateIP:
		return column("private_ip")
	case target.PublicIP:
		return column("public_ip")
	case target.IP:
		return "(" + column("private_ip") + " OR " + column("public_ip") + ")"
	case target.RGroup:
		return column("resource_group")
	case target.Feature:
		return "EXISTS (SELECT 1 FROM json_each(n.features) e WHERE " + c.text("e.value", e) + ")"
	case target.GPU:
		return "EXISTS (SELECT 1 FROM json_each(n.gpus) e WHERE " + c.text("e.value", e) + ")"
	case target.CPUs:
		return "(n.cpus > 0 AND " + c.number("n.cpus", e) + ")"
	case target.MemGiB:
		return "(n.memory > 0 AND " + c.number("n.memory / 1073741824.0", e) + ")"
	case target.GPUs:
		return c.number("ifnull(json_array_length(n.gpus), 0)", e)
	}
	return "0"
}

// text compares a text. The result is NULL where that is.
func (c *condition) text(value string, e *target.Compare) string {
	switch e.Op {
	case target.Equal:
		if len(e.Values) == 1 {
			c.args = append(c.args, e.Values[0])
			return value + " = ?"
		}
		c.args = append(c.args, jsonList(e.Values))
		return value + " IN (SELECT value FROM json_each(?))"
	case target.Matches:
		c.args = append(c.args, e.Values[0])
		return "target_glob(" + value + ", ?)"
	case target.Less, target.LessEqual, target.More, target.MoreEqual:
		c.args = append(c.args, e.Values[0])
		return fmt.Sprintf("ifnull(target_compare(%s, ?) %s 0, 0)", value, e.Op)
	}
	return "0"
}

func (c *condition) number(value string, e *target.Compare) string {
	var parts []string
	for _, n := range e.Numbers() {
		c.args = append(c.args, n)
		parts = append(parts, fmt.Sprintf("%s %s ?", value, e.Op))
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}
