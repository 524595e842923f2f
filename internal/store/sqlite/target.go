package sqlite

import (
	"fmt"
	"strings"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
	"errand/internal/nodeset"
	"errand/internal/target"
)

// addFunctions teaches a connection the two comparisons of target expressions that SQL does not have, in the very words of package target.
func addFunctions(conn *sqlite.Conn) error {
	err := conn.CreateFunction("target_glob", &sqlite.FunctionImpl{
		NArgs: 2, Deterministic: true,
		Scalar: func(_ sqlite.Context, args []sqlite.Value) (sqlite.Value, error) {
			return boolean(target.GlobMatch(args[0].Text(), args[1].Text())), nil
		},
	})
	if err != nil {
		return err
	}
	return conn.CreateFunction("target_compare", &sqlite.FunctionImpl{
		NArgs: 2, Deterministic: true,
		Scalar: func(_ sqlite.Context, args []sqlite.Value) (sqlite.Value, error) {
			return sqlite.IntegerValue(int64(nodeset.Compare(args[0].Text(), args[1].Text()))), nil
		},
	})
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
		return "(target_glob(?, n.id) OR target_glob(?, n.name))"
	case target.Flag:
		return c.flag(e)
	case target.Has:
		c.args = append(c.args, e.Tag)
		return "EXISTS (SELECT 1 FROM json_each(n.tags) e WHERE e.value ->> 0 = ?)"
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
		return "EXISTS (SELECT 1 FROM json_each(n.tags) e WHERE e.value ->> 0 = ? AND " + c.text("(e.value ->> 1)", e) + ")"
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

// text compares a text. What is empty has no place in any order.
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
		return "target_glob(?, " + value + ")"
	case target.Less, target.LessEqual, target.More, target.MoreEqual:
		c.args = append(c.args, e.Values[0])
		return fmt.Sprintf("(%s <> '' AND target_compare(%s, ?) %s 0)", value, value, e.Op)
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
