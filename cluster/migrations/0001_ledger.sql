-- Version 1: sessions, their progress, found files, outcomes and errors.
-- A released migration is never edited: databases with its version already ran it.

CREATE TABLE sessions (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    idempotency_key text UNIQUE,
    request text NOT NULL,
    root bytea NOT NULL,
    root_inode text NOT NULL,
    directory bytea NOT NULL,
    run_id text NOT NULL,
    started double precision NOT NULL,
    ended double precision,
    -- Removed after its retention; the newest outcomes of its files are kept.
    pruned boolean NOT NULL DEFAULT false
);
CREATE INDEX sessions_by_end ON sessions (ended) WHERE NOT pruned;
CREATE INDEX sessions_running ON sessions (number) WHERE ended IS NULL;

-- Updated with each batch: half of a page is left free, so that the new row stays in it.
CREATE TABLE progress (
    session bigint PRIMARY KEY REFERENCES sessions (number) ON DELETE CASCADE,
    version bigint NOT NULL,
    status text NOT NULL,
    terminal boolean NOT NULL,
    find_epoch bigint NOT NULL,
    handed_out bigint NOT NULL,
    ranges bigint NOT NULL,
    event_id text NOT NULL,
    state bytea NOT NULL,
    frame bytea NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE found (
    session bigint NOT NULL,
    n bigint NOT NULL,
    path bytea NOT NULL,
    -- As found: the outcome has the size of when the file was processed.
    size bigint NOT NULL,
    PRIMARY KEY (session, n)
);
-- A B-tree refuses keys of more than 2,704 bytes; a path has up to 4,096.
CREATE INDEX found_by_path ON found USING hash (path);

-- JSON is kept as text: jsonb refuses the escape \u0000.
CREATE TABLE outcomes (
    session bigint NOT NULL,
    n bigint NOT NULL,
    status text NOT NULL,
    error text,
    size bigint,
    modified bigint,
    sha256 text,
    media_type text,
    metadata text,
    counters text,
    warning text,
    PRIMARY KEY (session, n)
);

CREATE TABLE errors (
    session bigint NOT NULL,
    n bigint NOT NULL,
    file bigint NOT NULL,
    time double precision NOT NULL,
    PRIMARY KEY (session, n)
);

-- The scripts of procrastinate, the queue's library, that this database ran.
CREATE TABLE queue_migrations (name text PRIMARY KEY);
