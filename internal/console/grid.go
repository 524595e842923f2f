package console

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"errand/internal/core"
)

// marks are the tasks of a run. Whether a reader may see them is asked for each.
func (c *Console) marks(r *request, v *core.Invocation) ([]core.TaskMark, error) {
	if err := c.mayListTasks(r, v.ID); err != nil {
		return nil, err
	}
	return c.pictures.get(v, c.Now(), func() ([]core.TaskMark, error) { return c.Service.TaskMarks(r.Context(), r.caller, v.ID) })
}

// mayListTasks asks the core whether a reader may see the tasks of a run, by listing one.
func (c *Console) mayListTasks(r *request, id core.ID) error {
	_, _, err := c.Service.Tasks(r.Context(), r.caller, core.TaskFilter{Invocations: []core.ID{id}}, core.PageSpec{Limit: 1})
	return err
}

// gridAnswer is the picture of a run: a letter for each node, in the order of the targets, with equal ones in a row as a number and the letter.
type gridAnswer struct {
	Total int    `json:"total"`
	Cells string `json:"cells"`
	Open  int    `json:"open"`
}

// letters are the tones as the picture writes them.
var letters = map[string]byte{"ok": 'o', "bad": 'b', "lost": 'l', "off": 'f', "run": 'r', "wait": 'w'}

func (c *Console) grid(r *request) (answer, error) {
	v, err := c.invocation(r)
	if err != nil {
		return answer{}, err
	}
	marks, err := c.marks(r, &v)
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(gridAnswer{Total: len(marks), Cells: runLengths(marks), Open: v.Counts.Open()}), nil
}

func runLengths(marks []core.TaskMark) string {
	var b strings.Builder
	for i := 0; i < len(marks); {
		letter := letters[toneOf(marks[i].State)]
		n := i + 1
		for n < len(marks) && letters[toneOf(marks[n].State)] == letter {
			n++
		}
		b.WriteString(strconv.Itoa(n - i))
		b.WriteByte(letter)
		i = n
	}
	return b.String()
}

// cell is one node of the picture, for whoever points at it.
type cell struct {
	Index uint32 `json:"i"`
	Task  string `json:"task"`
	Node  string `json:"node"`
	ID    string `json:"id"`
	State string `json:"state"`
	Exit  *int32 `json:"exit,omitempty"`
}

// mostCells is how many cells one answer describes.
const mostCells = 1000

// cells names the nodes of a stretch of the picture.
func (c *Console) cells(r *request) (answer, error) {
	v, err := c.invocation(r)
	if err != nil {
		return answer{}, err
	}
	q := r.URL.Query()
	from, err := strconv.ParseUint(q.Get("from"), 10, 24)
	if err != nil {
		return answer{}, &core.Error{Code: core.CodeInvalid, Field: "from", Detail: "not a number"}
	}
	count, err := strconv.Atoi(q.Get("count"))
	if err != nil || count < 1 || count > mostCells {
		return answer{}, &core.Error{Code: core.CodeInvalid, Field: "count", Detail: "not a number of cells"}
	}
	ids := make([]core.TaskID, 0, count)
	for i := range count {
		ids = append(ids, core.TaskID{Invocation: v.ID, Index: uint32(from) + uint32(i)})
	}
	list, _, err := c.Service.Tasks(r.Context(), r.caller, core.TaskFilter{IDs: ids}, core.PageSpec{Limit: count})
	if err != nil {
		return answer{}, err
	}
	cells := make([]cell, len(list))
	for i := range list {
		t := &list[i]
		cells[i] = cell{Index: t.ID.Index, Task: t.ID.String(), Node: t.Target.Label(), ID: t.Target.ID, State: r.t.text("state." + t.State.String())}
		if t.Exited {
			cells[i].Exit = &t.ExitCode
		}
	}
	return jsonAnswer(map[string]any{"cells": cells}), nil
}

// jsonAnswer is for the browser's programs.
func jsonAnswer(v any) answer {
	return answer{write: func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "application/json")
		return json.NewEncoder(w).Encode(v)
	}}
}
