package native

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"errand/internal/api"
	"errand/internal/core"
)

// route is an action with the shape of its paths: "users/{name}/keys".
type route struct {
	api.Action
	method string
	shape  []string
	open   bool // to whoever does not say who they are; the caller is nobody then
	// keyed makes Action of a route whose orders may be repeated; nil of others.
	keyed func(*core.Service) api.Action
}

// do makes a route. pattern is a method and a path below the prefix; parts in braces stand for any text. Request structures take those from
// fields tagged `path`, parameters of the query from fields tagged `query` (also those of embedded structures such as paging), and the rest from
// the JSON body; or a field tagged `body:"raw"` takes that as it is. A POST that changes something may be repeated with an Idempotency-Key.
func do[Req, Resp any](pattern string, mutates bool, fn func(context.Context, core.Caller, *Req) (*Resp, error)) route {
	method, path, _ := strings.Cut(pattern, " ")
	rt := route{method: method, shape: strings.Split(path, "/")}
	decode := func(r *api.Request, dst any) error { return rt.decode(r, dst) }
	if mutates && method == http.MethodPost {
		rt.keyed = func(s *core.Service) api.Action { return once(s, pattern, decode, fn) }
		return rt
	}
	rt.Action = api.Do(pattern, mutates, decode, fn)
	return rt
}

// open makes a route that is open to all.
func open[Req, Resp any](pattern string, fn func(context.Context, *Req) (*Resp, error)) route {
	rt := do(pattern, false, func(ctx context.Context, _ core.Caller, req *Req) (*Resp, error) { return fn(ctx, req) })
	rt.open = true
	return rt
}

func segments(u *url.URL) []string {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), prefix), "/")
	for i, p := range parts {
		if text, err := url.PathUnescape(p); err == nil {
			parts[i] = text
		}
	}
	return parts
}

// match reports whether a path has the route's shape and tells visit what stands for the parts in braces.
func (rt *route) match(path []string, visit func(name, value string)) bool {
	if len(path) != len(rt.shape) {
		return false
	}
	for i, part := range rt.shape {
		if name, ok := strings.CutPrefix(part, "{"); ok && path[i] != "" {
			visit(strings.TrimSuffix(name, "}"), path[i])
		} else if part != path[i] {
			return false
		}
	}
	return true
}

// decode fills a request structure from the body, the query and the path.
func (rt *route) decode(r *api.Request, dst any) error {
	v := reflect.ValueOf(dst).Elem()
	if raw := rawBody(v); raw.IsValid() {
		raw.SetBytes(r.Body)
	} else if len(r.Body) > 0 {
		if err := api.DecodeJSON(r.Body, dst, true); err != nil {
			return err
		}
	}
	if listing, ok := dst.(interface{ bind(u *url.URL) }); ok {
		listing.bind(r.URL)
	}
	if resumed, ok := dst.(interface{ resume(lastEventID string) }); ok {
		resumed.resume(r.Header.Get(lastEventID))
	}
	if a, ok := dst.(interface{ address(r *api.Request) }); ok {
		a.address(r)
	}
	query := r.URL.Query()
	for f, field := range texts(v) {
		name := f.Tag.Get("query")
		if name == "" || !query.Has(name) {
			continue
		}
		if err := setText(field, query[name]); err != nil {
			return &api.ParamError{Name: name, Err: err}
		}
		query.Del(name)
	}
	for name := range query {
		return &api.ParamError{Name: name, Unknown: true, Err: errors.New("no such parameter")}
	}
	rt.match(segments(r.URL), func(name, value string) {
		for f, field := range texts(v) {
			if f.Tag.Get("path") == name {
				field.SetString(value)
			}
		}
	})
	return nil
}

// texts are the fields of a request structure, those of embedded structures included.
func texts(v reflect.Value) iter.Seq2[*reflect.StructField, reflect.Value] {
	return func(yield func(*reflect.StructField, reflect.Value) bool) {
		for _, f := range reflect.VisibleFields(v.Type()) {
			if f.IsExported() && !f.Anonymous && !yield(&f, v.FieldByIndex(f.Index)) {
				return
			}
		}
	}
}

// rawBody is the field that takes the body as it is, if there is one.
func rawBody(v reflect.Value) reflect.Value {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("body") == "raw" {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

// setText sets a field of a request structure from a parameter of the query. Only a list takes a parameter that comes several times.
func setText(f reflect.Value, given []string) error {
	if f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.String {
		f.Set(reflect.ValueOf(given))
		return nil
	}
	if len(given) > 1 {
		return errors.New("given more than once")
	}
	text := given[0]
	switch f.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(f.Type().Elem())
		if err := setText(fresh.Elem(), given); err != nil {
			return err
		}
		f.Set(fresh)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("want true or false")
		}
		f.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return errors.New("want a number")
		}
		f.SetInt(n)
	case reflect.Uint64:
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return errors.New("want a number that is not negative")
		}
		f.SetUint(n)
	default:
		f.SetString(text)
	}
	return nil
}

// empty is the answer to a call that has nothing to say, and the request of one that takes nothing.
type empty struct{}

// table lists the actions.
func (d *Dialect) table() []route {
	return []route{
		open("GET openapi.json", getOpenAPI),
		open("GET problems", listProblems),
		open("GET problems/{code}", getProblem),

		do("POST invocations", true, d.createInvocation),
		do("GET invocations", false, d.listInvocations),
		do("POST invocations/{id}/cancel", true, d.cancelInvocation),
		do("POST invocations/{id}/pause", true, d.pauseInvocation),
		do("POST invocations/{id}/resume", true, d.resumeInvocation),
		do("POST invocations/{id}/abort", true, d.abortInvocation),
		do("POST invocations/{id}/retry", true, d.retryInvocation),
		do("POST invocations/{id}/revise", true, d.reviseInvocation),
		do("GET upcoming", false, d.listUpcoming),
		do("GET nodes/{id}/backlog", false, d.getBacklog),
		do("DELETE nodes/{id}/backlog", true, d.cancelBacklog),
		do("GET tasks/{id}", false, d.getTask),
		do("GET invocations/{id}", false, d.getInvocation),
		do("GET invocations/{id}/tasks", false, d.listTasks),
		do("GET invocations/{id}/runs", false, d.listRuns),
		do("GET invocations/{id}/groups", false, d.listGroups),
		do("GET invocations/{id}/groups/{key}/tasks", false, d.listGroupTasks),
		do("GET invocations/{id}/groups/{key}/diff", false, d.getDiff),
		do("GET tasks/{id}/output", false, d.getOutput),
		do("GET tasks/{id}/lines", false, d.getLines),
		do("GET tasks/{id}/search", false, d.searchOutput),
		do("GET tasks/{id}/raw", false, d.getRaw),
		do("POST transfers", true, d.createUpload),
		do("GET transfers/{id}", false, d.getUpload),
		do("PUT transfers/{id}/chunks/{chunk}", false, d.putChunk), // the upload is on record, not each of its thousand chunks
		do("GET transfers/{id}/chunks/{chunk}", false, d.getChunk),
		do("POST pushes", true, d.createPush),
		do("POST fetches", true, d.createFetch),
		do("GET invocations/{id}/transfers", false, d.listCarriages),
		do("POST registration-codes", true, d.createRegistration),
		do("GET registration-codes", false, d.listRegistrations),
		do("POST registration-codes/{id}/revoke", true, d.revokeRegistration),

		do("GET nodes", false, d.listNodes),
		do("GET nodes/{id}", false, d.getNode),
		do("PATCH nodes/{id}", true, d.changeNode),
		do("GET nodes/{id}/why", false, d.whyNode),
		do("POST targets/preview", false, d.previewTarget),
		do("GET groups", false, d.listNodeGroups),
		do("GET groups/{name}", false, d.getNodeGroup),
		do("PUT groups/{name}", true, d.putNodeGroup),
		do("DELETE groups/{name}", true, d.deleteNodeGroup),
		do("DELETE nodes/{id}", true, d.removeNode),
		do("POST nodes/{id}/rotate-key", true, d.rotateNodeKey),

		do("POST sessions", true, d.createSession),
		do("GET sessions", false, d.listSessions),
		do("GET sessions/{id}", false, d.getSession),
		do("DELETE sessions/{id}", true, d.endSession),
		do("GET sessions/{id}/recording", false, d.getRecording),
		do("GET recordings", false, d.listRecordings),
		do("POST sessions/{id}/watch", true, d.watchSession),
		do("POST sessions/{id}/take", true, d.takeSession),

		do("GET whoami", false, d.whoami),
		do("POST logins", true, d.createLogin),
		do("DELETE logins/mine", true, d.logout),

		do("GET accounts", false, d.listAccounts),
		do("POST accounts", true, d.createAccount),
		do("GET accounts/{id}", false, d.getAccount),
		do("PATCH accounts/{id}", true, d.changeAccount),
		do("POST accounts/{id}/keys", true, d.createRootKey),

		do("GET users", false, d.listUsers),
		do("POST users", true, d.createUser),
		do("GET users/{name}", false, d.getUser),
		do("PATCH users/{name}", true, d.changeUser),
		do("DELETE users/{name}", true, d.deleteUser),
		do("GET users/{name}/keys", false, d.listKeys),
		do("POST users/{name}/keys", true, d.createKey),
		do("GET users/{name}/policies", false, d.listAttached),
		do("PUT users/{name}/policies/{policy}", true, d.attachPolicy),
		do("DELETE users/{name}/policies/{policy}", true, d.detachPolicy),

		do("GET keys", false, d.listKeys),
		do("PATCH keys/{id}", true, d.changeKey),
		do("DELETE keys/{id}", true, d.deleteKey),
		do("POST keys/{id}/rotate", true, d.rotateKey),
		do("POST tokens", true, d.createToken),

		do("GET policies", false, d.listPolicies),
		do("POST policies/explain", false, d.explain),
		do("GET policies/{name}", false, d.getPolicy),
		do("PUT policies/{name}", true, d.putPolicy),
		do("DELETE policies/{name}", true, d.deletePolicy),

		do("GET quotas", false, d.listQuotas),
		do("PUT quotas", true, d.setQuota),
		do("POST release-keys", true, d.trustKeys),
		do("GET releases", false, d.listReleases),
		do("POST releases", true, d.addRelease),
		do("PUT releases/{version}/programs/{hash}", true, d.putProgram),
		do("POST releases/{version}/complete", true, d.completeRelease),
		do("DELETE releases/{version}", true, d.removeRelease),
		do("GET rollouts", false, d.listRollouts),
		do("POST rollouts", true, d.startRollout),
		do("GET rollouts/{id}", false, d.getRollout),
		do("PATCH rollouts/{id}", true, d.changeRollout),
		do("GET rollouts/{id}/nodes", false, d.listRolloutNodes),

		do("GET audit", false, d.listAudit),

		do("GET commands", false, d.listCommands),
		do("POST commands", true, d.createCommand),
		do("GET commands/{id}", false, d.getCommand),
		do("PATCH commands/{id}", true, d.changeCommand),
		do("DELETE commands/{id}", true, d.deleteCommand),
		do("GET schedules", false, d.listSchedules),
		do("POST schedules", true, d.createSchedule),
		do("POST schedules/preview", false, d.previewSchedule),
		do("GET schedules/{id}", false, d.getSchedule),
		do("PATCH schedules/{id}", true, d.changeSchedule),
		do("DELETE schedules/{id}", true, d.deleteSchedule),
		do("GET schedules/{id}/firings", false, d.listFirings),

		do("GET stream", false, d.getStream),
		do("GET events", false, d.listEvents),
		do("GET subscriptions", false, d.listSubscriptions),
		do("POST subscriptions", true, d.subscribe),
		do("GET subscriptions/{id}", false, d.getSubscription),
		do("PATCH subscriptions/{id}", true, d.changeSubscription),
		do("DELETE subscriptions/{id}", true, d.unsubscribe),
		do("POST subscriptions/{id}/ping", true, d.ping),
		do("POST subscriptions/{id}/replay", true, d.replay),
		do("GET subscriptions/{id}/dead", false, d.listDead),
		do("POST subscriptions/{id}/dead/replay", true, d.replayAllDead),
		do("POST subscriptions/{id}/dead/{seq}/replay", true, d.replayDead),
	}
}
