// Package targettest draws random expressions and nodes, for tests that ask whether two ways of judging nodes agree.
package targettest

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"

	"errand/internal/target"
)

// Node is a node to be judged.
type Node struct {
	Tags     map[string]string
	Texts    map[target.Fact]string // of the kind Text, and private_ip and public_ip for ip
	Features []string
	GPUs     []string // models
	CPUs     int      // 0 if it is not known
	MemGiB   float64  // 0 if it is not known
	Online   bool
	Cordoned bool
}

// Tag implements target.Subject.
func (n Node) Tag(key string) (string, bool) {
	v, ok := n.Tags[key]
	return v, ok
}

// Fact implements target.Subject.
func (n Node) Fact(f target.Fact) []string {
	switch f { //nolint:exhaustive // all others are texts
	case target.IP:
		return []string{n.Texts[target.PrivateIP], n.Texts[target.PublicIP]}
	case target.Feature:
		return n.Features
	case target.GPU:
		return n.GPUs
	case target.CPUs:
		if n.CPUs == 0 {
			return nil
		}
		return []string{fmt.Sprint(n.CPUs)}
	case target.MemGiB:
		if n.MemGiB == 0 {
			return nil
		}
		return []string{fmt.Sprint(n.MemGiB)}
	case target.GPUs:
		return []string{fmt.Sprint(len(n.GPUs))}
	}
	return []string{n.Texts[f]}
}

// Is implements target.Subject.
func (n Node) Is(f target.Flag) bool {
	return f == target.Online && n.Online || f == target.Cordoned && n.Cordoned
}

// texts are few, so that what is drawn often fits.
func texts() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{
		"a", "A", "b", "web", "web1", "web2", "web02", "web10", "1", "2", "10", "1.9", "1.10", "linux", "Linux", "x y", "ä", `"`, `\`, "it's", "all", "online", "",
	})
}

func keys() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"role", "env", "os", "a b", "k8s.io/role", "online", "hostnme", "tag.x"})
}

func patterns() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"*", "?", "w*", "*1*", "WEB?", "we* ?", "a", "", "*0", "[a]*", "1.*"})
}

func names() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if text := texts().Draw(t, "name"); text != "" {
			return text
		}
		return "web3"
	})
}

// Nodes draws nodes.
func Nodes() *rapid.Generator[Node] {
	return rapid.Custom(func(t *rapid.T) Node {
		n := Node{
			Tags: rapid.MapOfN(keys(), texts(), 0, 4).Draw(t, "tags"), Texts: make(map[target.Fact]string),
			Features: rapid.SliceOfN(names(), 0, 2).Draw(t, "features"), GPUs: rapid.SliceOfN(names(), 0, 2).Draw(t, "gpus"),
			CPUs: rapid.SampledFrom([]int{0, 1, 2, 8}).Draw(t, "cpus"), MemGiB: rapid.SampledFrom([]float64{0, 1, 62.5, 64}).Draw(t, "memory"),
			Online: rapid.Bool().Draw(t, "online"), Cordoned: rapid.Bool().Draw(t, "cordoned"),
		}
		for _, f := range target.Facts() {
			if f.Kind == target.Text {
				n.Texts[f.Name] = texts().Draw(t, string(f.Name))
			}
		}
		return n
	})
}

// Exprs draws expressions without groups.
func Exprs() *rapid.Generator[target.Expr] {
	return rapid.Custom(func(t *rapid.T) target.Expr { return expr(t, 4) })
}

func expr(t *rapid.T, depth int) target.Expr {
	choice := rapid.IntRange(0, 9).Draw(t, "kind")
	if depth == 0 {
		choice %= 7
	}
	switch choice {
	case 0:
		e, err := target.Parse(strings.Join(quoted(rapid.SliceOfN(names(), 1, 3).Draw(t, "names")), ","))
		if err != nil {
			t.Fatal(err)
		}
		return e
	case 1:
		return target.Glob{Pattern: patterns().Draw(t, "pattern")}
	case 2:
		return rapid.SampledFrom([]target.Expr{target.All{}, target.Online, target.Cordoned}).Draw(t, "flag")
	case 3:
		return target.Has{Tag: keys().Draw(t, "tag")}
	case 4:
		return compare(t, target.Field{Tag: keys().Draw(t, "tag")})
	case 5, 6:
		return compare(t, target.Field{Fact: rapid.SampledFrom(target.Facts()).Draw(t, "fact").Name})
	case 7:
		return target.Not{X: expr(t, depth-1)}
	}
	list := []target.Expr{expr(t, depth-1), expr(t, depth-1)}
	if choice == 8 {
		return target.And(list)
	}
	return target.Or(list)
}

func quoted(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	return out
}

func compare(t *rapid.T, f target.Field) target.Expr {
	ops := []target.Op{target.Equal, target.Equal, target.Matches, target.Less, target.LessEqual, target.More, target.MoreEqual}
	values := texts()
	if f.Tag == "" && f.Fact.Kind() == target.Number {
		ops, values = forNumbers(ops), rapid.SampledFrom([]string{"0", "1", "2", "2.0", "8", "62.5", "64"})
	}
	c := target.Compare{Field: f, Op: rapid.SampledFrom(ops).Draw(t, "op")}
	switch c.Op { //nolint:exhaustive // orders have one value of the usual kind
	case target.Matches:
		c.Values = []string{patterns().Draw(t, "pattern")}
	case target.Equal:
		c.Values = rapid.SliceOfNDistinct(values, 1, 3, rapid.ID).Draw(t, "values")
	default:
		c.Values = []string{values.Draw(t, "value")}
	}
	return c
}

// forNumbers are the comparisons that make sense for numbers.
func forNumbers(ops []target.Op) (list []target.Op) {
	for _, op := range ops {
		if op != target.Matches {
			list = append(list, op)
		}
	}
	return list
}
