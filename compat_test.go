package errand_test

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"errand/internal/api"
	"errand/internal/api/ecs"
	"errand/internal/api/eflo"
	"errand/internal/api/tat"
	"errand/internal/api/zos"
)

var update = flag.Bool("update", false, "write docs/compatibility.md anew")

const compatibilityPage = "docs/compatibility.md"

// product is a dialect as the page describes it.
type product struct {
	name, title string
	actions     map[string]api.Action
}

func products() []product {
	env := api.Env{}
	return []product{
		{"ecs", "Alibaba Cloud ECS, Cloud Assistant (2014-05-26)", ecs.New(env).Actions},
		{"eflo", "Alibaba Cloud PAI Lingjun, eflo-controller (2022-12-15)", eflo.New(env).Actions},
		{"tat", "Tencent Cloud TAT (2020-10-28)", tat.New(env).Actions},
		{"zos", "Zenlayer ZOS (2025-10-10)", zos.New(env).Actions},
	}
}

// TestCompatibility compares docs/compatibility.md with the code and the tests: every action, parameter and field of an answer has a test
// that names it together with its action, and the page says which. When such a test goes, the page is wrong or cannot be made.
//
//	go test -run TestCompatibility . -update
func TestCompatibility(t *testing.T) {
	t.Parallel()
	var page strings.Builder
	page.WriteString(compatibilityIntro)
	for _, p := range products() {
		describe(t, &page, p)
	}
	if t.Failed() {
		return
	}
	if *update {
		if err := os.WriteFile(compatibilityPage, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(compatibilityPage)
	if err != nil || string(written) != page.String() {
		t.Errorf("%s is out of date (%v): go test -run TestCompatibility . -update", compatibilityPage, err)
	}
}

const compatibilityIntro = `# Compatibility

Every action of the four APIs that is served, with each parameter and each field of its answer, and beside it a test that proves it. This page is
made from the code and the tests by ` + "`go test -run TestCompatibility . -update`" + `; a test fails when it differs from them. The page
[clients.md](clients.md) says how to point a client here.

A test under "story" tells the action's story through the vendor's own SDK.
`

func describe(t *testing.T, page *strings.Builder, p product) {
	tests := readTests(t, filepath.Join("internal", "api", p.name), "Test")
	stories := readTests(t, filepath.Join("internal", "api", "apitest"), "")
	rivals := slices.Sorted(maps.Keys(p.actions))
	fmt.Fprintf(page, "\n## %s\n\n%d actions.\n", p.title, len(p.actions))
	for _, name := range rivals {
		a := p.actions[name]
		story := stories.proof(rivals, p.name, name)
		if story == "" {
			t.Errorf("%s %s: no story through an SDK names it", p.name, name)
		}
		fmt.Fprintf(page, "\n### %s %s\n\nStory: `%s`\n\n| | Name | Test |\n|---|---|---|\n", p.name, name, story)
		row := func(kind, field string) {
			test := cmp.Or(tests.proof(rivals, name, lastWord(field)), tests.proof(rivals, name, exported(lastWord(field))))
			if test == "" {
				t.Errorf("%s %s: no test names its %s %s", p.name, name, kind, field)
			}
			fmt.Fprintf(page, "| %s | `%s` | `%s` |\n", kind, field, test)
		}
		for _, field := range fieldsOf(a.Parameters) {
			row("parameter", field)
		}
		for _, field := range fieldsOf(a.Fields) {
			row("field", field)
		}
	}
}

// exported is the name of the Go field that stands for a name on the wire.
func exported(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

func lastWord(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// fieldsOf lists the names in a structure as callers write them, with a dot for each level.
func fieldsOf(t reflect.Type) []string {
	var names []string
	var walk func(t reflect.Type, prefix string)
	walk = func(t reflect.Type, prefix string) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || strings.Contains(t.PkgPath(), ".") {
			return
		}
		for i := range t.NumField() {
			f := t.Field(i)
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case tag == "-":
				continue
			case f.Anonymous:
				walk(f.Type, prefix)
				continue
			case !f.IsExported():
				continue
			}
			name := prefix + cmp.Or(tag, f.Name)
			names = append(names, name)
			walk(f.Type, name+".")
		}
	}
	walk(t, "")
	return slices.Compact(names)
}

// testWords is what each test of a folder names, itself and through whatever of its package it uses.
type testWords map[string]map[string]bool

// proof is the test that names all these words, and besides them the fewest of the rivals and then the fewest others: a test about one
// thing proves more about it.
func (w testWords) proof(rivals []string, words ...string) string {
	type size struct{ rivals, words int }
	best, least := "", size{}
	for _, test := range slices.Sorted(maps.Keys(w)) {
		named := w[test]
		if slices.ContainsFunc(words, func(word string) bool { return !named[word] }) {
			continue
		}
		s := size{words: len(named)}
		for _, r := range rivals {
			if named[r] {
				s.rivals++
			}
		}
		if best == "" || s.rivals < least.rivals || s.rivals == least.rivals && s.words < least.words {
			best, least = test, s
		}
	}
	return best
}

var ofProduct = regexp.MustCompile(`^(ecs|eflo|tat|zos)[A-Z]`)

var word = regexp.MustCompile(`[A-Za-z][A-Za-z0-9_]*`)

// notStories are exported functions of the stories' folder that tell none.
var notStories = []string{"Callers", "Matrix"}

// readTests reads the tests of a folder: the functions whose name begins like this, or without such a beginning all that are exported and
// no tests.
func readTests(t *testing.T, dir, prefix string) testWords {
	t.Helper()
	type declaration struct{ words, uses map[string]bool }
	declared := map[string]*declaration{}
	collect := func(name string, node ast.Node) {
		d := declared[name]
		if d == nil {
			d = &declaration{words: map[string]bool{}, uses: map[string]bool{}}
			declared[name] = d
		}
		ast.Inspect(node, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if n.Kind == token.STRING {
					text, err := strconv.Unquote(n.Value)
					if err != nil {
						text = n.Value
					}
					for _, w := range word.FindAllString(text, -1) {
						d.words[w] = true
					}
				}
			case *ast.Ident:
				d.words[n.Name], d.uses[n.Name] = true, true
				if m := ofProduct.FindStringSubmatch(n.Name); m != nil {
					d.words[m[1]] = true // efloVersion is about eflo
				}
			}
			return true
		})
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() && e.Name() == "node_modules" {
			return cmp.Or(err, fs.SkipDir)
		}
		if e.IsDir() || !strings.HasSuffix(path, ".go") || !strings.HasSuffix(path, "_test.go") && prefix != "" {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				name := decl.Name.Name
				if decl.Recv != nil {
					name = "." + name
				}
				collect(name, decl)
				if decl.Recv != nil { // a method belongs to whoever uses the type
					ast.Inspect(decl.Recv, func(n ast.Node) bool {
						if id, ok := n.(*ast.Ident); ok && len(decl.Recv.List[0].Names) > 0 && id.Name != decl.Recv.List[0].Names[0].Name {
							collect(id.Name, decl)
						}
						return true
					})
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					switch spec := spec.(type) {
					case *ast.ValueSpec:
						for _, id := range spec.Names {
							collect(id.Name, spec)
						}
					case *ast.TypeSpec:
						collect(spec.Name.Name, spec)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := testWords{}
	for name := range declared {
		story := token.IsExported(name) && !strings.HasPrefix(name, "Test") && !slices.Contains(notStories, name)
		if prefix != "" && !strings.HasPrefix(name, prefix) || prefix == "" && !story {
			continue
		}
		words, seen := map[string]bool{}, map[string]bool{}
		var visit func(string)
		visit = func(name string) {
			d := declared[name]
			if d == nil || seen[name] {
				return
			}
			seen[name] = true
			maps.Copy(words, d.words)
			for used := range d.uses {
				visit(used)
			}
		}
		visit(name)
		tests[name] = words
	}
	return tests
}
