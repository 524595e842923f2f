package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// show writes an answer as JSON or, with the columns that rows gives, as a table.
func (c *connection) show(cmd *cobra.Command, answer any, header string, rows [][]string) error {
	if c.format == "json" {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(answer)
	}
	return table(cmd.OutOrStdout(), header, rows)
}

// table writes rows in columns. header names the columns, with blanks between them.
func table(w io.Writer, header string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	lines := append([][]string{strings.Fields(header)}, rows...)
	for _, cells := range lines {
		for i, cell := range cells {
			if cell == "" {
				cell = "-"
			}
			cells[i] = printable(cell)
		}
		if _, err := fmt.Fprintln(t, strings.Join(cells, "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}

// printable takes out of a cell what would move the terminal's cursor.
func printable(cell string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, cell)
}

func when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateTime)
}

func state(disabled bool) string {
	if disabled {
		return "disabled"
	}
	return "enabled"
}

// each turns the entries of a list into rows.
func each[T any](list []T, row func(*T) []string) [][]string {
	rows := make([][]string, len(list))
	for i := range list {
		rows[i] = row(&list[i])
	}
	return rows
}

func joined(list []string) string { return strings.Join(list, ",") }
