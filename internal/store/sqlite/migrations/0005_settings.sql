-- What an account has decided about its agents, deliveries and terminals: a JSON object for each group of settings that was ever changed.
CREATE TABLE account_settings (
    account    INTEGER NOT NULL,
    name       TEXT NOT NULL,
    value      TEXT NOT NULL,
    updated_at INTEGER,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

-- Orders that a caller may repeat without effect. response is encrypted, and NULL while the order is being carried out.
CREATE TABLE idempotency (
    account    INTEGER NOT NULL,
    action     TEXT NOT NULL,
    token      TEXT NOT NULL,
    hash       TEXT NOT NULL,
    response   BLOB,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, action, token)
) WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (created_at);

-- When somebody last asked for the agent to be installed on a machine.
ALTER TABLE nodes ADD COLUMN install_asked_at INTEGER;
