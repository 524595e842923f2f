-- Who may do what: users, groups of rights, quotas, the record of what was done.

ALTER TABLE accounts ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;

-- old_* is the secret or token before the last rotation, good until old_until. session is a policy document that narrows a temporary key.
ALTER TABLE access_keys ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE access_keys ADD COLUMN dialects TEXT;
ALTER TABLE access_keys ADD COLUMN networks TEXT;
ALTER TABLE access_keys ADD COLUMN session TEXT NOT NULL DEFAULT '';
ALTER TABLE access_keys ADD COLUMN old_sealed BLOB;
ALTER TABLE access_keys ADD COLUMN old_token_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE access_keys ADD COLUMN old_until INTEGER;
ALTER TABLE access_keys ADD COLUMN used_at INTEGER;
CREATE INDEX access_keys_owner ON access_keys (account, principal);
CREATE INDEX access_keys_expiry ON access_keys (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE users (
    account     INTEGER NOT NULL,
    name        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    description TEXT NOT NULL,
    disabled    INTEGER NOT NULL,
    created_at  INTEGER,
    updated_at  INTEGER,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

CREATE TABLE policies (
    account     INTEGER NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    document    TEXT NOT NULL,
    created_at  INTEGER,
    updated_at  INTEGER,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

-- Which policies a user has. A policy that is not in policies is one that comes with the program.
CREATE TABLE attachments (
    account INTEGER NOT NULL,
    user    TEXT NOT NULL,
    policy  TEXT NOT NULL,
    PRIMARY KEY (account, user, policy)
) WITHOUT ROWID;
CREATE INDEX attachments_policy ON attachments (account, policy);

-- Account 0 stands for all accounts that have no row of their own.
CREATE TABLE account_quotas (
    account INTEGER NOT NULL,
    name    TEXT NOT NULL,
    most    INTEGER NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

CREATE TABLE audit (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account    INTEGER NOT NULL,
    at         INTEGER,
    principal  TEXT NOT NULL,
    key        TEXT NOT NULL,
    dialect    TEXT NOT NULL,
    action     TEXT NOT NULL,
    request    TEXT NOT NULL,
    source     TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    resources  TEXT,
    code       TEXT NOT NULL
);
CREATE INDEX audit_account ON audit (account);
