-- Terminals: who may speak to which nodes.
CREATE TABLE sessions (
    id            INTEGER PRIMARY KEY,
    account       INTEGER NOT NULL,
    region        TEXT NOT NULL,
    origin        TEXT NOT NULL,
    mode          TEXT NOT NULL,
    kind          TEXT NOT NULL,
    user          TEXT NOT NULL,
    password_name TEXT NOT NULL,
    command       TEXT NOT NULL,
    port          INTEGER NOT NULL,
    host          TEXT NOT NULL,
    network       TEXT NOT NULL,
    encryption    TEXT, -- JSON
    token_hash    TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    ended_at      INTEGER,
    client_ip     TEXT NOT NULL,
    principal     TEXT NOT NULL,
    identity      TEXT NOT NULL
);
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_open ON sessions (account, region) WHERE ended_at IS NULL;
CREATE INDEX sessions_unended ON sessions (ended_at) WHERE ended_at IS NULL; -- of all accounts, by id

-- Their connections to nodes. status and closed are core.ConnectionStatus and core.CloseReason.
CREATE TABLE connections (
    session    INTEGER NOT NULL,
    position   INTEGER NOT NULL,
    node       INTEGER NOT NULL,
    node_id    TEXT NOT NULL,
    shown      TEXT NOT NULL,
    status     INTEGER NOT NULL,
    closed     INTEGER NOT NULL,
    detail     TEXT NOT NULL,
    started_at INTEGER,
    ended_at   INTEGER,
    PRIMARY KEY (session, position)
) WITHOUT ROWID;
CREATE INDEX connections_node ON connections (node, session);
CREATE INDEX connections_connected ON connections (node) WHERE status = 1;
