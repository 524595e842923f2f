package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newReference writes the reference of all commands, for packages and for docs/cli.
func newReference() *cobra.Command {
	return &cobra.Command{
		Use: "reference man|markdown DIR", Short: "Write the reference of all commands to a folder", Hidden: true,
		Example: "  errand reference man man1\n  errand reference markdown cli", Args: func(cmd *cobra.Command, args []string) error {
			return usage(cobra.ExactArgs(2)(cmd, args))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var pages map[string][]byte
			var err error
			switch args[0] {
			case "man":
				pages, err = manPages(cmd.Root())
			case "markdown":
				pages, err = markdownPages(cmd.Root())
			default:
				err = usage(fmt.Errorf("want man or markdown, not %q", args[0]))
			}
			if err != nil {
				return err
			}
			if err := os.MkdirAll(args[1], 0o755); err != nil { //nolint:gosec // pages are for everybody
				return err
			}
			for name, text := range pages {
				if err := os.WriteFile(filepath.Join(args[1], name), text, 0o644); err != nil { //nolint:gosec // pages are for everybody
					return err
				}
			}
			return nil
		},
	}
}

// documented calls visit for each command that has a page of its own, the root first.
func documented(cmd *cobra.Command, visit func(*cobra.Command) error) error {
	cmd.InitDefaultHelpFlag()
	cmd.DisableAutoGenTag = true
	if err := visit(cmd); err != nil {
		return err
	}
	for _, sub := range cmd.Commands() {
		if sub.Hidden || sub.Name() == "help" && sub.HasParent() && !sub.Parent().HasParent() || sub.IsAdditionalHelpTopicCommand() {
			continue
		}
		if err := documented(sub, visit); err != nil {
			return err
		}
	}
	return nil
}

// pageName is the name of a command's page without its ending.
func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "_") }

// markdownPages are the pages of docs/cli by their names.
func markdownPages(root *cobra.Command) (map[string][]byte, error) {
	root.InitDefaultCompletionCmd()
	pages := map[string][]byte{}
	var index bytes.Buffer
	index.WriteString("# The command line\n\nGenerated from the program by `make reference`; [the guide](../cli.md) tells how it is used.\n\n| Command | |\n|---|---|\n")
	err := documented(root, func(cmd *cobra.Command) error {
		var b bytes.Buffer
		name := pageName(cmd) + ".md"
		fmt.Fprintf(&index, "| [%s](%s) | %s |\n", cmd.CommandPath(), name, cmd.Short)
		if err := doc.GenMarkdownCustom(cmd, &b, func(link string) string { return link }); err != nil {
			return err
		}
		pages[name] = tidied(b.Bytes())
		return nil
	})
	index.WriteString("\n| Topic | |\n|---|---|\n")
	for _, topic := range topics() {
		name := "help_" + topic.Name() + ".md"
		fmt.Fprintf(&index, "| [errand help %s](%s) | %s |\n", topic.Name(), name, topic.Short)
		pages[name] = fmt.Appendf(nil, "# errand help %s\n\n%s\n\n```\n%s\n```\n", topic.Name(), topic.Short, topic.Long)
	}
	pages["README.md"] = index.Bytes()
	return pages, err
}

// tidied takes blanks from the ends of lines, and more than one line feed from the end.
func tidied(text []byte) []byte {
	var b bytes.Buffer
	for line := range bytes.Lines(text) {
		b.Write(append(bytes.TrimRight(line, " \t\n"), '\n'))
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n')
}

// manPages are the manual pages by their names.
func manPages(root *cobra.Command) (map[string][]byte, error) {
	root.InitDefaultCompletionCmd()
	pages := map[string][]byte{}
	return pages, documented(root, func(cmd *cobra.Command) error {
		var b bytes.Buffer
		header := &doc.GenManHeader{Title: strings.ToUpper(strings.ReplaceAll(cmd.CommandPath(), " ", "-")), Section: "1", Source: "errand " + version, Manual: "Errand"}
		if err := doc.GenMan(cmd, header, &b); err != nil {
			return err
		}
		pages[strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"] = b.Bytes()
		return nil
	})
}
