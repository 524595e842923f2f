package alibaba

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"errand/internal/api"
	"errand/internal/api/sign"
	"errand/internal/core"
)

// Envelope is what an action may need to know of its request besides the parameters. Requests embed it and Decode fills it.
type Envelope struct {
	Host string `json:"-"` // as the caller addressed us
	Hash string `json:"-"` // of everything the caller asked for, the same for a repetition of the call
}

func (e *Envelope) seal(r *api.Request) { e.Host, e.Hash = r.Host, requestHash(actionOf(r), r.Params) }

// Decode fills a request struct and checks that the fields marked `alibaba:"required"` were sent.
func Decode(r *api.Request, dst any) error {
	if err := api.DecodeFlat(r.Params, dst); err != nil {
		return paramError(err)
	}
	if name := absent(reflect.ValueOf(dst).Elem()); name != "" {
		return Missing(name)
	}
	if e, ok := dst.(interface{ seal(r *api.Request) }); ok {
		e.seal(r)
	}
	return nil
}

func absent(v reflect.Value) string {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			if name := absent(v.Field(i)); name != "" {
				return name
			}
		}
		if f.Tag.Get("alibaba") == "required" && v.Field(i).IsZero() {
			return f.Name
		}
	}
	return ""
}

// paramError names the parameter by its first word: the vendor's codes speak of InstanceId, not of its third element.
func paramError(err error) error {
	var p *api.ParamError
	if !errors.As(err, &p) {
		return err
	}
	name, _, _ := strings.Cut(p.Name, ".")
	reason := core.ReasonInvalidValue
	switch name {
	case "":
		return fmt.Errorf("%w: %w", Refuse(malformed), err)
	case "PageNumber":
		reason = core.ReasonPageNumber
	case "PageSize":
		reason = core.ReasonPageSize
	case "Parameters":
		reason = core.ReasonParamsMalformed
	}
	return &core.Error{Code: core.CodeInvalid, Reason: reason, Field: name, Detail: "wrong type", Err: err}
}

// incidental are the parameters that may differ between two tries of the same call. Version is among them because some
// clients send it as a header only.
var incidental = []string{
	"AccessKeyId", "Action", "ClientToken", "Format", "SecurityToken", "Signature", "SignatureMethod", "SignatureNonce", "SignatureType",
	"SignatureVersion", "Timestamp", "Version",
}

// requestHash covers an action and the parameters that carry its meaning, wherever in the request they were sent.
func requestHash(action string, params sign.Values) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", action)
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if !slices.Contains(incidental, name) {
			fmt.Fprintf(h, "%q=%q\n", name, params[name])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
