package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

// carrier is where the tags of a kind of object are kept.
type carrier struct {
	from               string
	key, account, tags string // columns
	id                 string // column of an id that is not made of the key
	exists             string // condition, if not every row counts
	update             string // writes the tags of a key
}

func carrierOf(kind core.Kind) (carrier, error) {
	switch kind {
	case core.KindCommand:
		return carrier{
			from: "commands c", key: "c.id", account: "c.account", tags: "c.tags",
			update: "UPDATE commands SET tags = ? WHERE id = ?",
		}, nil
	case core.KindInvocation:
		return carrier{
			from: fromInvocations, key: "v.id", account: "v.account", tags: "o.tags",
			update: "UPDATE orders SET tags = ? WHERE invocation = ?",
		}, nil
	case core.KindRegistration:
		return carrier{
			from: "registrations g", key: "g.id", account: "g.account", tags: "g.tags",
			update: "UPDATE registrations SET tags = ? WHERE id = ?",
		}, nil
	case core.KindNode:
		return carrier{
			from: "nodes n", key: "n.key", account: "n.account", tags: "n.tags", id: "n.id", exists: "n.removed_at IS NULL",
			update: "UPDATE nodes SET tags = ? WHERE key = ?",
		}, nil
	}
	return carrier{}, fmt.Errorf("objects of kind %d carry no tags", kind)
}

// listing selects objects with their tags.
func (c *carrier) listing(f *core.TaggedFilter) *listing {
	l := &listing{from: c.from}
	account := c.account
	if len(f.Keys) > 0 {
		account = "+" + account // a few rows by key are better than all of the account
	}
	l.account(account, f.Account)
	among(l, c.key, f.Keys)
	l.tags(c.tags, f.Tags)
	l.tagKeys(c.tags, f.TagKeys)
	l.choices(c.tags, f.Choices)
	if c.exists != "" {
		l.and(c.exists)
	}
	return l
}

// ChangeTags implements core.Tags.
func (s *Store) ChangeTags(
	ctx context.Context, account core.AccountID, kind core.Kind, keys []int64, change func([]core.Tag) ([]core.Tag, error),
) error {
	c, err := carrierOf(kind)
	if err != nil {
		return err
	}
	err = s.write(ctx, func(t *tx) error {
		for _, key := range keys {
			var tags []core.Tag
			l := c.listing(&core.TaggedFilter{Account: account, Keys: []int64{key}})
			err := queryOne(t.conn, l.query(c.tags, ""), func(r *row) error { tags = r.tags(); return nil }, l.args...)
			if err != nil {
				return err
			}
			if tags, err = change(tags); err != nil {
				return err
			}
			if err := exec(t.conn, c.update, tags, key); err != nil {
				return err
			}
			if kind != core.KindInvocation {
				continue
			}
			if err := remark(t.conn, core.ID(key)); err != nil {
				return err
			}
		}
		return nil
	})
	return named(err, "change tags")
}

// ListTagged implements core.Tags.
func (s *Store) ListTagged(ctx context.Context, kind core.Kind, f core.TaggedFilter, p core.Page) (rows []core.Tagged, err error) {
	c, err := carrierOf(kind)
	if err != nil {
		return nil, err
	}
	columns := c.key + ", " + c.tags
	if c.id != "" {
		columns += ", " + c.id
	}
	scan := func(r *row) error {
		t := core.Tagged{Key: r.int(), Tags: r.tags()}
		if c.id != "" {
			t.ID = r.text()
		} else {
			t.ID = core.ID(t.Key).String()
		}
		rows = append(rows, t)
		return nil
	}
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		lists := tagChoices(&f)
		if kind != core.KindInvocation || f.Account == 0 || len(f.Keys) > 0 || len(lists) == 0 {
			return c.listing(&f).pageByKey(conn, columns, c.key, p, scan)
		}
		found, err := newSearch(conn, lists, func(class) bool { return true })
		if err != nil {
			return err
		}
		return page(found.lanes(false), p, func(v *visited) error {
			return query(conn, "SELECT "+columns+" FROM "+c.from+" WHERE "+c.key+" = ?", scan, v.at.A)
		})
	})
	return rows, named(err, "list tagged")
}
