// Package explore calls the vendors' APIs from outside, as their own clients do: it knows what a product is called by, reads parameters that people type, and makes
// signed requests of them. The command line and the console share it.
package explore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"errand/internal/api/sign"
)

// Product is how a product of a vendor is called.
type Product struct {
	Name, Version, Region string
	Tokenless             bool // its signatures have no place for the token of a temporary key
	path                  string
	form                  bool // parameters are a form; otherwise the body is JSON
	prepare               func(r *http.Request, action, version, region, token string)
	sign                  func(r *http.Request, body []byte, keyID, secret string, now time.Time) error
}

// Products are those that the server speaks.
func Products() []Product {
	alibaba := Product{
		Region: "cn-hangzhou", path: "/", form: true,
		prepare: func(r *http.Request, action, version, _, token string) {
			r.Header.Set("X-Acs-Action", action)
			r.Header.Set("X-Acs-Version", version)
			r.Header.Set("Accept", "application/json")
			if token != "" {
				r.Header.Set("X-Acs-Security-Token", token)
			}
		},
		sign: func(r *http.Request, body []byte, keyID, secret string, now time.Time) error {
			return sign.SignACS3(r, body, keyID, secret, rand.Text(), now)
		},
	}
	ecs, eflo := alibaba, alibaba
	ecs.Name, ecs.Version = "ecs", "2014-05-26"
	eflo.Name, eflo.Version = "eflo", "2022-12-15"
	return []Product{ecs, eflo, {
		Name: "tat", Version: "2020-10-28", Region: "ap-guangzhou", path: "/",
		prepare: func(r *http.Request, action, version, region, token string) {
			r.Header.Set("X-TC-Action", action)
			r.Header.Set("X-TC-Version", version)
			r.Header.Set("X-TC-Region", region)
			if token != "" {
				r.Header.Set("X-TC-Token", token)
			}
		},
		sign: func(r *http.Request, body []byte, keyID, secret string, now time.Time) error {
			sign.SignTC3(r, body, "tat", keyID, secret, now)
			return nil
		},
	}, {
		Name: "zos", Tokenless: true, Version: "2025-10-10", path: "/api/v2/zos",
		prepare: func(r *http.Request, action, version, _, _ string) {
			r.Header.Set("X-ZC-Action", action)
			r.Header.Set("X-ZC-Version", version)
		},
		sign: func(r *http.Request, body []byte, keyID, secret string, now time.Time) error {
			sign.SignZC2(r, body, keyID, secret, now)
			return nil
		},
	}}
}

// Parameter is a parameter by its dotted name.
type Parameter struct {
	path  []string
	value any
}

// Object reads a whole request as a JSON object.
func Object(r io.Reader) (list []Parameter, err error) {
	var object map[string]any
	dec := json.NewDecoder(io.LimitReader(r, 16<<20))
	dec.UseNumber()
	if err := dec.Decode(&object); err != nil {
		return nil, fmt.Errorf("want a JSON object: %w", err)
	}
	for name, value := range object {
		list = append(list, Parameter{[]string{name}, value})
	}
	return list, nil
}

// Parameters reads NAME=VALUE or NAME:=JSON. Dots go into structures and lists.
func Parameters(args []string) (list []Parameter, err error) {
	for _, text := range args {
		name, value, ok := strings.Cut(text, "=")
		p := Parameter{value: value}
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
func nest(list []Parameter) (map[string]any, error) {
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

// Find finds a product by its name.
func Find(name string) (Product, bool) {
	all := Products()
	i := slices.IndexFunc(all, func(p Product) bool { return p.Name == name })
	if i < 0 {
		return Product{}, false
	}
	return all[i], true
}

// Call is what a request asks for, and in whose name.
type Call struct {
	Server, Action       string // http(s)://HOST[:PORT]
	Version, Region      string // those of the product if empty
	Parameters           []Parameter
	KeyID, Secret, Token string
	Now                  time.Time
}

// Request makes a signed request, and returns its body beside it.
func (p *Product) Request(ctx context.Context, c *Call) (r *http.Request, body []byte, err error) {
	if c.Version == "" {
		c.Version = p.Version
	}
	if c.Region == "" {
		c.Region = p.Region
	}
	if p.form {
		form := url.Values{}
		for _, param := range c.Parameters {
			flatten(form, strings.Join(param.path, "."), param.value)
		}
		if !form.Has("RegionId") {
			form.Set("RegionId", c.Region)
		}
		body = []byte(form.Encode())
	} else {
		object, err := nest(c.Parameters)
		if err != nil {
			return nil, nil, err
		}
		if body, err = json.Marshal(object); err != nil {
			return nil, nil, err
		}
	}
	if r, err = http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.Server, "/")+p.path, bytes.NewReader(body)); err != nil {
		return nil, nil, err
	}
	if p.form {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	p.prepare(r, c.Action, c.Version, c.Region, c.Token)
	return r, body, p.sign(r, body, c.KeyID, c.Secret, c.Now)
}
