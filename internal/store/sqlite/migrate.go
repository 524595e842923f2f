package sqlite

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrNewer says that the database was written by a newer version of this program.
var ErrNewer = errors.New("database belongs to a newer version")

// firstMarks is the number of the file after which all invocations have to be marked.
const firstMarks = 8

// migrate applies the numbered files of migrations/ that the database has not seen, all in one transaction. The number of the last one is
// the database's user_version.
func migrate(conn *sqlite.Conn, files fs.FS) error {
	names, err := fs.Glob(files, "migrations/*.sql") // sorted
	if err != nil {
		return err
	}
	for i, name := range names {
		number, _, _ := strings.Cut(path.Base(name), "_")
		if n, err := strconv.Atoi(number); err != nil || n != i+1 {
			return fmt.Errorf("migration %s should have number %d", name, i+1)
		}
	}
	var have int
	if err := query(conn, "PRAGMA user_version", func(r *row) error { have = int(r.int()); return nil }); err != nil {
		return err
	}
	switch {
	case have > len(names):
		return fmt.Errorf("%w: its schema is number %d, the last one known here is %d", ErrNewer, have, len(names))
	case have == len(names):
		return nil
	}
	return apply(conn, files, names, have)
}

func apply(conn *sqlite.Conn, files fs.FS, names []string, have int) (err error) {
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	for _, name := range names[have:] {
		script, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if err := sqlitex.ExecuteScript(conn, string(script), nil); err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
	}
	if have < firstMarks && len(names) >= firstMarks { // at the end, because marking reads whole rows
		if err := markAll(conn); err != nil {
			return fmt.Errorf("mark invocations: %w", err)
		}
	}
	return sqlitex.ExecuteTransient(conn, fmt.Sprintf("PRAGMA user_version = %d", len(names)), nil)
}
