package campaign

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"errand/internal/agent/journal"
	"errand/internal/core"
	"errand/internal/server"
	"errand/internal/stacktest"
	"errand/internal/store/sqlite"
)

// fact is one task as the server shows it at the end, beside what its command noted.
type fact struct {
	core.TaskView
	order  *order
	node   *node
	folder string // of the task on its node
	notes  noted

	merged, stdout, stderr []byte // all that is kept
}

func (f *fact) String() string {
	return fmt.Sprintf("%s %s on %s (task %s, folder %s)", f.order.kind, f.order.id, f.Target.ID, f.ID, f.folder)
}

// noted is how often a command noted what.
type noted struct{ began, ended, daemon int }

// place is a folder on a node.
type place struct{ node, folder string }

// judge compares what the server says with what the commands noted.
func (c *campaign) judge() {
	notes := c.readNotes()
	log := slog.New(slog.NewTextHandler(c.t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	srv, err := server.Start(c.t.Context(), server.Config{
		Data: c.serverData, Listen: "127.0.0.1:0", AgentListen: "127.0.0.1:0", RootKeyID: stacktest.KeyID, RootSecret: stacktest.Secret,
		Now: time.Now, Log: log, Notice: c.t.Output(),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	facts := c.facts(srv, notes)
	for _, f := range facts {
		c.judgeTask(f)
	}
	c.judgeOrders(facts)
	c.judgeNotes(facts, notes)
	c.judgeSchedules(facts)
	c.judgeReadings(srv.URL(), facts)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := srv.Stop(ctx); err != nil {
		c.fail("stop: %v", err)
	}
	c.judgeStore(log)
	c.judgeJournals(log)
	c.judgeLogs()
	c.summary(facts)
}

// readNotes reads what all commands noted, by where they ran.
func (c *campaign) readNotes() map[place]noted {
	found := map[place]noted{}
	for _, n := range c.nodes {
		b, err := os.ReadFile(n.notes)
		if err != nil {
			c.fail("notes of %s: %v", n.name, err)
		}
		for line := range strings.Lines(string(b)) {
			words := strings.Fields(line)
			if len(words) != 3 {
				c.fail("%s: note %q", n.name, line)
				continue
			}
			at := place{n.name, filepath.Base(filepath.Dir(words[2]))}
			x := found[at]
			switch words[0] {
			case "began":
				x.began++
			case "ended":
				x.ended++
			case "daemon":
				x.daemon++
			}
			found[at] = x
		}
	}
	return found
}

// pageOf is how many rows are read at a time.
const pageOf = 200

// facts reads everything that was to run.
func (c *campaign) facts(srv *server.Server, notes map[place]noted) (list []*fact) {
	ctx, svc, root := c.t.Context(), srv.Service, srv.RootCaller()
	byToken, standing := map[string]*order{}, map[core.ID]*order{}
	for i := range c.accepted {
		byToken[c.accepted[i].id] = &c.accepted[i].order
	}
	for page := (core.PageSpec{Limit: pageOf}); ; {
		rows, info, err := svc.Invocations(ctx, root, core.InvocationFilter{Kinds: []core.InvocationKind{core.KindStanding}}, page)
		if err != nil {
			c.t.Fatal(err)
		}
		for i := range rows {
			standing[rows[i].ID] = byToken[rows[i].ClientToken]
		}
		if page.Token = info.Next; page.Token == "" {
			break
		}
	}
	filter := core.TaskFilter{Kinds: []core.InvocationKind{core.KindOnce, core.KindFile, core.KindOccurrence}, Output: true}
	for page := (core.PageSpec{Limit: pageOf}); ; {
		rows, info, err := svc.Tasks(ctx, root, filter, page)
		if err != nil {
			c.t.Fatal(err)
		}
		for i := range rows {
			f := &fact{TaskView: rows[i], order: byToken[rows[i].Invocation.ClientToken]}
			f.folder = fmt.Sprintf("%d-%d", uint64(f.ID.Invocation), f.ID.Index)
			if f.Invocation.Kind == core.KindOccurrence {
				f.order = standing[f.Invocation.Schedule]
				f.folder = fmt.Sprintf("%d-%d-%d", uint64(f.Invocation.Schedule), f.ID.Index, f.Invocation.Due.UnixMicro())
			}
			if f.order == nil {
				c.fail("nobody ordered task %s, token %q", f.ID, f.Invocation.ClientToken)
				continue
			}
			f.node = c.nodes[slices.IndexFunc(c.nodes, func(n *node) bool { return n.name == f.Target.ID })]
			f.notes = notes[place{f.node.name, f.folder}]
			err := svc.Full(ctx, &f.Task, func(chunk core.Chunk) error {
				f.take(&chunk)
				return nil
			})
			if err != nil {
				c.wrongWith(f, "output cannot be read: %v", err)
			}
			f.Output = core.Output{}
			list = append(list, f)
		}
		if page.Token = info.Next; page.Token == "" {
			return list
		}
	}
}

func (f *fact) take(chunk *core.Chunk) {
	f.merged = append(f.merged, chunk.Data...)
	at := uint32(0)
	for _, s := range chunk.Spans {
		piece := chunk.Data[at : at+s.Len]
		if at += s.Len; s.Stream == core.Stderr {
			f.stderr = append(f.stderr, piece...)
		} else {
			f.stdout = append(f.stdout, piece...)
		}
	}
}

// causes returns what happened to a task's node, or to its server, while the task lived.
func (c *campaign) causes(f *fact, deeds ...deed) (list []event) {
	from := f.Invocation.CreatedAt.Add(-2 * time.Second)
	if f.order.kind == repeated {
		from = from.Add(-2 * awayFor) // the server hears of a run when there is a connection
	}
	for _, e := range c.history.during(from, f.UpdatedAt.Add(2*time.Second), f.node.name, c.server.name) {
		if e.breach != nil && slices.Contains(deeds, e.breach.do) || e.breach == nil && slices.Contains(deeds, kill) {
			list = append(list, e)
		}
	}
	return list
}

// ofNode keeps the events of the task's own node.
func ofNode(f *fact, list []event) []event {
	return slices.DeleteFunc(list, func(e event) bool { return e.part != f.node.name })
}

// judgeTask is the verdict on one task.
func (c *campaign) judgeTask(f *fact) {
	wrong := func(format string, args ...any) { c.wrongWith(f, format, args...) }
	if f.notes.began > 1 || f.notes.ended > 1 || f.notes.daemon > 1 {
		wrong("ran %d times", f.notes.began)
	}
	ran, never, exact := false, false, false
	switch f.State {
	case core.Succeeded, core.Failed:
		ran, exact = true, true
		c.judgeExit(f)
	case core.TimedOut:
		ran, exact = true, f.order.kind == timedOut
		if f.order.kind != timedOut && f.order.kind != repeated {
			wrong("timed out")
		}
	case core.Terminated:
		if f.order.kind != stopped && f.order.kind != repeated {
			wrong("nobody stopped it")
		}
	case core.Cancelled:
		never = true
		if f.order.kind != stopped && f.order.kind != repeated {
			wrong("nobody stopped it")
		}
	case core.DeliveryFailed:
		never = true
		if len(c.causes(f, kill, restart, pause, cutCable, swallowCable, holdCable, slowCable, tearCable, fillDisk)) == 0 {
			wrong("not delivered, for no reason")
		}
	case core.StartFailed:
		never = true
		if f.Cause != core.CauseNoSpace || len(ofNode(f, c.causes(f, fillDisk))) == 0 {
			wrong("not started, for no reason")
		}
	case core.Exception:
		c.judgeException(f)
	default:
		wrong("has not come to an end")
	}
	if f.order.kind != file {
		if ran && f.notes.began != 1 {
			wrong("is said to have run and noted %d times that it began", f.notes.began)
		}
		if never && f.notes.began != 0 {
			wrong("is said not to have run, and ran")
		}
		c.judgeOutput(f, exact)
	}
}

// judgeExit is the verdict on a task that ended by itself.
func (c *campaign) judgeExit(f *fact) {
	wrong := func(format string, args ...any) { c.wrongWith(f, format, args...) }
	code, signal := int32(f.order.code), uint8(0)
	switch f.order.kind {
	case stopped, timedOut:
		wrong("ended by itself")
		return
	case file:
		if b, err := os.ReadFile(f.order.fileOn(f.node)); err != nil || string(b) != f.order.fileContent() {
			wrong("file of %d bytes, %v", len(b), err)
		}
	case dying:
		code, signal = 137, 9
	case tiny, medium, large, daemon, repeated:
	}
	if f.order.kind != file && f.notes.ended != 1 {
		wrong("noted %d times that it ended", f.notes.ended)
	}
	if f.order.kind == daemon && f.notes.daemon != 1 {
		wrong("its daemon noted %d times that it began", f.notes.daemon)
	}
	if !f.Exited || f.ExitCode != code || f.Signal != signal || (f.State == core.Succeeded) != (code == 0) {
		wrong("exit code %d, signal %d; want %d, %d", f.ExitCode, f.Signal, code, signal)
	}
}

// judgeException is the verdict on a task of which the node says that it cannot know how it went.
func (c *campaign) judgeException(f *fact) {
	killed := ofNode(f, c.causes(f, kill, restart))
	switch f.Cause {
	case core.CauseJournalGap:
		if len(killed) == 0 {
			c.wrongWith(f, "the agent lost it, and was not killed")
		}
		if f.order.kind == file {
			if b, err := os.ReadFile(f.order.fileOn(f.node)); err == nil && string(b) != f.order.fileContent() {
				c.wrongWith(f, "half a file of %d bytes", len(b))
			}
		}
	case core.CauseSupervisorGone:
		hit := slices.ContainsFunc(c.causes(f, killSupervisor), func(e event) bool { return e.part == f.node.name && e.task == f.folder })
		if !hit && (len(killed) == 0 || !f.StartedAt.IsZero()) {
			c.wrongWith(f, "its supervisor is gone, and nobody killed it")
		}
	default:
		c.wrongWith(f, "an exception for no reason")
	}
}

// judgeOutput compares what is kept with what was printed.
func (c *campaign) judgeOutput(f *fact, exact bool) {
	stdout, stderr := f.order.output()
	if f.State == core.Exception || !exact {
		if f.notes.began == 0 && len(f.merged) > 0 || !strings.HasPrefix(stdout, string(f.stdout)) || !strings.HasPrefix(stderr, string(f.stderr)) {
			c.wrongWith(f, "printed something else: %d and %d bytes, not the beginning of %d and %d", len(f.stdout), len(f.stderr), len(stdout), len(stderr))
		}
		return
	}
	if f.Stdout != uint64(len(stdout)) || f.Stderr != uint64(len(stderr)) {
		c.wrongWith(f, "printed %d and %d bytes; the totals say %d and %d", len(stdout), len(stderr), f.Stdout, f.Stderr)
	}
	if string(f.stdout) == stdout && string(f.stderr) == stderr {
		return
	}
	if strings.Contains(f.Detail, "output incomplete: no space left on device") && len(ofNode(f, c.causes(f, fillDisk))) > 0 {
		return // it says so itself
	}
	c.wrongWith(f, "output is not what was printed: %s", difference(stdout+stderr, string(f.stdout)+string(f.stderr)))
}

// difference says where two texts part.
func difference(want, got string) string {
	at := 0
	for at < len(want) && at < len(got) && want[at] == got[at] {
		at++
	}
	return fmt.Sprintf("%d bytes instead of %d; from byte %d on %.40q instead of %.40q", len(got), len(want), at, got[at:], want[at:])
}

// judgeOrders looks for orders that are missing, or there twice.
func (c *campaign) judgeOrders(facts []*fact) {
	tasks, invocations := map[string]int{}, map[string]core.ID{}
	for _, f := range facts {
		if f.order.kind == repeated {
			continue
		}
		tasks[f.order.id]++
		if other, ok := invocations[f.order.id]; ok && other != f.Invocation.ID {
			c.wrongWith(f, "was ordered once and is there twice, also as %s", other)
		}
		invocations[f.order.id] = f.Invocation.ID
	}
	for _, a := range c.accepted {
		if a.kind == repeated {
			continue
		}
		if tasks[a.id] != len(a.nodes) {
			c.fail("%s %s for %d nodes was accepted as %s and has %d tasks", a.kind, a.id, len(a.nodes), a.invocation, tasks[a.id])
		}
		if id := invocations[a.id].String(); !strings.HasSuffix(a.invocation, id) {
			c.fail("%s %s was accepted as %s and is there as %s", a.kind, a.id, a.invocation, id)
		}
	}
}

// judgeNotes looks for commands that ran and are not known.
func (c *campaign) judgeNotes(facts []*fact, notes map[place]noted) {
	known := map[place]bool{}
	for _, f := range facts {
		known[place{f.node.name, f.folder}] = true
	}
	for at, n := range notes {
		if known[at] {
			continue
		}
		if due := dueIn(at.folder); !due.IsZero() && (due.Before(c.begun.Add(-24*time.Hour)) || due.After(c.end.Add(24*time.Hour))) {
			continue // no server believes a run that was due more than a day before the order or more than a day from now
		}
		c.fail("%s ran on %s (%+v) and is not known", at.folder, at.node, n)
	}
}

// dueIn returns the moment for which a run was made, as its folder's name has it; zero for what runs once.
func dueIn(folder string) time.Time {
	var invocation, index, due int64
	if n, _ := fmt.Sscanf(folder, "%d-%d-%d", &invocation, &index, &due); n != 3 {
		return time.Time{}
	}
	return time.UnixMicro(due)
}

// judgeSchedules looks at the moments for which runs were made. The first node is never broken itself, so it may not miss a moment
// unless the run before still lived.
func (c *campaign) judgeSchedules(facts []*fact) {
	runs := map[string][]*fact{}
	for _, f := range facts {
		if f.order.kind == repeated {
			key := f.order.id + " on " + f.node.name
			runs[key] = append(runs[key], f)
		}
	}
	for key, list := range runs {
		slices.SortFunc(list, func(a, b *fact) int { return a.Invocation.Due.Compare(b.Invocation.Due) })
		every := list[0].order.every
		for i, f := range list[1:] {
			before := list[i]
			apart := f.Invocation.Due.Sub(before.Invocation.Due)
			if apart <= 0 || apart%every != 0 {
				c.wrongWith(f, "was due %v after the run before", apart)
			}
			if f.node != c.nodes[0] {
				continue
			}
			for m := before.Invocation.Due.Add(every); m.Before(f.Invocation.Due); m = m.Add(every) {
				if before.EndedAt.Before(m) {
					c.wrongWith(f, "nothing ran at %v, although the run before had ended at %v", m, before.EndedAt)
				}
			}
		}
		if n := len(list); list[0].node == c.nodes[0] && n < int(*lengthFlag/every)/3-1 {
			c.fail("%s: only %d runs", key, n)
		}
	}
	for _, o := range schedules(1) {
		if key := o.id + " on " + c.nodes[0].name; len(runs[key]) == 0 && *lengthFlag > 3*o.every {
			c.fail("%s: no run", key)
		}
	}
}

// judgeStore compares counts with what they count.
func (c *campaign) judgeStore(log *slog.Logger) {
	ctx := c.t.Context()
	store, err := sqlite.Open(ctx, filepath.Join(c.serverData, "errand.db"), log)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	rows := map[core.ID]core.Counts{}
	runs := map[core.TaskID]uint32{}
	stands := map[core.TaskID]uint32{}
	var tasks, invocations, total int
	filter := core.TaskFilter{Account: core.RootAccount}
	for p := (core.Page{Limit: pageOf, Count: true}); ; p.Count = false {
		list, n, err := store.ListTasks(ctx, filter, p)
		if err != nil {
			c.t.Fatal(err)
		}
		total = max(total, n)
		for i := range list {
			t := &list[i]
			counted := rows[t.ID.Invocation]
			counted[t.State]++
			rows[t.ID.Invocation] = counted
			if t.Runs > 0 {
				stands[t.ID] = t.Runs
			}
		}
		if tasks += len(list); len(list) < pageOf {
			break
		}
		last := list[len(list)-1].ID
		p.After = &core.Cursor{A: int64(last.Invocation), B: int64(last.Index)}
	}
	if total != tasks {
		c.fail("the store counts %d tasks and has %d", total, tasks)
	}
	total = 0
	occurrences := map[core.ID]core.ID{}
	for p := (core.Page{Limit: pageOf, Count: true}); ; p.Count = false {
		list, n, err := store.ListInvocations(ctx, core.InvocationFilter{Account: core.RootAccount}, p)
		if err != nil {
			c.t.Fatal(err)
		}
		total = max(total, n)
		for i := range list {
			v := &list[i]
			if v.Counts != rows[v.ID] {
				c.fail("invocation %s counts %v and has %v", v.ID, v.Counts, rows[v.ID])
			}
			if v.Counts.Open() > 0 || v.EndedAt.IsZero() {
				c.fail("invocation %s is open: %v, ended %v", v.ID, v.Counts, v.EndedAt)
			}
			if v.Kind == core.KindOccurrence {
				occurrences[v.ID] = v.Schedule
			}
		}
		if invocations += len(list); len(list) < pageOf {
			break
		}
		p.After = &core.Cursor{A: int64(list[len(list)-1].ID)}
	}
	if total != invocations || invocations != len(rows) {
		c.fail("the store counts %d invocations, has %d, and tasks of %d", total, invocations, len(rows))
	}
	c.judgeRuns(store, occurrences, runs, stands)
}

// judgeRuns compares how often standing tasks are said to have run with their runs.
func (c *campaign) judgeRuns(store *sqlite.Store, occurrences map[core.ID]core.ID, runs, stands map[core.TaskID]uint32) {
	filter := core.TaskFilter{Account: core.RootAccount, Kinds: []core.InvocationKind{core.KindOccurrence}}
	for p := (core.Page{Limit: pageOf}); ; {
		list, _, err := store.ListTasks(c.t.Context(), filter, p)
		if err != nil {
			c.t.Fatal(err)
		}
		for i := range list {
			runs[core.TaskID{Invocation: occurrences[list[i].ID.Invocation], Index: list[i].ID.Index}]++
		}
		if len(list) < pageOf {
			break
		}
		last := list[len(list)-1].ID
		p.After = &core.Cursor{A: int64(last.Invocation), B: int64(last.Index)}
	}
	for id, n := range stands {
		if runs[id] != n {
			c.fail("standing task %s is said to have run %d times and has %d runs", id, n, runs[id])
		}
	}
	if len(runs) != len(stands) {
		c.fail("runs of %d standing tasks, of which %d are said to have run", len(runs), len(stands))
	}
}

// judgeJournals looks for what agents still have to tell.
func (c *campaign) judgeJournals(log *slog.Logger) {
	for _, n := range c.nodes {
		j, err := journal.Open(filepath.Join(n.data, "journal"), time.Now, log)
		if err != nil {
			c.fail("journal of %s: %v", n.name, err)
			continue
		}
		for _, e := range j.Entries() {
			c.fail("%s still has %v in state %d", n.name, e.Task, e.State)
		}
		if damaged, _ := filepath.Glob(filepath.Join(n.data, "journal", "*.damaged")); len(damaged) > 0 {
			c.fail("the journal of %s was damaged: %v", n.name, damaged)
		}
		_ = j.Close()
	}
}

// judgeLogs looks for what no fault excuses.
func (c *campaign) judgeLogs() {
	logs := map[string]string{c.server.name: c.server.log}
	for _, n := range c.nodes {
		logs[n.name] = n.process.log
	}
	for name, file := range logs {
		b, err := os.ReadFile(file)
		if err != nil {
			c.fail("log of %s: %v", name, err)
		}
		for _, word := range []string{"DATA RACE", "panic", "fatal error", "not understood", "message from node set aside"} {
			if at := bytes.Index(b, []byte(word)); at >= 0 {
				c.fail("log of %s: %s", name, b[max(0, at-200):min(len(b), at+2500)])
			}
		}
	}
}
