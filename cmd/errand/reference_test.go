package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestReferenceIsCurrent keeps docs/cli as the program is.
func TestReferenceIsCurrent(t *testing.T) {
	t.Parallel()
	pages, err := markdownPages(newRoot())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join("..", "..", "docs", "cli")
	for name, want := range pages {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("docs/cli/%s is not what the program says: run make reference (%v)", name, err)
		}
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range there {
		if pages[f.Name()] == nil {
			t.Errorf("docs/cli/%s is about no command: run make reference", f.Name())
		}
	}
}

// TestManPages looks for each command's page, with its synopsis and its examples.
func TestManPages(t *testing.T) {
	t.Parallel()
	pages, err := manPages(newRoot())
	if err != nil {
		t.Fatal(err)
	}
	for name, texts := range map[string][]string{
		"errand.1":          {".TH \"ERRAND\" \"1\"", "errand-run(1)"},
		"errand-run.1":      {".SH SYNOPSIS", ".SH EXAMPLE", "max-failures"},
		"errand-runs-ls.1":  {".SH OPTIONS", "--state failed"},
		"errand-ctx-show.1": {".SH EXAMPLE"},
	} {
		for _, text := range texts {
			if !strings.Contains(strings.ReplaceAll(string(pages[name]), `\`, ""), strings.ReplaceAll(text, `\`, "")) {
				t.Errorf("no %q in %s", text, name)
			}
		}
	}
}

// TestHelp asks every command for help: what it is in one line, and for one that does something an example that begins with its name.
func TestHelp(t *testing.T) {
	t.Parallel()
	root := newRoot()
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		var out bytes.Buffer
		c.SetOut(&out)
		if err := c.Help(); err != nil || !strings.Contains(out.String(), "Usage:") && c.Runnable() {
			t.Errorf("%s: %v %s", c.CommandPath(), err, out.String())
		}
		if c.Short == "" || c.HasParent() && c.GroupID == "" && !c.Parent().HasParent() && !c.Hidden && !c.IsAdditionalHelpTopicCommand() {
			t.Errorf("%s has no help, or is in no group", c.CommandPath())
		}
		if c.Runnable() && !c.HasSubCommands() && c.Name() != "agent" && !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Long) {
			if len([]rune(line)) > 170 {
				t.Errorf("%s: a line of %d characters", c.CommandPath(), len(line))
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
}
