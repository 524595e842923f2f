package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/sign"
)

// vendor is how a product of a vendor is called.
type vendor struct {
	name, version, region string
	path                  string
	form                  bool // parameters are a form; otherwise the body is JSON
	prepare               func(r *http.Request, action, version, region, token string)
	sign                  func(r *http.Request, body []byte, keyID, secret string) error
}

func vendors() []vendor {
	alibaba := vendor{
		region: "cn-hangzhou", path: "/", form: true,
		prepare: func(r *http.Request, action, version, _, token string) {
			r.Header.Set("X-Acs-Action", action)
			r.Header.Set("X-Acs-Version", version)
			r.Header.Set("Accept", "application/json")
			if token != "" {
				r.Header.Set("X-Acs-Security-Token", token)
			}
		},
		sign: func(r *http.Request, body []byte, keyID, secret string) error {
			return sign.SignACS3(r, body, keyID, secret, rand.Text(), time.Now())
		},
	}
	ecs, eflo := alibaba, alibaba
	ecs.name, ecs.version = "ecs", "2014-05-26"
	eflo.name, eflo.version = "eflo", "2022-12-15"
	return []vendor{ecs, eflo, {
		name: "tat", version: "2020-10-28", region: "ap-guangzhou", path: "/",
		prepare: func(r *http.Request, action, version, region, token string) {
			r.Header.Set("X-TC-Action", action)
			r.Header.Set("X-TC-Version", version)
			r.Header.Set("X-TC-Region", region)
			if token != "" {
				r.Header.Set("X-TC-Token", token)
			}
		},
		sign: func(r *http.Request, body []byte, keyID, secret string) error {
			sign.SignTC3(r, body, "tat", keyID, secret, time.Now())
			return nil
		},
	}, {
		name: "zos", version: "2025-10-10", path: "/api/v2/zos",
		prepare: func(r *http.Request, action, version, _, _ string) {
			r.Header.Set("X-ZC-Action", action)
			r.Header.Set("X-ZC-Version", version)
		},
		sign: func(r *http.Request, body []byte, keyID, secret string) error {
			sign.SignZC2(r, body, keyID, secret, time.Now())
			return nil
		},
	}}
}

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
			all := vendors()
			i := slices.IndexFunc(all, func(v vendor) bool { return v.name == args[0] })
			if i < 0 {
				return usage(fmt.Errorf("the product is ecs, eflo, tat or zos, not %q", args[0]))
			}
			v := all[i]
			if version != "" {
				v.version = version
			}
			if region == "" {
				region = v.region
			}
			params, err := parameters(cmd, args[2:])
			if err != nil {
				return usage(err)
			}
			return c.callVendor(cmd, &v, args[1], region, params)
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

// parameter is a parameter by its dotted name.
type parameter struct {
	path  []string
	value any
}

// parameters reads NAME=VALUE, NAME:=JSON or, with - alone, an object from standard input.
func parameters(cmd *cobra.Command, args []string) (list []parameter, err error) {
	if len(args) == 1 && args[0] == "-" {
		var object map[string]any
		dec := json.NewDecoder(io.LimitReader(cmd.InOrStdin(), 16<<20))
		dec.UseNumber()
		if err := dec.Decode(&object); err != nil {
			return nil, fmt.Errorf("standard input: want a JSON object: %w", err)
		}
		for name, value := range object {
			list = append(list, parameter{[]string{name}, value})
		}
		return list, nil
	}
	for _, text := range args {
		name, value, ok := strings.Cut(text, "=")
		p := parameter{value: value}
		if raw, isJSON := strings.CutSuffix(name, ":"); isJSON {
			name = raw
			dec := json.NewDecoder(strings.NewReader(value))
			dec.UseNumber()
			if err := dec.Decode(&p.value); err != nil {
				return nil, fmt.Errorf("%s: not JSON: %w", text, err)
			}
		}
		if !ok || name == "" {
			return nil, fmt.Errorf("%s: want NAME=VALUE or NAME:=JSON", text)
		}
		p.path = strings.Split(name, ".")
		list = append(list, p)
	}
	return list, nil
}

// flatten writes parameters as a form: structures and lists become dotted names, and lists count from 1.
func flatten(form url.Values, name string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			flatten(form, name+"."+key, inner)
		}
	case []any:
		for i, inner := range v {
			flatten(form, name+"."+strconv.Itoa(i+1), inner)
		}
	default:
		form.Set(name, fmt.Sprint(v))
	}
}

// nest builds the object that dotted names speak of.
func nest(list []parameter) (map[string]any, error) {
	root := map[string]any{}
	for _, p := range list {
		at := root
		for _, part := range p.path[:len(p.path)-1] {
			inner, ok := at[part].(map[string]any)
			if at[part] == nil {
				inner, ok = map[string]any{}, true
				at[part] = inner
			}
			if !ok {
				return nil, fmt.Errorf("%s is given twice", strings.Join(p.path, "."))
			}
			at = inner
		}
		at[p.path[len(p.path)-1]] = p.value
	}
	for key, value := range root {
		root[key] = lists(value)
	}
	return root, nil
}

// lists turns objects with the members 0, 1, 2 and so on into lists.
func lists(value any) any {
	object, ok := value.(map[string]any)
	if !ok {
		return value
	}
	list := make([]any, len(object))
	for key, inner := range object {
		inner = lists(inner)
		object[key] = inner
		i, err := strconv.Atoi(key)
		if err != nil || i < 0 || i >= len(list) {
			list = nil
			continue
		}
		if list != nil {
			list[i] = inner
		}
	}
	if len(list) == 0 || slices.Contains(list, nil) {
		return object
	}
	return list
}

// callVendor makes the call and prints what comes back.
func (c *connection) callVendor(cmd *cobra.Command, v *vendor, action, region string, params []parameter) error {
	api, err := c.dial()
	if err != nil {
		return err
	}
	if c.proof.keyID == "" {
		return errors.New("the vendors' APIs want an access key, and there is a bearer token alone; see errand key create")
	}
	var body []byte
	if v.form {
		form := url.Values{}
		for _, p := range params {
			flatten(form, strings.Join(p.path, "."), p.value)
		}
		if !form.Has("RegionId") {
			form.Set("RegionId", region)
		}
		body = []byte(form.Encode())
	} else {
		object, err := nest(params)
		if err != nil {
			return usage(err)
		}
		if body, err = json.Marshal(object); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(cmd.Context(), http.MethodPost, strings.TrimSuffix(c.server, "/")+v.path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if v.form {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	v.prepare(r, action, v.version, region, c.proof.token)
	if err := v.sign(r, body, c.proof.keyID, c.proof.secret); err != nil {
		return err
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
