-- What a machine has, and whether new runs come to it. gpus is a JSON list of models.
ALTER TABLE nodes ADD COLUMN cpus INTEGER NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN memory INTEGER NOT NULL DEFAULT 0; -- bytes
ALTER TABLE nodes ADD COLUMN gpus TEXT;
ALTER TABLE nodes ADD COLUMN cordoned_at INTEGER;
ALTER TABLE nodes ADD COLUMN cordoned_by TEXT NOT NULL DEFAULT '';
ALTER TABLE nodes ADD COLUMN cordon_reason TEXT NOT NULL DEFAULT '';

-- How the nodes of an invocation were chosen, core.Selection as JSON; NULL if they were named.
ALTER TABLE orders ADD COLUMN selection TEXT;

-- Expressions with a name.
CREATE TABLE node_groups (
    account     INTEGER NOT NULL,
    name        TEXT NOT NULL,
    target      TEXT NOT NULL,
    description TEXT NOT NULL,
    changed_by  TEXT NOT NULL,
    created_at  INTEGER,
    updated_at  INTEGER,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;
