-- What bounds a run on its nodes, core.Resources as JSON, and how it starts and may end.
ALTER TABLE orders ADD COLUMN resources TEXT;
ALTER TABLE orders ADD COLUMN login INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN power INTEGER NOT NULL DEFAULT 0;
