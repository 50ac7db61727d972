-- Shares in rows of up to 16, each packed without what they have in common (packed_shares.rs): half of the bytes, and a
-- tenth of the writer's work. A row also says what `batches` said of its commit.
CREATE TABLE packed_batches (
    first_sequence INTEGER PRIMARY KEY,
    place          INTEGER NOT NULL,   -- how many shares of its commit are in the rows before
    committed_at   INTEGER NOT NULL,   -- of all rows of a commit the same
    total_before   BLOB NOT NULL,
    shares         BLOB NOT NULL
) STRICT;

-- Shares up to here are gone, also if there is still a row that holds some of them.
ALTER TABLE pool ADD COLUMN pruned_through INTEGER NOT NULL DEFAULT 0;
UPDATE pool SET pruned_through = COALESCE((SELECT MIN(sequence) - 1 FROM shares),
    (SELECT MAX(last_sequence) FROM batches), 0);
