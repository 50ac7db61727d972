-- Watch tokens that miners handed out. The tokens themselves are nowhere: a number and the pool's secret make one.
CREATE TABLE watches (
    id         BLOB PRIMARY KEY CHECK (length(id) = 8),     -- drawn by chance
    hotkey     BLOB NOT NULL CHECK (length(hotkey) = 32),   -- the miner that it shows
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER                                      -- NULL: until it is taken back
) STRICT, WITHOUT ROWID;
CREATE INDEX watches_by_miner ON watches (hotkey);
