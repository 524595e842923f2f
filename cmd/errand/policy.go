package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
)

func newPolicy() *cobra.Command {
	return group("policy", "Manage policies and ask what they decide",
		`Policies are documents in the form of Alibaba Cloud RAM: statements that allow or deny actions on resources. A denial beats a permission,
and what nothing allows is denied. They hold through every API alike. Three come with the program: AdministratorAccess, ReadOnlyAccess and
OperatorAccess.`,
		policyList, policyPut, policyShow, policyDelete,
		func(c *connection) *cobra.Command {
			return policyLink(c, "attach", "Give a user the rights of a policy", http.MethodPut)
		},
		func(c *connection) *cobra.Command {
			return policyLink(c, "detach", "Take a policy from a user", http.MethodDelete)
		},
		policyExplain,
	)
}

func policyRow(p *native.Policy) []string {
	origin := "account"
	if p.Builtin {
		origin = "program"
	}
	return []string{p.Name, origin, when(p.UpdatedAt), p.Description}
}

func policyList(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the policies", Example: "  errand policy list", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list native.Policies
			if err := c.call(cmd, http.MethodGet, "policies", nil, nil, &list); err != nil {
				return err
			}
			return c.show(cmd, list, "NAME ORIGIN UPDATED DESCRIPTION", each(list.Policies, policyRow))
		},
	}
}

func policyPut(c *connection) *cobra.Command {
	var description string
	cmd := &cobra.Command{
		Use: "put NAME FILE", Short: "Store a policy, or replace the one of this name",
		Example: "  errand policy put web-only web-only.json\n  errand policy put web-only - <web-only.json", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readFile(cmd, args[1])
			if err != nil {
				return err
			}
			var p native.Policy
			body := map[string]string{"description": description, "document": string(text)}
			if err := c.call(cmd, http.MethodPut, client.Path("policies", args[0]), nil, body, &p); err != nil {
				return err
			}
			return c.show(cmd, p, "NAME ORIGIN UPDATED DESCRIPTION", [][]string{policyRow(&p)})
		},
	}
	cmd.Flags().StringVar(&description, "description", "", "`TEXT` for people")
	return cmd
}

// readFile reads a file, or standard input for "-".
func readFile(cmd *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	return os.ReadFile(name)
}

func policyShow(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Print the document of a policy", Example: "  errand policy show OperatorAccess", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var p native.Policy
			if err := c.call(cmd, http.MethodGet, client.Path("policies", args[0]), nil, nil, &p); err != nil {
				return err
			}
			if c.structured() {
				return c.show(cmd, p, "", nil)
			}
			var text bytes.Buffer
			if err := json.Indent(&text, p.Document, "", "  "); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSpace(text.String()))
			return err
		},
	}
}

func policyDelete(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Short: "Delete a policy that no user has", Example: "  errand policy delete web-only", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, http.MethodDelete, client.Path("policies", args[0]), nil, nil, nil)
		},
	}
}

func policyLink(c *connection, verb, short, method string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " USER POLICY", Short: short, Example: "  errand policy " + verb + " ann OperatorAccess", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, method, client.Path("users", args[0], "policies", args[1]), nil, nil, nil)
		},
	}
}

func policyExplain(c *connection) *cobra.Command {
	var q struct {
		User         string   `json:"user"`
		Action       string   `json:"action"`
		Resources    []string `json:"resources"`
		Region       string   `json:"region"`
		Source       string   `json:"source"`
		Secure       bool     `json:"secure"`
		Tags         []string `json:"tags"`
		ResourceTags []string `json:"resource_tags"`
	}
	cmd := &cobra.Command{
		Use: "explain --user USER --action ACTION [--resource KIND/ID]...", Short: "Say what would become of a call, and which statement decides",
		Long: `Decides what would become of a call, without making it, and names the statement that decides. With -o json, it says for every statement
whether it is about the call and why. The exit code is 0 if the call would be allowed and 4 if not.`,
		Example: `  errand policy explain --user ann --action ecs:RunCommand --resource node/web-1
  errand policy explain --user ann --action invocation.run --resource node/web-1 --resource-tag env=prod --source 192.0.2.7`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.User == "" || q.Action == "" {
				return usage(errors.New("--user and --action say what is asked"))
			}
			var e native.Explanation
			if err := c.call(cmd, http.MethodPost, "policies/explain", nil, q, &e); err != nil {
				return err
			}
			if err := c.explain(cmd, &e); err != nil || e.Allowed {
				return err
			}
			return exitDenied
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.User, "user", "", "who calls, by `NAME`")
	flags.StringVar(&q.Action, "action", "", "`ACTION` of a vendor (ecs:RunCommand) or a verb (invocation.run)")
	flags.StringSliceVar(&q.Resources, "resource", nil, "what the call is about, `KIND/ID`: node/web-1, command/*")
	flags.StringVar(&q.Region, "region", "", "`REGION` of the call")
	flags.StringVar(&q.Source, "source", "", "`ADDRESS` the call comes from")
	flags.BoolVar(&q.Secure, "secure", false, "the call comes over TLS")
	flags.StringSliceVar(&q.Tags, "tag", nil, "tag that the call puts on what it makes, `KEY=VALUE`")
	flags.StringSliceVar(&q.ResourceTags, "resource-tag", nil, "tag that the resources have, `KEY=VALUE`; of nodes, their own are known")
	return cmd
}

// explain prints a decision in words, then each statement's part in it.
func (c *connection) explain(cmd *cobra.Command, e *native.Explanation) error {
	if c.structured() {
		return c.show(cmd, e, "", nil)
	}
	verdict := "denied"
	if e.Allowed {
		verdict = "allowed"
	}
	by := "no statement decides"
	switch {
	case e.Policy != "":
		by = fmt.Sprintf("statement %d of policy %s decides, on %s", e.Statement, e.Policy, e.Resource)
	case e.Allowed:
		by = "root may do everything"
	}
	text := fmt.Sprintf("%s: %s\n", verdict, by)
	if e.Reason != "" {
		text += e.Reason + "\n"
	}
	if _, err := io.WriteString(cmd.OutOrStdout(), text); err != nil || len(e.Traces) == 0 {
		return err
	}
	rows := each(e.Traces, func(t *native.Trace) []string {
		matched := "no"
		if t.Matched {
			matched = "yes"
		}
		return []string{t.Policy, fmt.Sprint(t.Statement), t.Effect, t.Resource, matched, t.Reason}
	})
	if _, err := fmt.Fprintln(cmd.OutOrStdout()); err != nil {
		return err
	}
	return table(cmd.OutOrStdout(), "POLICY STATEMENT EFFECT RESOURCE APPLIES BECAUSE", rows)
}
