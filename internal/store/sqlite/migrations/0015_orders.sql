-- Who ordered an invocation, what for, and which one it repeats on nodes where that went wrong; 0 where it repeats none.
ALTER TABLE orders ADD COLUMN principal TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN retry_of INTEGER NOT NULL DEFAULT 0;
