-- Statements of work: what each epoch's shares came to, signed, one behind the other. They never change.
CREATE TABLE statements (
    start         INTEGER PRIMARY KEY,   -- the epoch's first second
    ends          INTEGER NOT NULL,      -- the first second behind it
    after_share   INTEGER NOT NULL,      -- its shares are those behind this one,
    through_share INTEGER NOT NULL,      -- up to this one
    previous      BLOB,                  -- the digest of the statement before
    digest        BLOB NOT NULL,         -- SHA-256 of the text
    signer        BLOB NOT NULL,
    signature     BLOB NOT NULL,
    length        INTEGER NOT NULL,      -- bytes of the text
    text          BLOB NOT NULL          -- the text, deflated
) STRICT;
CREATE TRIGGER statements_are_never_changed BEFORE UPDATE ON statements
BEGIN SELECT RAISE(ABORT, 'a statement is never changed'); END;
CREATE TRIGGER statements_are_never_replaced BEFORE INSERT ON statements
WHEN EXISTS (SELECT 1 FROM statements WHERE start = NEW.start)
BEGIN SELECT RAISE(ABORT, 'a statement is never replaced'); END;
CREATE TRIGGER statements_are_never_deleted BEFORE DELETE ON statements
BEGIN SELECT RAISE(ABORT, 'a statement is never deleted'); END;

-- Rejected shares that no statement has counted yet.
CREATE TABLE epoch_rejects (
    hotkey BLOB NOT NULL,
    worker TEXT NOT NULL,
    at     INTEGER NOT NULL,             -- when they were saved, ms
    rejected_unknown_job         INTEGER NOT NULL,
    rejected_stale               INTEGER NOT NULL,
    rejected_duplicate           INTEGER NOT NULL,
    rejected_low_difficulty      INTEGER NOT NULL,
    rejected_time_out_of_range   INTEGER NOT NULL,
    rejected_version_out_of_mask INTEGER NOT NULL,
    PRIMARY KEY (hotkey, worker, at)
) STRICT, WITHOUT ROWID;

-- No commit from now on has a time before this one, ms.
ALTER TABLE pool ADD COLUMN passed_time INTEGER NOT NULL DEFAULT -9223372036854775807;
-- The first second of the epoch that is open; null: there are no epochs. And the last share before it.
ALTER TABLE pool ADD COLUMN epoch_start INTEGER;
ALTER TABLE pool ADD COLUMN epoch_after INTEGER NOT NULL DEFAULT 0;
-- The first second of the epoch before, if it is not stated yet, and the last share before it.
ALTER TABLE pool ADD COLUMN ended_start INTEGER;
ALTER TABLE pool ADD COLUMN ended_after INTEGER;
