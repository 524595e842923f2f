-- Events are written for every account now, and there are more kinds of them. out_from and out_to are how far a task's output went on, NULL if it
-- did not. Of a node (kind 6) state is core.NodeEvent and nothing but account, at and node matters.
--
-- The table is made anew without AUTOINCREMENT, which looks up and writes its counter with each row. event_numbers has the number that was given last, written once for
-- each transaction, so that numbers are never used twice all the same.
CREATE TABLE event_numbers (
    last INTEGER NOT NULL
);
INSERT INTO event_numbers (last) SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0);
DROP INDEX events_account;
ALTER TABLE events RENAME TO old_events;
CREATE TABLE events (
    seq        INTEGER PRIMARY KEY,
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
    signal     INTEGER NOT NULL,
    out_from   INTEGER,
    out_to     INTEGER
);
INSERT INTO events SELECT *, NULL, NULL FROM old_events;
DROP TABLE old_events;
-- Subscriptions never hear of output (kind 5), so that however much there is of it costs them nothing.
CREATE INDEX events_told ON events (account) WHERE kind <> 5;
