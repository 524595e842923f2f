package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
	"errand/internal/nodeset"
)

// targeting is which nodes somebody means.
type targeting struct {
	targets, exclude []string
	files            []string
	pick             string
	seed             uint64
}

func (t *targeting) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVarP(&t.targets, "target", "t", nil, "nodes as an `EXPRESSION`; may be repeated, and adds to the others (errand help targets)")
	flags.StringArrayVarP(&t.exclude, "exclude", "x", nil, "but not these, an `EXPRESSION`; may be repeated")
	flags.StringArrayVar(&t.files, "nodes-file", nil, "the nodes named in a `FILE`, one or a node set on each line; - is standard input")
	flags.StringVar(&t.pick, "pick", "", "only `N` of them, or N%, drawn by --seed")
	flags.Uint64Var(&t.seed, "seed", 0, "draw the same nodes again by the same `NUMBER`; left out, another one each time")
	_ = cmd.RegisterFlagCompletionFunc("target", completeTargets)
	_ = cmd.RegisterFlagCompletionFunc("exclude", completeTargets)
}

// selection is what the server is asked for.
type selection struct {
	Target  string  `json:"target,omitempty"`
	Exclude string  `json:"exclude,omitempty"`
	Pick    string  `json:"pick,omitempty"`
	Seed    *uint64 `json:"seed,omitempty"`
}

// choose puts together what positional arguments and flags name. An empty target means that nothing was named.
func (t *targeting) choose(cmd *cobra.Command, positional []string) (s selection, err error) {
	wanted := append(append([]string(nil), positional...), t.targets...)
	for _, file := range t.files {
		names, err := namesIn(cmd, file)
		if err != nil {
			return s, err
		}
		wanted = append(wanted, names)
	}
	s = selection{Target: union(wanted), Exclude: union(t.exclude), Pick: t.pick}
	switch {
	case t.pick == "" && cmd.Flags().Changed("seed"):
		return s, usage(errors.New("--seed wants --pick"))
	case t.pick != "" && !cmd.Flags().Changed("seed"):
		t.seed = uint64(rand.Uint32()) //nolint:gosec // a draw that can be repeated, not a secret
	}
	if t.pick != "" {
		s.Seed = &t.seed
	}
	return s, nil
}

// union is an expression for the nodes of any of several.
func union(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = "(" + e + ")"
	}
	return strings.Join(parts, " || ")
}

// namesIn reads names of nodes, folded into one expression.
func namesIn(cmd *cobra.Command, file string) (string, error) {
	in := cmd.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", usage(err)
		}
		defer f.Close() // it is only read
		in = f
	}
	var names []string
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		got, err := nodeset.Expand(line)
		if err != nil {
			return "", usage(fmt.Errorf("%s, line %d: %w", file, n, err))
		}
		names = append(names, got...)
	}
	if err := lines.Err(); err != nil {
		return "", err
	}
	if len(names) == 0 {
		return "", usage(fmt.Errorf("%s names no node", file))
	}
	return nodeset.Fold(names), nil
}

// preview asks which nodes a selection would take.
func (c *connection) preview(cmd *cobra.Command, api *client.Client, s selection) (p native.TargetPreview, err error) {
	return p, api.Call(cmd.Context(), http.MethodPost, "targets/preview", nil, s, &p)
}
