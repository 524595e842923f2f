package agent

import (
	"time"

	"errand/internal/protocol"
)

// maxWatch bounds how long one Watch lasts.
const maxWatch = time.Minute

// watch has a running command's output sent as it comes, for a while.
func (a *Agent) watch(m protocol.Watch) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.tasks[m.Task]
	if t == nil || t.phase == ended || t.phase == planned {
		return
	}
	now := time.Now()
	t.watched = now.Add(min(duration(m.For, time.Millisecond), maxWatch))
	if t.phase == running {
		a.schedule(t, now)
	}
}

// outputEvery is how long to wait before the next look at a running command's output.
func (a *Agent) outputEvery(t *task, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Before(t.watched) {
		return a.cfg.tempo.watched
	}
	return a.cfg.tempo.output
}
