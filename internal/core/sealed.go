package core

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// sealedStore keeps sealed in the rows what parameters and secrets say: their values, the script that they were filled into, and what a dialect
// keeps of the request beside them. Nobody who reads the database, or a copy of it, learns a password that was passed to a command. Rows from
// before are read as they are.
type sealedStore struct {
	Store
	sealer *Sealer
}

// What tells sealed values from others: a name that no parameter can have, and bytes that no script begins with.
const (
	sealedName   = ""
	sealedPrefix = "\x00sealed\x00"
)

func (s sealedStore) sealMap(m map[string]string, owner string) map[string]string {
	if len(m) == 0 {
		return m
	}
	plain, _ := json.Marshal(m) // a map of strings always encodes
	return map[string]string{sealedName: base64.StdEncoding.EncodeToString(s.sealer.Seal(string(plain), owner))}
}

func (s sealedStore) openMap(m map[string]string, owner string) (map[string]string, error) {
	sealed, ok := m[sealedName]
	if !ok {
		return m, nil
	}
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, err
	}
	plain, err := s.sealer.Open(b, owner)
	if err != nil {
		return nil, err
	}
	var out map[string]string
	return out, json.Unmarshal([]byte(plain), &out)
}

func (s sealedStore) sealBytes(b []byte, owner string) []byte {
	if len(b) == 0 {
		return b
	}
	return append([]byte(sealedPrefix), s.sealer.Seal(string(b), owner)...)
}

func (s sealedStore) openBytes(b []byte, owner string) ([]byte, error) {
	sealed, ok := bytes.CutPrefix(b, []byte(sealedPrefix))
	if !ok {
		return b, nil
	}
	plain, err := s.sealer.Open(sealed, owner)
	return []byte(plain), err
}

// opening joins the steps by which an object is opened.
type opening struct {
	sealedStore
	owner string
	err   error
}

func (o *opening) texts(m *map[string]string) {
	var err error
	*m, err = o.openMap(*m, o.owner)
	o.err = errors.Join(o.err, err)
}

func (o *opening) bytes(b *[]byte) {
	var err error
	*b, err = o.openBytes(*b, o.owner)
	o.err = errors.Join(o.err, err)
}

func (o *opening) done() error {
	if o.err != nil {
		return fmt.Errorf("parameters of %s: %w", o.owner, o.err)
	}
	return nil
}

// telling reports whether a request has something to keep to itself.
func (v *Invocation) telling() bool { return len(v.Params)+len(v.Defaults)+len(v.Secrets) > 0 }

func (s sealedStore) seal(v Invocation) Invocation {
	if !v.telling() {
		return v
	}
	owner := "invocation " + v.ID.String()
	v.Params, v.Defaults, v.Secrets = s.sealMap(v.Params, owner), s.sealMap(v.Defaults, owner), s.sealMap(v.Secrets, owner)
	v.Extra, v.Script = s.sealMap(v.Extra, owner), s.sealBytes(v.Script, owner)
	return v
}

func (s sealedStore) open(v *Invocation) error {
	o := opening{sealedStore: s, owner: "invocation " + v.ID.String()}
	for _, m := range []*map[string]string{&v.Params, &v.Defaults, &v.Secrets, &v.Extra} {
		o.texts(m)
	}
	o.bytes(&v.Script)
	return o.done()
}

func (s sealedStore) openAll(rows []Invocation, err error) error {
	for i := range rows {
		err = errors.Join(err, s.open(&rows[i]))
	}
	return err
}

// InsertInvocation implements Invocations.
func (s sealedStore) InsertInvocation(ctx context.Context, v *Invocation, tasks []Task) error {
	sealed := s.seal(*v)
	return s.Store.InsertInvocation(ctx, &sealed, tasks)
}

// Invocation implements Invocations.
func (s sealedStore) Invocation(ctx context.Context, account AccountID, id ID) (Invocation, error) {
	return s.opened(s.Store.Invocation(ctx, account, id))
}

// InvocationByToken implements Invocations.
func (s sealedStore) InvocationByToken(ctx context.Context, account AccountID, token string) (Invocation, error) {
	return s.opened(s.Store.InvocationByToken(ctx, account, token))
}

// InvocationByDue implements Invocations.
func (s sealedStore) InvocationByDue(ctx context.Context, schedule ID, due time.Time) (Invocation, error) {
	return s.opened(s.Store.InvocationByDue(ctx, schedule, due))
}

func (s sealedStore) opened(v Invocation, err error) (Invocation, error) {
	if err == nil {
		err = s.open(&v)
	}
	return v, err
}

// ReviseInvocation implements Invocations.
func (s sealedStore) ReviseInvocation(ctx context.Context, account AccountID, id ID, revise func(*Invocation) ([]Task, error)) error {
	return s.Store.ReviseInvocation(ctx, account, id, func(v *Invocation) ([]Task, error) {
		if err := s.open(v); err != nil {
			return nil, err
		}
		tasks, err := revise(v)
		*v = s.seal(*v)
		return tasks, err
	})
}

// Occur implements Invocations.
func (s sealedStore) Occur(ctx context.Context, standing TaskID, due time.Time,
	occur func(v *Invocation, t *Task, there *Invocation) (Invocation, Task, error), run *Task,
) error {
	return s.Store.Occur(ctx, standing, due, func(v *Invocation, t *Task, there *Invocation) (Invocation, Task, error) {
		err := s.open(v)
		if there != nil {
			err = errors.Join(err, s.open(there))
		}
		if err != nil {
			return Invocation{}, Task{}, err
		}
		o, task, err := occur(v, t, there)
		return s.seal(o), task, err
	}, run)
}

// ListInvocations implements Invocations.
func (s sealedStore) ListInvocations(ctx context.Context, f InvocationFilter, p Page) ([]Invocation, int, error) {
	rows, total, err := s.Store.ListInvocations(ctx, f, p)
	return rows, total, s.openAll(rows, err)
}

// OpenInvocations implements Invocations.
func (s sealedStore) OpenInvocations(ctx context.Context) ([]Invocation, error) {
	rows, err := s.Store.OpenInvocations(ctx)
	return rows, s.openAll(rows, err)
}

func (s sealedStore) sealCommand(c Command) Command {
	if len(c.Defaults) > 0 {
		owner := "command " + c.ID.String()
		c.Defaults, c.Extra = s.sealMap(c.Defaults, owner), s.sealMap(c.Extra, owner)
	}
	return c
}

func (s sealedStore) openCommand(c *Command) error {
	o := opening{sealedStore: s, owner: "command " + c.ID.String()}
	o.texts(&c.Defaults)
	o.texts(&c.Extra)
	return o.done()
}

// InsertCommand implements Commands.
func (s sealedStore) InsertCommand(ctx context.Context, c Command, uniqueName bool) error {
	return s.Store.InsertCommand(ctx, s.sealCommand(c), uniqueName)
}

// Command implements Commands.
func (s sealedStore) Command(ctx context.Context, account AccountID, id ID) (Command, error) {
	c, err := s.Store.Command(ctx, account, id)
	if err == nil {
		err = s.openCommand(&c)
	}
	return c, err
}

// ChangeCommand implements Commands.
func (s sealedStore) ChangeCommand(ctx context.Context, account AccountID, id ID, uniqueName bool, change func(*Command) error) error {
	return s.Store.ChangeCommand(ctx, account, id, uniqueName, func(c *Command) error {
		if err := s.openCommand(c); err != nil {
			return err
		}
		err := change(c)
		*c = s.sealCommand(*c)
		return err
	})
}

// ListCommands implements Commands.
func (s sealedStore) ListCommands(ctx context.Context, f CommandFilter, p Page) ([]Command, int, error) {
	rows, total, err := s.Store.ListCommands(ctx, f, p)
	for i := range rows {
		err = errors.Join(err, s.openCommand(&rows[i]))
	}
	return rows, total, err
}

func (s sealedStore) sealSchedule(sc Schedule) Schedule {
	if len(sc.Params) > 0 {
		owner := "schedule " + sc.ID.String()
		sc.Params, sc.Extra = s.sealMap(sc.Params, owner), s.sealMap(sc.Extra, owner)
	}
	return sc
}

func (s sealedStore) openSchedule(sc *Schedule) error {
	o := opening{sealedStore: s, owner: "schedule " + sc.ID.String()}
	o.texts(&sc.Params)
	o.texts(&sc.Extra)
	return o.done()
}

func (s sealedStore) openSchedules(rows []Schedule, err error) error {
	for i := range rows {
		err = errors.Join(err, s.openSchedule(&rows[i]))
	}
	return err
}

// InsertSchedule implements Schedules.
func (s sealedStore) InsertSchedule(ctx context.Context, sc Schedule) error {
	return s.Store.InsertSchedule(ctx, s.sealSchedule(sc))
}

// Schedule implements Schedules.
func (s sealedStore) Schedule(ctx context.Context, account AccountID, id ID) (Schedule, error) {
	sc, err := s.Store.Schedule(ctx, account, id)
	if err == nil {
		err = s.openSchedule(&sc)
	}
	return sc, err
}

// ChangeSchedule implements Schedules.
func (s sealedStore) ChangeSchedule(
	ctx context.Context, account AccountID, id ID, change func(*Schedule) (keep bool, err error),
) error {
	return s.Store.ChangeSchedule(ctx, account, id, func(sc *Schedule) (bool, error) {
		if err := s.openSchedule(sc); err != nil {
			return false, err
		}
		keep, err := change(sc)
		*sc = s.sealSchedule(*sc)
		return keep, err
	})
}

// ListSchedules implements Schedules.
func (s sealedStore) ListSchedules(ctx context.Context, f ScheduleFilter, p Page) ([]Schedule, int, error) {
	rows, total, err := s.Store.ListSchedules(ctx, f, p)
	return rows, total, s.openSchedules(rows, err)
}

// ClaimSchedules implements Schedules.
func (s sealedStore) ClaimSchedules(ctx context.Context, now, until time.Time, most int) ([]Schedule, error) {
	rows, err := s.Store.ClaimSchedules(ctx, now, until, most)
	return rows, s.openSchedules(rows, err)
}

// PaceInvocation implements Paces.
func (s sealedStore) PaceInvocation(
	ctx context.Context, id ID, pace func(v *Invocation, held func(before int) (int, error)) (int, error), release func(*Task),
) ([]Task, error) {
	return s.Store.PaceInvocation(ctx, id, func(v *Invocation, held func(before int) (int, error)) (int, error) {
		if err := s.open(v); err != nil {
			return 0, err
		}
		return pace(v, held)
	}, release)
}
