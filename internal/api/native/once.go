package native

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"errand/internal/api"
	"errand/internal/core"
)

// Headers of orders that may be repeated.
const (
	keyHeader      = "Idempotency-Key"
	replayedHeader = "Idempotency-Replayed"
)

// maxKey is the longest key of an order, in bytes.
const maxKey = 255

// keyed is a request with what tells it from others.
type keyed[Req any] struct {
	req  Req
	key  string // empty if the caller gave none
	hash string // of all that was ordered
}

// once makes an action that is carried out once for each Idempotency-Key, however often it is asked for: see core.Service.Once.
func once[Req, Resp any](
	service *core.Service, pattern string, decode func(*api.Request, any) error, fn func(context.Context, core.Caller, *Req) (*Resp, error),
) api.Action {
	read := func(r *api.Request, dst any) (err error) {
		k := dst.(*keyed[Req])
		if k.key, err = orderKey(r.Header); err != nil {
			return err
		}
		if k.key != "" {
			k.hash = orderHash(r)
		}
		return decode(r, &k.req)
	}
	a := api.Do(pattern, true, read, func(ctx context.Context, c core.Caller, k *keyed[Req]) (*outcome, error) {
		return carryOut(ctx, service, pattern, c, k, fn)
	})
	a.Parameters, a.Fields = reflect.TypeFor[Req](), reflect.TypeFor[Resp]()
	return a
}

// orderKey reads the key of an order. Some clients write it as the quoted text of a structured header.
func orderKey(h http.Header) (string, error) {
	given := h.Values(keyHeader)
	if len(given) == 0 {
		return "", nil
	}
	key := given[0]
	if text, quoted := strings.CutPrefix(key, `"`); quoted {
		key = strings.TrimSuffix(text, `"`)
	}
	printable := !strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' })
	if len(given) > 1 || key == "" || len(key) > maxKey || !printable {
		return "", &core.Error{
			Code: core.CodeInvalid, Reason: core.ReasonTokenInvalid, Field: keyHeader, Detail: "want 1 to 255 printable ASCII characters without spaces",
		}
	}
	return key, nil
}

// orderHash tells an order from others: by method, address and body.
func orderHash(r *api.Request) string {
	h := sha256.New()
	for _, part := range []string{r.Method, r.URL.EscapedPath(), r.URL.Query().Encode()} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	h.Write(bytes.TrimSpace(r.Body))
	return hex.EncodeToString(h.Sum(nil))
}

// order is what tells an order from others.
type order struct{ key, hash string }

// orderKeyOf is the key under which a context holds the order that is carried out.
type orderKeyOf struct{}

// runOnce has a run remember the order that made it. The two are stored in one transaction, so that not even a server that dies right after it can make
// the run twice.
func runOnce(ctx context.Context, c core.Caller, spec *core.RunSpec) {
	if o, ok := ctx.Value(orderKeyOf{}).(order); ok && o.key != "" {
		spec.ClientToken, spec.RequestHash = "native "+c.Principal+" "+o.key, o.hash
	}
}

// outcome is the answer to an order, as it was given the first time.
type outcome struct {
	json  []byte
	again bool
}

func (o *outcome) write(w http.ResponseWriter, _ *api.Request) {
	if o.again {
		w.Header().Set(replayedHeader, "true")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(o.json, '\n')) // the caller has gone if this fails
}

// carryOut carries an order out, or finds its answer.
func carryOut[Req, Resp any](
	ctx context.Context, s *core.Service, pattern string, c core.Caller, k *keyed[Req],
	fn func(context.Context, core.Caller, *Req) (*Resp, error),
) (*outcome, error) {
	o := &outcome{again: true}
	var err error
	o.json, err = s.Once(ctx, c, "native:"+pattern, k.key, k.hash, func(ctx context.Context) ([]byte, error) {
		o.again = false
		resp, err := fn(context.WithValue(ctx, orderKeyOf{}, order{k.key, k.hash}), c, &k.req)
		if err != nil {
			return nil, err
		}
		return json.Marshal(resp)
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}
