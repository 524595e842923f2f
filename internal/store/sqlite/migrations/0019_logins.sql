-- Keys of logins: the key that a person signed in with, and after how long without use the login ends (microseconds; 0 is never).
ALTER TABLE access_keys ADD COLUMN parent TEXT NOT NULL DEFAULT '';
ALTER TABLE access_keys ADD COLUMN idle INTEGER NOT NULL DEFAULT 0;
