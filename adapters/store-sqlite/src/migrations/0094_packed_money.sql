-- What rounds book, packed: miners by number, and of a round's entries and credits a few rows instead of some for each
-- miner. What was booked before stays as it is, in `journal`, `credits` and `block_credits`: nothing of it is rewritten.

-- Miners by the number that stands for them in what is packed. Never deleted: what was booked stays booked.
CREATE TABLE credited_miners (
    number      INTEGER PRIMARY KEY,
    hotkey      BLOB NOT NULL UNIQUE,
    credits     INTEGER NOT NULL,        -- how many are packed
    last_credit INTEGER NOT NULL         -- the last of them; 0: there is none
) STRICT;

-- Credits as before, of up to 32 miners a row; they are numbered on from `credits`.
CREATE TABLE packed_credits (
    id      INTEGER PRIMARY KEY,         -- of the row's first credit; the others follow
    round   INTEGER NOT NULL REFERENCES rounds (id),
    kind    TEXT NOT NULL,
    block   BLOB,
    credits BLOB NOT NULL
) STRICT;
CREATE INDEX packed_credits_by_round ON packed_credits (round);

-- Every 64th credit of a miner, so that the middle of a long statement is found.
CREATE TABLE credit_marks (
    miner INTEGER NOT NULL,
    id    INTEGER NOT NULL,
    PRIMARY KEY (miner, id)
) STRICT, WITHOUT ROWID;

-- The entries of a round, which add up to 0; those of payouts go on in `journal`.
CREATE TABLE round_entries (
    round           INTEGER PRIMARY KEY REFERENCES rounds (id),
    journal_through INTEGER NOT NULL,    -- the last entry of `journal` that was booked before
    entries         BLOB NOT NULL
) STRICT;
CREATE TRIGGER round_entries_are_not_edited BEFORE UPDATE ON round_entries
BEGIN SELECT RAISE(ABORT, 'entries of rounds are never edited'); END;
CREATE TRIGGER round_entries_are_not_deleted BEFORE DELETE ON round_entries
BEGIN SELECT RAISE(ABORT, 'entries of rounds are never deleted'); END;

-- Null: the parts are in `block_credits`.
ALTER TABLE credited_blocks ADD COLUMN parts BLOB;
