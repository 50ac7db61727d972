-- The states that found blocks went through, and when each was learnt. Of blocks of before only the last is known, and not
-- since when.
CREATE TABLE block_states (
    id    INTEGER PRIMARY KEY,
    block BLOB NOT NULL,
    state TEXT NOT NULL,
    at    INTEGER                        -- null: nobody kept it
) STRICT;
CREATE INDEX block_states_by_block ON block_states (block, id);
INSERT INTO block_states (block, state, at)
    SELECT hash, state, CASE WHEN state = 'submitted' THEN found_at END FROM blocks ORDER BY id;
