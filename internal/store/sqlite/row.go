package sqlite

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
	"errand/internal/schedule"
)

// row reads the columns of a statement's row from left to right. The first value that cannot be read is kept in err.
type row struct {
	*sqlite.Stmt
	col int
	err error
}

func (r *row) next() int {
	r.col++
	return r.col - 1
}

func (r *row) int() int64 { return r.ColumnInt64(r.next()) }

func (r *row) bool() bool { return r.int() != 0 }

func (r *row) text() string { return r.ColumnText(r.next()) }

func (r *row) id() core.ID { return core.ID(r.int()) }

func (r *row) duration() time.Duration { return time.Duration(r.int()) * time.Microsecond }

// bytes returns a copy of a blob; nil for NULL.
func (r *row) bytes() []byte {
	col := r.next()
	n := r.ColumnLen(col)
	if n == 0 && r.ColumnIsNull(col) {
		return nil
	}
	b := make([]byte, n)
	r.ColumnBytes(col, b)
	return b
}

func (r *row) time() time.Time { return r.timeFrom(0) }

// timeFrom reads a time that is stored relative to base.
func (r *row) timeFrom(base int64) time.Time {
	col := r.next()
	v := r.ColumnInt64(col)
	if v == 0 && r.ColumnIsNull(col) {
		return time.Time{}
	}
	return time.UnixMicro(base + v).UTC()
}

// json reads a list or map into v, which stays as it is for NULL.
func (r *row) json(v any) {
	col := r.next()
	if r.ColumnLen(col) == 0 {
		return
	}
	if err := json.Unmarshal([]byte(r.ColumnText(col)), v); err != nil && r.err == nil {
		r.err = fmt.Errorf("stored json: %w", err)
	}
}

func (r *row) tags() (tags []core.Tag) {
	var pairs [][2]string
	r.json(&pairs)
	for _, p := range pairs {
		tags = append(tags, core.Tag{Key: p[0], Value: p[1]})
	}
	return tags
}

func (r *row) strings() (m map[string]string) {
	r.json(&m)
	return m
}

// binder sets the parameters of a statement from left to right.
type binder struct {
	*sqlite.Stmt
	param int
	err   error
}

func (b *binder) next() int {
	b.param++
	return b.param
}

func (b *binder) int(v int64) { b.BindInt64(b.next(), v) }

// timeFrom stores a time relative to base.
func (b *binder) timeFrom(base int64, t time.Time) {
	if t.IsZero() {
		b.BindNull(b.next())
		return
	}
	b.BindInt64(b.next(), t.UnixMicro()-base)
}

func (b *binder) bytes(v []byte) {
	if v == nil {
		b.BindNull(b.next())
		return
	}
	b.BindBytes(b.next(), v)
}

// count stores a number that nearly always is 0.
func (b *binder) count(n uint32) {
	if n == 0 {
		b.BindNull(b.next())
		return
	}
	b.int(int64(n))
}

func (b *binder) json(v any, empty bool) {
	if empty {
		b.BindNull(b.next())
		return
	}
	text, err := json.Marshal(v)
	if err != nil && b.err == nil {
		b.err = err
	}
	b.BindText(b.next(), string(text))
}

// set stores a value of any type that occurs in the schema.
func (b *binder) set(v any) {
	switch v := v.(type) {
	case int64:
		b.int(v)
	case int:
		b.int(int64(v))
	case float64:
		b.BindFloat(b.next(), v)
	case core.ID:
		b.int(int64(v))
	case core.AccountID:
		b.int(int64(v))
	case core.NodeKey:
		b.int(int64(v))
	case bool:
		b.BindBool(b.next(), v)
	case string:
		b.BindText(b.next(), v)
	case core.KeyKind:
		b.BindText(b.next(), string(v))
	case core.Platform:
		b.BindText(b.next(), string(v))
	case core.CommandType:
		b.BindText(b.next(), string(v))
	case core.Origin:
		b.BindText(b.next(), string(v))
	case core.RepeatMode:
		b.BindText(b.next(), string(v))
	case []byte:
		b.bytes(v)
	case time.Time:
		b.timeFrom(0, v)
	case time.Duration:
		b.int(v.Microseconds())
	case []core.Tag:
		pairs := make([][2]string, len(v))
		for i, t := range v {
			pairs[i] = [2]string{t.Key, t.Value}
		}
		b.json(pairs, len(v) == 0)
	case map[string]string:
		b.json(v, len(v) == 0)
	case []string:
		b.json(v, len(v) == 0)
	case *core.ParamStyle:
		b.json(v, *v == core.ParamStyle{})
	case *core.File:
		b.json(v, v == nil)
	case schedule.Policy:
		b.json(v, v == schedule.Policy{})
	case *core.Resources:
		b.json(v, v == nil)
	case *core.Transfer:
		b.json(v, v == nil)
	case *core.Pace:
		b.json(v, v == nil)
	case *core.Pacing:
		b.json(v, v == nil)
	case []core.ID:
		b.json(v, len(v) == 0)
	case core.SessionEncryption:
		b.json(v, v == core.SessionEncryption{})
	case []core.DeadLetter:
		b.json(v, len(v) == 0)
	case []netip.Prefix:
		b.json(v, len(v) == 0)
	case []core.RecordSegment:
		b.json(v, len(v) == 0)
	case core.Selection:
		b.json(v, v.IsZero())
	default:
		b.err = fmt.Errorf("no column holds a %T", v)
	}
}

// prepare returns the connection's statement for a query, with its parameters set.
func prepare(conn *sqlite.Conn, text string, args []any) (*sqlite.Stmt, error) {
	stmt, err := conn.Prepare(text)
	if err != nil {
		return nil, err
	}
	return stmt, bind(stmt, args)
}

func bind(stmt *sqlite.Stmt, args []any) error {
	b := binder{Stmt: stmt}
	for _, v := range args {
		b.set(v)
	}
	return b.err
}

// errStop ends a query early, without an error.
var errStop = errors.New("stop")

// query calls visit for each row. visit may use the connection, but not run the same query again.
func query(conn *sqlite.Conn, text string, visit func(*row) error, args ...any) error {
	stmt, err := prepare(conn, text, args)
	if err != nil {
		return err
	}
	return visitRows(stmt, visit)
}

// queryTransient is query with a statement that the connection does not keep.
func queryTransient(conn *sqlite.Conn, text string, visit func(*row) error, args []any) (err error) {
	stmt, _, err := conn.PrepareTransient(text)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stmt.Finalize()) }()
	if err := bind(stmt, args); err != nil {
		return err
	}
	return visitRows(stmt, visit)
}

func visitRows(stmt *sqlite.Stmt, visit func(*row) error) error {
	for {
		more, err := stmt.Step()
		if err != nil || !more {
			return err
		}
		r := row{Stmt: stmt}
		if err = visit(&r); err == nil {
			err = r.err
		}
		if err != nil {
			_ = stmt.Reset() // the visitor's error is the one that matters
			if errors.Is(err, errStop) {
				return nil
			}
			return err
		}
	}
}

// queryOne is query for at most one row; core.ErrNotFound if there is none.
func queryOne(conn *sqlite.Conn, text string, visit func(*row) error, args ...any) error {
	found := false
	err := query(conn, text, func(r *row) error {
		found = true
		return visit(r)
	}, args...)
	if err == nil && !found {
		err = core.ErrNotFound
	}
	return err
}

// exec runs a statement that returns no rows. A violated uniqueness is core.ErrTaken.
func exec(conn *sqlite.Conn, text string, args ...any) error {
	stmt, err := prepare(conn, text, args)
	if err != nil {
		return err
	}
	return step(stmt)
}

// step runs a statement whose parameters are set, and makes it ready for the next ones.
func step(stmt *sqlite.Stmt) error {
	if _, err := stmt.Step(); err != nil {
		return taken(err)
	}
	return stmt.Reset()
}

func taken(err error) error {
	switch sqlite.ErrCode(err) {
	case sqlite.ResultConstraintUnique, sqlite.ResultConstraintPrimaryKey, sqlite.ResultConstraintRowID:
		return fmt.Errorf("%w: %w", core.ErrTaken, err)
	default:
		return err
	}
}
