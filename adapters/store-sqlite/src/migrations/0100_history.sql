-- History for charts: what was mined in each minute, hour and day. All of it is derived from the shares, by the store.

-- The pool's sums. `step` is the length of a step, s; `at` when it began, s.
CREATE TABLE pool_history (
    step     INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    units    BLOB NOT NULL,
    hashes   REAL NOT NULL,
    squares  REAL NOT NULL,
    rejected_unknown_job         INTEGER NOT NULL DEFAULT 0,
    rejected_stale               INTEGER NOT NULL DEFAULT 0,
    rejected_duplicate           INTEGER NOT NULL DEFAULT 0,
    rejected_low_difficulty      INTEGER NOT NULL DEFAULT 0,
    rejected_time_out_of_range   INTEGER NOT NULL DEFAULT 0,
    rejected_version_out_of_mask INTEGER NOT NULL DEFAULT 0,
    miners   INTEGER,
    workers  INTEGER,
    PRIMARY KEY (step, at)
) STRICT, WITHOUT ROWID;

-- All workers of a minute, until its hour is over and moved to the tables below.
CREATE TABLE open_minutes (
    at          INTEGER PRIMARY KEY,
    first_share INTEGER NOT NULL,    -- no share in it is before this one
    workers     BLOB NOT NULL
) STRICT;

-- A worker's and a miner's steps, many a row: `span` is the time of a row, s, and `at` when that began, s. An hour has
-- minutes, a day hours, 32 days days.
CREATE TABLE worker_history (
    span   INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    worker INTEGER NOT NULL,
    steps  BLOB NOT NULL,
    PRIMARY KEY (span, at, worker)
) STRICT, WITHOUT ROWID;
CREATE TABLE miner_history (
    span   INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    miner  INTEGER NOT NULL,
    steps  BLOB NOT NULL,
    PRIMARY KEY (span, at, miner)
) STRICT, WITHOUT ROWID;

-- The numbers that stand for miners there.
CREATE TABLE history_miners (
    number INTEGER PRIMARY KEY,
    hotkey BLOB NOT NULL UNIQUE
) STRICT;

-- When pools were started on this ledger.
CREATE TABLE lives (
    life        INTEGER PRIMARY KEY,
    started_at  INTEGER NOT NULL,
    stopped_at  INTEGER
) STRICT;

-- Its miner was removed: its history is nobody's any more.
ALTER TABLE workers ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
-- Its shares are gone, too: only history still asks whose it was.
ALTER TABLE workers ADD COLUMN outlived INTEGER NOT NULL DEFAULT 0;

-- Shares up to this one are in the history.
ALTER TABLE pool ADD COLUMN history_through INTEGER NOT NULL DEFAULT 0;
-- The hour that is being moved out of `open_minutes`, s, and the first worker whose part still is there.
ALTER TABLE pool ADD COLUMN moving_hour INTEGER;
ALTER TABLE pool ADD COLUMN moving_worker INTEGER NOT NULL DEFAULT 0;
-- What began before is over and forgotten, s.
ALTER TABLE pool ADD COLUMN minutes_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pool ADD COLUMN hours_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pool ADD COLUMN days_from INTEGER NOT NULL DEFAULT 0;
UPDATE pool SET history_through = pruned_through;
