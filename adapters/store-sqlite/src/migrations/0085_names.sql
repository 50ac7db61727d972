-- Names cost work. A worker's row comes with its first share; names of the time before that never had one go, and
-- what was refused of them becomes their miner's own.

-- What workers came to that were taken out.
CREATE TABLE miner_totals (
    hotkey                       BLOB PRIMARY KEY,
    accepted                     INTEGER NOT NULL,
    rejected_unknown_job         INTEGER NOT NULL,
    rejected_stale               INTEGER NOT NULL,
    rejected_duplicate           INTEGER NOT NULL,
    rejected_low_difficulty      INTEGER NOT NULL,
    rejected_time_out_of_range   INTEGER NOT NULL,
    rejected_version_out_of_mask INTEGER NOT NULL,
    units                        BLOB NOT NULL,
    blocks                       INTEGER NOT NULL,
    last_share_at                INTEGER
) STRICT, WITHOUT ROWID;

-- The first worker's number that was never given, also not to one that was never stored.
ALTER TABLE pool ADD COLUMN next_worker INTEGER NOT NULL DEFAULT 0;
UPDATE pool SET next_worker = (SELECT COALESCE(MAX(id) + 1, 0) & 4294967295 FROM workers);

CREATE TEMP TABLE workers_without_work AS
    SELECT id FROM workers WHERE accepted = 0 AND id NOT IN
        (SELECT worker FROM shares WHERE sequence > (SELECT counters_through FROM pool));
INSERT INTO miner_totals (hotkey, accepted, rejected_unknown_job, rejected_stale, rejected_duplicate,
        rejected_low_difficulty, rejected_time_out_of_range, rejected_version_out_of_mask, units, blocks, last_share_at)
    SELECT hotkey, 0, SUM(rejected_unknown_job), SUM(rejected_stale), SUM(rejected_duplicate),
           SUM(rejected_low_difficulty), SUM(rejected_time_out_of_range), SUM(rejected_version_out_of_mask),
           zeroblob(16), 0, NULL
    FROM workers WHERE id IN (SELECT id FROM workers_without_work) GROUP BY hotkey
    HAVING SUM(rejected_unknown_job + rejected_stale + rejected_duplicate + rejected_low_difficulty
               + rejected_time_out_of_range + rejected_version_out_of_mask) > 0;
DELETE FROM workers WHERE id IN (SELECT id FROM workers_without_work);
DROP TABLE workers_without_work;

-- A worker that was taken out keeps its row, which says whose its shares are, until the last of them is pruned. Its
-- name is free at once, and its miner may be removed.
CREATE TABLE workers_anew (
    id                           INTEGER PRIMARY KEY,
    hotkey                       BLOB NOT NULL,
    name                         TEXT NOT NULL,
    accepted                     INTEGER NOT NULL DEFAULT 0,
    rejected_unknown_job         INTEGER NOT NULL DEFAULT 0,
    rejected_stale               INTEGER NOT NULL DEFAULT 0,
    rejected_duplicate           INTEGER NOT NULL DEFAULT 0,
    rejected_low_difficulty      INTEGER NOT NULL DEFAULT 0,
    rejected_time_out_of_range   INTEGER NOT NULL DEFAULT 0,
    rejected_version_out_of_mask INTEGER NOT NULL DEFAULT 0,
    last_share_at                INTEGER,
    units                        BLOB NOT NULL DEFAULT x'00000000000000000000000000000000',
    blocks                       INTEGER NOT NULL DEFAULT 0,
    gone_after                   INTEGER             -- taken out: no share of it comes after this one
) STRICT;
INSERT INTO workers_anew (id, hotkey, name, accepted, rejected_unknown_job, rejected_stale, rejected_duplicate,
        rejected_low_difficulty, rejected_time_out_of_range, rejected_version_out_of_mask, last_share_at, units, blocks,
        gone_after)
    SELECT id, hotkey, name, accepted, rejected_unknown_job, rejected_stale, rejected_duplicate,
           rejected_low_difficulty, rejected_time_out_of_range, rejected_version_out_of_mask, last_share_at,
           units, blocks, NULL
    FROM workers;
DROP TABLE workers;
ALTER TABLE workers_anew RENAME TO workers;
CREATE UNIQUE INDEX workers_by_name ON workers (hotkey, name) WHERE gone_after IS NULL;
CREATE INDEX workers_gone ON workers (gone_after) WHERE gone_after IS NOT NULL;
