package dispatch

import (
	"bytes"
	"context"
	"time"

	"errand/internal/core"
	"errand/internal/protocol"
)

// invocation is one that is not over, with its open tasks.
type invocation struct {
	core.Invocation
	spec  []byte // encoded once for all nodes
	tasks map[core.TaskID]*task
}

// task is an open task as this process last knew it.
type task struct {
	core.Task
	inv  *invocation
	own  []byte    // encoded for this node alone, if its script differs from the others'
	sent time.Time // last Run or Stop message

	watched time.Time // last Watch message
}

// spec is what the node is told to run, encoded.
func (t *task) spec() []byte {
	if t.own != nil {
		return t.own
	}
	return t.inv.spec
}

// add takes tasks into memory and returns them. Those whose turn has not come stay in the store.
func (d *Dispatcher) add(ctx context.Context, v *core.Invocation, tasks []core.Task) ([]*task, error) {
	own, err := d.filled(ctx, v, tasks)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	inv := d.open[v.ID]
	if inv == nil {
		inv = &invocation{Invocation: *v, spec: encodeSpec(v, script(v)), tasks: make(map[core.TaskID]*task, len(tasks))}
		d.open[v.ID] = inv
	}
	out := make([]*task, 0, len(tasks))
	for _, t := range tasks {
		if t.State.Ended() || t.Held {
			continue
		}
		lt := &task{Task: t, inv: inv, own: own[t.Node]}
		lt.Output = core.Output{}
		inv.tasks[t.ID] = lt
		if d.byNode[t.Node] == nil {
			d.byNode[t.Node] = map[core.TaskID]*task{}
		}
		d.byNode[t.Node][t.ID] = lt
		out = append(out, lt)
	}
	return out, nil
}

// filled encodes the scripts that differ from node to node; for nearly all invocations there are none.
func (d *Dispatcher) filled(ctx context.Context, v *core.Invocation, tasks []core.Task) (map[core.NodeKey][]byte, error) {
	fill := d.fill[v.Origin]
	plain := script(v)
	if fill == nil || !v.ParamsEnabled || bytes.Equal(fill(plain, v, &core.Node{}), plain) {
		return nil, nil
	}
	keys := make([]core.NodeKey, len(tasks))
	for i := range tasks {
		keys[i] = tasks[i].Node
	}
	nodes, err := d.svc.NodesByKey(ctx, v.Account, keys)
	if err != nil {
		return nil, err
	}
	own := make(map[core.NodeKey][]byte, len(nodes))
	for i := range nodes {
		own[nodes[i].Key] = encodeSpec(v, fill(plain, v, &nodes[i]))
	}
	return own, nil
}

// drop forgets a task that has ended. The caller holds the lock.
func (d *Dispatcher) drop(id core.TaskID) {
	inv := d.open[id.Invocation]
	if inv == nil {
		return
	}
	t := inv.tasks[id]
	if t == nil {
		return
	}
	delete(inv.tasks, id)
	if len(inv.tasks) == 0 {
		delete(d.open, id.Invocation)
	}
	delete(d.byNode[t.Node], id)
	if len(d.byNode[t.Node]) == 0 {
		delete(d.byNode, t.Node)
	}
}

// find returns the open task, nil if there is none. The caller holds the lock.
func (d *Dispatcher) find(id core.TaskID) *task {
	if inv := d.open[id.Invocation]; inv != nil {
		return inv.tasks[id]
	}
	return nil
}

// grace is how long a process may take to end after it was asked to, before it is forced.
const grace = 2 * time.Second

// script is what runs, before built-in parameters are filled in.
func script(v *core.Invocation) []byte {
	if v.Script != nil {
		return v.Script
	}
	return v.Content
}

func encodeSpec(v *core.Invocation, script []byte) []byte {
	spec := protocol.Spec{
		Content: script, Type: string(v.Type), Launcher: v.Launcher, WorkDir: v.WorkDir, User: v.User,
		Timeout: uint64(v.Timeout / time.Second), Grace: uint64(grace / time.Millisecond), KillTree: v.KillTree,
		DryRun: v.Repeat == core.DryRun, ContainerID: v.ContainerID, ContainerName: v.ContainerName,
		Login: v.Login, Power: v.Power, Hidden: v.Hidden, Env: v.Secrets,
	}
	if v.Kind == core.KindStanding {
		spec.Plan = &protocol.Plan{
			Expr: v.Frequency, Boot: boots[v.Repeat], Created: v.CreatedAt.UnixMicro(), Revision: v.Revision,
			Overlap: protocol.Overlap(v.Policy.Overlap), CatchUp: uint64(v.Policy.Missed), Jitter: uint64(v.Policy.Jitter / time.Millisecond),
		}
	}
	if f := v.File; f != nil {
		spec.File = wireFile(f)
	}
	if t := v.Transfer; t != nil {
		spec.Transfer = &protocol.Transfer{Size: uint64(t.Size), Hash: t.Hash, Paths: t.Paths, Follow: t.Follow, Most: uint64(t.Most)}
		if t.To != nil {
			spec.Transfer.To = wireFile(t.To)
		}
	}
	if v.Resources != nil {
		spec.Limits = limits(v.Resources)
	}
	return protocol.AppendSpec(nil, &spec)
}

func wireFile(f *core.File) *protocol.File {
	return &protocol.File{Name: f.Name, Dir: f.Dir, Mode: f.Mode, Owner: f.Owner, Group: f.Group, Overwrite: f.Overwrite}
}

// ioClasses are the numbers under which the classes travel.
var ioClasses = map[core.IOClass]uint64{core.IORealtime: 1, core.IOBestEffort: 2, core.IOIdle: 3}

func limits(r *core.Resources) *protocol.Limits {
	l := &protocol.Limits{
		Nice: int64(r.Nice), IOClass: ioClasses[r.IO], IOLevel: uint64(r.IOLevel),
		CPU: uint64(r.CPU), Memory: uint64(r.Memory), Processes: uint64(r.Processes),
		OpenFiles: uint64(r.OpenFiles), FileSize: uint64(r.FileSize),
	}
	if r.CoreSize != nil {
		size := uint64(*r.CoreSize)
		l.CoreSize = &size
	}
	return l
}

// boots is how the modes travel that wait for a start of the machine.
var boots = map[core.RepeatMode]protocol.Boot{ //nolint:exhaustive // no other mode does
	core.NextReboot: protocol.BootNext, core.EachReboot: protocol.BootEvery,
}
