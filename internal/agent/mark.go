package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"errand/internal/agent/files"
	"errand/internal/protocol"
)

// transferMark is what an agent has to know about a task that moves files and that one before it began. It lies in a file of its own, until the
// server has the task's result.
type transferMark struct {
	Started time.Time `json:"started"`
	// Of a push: where the part lies, and whether it is whole and on its way to its place. Only that step must not be taken twice.
	Dir     string `json:"dir,omitempty"`
	Temp    string `json:"temp,omitempty"`
	Placing bool   `json:"placing,omitempty"`
}

func (a *Agent) marksDir() string { return filepath.Join(a.cfg.Dir, "transfers") }

func (a *Agent) markFile(t protocol.Task) string {
	return filepath.Join(a.marksDir(), nameOf(t)+".json")
}

// markOf returns the mark that was kept of a task, or makes one.
func (a *Agent) markOf(t *task, m *protocol.Run) (*transferMark, error) {
	mark, err := a.kept(t.id)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return mark, err
	}
	mark = &transferMark{Started: a.cfg.Clock().Wall}
	if to := m.Spec.Transfer.To; to != nil {
		mark.Dir, mark.Temp = to.Dir, files.TempName(nameOf(t.id)+"-"+a.mark)
	}
	return mark, a.keep(t, mark)
}

func (a *Agent) kept(t protocol.Task) (*transferMark, error) {
	text, err := os.ReadFile(a.markFile(t))
	if err != nil {
		return nil, err
	}
	mark := &transferMark{}
	return mark, json.Unmarshal(text, mark)
}

// keep writes a mark down for good.
func (a *Agent) keep(t *task, mark *transferMark) error {
	text, err := json.Marshal(mark)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.marksDir(), 0o700); err != nil {
		return err
	}
	return files.Write(context.Background(), files.File{
		Name: filepath.Base(a.markFile(t.id)), Dir: a.marksDir(), Content: text, Mode: 0o600, Overwrite: true,
	})
}

// sweep removes what is left of a task that moved files: its mark, and a part that did not get to its place.
func (a *Agent) sweep(t protocol.Task) {
	mark, err := a.kept(t)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil && mark.Temp != "" {
		err = files.RemovePart(mark.Dir, mark.Temp)
	}
	if err != nil {
		a.log.Warn("part of a file not removed", "task", nameOf(t), "error", err)
	}
	if err := os.Remove(a.markFile(t)); err != nil {
		a.log.Warn("mark of a finished task not removed", "task", nameOf(t), "error", err)
	}
}

// sweepAll sweeps up after tasks that nobody knows any more.
func (a *Agent) sweepAll() error {
	list, err := os.ReadDir(a.marksDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, f := range list {
		name := f.Name()
		if t, ok := taskNamed(name[:max(0, len(name)-len(".json"))]); ok && a.tasks[t] == nil {
			a.sweep(t)
		}
	}
	return err
}
