-- Evaluated work: stored before it is acknowledged, with what came of it once that is known. Losses and scores are 16-byte
-- big-endian numbers in steps of 10^-18, so that comparing blobs compares numbers.
CREATE TABLE submissions (
    sequence     INTEGER PRIMARY KEY,
    id           BLOB NOT NULL UNIQUE,
    hotkey       BLOB NOT NULL,
    worker       TEXT NOT NULL,
    digest       BLOB NOT NULL,
    received_at  INTEGER NOT NULL,
    evaluated_at INTEGER,                -- null: it waits
    loss         BLOB,
    score        BLOB,
    metadata     TEXT,
    fault        TEXT,                   -- the rule that it broke: it counts for nothing
    detail       TEXT,
    work         TEXT                    -- null once it is evaluated
) STRICT;
CREATE INDEX submissions_of_miner ON submissions (hotkey, sequence);
CREATE INDEX submissions_waiting ON submissions (sequence) WHERE evaluated_at IS NULL;
CREATE INDEX submissions_by_time ON submissions (evaluated_at) WHERE evaluated_at IS NOT NULL AND fault IS NULL;

-- What became of each round's emission: amount + brought = rounds.reward + carried + burnt.
CREATE TABLE round_emissions (
    round   INTEGER PRIMARY KEY REFERENCES rounds (id),
    amount  INTEGER NOT NULL,
    brought INTEGER NOT NULL,
    carried INTEGER NOT NULL,
    burnt   INTEGER NOT NULL
) STRICT;
