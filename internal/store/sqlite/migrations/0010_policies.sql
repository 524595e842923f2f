-- What becomes of moments that are no run on time: schedule.Policy as JSON, NULL for the usual one.
ALTER TABLE orders ADD COLUMN policy TEXT;
-- Of tasks of standing invocations: moments without a run.
ALTER TABLE tasks ADD COLUMN skipped INTEGER;
ALTER TABLE tasks ADD COLUMN missed INTEGER;
