-- Large files on their way from callers to nodes or back; their chunks are blobs. principal is who uploads one, empty for a node; invocation is
-- the one that moves it, 0 until there is one, and idx and file say which task of a fetch uploads which of its files. state is that of the
-- hash over the bytes that are there.
CREATE TABLE parcels (
    id         INTEGER PRIMARY KEY,
    account    INTEGER NOT NULL,
    principal  TEXT NOT NULL,
    invocation INTEGER NOT NULL,
    idx        INTEGER NOT NULL,
    file       INTEGER NOT NULL,
    name       TEXT NOT NULL,
    size       INTEGER NOT NULL,
    hash       TEXT NOT NULL,
    stamp      TEXT NOT NULL,
    have       INTEGER NOT NULL,
    state      BLOB,
    sealed     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX parcels_task ON parcels (invocation, idx, file) WHERE invocation <> 0;
CREATE INDEX parcels_free ON parcels (account, hash) WHERE invocation = 0;
CREATE INDEX parcels_updated ON parcels (updated_at, invocation);

-- What an invocation moves, as JSON; NULL unless its kind does.
ALTER TABLE orders ADD COLUMN transfer TEXT;
