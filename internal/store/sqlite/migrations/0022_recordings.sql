-- What terminals printed. Long stretches are in the blob store, listed in segments (JSON); the newest is in parts, which are added second by second.
CREATE TABLE recordings (
    session    INTEGER NOT NULL,
    position   INTEGER NOT NULL,
    account    INTEGER NOT NULL,
    node       INTEGER NOT NULL,
    node_id    TEXT NOT NULL,
    user       TEXT NOT NULL,
    started_by TEXT NOT NULL,
    command    TEXT NOT NULL,
    height     INTEGER NOT NULL,
    width      INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    length     INTEGER NOT NULL,
    output     INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    unsealed   INTEGER NOT NULL,
    cut        INTEGER NOT NULL,
    segments   TEXT,
    PRIMARY KEY (session, position)
) WITHOUT ROWID;
CREATE INDEX recordings_account ON recordings (account, session, position);
CREATE INDEX recordings_node ON recordings (node, session, position);

CREATE TABLE recording_parts (
    session  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    part     INTEGER NOT NULL,
    data     BLOB NOT NULL,
    PRIMARY KEY (session, position, part)
) WITHOUT ROWID;

-- Sessions whose rows are gone and whose recordings in the blob store have to follow.
CREATE TABLE removed_recordings (session INTEGER PRIMARY KEY);
