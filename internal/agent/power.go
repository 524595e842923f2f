package agent

import (
	"errand/internal/agent/executor"
	"errand/internal/protocol"
)

// wish is what a command that has ended asks of the machine.
type wish uint8

const (
	goOn wish = iota
	powerOff
	restart
)

// wishOf returns what the end of a command asks for, which counts only if its author allowed it, and not for a machine that was restarted
// since.
func (t *task) wishOf(process *executor.Task, e executor.Exit) wish {
	if !t.power || e.Cause != executor.Exited || !process.ThisBoot() {
		return goOn
	}
	switch e.Code {
	case protocol.ExitPowerOff:
		return powerOff
	case protocol.ExitReboot:
		return restart
	}
	return goOn
}

// fulfil ends the machine when the server has the results of those who asked for it. Nothing here remembers the wish any more, so that nothing
// can make it come true twice.
func (a *Agent) fulfil(wishes map[*task]wish) {
	for t, w := range wishes {
		a.log.Warn("machine is ended by a command", "task", nameOf(t.id), "restart", w == restart)
		if err := a.cfg.Power(w == restart); err != nil {
			a.log.Error("machine not ended", "task", nameOf(t.id), "error", err)
		}
	}
}
