-- Times are integer microseconds since 1970, UTC; NULL where there is none.
-- Lists and maps are JSON; NULL where they are empty. Tags are [["key","value"],...].
-- No secret is kept in clear: access_keys.sealed is encrypted, the rest are hashes.

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE accounts (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    created_at INTEGER
);

-- What an account's invocations and tasks add up to, so that no listing counts rows. tasks is written like invocations.counts.
CREATE TABLE account_totals (
    account     INTEGER PRIMARY KEY,
    invocations INTEGER NOT NULL,
    tasks       BLOB NOT NULL
);

CREATE TABLE access_keys (
    id         TEXT PRIMARY KEY,
    account    INTEGER NOT NULL,
    principal  TEXT NOT NULL,
    kind       TEXT NOT NULL,
    sealed     BLOB,
    token_hash TEXT NOT NULL,
    disabled   INTEGER NOT NULL,
    created_at INTEGER,
    expires_at INTEGER
) WITHOUT ROWID;

-- AUTOINCREMENT: a key names subjects on the bus and must never come back as another machine's.
CREATE TABLE nodes (
    key            INTEGER PRIMARY KEY AUTOINCREMENT,
    account        INTEGER NOT NULL,
    id             TEXT NOT NULL,
    generated      INTEGER NOT NULL, -- the id was left to us
    name           TEXT NOT NULL,
    region         TEXT NOT NULL,
    public_key     TEXT NOT NULL,
    registration   INTEGER NOT NULL,
    registered_at  INTEGER,
    updated_at     INTEGER,
    removed_at     INTEGER,
    hostname       TEXT NOT NULL,
    platform       TEXT NOT NULL,
    os_name        TEXT NOT NULL,
    kernel         TEXT NOT NULL,
    arch           TEXT NOT NULL,
    machine_id     TEXT NOT NULL,
    boot_id        TEXT NOT NULL,
    zone           TEXT NOT NULL,
    private_ip     TEXT NOT NULL,
    public_ip      TEXT NOT NULL,
    agent          TEXT NOT NULL,
    features       TEXT,
    resource_group TEXT NOT NULL,
    tags           TEXT
);
CREATE UNIQUE INDEX nodes_id ON nodes (account, id) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX nodes_public_key ON nodes (public_key) WHERE removed_at IS NULL AND public_key <> '';
CREATE INDEX nodes_ever_id ON nodes (account, id);
CREATE INDEX nodes_account ON nodes (account) WHERE removed_at IS NULL;
CREATE INDEX nodes_name ON nodes (account, name);
CREATE INDEX nodes_machine ON nodes (account, machine_id);

-- Signs of life, one row for every node, apart from it: they are written all the time, and these rows fit by the hundred into a page.
CREATE TABLE seen (
    node INTEGER PRIMARY KEY,
    at   INTEGER
);

CREATE TABLE registrations (
    id             INTEGER PRIMARY KEY,
    account        INTEGER NOT NULL,
    region         TEXT NOT NULL,
    secret_hash    TEXT NOT NULL,
    name_prefix    TEXT NOT NULL,
    description    TEXT NOT NULL,
    max_nodes      INTEGER NOT NULL,
    registered     INTEGER NOT NULL,
    deregistered   INTEGER NOT NULL,
    networks       TEXT,
    created_at     INTEGER,
    updated_at     INTEGER,
    expires_at     INTEGER,
    disabled       INTEGER NOT NULL,
    resource_group TEXT NOT NULL,
    tags           TEXT
);
CREATE INDEX registrations_account ON registrations (account);

CREATE TABLE commands (
    id             INTEGER PRIMARY KEY,
    account        INTEGER NOT NULL,
    region         TEXT NOT NULL,
    name           TEXT NOT NULL,
    description    TEXT NOT NULL,
    type           TEXT NOT NULL,
    resource_group TEXT NOT NULL,
    tags           TEXT,
    created_at     INTEGER,
    updated_at     INTEGER,
    work_dir       TEXT NOT NULL,
    user           TEXT NOT NULL,
    launcher       TEXT NOT NULL,
    timeout        INTEGER NOT NULL, -- microseconds
    params_enabled INTEGER NOT NULL,
    defaults       TEXT,
    sink_bucket    TEXT NOT NULL,
    sink_prefix    TEXT NOT NULL,
    extra          TEXT,
    content        BLOB
);
CREATE INDEX commands_account ON commands (account);
CREATE INDEX commands_name ON commands (account, name);

-- How often each stored command was run, and when last.
CREATE TABLE command_runs (
    command INTEGER PRIMARY KEY,
    runs    INTEGER NOT NULL,
    last_at INTEGER
);

-- The part of an invocation that moves, and what it is found by. counts is a varint for each state, without the zeros at the end.
CREATE TABLE invocations (
    id           INTEGER PRIMARY KEY,
    account      INTEGER NOT NULL,
    command      INTEGER NOT NULL,
    name         TEXT NOT NULL,
    client_token TEXT NOT NULL,
    part         INTEGER NOT NULL, -- parts.id
    open         INTEGER NOT NULL, -- how many tasks have not ended
    counts       BLOB NOT NULL,
    started_at   INTEGER,
    ended_at     INTEGER,
    updated_at   INTEGER
);
CREATE INDEX invocations_account ON invocations (account);
CREATE INDEX invocations_name ON invocations (account, name);
CREATE INDEX invocations_command ON invocations (command);
CREATE UNIQUE INDEX invocations_token ON invocations (account, client_token) WHERE client_token <> '';
CREATE INDEX invocations_open ON invocations (account) WHERE open > 0;

-- The part of an invocation that never changes, except for its tags.
CREATE TABLE orders (
    invocation     INTEGER PRIMARY KEY,
    region         TEXT NOT NULL,
    origin         TEXT NOT NULL,
    type           TEXT NOT NULL,
    repeat         TEXT NOT NULL,
    resource_group TEXT NOT NULL,
    tags           TEXT,
    created_at     INTEGER,
    saved          INTEGER NOT NULL,
    description    TEXT NOT NULL,
    work_dir       TEXT NOT NULL,
    user           TEXT NOT NULL,
    launcher       TEXT NOT NULL,
    timeout        INTEGER NOT NULL, -- microseconds
    params_enabled INTEGER NOT NULL,
    defaults       TEXT,
    sink_bucket    TEXT NOT NULL,
    sink_prefix    TEXT NOT NULL,
    params         TEXT,
    kill_tree      INTEGER NOT NULL,
    termination    TEXT NOT NULL,
    container_id   TEXT NOT NULL,
    container_name TEXT NOT NULL,
    deliver_within INTEGER NOT NULL, -- microseconds
    request_hash   TEXT NOT NULL,
    extra          TEXT,
    script         BLOB,
    content        BLOB
);

-- One task of an invocation. Its times count from the time in the invocation's id, which makes most of them two to four bytes long.
-- flags: 1 exited, 2 drain cut, 4 late. output is last: what comes before it is read without it.
CREATE TABLE tasks (
    invocation    INTEGER NOT NULL,
    idx           INTEGER NOT NULL,
    part          INTEGER NOT NULL,
    node          INTEGER NOT NULL,
    state         INTEGER NOT NULL,
    cause         INTEGER NOT NULL,
    flags         INTEGER NOT NULL,
    exit_code     INTEGER NOT NULL,
    signal        INTEGER NOT NULL,
    tries         INTEGER NOT NULL,
    sent_at       INTEGER,
    received_at   INTEGER,
    started_at    INTEGER,
    ended_at      INTEGER,
    stop_asked_at INTEGER,
    updated_at    INTEGER,
    stdout        INTEGER NOT NULL,
    stderr        INTEGER NOT NULL,
    detail        TEXT, -- NULL where it is empty
    output        BLOB,
    PRIMARY KEY (invocation, idx)
) WITHOUT ROWID;

-- Tasks by node, newest first. One index over ten million tasks would have to touch a page of its own for every new task; within a part
-- of some hundred thousand tasks the pages are few and stay in memory. A part holds the invocations from first up to the next part.
CREATE INDEX tasks_node ON tasks (part, node, invocation DESC, idx);
CREATE TABLE parts (
    id    INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    tasks INTEGER NOT NULL
);
INSERT INTO parts (id, first, tasks) VALUES (1, 0, 0);
