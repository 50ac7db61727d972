-- Payouts that somebody else sends: exported in batches that are signed once and never change. What becomes of each payout
-- is in `payouts`.
CREATE TABLE payout_batches (
    id            INTEGER PRIMARY KEY,   -- its place among all
    name          TEXT NOT NULL UNIQUE,
    at            INTEGER NOT NULL,
    first_payout  INTEGER NOT NULL,      -- its payouts are those from this one on,
    payouts       INTEGER NOT NULL,      -- this many
    total         INTEGER NOT NULL,
    previous      BLOB,                  -- the digest of the batch before
    digest        BLOB NOT NULL,         -- SHA-256 of the text
    signer        BLOB NOT NULL,
    signature     BLOB NOT NULL,
    csv_signature BLOB NOT NULL,
    length        INTEGER NOT NULL,      -- bytes of the text
    text          BLOB NOT NULL,         -- the text, deflated
    csv_length    INTEGER NOT NULL,      -- bytes of the table
    csv           BLOB NOT NULL          -- the table, deflated
) STRICT;
CREATE TRIGGER payout_batches_are_never_changed BEFORE UPDATE ON payout_batches
BEGIN SELECT RAISE(ABORT, 'a batch is never changed'); END;
CREATE TRIGGER payout_batches_are_never_replaced BEFORE INSERT ON payout_batches
WHEN EXISTS (SELECT 1 FROM payout_batches WHERE id = NEW.id OR name = NEW.name)
BEGIN SELECT RAISE(ABORT, 'a batch is never replaced'); END;
CREATE TRIGGER payout_batches_are_never_deleted BEFORE DELETE ON payout_batches
BEGIN SELECT RAISE(ABORT, 'a batch is never deleted'); END;

-- The batch that a payout was exported in; null: the pool sends it itself. And what it was paid by, while it is marked so.
ALTER TABLE payouts ADD COLUMN batch TEXT;
ALTER TABLE payouts ADD COLUMN reference TEXT;
