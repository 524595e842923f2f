package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const (
	nodeColumns = `n.key, n.account, n.id, n.name, n.region, n.public_key, n.registration, n.registered_at, n.updated_at, n.removed_at,
		n.hostname, n.platform, n.os_name, n.kernel, n.arch, n.machine_id, n.boot_id, n.zone, n.private_ip, n.public_ip, n.agent,
		n.features, n.resource_group, n.tags, n.install_asked_at, n.next_public_key, n.keyed_at, n.rotation_asked_at,
		n.cpus, n.memory, n.gpus, n.cordoned_at, n.cordoned_by, n.cordon_reason, s.at`
	fromNodes = "nodes n" + joinSeen
	joinSeen  = " CROSS JOIN seen s ON s.node = n.key"
)

func scanNode(r *row) (n core.Node) {
	n.Key, n.Account, n.ID, n.Name, n.Region = core.NodeKey(r.int()), core.AccountID(r.int()), r.text(), r.text(), r.text()
	n.PublicKey, n.Registration = r.text(), r.id()
	n.RegisteredAt, n.UpdatedAt, n.RemovedAt = r.time(), r.time(), r.time()
	n.Hostname, n.Platform, n.OSName, n.Kernel, n.Arch = r.text(), core.Platform(r.text()), r.text(), r.text(), r.text()
	n.MachineID, n.BootID, n.Zone, n.PrivateIP, n.PublicIP, n.Agent = r.text(), r.text(), r.text(), r.text(), r.text(), r.text()
	r.json(&n.Features)
	n.ResourceGroup, n.Tags, n.InstallAskedAt = r.text(), r.tags(), r.time()
	n.NextPublicKey, n.KeyedAt, n.RotationAskedAt = r.text(), r.time(), r.time()
	n.CPUs, n.Memory = int(r.int()), r.int()
	r.json(&n.GPUs)
	n.CordonedAt, n.CordonedBy, n.CordonReason, n.LastSeen = r.time(), r.text(), r.text(), r.time()
	return n
}

// InsertNode implements core.Nodes.
func (s *Store) InsertNode(ctx context.Context, n core.Node) (key core.NodeKey, err error) {
	err = s.write(ctx, func(t *tx) error {
		key, err = t.insertNode(&n)
		return err
	})
	return key, named(err, "insert node %s", n.ID)
}

func (t *tx) insertNode(n *core.Node) (core.NodeKey, error) {
	_, generated := core.ParseID(n.ID)
	err := exec(t.conn, `INSERT INTO nodes (account, id, generated, name, region, public_key, registration, registered_at, updated_at,
			removed_at, hostname, platform, os_name, kernel, arch, machine_id, boot_id, zone, private_ip, public_ip, agent, features,
			resource_group, tags, install_asked_at, next_public_key, keyed_at, rotation_asked_at,
			cpus, memory, gpus, cordoned_at, cordoned_by, cordon_reason)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		n.Account, n.ID, generated, n.Name, n.Region, n.PublicKey, n.Registration, n.RegisteredAt, n.UpdatedAt,
		n.RemovedAt, n.Hostname, n.Platform, n.OSName, n.Kernel, n.Arch, n.MachineID, n.BootID, n.Zone, n.PrivateIP, n.PublicIP,
		n.Agent, n.Features, n.ResourceGroup, n.Tags, n.InstallAskedAt, n.NextPublicKey, n.KeyedAt, n.RotationAskedAt,
		n.CPUs, n.Memory, n.GPUs, n.CordonedAt, n.CordonedBy, n.CordonReason)
	if err != nil {
		return 0, err
	}
	key := core.NodeKey(t.conn.LastInsertRowID())
	if err := exec(t.conn, "INSERT INTO seen (node, at) VALUES (?, ?)", key, n.LastSeen); err != nil {
		return 0, err
	}
	return key, t.noteNode(n.Account, core.NodeNote{Node: key, Change: core.NodeJoined, At: n.RegisteredAt})
}

// ChangeNode implements core.Nodes.
func (s *Store) ChangeNode(ctx context.Context, key core.NodeKey, change func(*core.Node) error) error {
	err := s.write(ctx, func(t *tx) error {
		n, err := readNode(t.conn, "n.key = ?", key)
		if err != nil {
			return err
		}
		before := n
		if err := change(&n); err != nil {
			return err
		}
		_, generated := core.ParseID(n.ID)
		err = exec(t.conn, `UPDATE nodes SET id = ?, generated = ?, name = ?, region = ?, public_key = ?, registration = ?, registered_at = ?,
				updated_at = ?, removed_at = ?, hostname = ?, platform = ?, os_name = ?, kernel = ?, arch = ?, machine_id = ?, boot_id = ?,
				zone = ?, private_ip = ?, public_ip = ?, agent = ?, features = ?, resource_group = ?, tags = ?,
				install_asked_at = ?, next_public_key = ?, keyed_at = ?, rotation_asked_at = ?,
				cpus = ?, memory = ?, gpus = ?, cordoned_at = ?, cordoned_by = ?, cordon_reason = ? WHERE key = ?`,
			n.ID, generated, n.Name, n.Region, n.PublicKey, n.Registration, n.RegisteredAt,
			n.UpdatedAt, n.RemovedAt, n.Hostname, n.Platform, n.OSName, n.Kernel, n.Arch, n.MachineID, n.BootID,
			n.Zone, n.PrivateIP, n.PublicIP, n.Agent, n.Features, n.ResourceGroup, n.Tags, n.InstallAskedAt,
			n.NextPublicKey, n.KeyedAt, n.RotationAskedAt,
			n.CPUs, n.Memory, n.GPUs, n.CordonedAt, n.CordonedBy, n.CordonReason, key)
		if err != nil {
			return err
		}
		for _, c := range core.NodeEvents(&before, &n) {
			if err := t.noteNode(n.Account, core.NodeNote{Node: key, Change: c, At: n.UpdatedAt}); err != nil {
				return err
			}
		}
		return exec(t.conn, "UPDATE seen SET at = ? WHERE node = ?", n.LastSeen, key)
	})
	return named(err, "change node %d", key)
}

// Node implements core.Nodes.
func (s *Store) Node(ctx context.Context, key core.NodeKey) (n core.Node, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		n, err = readNode(conn, "n.key = ?", key)
		return err
	})
	return n, named(err, "node %d", key)
}

// NodeByPublicKey implements core.Nodes.
func (s *Store) NodeByPublicKey(ctx context.Context, publicKey string) (n core.Node, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		n, err = readNode(conn, "n.public_key = ? AND n.public_key <> '' AND n.removed_at IS NULL", publicKey)
		if errors.Is(err, core.ErrNotFound) {
			n, err = readNode(conn, "n.next_public_key = ? AND n.next_public_key <> '' AND n.removed_at IS NULL", publicKey)
		}
		return err
	})
	return n, named(err, "node with key %s", publicKey)
}

func readNode(conn *sqlite.Conn, condition string, arg any) (n core.Node, err error) {
	err = queryOne(conn, "SELECT "+nodeColumns+" FROM "+fromNodes+" WHERE "+condition, func(r *row) error {
		n = scanNode(r)
		return nil
	}, arg)
	return n, err
}

// NodesByID implements core.Nodes.
func (s *Store) NodesByID(ctx context.Context, account core.AccountID, ids []string) (map[string]core.Node, error) {
	found := make(map[string]core.Node, len(ids))
	err := s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT "+nodeColumns+` FROM json_each(?) j
			CROSS JOIN nodes n ON n.account = ? AND n.id = j.value AND n.removed_at IS NULL CROSS JOIN seen s ON s.node = n.key`,
			func(r *row) error {
				n := scanNode(r)
				found[n.ID] = n
				return nil
			}, jsonList(ids), account)
	})
	return found, named(err, "nodes by id")
}

// ListNodes implements core.Nodes.
func (s *Store) ListNodes(ctx context.Context, f core.NodeFilter, p core.Page) (rows []core.Node, total int, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		l := listNodes(&f)
		if p.Count {
			counted := *l
			if f.Online == nil && f.Expr == nil {
				counted.from = strings.TrimSuffix(l.from, joinSeen)
			}
			if total, err = counted.count(conn); err != nil {
				return err
			}
		}
		return l.pageByKey(conn, nodeColumns, "n.key", p, func(r *row) error {
			rows = append(rows, scanNode(r))
			return nil
		})
	})
	return rows, total, named(err, "list nodes")
}

func listNodes(f *core.NodeFilter) *listing {
	l := &listing{from: fromNodes}
	switch {
	case len(f.Keys) > 0:
		l.from = "json_each(?) k CROSS JOIN nodes n ON n.key = k.value" + joinSeen
		l.args = []any{jsonList(distinct(f.Keys))}
	case f.Account == 0:
	case len(f.IDs) > 0: // a few rows to sort are better than all of the account in order
		l.from = "nodes n INDEXED BY nodes_ever_id" + joinSeen
	case len(f.Names) > 0:
		l.from = "nodes n INDEXED BY nodes_name" + joinSeen
	}
	l.account("n.account", f.Account)
	among(l, "n.id", f.IDs)
	among(l, "n.name", f.Names)
	among(l, "n.platform", f.Platforms)
	among(l, "n.registration", f.Registrations)
	l.text("n.machine_id", f.MachineID)
	if f.IP != "" {
		l.and("(n.private_ip = ? OR n.public_ip = ?)", f.IP, f.IP)
	}
	if f.Online != nil {
		// Node.Online in SQL.
		since := f.Now.Add(-core.OnlineWindow).UnixMicro()
		if *f.Online {
			l.and("s.at > ? AND n.removed_at IS NULL", since)
		} else {
			l.and("(s.at IS NULL OR s.at <= ? OR n.removed_at IS NOT NULL)", since)
		}
	}
	l.text("n.resource_group", f.ResourceGroup)
	l.tags("n.tags", f.Tags)
	l.tagKeys("n.tags", f.TagKeys)
	if f.NoTagKey != "" {
		l.and("NOT EXISTS (SELECT 1 FROM json_each(n.tags) e WHERE e.value ->> 0 = ?)", f.NoTagKey)
	}
	if !f.Removed {
		l.and("n.removed_at IS NULL")
	}
	if f.GeneratedIDs {
		l.and("n.generated")
	}
	if f.Expr != nil {
		l.target(f)
	}
	return l
}

// SelectNodes implements core.Nodes.
func (s *Store) SelectNodes(ctx context.Context, f core.NodeFilter) (rows []core.Node, err error) {
	const columns = `n.key, n.id, n.name, n.platform, n.agent, n.features, n.resource_group, n.tags, n.cordoned_at, n.cordoned_by, n.cordon_reason, s.at`
	// Thousands of nodes have few lists among them.
	features, tags := map[string][]string{}, map[string][]core.Tag{}
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		l := listNodes(&f)
		return l.run(conn, l.query(columns, ""), func(r *row) error {
			n := core.Node{Key: core.NodeKey(r.int()), ID: r.text(), Name: r.text(), Platform: core.Platform(r.text()), Agent: r.text()}
			text := r.text()
			list, ok := features[text]
			if !ok && text != "" {
				if err := json.Unmarshal([]byte(text), &list); err != nil {
					return fmt.Errorf("stored features of node %d: %w", n.Key, err)
				}
				features[text] = list
			}
			n.Features = list
			n.ResourceGroup = r.text()
			at := r.col
			if n.Tags, ok = tags[r.text()]; !ok {
				r.col = at
				n.Tags = r.tags()
				r.col = at
				tags[r.text()] = n.Tags
			}
			n.CordonedAt, n.CordonedBy, n.CordonReason, n.LastSeen = r.time(), r.text(), r.text(), r.time()
			rows = append(rows, n)
			return nil
		}, l.args)
	})
	return rows, named(err, "select nodes")
}

// SetLastSeen implements core.Nodes.
func (s *Store) SetLastSeen(ctx context.Context, seen map[core.NodeKey]time.Time) error {
	err := s.write(ctx, func(t *tx) error {
		for key, at := range seen {
			if err := exec(t.conn, "UPDATE seen SET at = ?1 WHERE node = ?2 AND (at IS NULL OR at < ?1)", at, key); err != nil {
				return err
			}
		}
		return nil
	})
	return named(err, "set last seen")
}

// NodeLoads implements core.Nodes. Nodes that never had a task have a zero load.
func (s *Store) NodeLoads(ctx context.Context, keys []core.NodeKey) (map[core.NodeKey]core.NodeLoad, error) {
	loads := make(map[core.NodeKey]core.NodeLoad, len(keys))
	err := s.read(ctx, func(conn *sqlite.Conn) error {
		var open int64
		err := queryOne(conn, countOpenInvocations, func(r *row) error { open = r.int(); return nil })
		if err != nil {
			return err
		}
		for _, key := range keys {
			if loads[key], err = nodeLoad(conn, key, open); err != nil {
				return err
			}
		}
		return nil
	})
	return loads, named(err, "node loads")
}

const (
	countOpenInvocations = "SELECT count(*) FROM invocations v INDEXED BY invocations_open WHERE v.open > 0"
	// The latest one is the one with the greatest id, of whatever kind.
	countTasksOfNode = `SELECT count(*), max(t.invocation) FROM parts p CROSS JOIN tasks t ON t.part = p.id AND t.node = ?`
	// Two ways to the same counts. One looks at all tasks of the node, the other for its tasks in all open invocations.
	countOpenAmongTasks = `SELECT count(*), total(t.state = ?) FROM parts p CROSS JOIN tasks t INDEXED BY tasks_node ON t.part = p.id AND t.node = ?
		WHERE t.state < ?`
	countOpenOfNode = `SELECT count(*), total(t.state = ?) FROM invocations v INDEXED BY invocations_open
		CROSS JOIN tasks t INDEXED BY tasks_node ON t.part = v.part AND t.node = ? AND t.invocation = v.id
		WHERE v.open > 0 AND t.state < ?`
)

// nodeLoad counts the tasks of a node, while so many invocations are open.
func nodeLoad(conn *sqlite.Conn, key core.NodeKey, open int64) (load core.NodeLoad, err error) {
	var tasks, latest int64
	err = queryOne(conn, countTasksOfNode, func(r *row) error { tasks, latest = r.int(), r.int(); return nil }, key)
	if err != nil || tasks == 0 {
		return load, err
	}
	load.Finished = int(tasks)
	text := countOpenOfNode
	if tasks < open {
		text = countOpenAmongTasks
	}
	if open > 0 {
		err = queryOne(conn, text, func(r *row) error {
			active, standing := int(r.int()), int(r.int())
			load.Finished -= active
			load.Active = active - standing // a task that waits for its time is not in progress
			return nil
		}, int(core.Scheduled), key, int(core.Succeeded))
	}
	if err != nil {
		return load, err
	}
	err = query(conn, "SELECT created_at FROM orders WHERE invocation = ?", func(r *row) error { load.LastInvoked = r.time(); return nil }, latest)
	return load, err
}
