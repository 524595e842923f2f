package depot

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// offer is a package for machines of one architecture.
type offer struct {
	form, arch, version, name string
	sum                       string // SHA-256, in hexadecimal digits
}

// names are those that make packages gives to the agent's packages. A version has no character that means anything to a shell.
var names = []struct {
	form string
	name *regexp.Regexp
}{
	{"deb", regexp.MustCompile(`^errand-agent_([0-9][0-9A-Za-z.+~]*)_(amd64|arm64)\.deb$`)},
	{"rpm", regexp.MustCompile(`^errand-agent-([0-9][0-9A-Za-z.+~]*)-1\.(x86_64|aarch64)\.rpm$`)},
	{"tar", regexp.MustCompile(`^errand-agent-([0-9][0-9A-Za-z.+~]*)-linux-(amd64|arm64)\.tar\.gz$`)},
}

// parse reads the name of a package.
func parse(name string) (o offer, ok bool) {
	for _, n := range names {
		if m := n.name.FindStringSubmatch(name); m != nil {
			arch := map[string]string{"x86_64": "amd64", "aarch64": "arm64"}[m[2]]
			return offer{form: n.form, arch: cmp.Or(arch, m[2]), version: m[1], name: name}, true
		}
	}
	return offer{}, false
}

// offers lists the newest package of each form and architecture.
func (d *Depot) offers() ([]offer, error) {
	if d.Dir == "" {
		return nil, nil
	}
	files, err := os.ReadDir(d.Dir)
	if err != nil {
		return nil, err
	}
	newest := map[[2]string]offer{}
	for _, f := range files {
		o, ok := parse(f.Name())
		slot := [2]string{o.form, o.arch}
		if best, found := newest[slot]; ok && (!found || compareVersions(best.version, o.version) < 0) {
			newest[slot] = o
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.sums, func(name string, _ sum) bool {
		o, _ := parse(name)
		return newest[[2]string{o.form, o.arch}].name != name
	})
	var list []offer
	for _, o := range newest {
		o.sum, err = d.digest(o.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it went meanwhile
		}
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b offer) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

// compareVersions orders versions as Debian does for those that make packages takes: number by number, and 1.0~rc1 before 1.0 before 1.0+1.
func compareVersions(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a = word(a)
		y, b = word(b)
		if order := compareWords(x, y); order != 0 {
			return order
		}
	}
	return 0
}

// word cuts a number, a run of letters or one sign off a version.
func word(s string) (first, rest string) {
	class := func(c byte) int {
		switch {
		case c >= '0' && c <= '9':
			return 0
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			return 1
		default:
			return 2
		}
	}
	n := 0
	for n < len(s) && class(s[n]) == class(s[0]) && (n == 0 || class(s[0]) != 2) {
		n++
	}
	return s[:n], s[n:]
}

func compareWords(x, y string) int {
	// A pre-release comes before the end, anything else after it.
	rank := func(w string) int {
		switch w {
		case "~":
			return -1
		case "":
			return 0
		default:
			return 1
		}
	}
	n, xerr := strconv.ParseUint(x, 10, 64)
	m, yerr := strconv.ParseUint(y, 10, 64)
	if xerr == nil && yerr == nil {
		return cmp.Compare(n, m)
	}
	return cmp.Or(cmp.Compare(rank(x), rank(y)), strings.Compare(x, y))
}
