-- What callers ask of terminals, with times in seconds, and how the programs in them ended: exit_signal is -1 as long as that is unknown, as in rows of
-- before, and 0 if they ended by themselves.
ALTER TABLE sessions ADD COLUMN height INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN width INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN idle INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN hard INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN record INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN record_input INTEGER NOT NULL DEFAULT 0;
ALTER TABLE connections ADD COLUMN exit_code INTEGER NOT NULL DEFAULT 0;
ALTER TABLE connections ADD COLUMN exit_signal INTEGER NOT NULL DEFAULT -1;
