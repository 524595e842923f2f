package dispatch

import (
	"time"

	"errand/internal/core"
	"errand/internal/protocol"
)

const (
	watchFor   = 5 * time.Second // what one Watch asks for
	watchAfter = 2 * time.Second // between two of them about the same task
)

// watched asks a node to send a task's output as it comes. However many wait for it, the node is asked now and then.
func (d *Dispatcher) watched(id core.TaskID) {
	now := d.now()
	d.mu.Lock()
	t := d.find(id)
	if t == nil || now.Sub(t.watched) < watchAfter {
		d.mu.Unlock()
		return
	}
	t.watched = now
	d.mu.Unlock()
	m := protocol.Watch{Task: t.wire(), For: uint64(watchFor / time.Millisecond)}
	d.send(t.Node, m.Append(nil))
}
