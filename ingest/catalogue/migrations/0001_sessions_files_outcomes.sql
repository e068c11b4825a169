-- Version 1: sessions, found files, outcomes and errors.
-- A released migration is never edited: databases with its version already ran it.

CREATE TABLE sessions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    idempotency_key TEXT UNIQUE,
    request TEXT NOT NULL,
    root BLOB NOT NULL,
    directory BLOB NOT NULL,
    started REAL NOT NULL,
    status TEXT NOT NULL,
    cancelled INTEGER NOT NULL DEFAULT 0,
    ended REAL,
    last_event_id TEXT,
    snapshot BLOB
);
CREATE INDEX sessions_by_end ON sessions (ended);
CREATE TABLE forgotten (
    session INTEGER PRIMARY KEY
);
CREATE TABLE found (
    key INTEGER PRIMARY KEY,
    path BLOB NOT NULL
);
CREATE INDEX found_by_path ON found (path);
CREATE TABLE outcomes (
    key INTEGER PRIMARY KEY,
    status TEXT NOT NULL,
    error TEXT,
    size INTEGER,
    modified INTEGER,
    sha256 TEXT,
    media_type TEXT,
    metadata TEXT,
    counters TEXT
);
CREATE TABLE errors (
    session INTEGER NOT NULL,
    n INTEGER NOT NULL,
    key INTEGER NOT NULL,
    time REAL NOT NULL,
    PRIMARY KEY (session, n)
) WITHOUT ROWID;
