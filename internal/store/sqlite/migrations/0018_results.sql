-- How tasks ended, apart from them and narrow, so that those of a large invocation are quick to group. stdout and stderr are core.Digest, NULL
-- where nothing was printed; exit_code is NULL unless the process exited. Tasks that ended before this was kept have none at first.
CREATE TABLE results (
    invocation INTEGER NOT NULL,
    idx        INTEGER NOT NULL,
    node       INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    cause      INTEGER NOT NULL,
    exit_code  INTEGER,
    signal     INTEGER NOT NULL,
    stdout     BLOB,
    stderr     BLOB,
    PRIMARY KEY (invocation, idx)
) WITHOUT ROWID;
