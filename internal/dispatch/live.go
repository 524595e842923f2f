package dispatch

import (
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
	sent time.Time // last Run or Stop message
}

// add takes tasks into memory and returns them.
func (d *Dispatcher) add(v *core.Invocation, tasks []core.Task) []*task {
	d.mu.Lock()
	defer d.mu.Unlock()
	inv := d.open[v.ID]
	if inv == nil {
		inv = &invocation{Invocation: *v, spec: encodeSpec(v), tasks: make(map[core.TaskID]*task, len(tasks))}
		d.open[v.ID] = inv
	}
	out := make([]*task, 0, len(tasks))
	for _, t := range tasks {
		if t.State.Ended() {
			continue
		}
		lt := &task{Task: t, inv: inv}
		lt.Output = core.Output{}
		inv.tasks[t.ID] = lt
		if d.byNode[t.Node] == nil {
			d.byNode[t.Node] = map[core.TaskID]*task{}
		}
		d.byNode[t.Node][t.ID] = lt
		out = append(out, lt)
	}
	return out
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

func encodeSpec(v *core.Invocation) []byte {
	content := v.Script
	if content == nil {
		content = v.Content
	}
	return protocol.AppendSpec(nil, &protocol.Spec{
		Content: content, Type: string(v.Type), Launcher: v.Launcher, WorkDir: v.WorkDir, User: v.User,
		Timeout: uint64(v.Timeout / time.Second), Grace: uint64(grace / time.Millisecond), KillTree: v.KillTree,
	})
}
