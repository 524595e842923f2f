package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const parcelColumns = "id, account, principal, invocation, idx, file, name, size, hash, stamp, have, state, sealed, created_at, updated_at"

func scanParcel(r *row) (p core.Parcel) {
	p.ID, p.Account, p.Principal, p.Invocation = r.id(), core.AccountID(r.int()), r.text(), r.id()
	p.Index, p.File, p.Name, p.Size, p.Hash = uint32(r.int()), uint32(r.int()), r.text(), r.int(), r.text()
	p.Stamp, p.Have, p.State, p.Sealed = r.text(), r.int(), r.bytes(), r.bool()
	p.CreatedAt, p.UpdatedAt = r.time(), r.time()
	return p
}

// InsertParcel implements core.Parcels.
func (s *Store) InsertParcel(ctx context.Context, p core.Parcel) error {
	err := s.write(ctx, func(t *tx) error {
		return exec(t.conn, "INSERT INTO parcels ("+parcelColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			p.ID, p.Account, p.Principal, p.Invocation, int64(p.Index), int64(p.File), p.Name, p.Size, p.Hash, p.Stamp, p.Have, p.State, p.Sealed,
			p.CreatedAt, p.UpdatedAt)
	})
	return named(err, "insert parcel %s", p.ID)
}

// Parcel implements core.Parcels.
func (s *Store) Parcel(ctx context.Context, id core.ID) (p core.Parcel, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		p, err = readParcel(conn, id)
		return err
	})
	return p, named(err, "parcel %s", id)
}

func readParcel(conn *sqlite.Conn, id core.ID) (p core.Parcel, err error) {
	err = queryOne(conn, "SELECT "+parcelColumns+" FROM parcels WHERE id = ?", func(r *row) error {
		p = scanParcel(r)
		return nil
	}, id)
	return p, err
}

// ChangeParcel implements core.Parcels.
func (s *Store) ChangeParcel(ctx context.Context, id core.ID, change func(*core.Parcel) (bool, error)) error {
	err := s.write(ctx, func(t *tx) error {
		p, err := readParcel(t.conn, id)
		if err != nil {
			return err
		}
		keep, err := change(&p)
		switch {
		case err != nil:
			return err
		case !keep:
			return exec(t.conn, "DELETE FROM parcels WHERE id = ?", id)
		}
		return exec(t.conn, `UPDATE parcels SET principal = ?, invocation = ?, idx = ?, file = ?, name = ?, size = ?, hash = ?, stamp = ?, have = ?,
				state = ?, sealed = ?, updated_at = ? WHERE id = ?`,
			p.Principal, p.Invocation, int64(p.Index), int64(p.File), p.Name, p.Size, p.Hash, p.Stamp, p.Have, p.State, p.Sealed, p.UpdatedAt, id)
	})
	return named(err, "change parcel %s", id)
}

// ListParcels implements core.Parcels.
func (s *Store) ListParcels(ctx context.Context, f core.ParcelFilter) (rows []core.Parcel, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		l := listParcels(&f)
		most := f.Limit
		if most == 0 {
			most = -1 // none
		}
		return query(conn, l.query(parcelColumns, " ORDER BY invocation, idx, file, id LIMIT ?"), func(r *row) error {
			rows = append(rows, scanParcel(r))
			return nil
		}, append(l.args, most)...)
	})
	return rows, named(err, "list parcels")
}

func listParcels(f *core.ParcelFilter) *listing {
	l := &listing{from: "parcels"}
	l.account("account", f.Account)
	if len(f.Invocations) > 0 || f.Task != nil {
		l.and("invocation <> 0")
		among(l, "invocation", f.Invocations)
	}
	if f.Task != nil {
		l.and("invocation = ? AND idx = ?", f.Task.Invocation, int64(f.Task.Index))
	}
	if f.Free {
		l.and("invocation = 0")
	}
	l.text("principal", f.Principal)
	l.text("hash", f.Hash)
	if !f.Before.IsZero() {
		l.and("updated_at < ?", f.Before)
	}
	return l
}

// ParcelBytes implements core.Parcels.
func (s *Store) ParcelBytes(ctx context.Context) (n int64, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT ifnull(sum(size), 0) FROM parcels", func(r *row) error { n = r.int(); return nil })
	})
	return n, named(err, "bytes of parcels")
}
