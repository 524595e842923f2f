package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/explore"
)

func newAPI() *cobra.Command {
	var c connection
	var version, region string
	cmd := &cobra.Command{
		Use: "api PRODUCT ACTION [NAME=VALUE]...", Short: "Call an action of a vendor's API on the server, signed",
		Long: `Calls an action of one of the four vendors' APIs as that vendor's own command line would, and prints the answer. PRODUCT is ecs, eflo, tat or zos.

NAME=VALUE is a parameter; NAME:=JSON gives one that is no text. Dots go into structures and lists: InstanceId.1=web-1 (ecs and eflo count from 1),
InstanceIds.0=web-1 (tat and zos from 0). With - as the only parameter the whole request is read from standard input, as a JSON object.` + connectHelp,
		Example: `  errand api ecs DescribeCloudAssistantStatus InstanceId.1=web-1
  errand api ecs RunCommand Type=RunShellScript CommandContent='uname -a' InstanceId.1=web-1 ContentEncoding=PlainText
  errand api tat DescribeAutomationAgentStatus InstanceIds.0=web-1 Limit:=5
  errand api zos DescribeCommands
  errand api eflo DescribeNode NodeId=web-1`,
		Args: func(cmd *cobra.Command, args []string) error { return usage(cobra.MinimumNArgs(2)(cmd, args)) },
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return []string{"ecs", "eflo", "tat", "zos"}, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			v, ok := explore.Find(args[0])
			if !ok {
				return usage(fmt.Errorf("the product is ecs, eflo, tat or zos, not %q", args[0]))
			}
			params, err := parameters(cmd, args[2:])
			if err != nil {
				return usage(err)
			}
			return c.callVendor(cmd, &v, &explore.Call{Action: args[1], Version: version, Region: region, Parameters: params})
		},
	}
	c.add(cmd)
	for _, flag := range []string{"output", "columns", "sort"} {
		_ = cmd.PersistentFlags().MarkHidden(flag) // the answer is the vendor's
	}
	cmd.Flags().StringVar(&version, "api-version", "", "`VERSION` of the API; left out, the one that the server speaks")
	cmd.Flags().StringVar(&region, "region", "", "`REGION` that the request names; left out, one of the vendor's")
	return cmd
}

// parameters reads NAME=VALUE, NAME:=JSON or, with - alone, an object from standard input.
func parameters(cmd *cobra.Command, args []string) ([]explore.Parameter, error) {
	if len(args) != 1 || args[0] != "-" {
		return explore.Parameters(args)
	}
	list, err := explore.Object(cmd.InOrStdin())
	if err != nil {
		err = fmt.Errorf("standard input: %w", err)
	}
	return list, err
}

// callVendor makes the call and prints what comes back.
func (c *connection) callVendor(cmd *cobra.Command, v *explore.Product, call *explore.Call) error {
	api, err := c.dial()
	if err != nil {
		return err
	}
	if c.proof.keyID == "" {
		return errors.New("the vendors' APIs want an access key, and there is a bearer token alone; see errand key create")
	}
	call.Server, call.KeyID, call.Secret, call.Token, call.Now = c.server, c.proof.keyID, c.proof.secret, c.proof.token, time.Now()
	r, _, err := v.Request(cmd.Context(), call)
	if err != nil {
		return usage(err)
	}
	status, text, err := api.Send(r)
	if err != nil {
		return err
	}
	var answer json.RawMessage
	if json.Unmarshal(text, &answer) != nil {
		return fmt.Errorf("the server answers %d with what is no JSON: %.200q", status, text)
	}
	if err := writeJSON(cmd.OutOrStdout(), answer, "  "); err != nil {
		return err
	}
	return vendorCode(status, text)
}

// vendorCode is the exit code of an answer. Tencent's errors come with status 200.
func vendorCode(status int, text []byte) error {
	var tencent struct {
		Response struct {
			Error *struct{ Code string }
		}
	}
	_ = json.Unmarshal(text, &tencent) // any other answer has none
	code := ""
	if tencent.Response.Error != nil {
		code = tencent.Response.Error.Code
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden || strings.HasPrefix(code, "AuthFailure") || strings.HasPrefix(code, "UnauthorizedOperation"):
		return exitDenied
	case status != http.StatusOK || code != "":
		return exitFailed
	default:
		return nil
	}
}
