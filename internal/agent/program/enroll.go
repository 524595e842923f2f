package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"errand/internal/agent/identity"
	"errand/internal/agent/logs"
)

// exitNotEnrolled says that this machine is no node and that trying again will not make it one: the server refuses, or there is nothing
// to enrol with.
const exitNotEnrolled = 3

// errNothingToEnroll means that a machine that is no node was not told how to become one.
var errNothingToEnroll = errors.New("not enrolled yet: --server, --activation-id and --activation-code are needed")

const enrollUsage = `Usage: %[1]s enroll --server URL --activation-id ID --activation-code CODE [flags]

Makes this machine a node and ends; the agent that starts afterwards needs only its data folder. A machine that is a node of this server
already stays what it is. The code is better given in ERRAND_ACTIVATION_CODE, which other users of the machine do not see.

Exit codes: 0 success, 1 the server could not be reached, 2 wrong usage, 3 the server refuses.

Examples:
  ERRAND_ACTIVATION_CODE=k3v9… %[1]s enroll --server https://errand.example.com --activation-id 0195…
  %[1]s enroll --data /var/lib/errand-agent --node-id web1 --tag role=web
`

// addEnrolment adds the flags that say how to enrol.
func addEnrolment(fs *flag.FlagSet, o *Options) {
	fs.StringVar(&o.Server, "server", "", "`URL` of the server")
	fs.StringVar(&o.ActivationID, "activation-id", "", "`ID` of the activation")
	fs.StringVar(&o.ActivationCode, "activation-code", "", "secret `CODE` of the activation")
	fs.StringVar(&o.NodeID, "node-id", "", "`ID` the machine shall have; left out, the server chooses one")
	fs.StringVar(&o.Name, "name", "", "`NAME` the machine shall have")
	addReach(fs, o)
	fs.StringVar(&o.ReleaseKeys, "release-keys", "", "`FILE` with the list of keys whose releases are believed; left out, the server's at enrolment")
	fs.BoolVar(&o.InsecureHTTP, "insecure-http", false, "allow enrolment over plain HTTP to another machine")
	o.Tags = map[string]string{}
	fs.Func("tag", "`KEY=VALUE` to label the machine with; may be repeated", func(s string) error {
		k, v, ok := strings.Cut(s, "=")
		if !ok || k == "" {
			return errors.New("want KEY=VALUE")
		}
		o.Tags[k] = v
		return nil
	})
}

// enrollOnly is the command that makes the machine a node and does no more.
func enrollOnly(ctx context.Context, e Env, args []string) int {
	o := Options{Version: e.Version}
	var wait time.Duration
	fs := newFlags(e, "enroll", enrollUsage)
	addData(fs, &o.Data)
	addEnrolment(fs, &o)
	fs.DurationVar(&wait, "wait", time.Minute, "how long to go on while the server cannot be reached")
	if code, ok := parse(fs, args); !ok {
		return code
	}
	o.Log = logs.New(e.Stderr, logs.Options{Hidden: secrets(&o)})
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	id, err := o.join(ctx)
	if err != nil {
		fmt.Fprintf(e.Stderr, "%s: %v\n", e.Name, err)
		return exitCode(err)
	}
	fmt.Fprintf(e.Stderr, "%s: this machine is %v of %s\n", e.Name, id, id.ServerURL)
	return exitOK
}

// join enrols, unless the machine is a node already. One of another server has to leave that first.
func (o Options) join(ctx context.Context) (identity.Identity, error) {
	id, err := identity.Load(o.Data)
	switch {
	case err == nil && o.Server != "" && id.ServerURL != o.Server:
		return id, fmt.Errorf("this machine is %v of %s; remove %s to make it another", id, id.ServerURL, o.Data)
	case err == nil || !errors.Is(err, identity.ErrNotEnrolled):
		return id, err
	}
	way, err := o.reach()
	if err == nil {
		err = way.Trust()
	}
	if err == nil {
		id, err = enroll(ctx, o, way)
	}
	return id, err
}

// exitCode is the exit code of an agent, or of an enrolment, that ends with an error.
func exitCode(err error) int {
	var refused *identity.RefusedError
	if errors.As(err, &refused) || errors.Is(err, errNothingToEnroll) {
		return exitNotEnrolled
	}
	return exitFailed
}
