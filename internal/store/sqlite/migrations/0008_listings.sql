-- What invocations are listed by. An invocation is marked with each of its facets: its account, its command, its name, each of its tags and so on;
-- a facet is a number made of these. class is what listings tell invocations apart by besides: which states their tasks are in, their kind,
-- repeat mode and type. A facet has few classes, so that a listing reads those it wants, each in order, and adds up their totals.
CREATE TABLE marks (
    facet      INTEGER NOT NULL,
    class      INTEGER NOT NULL,
    invocation INTEGER NOT NULL,
    PRIMARY KEY (facet, class, invocation)
) WITHOUT ROWID;
CREATE TABLE mark_totals (
    facet       INTEGER NOT NULL,
    class       INTEGER NOT NULL,
    invocations INTEGER NOT NULL,
    tasks       BLOB NOT NULL, -- written like invocations.counts
    PRIMARY KEY (facet, class)
) WITHOUT ROWID;
ALTER TABLE invocations ADD COLUMN class INTEGER NOT NULL DEFAULT 0;
ALTER TABLE invocations ADD COLUMN facets BLOB; -- eight bytes for each
DROP TABLE account_totals;
DROP INDEX invocations_name;
DROP INDEX invocations_command;

-- Each kind of invocations has parts of its own in the index of tasks by node: a listing of one kind does not walk through the others.
ALTER TABLE parts ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;

-- The tasks of an invocation that ended badly, by state. Nearly all tasks succeed, and these cost nothing here.
CREATE INDEX tasks_bad ON tasks (invocation, state, idx) WHERE state > 6;
