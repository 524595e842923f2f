package main

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// formats are the ways in which a command shows an answer.
var formats = []string{"table", "wide", "json", "jsonl", "yaml", "csv", "name"}

// format says how an answer is shown.
type format struct {
	name    string   // one of formats
	columns []string // of table, wide and csv, in this order; none means the usual ones
	sort    string   // column to sort rows by; - before it turns the order round
}

func (f *format) add(flags *pflag.FlagSet) {
	flags.StringVarP(&f.name, "output", "o", "table", "table, wide, json, jsonl, yaml, csv or name; see errand help formats")
	flags.StringSliceVar(&f.columns, "columns", nil, "show these `COLUMNS` of a table, by their headings")
	flags.StringVar(&f.sort, "sort", "", "sort rows by this `COLUMN`; -COLUMN turns the order round")
}

func (f *format) check() error {
	if !slices.Contains(formats, f.name) {
		return usage(fmt.Errorf("--output is %s, not %q", strings.Join(formats[:len(formats)-1], ", ")+" or "+formats[len(formats)-1], f.name))
	}
	return nil
}

// structured reports whether answers are shown as data with all their members, rather than as rows.
func (f *format) structured() bool { return f.name == "json" || f.name == "jsonl" || f.name == "yaml" }

// show writes an answer. header names the columns of rows, with blanks between them; one that begins with + is only in wide tables and in CSV. The
// first column is what -o name prints. Formats of data take no notice of columns and order: they show what the server answered.
func (f *format) show(cmd *cobra.Command, answer any, header string, rows [][]string) error {
	if err := f.check(); err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	switch f.name {
	case "json":
		return writeJSON(w, answer, "  ")
	case "jsonl":
		return writeLines(w, answer)
	case "yaml":
		return writeYAML(w, answer)
	}
	g, err := newGrid(header, rows)
	if err != nil {
		return err
	}
	if err := g.order(f.sort); err != nil {
		return usage(err)
	}
	if f.name == "name" {
		return g.names(w)
	}
	if err := g.choose(f.columns, f.name != "table"); err != nil {
		return usage(err)
	}
	if f.name == "csv" {
		return g.csv(w)
	}
	return g.write(w)
}

// writeJSON writes JSON that does nothing to a terminal: also the control characters above 0x7e, which JSON would let through, are escaped.
func writeJSON(w io.Writer, v any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(w, escapeInvisible(b.String()))
	return err
}

// escapeInvisible writes invisible characters but line feeds as JSON and YAML do inside double quotes, where alone they can be.
func escapeInvisible(text string) string {
	if !strings.ContainsFunc(text, invisibleInLine) {
		return text
	}
	var safe strings.Builder
	for _, r := range text {
		if invisibleInLine(r) {
			fmt.Fprintf(&safe, `\u%04x`, r)
		} else {
			safe.WriteRune(r)
		}
	}
	return safe.String()
}

func invisibleInLine(r rune) bool { return r != '\n' && invisible(r) }

// writeLines writes each entry of a list as JSON on a line of its own, and anything else as one line.
func writeLines(w io.Writer, answer any) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	entries := []json.RawMessage{text}
	if list, ok := listOf(text); ok {
		entries = list
	}
	for _, e := range entries {
		if err := writeJSON(w, e, ""); err != nil {
			return err
		}
	}
	return nil
}

// listOf takes the entries out of a page: an array, or an object that has one array and nothing but what says where the page stands.
func listOf(text []byte) (list []json.RawMessage, ok bool) {
	if json.Unmarshal(text, &list) == nil {
		return list, true
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil {
		return nil, false
	}
	arrays := 0
	for name, value := range object {
		switch {
		case value[0] == '[':
			arrays++
			if err := json.Unmarshal(value, &list); err != nil {
				return nil, false
			}
		case name != "next" && name != "total" && name != "online" && name != "running":
			return nil, false
		}
	}
	return list, arrays == 1
}

// writeYAML writes an answer with the members and the order that its JSON has.
func writeYAML(w io.Writer, answer any) error {
	var text bytes.Buffer
	if err := writeJSON(&text, answer, ""); err != nil {
		return err
	}
	var node yaml.Node
	if err := yaml.Unmarshal(text.Bytes(), &node); err != nil { // this JSON is YAML, as YAML allows no raw control characters
		return err
	}
	plain(&node)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(&node), enc.Close()); err != nil {
		return err
	}
	_, err := io.WriteString(w, escapeInvisible(out.String()))
	return err
}

// plain makes the encoder choose how each value is written.
func plain(n *yaml.Node) {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		switch {
		case strings.ContainsFunc(n.Value, invisibleInLine):
			n.Style = yaml.DoubleQuotedStyle
		case strings.Contains(n.Value, "\n"):
			n.Style = yaml.LiteralStyle
		}
	}
	for _, c := range n.Content {
		plain(c)
	}
}

// grid is rows under headings.
type grid struct {
	heads []string
	wide  []bool
	rows  [][]string
	shown []int // the columns to show
}

func newGrid(header string, rows [][]string) (*grid, error) {
	g := &grid{rows: rows}
	for _, h := range strings.Fields(header) {
		name, wide := strings.CutPrefix(h, "+")
		g.heads, g.wide = append(g.heads, name), append(g.wide, wide)
	}
	for _, row := range rows {
		if len(row) != len(g.heads) {
			return nil, fmt.Errorf("a row of %d cells under %d headings", len(row), len(g.heads))
		}
	}
	return g, nil
}

// column finds a column by its heading, in any case and with _ for -.
func (g *grid) column(name string) (int, error) {
	i := slices.IndexFunc(g.heads, func(h string) bool { return strings.EqualFold(h, strings.ReplaceAll(name, "_", "-")) })
	if i < 0 {
		return 0, fmt.Errorf("no column %q; there are %s", name, strings.ToLower(strings.Join(g.heads, ", ")))
	}
	return i, nil
}

// order sorts the rows by a column, by number where both are numbers. Rows that are equal stay in their order.
func (g *grid) order(by string) error {
	if by == "" {
		return nil
	}
	name, down := strings.CutPrefix(by, "-")
	i, err := g.column(name)
	if err != nil {
		return err
	}
	slices.SortStableFunc(g.rows, func(a, b []string) int {
		c := compareCells(a[i], b[i])
		if down {
			return -c
		}
		return c
	})
	return nil
}

func compareCells(a, b string) int {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}

// choose decides which columns are shown.
func (g *grid) choose(columns []string, wide bool) error {
	for _, name := range columns {
		i, err := g.column(name)
		if err != nil {
			return err
		}
		g.shown = append(g.shown, i)
	}
	for i := range g.heads {
		if len(columns) == 0 && (wide || !g.wide[i]) {
			g.shown = append(g.shown, i)
		}
	}
	return nil
}

// cells are the texts of a row that are shown.
func (g *grid) cells(row []string) []string {
	out := make([]string, len(g.shown))
	for i, c := range g.shown {
		out[i] = row[c]
	}
	return out
}

func (g *grid) names(w io.Writer) error {
	for _, row := range g.rows {
		if _, err := fmt.Fprintln(w, printable(row[0])); err != nil {
			return err
		}
	}
	return nil
}

func (g *grid) csv(w io.Writer) error {
	out := csv.NewWriter(w)
	heads := g.cells(g.heads)
	for i, h := range heads {
		heads[i] = strings.ToLower(h)
	}
	for _, cells := range append([][]string{heads}, each(g.rows, func(row *[]string) []string { return g.cells(*row) })...) {
		for i := range cells {
			cells[i] = printable(cells[i])
		}
		if err := out.Write(cells); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// write writes a table: columns as wide as their widest cell, two blanks between them, none at the end of a line.
func (g *grid) write(w io.Writer) error {
	lines := make([][]string, 0, len(g.rows)+1)
	widths := make([]int, len(g.shown))
	for _, row := range append([][]string{g.heads}, g.rows...) {
		cells := g.cells(row)
		for i, cell := range cells {
			if cell == "" {
				cell = "-"
			}
			cells[i] = printable(cell)
			widths[i] = max(widths[i], displayWidth(cells[i]))
		}
		lines = append(lines, cells)
	}
	var b strings.Builder
	for _, cells := range lines {
		for i, cell := range cells {
			b.WriteString(cell)
			if i < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-displayWidth(cell)+2))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// table writes rows in columns. header names the columns, with blanks between them.
func table(w io.Writer, header string, rows [][]string) error {
	g, err := newGrid(header, rows)
	if err != nil {
		return err
	}
	if err := g.choose(nil, true); err != nil {
		return err
	}
	return g.write(w)
}
