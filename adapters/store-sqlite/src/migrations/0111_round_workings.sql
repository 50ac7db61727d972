-- How rounds came to their credits: what cannot be told from the credits themselves, so that anybody can reckon one again.
-- Of rounds of before nothing is known.
CREATE TABLE round_workings (
    round   INTEGER PRIMARY KEY REFERENCES rounds (id),
    fee_bps INTEGER NOT NULL,
    splits  BLOB NOT NULL,               -- of each block: the work by which it was split; empty if it was one thing
    paid    BLOB NOT NULL                -- of each miner: what its work was worth; empty if none is paid by the share
) STRICT;
