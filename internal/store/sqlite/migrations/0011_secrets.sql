-- Secrets of runs: variables of their environment, sealed before they come here, and whether a run has anything to hide.
ALTER TABLE orders ADD COLUMN secrets TEXT;
ALTER TABLE orders ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
