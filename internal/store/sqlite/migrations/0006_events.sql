-- Who is told what happened: subscriptions and their outbox.

-- cursor is the last event that a subscription is done with. dead (JSON) holds the events that were given up, again how many of them are
-- to be sent once more.
CREATE TABLE subscriptions (
    id            INTEGER PRIMARY KEY,
    account       INTEGER NOT NULL,
    name          TEXT NOT NULL,
    url           TEXT NOT NULL,
    sealed        BLOB NOT NULL,
    old_sealed    BLOB,
    old_until     INTEGER,
    types         TEXT,
    commands      TEXT,
    batch         INTEGER NOT NULL,
    enabled       INTEGER NOT NULL,
    created_at    INTEGER,
    updated_at    INTEGER,
    cursor        INTEGER NOT NULL,
    delivered_at  INTEGER,
    failing_since INTEGER,
    tries         INTEGER NOT NULL,
    next_try      INTEGER,
    last_error    TEXT NOT NULL,
    claimed_until INTEGER,
    dead          TEXT,
    again         INTEGER NOT NULL
);
CREATE INDEX subscriptions_account ON subscriptions (account);

-- One row for each change of a task (kind 3) or of an invocation, written with the change. Numbers are never used twice.
CREATE TABLE events (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    account    INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    kind       INTEGER NOT NULL, -- core.EventKind
    invocation INTEGER NOT NULL,
    of_kind    INTEGER NOT NULL, -- core.InvocationKind
    command    INTEGER NOT NULL,
    started_at INTEGER,
    ended_at   INTEGER,
    counts     BLOB,             -- of the invocation; NULL for a task
    idx        INTEGER NOT NULL, -- the rest is about the task
    node       INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    cause      INTEGER NOT NULL,
    flags      INTEGER NOT NULL,
    exit_code  INTEGER NOT NULL,
    signal     INTEGER NOT NULL
);
CREATE INDEX events_account ON events (account);
