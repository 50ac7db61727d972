-- Payouts: transactions to miners. What each step means is the domain's to say; here is what it left.

-- The balance from which a miner wants to be paid, if it chose one.
CREATE TABLE payout_thresholds (
    hotkey BLOB PRIMARY KEY REFERENCES miners (hotkey),
    amount INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE payouts (
    id            INTEGER PRIMARY KEY,
    state         TEXT NOT NULL,
    reserved_at   INTEGER NOT NULL,
    sent_at       INTEGER,
    changed_at    INTEGER NOT NULL,
    fee_payer     TEXT NOT NULL,
    fee_rate      INTEGER NOT NULL,       -- sats for each virtual byte
    txid          BLOB UNIQUE,            -- this and the next three: once it is signed
    bytes         BLOB,                   -- what is sent, again and again; empty once nobody has to send it
    inputs        BLOB,                   -- of each: txid, number (4 bytes big-endian)
    fee           INTEGER,
    confirmations INTEGER NOT NULL,
    is_watched    INTEGER NOT NULL CHECK (is_watched IN (0, 1)),
    note          TEXT NOT NULL
) STRICT;
CREATE INDEX payouts_watched ON payouts (id) WHERE is_watched = 1;

CREATE TABLE payout_parts (
    id      INTEGER PRIMARY KEY,
    payout  INTEGER NOT NULL REFERENCES payouts (id),
    place   INTEGER NOT NULL,
    hotkey  BLOB NOT NULL,
    address TEXT NOT NULL,
    amount  INTEGER NOT NULL,
    fee     INTEGER NOT NULL,
    borne   INTEGER NOT NULL,
    UNIQUE (payout, place)
) STRICT;
CREATE INDEX payout_parts_by_hotkey ON payout_parts (hotkey, payout);

-- The books of payouts, as `entries` are those of rounds.
CREATE TABLE payout_entries (
    id      INTEGER PRIMARY KEY,
    payout  INTEGER NOT NULL REFERENCES payouts (id),
    step    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    account TEXT NOT NULL,
    hotkey  BLOB NOT NULL,
    delta   INTEGER NOT NULL
) STRICT;
CREATE TRIGGER payout_entries_are_not_edited BEFORE UPDATE ON payout_entries
BEGIN SELECT RAISE(ABORT, 'entries of the ledger are never edited'); END;
CREATE TRIGGER payout_entries_are_not_deleted BEFORE DELETE ON payout_entries
BEGIN SELECT RAISE(ABORT, 'entries of the ledger are never deleted'); END;
