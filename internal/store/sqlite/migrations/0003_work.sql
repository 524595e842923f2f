-- Invocations of other kinds than a command that runs once: standing ones, their occurrences, files. kind is core.InvocationKind.
ALTER TABLE invocations ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE invocations ADD COLUMN schedule INTEGER NOT NULL DEFAULT 0; -- what made it run; 0 for a person
ALTER TABLE invocations ADD COLUMN due INTEGER;                         -- the moment at which that said so

-- A moment makes one invocation, whoever hears of it first.
CREATE UNIQUE INDEX invocations_due ON invocations (schedule, due) WHERE schedule <> 0;

-- Listings ask for some kinds; each of their sets has an index, so that a million rows of other kinds between two that match cost nothing.
CREATE INDEX invocations_orders ON invocations (account) WHERE kind IN (0,1);
CREATE INDEX invocations_runs ON invocations (account) WHERE kind IN (0,2);
CREATE INDEX invocations_files ON invocations (account) WHERE kind = 3;

ALTER TABLE orders ADD COLUMN frequency TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN revised_at INTEGER;
ALTER TABLE orders ADD COLUMN file TEXT; -- JSON; NULL unless kind is a file

-- Of tasks of standing invocations. They have no output, so that these are as quick to read as what comes before it.
ALTER TABLE tasks ADD COLUMN runs INTEGER;
ALTER TABLE tasks ADD COLUMN latest INTEGER;
ALTER TABLE tasks ADD COLUMN latest_due INTEGER;

-- The totals are kept for each kind.
ALTER TABLE account_totals RENAME TO old_totals;
CREATE TABLE account_totals (
    account     INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    invocations INTEGER NOT NULL,
    tasks       BLOB NOT NULL,
    PRIMARY KEY (account, kind)
) WITHOUT ROWID;
INSERT INTO account_totals (account, kind, invocations, tasks) SELECT account, 0, invocations, tasks FROM old_totals;
DROP TABLE old_totals;

-- What the server itself runs, again and again or later. fired is how many firings it has.
CREATE TABLE schedules (
    id             INTEGER PRIMARY KEY,
    account        INTEGER NOT NULL,
    principal      TEXT NOT NULL,
    region         TEXT NOT NULL,
    origin         TEXT NOT NULL,
    name           TEXT NOT NULL,
    crontab        TEXT NOT NULL,
    at             INTEGER,
    enabled        INTEGER NOT NULL,
    next           INTEGER,
    claimed_until  INTEGER, -- by whoever fires it
    command        INTEGER NOT NULL,
    targets        TEXT,
    params         TEXT,
    user           TEXT NOT NULL,
    style          TEXT,
    kill_tree      INTEGER NOT NULL,
    deliver_within INTEGER NOT NULL, -- microseconds
    revision       INTEGER NOT NULL,
    tags           TEXT,
    extra          TEXT,
    created_at     INTEGER,
    updated_at     INTEGER,
    fired          INTEGER NOT NULL
);
CREATE INDEX schedules_account ON schedules (account);
CREATE INDEX schedules_command ON schedules (command);
CREATE INDEX schedules_next ON schedules (next, claimed_until) WHERE next IS NOT NULL;

-- What became of the moments of schedules.
CREATE TABLE firings (
    id         INTEGER PRIMARY KEY,
    account    INTEGER NOT NULL,
    schedule   INTEGER NOT NULL,
    due        INTEGER NOT NULL,
    invocation INTEGER NOT NULL, -- 0 if nothing ran
    problem    TEXT NOT NULL
);
CREATE UNIQUE INDEX firings_due ON firings (schedule, due);
CREATE INDEX firings_schedule ON firings (schedule);
CREATE INDEX firings_account ON firings (account);

-- Where a copy of what the tasks print goes: core.Outlet.
ALTER TABLE invocations ADD COLUMN outlet INTEGER NOT NULL DEFAULT 0;

-- Such copies of the output of ended tasks, to an object store. next_try is NULL when one is there or was given up; a claim moves it on.
CREATE TABLE deliveries (
    invocation INTEGER NOT NULL,
    idx        INTEGER NOT NULL,
    account    INTEGER NOT NULL,
    state      INTEGER NOT NULL, -- core.DeliveryState
    fault      INTEGER NOT NULL, -- core.DeliveryFault
    uri        TEXT NOT NULL,
    tries      INTEGER NOT NULL,
    since      INTEGER,
    next_try   INTEGER,
    updated_at INTEGER,
    PRIMARY KEY (invocation, idx)
) WITHOUT ROWID;
CREATE INDEX deliveries_next_try ON deliveries (next_try) WHERE next_try IS NOT NULL;
