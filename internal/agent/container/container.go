// Package container runs a script inside a running container of this machine. It speaks the Docker Engine API, and the Container Runtime
// Interface (CRI) of containerd and CRI-O, over their sockets and without their client libraries. The script travels by standard input, its
// output streams back while it runs, and its end by force reaches the processes inside the container.
package container

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Names of the runtimes, as container ids are prefixed with them.
const (
	Docker     = "docker"
	Containerd = "containerd"
	CRIO       = "cri-o"
)

const (
	idLength = 64  // hexadecimal digits
	maxName  = 255 // bytes

	// patience bounds every request to a runtime. Their daemons are known to hang on a sick disk.
	patience = 30 * time.Second

	running = "running"
)

// Ref names a container: by id, by name, or by both, which then must match.
type Ref struct {
	ID   string // 64 hexadecimal digits, after "docker://", "containerd://", "cri-o://" or nothing
	Name string // as Docker or Kubernetes knows it
}

// Sockets says where the runtimes listen. An empty path means the usual one.
type Sockets struct{ Docker, Containerd, CRIO string }

// Target is a container that was found to be running.
type Target struct {
	Runtime string // one of the names above
	ID      string
	Name    string

	engine engine
	proc   string // where the machine's processes are listed
}

// engine is one container runtime.
type engine interface {
	// list returns the container with the id, or all of them when it is empty.
	list(ctx context.Context, id string) ([]listed, error)
	// exec starts a program in a container. The stream outlives ctx.
	exec(ctx context.Context, id string, c command) (stream, error)
}

// listed is a container as its runtime lists it.
type listed struct {
	id    string
	names []string
	state string // running, or another word of the runtime's
}

// ParseID takes a container id apart. The runtime is empty when the id does not name one.
func ParseID(s string) (runtime, id string, err error) {
	id = s
	if prefix, rest, found := strings.Cut(s, "://"); found {
		runtime, id = prefix, rest
		if !slices.Contains([]string{Docker, Containerd, CRIO}, runtime) {
			return "", "", &Error{Fault: UnsupportedRuntime, Detail: fmt.Sprintf("runtime %q", runtime)}
		}
	}
	id = strings.ToLower(id)
	if len(id) != idLength || strings.Trim(id, "0123456789abcdef") != "" {
		return "", "", &Error{Fault: InvalidContainerId, Detail: fmt.Sprintf("id %q", s)}
	}
	return runtime, id, nil
}

// parse checks the reference's form.
func (r Ref) parse() (runtime, id string, err error) {
	if r.Name != "" && !validName(r.Name) {
		return "", "", &Error{Fault: InvalidContainerName, Detail: fmt.Sprintf("name %q", r.Name)}
	}
	if r.ID == "" && r.Name != "" {
		return "", "", nil
	}
	return ParseID(r.ID)
}

// validName follows Docker's rule, which includes that of Kubernetes.
func validName(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return len(name) <= maxName && strings.Trim(name[:1], letters) == "" && strings.Trim(name, letters+"_.-") == ""
}

// Find looks the container up and checks that it runs. Without a runtime in the reference every runtime is asked, and one that does not
// answer the door counts as not installed as long as another does. The error is an *Error.
func Find(ctx context.Context, s Sockets, ref Ref) (Target, error) {
	runtime, id, err := ref.parse()
	if err != nil {
		return Target{}, err
	}
	engines := map[string]engine{
		Docker:     docker{socket: cmp.Or(s.Docker, "/var/run/docker.sock")},
		Containerd: cri{socket: cmp.Or(s.Containerd, "/run/containerd/containerd.sock")},
		CRIO:       cri{socket: cmp.Or(s.CRIO, "/run/crio/crio.sock")},
	}
	if runtime != "" {
		found, err := search(ctx, runtime, engines[runtime], id, ref.Name)
		if err != nil {
			return Target{}, err
		}
		return choose(found, id, ref.Name)
	}
	var all []candidate
	var absent, failed error
	connected := false
	for _, runtime := range []string{Docker, Containerd, CRIO} {
		found, err := search(ctx, runtime, engines[runtime], id, ref.Name)
		fault := faultOf(err)
		if fault == ConnectFailed {
			absent = cmp.Or(absent, err)
			continue
		}
		if fault != UnsupportedRuntime { // as is Docker's own containerd, which comes without CRI
			failed = cmp.Or(failed, err)
		}
		connected = true
		all = append(all, found...)
	}
	switch {
	case !connected:
		return Target{}, absent
	case len(all) == 0 && failed != nil:
		return Target{}, failed // it may well be there
	}
	return choose(all, id, ref.Name)
}

// candidate is a container that may be meant.
type candidate struct {
	Target
	names []string
	state string
}

// search returns the containers of a runtime with the id or else with the name.
func search(ctx context.Context, runtime string, e engine, id, name string) ([]candidate, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	list, err := e.list(ctx, id)
	if err != nil {
		return nil, err
	}
	var found []candidate
	for _, c := range list {
		if id != "" && c.id == id || id == "" && slices.Contains(c.names, name) {
			t := Target{Runtime: runtime, ID: c.id, Name: name, engine: e, proc: "/proc"}
			if name == "" && len(c.names) > 0 {
				t.Name = c.names[0]
			}
			found = append(found, candidate{t, c.names, c.state})
		}
	}
	return found, nil
}

// choose decides between the containers that were found. Kubernetes leaves the ended predecessors of a restarted container under the same
// name, so those do not count when one runs.
func choose(found []candidate, id, name string) (Target, error) {
	if len(found) == 0 {
		return Target{}, &Error{Fault: NotFound, Detail: cmp.Or(id, name)}
	}
	if id != "" && name != "" && !slices.Contains(found[0].names, name) {
		return Target{}, &Error{Fault: NameAndIdNotMatch, Detail: fmt.Sprintf("%s is named %s", id, strings.Join(found[0].names, ", "))}
	}
	alive := slices.DeleteFunc(slices.Clone(found), func(c candidate) bool { return c.state != running })
	switch len(alive) {
	case 0:
		return Target{}, &Error{Fault: StateAbnormal, Detail: fmt.Sprintf("%s is %s", found[0].ID, found[0].state)}
	case 1:
		return alive[0].Target, nil
	}
	return Target{}, &Error{Fault: NameDuplicated, Detail: fmt.Sprintf("%d running containers are named %s", len(alive), name)}
}

// faultOf returns noFault for an error that is not of this package.
func faultOf(err error) Fault {
	var e *Error
	if errors.As(err, &e) {
		return e.Fault
	}
	return noFault
}
