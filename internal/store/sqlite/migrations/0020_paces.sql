-- How a run reaches its nodes when not all of them may have it at once: core.Pace as JSON, NULL for nearly all. How far it has come is
-- core.Pacing as JSON, and paced is 1 while that moves by itself.
ALTER TABLE orders ADD COLUMN pace TEXT;
ALTER TABLE invocations ADD COLUMN pacing TEXT;
ALTER TABLE invocations ADD COLUMN paced INTEGER NOT NULL DEFAULT 0;
CREATE INDEX invocations_paced ON invocations (id) WHERE paced = 1;

-- flags: 8 held, which is a task whose turn has not come. The index holds these alone, and all that counting them takes.
CREATE INDEX tasks_held ON tasks (invocation, idx, flags) WHERE flags & 8;

-- When a task's turn came, and when its first output was stored. What is NULL costs nothing to read behind the output.
ALTER TABLE tasks ADD COLUMN released_at INTEGER;
ALTER TABLE tasks ADD COLUMN first_byte_at INTEGER;
