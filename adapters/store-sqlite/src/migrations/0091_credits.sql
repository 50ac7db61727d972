-- A credit's work as all other work is stored: a 16-byte big-endian number, and not a decimal text. It counts in
-- half-steps (of 10^-28 units), because a window may end in the middle of a share. `half_steps` is the program's own
-- function: SQL has no numbers of 128 bits.
CREATE TABLE credits_anew (
    id         INTEGER PRIMARY KEY,
    round      INTEGER NOT NULL REFERENCES rounds (id),
    hotkey     BLOB NOT NULL,
    half_steps BLOB NOT NULL,
    amount     INTEGER NOT NULL,
    block      BLOB,
    kind       TEXT NOT NULL
) STRICT;
INSERT INTO credits_anew (id, round, hotkey, half_steps, amount, block, kind)
    SELECT id, round, hotkey, half_steps(units), amount, block, kind FROM credits ORDER BY id;
DROP TABLE credits;
ALTER TABLE credits_anew RENAME TO credits;
CREATE INDEX credits_by_hotkey ON credits (hotkey, id);
CREATE INDEX credits_by_round ON credits (round);
