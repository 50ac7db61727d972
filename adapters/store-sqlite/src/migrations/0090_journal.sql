-- One journal: what every account changed by, for a round that closed or for a step of a payout.
CREATE TABLE journal (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    round   INTEGER REFERENCES rounds (id),    -- of a round: which
    payout  INTEGER REFERENCES payouts (id),   -- of a payout: which, and the step that it took
    step    TEXT,
    account TEXT NOT NULL,
    hotkey  BLOB NOT NULL,                     -- empty: an account of the pool
    delta   INTEGER NOT NULL,
    CHECK ((round IS NULL) <> (payout IS NULL)),
    CHECK ((payout IS NULL) = (step IS NULL))
) STRICT;

-- The entries of rounds and those of payouts, each in their order, and by their dates among each other. A clock that was
-- set back does not change the order of either: an entry counts as of the latest date up to it. (An entry of a round that
-- is not there has no date, and stops the migration.)
INSERT INTO journal (at, round, payout, step, account, hotkey, delta)
    SELECT at, round, payout, step, account, hotkey, delta FROM (
        SELECT entries.id AS id, closed_at AS at, round, NULL AS payout, NULL AS step, account, hotkey, delta,
               MAX(closed_at) OVER (ORDER BY entries.id) AS latest
            FROM entries LEFT JOIN rounds ON rounds.id = entries.round
        UNION ALL
        SELECT id, at, NULL, payout, step, account, hotkey, delta, MAX(at) OVER (ORDER BY id)
            FROM payout_entries)
    ORDER BY latest, payout IS NOT NULL, id;

DROP TABLE entries;
DROP TABLE payout_entries;

CREATE TRIGGER journal_is_not_edited BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'entries of the journal are never edited'); END;
CREATE TRIGGER journal_is_not_deleted BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'entries of the journal are never deleted'); END;
