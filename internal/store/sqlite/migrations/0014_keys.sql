-- The key that will replace a node's own, since when the node has its own, and when somebody last asked for another.
ALTER TABLE nodes ADD COLUMN next_public_key TEXT NOT NULL DEFAULT '';
ALTER TABLE nodes ADD COLUMN keyed_at INTEGER;
ALTER TABLE nodes ADD COLUMN rotation_asked_at INTEGER;
CREATE UNIQUE INDEX nodes_next_public_key ON nodes (next_public_key) WHERE removed_at IS NULL AND next_public_key <> '';
