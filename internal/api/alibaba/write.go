package alibaba

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"errand/internal/api"
)

// Reply is the start of every answer.
type Reply struct{ RequestId string }

func (r *Reply) stamp(id string) { r.RequestId = id }

// failure is the body of a refusal.
type failure struct {
	RequestId, HostId, Code, Message string
}

// Write implements api.Dialect. The answer has the form the caller asked for, also when nobody knows yet who called.
func (g *Gateway) Write(w http.ResponseWriter, r *api.Request, result any, err error) string {
	id := strings.ToUpper(r.ID)
	action := actionOf(r)
	form, _ := formatOf(r)
	if err == nil {
		if s, ok := result.(interface{ stamp(id string) }); ok {
			s.stamp(id)
		}
		var body []byte
		if body, err = form.encode(action+"Response", result); err == nil {
			send(w, form, id, http.StatusOK, body)
			return ""
		}
	}
	var slow *api.ThrottledError
	if errors.As(err, &slow) { // the vendor's command line waits this long and tries again
		w.Header().Set("X-Acs-Retry-After", strconv.FormatInt(slow.After.Milliseconds(), 10))
	}
	a := g.answer(action, err)
	body, err := form.encode("Error", &failure{RequestId: id, HostId: r.Host, Code: a.Code, Message: a.Message})
	if err != nil { // four strings always encode
		a.Status = http.StatusInternalServerError
	}
	send(w, form, id, a.Status, body)
	return a.Code
}

func send(w http.ResponseWriter, form format, id string, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", string(form))
	h.Set("X-Acs-Request-Id", id)
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller who left does not need the answer
}

// format is the content type of an answer. Clients take an error for XML only if the header is exactly this text.
type format string

const (
	formatJSON format = "application/json;charset=utf-8"
	formatXML  format = "text/xml;charset=utf-8"
)

// formatOf is the form the caller wants; false if it is one that does not exist. RPC callers who say nothing get XML, as from the vendor.
func formatOf(r *api.Request) (format, bool) {
	byDefault := formatXML
	if signedInHeaders(r) {
		byDefault = formatJSON
	}
	switch wanted := r.Params["Format"]; {
	case wanted == "":
		return byDefault, true
	case strings.EqualFold(wanted, "JSON"):
		return formatJSON, true
	case strings.EqualFold(wanted, "XML"):
		return formatXML, true
	default:
		return byDefault, false
	}
}

func (f format) encode(root string, v any) ([]byte, error) {
	if f == formatXML {
		return api.EncodeXML(root, v)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // strings to sign and commands are full of & and <
	err := enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}
