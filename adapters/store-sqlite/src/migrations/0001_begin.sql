-- Amounts are sats and instants milliseconds since 1970, both signed 64-bit integers. Units and totals of
-- units are 16-byte big-endian numbers in steps of 10^-28, so that comparing blobs compares numbers. Hotkeys
-- and hashes are their 32 bytes. 64-bit numbers that are not counted (extranonces, nonces) keep their bits.

-- One row: what there is once.
CREATE TABLE pool (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    created_at       INTEGER,
    life             INTEGER NOT NULL,
    counters_through INTEGER NOT NULL,  -- the last share that is counted in the workers' saved counters
    prune_through    INTEGER NOT NULL   -- shares up to here are deleted little by little
) STRICT;
INSERT INTO pool VALUES (1, NULL, 0, 0, 0);

CREATE TABLE miners (
    hotkey         BLOB PRIMARY KEY,
    registered_at  INTEGER NOT NULL,
    payout_address TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE bans (
    hotkey     BLOB PRIMARY KEY,
    reason     TEXT NOT NULL,
    ends_at    INTEGER            -- null: when it is lifted
) STRICT, WITHOUT ROWID;

CREATE TABLE workers (
    id                           INTEGER PRIMARY KEY,
    hotkey                       BLOB NOT NULL REFERENCES miners (hotkey),
    name                         TEXT NOT NULL,
    accepted                     INTEGER NOT NULL DEFAULT 0,
    rejected_unknown_job         INTEGER NOT NULL DEFAULT 0,
    rejected_stale               INTEGER NOT NULL DEFAULT 0,
    rejected_duplicate           INTEGER NOT NULL DEFAULT 0,
    rejected_low_difficulty      INTEGER NOT NULL DEFAULT 0,
    rejected_time_out_of_range   INTEGER NOT NULL DEFAULT 0,
    rejected_version_out_of_mask INTEGER NOT NULL DEFAULT 0,
    last_share_at                INTEGER,
    UNIQUE (hotkey, name)
) STRICT;

CREATE TABLE nonces (
    hotkey     BLOB NOT NULL,
    nonce      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (hotkey, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX nonces_by_expiry ON nonces (expires_at);

CREATE TABLE templates (
    id                 INTEGER PRIMARY KEY,
    received_at        INTEGER NOT NULL,
    height             INTEGER NOT NULL,
    previous           BLOB NOT NULL,
    version            INTEGER NOT NULL,
    version_mask       INTEGER NOT NULL,
    bits               INTEGER NOT NULL,
    time               INTEGER NOT NULL,
    time_min           INTEGER NOT NULL,
    time_max           INTEGER NOT NULL,
    subsidy            INTEGER NOT NULL,
    coinbase_value     INTEGER NOT NULL,
    witness_commitment BLOB,
    payout_script      BLOB NOT NULL,
    tag                TEXT NOT NULL,
    retired            INTEGER NOT NULL CHECK (retired IN (0, 1)),
    first_share        INTEGER NOT NULL,  -- no share of it comes before this one
    last_share         INTEGER NOT NULL,  -- once it is retired: no share of it comes after this one
    trailer            BLOB NOT NULL,
    transactions       BLOB NOT NULL      -- per transaction: length (4 bytes big-endian), txid, data
) STRICT;
CREATE INDEX templates_live ON templates (id) WHERE retired = 0;

-- The hot table: appended to only, and deleted from its beginning. It has no other index on purpose.
CREATE TABLE shares (
    sequence    INTEGER PRIMARY KEY,
    template    INTEGER NOT NULL,
    extranonce  INTEGER NOT NULL,
    worker      INTEGER NOT NULL,
    share_bits  INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    time        INTEGER NOT NULL,
    nonce       INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    units       BLOB NOT NULL,
    total       BLOB NOT NULL,            -- units of all shares up to and including this one
    hash        BLOB NOT NULL
) STRICT;

-- One row a commit that holds shares. Numbers, sequences, totals and times all grow together, so places are
-- found by halving and need no index.
CREATE TABLE batches (
    id             INTEGER PRIMARY KEY,
    first_sequence INTEGER NOT NULL,
    last_sequence  INTEGER NOT NULL,
    committed_at   INTEGER NOT NULL,
    total_before   BLOB NOT NULL,
    total_after    BLOB NOT NULL
) STRICT;

CREATE TABLE blocks (
    id            INTEGER PRIMARY KEY,
    hash          BLOB NOT NULL UNIQUE,
    height        INTEGER NOT NULL,
    reward        INTEGER NOT NULL,
    finder        BLOB NOT NULL,
    sequence      INTEGER NOT NULL,
    total_before  BLOB NOT NULL,
    units         BLOB NOT NULL,
    found_at      INTEGER NOT NULL,
    state         TEXT NOT NULL,
    confirmations INTEGER NOT NULL,
    accounting    TEXT NOT NULL,
    effort        BLOB NOT NULL,
    bytes         BLOB NOT NULL
) STRICT;
CREATE INDEX blocks_by_sequence ON blocks (sequence);
CREATE INDEX blocks_by_height ON blocks (height);
CREATE INDEX blocks_by_state ON blocks (state, accounting);

CREATE TABLE rounds (
    id        INTEGER PRIMARY KEY,
    closed_at INTEGER NOT NULL,
    scheme    TEXT NOT NULL,
    source    TEXT NOT NULL,
    reward    INTEGER NOT NULL,
    fee       INTEGER NOT NULL,
    kept      INTEGER NOT NULL,
    credited  INTEGER NOT NULL,
    through   INTEGER NOT NULL,           -- the last share that was looked at
    digest    BLOB NOT NULL
) STRICT;

-- Blocks that a round credited. A block is credited once.
CREATE TABLE credited_blocks (
    hash  BLOB PRIMARY KEY,
    round INTEGER NOT NULL REFERENCES rounds (id),
    place INTEGER NOT NULL,
    fee   INTEGER NOT NULL,
    kept  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX credited_blocks_by_round ON credited_blocks (round, place);

CREATE TABLE block_credits (
    hash   BLOB NOT NULL REFERENCES credited_blocks (hash),
    hotkey BLOB NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (hash, hotkey)
) STRICT, WITHOUT ROWID;

CREATE TABLE credits (
    id     INTEGER PRIMARY KEY,
    round  INTEGER NOT NULL REFERENCES rounds (id),
    hotkey BLOB NOT NULL,
    units  TEXT NOT NULL,
    amount INTEGER NOT NULL,
    block  BLOB
) STRICT;
CREATE INDEX credits_by_hotkey ON credits (hotkey, id);
CREATE INDEX credits_by_round ON credits (round);

-- The books: what every account changed by, and where it stands. An empty hotkey: an account of the pool.
CREATE TABLE entries (
    id      INTEGER PRIMARY KEY,
    round   INTEGER NOT NULL REFERENCES rounds (id),
    account TEXT NOT NULL,
    hotkey  BLOB NOT NULL,
    delta   INTEGER NOT NULL
) STRICT;
CREATE TRIGGER entries_are_not_edited BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'entries of the ledger are never edited'); END;
CREATE TRIGGER entries_are_not_deleted BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'entries of the ledger are never deleted'); END;

CREATE TABLE balances (
    account TEXT NOT NULL,
    hotkey  BLOB NOT NULL,
    amount  INTEGER NOT NULL,
    PRIMARY KEY (account, hotkey)
) STRICT, WITHOUT ROWID;

-- Parts of a sat that are still owed, as of the last round.
CREATE TABLE carried (
    hotkey    BLOB PRIMARY KEY,
    remainder BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    who     TEXT NOT NULL,
    actor   TEXT NOT NULL,
    message TEXT NOT NULL,
    fields  TEXT NOT NULL,
    outcome TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_is_not_edited BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is never edited'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is never deleted from'); END;
