-- Releases of the agent, the lists of keys that may sign them, and how they reach the nodes.
CREATE TABLE release_keys (
    serial INTEGER PRIMARY KEY,
    text   BLOB NOT NULL
);
CREATE TABLE releases (
    version    TEXT PRIMARY KEY,
    digest     TEXT NOT NULL UNIQUE,
    manifest   BLOB NOT NULL,
    complete   INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE rollouts (
    id         INTEGER PRIMARY KEY,
    account    INTEGER NOT NULL, -- 0 is all
    version    TEXT NOT NULL,
    plan       TEXT NOT NULL, -- JSON
    state      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    stage      INTEGER NOT NULL,
    stage_done INTEGER,
    forgiven   INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
-- state is core.UpgradeState.
CREATE TABLE node_upgrades (
    rollout    INTEGER NOT NULL,
    node       INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    old        TEXT NOT NULL,
    detail     TEXT NOT NULL,
    offered_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (rollout, node)
) WITHOUT ROWID;
